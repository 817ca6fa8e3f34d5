//! What the state of a connection means to the calls of its socket: Linux's `sk_state`, `sk_shutdown` and `sk_err`
//! in one look.

use ieum_stack::{Failure, State, Status};

use crate::description::{Active, Description, Shut};
use crate::host::Host;
use crate::make::Domain;
use crate::{Errno, SocketId};

/// A connection as its socket sees it now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Neither established nor failed yet.
    pub(crate) connecting: bool,
    /// Connecting, but the SYN waits for data to go with it.
    pub(crate) deferred: bool,
    /// Bytes may still be sent as far as the states of TCP are concerned: ESTABLISHED or CLOSE-WAIT.
    pub(crate) open: bool,
    /// Over in both directions. TIME-WAIT is the stack's affair: to the socket it is the end, as in Linux.
    pub(crate) closed: bool,
    /// The peer has finished: end of file after what is readable.
    pub(crate) peer_finished: bool,
    /// The peer's urgent byte is here.
    pub(crate) urgent: bool,
    /// Directions that are over, whoever ended them.
    pub(crate) shut: Shut,
    /// The pending error.
    pub(crate) error: Option<Errno>,
    /// Bytes that can be read now.
    pub(crate) readable_bytes: usize,
    /// Room in the send buffer, in bytes.
    pub(crate) writable: bool,
}

impl View {
    /// Looks at a connection: `status` is what the stack says of it, `None` when it has forgotten it.
    pub(crate) fn new(description: &Description, active: &Active, status: Option<&Status>) -> View {
        let failure = status.and_then(|status| status.failure);
        let closed = status.is_none_or(|status| {
            status.failure.is_some() || matches!(status.state, State::Closed | State::TimeWait)
        });
        let in_state =
            |states: &[State]| !closed && status.is_some_and(|status| states.contains(&status.state));
        let peer_finished = status.is_some_and(|status| status.peer_finished);
        let finished = status.is_some_and(|status| status.finished);
        let fresh_failure = failure.filter(|_| !active.failure_seen);
        let early = status.is_some_and(|status| status.open_early);
        View {
            connecting: !early && in_state(&[State::SynSent, State::SynReceived]),
            deferred: status.is_some_and(|status| status.deferred),
            open: in_state(&[State::Established, State::CloseWait])
                || (early && in_state(&[State::SynReceived])),
            closed,
            peer_finished,
            urgent: status.is_some_and(|status| status.urgent),
            shut: Shut {
                read: description.shut.read || peer_finished || closed,
                write: description.shut.write || finished || closed,
            },
            error: description
                .error
                .or_else(|| fresh_failure.map(|failure| pending(failure, peer_finished, active))),
            readable_bytes: status.map_or(0, |status| status.readable_bytes),
            writable: status.is_some_and(|status| status.writable),
        }
    }
}

/// The pending error a failure leaves. After the peer's FIN nothing more was to come, so that its RST concerns only
/// what we would send.
fn pending(failure: Failure, peer_finished: bool, active: &Active) -> Errno {
    match failure {
        Failure::Reset if peer_finished => Errno::EPIPE,
        Failure::Reset => Errno::ECONNRESET,
        Failure::Refused => Errno::ECONNREFUSED,
        Failure::TimedOut => Errno::ETIMEDOUT,
        Failure::Unreachable(reason) => Errno::of_icmp(reason, Domain::of(active.remote.ip())),
    }
}

impl Host {
    /// The view of a description's connection, if it has one.
    pub(crate) fn view(&self, description: &Description) -> Option<View> {
        let active = description.active()?;
        let status = self.stack.tcp_status(active.connection);
        Some(View::new(description, active, status.as_ref()))
    }

    /// The view of a socket's connection; what failed since the last call becomes the pending error.
    pub(crate) fn settled_view(&mut self, id: SocketId) -> Option<View> {
        let view = self.view(self.descriptions.get(id)?)?;
        let description = self.descriptions.get_mut(id)?;
        description.error = view.error;
        if view.closed
            && let Some(active) = description.active_mut()
        {
            active.failure_seen = true;
        }
        Some(view)
    }
}
