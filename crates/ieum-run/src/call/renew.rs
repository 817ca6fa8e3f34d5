//! A fresh S in the place of one that cannot be used again.
//!
//! An AF_UNIX socket that was connected stays so, and one that listens never ceases to; Linux's own socket is like new
//! after connect(AF_UNSPEC), after a failed connect and after shutdown of a listener. So a new S takes the place of the
//! old one, in every descriptor that the caller's process has for it, and in every epoll set of that process: what the
//! program waits for there comes from the new one. Descriptors of other processes keep the old S.
//!
//! It comes before what the host does, since it alone can fail: a caller that was interrupted finds nothing changed, and
//! asks again.

use std::os::fd::{AsFd, OwnedFd};

use ieum_socket::Errno;
use rustix::fs::OFlags;
use rustix::net::sockopt;

use crate::name::Bearer;
use crate::notification::Call;
use crate::runner::Runner;
use crate::socket::{Carrier, host_errno};
use crate::sys;
use crate::tracee::{self, Place, Watched};

impl Runner {
    /// A stream that has no connection any more, and whose S shows the end of one, gets a fresh S.
    pub(crate) fn renew_if_spent(&mut self, call: &Call, number: u64) -> Result<(), Errno> {
        if self.is_spent(number) { self.renew(call, number).map(drop) } else { Ok(()) }
    }

    /// S cannot become anything else any more, and the host's socket can.
    pub(crate) fn is_spent(&self, number: u64) -> bool {
        self.sockets.get(number).is_some_and(|socket| {
            let is_spent =
                matches!(socket.carrier, Carrier::Spent | Carrier::Over(_)) || socket.shut_unconnected;
            is_spent && self.host.is_unconnected(socket.host)
        })
    }

    /// Puts a fresh S in the place of the caller's; answers a copy of the old one.
    pub(crate) fn renew(&mut self, call: &Call, number: u64) -> Result<OwnedFd, Errno> {
        let before = self.copy(number)?;
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (kind, place) = (socket.unix_kind(), call.place(call.int(0)));
        let inode = socket.inode.ok_or(Errno::EBADF)?;
        let flags = rustix::fs::fcntl_getfl(&before).map_err(host_errno)?;
        self.serial += 1;
        let name = self.names.name(Bearer::Program(number, self.serial)).map_err(host_errno)?;
        let (program_end, new_inode) =
            super::socket::make(kind, flags.contains(OFlags::NONBLOCK), &name).map_err(host_errno)?;
        self.give_patience(number, &program_end);
        self.bound_outward_queue(number, &program_end);
        if sockopt::socket_oobinline(&before) == Ok(true) {
            // A failure costs nothing but the mark of urgent bytes.
            let _ = sockopt::set_socket_oobinline(&program_end, true);
        }
        sys::pass_on_owner(before.as_fd(), program_end.as_fd());
        // O_ASYNC among them: for whoever owns it.
        rustix::fs::fcntl_setfl(&program_end, flags).map_err(host_errno)?;
        let watched = tracee::watched(place, inode);
        self.replace(call, &program_end, place, inode)?;
        for other in tracee::descriptors_of_thread(place.tree, place.thread) {
            if other != place {
                // One that was closed meanwhile needs no new S.
                let _ = self.replace(call, &program_end, other, inode);
            }
        }
        for watched in watched {
            self.watch_again(&program_end, &watched);
        }
        self.sockets.set_inode(number, new_inode);
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.name = Some(name);
            socket.place = Some(place);
            socket.carrier = Carrier::Fresh;
            socket.shows_error = false;
            socket.shut_unconnected = false;
            socket.given_back.clear();
        }
        Ok(before)
    }

    /// Puts the fresh S over a descriptor of the old one, and over no other: another thread may have closed it and opened
    /// something else, up to this look.
    fn replace(&self, call: &Call, program_end: &OwnedFd, place: Place, inode: u64) -> Result<(), Errno> {
        if tracee::socket_inode(place) != Some(inode) {
            return Err(Errno::EBADF);
        }
        let closes = tracee::closes_on_exec(place);
        self.trees.replace(call, program_end.as_fd(), place.descriptor, closes).map_err(host_errno)
    }

    /// Should it fail, the program has lost one of its registrations; there is nobody to tell.
    fn watch_again(&mut self, program_end: &OwnedFd, watched: &Watched) {
        if let Ok(epoll) = self.tracees.copy(&self.trees, watched.epoll, None) {
            let Watched { descriptor, events, data, .. } = *watched;
            let _ = sys::watch_as(epoll.as_fd(), program_end.as_fd(), descriptor, events, data);
        }
    }
}
