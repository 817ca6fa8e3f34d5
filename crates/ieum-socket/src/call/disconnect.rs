//! `connect(2)` to AF_UNSPEC, and what ends an attempt or a listener on the way to a fresh socket: Linux's
//! `tcp_disconnect` and `udp_disconnect`.

use ieum_wire::Instant;

use crate::description::{Active, Bound, Datagram, Listening, Open, Phase, PortHold, Shut, Stream};
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::{Errno, Kind, SocketId};

impl Host {
    /// Makes the socket like new, save its options; a stream's address that the program bound stays, and a datagram
    /// socket's port that it named.
    pub(crate) fn disconnect(&mut self, now: Instant, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        match description.phase {
            Phase::Stream(stream) => {
                let port_left = self.local_address(id).map_or(0, |address| address.port());
                let kept = match stream {
                    Stream::Unbound => None,
                    Stream::Bound(bound) => Some(bound),
                    Stream::Listening(listening) => {
                        self.end_listening(now, listening);
                        self.keep_if_chosen(Some(listening.bound))
                    }
                    Stream::Active(active) => {
                        self.hang_up(now, id, active);
                        self.keep_if_chosen(active.bound)
                    }
                };
                self.set_stream(id, kept.map_or(Stream::Unbound, Stream::Bound));
                if let Some(description) = self.descriptions.get_mut(id) {
                    description.shut = Shut::default();
                    description.port_left = port_left;
                }
            }
            Phase::Datagram(Datagram::Open(open)) => self.dissociate(id, open),
            Phase::Datagram(Datagram::Unbound) => {}
        }
        self.hear_of_sends(id);
        self.tell(Some(id));
    }

    /// Stops listening; connections that were not accepted are reset.
    pub(crate) fn end_listening(&mut self, now: Instant, listening: Listening) {
        self.listeners.remove(listening.listener);
        self.stack.tcp_close_listener(now, listening.listener);
        self.tell_serving(Kind::Stream, listening.bound.address, listening.bound.v6_only, false);
    }

    /// Resets the connection. The program that did it finds ECONNRESET pending, unless it was over before.
    fn hang_up(&mut self, now: Instant, id: SocketId, active: Active) {
        let was_open = self.settled_view(id).is_some_and(|view| !view.closed);
        self.connections.remove(active.connection);
        self.stack.tcp_abort(now, active.connection);
        if was_open && let Some(description) = self.descriptions.get_mut(id) {
            description.error = Some(Errno::ECONNRESET);
        }
    }

    fn keep_if_chosen(&mut self, bound: Option<Bound>) -> Option<Bound> {
        let bound = bound?;
        if bound.by_program {
            self.stack.binding_set_address(bound.binding, bound.address.ip());
            let hold = match bound.hold {
                PortHold::Kept => PortHold::Kept,
                PortHold::UntilNextOver => PortHold::UntilOver,
                PortHold::UntilOver | PortHold::GivenUp => PortHold::GivenUp,
            };
            return Some(Bound { hold, ..bound });
        }
        self.stack.tcp_unbind(bound.binding);
        None
    }

    /// Datagrams that wait are kept only where the port is.
    fn dissociate(&mut self, id: SocketId, open: Open) {
        if open.port_named {
            // Dissolving needs no route, so it cannot fail.
            let _ = self.endpoint_connect(open.endpoint, None);
            return;
        }
        self.close_endpoint(open);
        if let Some(description) = self.descriptions.get_mut(id) {
            description.phase = Phase::Datagram(Datagram::Unbound);
        }
    }

    /// Gives up the port of a datagram socket.
    pub(crate) fn close_endpoint(&mut self, open: Open) {
        self.endpoint_close(open.endpoint);
        if let Endpoint::Udp(_) = open.endpoint {
            self.tell_serving(Kind::Datagram, open.bound, open.v6_only, false);
        }
    }
}
