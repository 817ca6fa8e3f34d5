//! shutdown(2).
//!
//! On a connection it is done to S, and the host hears of it when the bytes before it have been moved. A sentinel byte
//! is left behind the program's last one, so that a reset that comes later can still be shown.

use std::os::fd::AsFd;

use ieum_engine::Turn;
use ieum_socket::{Errno, How, Kind};
use rustix::net::Shutdown;

use crate::carrier::joint;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, Connecting, host_errno};
use crate::sys::{self, number as n};

impl Runner {
    pub(crate) fn call_shutdown(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let how = match call.int(1) {
            n::SHUT_RD => How::Read,
            n::SHUT_WR => How::Write,
            n::SHUT_RDWR => How::Both,
            _ => return Err(Errno::EINVAL),
        };
        self.catch_up(turn, number);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        match (&socket.carrier, socket.kind) {
            (Carrier::Stream(_), _) => self.shutdown_connection(number, how),
            (_, Kind::Stream) => self.shutdown_unconnected(turn, call, number, how),
            (_, Kind::Datagram) => self.shutdown_datagram(turn, number, how),
        }
    }

    fn shutdown_connection(&mut self, number: u64, how: How) -> Served {
        let copy = self.copy(number)?;
        let Some(socket) = self.sockets.get_mut(number) else { return Err(Errno::EBADF) };
        let Carrier::Stream(stream) = &mut socket.carrier else { return Err(Errno::ENOTCONN) };
        if matches!(how, How::Write | How::Both) && !stream.shut_write {
            let sentinel = joint::leave_sentinel(copy.as_fd());
            rustix::net::shutdown(&copy, Shutdown::Write).map_err(host_errno)?;
            // Counted after the shutdown: no other thread can write any more.
            stream.write_was_shut(sys::unread_bytes(stream.own_end.as_fd()), sentinel);
        }
        if matches!(how, How::Read | How::Both) && !stream.shut_read {
            rustix::net::shutdown(&copy, Shutdown::Read).map_err(host_errno)?;
            stream.read_was_shut();
        }
        let is_over = self.host.is_over(socket.host);
        self.host.answer_attempt(socket.host, is_over);
        self.more.insert(number);
        // As Linux: the directions are shut all the same.
        if is_over { Err(Errno::ENOTCONN) } else { Ok(Answer::Value(0)) }
    }

    fn shutdown_unconnected(&mut self, turn: &Turn<'_>, call: &Call, number: u64, how: How) -> Served {
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let id = socket.host;
        let ends = match &socket.carrier {
            Carrier::Listening(_) => matches!(how, How::Read | How::Both),
            Carrier::Connecting(_) => true,
            Carrier::Fresh
            | Carrier::Stream(_)
            | Carrier::Spent
            | Carrier::Over(_)
            | Carrier::Datagram(_) => false,
        };
        if ends {
            return self.give_up(turn, call, number, how);
        }
        let told = self.host.shutdown(turn.now, id, how);
        if told.is_err() {
            self.show_shut(number, how);
        }
        told.map(|()| Answer::Value(0))
    }

    /// What the host refuses it has marked nevertheless, as Linux does, and S shows it. Shut for reading, TCP without a
    /// connection is at its end for reads, writes and poll; so is an S whose other end is gone.
    fn show_shut(&mut self, number: u64, how: How) {
        if !self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Fresh)) {
            return;
        }
        let shown = match how {
            How::Read | How::Both => self.join(number).map(drop),
            How::Write => self
                .copy(number)
                .and_then(|copy| rustix::net::shutdown(&copy, Shutdown::Write).map_err(host_errno)),
        };
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.shut_unconnected |= shown.is_ok();
        }
    }

    /// A socket that listens or connects is like new.
    fn give_up(&mut self, turn: &Turn<'_>, call: &Call, number: u64, how: How) -> Served {
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let id = socket.host;
        if matches!(socket.carrier, Carrier::Connecting(Connecting::Held)) {
            self.set_carrier(number, Carrier::Fresh);
        } else {
            let before = self.renew(call, number)?;
            // Those who wait on it hear of it.
            let _ = rustix::net::shutdown(&before, native(how));
        }
        self.host.shutdown(turn.now, id, how)?;
        self.fail_held_connects(number);
        self.retry_held(turn, number);
        Ok(Answer::Value(0))
    }

    fn shutdown_datagram(&mut self, turn: &Turn<'_>, number: u64, how: How) -> Served {
        self.move_datagrams(turn, number);
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        let told = self.host.shutdown(turn.now, id, how);
        // What has no peer is refused, and shut all the same.
        let copy = self.copy(number)?;
        let _ = rustix::net::shutdown(&copy, native(how));
        // Who waits for a datagram waits for nothing any more.
        self.retry_held(turn, number);
        told.map(|()| Answer::Value(0))
    }
}

fn native(how: How) -> Shutdown {
    match how {
        How::Read => Shutdown::Read,
        How::Write => Shutdown::Write,
        How::Both => Shutdown::Both,
    }
}
