//! The machine's sockets: making them, and what their errors mean inside.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ieum_engine::Interest;
use ieum_stack::Refusal;
use ieum_wire::icmp4::Unreachable;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// Both directions, by edges.
pub(crate) const BOTH: Interest = Interest { read: true, write: true, edge: true };

/// Reading, by edges.
pub(crate) const READ: Interest = Interest { read: true, write: false, edge: true };

/// A socket that never blocks and no program inherits.
pub(crate) fn socket(kind: SocketType) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::INET, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

/// A relay passes on at once whatever it gets: whether to wait was decided by who wrote it.
pub(crate) fn pass_on_at_once(socket: &OwnedFd) {
    // It only delays when refused.
    let _ = sockopt::set_tcp_nodelay(socket, true);
}

/// How a connect began.
pub(crate) enum Begun {
    /// Over loopback the kernel often is done at once.
    Connected(OwnedFd),
    /// Wait until it is writable.
    InProgress(OwnedFd),
}

/// Begins to connect a stream.
pub(crate) fn connect_stream(to: SocketAddr) -> Result<Begun, Errno> {
    let stream = socket(SocketType::STREAM)?;
    pass_on_at_once(&stream);
    match connect(&stream, &to) {
        Ok(()) => Ok(Begun::Connected(stream)),
        Err(Errno::INPROGRESS) => Ok(Begun::InProgress(stream)),
        Err(error) => Err(error),
    }
}

/// How a connect that was in progress stands: `None` while it still is.
pub(crate) fn outcome(stream: &OwnedFd) -> Option<Result<(), Errno>> {
    match sockopt::socket_error(stream) {
        Ok(Err(error)) | Err(error) => Some(Err(error)),
        // Without an error it is connected when it has a peer.
        Ok(Ok(())) => matches!(rustix::net::getpeername(stream), Ok(Some(_))).then_some(Ok(())),
    }
}

/// Closes a stream with a RST.
pub(crate) fn reset(stream: OwnedFd) {
    // Should it be refused, a FIN must do.
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
}

/// No descriptor was to be had: nothing about the destination.
pub(crate) fn is_shortage(error: Errno) -> bool {
    matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

/// How a failed connect shows inside.
pub(crate) fn refusal(error: Errno) -> Refusal {
    match error {
        Errno::TIMEDOUT => Refusal::Silence,
        error => unreachable(error).map_or(Refusal::Reset, Refusal::Unreachable),
    }
}

/// The ICMP error that would give this errno.
pub(crate) fn unreachable(error: Errno) -> Option<Unreachable> {
    match error {
        Errno::NETUNREACH => Some(Unreachable::Network),
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Some(Unreachable::Host),
        Errno::ACCESS | Errno::PERM => Some(Unreachable::Prohibited),
        Errno::NOPROTOOPT => Some(Unreachable::Protocol),
        _ => None,
    }
}
