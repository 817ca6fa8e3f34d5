//! sendto(2), sendmsg(2) and sendmmsg(2) on datagram sockets; what of them is about streams is in `stream`.

use std::net::SocketAddr;
use std::time::Duration;

use ieum_engine::Turn;
use ieum_socket::{Ancillary, Errno, Kind, Make, Protocol};

use super::message::{Header, MULTI_BYTES, MULTI_LEN};
use crate::address::{self, Address, Use};
use crate::bounds::{DATAGRAM_BYTES_MAX, MESSAGES_MAX};
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Socket, host_errno};
use crate::sys::{Reply, number as n};

impl Runner {
    pub(crate) fn call_sendto(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let no_address = call.word(4) == 0;
        if self.is_stream(number) {
            self.expect_urgent(number, call.int(3));
            let header = Header::of_buffer(call.word(1), call.size(2));
            if no_address && self.kernel_serves_stream(number) {
                return self.send_natively(turn, call, number, &header, call.int(3));
            }
            return self.send_stream(turn, call, number, &header, call.int(3));
        }
        let mut header = Header::of_buffer(call.word(1), call.size(2));
        (header.name, header.name_len) = (call.word(4), call.int(5));
        self.send_datagram_once(turn, call, number, &header, call.int(3))
    }

    pub(crate) fn call_sendmsg(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let header = Header::read(&self.memory(call), call.word(1)).map_err(host_errno)?;
        if self.is_stream(number) {
            self.expect_urgent(number, call.int(2));
            if header.name == 0 && self.kernel_serves_stream(number) {
                return self.send_natively(turn, call, number, &header, call.int(2));
            }
            return self.send_stream(turn, call, number, &header, call.int(2));
        }
        self.send_datagram_once(turn, call, number, &header, call.int(2))
    }

    pub(crate) fn call_sendmmsg(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        if self.is_stream(number) {
            self.expect_urgent(number, call.int(3));
            if self.is_carried(number) {
                return Ok(Answer::Continue);
            }
            return self.send_stream(turn, call, number, &Header::of_buffer(0, 0), call.int(3));
        }
        self.once(call, number, |runner| runner.send_messages(turn, call, number))
    }

    /// sendmmsg on a datagram socket.
    fn send_messages(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        let count = u64::from(call.int(2).unsigned_abs()).min(MESSAGES_MAX);
        let mut sent_before = 0;
        for index in 0..count {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES);
            let sent = Header::read(&self.memory(call), at)
                .map_err(host_errno)
                .and_then(|header| self.send_datagram(turn, call, number, &header, call.int(3)));
            let told = match sent {
                Ok(len) => self.tell_length(call, at, len),
                Err(errno) if sent_before == 0 => {
                    return self.answer_unsent(turn, number, call.int(3), errno);
                }
                // What was sent before counts; the error comes again with the next call.
                Err(_) => break,
            };
            match told {
                Ok(()) => sent_before += 1,
                // The caller goes, and makes its call again: it hears of this one then.
                Err(rustix::io::Errno::SRCH) => {
                    sent_before += 1;
                    break;
                }
                Err(error) if sent_before == 0 => return Err(host_errno(error)),
                Err(_) => break,
            }
        }
        Ok(self.tell_of_sent(turn, call, number, sent_before))
    }

    /// Says how much was sent. What went to this host itself has come by then, as on Linux.
    fn tell_of_sent(&mut self, turn: &Turn<'_>, call: &Call, number: u64, count: usize) -> Answer {
        self.talk(turn);
        self.tell_once(call, number, Reply::of_count(count))
    }

    /// Writes how much of the message at `at` was sent.
    fn tell_length(&self, call: &Call, at: u64, len: usize) -> rustix::io::Result<()> {
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        self.memory(call).write_int(at.wrapping_add(MULTI_LEN), len)
    }

    /// A sendmmsg whose caller went before it heard all: the lengths of the messages that it is told of now. Each was sent whole.
    pub(crate) fn tell_lengths_again(&self, call: &Call, reply: Reply) {
        let (n::SYS_sendmmsg, Reply::Value(count)) = (call.number, reply) else { return };
        for index in 0..count.unsigned_abs() {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES);
            let told = Header::read(&self.memory(call), at)
                .and_then(|header| self.tell_length(call, at, header.room()));
            if told.is_err() {
                return;
            }
        }
    }

    pub(super) fn is_stream(&self, number: u64) -> bool {
        self.sockets.get(number).is_some_and(|socket| socket.kind == Kind::Stream)
    }

    /// Sends for a caller that sleeps: one that a signal has woken makes its call again.
    fn send_datagram_once(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Served {
        self.once(call, number, |runner| match runner.send_datagram(turn, call, number, header, flags) {
            Ok(len) => Ok(runner.tell_of_sent(turn, call, number, len)),
            Err(errno) => runner.answer_unsent(turn, number, flags, errno),
        })
    }

    fn send_datagram(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Result<usize, Errno> {
        if flags & n::MSG_OOB != 0 && self.make(number).is_some_and(Make::refuses_urgency) {
            return Err(Errno::EOPNOTSUPP);
        }
        // What was written natively before goes first.
        self.move_datagrams(turn, number);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, domain) = (socket.host, socket.domain);
        if header.name != 0
            && self.is_raw(number)
            && domain == n::AF_INET6
            && self.names_ip4(call, header.name)
        {
            return Err(Errno::EINVAL);
        }
        let destination = self.destination(call, header, domain);
        if destination != Err(Errno::EFAULT) {
            // It has a port from now on, whatever comes of the sending.
            self.bind_as_needed(turn, id)?;
        }
        let destination = destination?;
        let to = destination.or_else(|| self.host.remote_address(id).ok());
        if to.is_some_and(|to| to.ip().to_canonical().is_multicast()) {
            self.sweep_members(turn);
        }
        if flags & n::MSG_OOB != 0 {
            self.host.refuse_urgent_datagram(id, destination)?;
        }
        if let Some(errno) = self.take_shown_error(number)? {
            return Err(errno);
        }
        let control = header.control_messages(&self.memory(call)).map_err(host_errno)?;
        let ancillary = self.host.ancillary(id, destination, &control)?;
        let ancillary = Ancillary { more: flags & n::MSG_MORE != 0, ..ancillary };
        let bytes = match header.room() {
            // The host refuses it, whatever it says.
            room if room > DATAGRAM_BYTES_MAX => vec![0; DATAGRAM_BYTES_MAX + 1],
            room => header.gather(&self.memory(call), room).map_err(host_errno)?,
        };
        self.host.send_message(turn.now, id, &bytes, destination, ancillary)
    }

    /// Sockets in groups that were closed without a sign leave them before something is sent to one, which every other
    /// socket hears as long as one is in it (IP_MULTICAST_ALL).
    fn sweep_members(&mut self, turn: &Turn<'_>) {
        let of_groups = |socket: &Socket| socket.kind == Kind::Datagram && self.host.has_joined(socket.host);
        let members = self.sockets.iter().filter(|(_, socket)| of_groups(socket));
        let members: Vec<u64> = members.map(|(number, _)| number).collect();
        for number in members {
            let Some(socket) = self.sockets.get(number) else { continue };
            if let Some(name) = &socket.name
                && !self.probe.is_alive(socket.unix_kind(), name)
            {
                self.close_for_certain(turn, number);
            }
        }
    }

    /// Is it a raw socket? Those of IPv6 know of no other family.
    pub(super) fn is_raw(&self, number: u64) -> bool {
        self.make(number).is_some_and(|make| matches!(make.protocol, Protocol::Raw(_)))
    }

    fn make(&self, number: u64) -> Option<Make> {
        self.sockets.get(number).and_then(|socket| self.host.make(socket.host))
    }

    /// Does a `sockaddr` there say that it is one of IPv4?
    pub(super) fn names_ip4(&self, call: &Call, pointer: u64) -> bool {
        let family = self.memory(call).read_array::<2>(pointer);
        family.is_ok_and(|family| i32::from(u16::from_ne_bytes(family)) == n::AF_INET)
    }

    fn destination(&self, call: &Call, header: &Header, domain: i32) -> Result<Option<SocketAddr>, Errno> {
        if header.name == 0 {
            return Ok(None);
        }
        let address = address::read(&self.memory(call), header.name, header.name_len, domain, Use::Send);
        match address.map_err(host_errno)? {
            Address::Internet(address) => Ok(Some(address)),
            Address::Unspecified => Ok(None),
        }
    }

    /// A blocking sender waits for room, and not for a port where none is free.
    fn answer_unsent(&mut self, turn: &Turn<'_>, number: u64, flags: i32, errno: Errno) -> Served {
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        let waits = errno == Errno::EAGAIN && !self.host.has_no_port(id);
        if waits { self.answer_no_room(turn, number, flags) } else { Err(errno) }
    }

    pub(super) fn answer_no_room(&mut self, turn: &Turn<'_>, number: u64, flags: i32) -> Served {
        if flags & n::MSG_DONTWAIT != 0 {
            return Err(Errno::EAGAIN);
        }
        let copy = self.copy(number)?;
        if is_nonblocking(&copy) {
            return Err(Errno::EAGAIN);
        }
        let time = self.sockets.get(number).and_then(|socket| self.host.send_time(socket.host));
        if time == Some(Duration::ZERO) {
            return Err(Errno::EAGAIN);
        }
        Ok(Answer::Wait { socket: number, deadline: time.map(|time| turn.now + time) })
    }
}
