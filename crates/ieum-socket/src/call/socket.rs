//! `socket(2)`.

use crate::description::Description;
use crate::host::Host;
use crate::make::{Domain, Make, Protocol};
use crate::{Errno, SocketId};

impl Host {
    /// Makes a socket. `domain`, `kind` and `protocol` as in socket(2), without the bits SOCK_NONBLOCK and
    /// SOCK_CLOEXEC: those are the descriptor's.
    ///
    /// # Errors
    ///
    /// As Linux tells a program without privileges: EAFNOSUPPORT for any family but AF_INET and AF_INET6, EINVAL for
    /// numbers out of range, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM for packet sockets, and for raw ones unless the
    /// host has them ([`Host::allow_raw_sockets`]); ENFILE when the host is full. Ping sockets are for everybody:
    /// `net.ipv4.ping_group_range` is the host's own affair.
    pub fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<SocketId, Errno> {
        let make = make_of(domain, kind, protocol)?;
        if matches!(make.protocol, Protocol::Raw(_)) && !self.has_raw_sockets {
            return Err(Errno::EPERM);
        }
        if self.descriptions.len() >= self.sockets_max {
            return Err(Errno::ENFILE);
        }
        let id = self.descriptions.insert(Description::new(make));
        if let Protocol::Raw(protocol) = make.protocol {
            // It hears from now on, bound or not.
            self.open_raw(id, make.domain, protocol);
        }
        Ok(id)
    }

    /// Whether programs may have raw sockets, as those with CAP_NET_RAW may on Linux. They hear all that comes to the host, and
    /// say what they want in anybody's name: to begin with nobody has them.
    pub fn allow_raw_sockets(&mut self, allowed: bool) {
        self.has_raw_sockets = allowed;
    }
}

/// What the three numbers mean.
fn make_of(domain: i32, kind: i32, protocol: i32) -> Result<Make, Errno> {
    if !(0..FAMILIES).contains(&domain) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if !(0..KINDS).contains(&kind) {
        return Err(Errno::EINVAL);
    }
    let domain = match domain {
        AF_INET => Domain::Ip4,
        AF_INET6 => Domain::Ip6,
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    // Of AF_INET it once meant AF_PACKET.
    if kind == SOCK_PACKET && domain == Domain::Ip4 {
        return Err(Errno::EPERM);
    }
    if !(0..PROTOCOLS).contains(&protocol) {
        return Err(Errno::EINVAL);
    }
    let make = |protocol| Ok(Make { domain, protocol });
    match (kind, protocol) {
        (SOCK_STREAM, 0 | IPPROTO_TCP) => make(Protocol::Tcp),
        (SOCK_DGRAM, 0 | IPPROTO_UDP) => make(Protocol::Udp),
        (SOCK_DGRAM, IPPROTO_UDPLITE) => make(Protocol::UdpLite),
        (SOCK_DGRAM, IPPROTO_ICMP) if domain == Domain::Ip4 => make(Protocol::Icmp),
        (SOCK_DGRAM, IPPROTO_ICMPV6) if domain == Domain::Ip6 => make(Protocol::Icmp),
        (SOCK_STREAM | SOCK_DGRAM | SOCK_RAW, _) if kind != SOCK_RAW || protocol == 0 => {
            Err(Errno::EPROTONOSUPPORT)
        }
        // An IP header has room for 255 of them.
        (SOCK_RAW, number) => make(Protocol::Raw(u8::try_from(number).map_err(|_| Errno::EPROTONOSUPPORT)?)),
        (_, _) => Err(Errno::ESOCKTNOSUPPORT),
    }
}

const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
const SOCK_RAW: i32 = 3;
const SOCK_PACKET: i32 = 10;
const IPPROTO_ICMP: i32 = 1;
const IPPROTO_TCP: i32 = 6;
const IPPROTO_UDP: i32 = 17;
const IPPROTO_ICMPV6: i32 = 58;
const IPPROTO_UDPLITE: i32 = 136;
/// One more than the largest family Linux has a number for (NPROTO).
const FAMILIES: i32 = 46;
/// One more than the largest kind (SOCK_MAX).
const KINDS: i32 = 11;
/// One more than the largest protocol (IPPROTO_MAX).
const PROTOCOLS: i32 = 263;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_served_is_refused_as_linux_refuses_it() {
        let make = |domain, protocol| Ok(Make { domain, protocol });
        let (ip4, ip6) = (Domain::Ip4, Domain::Ip6);
        let cases = [
            ((2, 1, 0), make(ip4, Protocol::Tcp)),
            ((2, 1, 6), make(ip4, Protocol::Tcp)),
            ((2, 2, 0), make(ip4, Protocol::Udp)),
            ((2, 2, 17), make(ip4, Protocol::Udp)),
            ((2, 2, 136), make(ip4, Protocol::UdpLite)),
            ((2, 1, 136), Err(Errno::EPROTONOSUPPORT)),
            ((2, 0, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((2, 1, 17), Err(Errno::EPROTONOSUPPORT)),
            ((2, 1, 262), Err(Errno::EPROTONOSUPPORT)),
            ((2, 2, 6), Err(Errno::EPROTONOSUPPORT)),
            ((2, 2, 1), make(ip4, Protocol::Icmp)),
            ((2, 2, 58), Err(Errno::EPROTONOSUPPORT)),
            ((2, 3, 0), Err(Errno::EPROTONOSUPPORT)),
            ((2, 3, 1), make(ip4, Protocol::Raw(1))),
            ((2, 3, 262), Err(Errno::EPROTONOSUPPORT)),
            ((2, 5, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((2, 10, 0), Err(Errno::EPERM)),
            ((2, 11, 0), Err(Errno::EINVAL)),
            ((2, 1, 300), Err(Errno::EINVAL)),
            ((10, 1, 0), make(ip6, Protocol::Tcp)),
            ((10, 2, 0), make(ip6, Protocol::Udp)),
            ((10, 2, 58), make(ip6, Protocol::Icmp)),
            ((10, 2, 1), Err(Errno::EPROTONOSUPPORT)),
            ((10, 1, 17), Err(Errno::EPROTONOSUPPORT)),
            ((10, 3, 58), make(ip6, Protocol::Raw(58))),
            ((10, 5, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((10, 10, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((10, 1, 300), Err(Errno::EINVAL)),
            ((1, 1, 0), Err(Errno::EAFNOSUPPORT)),
            ((10, 99, 0), Err(Errno::EINVAL)),
            ((99, 1, 0), Err(Errno::EAFNOSUPPORT)),
            ((-1, 1, 0), Err(Errno::EAFNOSUPPORT)),
        ];
        for ((domain, kind, protocol), expected) in cases {
            assert_eq!(make_of(domain, kind, protocol), expected, "socket({domain}, {kind}, {protocol})");
        }
    }
}
