//! What a socket is made for: its address family and its protocol, fixed by `socket(2)`.

use std::net::IpAddr;

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
    /// SOCK_DGRAM: UDP, and ICMP for ping.
    Datagram,
}

/// The protocols that are served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Echo requests of ICMP, or of ICMPv6 for AF_INET6: a *ping socket*.
    Icmp,
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
            Protocol::Udp | Protocol::Icmp => Kind::Datagram,
        }
    }

    /// The protocol's number, as SO_PROTOCOL tells it.
    pub const fn protocol_number(self) -> i32 {
        match (self.protocol, self.domain) {
            (Protocol::Tcp, _) => 6,
            (Protocol::Udp, _) => 17,
            (Protocol::Icmp, Domain::Ip4) => 1,
            (Protocol::Icmp, Domain::Ip6) => 58,
        }
    }

    /// The protocol's name, as `ss` shows it.
    pub const fn name(self) -> &'static str {
        match (self.protocol, self.domain) {
            (Protocol::Tcp, _) => "tcp",
            (Protocol::Udp, _) => "udp",
            (Protocol::Icmp, Domain::Ip4) => "icmp",
            (Protocol::Icmp, Domain::Ip6) => "icmp6",
        }
    }
}
