//! What a socket is made for: its address family and its protocol, fixed by `socket(2)`.

use std::net::IpAddr;

use crate::options::numbers::{IPPROTO_UDP, IPPROTO_UDPLITE};

/// The address family of a socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Domain {
    /// AF_INET.
    Ip4,
    /// AF_INET6; IPv4 too, as `::ffff:a.b.c.d`, unless IPV6_V6ONLY is set.
    Ip6,
}

impl Domain {
    /// The family that an address of the stack belongs to.
    pub(crate) fn of(address: IpAddr) -> Domain {
        if address.is_ipv4() { Domain::Ip4 } else { Domain::Ip6 }
    }

    /// Linux's number.
    pub const fn number(self) -> i32 {
        match self {
            Domain::Ip4 => 2,
            Domain::Ip6 => 10,
        }
    }
}

/// The kinds of sockets that are served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// SOCK_STREAM: TCP.
    Stream,
    /// SOCK_DGRAM: UDP and UDP-Lite, and ICMP for ping; SOCK_RAW, which is asked the same.
    Datagram,
}

/// The protocols that are served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite (RFC 3828, udplite(7)).
    UdpLite,
    /// Echo requests of ICMP, or of ICMPv6 for AF_INET6: a *ping socket*.
    Icmp,
    /// IP itself, of which this is the protocol's number: a *raw socket*.
    Raw(u8),
}

/// The address family and protocol of a socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Make {
    /// Its address family.
    pub domain: Domain,
    /// Its protocol.
    pub protocol: Protocol,
}

impl Make {
    /// Stream or datagram.
    pub const fn kind(self) -> Kind {
        match self.protocol {
            Protocol::Tcp => Kind::Stream,
            Protocol::Udp | Protocol::UdpLite | Protocol::Icmp | Protocol::Raw(_) => Kind::Datagram,
        }
    }

    /// UDP or UDP-Lite, which differ in little.
    pub(crate) const fn is_udp(self) -> bool {
        matches!(self.protocol, Protocol::Udp | Protocol::UdpLite)
    }

    /// Does it refuse to send with MSG_OOB, whatever else is asked? Of datagram sockets all but those of UDP by IPv6, which do
    /// not look at the flag; what they send to IPv4 is refused when that is known ([`Host::refuse_urgent_datagram`]).
    ///
    /// [`Host::refuse_urgent_datagram`]: crate::Host::refuse_urgent_datagram
    pub fn refuses_urgency(self) -> bool {
        self.kind() == Kind::Datagram && !(self.domain == Domain::Ip6 && self.is_udp())
    }

    /// The level of an option: that of UDP-Lite means UDP's, and the reverse (Linux).
    pub(crate) fn level(self, level: i32) -> i32 {
        if level == IPPROTO_UDPLITE && self.is_udp() { IPPROTO_UDP } else { level }
    }

    /// The protocol's number, as SO_PROTOCOL tells it.
    pub const fn protocol_number(self) -> i32 {
        match (self.protocol, self.domain) {
            (Protocol::Tcp, _) => 6,
            (Protocol::Udp, _) => 17,
            (Protocol::UdpLite, _) => 136,
            (Protocol::Icmp, Domain::Ip4) => 1,
            (Protocol::Icmp, Domain::Ip6) => 58,
            (Protocol::Raw(number), _) => number as i32,
        }
    }

    /// What SO_TYPE tells.
    pub const fn type_number(self) -> i32 {
        match self.protocol {
            Protocol::Tcp => 1,
            Protocol::Udp | Protocol::UdpLite | Protocol::Icmp => 2,
            Protocol::Raw(_) => 3,
        }
    }

    /// The protocol's name, as `ss` shows it.
    pub const fn name(self) -> &'static str {
        match (self.protocol, self.domain) {
            (Protocol::Tcp, _) => "tcp",
            (Protocol::Udp, _) => "udp",
            (Protocol::UdpLite, _) => "udplite",
            (Protocol::Icmp, Domain::Ip4) => "icmp",
            (Protocol::Icmp, Domain::Ip6) => "icmp6",
            (Protocol::Raw(_), _) => "raw",
        }
    }
}
