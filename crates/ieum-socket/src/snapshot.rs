//! All sockets of a host at one moment, as `ss` shows them.
//!
//! A row for each description, whatever its phase, and after them a row for each connection that no description holds
//! (any more, or yet): those whose program has closed them and that still bring bytes to their peers, TIME-WAITs,
//! connections in an accept queue and passive opens whose handshake is under way. Taking a snapshot costs time by the
//! number of sockets and changes nothing.

use std::net::SocketAddr;

use ieum_stack::{Listed, State};

use crate::description::{Datagram, Description, Phase, Stream};
use crate::host::Host;
use crate::make::{Domain, Make, Protocol};
use crate::{Errno, SocketId};

/// One socket, or one connection without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketView {
    /// The socket; `None`: no program holds it.
    pub id: Option<SocketId>,
    /// Its family and protocol; [`Make::name`] is what `ss` calls it.
    pub make: Make,
    /// The state by the name that `ss` gives it: `LISTEN`, `ESTAB`, `SYN-SENT`, `SYN-RECV`, `FIN-WAIT-1`, `FIN-WAIT-2`,
    /// `CLOSE-WAIT`, `LAST-ACK`, `CLOSING`, `TIME-WAIT`; `UNCONN` for datagram sockets without a peer and for streams
    /// that do nothing: fresh, bound, or over.
    pub state: &'static str,
    /// The address and port here as the program sees them (`::ffff:a.b.c.d` on a socket of IPv6 that speaks IPv4);
    /// unspecified means every address, port 0 that it has none.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: Option<SocketAddr>,
    /// Bytes received that the program has not read. Of a listener: connections that wait to be accepted, here or in a
    /// queue of whoever serves the program ([`Host::set_waiting_elsewhere`]).
    pub recv_queue: usize,
    /// Bytes that the peer has not acknowledged, or datagrams' bytes that have not left. Of a listener: how many
    /// connections may wait, less one.
    pub send_queue: usize,
    /// A socket of IPv6 that does not serve IPv4 (IPV6_V6ONLY).
    pub v6_only: bool,
    /// The pending error.
    pub error: Option<Errno>,
}

impl Host {
    /// All sockets, and the connections that no socket holds.
    pub fn sockets(&self) -> Vec<SocketView> {
        let held = self.descriptions.iter().map(|(id, description)| self.held(id, description));
        let owned = |listed: &Listed| listed.connection.is_some_and(|id| self.connections.contains_key(id));
        let orphans = self.stack.tcp_connections().filter(|listed| !owned(listed)).map(orphan);
        held.chain(orphans).collect()
    }

    fn held(&self, id: SocketId, description: &Description) -> SocketView {
        let (state, recv_queue, send_queue) = self.state_and_queues(description);
        SocketView {
            id: Some(id),
            make: description.make,
            state,
            local: self.local_address(id).unwrap_or_else(|_| description.nowhere()),
            remote: self.remote_shown(description),
            recv_queue,
            send_queue,
            v6_only: description.options.v6_only(),
            error: self.error(id),
        }
    }

    fn state_and_queues(&self, description: &Description) -> (&'static str, usize, usize) {
        match &description.phase {
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(Datagram::Unbound) => {
                (UNCONNECTED, 0, 0)
            }
            Phase::Stream(Stream::Listening(listening)) => {
                let count = |connections: u32| usize::try_from(connections).unwrap_or(usize::MAX);
                ("LISTEN", count(self.stack.tcp_waiting(listening.listener)), count(listening.backlog))
            }
            Phase::Stream(Stream::Active(active)) => match self.stack.tcp_status(active.connection) {
                Some(status) => (name_of(status.state), status.readable_bytes, status.unacknowledged_bytes),
                None => (UNCONNECTED, 0, 0),
            },
            Phase::Datagram(Datagram::Open(open)) => {
                let (received, sent) = self.endpoint_queued_bytes(open.endpoint);
                let connected = self.endpoint_remote(open.endpoint).is_some();
                (if connected { "ESTAB" } else { UNCONNECTED }, received, sent)
            }
        }
    }

    /// Whom it speaks to, or is about to: unlike getpeername(2) this does not wait for the handshake.
    fn remote_shown(&self, description: &Description) -> Option<SocketAddr> {
        let remote = match &description.phase {
            Phase::Stream(Stream::Active(active)) => Some(active.remote),
            Phase::Datagram(Datagram::Open(open)) => self.endpoint_remote(open.endpoint),
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Listening(_))
            | Phase::Datagram(Datagram::Unbound) => None,
        };
        remote.map(|remote| description.shown(remote))
    }
}

/// A connection that the stack alone knows.
fn orphan(listed: Listed) -> SocketView {
    SocketView {
        id: None,
        make: Make { domain: Domain::of(listed.local.ip()), protocol: Protocol::Tcp },
        state: name_of(listed.state),
        local: listed.local,
        remote: Some(listed.remote),
        recv_queue: listed.readable_bytes,
        send_queue: listed.unacknowledged_bytes,
        v6_only: false,
        error: None,
    }
}

/// What `ss` calls a socket that has no peer and does not wait for one.
pub const UNCONNECTED: &str = "UNCONN";

/// The states as `ss` names them.
fn name_of(state: State) -> &'static str {
    match state {
        State::Closed => UNCONNECTED,
        State::Listen => "LISTEN",
        State::SynSent => "SYN-SENT",
        State::SynReceived => "SYN-RECV",
        State::Established => "ESTAB",
        State::FinWait1 => "FIN-WAIT-1",
        State::FinWait2 => "FIN-WAIT-2",
        State::CloseWait => "CLOSE-WAIT",
        State::Closing => "CLOSING",
        State::LastAck => "LAST-ACK",
        State::TimeWait => "TIME-WAIT",
    }
}
