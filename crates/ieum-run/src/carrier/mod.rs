//! Carriers: the AF_UNIX sockets that stand between a program and a connection.
//!
//! The program holds S, we hold P. S looks to poll, epoll, read and write like the TCP or UDP socket it stands for:
//!
//! ```text
//!   fresh        S unconnected                          polls OUT|HUP, as fresh TCP
//!   listening    S listens                              its queue is the accept queue; each connection: connect(P → S)
//!   connecting   S connected to P, S's queue full       polls nothing, write gives EAGAIN
//!   established  S connected to P, queues empty         bytes pass natively
//!   refused      P closed with S's bytes unread         polls IN|OUT|ERR|HUP
//!   end of file  shutdown(P, WR)
//!   reset        one byte of S left unread in P, P closed: S reads what is queued, then ECONNRESET
//! ```
//!
//! Files: [`joint`] connects an S to a P; [`stream`] pumps a connection; [`datagram`] carries datagrams, and [`stamps`]
//! knows when they came.
//!
//! Invariant: a copy of S never outlives the call that took it, or the program's close would not be seen.

pub(crate) mod datagram;
pub(crate) mod joint;
pub(crate) mod stamps;
pub(crate) mod stream;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with, sockopt};
use rustix::process::{Resource, getrlimit};

use crate::bounds::{CARRIER_BYTES, DESCRIPTORS_KEPT};
use crate::sys;

/// An AF_UNIX socket with a name of its own and wide queues.
pub(crate) fn named(kind: SocketType, flags: SocketFlags, name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let fd = socket_with(AddressFamily::UNIX, kind, flags | SocketFlags::CLOEXEC, None)?;
    keep_some_free(&fd)?;
    bind(&fd, name)?;
    widen(&fd);
    Ok(fd)
}

/// Whether it was us who connected the far end of `fd`, or listened there. Names can be seen by every user of the machine, and
/// borne by whoever is quick; the kernel's word for who called connect(2) and listen(2) cannot be forged.
pub(crate) fn is_connected_by_us(fd: impl AsFd) -> bool {
    sys::peer_process(fd.as_fd()) == Ok(rustix::process::getpid().as_raw_nonzero().get())
}

/// Whether descriptors are left for what must not fail half-way: those that are used up say so early, by ENFILE, as a
/// system that is full does. `newest` was just made: the kernel gives the lowest free number, so it tells how many are
/// in use.
pub(crate) fn keep_some_free(newest: &OwnedFd) -> Result<(), Errno> {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let kept = DESCRIPTORS_KEPT.min(limit / 4);
    let number = u64::from(newest.as_raw_fd().unsigned_abs());
    if number + kept < limit { Ok(()) } else { Err(Errno::NFILE) }
}

/// Lets the kernel queue as much as it grants.
pub(crate) fn widen(fd: impl AsFd) {
    // The forced form needs CAP_NET_ADMIN; the other one is capped by net.core.wmem_max. Both failing costs speed only.
    if sockopt::set_socket_send_buffer_size_force(&fd, CARRIER_BYTES).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(&fd, CARRIER_BYTES);
    }
}

/// Says whether the bearer of a name still lives: its name is taken as long as it does.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    stream: Option<OwnedFd>,
    datagram: Option<OwnedFd>,
}

impl Probe {
    /// Whether some socket of that kind still bears `name`. On a doubt, yes.
    pub(crate) fn is_alive(&mut self, kind: SocketType, name: &SocketAddrUnix) -> bool {
        // Names of streams and of datagram sockets are apart.
        let slot = if kind == SocketType::STREAM { &mut self.stream } else { &mut self.datagram };
        let probe = match slot.take() {
            Some(probe) => probe,
            None => match socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None) {
                Ok(probe) => probe,
                Err(_) => return true,
            },
        };
        match bind(&probe, name) {
            // The probe bears the name now and is spent.
            Ok(()) => false,
            Err(_) => {
                *slot = Some(probe);
                true
            }
        }
    }
}

/// Is the far end of `socket` closed, in all descriptors that there were of it?
pub(crate) fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    is_ready(socket, PollFlags::HUP)
}

/// Does something wait in the queue of a socket: a connection, a datagram, bytes?
pub(crate) fn has_waiting(socket: BorrowedFd<'_>) -> bool {
    is_ready(socket, PollFlags::IN)
}

fn is_ready(socket: BorrowedFd<'_>, wanted: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, wanted)];
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(wanted)
}
