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
use crate::socket::{Carrier, host_errno};
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
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        match (&socket.carrier, socket.kind) {
            (Carrier::Stream(_), _) => self.shutdown_connection(number, how),
            (_, Kind::Stream) => self.shutdown_unconnected(turn, number, how),
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
        self.more.insert(number);
        Ok(Answer::Value(0))
    }

    fn shutdown_unconnected(&mut self, turn: &Turn<'_>, number: u64, how: How) -> Served {
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        self.host.shutdown(turn.now, id, how)?;
        let was_listening =
            self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Listening(_)));
        if was_listening && !self.host.is_listening(id) {
            let copy = self.copy(number)?;
            rustix::net::shutdown(&copy, native(how)).map_err(host_errno)?;
            self.set_carrier(number, Carrier::Spent);
            // Those who wait in accept hear of it.
            self.retry_held(turn, number);
        }
        Ok(Answer::Value(0))
    }

    fn shutdown_datagram(&mut self, turn: &Turn<'_>, number: u64, how: How) -> Served {
        self.move_datagrams(turn, number);
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        self.host.shutdown(turn.now, id, how)?;
        let copy = self.copy(number)?;
        // An unconnected AF_UNIX socket refuses what the host has accepted; there is nothing to be shown on it then.
        let _ = rustix::net::shutdown(&copy, native(how));
        Ok(Answer::Value(0))
    }
}

fn native(how: How) -> Shutdown {
    match how {
        How::Read => Shutdown::Read,
        How::Write => Shutdown::Write,
        How::Both => Shutdown::Both,
    }
}
