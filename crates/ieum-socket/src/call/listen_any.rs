//! Listening for any address and port, for who stands for others: tunnels, gateways, sandboxes.
//!
//! ```text
//!   SYN ─▶ Asked ─▶ accept_request ─▶ SYN-ACK … its ACK ─▶ Opened: a socket like any accepted one
//!              └──▶ refuse: RST, an ICMP error, silence
//! ```
//!
//! Until it is decided nobody is answered, so that a refusal further on can be one here. Who has asked and is answered may vanish
//! (a RST, no answer to the SYN-ACK): nobody tells, and [`Host::flow`] does not know the request any more.

use std::collections::VecDeque;
use std::net::SocketAddr;

use ieum_stack::{ListenerId, Refusal};
use ieum_wire::{Instant, Unreachable};

use crate::description::{Active, Description};
use crate::host::Host;
use crate::make::{Domain, Make, Protocol};
use crate::options::Options;
use crate::{Errno, RequestId, SocketId};

/// Something happened to a flow to any address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEvent {
    /// Somebody wants a connection: accept or refuse.
    Asked(RequestId),
    /// An accepted one is established.
    Opened {
        /// Its socket.
        id: SocketId,
        /// Where it was meant to go.
        destination: SocketAddr,
        /// Whose it is.
        source: SocketAddr,
    },
}

/// What a host has that listens for any address.
pub(crate) struct AnyListener {
    pub(crate) listener: ListenerId,
    events: VecDeque<FlowEvent>,
}

impl Host {
    /// Listens for every address and port that nobody else here listens on. Of use where the stack takes every destination
    /// ([`ieum_stack::StackConfig::accept_any_destination`]).
    ///
    /// # Errors
    ///
    /// EADDRINUSE when it does already.
    pub fn listen_any(&mut self) -> Result<(), Errno> {
        if self.any.is_some() {
            return Err(Errno::EADDRINUSE);
        }
        let listener = self.stack.tcp_listen_any(self.tcp_defaults);
        self.any = Some(AnyListener { listener, events: VecDeque::new() });
        Ok(())
    }

    /// Ends that: what was not accepted is refused from now on.
    pub fn close_any(&mut self) {
        if let Some(any) = self.any.take() {
            self.stack.tcp_close_listener(self.now, any.listener);
        }
    }

    /// The next thing that happened to a flow.
    pub fn poll_flow(&mut self) -> Option<FlowEvent> {
        self.any.as_mut()?.events.pop_front()
    }

    /// Where a flow was meant to go, and whose it is; `None` once it is refused or its peer has given up. Of an accepted one it
    /// is told until it is established.
    pub fn flow(&self, request: RequestId) -> Option<(SocketAddr, SocketAddr)> {
        self.stack.request(request).map(|request| (request.local, request.remote))
    }

    /// Refuses a flow.
    pub fn refuse_flow(&mut self, request: RequestId, refusal: Refusal) {
        self.stack.tcp_refuse_request(request, refusal);
    }

    /// Takes the oldest datagram for an address and port that nobody here is bound to: its bytes, source and destination.
    pub fn recv_any(&mut self) -> Option<(Vec<u8>, SocketAddr, SocketAddr)> {
        let datagram = self.stack.poll_any_datagram()?;
        Some((datagram.payload, datagram.source, datagram.destination))
    }

    /// Sends a datagram in the name of any address: the answer to one that [`Host::recv_any`] gave.
    ///
    /// # Errors
    ///
    /// EMSGSIZE, ENETUNREACH, EAGAIN when too much waits; EINVAL for addresses of two families.
    pub fn send_any(
        &mut self,
        now: Instant,
        bytes: &[u8],
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<(), Errno> {
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Errno::EINVAL);
        }
        self.now = now;
        self.stack.udp_send_from(now, from, to, bytes).map_err(Errno::from)
    }

    /// Answers a datagram that [`Host::recv_any`] gave by an ICMP error.
    pub fn refuse_any(&mut self, source: SocketAddr, destination: SocketAddr, reason: Unreachable) {
        self.stack.udp_refuse(source, destination, reason);
    }

    /// Are there such datagrams to be told of? Told once.
    pub fn poll_any(&mut self) -> bool {
        std::mem::take(&mut self.any_datagrams)
    }

    /// Is that listener the one for any address? Then what it has to tell is told here.
    pub(crate) fn hear_any(&mut self, listener: ListenerId, request: Option<RequestId>) -> bool {
        if self.any.as_ref().is_none_or(|any| any.listener != listener) {
            return false;
        }
        match request {
            Some(request) => self.tell_flow(FlowEvent::Asked(request)),
            None => {
                while let Some(connection) = self.stack.tcp_accept(listener) {
                    self.open_flow(connection);
                }
            }
        }
        true
    }

    fn open_flow(&mut self, connection: ieum_stack::ConnectionId) {
        // Whom the stack has forgotten already is nobody's.
        let Some(status) = self.stack.tcp_status(connection) else { return };
        if self.descriptions.len() >= self.sockets_max {
            return self.stack.tcp_abort(self.now, connection);
        }
        let make = Make { domain: Domain::of(status.remote.ip()), protocol: Protocol::Tcp };
        let (local, remote) = (status.local, status.remote);
        let active = Active {
            connection,
            bound: None,
            local,
            remote,
            answered: true,
            disconnecting: false,
            failure_seen: false,
        };
        let id = self.descriptions.insert(Description::accepted(make, Options::of(make), active));
        self.connections.insert(connection, id);
        self.tell_flow(FlowEvent::Opened { id, destination: local, source: remote });
    }

    fn tell_flow(&mut self, event: FlowEvent) {
        if let Some(any) = &mut self.any {
            any.events.push_back(event);
        }
    }
}
