//! What happened inside the stack that somebody above may wait for.

use std::collections::VecDeque;

use crate::{ConnectionId, HalfOpenId, ListenerId, PingId, UdpId};

/// Something changed: ask the stack what. Events carry no data, so that a late reader misses nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A SYN for a listener that holds: answer with `tcp_accept_request` or `tcp_refuse_request`.
    Request(HalfOpenId),
    /// The listener has an established connection to accept.
    Acceptable(ListenerId),
    /// Something changed (established, readable, writable, FIN, error, gone): ask `tcp_status`.
    Connection(ConnectionId),
    /// A datagram came, there is room again, or an ICMP error was stored.
    Udp(UdpId),
    /// An echo reply came, there is room again, or an ICMP error was stored.
    Ping(PingId),
    /// (`accept_any_destination` only) Datagrams nobody is bound for wait: `poll_any_datagram` until there is none.
    AnyDatagram,
}

/// Events in the order in which they happened. An event about a connection is there once until it is taken; others as
/// often as they happened.
///
/// Its length has the bounds of what events are about: an event of an endpoint goes with a datagram in a bounded
/// queue, one of a connection with a change that its owner has not yet looked at.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
}

impl Events {
    /// Something happened.
    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// What happened first and was not told yet.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }
}
