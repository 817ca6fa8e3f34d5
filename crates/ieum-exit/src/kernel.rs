//! The machine's sockets: making them, and what their errors mean inside. Forwarded ports are made of the same.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ieum_engine::Interest;
use ieum_stack::Refusal;
use ieum_wire::Unreachable;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, connect, recv, socket_with, sockopt};

use crate::bounds::ERRORS_PER_TURN_MAX;
use crate::sys;

/// Both directions, by edges.
pub const BOTH: Interest = Interest { read: true, write: true, edge: true };

/// Reading, by edges.
pub const READ: Interest = Interest { read: true, write: false, edge: true };

/// A socket for addresses like that one, which never blocks and no program inherits.
///
/// # Errors
///
/// Those of socket(2).
pub fn socket(kind: SocketType, for_address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match for_address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

/// A datagram socket whose only peer is `to`.
///
/// # Errors
///
/// Those of socket(2), and of connect(2) as a host without that way would say them.
pub fn connect_datagram(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = socket(SocketType::DGRAM, to)?;
    connect(&socket, &to).map_err(|error| as_seen_from(to, error))?;
    Ok(socket)
}

/// The same for a flow of the exit: whatever the machine learns of the way to `to` is told as an error of the socket. Who has it
/// reads the errors' queue too ([`forget_errors`]).
pub(crate) fn connect_flow(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = connect_datagram(to)?;
    // Should it be refused, refused ports are still told.
    let _ = sys::hear_all_errors(socket.as_fd(), to.is_ipv6());
    Ok(socket)
}

/// Takes from the queue of a flow's errors what was told already as errors of calls: what stays there takes room from
/// datagrams.
pub(crate) fn forget_errors(socket: &OwnedFd) {
    let mut unread = [0; 1];
    for _ in 0..ERRORS_PER_TURN_MAX {
        if recv(socket, &mut unread, RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT).is_err() {
            return;
        }
    }
}

/// Sets a stream as a relay needs it. Each is an improvement only: should one be refused, bytes still pass.
pub fn prepare_stream(socket: &OwnedFd) {
    // Passed on at once: whether to wait was decided by who wrote it.
    let _ = sockopt::set_tcp_nodelay(socket, true);
    // The remote may die without a word. The inside cannot find that out, since its peer is our stack, which lives: so
    // the kernel asks (after two hours, as long as Linux's programs wait), and what it finds is mirrored.
    let _ = sockopt::set_socket_keepalive(socket, true);
    // A byte that was sent as urgent stays at its place; else reading would leave it out.
    let _ = sockopt::set_socket_oobinline(socket, true);
}

/// How a connect began.
pub enum Begun {
    /// Over loopback the kernel often is done at once.
    Connected(OwnedFd),
    /// Wait until it is writable.
    InProgress(OwnedFd),
}

/// Begins to connect a stream.
///
/// # Errors
///
/// Those of socket(2), and of connect(2) as a host without that way would say them.
pub fn connect_stream(to: SocketAddr) -> Result<Begun, Errno> {
    let stream = socket(SocketType::STREAM, to)?;
    prepare_stream(&stream);
    match connect(&stream, &to) {
        Ok(()) => Ok(Begun::Connected(stream)),
        Err(Errno::INPROGRESS) => Ok(Begun::InProgress(stream)),
        Err(error) => Err(as_seen_from(to, error)),
    }
}

/// A machine whose IPv6 is switched off (net.ipv6.conf.*.disable_ipv6) has no address to leave with, and says so; from
/// inside, where there is one, that is a network without a way to it.
fn as_seen_from(to: SocketAddr, error: Errno) -> Errno {
    if error == Errno::ADDRNOTAVAIL && to.is_ipv6() { Errno::NETUNREACH } else { error }
}

/// How a connect that was in progress stands: `None` while it still is.
pub fn outcome(stream: &OwnedFd) -> Option<Result<(), Errno>> {
    match sockopt::socket_error(stream) {
        Ok(Err(error)) | Err(error) => Some(Err(error)),
        // Without an error it is connected when it has a peer.
        Ok(Ok(())) => matches!(rustix::net::getpeername(stream), Ok(Some(_))).then_some(Ok(())),
    }
}

/// Closes a stream with a RST.
pub fn reset(stream: OwnedFd) {
    // Should it be refused, a FIN must do.
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
}

/// What a stream was given to send and its peer has not acknowledged, in bytes; none where the kernel does not say.
pub fn undelivered_bytes(stream: &OwnedFd) -> usize {
    sys::queued_bytes(stream.as_fd())
}

/// No descriptor was to be had: nothing about the destination.
pub fn is_shortage(error: Errno) -> bool {
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
        // The second is a machine's whose kernel has no IPv6 at all.
        Errno::NETUNREACH | Errno::AFNOSUPPORT => Some(Unreachable::Network),
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Some(Unreachable::Host),
        Errno::ACCESS | Errno::PERM => Some(Unreachable::Prohibited),
        Errno::NOPROTOOPT => Some(Unreachable::Protocol),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_that_dies_without_a_word_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (Begun::Connected(stream) | Begun::InProgress(stream)) =
            connect_stream(listener.local_addr().unwrap()).unwrap();
        assert_eq!(sockopt::socket_keepalive(&stream), Ok(true));
    }

    #[test]
    fn a_machine_without_ip6_has_no_way_there() {
        let to = "[2001:db8::1]:80".parse().unwrap();
        let inside = |error| unreachable(as_seen_from(to, error));
        assert_eq!(inside(Errno::AFNOSUPPORT), Some(Unreachable::Network));
        assert_eq!(inside(Errno::ADDRNOTAVAIL), Some(Unreachable::Network));
        // Without IPv6's excuse it means that no port was left.
        assert_eq!(unreachable(as_seen_from("192.0.2.1:80".parse().unwrap(), Errno::ADDRNOTAVAIL)), None);
    }
}
