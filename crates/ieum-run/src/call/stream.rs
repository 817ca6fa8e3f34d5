//! Data calls on streams that are notified: most are the kernel's own, on S.
//!
//! Ours are those where AF_UNIX would show through: an address is asked for (TCP tells none: its length becomes 0) or
//! given (TCP does not look at it), bytes are to be thrown away (MSG_TRUNC), or S has no connection and the host knows
//! better what to say of that. Bytes go through a momentary copy of S, so that they keep their order among those that
//! the program reads and writes natively.

use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::Turn;
use ieum_socket::{Errno, SocketId};
use ieum_stack::WriteEnd;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::message::Header;
use crate::bounds::{MESSAGES_MAX, STREAM_BYTES_MAX};
use crate::carrier::joint;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, Socket, host_errno};
use crate::sys::{self, Reply, number as n};
use crate::tree::Told;

impl Runner {
    /// Is a data call that names no address the kernel's own? S is connected then, and what it says is what TCP says.
    pub(super) fn kernel_serves_stream(&self, number: u64) -> bool {
        self.sockets.get(number).is_none_or(|socket| match &socket.carrier {
            Carrier::Stream(_) | Carrier::Connecting(_) => true,
            Carrier::Over(_) => !socket.shows_error,
            Carrier::Fresh | Carrier::Listening(_) | Carrier::Spent | Carrier::Datagram(_) => false,
        })
    }

    /// Whether S carries the bytes: else there is no connection, and none of its bytes.
    pub(super) fn is_carried(&self, number: u64) -> bool {
        self.sockets
            .get(number)
            .is_some_and(|socket| matches!(socket.carrier, Carrier::Stream(_) | Carrier::Over(_)))
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
        if flags & n::MSG_OOB != 0 && self.is_carried(number) {
            self.catch_up(turn, number);
            return self
                .once(call, number, |runner| runner.receive_urgent(call, number, header, flags, tell));
        }
        if flags & n::MSG_OOB != 0 {
            let listens = self.sockets.get(number).is_some_and(|socket| self.host.is_listening(socket.host));
            return Err(if listens { Errno::ENOTCONN } else { Errno::EINVAL });
        }
        if !self.is_carried(number) {
            let room = header.room().min(STREAM_BYTES_MAX);
            let received = self.receive_without_connection(turn, number, room);
            return match received {
                // The end of file: bytes there are none.
                Ok(_) => tell(self).map(|()| Answer::Value(0)).map_err(host_errno),
                Err(errno) => self.answer_nothing(turn, number, flags, errno),
            };
        }
        self.once(call, number, |runner| runner.receive_bytes(turn, call, number, header, flags, tell))
    }

    /// Bytes of a connection.
    fn receive_bytes(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
        tell: impl FnOnce(&Runner) -> Result<(), rustix::io::Errno>,
    ) -> Served {
        let room = header.room().min(STREAM_BYTES_MAX);
        if self.is_short(call, number, room, flags)
            && let Ok(waits) = self.answer_nothing(turn, number, flags, Errno::EAGAIN)
        {
            return Ok(waits);
        }
        let bytes = match self.take_bytes(number, room, flags) {
            Ok(bytes) => bytes,
            Err(errno) => return self.answer_nothing(turn, number, flags, errno),
        };
        let thrown_away = flags & n::MSG_TRUNC != 0;
        let written = if thrown_away { Ok(0) } else { header.scatter(&self.memory(call), &bytes) };
        let told = written.and_then(|_| tell(self)).map_err(host_errno);
        let told = told.map(|()| self.trees.tell(call, Reply::of_count(bytes.len())));
        if told != Ok(Told::Heard) && flags & n::MSG_PEEK == 0 {
            // A caller that was interrupted has read nothing.
            self.give_back(number, bytes);
        }
        Ok(told?.answer(number))
    }

    /// Is there less to read than a reader who waits is to be given (SO_RCVLOWAT, MSG_WAITALL), and may more come? What
    /// `Host::recv_waiting` asks of the host's buffer is asked of S's queue here. A read goes no further than an urgent byte.
    fn is_short(&mut self, call: &Call, number: u64, room: usize, flags: i32) -> bool {
        let is_last = self.out_of_time == Some((call.tree, call.id));
        let there = self.copy(number).map_or(0, |copy| sys::unread_bytes(copy.as_fd()));
        let Some(socket) = self.sockets.get_mut(number).filter(|_| !is_last) else { return false };
        let Carrier::Stream(stream) = &mut socket.carrier else { return false };
        let wait_all = flags & n::MSG_WAITALL != 0;
        let enough = if wait_all { room } else { self.host.low_water_bytes(socket.host).min(room) };
        stream.may_bring_more(&self.host, socket.host)
            && socket.given_back.len() + there < enough
            && !stream.has_urgent_among(there)
    }

    /// The urgent byte by itself, which S has since it came.
    fn receive_urgent(
        &mut self,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
        tell: impl FnOnce(&Runner) -> Result<(), rustix::io::Errno>,
    ) -> Served {
        let copy = self.copy(number)?;
        let is_peek = flags & n::MSG_PEEK != 0;
        let room = header.room().min(1);
        let kept = self.urgent_given_back(number).filter(|_| room > 0);
        let byte = match kept {
            Some(byte) => vec![byte],
            None => take_urgent(&copy, room, is_peek)?,
        };
        let written = header.scatter(&self.memory(call), &byte).and_then(|_| tell(self)).map_err(host_errno);
        let told = written.map(|()| self.trees.tell(call, Reply::of_count(byte.len())));
        if let Some(Socket { carrier: Carrier::Stream(stream), .. }) = self.sockets.get_mut(number) {
            // A caller that was interrupted has read nothing: its call comes again.
            let is_read = is_peek || told == Ok(Told::Heard);
            stream.urgent_given_back = if is_read { kept.filter(|_| is_peek) } else { byte.first().copied() };
        }
        Ok(told?.answer(number))
    }

    /// The urgent byte that was taken from S for a caller who did not get it.
    fn urgent_given_back(&self, number: u64) -> Option<u8> {
        let Carrier::Stream(stream) = &self.sockets.get(number)?.carrier else { return None };
        stream.urgent_given_back
    }

    /// From now on the stream looks for urgent bytes of the program among the others.
    pub(super) fn expect_urgent(&mut self, number: u64, flags: i32) {
        if flags & n::MSG_OOB != 0
            && let Some(Socket { carrier: Carrier::Stream(stream), .. }) = self.sockets.get_mut(number)
        {
            stream.sends_urgent = true;
        }
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
        self.answer_ends(call, u64::from(call.int(2).unsigned_abs()).min(MESSAGES_MAX))
    }

    /// What the host says of reading where there is no connection, after the pending error.
    fn receive_without_connection(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        room: usize,
    ) -> Result<usize, Errno> {
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        if self.host.is_listening(id) {
            // Whatever error is pending: it is nothing to read from.
            return Err(Errno::ENOTCONN);
        }
        if let Some(errno) = self.take_error(number)? {
            return Err(errno);
        }
        self.host.recv(turn.now, id, &mut vec![0; room.min(1)], true)
    }

    /// S said that the connection failed; why, the host knows.
    fn told_by_reset(&mut self, number: u64) -> Errno {
        let Some(socket) = self.sockets.get_mut(number) else { return Errno::ECONNRESET };
        socket.shows_error = false;
        let kept = socket.error.take();
        self.host.take_error(socket.host).or(kept).unwrap_or(Errno::ECONNRESET)
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
        let sent = self
            .bytes_to_send(turn, call, number, header)
            .and_then(|bytes| self.send_once(turn, call, number, &bytes, flags));
        match sent {
            Err(Errno::EPIPE) => {
                // A signal would interrupt the call before its answer: it follows.
                let answered = self.trees.reply(call, Reply::Error(Errno::EPIPE.0)).is_ok();
                if answered && flags & n::MSG_NOSIGNAL == 0 {
                    sys::signal_thread(call.thread, n::SIGPIPE);
                }
                Ok(Answer::Answered)
            }
            Err(Errno::EAGAIN) => self.answer_no_room(turn, number, flags),
            sent => sent,
        }
    }

    /// What is to be sent, after what the host says where there is no connection, and the pending error.
    fn bytes_to_send(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
    ) -> Result<Vec<u8>, Errno> {
        self.catch_up(turn, number);
        let shows_error = self.sockets.get(number).is_some_and(|socket| socket.shows_error);
        if !self.is_carried(number) || shows_error {
            if let Some(errno) = self.take_error(number)? {
                return Err(errno);
            }
            if !self.is_carried(number) {
                let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
                return self.host.send(turn.now, id, &[]).map(|_| Vec::new());
            }
        }
        header.gather_some(&self.memory(call), STREAM_BYTES_MAX).map_err(host_errno)
    }

    /// Sends for a caller that sleeps.
    fn send_once(&mut self, turn: &Turn<'_>, call: &Call, number: u64, bytes: &[u8], flags: i32) -> Served {
        if !self.is_carried(number) {
            return Ok(Answer::Value(0));
        }
        if let Some(count) = self.late.sent_before(call, bytes) {
            let told = self.trees.tell(call, Reply::of_count(count));
            if told != Told::Heard {
                self.late.sent(call, bytes.get(..count).unwrap_or(bytes));
            }
            return Ok(told.answer(number));
        }
        if flags & n::MSG_OOB == 0
            && let Some(id) = self.takes_at_once(number, bytes.len())
        {
            let end = if flags & n::MSG_MORE != 0 { WriteEnd::More } else { WriteEnd::Push };
            return self.send_promised(turn, call, number, id, bytes, end);
        }
        self.once(call, number, |runner| runner.write_bytes(call, number, bytes, flags))
    }

    /// Promises the caller what the host, which has room for all of it, then sends; what was not heard is not sent.
    pub(super) fn send_promised(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        id: SocketId,
        bytes: &[u8],
        end: WriteEnd,
    ) -> Served {
        let told = self.trees.tell(call, Reply::of_count(bytes.len()));
        if told == Told::Heard {
            self.host.send_ending(turn.now, id, bytes, None, end)?;
        }
        Ok(told.answer(number))
    }

    /// The host's socket, if it has no error to tell first, nothing stands before these bytes, and all of them have room.
    pub(super) fn takes_at_once(&mut self, number: u64, len: usize) -> Option<SocketId> {
        let socket = self.sockets.get(number).filter(|socket| !socket.shows_error)?;
        let Carrier::Stream(stream) = &socket.carrier else { return None };
        stream.is_empty_handed(&mut self.host, socket.host, len).then_some(socket.host)
    }

    /// Writes to S, whose queue holds what the host has no room for. A caller that goes before it is told makes the call
    /// again, and is told then.
    fn write_bytes(&mut self, call: &Call, number: u64, bytes: &[u8], flags: i32) -> Served {
        let copy = self.copy(number)?;
        self.expect_urgent(number, flags);
        let urgent = if flags & n::MSG_OOB != 0 { SendFlags::OOB } else { SendFlags::empty() };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | urgent;
        let count = send(&copy, bytes, flags).map_err(host_errno)?;
        let told = self.trees.tell(call, Reply::of_count(count));
        if told != Told::Heard {
            self.late.sent(call, bytes.get(..count).unwrap_or(bytes));
        }
        Ok(told.answer(number))
    }
}

/// The urgent byte of S, taken or only looked at; none where there is no room for it.
fn take_urgent(copy: &OwnedFd, room: usize, is_peek: bool) -> Result<Vec<u8>, Errno> {
    let peek = if is_peek { RecvFlags::PEEK } else { RecvFlags::empty() };
    let mut byte = vec![0; room];
    let (count, _) =
        recv(copy, &mut byte[..], RecvFlags::OOB | RecvFlags::DONTWAIT | peek).map_err(host_errno)?;
    if !is_peek {
        // AF_UNIX keeps an empty place for it, which polls as readable until somebody comes by.
        let _ = recv(copy, &mut [0; 0][..], RecvFlags::DONTWAIT);
    }
    byte.truncate(count);
    Ok(byte)
}
