//! The meaning of `poll(2)` in each phase, as Linux's `tcp_poll` and `datagram_poll` have it.

use crate::SocketId;
use crate::description::{Datagram, Description, Open, Phase, Stream};
use crate::host::Host;
use crate::numbers::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP};
use crate::stream::View;

/// What `poll(2)` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readiness {
    /// POLLIN: a read does not block; there are bytes, a connection to accept, an end of file or an error.
    pub readable: bool,
    /// POLLOUT: a write does not block.
    pub writable: bool,
    /// POLLRDHUP: nothing more will come after what is readable.
    pub read_hangup: bool,
    /// POLLHUP: both directions are over, or never began.
    pub hangup: bool,
    /// POLLERR: an error is pending, or something stands in the error queue.
    pub error: bool,
    /// POLLPRI: urgent data is here.
    pub urgent: bool,
}

impl Readiness {
    /// The same as bits of `poll(2)` and `epoll(7)`.
    pub fn events(self) -> u32 {
        let bits = |is: bool, bits: u32| if is { bits } else { 0 };
        bits(self.readable, POLLIN)
            | bits(self.urgent, POLLPRI)
            | bits(self.writable, POLLOUT)
            | bits(self.read_hangup, POLLRDHUP)
            | bits(self.hangup, POLLHUP)
            | bits(self.error, POLLERR)
    }
}

impl Host {
    /// What `poll(2)` shows of the socket now; nothing at all for a closed one.
    pub fn readiness(&self, id: SocketId) -> Readiness {
        let Some(description) = self.descriptions.get(id) else { return Readiness::default() };
        match &description.phase {
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) => idle(description),
            // As Linux: a listening socket shows its queue and nothing else.
            Phase::Stream(Stream::Listening(listening)) => Readiness {
                readable: self.stack.tcp_accept_queue_len(listening.listener) > 0,
                ..Readiness::default()
            },
            Phase::Stream(Stream::Active(_)) => match self.view(description) {
                Some(view) => connected(description, &view),
                None => Readiness::default(),
            },
            Phase::Datagram(Datagram::Unbound) => datagram(description, false, true),
            Phase::Datagram(Datagram::Open(Open { endpoint, full, .. })) => {
                datagram(description, self.endpoint_peek(*endpoint).is_some(), !full)
            }
        }
    }
}

/// A stream without a connection: it could be written to without blocking (EPIPE), and it is hung up.
fn idle(description: &Description) -> Readiness {
    Readiness {
        readable: description.shut.read,
        writable: true,
        read_hangup: description.shut.read,
        hangup: true,
        error: description.error.is_some() || description.has_notices(),
        urgent: false,
    }
}

/// A stream with a connection.
fn connected(description: &Description, view: &View) -> Readiness {
    let has_enough = view.readable_bytes >= description.options.low_water_bytes();
    Readiness {
        readable: !view.connecting && (view.shut.read || has_enough),
        // Who may send data on a SYN is told so, or it would never be sent.
        writable: view.deferred || !view.connecting && (view.shut.write || view.writable),
        read_hangup: view.shut.read,
        hangup: view.shut.read && view.shut.write,
        error: view.error.is_some() || description.has_notices(),
        urgent: view.urgent,
    }
}

/// A datagram socket.
fn datagram(description: &Description, has_datagram: bool, has_room: bool) -> Readiness {
    Readiness {
        readable: has_datagram || description.shut.read,
        writable: has_room,
        read_hangup: description.shut.read,
        hangup: description.shut.read && description.shut.write,
        error: description.error.is_some() || description.has_notices(),
        urgent: false,
    }
}
