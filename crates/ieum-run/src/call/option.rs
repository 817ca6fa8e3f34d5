//! getsockopt(2) and setsockopt(2). Time-outs are the host's and S's, which answers when they are asked for.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ieum_engine::Turn;
use ieum_socket::{Errno, shown_option};
use rustix::net::sockopt;

use crate::bounds::{OPTION_BYTES_MAX, OPTION_GIVEN_BYTES_MAX};
use crate::carrier::{self, joint};
use crate::namespace::sys;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Carrier, host_errno};
use crate::sys::{Reply, number as n};
use crate::tree::Told;

impl Runner {
    pub(crate) fn call_getsockopt(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let (level, name) = (call.int(1), call.int(2));
        if matches!((level, name), (n::SOL_SOCKET, n::SO_ERROR) | (n::IPPROTO_TCP, n::TCP_INFO)) {
            self.catch_up(turn, number);
        }
        let room = self.memory(call).read_int(call.word(4)).map_err(host_errno)?;
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        if (level, name) == (n::SOL_SOCKET, n::SO_ERROR) {
            return self.tell_error(call, number, room);
        }
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        // Some are asked with something given: which group, say.
        let given = match name {
            n::IP_MSFILTER | n::MCAST_MSFILTER if level != n::SOL_SOCKET && level != n::IPPROTO_TCP => {
                self.memory(call).read(call.word(3), room.min(OPTION_GIVEN_BYTES_MAX)).map_err(host_errno)?
            }
            _ => Vec::new(),
        };
        let value = self.host.option_given(id, level, name, &given)?;
        self.show(call, shown_option(level, name, &value, room)?).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    fn show(&self, call: &Call, value: &[u8]) -> rustix::io::Result<()> {
        let memory = self.memory(call);
        memory.write(call.word(3), value)?;
        let len = i32::try_from(value.len()).map_err(|_| rustix::io::Errno::INVAL)?;
        memory.write_int(call.word(4), len)
    }

    /// Tells the pending error, which is gone thereby: not for a caller that does not hear it.
    fn tell_error(&mut self, call: &Call, number: u64, room: usize) -> Served {
        let error = self.take_error(number)?;
        let value = error.map_or(0, |errno| errno.0).to_ne_bytes();
        let shown = self.show(call, value.get(..room).unwrap_or(&value));
        let Some(error) = error else {
            return shown.map(|()| Answer::Value(0)).map_err(host_errno);
        };
        let told = match shown {
            Ok(()) => self.trees.tell(call, Reply::Value(0)),
            Err(rustix::io::Errno::SRCH) => Told::Gone,
            // Linux too has used it up by then.
            Err(error) => return Err(host_errno(error)),
        };
        if told != Told::Heard
            && let Some(socket) = self.sockets.get_mut(number)
        {
            socket.error = Some(error);
        }
        Ok(told.answer(number))
    }

    pub(crate) fn call_setsockopt(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        let len = usize::try_from(call.int(4)).map_err(|_| Errno::EINVAL)?;
        if (call.int(1), call.int(2)) == (n::IPPROTO_TCP, n::TCP_INQ) {
            // S would have to add control messages to what it delivers; programs go on without them.
            return Err(Errno::ENOPROTOOPT);
        }
        let value = self.memory(call).read(call.word(3), len.min(OPTION_BYTES_MAX)).map_err(host_errno)?;
        self.host.set_option(turn.now, id, call.int(1), call.int(2), &value)?;
        match (call.int(1), call.int(2)) {
            (n::SOL_SOCKET, n::SO_SNDBUF) | (n::IPPROTO_TCP, n::TCP_NOTSENT_LOWAT) => {
                // A queue that was filled on purpose keeps its size.
                if !self.is_filled(number)
                    && let Ok(copy) = self.copy(number)
                {
                    self.bound_outward_queue(number, &copy);
                }
            }
            (n::SOL_SOCKET, n::SO_RCVBUF) => self.bound_inward_queue(number),
            (
                n::SOL_SOCKET,
                n::SO_TIMESTAMP | n::SO_TIMESTAMPNS | n::SO_TIMESTAMP_NEW | n::SO_TIMESTAMPNS_NEW,
            ) => self.stamp_arrivals(number),
            (n::SOL_SOCKET, n::SO_OOBINLINE) => self.tell_of_urgent(number, &value),
            (
                n::SOL_SOCKET,
                n::SO_RCVTIMEO | n::SO_SNDTIMEO | n::SO_RCVTIMEO_NEW | n::SO_SNDTIMEO_NEW | n::SO_RCVLOWAT,
            ) => {
                if let Ok(copy) = self.copy(number) {
                    self.give_patience(number, &copy);
                }
            }
            _ => {}
        }
        Ok(Answer::Value(0))
    }

    /// A program that bounds what it sends ahead is to be stopped by S's queue as well as by the host's.
    pub(crate) fn bound_outward_queue(&self, number: u64, program_end: &OwnedFd) {
        let wish = self.sockets.get(number).and_then(|socket| self.host.send_ahead_wish(socket.host));
        match wish {
            None => carrier::widen(program_end),
            Some(_) => joint::bound_queue(program_end, wish),
        }
    }

    /// A program that bounds what it is sent ahead has no more of it waiting in S.
    fn bound_inward_queue(&mut self, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        if let Carrier::Stream(stream) = &socket.carrier {
            joint::bound_queue(&stream.own_end, self.host.recv_buffer_wish(socket.host));
        }
    }

    /// Who wants to know when datagrams came is told what S says of that.
    fn stamp_arrivals(&mut self, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let Carrier::Datagram(datagram) = &mut socket.carrier else { return };
        let wanted = self.host.wants_arrival_times(socket.host);
        datagram.set_stamped(wanted);
        if let Ok(copy) = self.copy(number) {
            // A kernel that refuses says nothing, and then the time is that of the call.
            let name = (n::SOL_SOCKET, n::SO_TIMESTAMPNS);
            let _ = sys::set_option(copy.as_fd(), name, &i32::from(wanted).to_ne_bytes());
        }
    }

    /// Whether urgent bytes are like others S itself decides as the program reads.
    fn tell_of_urgent(&mut self, number: u64, value: &[u8]) {
        let in_line = value.first_chunk().is_some_and(|value| i32::from_ne_bytes(*value) != 0);
        if let Ok(copy) = self.copy(number) {
            // A kernel without urgent data for AF_UNIX (before 5.15) has nothing to decide.
            let _ = sockopt::set_socket_oobinline(&copy, in_line);
        }
    }

    /// Calls that the kernel serves on this end wait as long as the host's would, and for as many bytes. S says 0 of who does not
    /// wait at all, as of who waits for ever: only the host knows which.
    pub(crate) fn give_patience(&self, number: u64, program_end: &OwnedFd) {
        let Some(socket) = self.sockets.get(number) else { return };
        let times = [self.host.recv_time(socket.host), self.host.send_time(socket.host)];
        for (time, name) in times.into_iter().zip([n::SO_RCVTIMEO, n::SO_SNDTIMEO]) {
            set_time(program_end, name, time);
        }
        let bytes = i32::try_from(self.host.low_water_bytes(socket.host)).unwrap_or(i32::MAX);
        // A kernel that refuses would wait for the first byte alone.
        let _ = sys::set_option(program_end.as_fd(), (n::SOL_SOCKET, n::SO_RCVLOWAT), &bytes.to_ne_bytes());
    }

    /// A call of ours on S that must not wait, whatever the program wants of its own: nobody is served meanwhile, and what it
    /// waits for may be ours to do. `time`: SO_RCVTIMEO or SO_SNDTIMEO, which bounds it.
    pub(crate) fn at_once<T>(
        &self,
        number: u64,
        program_end: &OwnedFd,
        time: i32,
        call: impl FnOnce() -> T,
    ) -> T {
        if is_nonblocking(program_end) {
            return call();
        }
        set_time(program_end, time, Some(Duration::ZERO));
        let result = call();
        self.give_patience(number, program_end);
        result
    }

    /// The pending error, taken. If S shows one, S says whether a read has told it already, and the host says which.
    pub(crate) fn take_error(&mut self, number: u64) -> Result<Option<Errno>, Errno> {
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        let kept = socket.error.take();
        // Of two errors the later one counts, as on Linux.
        let error = self.host.take_error(socket.host).or(kept);
        if !std::mem::take(&mut socket.shows_error) {
            return Ok(error);
        }
        let copy = self.copy(number)?;
        match sockopt::socket_error(&copy).map_err(host_errno)? {
            // A native recv has told it already.
            Ok(()) => Ok(None),
            Err(shown) => Ok(Some(error.unwrap_or_else(|| host_errno(shown)))),
        }
    }

    /// The pending error, if S shows it and no native call has told it.
    pub(crate) fn take_shown_error(&mut self, number: u64) -> Result<Option<Errno>, Errno> {
        let is_shown = self.sockets.get(number).is_some_and(|socket| socket.shows_error);
        if is_shown { self.take_error(number) } else { Ok(None) }
    }

    /// What was taken and not told is pending still.
    pub(crate) fn keep_error(&mut self, number: u64, pending: Option<Errno>) {
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.error = socket.error.or(pending);
        }
    }
}

/// How long the kernel's calls on this end wait, by SO_RCVTIMEO or SO_SNDTIMEO: `None` for ever.
fn set_time(program_end: &OwnedFd, name: i32, time: Option<Duration>) {
    let (seconds, microseconds) = match time {
        None => (0, 0),
        Some(Duration::ZERO) => (-1, 0),
        Some(time) => (i64::try_from(time.as_secs()).unwrap_or(0), i64::from(time.subsec_micros())),
    };
    let value = [seconds, microseconds].map(i64::to_ne_bytes).concat();
    // A kernel that refuses would wait for ever.
    let _ = sys::set_option(program_end.as_fd(), (n::SOL_SOCKET, name), &value);
}
