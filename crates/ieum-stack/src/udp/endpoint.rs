//! One endpoint, and the queue of what it received.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::{Protocol, Unreachable};

use super::demux::Key;
use super::{Coverage, Datagram, DatagramError, Envelope, Outbox};
use crate::bounds::{
    BUFFER_HEADER_BYTES, BUFFER_HEADROOM_BYTES, BUFFER_SMALL_BYTES, BUFFER_TAIL_BYTES,
    BUFFER_WHOLE_BYTES_MAX, DATAGRAM_OVERHEAD_BYTES, UDP_ERRORS_MAX, UDP_JOINED_DATAGRAMS_MAX,
    UDP_PAYLOAD_BYTES_MAX_IP4, UDP_RECEIVE_QUEUE_BYTES_MAX,
};
use crate::ip::MembershipId;
use crate::link::LinkId;
use crate::port::BindingId;

/// An endpoint of UDP, or of UDP-Lite.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Which of the two.
    pub(super) protocol: Protocol,
    /// UDP-Lite: how much of its datagrams is under the checksum.
    pub(super) coverage: Coverage,
    /// The only link it speaks and hears over, if it keeps to one.
    pub(super) link: Option<LinkId>,
    /// The port it holds.
    pub(super) binding: BindingId,
    /// What was bound: where it returns to when its association is dissolved.
    pub(super) bound: SocketAddr,
    /// Where it is reached; a single address while connected.
    pub(super) local: SocketAddr,
    /// The only peer it hears, when connected.
    pub(super) remote: Option<SocketAddr>,
    /// Its `::` stands for IPv4 too.
    pub(super) both_families: bool,
    /// Datagrams are spread over all endpoints that share its port by SO_REUSEPORT.
    pub(super) reuse_port: bool,
    /// What was received and not yet taken.
    pub(super) inbox: Inbox,
    /// An ICMP error about a datagram of ours, not yet taken (RFC 1122 §4.1.3.3).
    pub(super) error: Option<Unreachable>,
    /// What was sent and has not left.
    pub(super) outbox: Outbox,
    /// Marked datagrams that have left since this was asked for.
    pub(super) left: u32,
    /// Errors with all that was said, for those who ask for them.
    pub(super) errors: KeptErrors,
    /// The groups that its user has joined.
    pub(super) memberships: Vec<MembershipId>,
    /// Of other groups of this host everything is heard as well: over IPv4, over IPv6.
    pub(super) all_groups: [bool; 2],
    /// Several datagrams of one size and flow are received together.
    pub(super) joins: bool,
    /// Those too that came one by one over another link than this, the loopback link.
    loopback: LinkId,
}

impl Endpoint {
    /// A fresh endpoint.
    pub(super) fn new(
        binding: BindingId,
        bound: SocketAddr,
        both_families: bool,
        reuse_port: bool,
        loopback: LinkId,
    ) -> Endpoint {
        Endpoint {
            protocol: Protocol::Udp,
            coverage: Coverage::default(),
            link: None,
            binding,
            bound,
            local: bound,
            remote: None,
            both_families,
            reuse_port,
            inbox: Inbox::new(UDP_RECEIVE_QUEUE_BYTES_MAX),
            error: None,
            outbox: Outbox::default(),
            left: 0,
            errors: KeptErrors::default(),
            memberships: Vec::new(),
            all_groups: [true, true],
            joins: false,
            loopback,
        }
    }

    /// Can a datagram of this endpoint go there? Not to the other family, unless it stands for both.
    pub(super) fn speaks_to(&self, remote: SocketAddr) -> bool {
        let both = self.both_families && self.bound.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        both || self.bound.is_ipv4() == remote.is_ipv4()
    }

    /// Does it hear a group that somebody else of this host has joined?
    pub(super) fn hears_all_groups(&self, group: IpAddr) -> bool {
        self.all_groups[usize::from(group.is_ipv6())]
    }

    /// Queues what came; `false` when there is no room for any of it.
    pub(super) fn receive(&mut self, envelope: Envelope, payload: &[u8]) -> bool {
        match self.joins {
            false => self.inbox.push_apart(envelope, payload),
            // As on Linux: what comes from devices is joined, what a host says to itself comes as it was sent.
            true if envelope.link != self.loopback && self.inbox.join(envelope, payload) => true,
            true => self.inbox.push(envelope, payload),
        }
    }

    /// Where it stands in the demux.
    pub(super) fn places(&self) -> impl Iterator<Item = Key> + use<> {
        let second = (self.both_families && self.local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            .then(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.local.port()));
        let (protocol, remote) = (self.protocol, self.remote);
        std::iter::once(self.local).chain(second).map(move |local| (protocol, local, remote))
    }
}

/// Errors that wait to be taken, if they are kept at all.
#[derive(Default, Debug)]
pub(super) struct KeptErrors(Option<VecDeque<DatagramError>>);

impl KeptErrors {
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// From now on they are, or are not.
    pub(super) fn set_kept(&mut self, kept: bool) {
        match (kept, &self.0) {
            (true, None) => self.0 = Some(VecDeque::new()),
            (false, _) => self.0 = None,
            (true, Some(_)) => {}
        }
    }

    /// Keeps one, if they are kept and there is room.
    pub(super) fn keep(&mut self, error: impl FnOnce() -> DatagramError) -> bool {
        let room = self.0.as_mut().filter(|errors| errors.len() < UDP_ERRORS_MAX);
        room.map(|errors| errors.push_back(error())).is_some()
    }

    /// Takes the oldest.
    pub(super) fn pop(&mut self) -> Option<DatagramError> {
        self.0.as_mut()?.pop_front()
    }
}

/// What a queued datagram is charged.
pub(crate) fn cost_bytes(payload: &[u8]) -> usize {
    payload.len() + DATAGRAM_OVERHEAD_BYTES
}

/// What a datagram that waits to be read is charged: what its buffer takes on Linux (skb->truesize), whose SO_RCVBUF is counted
/// in it.
fn charged_bytes(payload_bytes: usize) -> usize {
    let data = payload_bytes + BUFFER_HEADROOM_BYTES;
    let buffer = match data + BUFFER_TAIL_BYTES {
        needed if needed <= BUFFER_SMALL_BYTES => BUFFER_SMALL_BYTES,
        needed if needed <= BUFFER_WHOLE_BYTES_MAX => needed.next_power_of_two(),
        // The rest is in pages, of which only what is used is counted.
        _ => BUFFER_SMALL_BYTES + payload_bytes,
    };
    buffer + BUFFER_HEADER_BYTES
}

/// A queue of datagrams, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: VecDeque<Datagram>,
    bytes: usize,
    bytes_max: usize,
}

impl Inbox {
    /// An empty queue.
    pub(crate) fn new(bytes_max: usize) -> Inbox {
        Inbox { queue: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// From now on it has room for so much; what waits stays.
    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Is there room for `payload`? As on Linux, an empty queue takes one however small it is.
    pub(crate) fn has_room(&self, payload: &[u8]) -> bool {
        self.bytes == 0 || self.bytes + charged_bytes(payload.len()) <= self.bytes_max
    }

    /// Adds a datagram; `false` when there is no room for it.
    pub(crate) fn push(&mut self, envelope: Envelope, payload: &[u8]) -> bool {
        if !self.has_room(payload) {
            return false;
        }
        self.bytes += charged_bytes(payload.len());
        let Envelope { source, destination, link, heard_over, came_at, ttl, tos, segment_bytes } = envelope;
        let payload = payload.to_vec();
        let datagram =
            Datagram { source, destination, link, heard_over, came_at, ttl, tos, segment_bytes, payload };
        self.queue.push_back(datagram);
        true
    }

    /// The same with each datagram by itself; `false` when there is no room for any.
    pub(crate) fn push_apart(&mut self, envelope: Envelope, payload: &[u8]) -> bool {
        let Some(size) = envelope.segment_bytes else { return self.push(envelope, payload) };
        let each = Envelope { segment_bytes: None, ..envelope };
        let parts = payload.chunks(usize::from(size).max(1));
        parts.take_while(|part| self.push(each, part)).count() > 0
    }

    /// Adds a single datagram to the last one that waits, if it continues it: the same flow and header, no larger than the
    /// first, and none before it smaller. `false` when it does not, or there is no room.
    pub(crate) fn join(&mut self, envelope: Envelope, payload: &[u8]) -> bool {
        let Some(last) = self.queue.back_mut() else { return false };
        let size = last.segment_bytes.map_or(last.payload.len(), usize::from);
        let together = last.payload.len() + payload.len();
        let more = charged_bytes(together) - charged_bytes(last.payload.len());
        let continues = envelope.segment_bytes.is_none()
            && (last.source, last.destination, last.link)
                == (envelope.source, envelope.destination, envelope.link)
            && (last.ttl, last.tos) == (envelope.ttl, envelope.tos)
            && (1..=size).contains(&payload.len())
            && last.payload.len().is_multiple_of(size)
            && last.payload.len() / size < UDP_JOINED_DATAGRAMS_MAX
            && together <= UDP_PAYLOAD_BYTES_MAX_IP4
            && self.bytes + more <= self.bytes_max;
        let Some(size) = u16::try_from(size).ok().filter(|_| continues) else { return false };
        last.segment_bytes = Some(size);
        last.payload.extend_from_slice(payload);
        self.bytes += more;
        true
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Datagram> {
        let datagram = self.queue.pop_front()?;
        self.bytes -= charged_bytes(datagram.payload.len());
        Some(datagram)
    }

    /// The oldest.
    pub(crate) fn peek(&self) -> Option<&Datagram> {
        self.queue.front()
    }

    /// What is queued, in bytes with overhead.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use ieum_wire::Instant;

    use super::*;

    fn of_link(link: LinkId) -> Envelope {
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        Envelope {
            source: address,
            destination: address,
            link,
            heard_over: link,
            came_at: Instant::ZERO,
            ttl: 64,
            tos: 0,
            segment_bytes: None,
        }
    }

    #[test]
    fn as_many_have_room_as_on_linux() {
        // Counted on Linux 6.18, IPv4 over loopback; SO_RCVBUF as it is read back.
        for (payload, bytes_max, count) in
            [(1, 212_992, 256), (500, 8192, 6), (500, 40_000, 31), (500, 200_000, 156)]
        {
            let mut inbox = Inbox::new(bytes_max);
            let taken = (0..1000).take_while(|_| inbox.push(of_link(LinkId::default()), &vec![0; payload]));
            assert_eq!(taken.count(), count, "{payload} bytes each");
        }
        let mut smallest = Inbox::new(0);
        assert!(smallest.push(of_link(LinkId::default()), &[0; 2000]), "an empty queue takes one");
        assert!(!smallest.push(of_link(LinkId::default()), b""));
    }

    #[test]
    fn what_continues_the_last_datagram_joins_it() {
        let envelope = of_link(LinkId::default());
        let mut inbox = Inbox::new(1 << 20);
        assert!(!inbox.join(envelope, b"abc"), "nothing waits");
        assert!(inbox.push(envelope, b"abc"));
        assert!(!inbox.join(envelope, b""), "an empty one stands for itself");
        assert!(!inbox.join(envelope, b"abcd"), "it is larger");
        assert!(!inbox.join(Envelope { tos: 1, ..envelope }, b"abc"), "its header says something else");
        let later = Envelope { came_at: Instant::from_micros(7), ..envelope };
        assert!(inbox.join(later, b"def") && inbox.join(envelope, b"g"));
        assert!(!inbox.join(envelope, b"h"), "a shorter one was the last");
        assert_eq!(inbox.bytes(), charged_bytes(7));
        let joined = inbox.pop().unwrap();
        assert_eq!(
            (joined.segment_bytes, joined.payload.as_slice(), inbox.bytes()),
            (Some(3), &b"abcdefg"[..], 0)
        );
        assert_eq!(joined.came_at, Instant::ZERO, "they came when the first did");
    }

    #[test]
    fn no_more_are_joined_than_linux_joins() {
        let envelope = of_link(LinkId::default());
        let mut inbox = Inbox::new(1 << 20);
        assert!(inbox.push(envelope, &[0; 10]));
        assert_eq!((0..100).take_while(|_| inbox.join(envelope, &[0; 10])).count(), 63);
        assert!(inbox.push(envelope, &[0; 40_000]) && !inbox.join(envelope, &[0; 40_000]));
    }

    #[test]
    fn empty_datagrams_are_charged_too() {
        let envelope = of_link(LinkId::default());
        let mut inbox = Inbox::new(10 * charged_bytes(1));
        let taken = (0..20).filter(|_| inbox.push(envelope, &[])).count();
        assert_eq!(taken, 10);
        assert_eq!(inbox.pop().map(|datagram| datagram.payload.len()), Some(0));
        assert!(inbox.push(envelope, &[]));
        while inbox.pop().is_some() {}
        assert_eq!(inbox.bytes, 0);
    }
}
