//! How an S and a P come together.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, accept_with, connect,
    getpeername, listen, recv, send, shutdown, sockopt,
};

use super::{named, widen};
use crate::bounds::FILL_BYTES;
use crate::name::{Bearer, Names};

/// Our internal listener: an S that connects to it gets its P.
#[derive(Debug)]
pub(crate) struct Joint {
    listener: OwnedFd,
    name: SocketAddrUnix,
}

impl Joint {
    pub(crate) fn new(names: &Names) -> Result<Joint, Errno> {
        let name = names.name(Bearer::Listener)?;
        let listener = named(SocketType::STREAM, SocketFlags::NONBLOCK, &name)?;
        listen(&listener, 128)?;
        Ok(Joint { listener, name })
    }

    /// Connects `program_end`, which bears `name`, to a new end of ours.
    pub(crate) fn join(&self, program_end: BorrowedFd<'_>, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
        connect(program_end, &self.name)?;
        loop {
            let own_end = accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
            // Nobody else knows our name, but it can be seen in /proc/net/unix: strangers are dropped.
            let peer = getpeername(&own_end)?.and_then(|peer| SocketAddrUnix::try_from(peer).ok());
            if peer.as_ref() == Some(name) {
                widen(&own_end);
                return Ok(own_end);
            }
        }
    }
}

/// Connects a new end of ours, named `own_name`, to the listening S named `name`.
///
/// # Errors
///
/// EAGAIN when the program's accept queue is full, ECONNREFUSED when nobody listens there any more.
pub(crate) fn offer(own_name: &SocketAddrUnix, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let own_end = named(SocketType::STREAM, SocketFlags::NONBLOCK, own_name)?;
    connect(&own_end, name)?;
    Ok(own_end)
}

/// Fills the queue of S, so that it is not writable while it connects; returns the size its send buffer had.
pub(crate) fn fill(program_end: BorrowedFd<'_>) -> Result<usize, Errno> {
    // The kernel reports twice what was set.
    let send_buffer = sockopt::socket_send_buffer_size(program_end)? / 2;
    sockopt::set_socket_send_buffer_size(program_end, 0)?;
    let fill = [0; FILL_BYTES];
    match send(program_end, &fill, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::AGAIN) => Ok(send_buffer),
        Err(error) => Err(error),
    }
}

/// Gives S its send buffer back.
pub(crate) fn restore(program_end: BorrowedFd<'_>, send_buffer: usize) {
    if sockopt::set_socket_send_buffer_size_force(program_end, send_buffer).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(program_end, send_buffer);
    }
}

/// Takes the fill out of P: S becomes writable.
pub(crate) fn drain_fill(own_end: BorrowedFd<'_>) {
    let mut scratch = [0u8; FILL_BYTES];
    let mut left = FILL_BYTES;
    while left > 0 {
        match recv(own_end, &mut scratch[..left], RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(_) => return,
            Ok((count, _)) => left -= count,
        }
    }
}

/// Leaves one byte of S unread in P, so that closing P resets S. False if S has no room for it.
pub(crate) fn leave_sentinel(program_end: BorrowedFd<'_>) -> bool {
    send(program_end, b"!", SendFlags::DONTWAIT | SendFlags::NOSIGNAL) == Ok(1)
}

/// Throws away what is unread in P, so that closing P is an end of file for S.
pub(crate) fn discard_unread(own_end: &OwnedFd) {
    let mut scratch = [0u8; 4096];
    while matches!(recv(own_end, &mut scratch, RecvFlags::DONTWAIT), Ok((1.., _))) {}
}

/// Moves a connection that could not be handed to the program back into its accept queue: `taken` is what was taken
/// from it, and the result a new end of ours in its place.
pub(crate) fn put_back(
    taken: &OwnedFd,
    own_name: &SocketAddrUnix,
    name: &SocketAddrUnix,
    finished: bool,
) -> Result<OwnedFd, Errno> {
    let own_end = offer(own_name, name)?;
    let mut scratch = [0u8; 65_536];
    while let Ok((count @ 1.., _)) = recv(taken, &mut scratch, RecvFlags::DONTWAIT) {
        // What fitted into one queue fits into the other, which is as wide.
        let _ = send(&own_end, &scratch[..count], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
    if finished {
        shutdown(own_end.as_fd(), Shutdown::Write)?;
    }
    Ok(own_end)
}
