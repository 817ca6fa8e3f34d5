//! One endpoint, and the queue of what it received.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::Unreachable;

use super::demux::Key;
use super::{Datagram, DatagramError, Envelope};
use crate::bounds::{DATAGRAM_OVERHEAD_BYTES, UDP_ERRORS_MAX, UDP_RECEIVE_QUEUE_BYTES_MAX};
use crate::ip::MembershipId;
use crate::port::BindingId;

/// A UDP endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
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
    /// What was sent and has not left, in bytes with overhead.
    pub(super) owed_bytes: usize,
    /// A datagram was refused for want of room: say so when there is some.
    pub(super) awaits_room: bool,
    /// Marked datagrams that have left since this was asked for.
    pub(super) left: u32,
    /// Errors with all that was said, for those who ask for them.
    pub(super) errors: KeptErrors,
    /// The groups that its user has joined.
    pub(super) memberships: Vec<MembershipId>,
    /// Of other groups of this host everything is heard as well: over IPv4, over IPv6.
    pub(super) all_groups: [bool; 2],
}

impl Endpoint {
    /// A fresh endpoint.
    pub(super) fn new(
        binding: BindingId,
        bound: SocketAddr,
        both_families: bool,
        reuse_port: bool,
    ) -> Endpoint {
        Endpoint {
            binding,
            bound,
            local: bound,
            remote: None,
            both_families,
            reuse_port,
            inbox: Inbox::new(UDP_RECEIVE_QUEUE_BYTES_MAX),
            error: None,
            owed_bytes: 0,
            awaits_room: false,
            left: 0,
            errors: KeptErrors::default(),
            memberships: Vec::new(),
            all_groups: [true, true],
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

    /// Where it stands in the demux.
    pub(super) fn places(&self) -> impl Iterator<Item = Key> + use<> {
        let second = (self.both_families && self.local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            .then(|| (SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.local.port()), self.remote));
        std::iter::once((self.local, self.remote)).chain(second)
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

    /// Is there room for `payload`?
    pub(crate) fn has_room(&self, payload: &[u8]) -> bool {
        self.bytes + cost_bytes(payload) <= self.bytes_max
    }

    /// Adds a datagram; `false` when there is no room for it.
    pub(crate) fn push(&mut self, envelope: Envelope, payload: &[u8]) -> bool {
        if !self.has_room(payload) {
            return false;
        }
        self.bytes += cost_bytes(payload);
        let Envelope { source, destination, ttl, tos } = envelope;
        self.queue.push_back(Datagram { source, destination, ttl, tos, payload: payload.to_vec() });
        true
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Datagram> {
        let datagram = self.queue.pop_front()?;
        self.bytes -= cost_bytes(&datagram.payload);
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
    use super::*;

    #[test]
    fn empty_datagrams_are_charged_too() {
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        let envelope = Envelope { source: address, destination: address, ttl: 64, tos: 0 };
        let mut inbox = Inbox::new(10 * DATAGRAM_OVERHEAD_BYTES);
        let taken = (0..20).filter(|_| inbox.push(envelope, &[])).count();
        assert_eq!(taken, 10);
        assert_eq!(inbox.pop().map(|datagram| datagram.payload.len()), Some(0));
        assert!(inbox.push(envelope, &[]));
        while inbox.pop().is_some() {}
        assert_eq!(inbox.bytes, 0);
    }
}
