//! What happened inside the stack that somebody above may wait for.

use std::collections::{BTreeSet, VecDeque};

use crate::{ConnectionId, HalfOpenId, ListenerId, PingId, RawId, UdpId};

/// Something changed: ask the stack what. Events carry no data, so that a late reader misses nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
    /// A packet came for a raw endpoint, there is room again, or an ICMP error was stored.
    Raw(RawId),
    /// (`accept_any_destination` only) Datagrams nobody is bound for wait: `poll_any_datagram` until there is none.
    AnyDatagram,
}

/// Events in the order in which they happened, each there once until it is taken: so there are no more of them than
/// there is to ask about, whatever peers do and however seldom they are taken.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    /// The same, to find who is there.
    waiting: BTreeSet<Event>,
}

impl Events {
    /// Something happened; nothing new if the same waits already.
    pub(crate) fn push(&mut self, event: Event) {
        if self.waiting.insert(event) {
            self.queue.push_back(event);
        }
    }

    /// What happened first and was not told yet.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.waiting.remove(&event);
        Some(event)
    }
}
