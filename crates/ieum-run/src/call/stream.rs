//! Data calls on streams that are notified: most are the kernel's own, on S.
//!
//! Ours are those where AF_UNIX would show through: an address is asked for (TCP tells none: its length becomes 0) or
//! given (TCP does not look at it), bytes are to be thrown away (MSG_TRUNC), or S has no connection and the host knows
//! better what to say of that. Bytes go through a momentary copy of S, so that they keep their order among those that
//! the program reads and writes natively.

use std::os::fd::AsFd;

use ieum_engine::Turn;
use ieum_socket::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::message::{Header, MULTI_BYTES, MULTI_LEN};
use crate::bounds::{MESSAGES_MAX, STREAM_BYTES_MAX};
use crate::carrier::joint;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, host_errno};
use crate::sys::{self, Reply, number as n};

impl Runner {
    /// Is a data call that names no address the kernel's own? S is connected then, and what it says is what TCP says.
    pub(super) fn kernel_serves_stream(&self, number: u64) -> bool {
        self.sockets.get(number).is_none_or(|socket| match &socket.carrier {
            Carrier::Stream(_) | Carrier::Connecting(_) => true,
            Carrier::Over => !socket.shows_error,
            Carrier::Fresh | Carrier::Listening(_) | Carrier::Spent | Carrier::Datagram(_) => false,
        })
    }

    /// Whether S carries the bytes: else there is no connection, and none of its bytes.
    pub(super) fn is_carried(&self, number: u64) -> bool {
        self.sockets
            .get(number)
            .is_some_and(|socket| matches!(socket.carrier, Carrier::Stream(_) | Carrier::Over))
    }

    /// Receives; `tell` writes what the call returns beside the bytes.
    pub(super) fn receive_stream(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
        tell: impl FnOnce(&Runner) -> Result<(), rustix::io::Errno>,
    ) -> Served {
        if flags & n::MSG_ERRQUEUE != 0 {
            // It is always empty, and nobody waits for it.
            return Err(Errno::EAGAIN);
        }
        if flags & n::MSG_OOB != 0 {
            let listens = self.sockets.get(number).is_some_and(|socket| self.host.is_listening(socket.host));
            return Err(if listens { Errno::ENOTCONN } else { Errno::EINVAL });
        }
        let room = header.room().min(STREAM_BYTES_MAX);
        if !self.is_carried(number) {
            let received = self.receive_without_connection(turn, number, room);
            return match received {
                // The end of file: bytes there are none.
                Ok(_) => tell(self).map(|()| Answer::Value(0)).map_err(host_errno),
                Err(errno) => self.answer_nothing(turn, number, flags, errno),
            };
        }
        let bytes = match self.take_bytes(number, room, flags) {
            Ok(bytes) => bytes,
            Err(errno) => return self.answer_nothing(turn, number, flags, errno),
        };
        let thrown_away = flags & n::MSG_TRUNC != 0;
        let written = if thrown_away { Ok(0) } else { header.scatter(&self.memory(call), &bytes) };
        let answered = written.and_then(|_| tell(self)).map_err(host_errno).map(|()| {
            let value = Reply::Value(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            self.trees.reply_once(call, value).is_ok()
        });
        if answered != Ok(true) && flags & n::MSG_PEEK == 0 {
            // A caller that was interrupted has read nothing.
            self.give_back(number, bytes);
        }
        answered.map(|_| Answer::Answered)
    }

    /// The first bytes of what the program has not read.
    fn take_bytes(&mut self, number: u64, room: usize, flags: i32) -> Result<Vec<u8>, Errno> {
        let copy = self.copy(number)?;
        let Some(socket) = self.sockets.get_mut(number) else { return Err(Errno::EBADF) };
        let peek = flags & n::MSG_PEEK != 0;
        if !socket.given_back.is_empty() {
            let count = room.min(socket.given_back.len());
            let first = socket.given_back.iter().take(count).copied().collect();
            socket.given_back.drain(..if peek { 0 } else { count });
            return Ok(first);
        }
        let peek = if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
        let mut bytes = vec![0; room];
        match recv(&copy, &mut bytes[..], RecvFlags::DONTWAIT | peek) {
            Ok((count, _)) => bytes.truncate(count),
            Err(rustix::io::Errno::CONNRESET) => return Err(self.told_by_reset(number)),
            Err(error) => return Err(host_errno(error)),
        }
        Ok(bytes)
    }

    fn give_back(&mut self, number: u64, bytes: Vec<u8>) {
        let Ok(copy) = self.copy(number) else { return };
        let Some(socket) = self.sockets.get_mut(number) else { return };
        if !socket.given_back.is_empty() {
            socket.given_back.splice(0..0, bytes);
        } else if let Carrier::Stream(stream) = &socket.carrier {
            socket.given_back = joint::give_back(copy.as_fd(), stream.own_end.as_fd(), bytes);
        } else {
            socket.given_back = bytes;
        }
    }

    /// recvmmsg where there is no connection: an error, or messages that all are the end of file.
    pub(super) fn receive_no_messages(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        flags: i32,
    ) -> Served {
        if let Err(errno) = self.receive_without_connection(turn, number, 1) {
            return self.answer_nothing(turn, number, flags, errno);
        }
        let count = u64::from(call.int(2).unsigned_abs()).min(MESSAGES_MAX);
        for index in 0..count {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES + MULTI_LEN);
            self.memory(call).write_int(at, 0).map_err(host_errno)?;
        }
        Ok(Answer::Value(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// What the host says of reading where there is no connection, after the pending error.
    fn receive_without_connection(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        room: usize,
    ) -> Result<usize, Errno> {
        if let Some(errno) = self.take_error(number)? {
            return Err(errno);
        }
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        self.host.recv(turn.now, id, &mut vec![0; room.min(1)], true)
    }

    /// S said that the connection failed; why, the host knows.
    fn told_by_reset(&mut self, number: u64) -> Errno {
        let Some(socket) = self.sockets.get_mut(number) else { return Errno::ECONNRESET };
        socket.shows_error = false;
        self.host.take_error(socket.host).unwrap_or(Errno::ECONNRESET)
    }

    /// Sends.
    pub(super) fn send_stream(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Served {
        match self.write_stream(turn, call, number, header, flags) {
            Err(Errno::EPIPE) => {
                // A signal would interrupt the call before its answer: it follows.
                let answered = self.trees.reply(call, Reply::Error(Errno::EPIPE.0)).is_ok();
                if answered && flags & n::MSG_NOSIGNAL == 0 {
                    sys::signal_thread(call.thread, n::SIGPIPE);
                }
                Ok(Answer::Answered)
            }
            sent => self.answer_send(turn, number, flags, sent),
        }
    }

    fn write_stream(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Result<usize, Errno> {
        self.catch_up(turn, number);
        let shows_error = self.sockets.get(number).is_some_and(|socket| socket.shows_error);
        if !self.is_carried(number) || shows_error {
            if let Some(errno) = self.take_error(number)? {
                return Err(errno);
            }
            if !self.is_carried(number) {
                let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
                return self.host.send(turn.now, id, &[]);
            }
        }
        let bytes = header.gather_some(&self.memory(call), STREAM_BYTES_MAX).map_err(host_errno)?;
        let copy = self.copy(number)?;
        let urgent = if flags & n::MSG_OOB != 0 { SendFlags::OOB } else { SendFlags::empty() };
        send(&copy, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL | urgent).map_err(host_errno)
    }
}
