//! How an S and a P come together.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, accept_with, connect,
    getpeername, listen, recv, send, shutdown, sockopt,
};

use super::{is_connected_by_us, named, widen};
use crate::bounds::{FILL_BYTES, JOIN_ATTEMPTS_MAX, JOINT_BACKLOG};
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
        listen(&listener, JOINT_BACKLOG)?;
        Ok(Joint { listener, name })
    }

    /// Connects `program_end`, which bears `name` and must not wait, to a new end of ours.
    ///
    /// # Errors
    ///
    /// EAGAIN when strangers fill our queue faster than it is emptied.
    pub(crate) fn join(&self, program_end: BorrowedFd<'_>, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
        for _ in 0..JOIN_ATTEMPTS_MAX {
            match connect(program_end, &self.name) {
                // Our name can be seen in /proc/net/unix: strangers are dropped.
                Err(Errno::AGAIN) => self.drop_strangers(name),
                other => {
                    other?;
                    return self.find(name);
                }
            }
        }
        Err(Errno::AGAIN)
    }

    /// Empties the queue once, however fast it fills.
    fn drop_strangers(&self, name: &SocketAddrUnix) {
        for _ in 0..=JOINT_BACKLOG {
            if self.take(name).is_err() {
                return;
            }
        }
    }

    /// What has connected to us and bears `name`: it lies behind no more strangers than the queue holds.
    fn find(&self, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
        loop {
            if let Some(own_end) = self.take(name)? {
                widen(&own_end);
                take_urgent_in_line(&own_end);
                return Ok(own_end);
            }
        }
    }

    /// The next that has connected to us, if it was us who connected it and it bears `name`.
    fn take(&self, name: &SocketAddrUnix) -> Result<Option<OwnedFd>, Errno> {
        let own_end = accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let peer = getpeername(&own_end)?.and_then(|peer| SocketAddrUnix::try_from(peer).ok());
        let is_ours = peer.as_ref() == Some(name) && is_connected_by_us(&own_end);
        Ok(is_ours.then_some(own_end))
    }
}

/// Connects a new end of ours, named `own_name`, to the listening S named `name`.
///
/// # Errors
///
/// EAGAIN when the program's accept queue is full, ECONNREFUSED when S does not listen there any more.
pub(crate) fn offer(own_name: &SocketAddrUnix, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let own_end = named(SocketType::STREAM, SocketFlags::NONBLOCK, own_name)?;
    take_urgent_in_line(&own_end);
    connect(&own_end, name)?;
    // Whoever was quick may bear the name of an S that is closed. It was us who called listen(2) on S.
    if is_connected_by_us(&own_end) { Ok(own_end) } else { Err(Errno::CONNREFUSED) }
}

/// Lets no more wait in S than the program wants (SO_RCVBUF), if it said so.
pub(crate) fn bound_queue(own_end: &OwnedFd, wish_bytes: Option<usize>) {
    // A failure costs nothing but that bound.
    let _ = wish_bytes.map(|bytes| sockopt::set_socket_send_buffer_size(own_end, bytes));
}

/// A byte that S sends as urgent is read at its place among the others; else the kernel would leave it out.
fn take_urgent_in_line(own_end: &OwnedFd) {
    // A kernel without urgent data for AF_UNIX (before 5.15) refuses S's send, and there is nothing to place.
    let _ = sockopt::set_socket_oobinline(own_end, true);
}

/// What was done to an S that connects, so that it can be undone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// The size its send buffer had.
    send_buffer: usize,
    /// Bytes that lie in P for no other purpose.
    bytes: usize,
}

/// Fills the queue of S, so that it is not writable while it connects.
pub(crate) fn fill(program_end: BorrowedFd<'_>) -> Result<Fill, Errno> {
    // The kernel reports twice what was set.
    let send_buffer = sockopt::socket_send_buffer_size(program_end)? / 2;
    sockopt::set_socket_send_buffer_size(program_end, 0)?;
    let bytes = match send(program_end, &[0; FILL_BYTES], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(bytes) => bytes,
        Err(Errno::AGAIN) => 0,
        Err(error) => return Err(error),
    };
    Ok(Fill { send_buffer, bytes })
}

/// Gives S its send buffer back. From now on the program may write, behind the fill.
pub(crate) fn restore(program_end: BorrowedFd<'_>, fill: Fill) {
    if sockopt::set_socket_send_buffer_size_force(program_end, fill.send_buffer).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(program_end, fill.send_buffer);
    }
}

/// Takes the fill out of P, and no byte that the program may have written behind it: S becomes writable.
pub(crate) fn drain_fill(own_end: BorrowedFd<'_>, fill: Fill) {
    let mut scratch = [0u8; FILL_BYTES];
    let mut left = fill.bytes.min(FILL_BYTES);
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

/// Puts `taken`, the first bytes of S's queue, back before the others that are in it. Answers those it did not take: after
/// the peer's end of file it takes none.
pub(crate) fn give_back(program_end: BorrowedFd<'_>, own_end: BorrowedFd<'_>, taken: Vec<u8>) -> Vec<u8> {
    let mut all = taken;
    let mut scratch = [0u8; 65_536];
    while let Ok((count @ 1.., _)) = recv(program_end, &mut scratch, RecvFlags::DONTWAIT) {
        all.extend_from_slice(&scratch[..count]);
    }
    let sent = send(own_end, &all, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).unwrap_or(0);
    all.split_off(sent.min(all.len()))
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

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, socketpair};

    use super::*;
    use crate::sys::unread_bytes;

    fn pair() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
    }

    #[test]
    fn draining_takes_the_fill_and_nothing_behind_it() {
        let (program_end, own_end) = pair();
        let fill = fill(program_end.as_fd()).unwrap();
        assert_eq!(fill.bytes, unread_bytes(own_end.as_fd()));
        restore(program_end.as_fd(), fill);
        assert_eq!(send(&program_end, b"first", SendFlags::DONTWAIT), Ok(5));
        drain_fill(own_end.as_fd(), fill);
        assert_eq!(unread_bytes(own_end.as_fd()), 5);
    }

    #[test]
    fn a_fill_that_found_little_room_is_drained_as_far_as_it_came() {
        let (program_end, own_end) = pair();
        sockopt::set_socket_send_buffer_size(&program_end, 0).unwrap();
        let mut before = 0;
        while let Ok(bytes) = send(&program_end, &[1; 100], SendFlags::DONTWAIT) {
            before += bytes;
        }
        let fill = fill(program_end.as_fd()).unwrap();
        drain_fill(own_end.as_fd(), fill);
        assert_eq!(unread_bytes(own_end.as_fd()), before);
    }
}
