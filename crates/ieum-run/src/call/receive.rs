//! recvfrom(2) and recvmsg(2) on datagram sockets; what of them is about streams is in `stream`.
//!
//! The datagram is taken from S's queue through a copy; its sender's name spells the remote's address.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ieum_engine::{Ready, Turn};
use ieum_socket::Errno;
use rustix::net::{RecvFlags, SocketAddrUnix};

use super::control;
use super::message::Header;
use crate::address;
use crate::bounds::STRANGERS_PER_CALL_MAX;
use crate::carrier::stamps::time_of_day;
use crate::name::Envelope;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Carrier, Socket, host_errno};
use crate::sys::{self, Reply, number as n};
use crate::tree::Told;

/// A datagram that was taken from S's queue.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    payload: Vec<u8>,
    envelope: Envelope,
    /// At which time of day it came, if the program had asked for that by then.
    came: Option<Duration>,
}

/// What a call returns when everything that it tells was written to its caller's memory; ESRCH when that caller is gone.
pub(super) type Written = Result<usize, rustix::io::Errno>;

impl Runner {
    pub(crate) fn call_recvfrom(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let flags = call.int(3);
        if self.is_stream(number) {
            let header = Header::of_buffer(call.word(1), call.size(2));
            let (pointer, len_pointer) = (call.word(4), call.word(5));
            return self.receive_stream(turn, call, number, &header, flags, |runner| match pointer {
                0 => Ok(()),
                _ => address::write(&runner.memory(call), pointer, len_pointer, &[]),
            });
        }
        self.once(call, number, |runner| runner.receive_datagram(turn, call, number, flags))
    }

    /// recvfrom on a datagram socket.
    fn receive_datagram(&mut self, turn: &Turn<'_>, call: &Call, number: u64, flags: i32) -> Served {
        let taken = match self.take_datagram(turn, number, flags) {
            Ok(taken) => taken,
            Err(errno) if self.is_at_end(number, flags, errno) => {
                if call.word(4) != 0 {
                    address::write(&self.memory(call), call.word(4), call.word(5), &[])
                        .map_err(host_errno)?;
                }
                return Ok(Answer::Value(0));
            }
            Err(errno) => return self.answer_nothing(turn, number, flags, errno),
        };
        let domain = self.sockets.get(number).ok_or(Errno::EBADF)?.domain;
        let written = self.write_datagram(call, &taken, domain, flags);
        self.answer_datagrams(turn, call, number, flags, written, &[taken])
    }

    /// Writes what recvfrom shows of a datagram, and says what it returns.
    fn write_datagram(&self, call: &Call, taken: &Taken, domain: i32, flags: i32) -> Written {
        let memory = self.memory(call);
        let shown = Header::of_buffer(call.word(1), call.size(2)).scatter(&memory, &taken.payload)?;
        if call.word(4) != 0 {
            let bytes = address::encode(taken.envelope.remote, domain);
            address::write(&memory, call.word(4), call.word(5), &bytes)?;
        }
        Ok(if flags & n::MSG_TRUNC != 0 { taken.payload.len() } else { shown })
    }

    pub(crate) fn call_recvmsg(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let flags = call.int(2);
        if self.is_stream(number) {
            let header = Header::read(&self.memory(call), call.word(1)).map_err(host_errno)?;
            if header.name == 0
                && flags & (n::MSG_TRUNC | n::MSG_OOB | n::MSG_ERRQUEUE) == 0
                && self.kernel_serves_stream(number)
            {
                return Ok(Answer::Continue);
            }
            return self.receive_stream(turn, call, number, &header, flags, |runner| {
                header.tell(&runner.memory(call), &[], &[], flags & n::MSG_OOB)
            });
        }
        self.once(call, number, |runner| match flags & n::MSG_ERRQUEUE {
            0 => runner.receive_one_message(turn, call, number, flags),
            _ => runner.receive_notice(turn, call, number),
        })
    }

    /// recvmsg on a datagram socket.
    fn receive_one_message(&mut self, turn: &Turn<'_>, call: &Call, number: u64, flags: i32) -> Served {
        match self.receive_message(turn, call, number, call.word(1), flags) {
            Ok((taken, written)) => self.answer_datagrams(turn, call, number, flags, written, &[taken]),
            Err(errno) if self.is_at_end(number, flags, errno) => {
                let header = Header::read(&self.memory(call), call.word(1)).map_err(host_errno)?;
                header.tell(&self.memory(call), &[], &[], 0).map_err(host_errno)?;
                Ok(Answer::Value(0))
            }
            Err(errno) => self.answer_nothing(turn, number, flags, errno),
        }
    }

    /// Receives into the header at `at`: what was taken, and what recvmsg returns.
    pub(super) fn receive_message(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        at: u64,
        flags: i32,
    ) -> Result<(Taken, Written), Errno> {
        let header = Header::read(&self.memory(call), at).map_err(host_errno)?;
        let taken = self.take_datagram(turn, number, flags)?;
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, domain) = (socket.host, socket.domain);
        let control = control::messages(&mut self.host, id, &taken.envelope, taken.came);
        let memory = self.memory(call);
        let written = header.scatter(&memory, &taken.payload).and_then(|shown| {
            let cut = if shown < taken.payload.len() { n::MSG_TRUNC } else { 0 };
            header.tell(&memory, &address::encode(taken.envelope.remote, domain), &control, cut)?;
            Ok(if flags & n::MSG_TRUNC != 0 { taken.payload.len() } else { shown })
        });
        Ok((taken, written))
    }

    /// What was said of a datagram that was not delivered (IP_RECVERR).
    fn receive_notice(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        self.move_datagrams(turn, number);
        let header = Header::read(&self.memory(call), call.word(1)).map_err(host_errno)?;
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        let (id, domain) = (socket.host, socket.domain);
        let received = self.host.recv_notice(id, header.room())?;
        // The error that is pending is that of the next one; S shows one as long as there is one.
        socket.error = self.host.take_error(id);
        if socket.error.is_none() {
            self.take_error(number)?;
        }
        let memory = self.memory(call);
        let shown = header.scatter(&memory, &received.bytes).map_err(host_errno)?;
        let address = received.source.map(|source| address::encode(source, domain)).unwrap_or_default();
        let told = received.control.iter().map(ieum_socket::Control::to_bytes);
        header.tell(&memory, &address, &told.collect::<Vec<_>>(), received.flags).map_err(host_errno)?;
        Ok(Answer::Value(i64::try_from(shown).unwrap_or(i64::MAX)))
    }

    /// The next datagram of S's queue, after the pending error.
    fn take_datagram(&mut self, turn: &Turn<'_>, number: u64, flags: i32) -> Result<Taken, Errno> {
        if flags & n::MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        self.catch_up_with_sends(turn, number);
        if let Some(errno) = self.take_error(number)? {
            return Err(errno);
        }
        let copy = self.copy(number)?;
        let peek = flags & n::MSG_PEEK != 0;
        match self.take_from(number, &copy, peek) {
            Err(Errno::EAGAIN) => {}
            other => return other,
        }
        // S's queue is empty; what waits in the host for room has room now. Those who are held are served by the caller.
        if let Some(Carrier::Datagram(datagram)) =
            self.sockets.get_mut(number).map(|socket| &mut socket.carrier)
        {
            datagram.on_ready(Ready { write: true, ..Ready::default() });
        }
        self.move_datagrams(turn, number);
        self.take_from(number, &copy, peek)
    }

    /// What the program sent natively has been refused by now if somebody of this host refuses it.
    fn catch_up_with_sends(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(Socket { carrier: Carrier::Datagram(datagram), .. }) = self.sockets.get_mut(number) else {
            return;
        };
        // Without a peer every send was a call of ours.
        if datagram.is_connected() {
            datagram.look_again();
            self.move_datagrams(turn, number);
            self.talk(turn);
            self.take_datagram_error(number);
        }
    }

    fn take_from(&mut self, number: u64, copy: &OwnedFd, peek: bool) -> Result<Taken, Errno> {
        let mut buffer = vec![0u8; usize::from(u16::MAX)];
        for _ in 0..STRANGERS_PER_CALL_MAX {
            let read_since = time_of_day();
            let received = sys::receive_datagram(copy.as_fd(), &mut buffer, peek).map_err(host_errno)?;
            // S's name can be seen and ours be imitated: what a stranger sent is dropped.
            let is_ours = received.process == rustix::process::getpid().as_raw_nonzero().get();
            let sender = SocketAddrUnix::new_abstract_name(&received.name).ok().filter(|_| is_ours);
            if let Some(envelope) = sender.and_then(|sender| self.names.envelope(&sender)) {
                buffer.truncate(received.len);
                let came = received.stamp.and_then(|stamp| self.came(number, stamp, read_since));
                return Ok(Taken { payload: buffer, envelope, came });
            }
            if peek {
                let _ = rustix::net::recv(copy, &mut buffer[..], RecvFlags::DONTWAIT);
            }
        }
        Err(Errno::EAGAIN)
    }

    /// At which time of day that came which S got at the one that the kernel says.
    fn came(&mut self, number: u64, stamp: Duration, read_since: Duration) -> Option<Duration> {
        let Carrier::Datagram(datagram) = &mut self.sockets.get_mut(number)?.carrier else { return None };
        Some(datagram.came(stamp, read_since))
    }

    /// Is it shut for reading, and was to be waited for what cannot be waited for?
    pub(super) fn is_at_end(&mut self, number: u64, flags: i32, errno: Errno) -> bool {
        let waits = errno == Errno::EAGAIN && flags & (n::MSG_DONTWAIT | n::MSG_ERRQUEUE) == 0;
        let socket = self.sockets.get(number).filter(|_| waits);
        socket.is_some_and(|socket| self.host.end_of_datagrams(socket.host).is_some())
            && self.copy(number).is_ok_and(|copy| !is_nonblocking(&copy))
    }

    /// Nothing to receive: a blocking receiver waits.
    pub(super) fn answer_nothing(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        flags: i32,
        errno: Errno,
    ) -> Served {
        if errno != Errno::EAGAIN || flags & (n::MSG_DONTWAIT | n::MSG_ERRQUEUE) != 0 {
            return Err(errno);
        }
        let copy = self.copy(number)?;
        if is_nonblocking(&copy) {
            return Err(Errno::EAGAIN);
        }
        self.wait_to_receive(turn, number)
    }

    /// Waits for what comes, as long as the socket says (SO_RCVTIMEO).
    pub(super) fn wait_to_receive(&self, turn: &Turn<'_>, number: u64) -> Served {
        let time = self.sockets.get(number).and_then(|socket| self.host.recv_time(socket.host));
        if time == Some(Duration::ZERO) {
            return Err(Errno::EAGAIN);
        }
        Ok(Answer::Wait { socket: number, deadline: time.map(|time| turn.now + time) })
    }

    /// Answers; datagrams whose receiver went away meanwhile, or is about to, wait for the next one.
    pub(super) fn answer_datagrams(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        flags: i32,
        written: Written,
        taken: &[Taken],
    ) -> Served {
        let told = match written {
            Ok(value) => self.trees.tell(call, Reply::of_count(value)),
            Err(rustix::io::Errno::SRCH) => Told::Gone,
            // Linux too has thrown it away by then.
            Err(error) => return Err(host_errno(error)),
        };
        if told != Told::Heard && flags & n::MSG_PEEK == 0 {
            self.give_back_datagrams(turn, number, taken.to_vec())?;
        }
        Ok(told.answer(number))
    }

    /// Puts datagrams back, before those that came after them.
    pub(super) fn give_back_datagrams(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        mut taken: Vec<Taken>,
    ) -> Result<(), Errno> {
        let copy = self.copy(number)?;
        taken.extend(self.take_all_from(number, &copy));
        self.put_datagrams_back(turn, number, taken);
        Ok(())
    }

    /// All that is in S's queue.
    pub(super) fn take_all_from(&mut self, number: u64, copy: &OwnedFd) -> Vec<Taken> {
        // No more than the queue holds: who fills it is this thread.
        std::iter::from_fn(|| self.take_from(number, copy, false).ok()).collect()
    }

    /// Puts into S's queue, which is empty, what was in it.
    pub(super) fn put_datagrams_back(&mut self, turn: &Turn<'_>, number: u64, taken: Vec<Taken>) {
        if let Some(Socket { carrier: Carrier::Datagram(datagram), .. }) = self.sockets.get_mut(number) {
            datagram.give_back(taken.into_iter().map(|taken| (taken.payload, taken.envelope, taken.came)));
            self.datagram_turn(turn, number);
        }
    }
}
