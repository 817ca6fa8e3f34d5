//! What a reader may want to know about a connection.

use std::net::SocketAddr;

use super::connection::{Connection, Failure, Holder, Phase};
use super::state::{OurEnd, State};
use super::{ConnectionId, ListenerId, Tcp};

/// A connection as its user sees it; cheap to make, since it is asked for with every call and event. All else is in
/// [`super::Info`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its state by the name in RFC 9293.
    pub state: State,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Why it ended before its time; stays until the connection is released.
    pub failure: Option<Failure>,
    /// Bytes that can be read now.
    pub readable_bytes: usize,
    /// The peer's FIN and everything before it has been received: end of file after the readable bytes.
    pub peer_finished: bool,
    /// Enough of the send buffer is free for another write to be worth while (what poll(2) tells).
    pub writable: bool,
    /// Bytes queued or sent and not acknowledged; the FIN is not counted.
    pub unacknowledged_bytes: usize,
    /// Of these, never sent.
    pub unsent_bytes: usize,
    /// `tcp_finish` was called.
    pub finished: bool,
    /// The peer has acknowledged our FIN.
    pub finish_acknowledged: bool,
    /// Payload of a full segment, in bytes; 0 before the handshake.
    pub mss_bytes: u32,
    /// SYN-SENT, but the SYN waits for data to go with it (TCP_FASTOPEN_CONNECT).
    pub deferred: bool,
    /// The peer's urgent byte is here and was not read by itself (POLLPRI).
    pub urgent: bool,
    /// SYN-RECEIVED, but data flows already: the passive side of Fast Open.
    pub open_early: bool,
}

/// One line of the list of all that TCP knows ([`crate::Stack::tcp_connections`]): connections whoever holds them,
/// passive opens before their handshake ends, and what is left in TIME-WAIT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its name, for those that are connections: not before the handshake of a passive open ends, nor in TIME-WAIT.
    pub connection: Option<ConnectionId>,
    /// In whose SYN queue or accept queue it waits.
    pub listener: Option<ListenerId>,
    /// Its state by the name in RFC 9293. A SYN that waits for its verdict is shown as SYN-RECEIVED too.
    pub state: State,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Bytes that can be read now.
    pub readable_bytes: usize,
    /// Bytes queued or sent and not acknowledged.
    pub unacknowledged_bytes: usize,
}

impl Tcp {
    /// All that lives, in no promised order but the same for the same calls: connections, half-open ones, TIME-WAITs.
    /// What a user still holds of a connection that is over is not among them.
    pub(crate) fn list(&self) -> impl Iterator<Item = Listed> + '_ {
        let bare = |state, local, remote| Listed {
            connection: None,
            listener: None,
            state,
            local,
            remote,
            readable_bytes: 0,
            unacknowledged_bytes: 0,
        };
        let connections = self.connections.iter().map(|(id, connection)| connection.listed(id));
        let half_opens = self.half_opens.values().map(move |half_open| Listed {
            listener: Some(half_open.listener),
            ..bare(State::SynReceived, half_open.tuple.local, half_open.tuple.remote)
        });
        let waiting = self.time_wait_queue.iter().filter_map(|id| self.time_waits.get(*id));
        let time_waits = waiting.map(move |it| bare(State::TimeWait, it.tuple.local, it.tuple.remote));
        connections.filter(|listed| listed.state != State::Closed).chain(half_opens).chain(time_waits)
    }
}

impl Connection {
    fn listed(&self, id: ConnectionId) -> Listed {
        let listener = match self.holder {
            Holder::Listener(listener) => Some(listener),
            Holder::User | Holder::Nobody => None,
        };
        Listed {
            connection: Some(id),
            listener,
            state: self.state(),
            local: self.tuple.local,
            remote: self.tuple.remote,
            readable_bytes: self.recv().map_or(0, |recv| recv.readable()),
            unacknowledged_bytes: self.open().map_or(0, |open| open.send.queued()),
        }
    }

    pub(super) fn status(&self) -> Status {
        let open = self.open();
        let send = open.map(|open| &open.send);
        let end = send.map(|send| send.our_end());
        Status {
            state: self.state(),
            local: self.tuple.local,
            remote: self.tuple.remote,
            failure: self.failure,
            readable_bytes: self
                .recv()
                .map_or(0, |recv| recv.readable_to_mark(self.settings.urgent_inline).1),
            peer_finished: self.recv().is_some_and(|recv| recv.has_finished()),
            writable: send.is_some_and(|send| send.is_writable(&self.settings)),
            unacknowledged_bytes: send.map_or(0, |send| send.queued()),
            unsent_bytes: send.map_or(0, |send| usize::try_from(send.unsent()).unwrap_or(usize::MAX)),
            finished: end.is_some_and(|end| end != OurEnd::Open),
            finish_acknowledged: end == Some(OurEnd::Acknowledged) || self.has_ended_well(),
            mss_bytes: open.map_or_else(|| self.last_mss(), |open| open.mss),
            deferred: self.handshake().is_some_and(|handshake| handshake.fast.deferred),
            urgent: self.recv().is_some_and(|recv| recv.has_urgent_byte()),
            open_early: open.is_some_and(|open| open.syn_ack.is_some()),
        }
    }

    /// Of a connection that is over: what it was.
    fn last_mss(&self) -> u32 {
        match &self.phase {
            Phase::Closed(over) => over.last.as_ref().map_or(0, |last| last.mss_bytes),
            Phase::Handshake(_) | Phase::Open(_) => 0,
        }
    }

    /// Over without a failure: both ends were acknowledged.
    fn has_ended_well(&self) -> bool {
        matches!(self.phase, Phase::Closed(_)) && self.failure.is_none()
    }

    /// Nobody holds it, and it has not yet brought its bytes to the peer.
    pub(super) fn is_unfinished(&self) -> bool {
        self.holder == Holder::Nobody && self.open().is_some_and(|open| open.is_unfinished())
    }
}
