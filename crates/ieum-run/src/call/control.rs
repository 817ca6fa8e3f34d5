//! Control messages that come with a datagram, for those who asked by an option: where it went (IP_PKTINFO,
//! IPV6_RECVPKTINFO), how many hops it had left (IP_RECVTTL, IPV6_RECVHOPLIMIT), its type of service (IP_RECVTOS,
//! IPV6_RECVTCLASS), of how many datagrams it is made (UDP_GRO), when it came (SO_TIMESTAMP, SO_TIMESTAMPNS). All others (options, fragments' sizes) are not told.

use std::net::{IpAddr, Ipv4Addr};

use ieum_socket::{Host, SocketId};
use rustix::time::{ClockId, clock_gettime};

use crate::name::Envelope;
use crate::sys::number as n;

/// sizeof struct cmsghdr.
pub(super) const HEADER_BYTES: usize = 16;

/// A control message in the making: level, type and data.
pub(super) fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = (HEADER_BYTES + data.len()).to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// The messages that `id`'s options ask for, each padded, in Linux's order.
pub(super) fn messages(host: &mut Host, id: SocketId, domain: i32, envelope: &Envelope) -> Vec<Vec<u8>> {
    let answer = envelope.local.and_then(|local| answer_from(host, envelope, local));
    let mut wants = |level, name| {
        host.option(id, level, name).is_ok_and(|value| value.first().is_some_and(|byte| *byte != 0))
    };
    let mut all = Vec::new();
    if wants(n::SOL_SOCKET, n::SO_TIMESTAMPNS) || wants(n::SOL_SOCKET, n::SO_TIMESTAMP) {
        let now = clock_gettime(ClockId::Realtime);
        let is_fine = wants(n::SOL_SOCKET, n::SO_TIMESTAMPNS);
        let (kind, fraction) =
            if is_fine { (n::SO_TIMESTAMPNS, now.tv_nsec) } else { (n::SO_TIMESTAMP, now.tv_nsec / 1000) };
        all.push(message(n::SOL_SOCKET, kind, &[now.tv_sec.to_ne_bytes(), fraction.to_ne_bytes()].concat()));
    }
    if envelope.segment_bytes != 0 && wants(n::IPPROTO_UDP, n::UDP_GRO) {
        let size = i32::from(envelope.segment_bytes).to_ne_bytes();
        all.push(message(n::IPPROTO_UDP, n::UDP_GRO, &size));
    }
    let hops = i32::from(envelope.hops).to_ne_bytes();
    let Some(local) = envelope.local else { return all };
    let interface = envelope.interface;
    if domain == n::AF_INET6 {
        let shown = match local {
            IpAddr::V4(four) => four.to_ipv6_mapped(),
            IpAddr::V6(six) => six,
        };
        if wants(n::IPPROTO_IPV6, n::IPV6_RECVPKTINFO) {
            let data = [&shown.octets()[..], &interface.to_ne_bytes()].concat();
            all.push(message(n::IPPROTO_IPV6, n::IPV6_PKTINFO, &data));
        }
        if wants(n::IPPROTO_IPV6, n::IPV6_RECVHOPLIMIT) {
            all.push(message(n::IPPROTO_IPV6, n::IPV6_HOPLIMIT, &hops));
        }
        if local.is_ipv6() && wants(n::IPPROTO_IPV6, n::IPV6_RECVTCLASS) {
            let class = i32::from(envelope.tos).to_ne_bytes();
            all.push(message(n::IPPROTO_IPV6, n::IPV6_TCLASS, &class));
        }
    } else if let IpAddr::V4(four) = local {
        if wants(n::IPPROTO_IP, n::IP_PKTINFO) {
            let data = [interface.to_ne_bytes(), answer.unwrap_or(four).octets(), four.octets()].concat();
            all.push(message(n::IPPROTO_IP, n::IP_PKTINFO, &data));
        }
        if wants(n::IPPROTO_IP, n::IP_RECVTTL) {
            all.push(message(n::IPPROTO_IP, n::IP_TTL, &hops));
        }
        if wants(n::IPPROTO_IP, n::IP_RECVTOS) {
            all.push(message(n::IPPROTO_IP, n::IP_TOS, &[envelope.tos]));
        }
    }
    all
}

/// The address of ours to answer from by IPv4, where it is not the one that a datagram came to: of what went to many, the
/// link's.
fn answer_from(host: &Host, envelope: &Envelope, local: IpAddr) -> Option<Ipv4Addr> {
    let stack = host.stack();
    let link = stack.link_at(envelope.interface).filter(|_| !stack.is_local(local))?;
    match stack.source_towards(link, envelope.remote.ip().to_canonical())? {
        IpAddr::V4(answer) => Some(answer),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_length_without_its_padding() {
        let message = message(0, 2, &[64, 0, 0, 0]);
        assert_eq!((message.len(), message[0]), (24, 20));
    }
}
