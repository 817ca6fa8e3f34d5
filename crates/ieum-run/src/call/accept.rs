//! accept(2) and accept4(2).
//!
//! The connection waits in S's own queue, natively, so that poll and epoll see it. It is taken from there through a copy
//! of S and handed over together with the answer, in one step. When the caller cannot take it (EMFILE, interrupted,
//! killed) it goes back into the queue.

use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::Turn;
use ieum_socket::{Errno, Kind};
use rustix::net::sockopt::set_socket_oobinline;
use rustix::net::{SocketAddrUnix, SocketFlags, accept_with, getpeername};

use crate::bounds::BACKLOG_MAX;
use crate::carrier::{self, joint};
use crate::name::Bearer;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Carrier, host_errno};
use crate::sys::number as n;
use crate::{address, socket};

impl Runner {
    pub(crate) fn call_accept(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let flags = if call.number == n::SYS_accept4 { call.int(3) } else { 0 };
        if flags & !(n::SOCK_NONBLOCK | n::SOCK_CLOEXEC) != 0 {
            return Err(Errno::EINVAL);
        }
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        self.refuse_unless_listening(number)?;
        let copy = self.copy(number)?;
        if !carrier::has_waiting(copy.as_fd()) {
            // Some may wait in the host's queue for room that there is now.
            self.deliver_to_full(turn);
        }
        // Who connects to S without a pause is no reason to stay here: a connection of ours lies in the queue, or none does.
        for _ in 0..=BACKLOG_MAX {
            if !carrier::has_waiting(copy.as_fd()) {
                break;
            }
            let (taken, connection) = self.take_connection(&copy, number, flags)?;
            // A stranger, or a connection that was given up: not one of ours.
            let Some(connection) = connection else { continue };
            return self.hand_over(turn, call, number, connection, &taken, flags);
        }
        if is_nonblocking(&copy) {
            return Err(Errno::EAGAIN);
        }
        self.wait_to_receive(turn, number)
    }

    fn refuse_unless_listening(&self, number: u64) -> Result<(), Errno> {
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        match (&socket.carrier, socket.kind) {
            (_, Kind::Datagram) => Err(Errno::EOPNOTSUPP),
            (Carrier::Listening(_), Kind::Stream) => Ok(()),
            (_, Kind::Stream) => Err(Errno::EINVAL),
        }
    }

    /// Takes the first connection of S's queue; which of ours it is, its peer's name says.
    fn take_connection(
        &mut self,
        copy: &OwnedFd,
        listener: u64,
        flags: i32,
    ) -> Result<(OwnedFd, Option<u64>), Errno> {
        let nonblocking =
            if flags & n::SOCK_NONBLOCK != 0 { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
        // Somebody else who holds S may have taken what waited there.
        let take = || accept_with(copy, nonblocking | SocketFlags::CLOEXEC);
        let taken = self.at_once(listener, copy, n::SO_RCVTIMEO, take).map_err(host_errno)?;
        // What is accepted inherits the listener's bounds, and its patience.
        self.bound_outward_queue(listener, &taken);
        self.give_patience(listener, &taken);
        let peer = getpeername(&taken).ok().flatten().and_then(|peer| SocketAddrUnix::try_from(peer).ok());
        let peer = peer.filter(|_| carrier::is_connected_by_us(&taken));
        let connection = peer.and_then(|peer| self.names.carrier(&peer));
        if connection.is_some_and(|connection| self.holds_urgent(connection)) {
            // Of the listener's options this is the one that S itself heeds. A failure costs nothing but the mark.
            let _ = set_socket_oobinline(&taken, true);
        }
        if connection.is_some() {
            self.count_waiting(listener, |waiting| waiting.saturating_sub(1));
        }
        Ok((taken, connection.filter(|connection| self.sockets.get(*connection).is_some())))
    }

    fn holds_urgent(&self, connection: u64) -> bool {
        let socket = self.sockets.get(connection);
        socket.is_some_and(|socket| matches!(&socket.carrier, Carrier::Stream(stream) if stream.holds_urgent))
    }

    fn hand_over(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        listener: u64,
        connection: u64,
        taken: &OwnedFd,
        flags: i32,
    ) -> Served {
        match self.write_remote(call, connection) {
            Ok(()) => {}
            // As Linux: a connection whose address has no place to go to is lost, and reset.
            Err(errno) if self.trees.is_valid(call) => return Err(errno),
            Err(errno) => {
                self.put_back(turn, listener, connection, taken);
                return Err(errno);
            }
        }
        let inode = rustix::fs::fstat(taken).map_err(host_errno)?.st_ino;
        match self.trees.reply_with(call, taken.as_fd(), flags & n::SOCK_CLOEXEC != 0) {
            Ok(descriptor) => {
                self.sockets.set_inode(connection, inode);
                if let Some(socket) = self.sockets.get_mut(connection) {
                    socket.place = Some(call.place(descriptor));
                    if let Carrier::Stream(stream) = &mut socket.carrier {
                        stream.holds_urgent = false;
                    }
                }
                // A failure waits to be shown until there is somebody to show it to.
                self.more.insert(connection);
                Ok(Answer::Answered)
            }
            Err(error) => {
                self.put_back(turn, listener, connection, taken);
                Err(host_errno(error))
            }
        }
    }

    fn write_remote(&self, call: &Call, connection: u64) -> Result<(), Errno> {
        let socket = self.sockets.get(connection).ok_or(Errno::EBADF)?;
        match (call.word(1), socket.accepted_from) {
            (0, _) | (_, None) => Ok(()),
            (pointer, Some(remote)) => {
                let bytes = address::encode(remote, socket.domain);
                address::write(&self.memory(call), pointer, call.word(2), &bytes).map_err(host_errno)
            }
        }
    }

    /// The connection stays queued, as on Linux, behind those that are.
    fn put_back(&mut self, turn: &Turn<'_>, listener: u64, connection: u64, taken: &OwnedFd) {
        self.serial += 1;
        let Ok(own_name) = self.names.name(Bearer::Carrier(connection, self.serial)) else { return };
        let Some(name) = self.sockets.get(listener).and_then(|listener| listener.name.clone()) else {
            return;
        };
        let Some(socket::Socket { carrier: Carrier::Stream(stream), .. }) = self.sockets.get_mut(connection)
        else {
            return;
        };
        // Should it fail, the program's end is dropped with `taken` and the connection is reset: nobody will have it.
        if let Ok(own_end) = joint::put_back(taken, &own_name, &name, stream.end_shown) {
            stream.own_end = own_end;
            self.watch_carrier(turn, connection);
            self.count_waiting(listener, |waiting| waiting.saturating_add(1));
        }
    }
}
