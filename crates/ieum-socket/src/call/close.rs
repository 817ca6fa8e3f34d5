//! `close(2)` of the last descriptor.

use ieum_wire::Instant;

use crate::description::{Active, Bound, Datagram, Phase, Stream};
use crate::host::Host;
use crate::{Errno, SocketId};

impl Host {
    /// The last descriptor is gone: the socket is forgotten at once, and the stack carries its connection to the end.
    /// Data left unread, or SO_LINGER with 0 seconds, makes it a RST (RFC 2525 §2.17).
    ///
    /// With a longer SO_LINGER Linux lets `close` itself wait: who would have that asks [`Host::linger_waiting`] first.
    pub fn close(&mut self, now: Instant, id: SocketId) {
        self.now = now;
        let lingers_not =
            self.descriptions.get(id).is_some_and(|description| description.options.resets_on_close());
        self.forget(now, id, lingers_not);
    }

    /// The last descriptor is gone, and the connection is to be reset whatever its options say.
    pub fn abort(&mut self, now: Instant, id: SocketId) {
        self.now = now;
        self.forget(now, id, true);
    }

    /// The host leaves: all its sockets are gone, and their connections reset.
    pub fn abort_all(&mut self, now: Instant) {
        self.close_any();
        for id in self.descriptions.keys().collect::<Vec<_>>() {
            self.abort(now, id);
        }
    }

    /// Bytes came for a socket whose program ended both directions: nobody will ever have them, and the peer is told so by
    /// a RST (RFC 9293 §3.6.1). The description stays, and says ECONNRESET.
    pub fn refuse_bytes(&mut self, now: Instant, id: SocketId) {
        self.now = now;
        let Some(active) = self.descriptions.get(id).and_then(|description| description.active()) else {
            return;
        };
        let connection = active.connection;
        self.connections.remove(connection);
        self.stack.tcp_abort(now, connection);
        if let Some(description) = self.descriptions.get_mut(id) {
            description.error = Some(Errno::ECONNRESET);
        }
        self.tell(Some(id));
    }

    fn forget(&mut self, now: Instant, id: SocketId, reset: bool) {
        let Some(description) = self.descriptions.remove(id) else { return };
        if let Some(groups) = &description.groups {
            self.leave_all(now, groups);
        }
        match description.phase {
            Phase::Stream(Stream::Unbound) | Phase::Datagram(Datagram::Unbound) => {}
            Phase::Stream(Stream::Bound(bound)) => self.stack.tcp_unbind(bound.binding),
            Phase::Stream(Stream::Listening(listening)) => {
                self.end_listening(now, listening);
                self.stack.tcp_unbind(listening.bound.binding);
            }
            Phase::Stream(Stream::Active(active)) => self.release(now, active, reset),
            Phase::Datagram(Datagram::Open(open)) => self.close_endpoint(open),
        }
    }

    fn release(&mut self, now: Instant, active: Active, reset: bool) {
        self.connections.remove(active.connection);
        if reset {
            self.stack.tcp_abort(now, active.connection);
        } else {
            self.stack.tcp_close(now, active.connection);
        }
        if let Some(Bound { binding, .. }) = active.bound {
            self.stack.tcp_unbind(binding);
        }
    }
}
