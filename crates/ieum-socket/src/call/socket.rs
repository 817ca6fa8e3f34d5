//! `socket(2)`.

use crate::bounds::DESCRIPTIONS_MAX;
use crate::description::Description;
use crate::host::Host;
use crate::{Errno, Kind, SocketId};

impl Host {
    /// Makes a socket. `domain`, `kind` and `protocol` as in socket(2), without the bits SOCK_NONBLOCK and
    /// SOCK_CLOEXEC: those are the descriptor's.
    ///
    /// # Errors
    ///
    /// As Linux tells a program without privileges: EAFNOSUPPORT for any family but AF_INET, EINVAL for numbers out
    /// of range, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM for raw and packet sockets, EACCES for ping sockets;
    /// ENFILE when the host is full.
    pub fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<SocketId, Errno> {
        let kind = kind_of(domain, kind, protocol)?;
        if self.descriptions.len() >= DESCRIPTIONS_MAX {
            return Err(Errno::ENFILE);
        }
        Ok(self.descriptions.insert(Description::new(kind)))
    }
}

/// What the three numbers mean.
fn kind_of(domain: i32, kind: i32, protocol: i32) -> Result<Kind, Errno> {
    if !(0..FAMILIES).contains(&domain) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if !(0..KINDS).contains(&kind) {
        return Err(Errno::EINVAL);
    }
    if domain != AF_INET {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind == SOCK_PACKET {
        return Err(Errno::EPERM);
    }
    if !(0..PROTOCOLS).contains(&protocol) {
        return Err(Errno::EINVAL);
    }
    match (kind, protocol) {
        (SOCK_STREAM, 0 | IPPROTO_TCP) => Ok(Kind::Stream),
        (SOCK_DGRAM, 0 | IPPROTO_UDP) => Ok(Kind::Datagram),
        // A ping socket: Linux asks net.ipv4.ping_group_range, which by default names nobody.
        (SOCK_DGRAM, IPPROTO_ICMP) => Err(Errno::EACCES),
        (SOCK_STREAM | SOCK_DGRAM | SOCK_RAW, _) if kind != SOCK_RAW || protocol == 0 => {
            Err(Errno::EPROTONOSUPPORT)
        }
        (SOCK_RAW, _) => Err(Errno::EPERM),
        (_, _) => Err(Errno::ESOCKTNOSUPPORT),
    }
}

const AF_INET: i32 = 2;
const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
const SOCK_RAW: i32 = 3;
const SOCK_PACKET: i32 = 10;
const IPPROTO_ICMP: i32 = 1;
const IPPROTO_TCP: i32 = 6;
const IPPROTO_UDP: i32 = 17;
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
        let cases = [
            ((2, 1, 0), Ok(Kind::Stream)),
            ((2, 1, 6), Ok(Kind::Stream)),
            ((2, 2, 0), Ok(Kind::Datagram)),
            ((2, 2, 17), Ok(Kind::Datagram)),
            ((2, 0, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((2, 1, 17), Err(Errno::EPROTONOSUPPORT)),
            ((2, 1, 262), Err(Errno::EPROTONOSUPPORT)),
            ((2, 2, 6), Err(Errno::EPROTONOSUPPORT)),
            ((2, 2, 1), Err(Errno::EACCES)),
            ((2, 3, 0), Err(Errno::EPROTONOSUPPORT)),
            ((2, 3, 1), Err(Errno::EPERM)),
            ((2, 5, 0), Err(Errno::ESOCKTNOSUPPORT)),
            ((2, 10, 0), Err(Errno::EPERM)),
            ((2, 11, 0), Err(Errno::EINVAL)),
            ((2, 1, 300), Err(Errno::EINVAL)),
            ((10, 1, 0), Err(Errno::EAFNOSUPPORT)),
            ((10, 99, 0), Err(Errno::EINVAL)),
            ((99, 1, 0), Err(Errno::EAFNOSUPPORT)),
            ((-1, 1, 0), Err(Errno::EAFNOSUPPORT)),
        ];
        for ((domain, kind, protocol), expected) in cases {
            assert_eq!(kind_of(domain, kind, protocol), expected, "socket({domain}, {kind}, {protocol})");
        }
    }
}
