//! Control messages (cmsg(3)), and those that come with a datagram for who asked by an option: where it went
//! (IP_PKTINFO, IPV6_RECVPKTINFO), how many hops it had left (IP_RECVTTL, IPV6_RECVHOPLIMIT), its type of service
//! (IP_RECVTOS, IPV6_RECVTCLASS), to which address and port it went (IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR), of how
//! many datagrams it is made (UDP_GRO), when it came (SO_TIMESTAMP, SO_TIMESTAMPNS). All others (options, fragments'
//! sizes) are not told. `call/ancillary` has those that are sent along.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::SocketId;
use crate::call::recv::Arrival;
use crate::host::Host;
use crate::make::{Domain, Protocol};
use crate::options::numbers as n;
use crate::sockaddr;

/// sizeof struct cmsghdr.
pub(crate) const HEADER_BYTES: usize = 16;

/// A control message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// `cmsg_level`.
    pub level: i32,
    /// `cmsg_type`.
    pub kind: i32,
    /// Its bytes, as C has them.
    pub data: Vec<u8>,
}

impl Control {
    pub(crate) fn new(level: i32, kind: i32, data: Vec<u8>) -> Control {
        Control { level, kind, data }
    }

    /// As C has it: `struct cmsghdr`, which says the length without padding, the data, and padding to where another may follow.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = (HEADER_BYTES + self.data.len()).to_ne_bytes().to_vec();
        bytes.extend(self.level.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(&self.data);
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        bytes
    }
}

/// What of a time is over its seconds, in the unit of `struct timespec` or `struct timeval`.
type Fraction = fn(&Duration) -> u32;

/// The options that ask when something came, and how each tells what is over the second. With the new form of the fine one, the
/// coarse one's reads as set too, so that the fine ones are looked at first.
const STAMPS: [(i32, Fraction); 4] = [
    (n::SO_TIMESTAMPNS, Duration::subsec_nanos),
    (n::SO_TIMESTAMPNS_NEW, Duration::subsec_nanos),
    (n::SO_TIMESTAMP, Duration::subsec_micros),
    (n::SO_TIMESTAMP_NEW, Duration::subsec_micros),
];

impl Host {
    /// What the time of day (since 1970) was at [`ieum_wire::Instant::ZERO`], for timestamps that programs read.
    /// Without it they count from there.
    pub fn set_time_of_day(&mut self, at_zero: Duration) {
        self.day_at_zero = at_zero;
    }

    /// Does the socket's user want to know when what it receives came (SO_TIMESTAMP, SO_TIMESTAMPNS)?
    pub fn wants_arrival_times(&mut self, id: SocketId) -> bool {
        STAMPS.iter().any(|(name, _)| self.is_on(id, n::SOL_SOCKET, *name))
    }

    fn is_on(&mut self, id: SocketId, level: i32, name: i32) -> bool {
        self.option(id, level, name).is_ok_and(|value| value.first().is_some_and(|byte| *byte != 0))
    }

    /// The messages that a socket's options ask for with a datagram from `source` that came at that time of day, in
    /// Linux's order. Without an arrival nothing is known but the time.
    pub fn arrival_controls(
        &mut self,
        id: SocketId,
        source: SocketAddr,
        arrival: Option<&Arrival>,
        came: Duration,
    ) -> Vec<Control> {
        let domain = self.domain(id);
        // Of an answer to an echo request Linux tells none.
        let answer = match self.make(id).map(|make| make.protocol) {
            Some(Protocol::Icmp) => Some(Ipv4Addr::UNSPECIFIED),
            _ => arrival.and_then(|arrival| self.answer_from(source, arrival)),
        };
        let mut wants = |level, name| self.is_on(id, level, name);
        let mut all = Vec::new();
        if let Some((kind, fraction)) = STAMPS.iter().find(|(kind, _)| wants(n::SOL_SOCKET, *kind)) {
            let data = [came.as_secs(), fraction(&came).into()].map(u64::to_ne_bytes).concat();
            all.push(Control::new(n::SOL_SOCKET, *kind, data));
        }
        let Some(arrival) = arrival else { return all };
        if let Some(size) = arrival.segment_bytes.filter(|_| wants(n::IPPROTO_UDP, n::UDP_GRO)) {
            let data = i32::from(size).to_ne_bytes().to_vec();
            all.push(Control::new(n::IPPROTO_UDP, n::UDP_GRO, data));
        }
        let mut tell = |level, option, kind, data: &dyn Fn() -> Vec<u8>| {
            if wants(level, option) {
                all.push(Control::new(level, kind, data()));
            }
        };
        let hops = i32::from(arrival.ttl).to_ne_bytes();
        let interface = arrival.interface.to_ne_bytes();
        if domain == Some(Domain::Ip6) {
            let shown = match arrival.destination.ip() {
                IpAddr::V4(four) => four.to_ipv6_mapped(),
                IpAddr::V6(six) => six,
            };
            let place = || [&shown.octets()[..], &interface].concat();
            tell(n::IPPROTO_IPV6, n::IPV6_RECVPKTINFO, n::IPV6_PKTINFO, &place);
        }
        // What else is told goes by the packet: a socket of IPv6 asks of those of IPv4 by IPv4's options.
        match arrival.destination.ip() {
            IpAddr::V6(_) => {
                tell(n::IPPROTO_IPV6, n::IPV6_RECVHOPLIMIT, n::IPV6_HOPLIMIT, &|| hops.to_vec());
                let class = || i32::from(arrival.tos).to_ne_bytes().to_vec();
                tell(n::IPPROTO_IPV6, n::IPV6_RECVTCLASS, n::IPV6_TCLASS, &class);
                let place = || sockaddr::encode(arrival.destination);
                tell(n::IPPROTO_IPV6, n::IPV6_ORIGDSTADDR, n::IPV6_ORIGDSTADDR, &place);
            }
            IpAddr::V4(local) => {
                let place = || [interface, answer.unwrap_or(local).octets(), local.octets()].concat();
                tell(n::IPPROTO_IP, n::IP_PKTINFO, n::IP_PKTINFO, &place);
                tell(n::IPPROTO_IP, n::IP_RECVTTL, n::IP_TTL, &|| hops.to_vec());
                tell(n::IPPROTO_IP, n::IP_RECVTOS, n::IP_TOS, &|| vec![arrival.tos]);
                let place = || sockaddr::encode(arrival.destination);
                tell(n::IPPROTO_IP, n::IP_RECVORIGDSTADDR, n::IP_RECVORIGDSTADDR, &place);
            }
        }
        all
    }

    /// The address of ours to answer from by IPv4, where it is not the one that a datagram came to: of what went to many, the
    /// link's.
    fn answer_from(&self, source: SocketAddr, arrival: &Arrival) -> Option<Ipv4Addr> {
        let to = arrival.destination.ip();
        let is_many = self.stack.is_broadcast(to) || !self.stack.is_local(to);
        let link = self.stack.link_at(arrival.interface).filter(|_| is_many)?;
        let source = source.ip().to_canonical();
        let own = Some(source).filter(|source| self.stack.is_local(*source));
        match own.or_else(|| self.stack.source_towards(link, source))? {
            IpAddr::V4(answer) => Some(answer),
            IpAddr::V6(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_length_without_its_padding() {
        let message = Control::new(0, 2, vec![64, 0, 0, 0]).to_bytes();
        assert_eq!((message.len(), message[0]), (24, 20));
    }
}
