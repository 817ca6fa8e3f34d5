//! Reading and writing, in all their forms.

use std::time::Duration;

use ieum_socket::{Domain, Errno, Kind as SocketKind, SocketId};
use ieum_stack::WriteEnd;

use ieum_stack::State as TcpState;

use super::table::Kind;
use super::value::Value;
use super::{Answer, Asked, Progress, Wait};
use crate::run::Runner;
use crate::run::flow::Protocol;
use crate::stop::Stop;

/// Bytes at an address that is not there.
const EFAULT: Errno = Errno(libc::EFAULT);

/// What reading is asked for.
struct Reading {
    bytes: usize,
    flags: i32,
    /// The buffer exists.
    into: bool,
}

/// What writing is asked for.
struct Writing {
    bytes: usize,
    flags: i32,
    from: bool,
    /// An address is given.
    to: bool,
}

impl Runner<'_> {
    pub(super) fn receive(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        let reading = reading(asked)?;
        let names = [(libc::MSG_ERRQUEUE, "the error queue (MSG_ERRQUEUE)")];
        refuse(reading.flags, &names)?;
        let (number, id) = self.socket_at(asked, 0)?;
        if reading.flags & libc::MSG_OOB != 0 {
            let peek = reading.flags & libc::MSG_PEEK != 0;
            let byte = self.machine.host.recv_urgent(id, peek);
            asked.exactly(byte.map(|byte| i64::from(byte.is_some() && reading.bytes > 0)))?;
            return Ok(Progress::Done);
        }
        let (answer, message_flags) = match self.machine.host.kind(id) {
            Some(SocketKind::Datagram) => self.receive_datagram(id, &reading),
            Some(SocketKind::Stream) | None => (self.receive_bytes(id, &reading, wait), 0),
        };
        let all = reading.flags & libc::MSG_WAITALL != 0 && reading.flags & libc::MSG_PEEK == 0;
        let answer = match answer {
            Err(Errno::EAGAIN) => {
                self.begin_waiting(id, libc::SO_RCVTIMEO, wait);
                if !self.gives_up(number, reading.flags, wait)? {
                    return Ok(Progress::Waiting);
                }
                if wait.moved > 0 { Ok(moved(wait.moved)) } else { Err(Errno::EAGAIN) }
            }
            Ok(count) if all && count > 0 => {
                wait.moved += usize::try_from(count).unwrap_or(0);
                if wait.moved < reading.bytes && !self.gives_up(number, reading.flags, wait)? {
                    return Ok(Progress::Waiting);
                }
                Ok(moved(wait.moved))
            }
            Ok(0) | Err(_) if wait.moved > 0 => Ok(moved(wait.moved)),
            answer => answer,
        };
        asked.exactly(answer)?;
        if asked.call.name == "recvmsg" {
            let unread = self.machine.host.unread(id);
            check_message(asked.arguments.get(1)?, message_flags, unread)?;
        }
        Ok(Progress::Done)
    }

    fn receive_bytes(&mut self, id: SocketId, reading: &Reading, wait: &Wait) -> Answer {
        let peek = reading.flags & libc::MSG_PEEK != 0;
        let now = self.machine.now();
        let mut buffer = vec![0; reading.bytes - wait.moved.min(reading.bytes)];
        if !reading.into && reading.flags & libc::MSG_TRUNC == 0 {
            // Nobody notices that there is no buffer before there are bytes for it.
            return match self.machine.host.recv(now, id, &mut buffer, true)? {
                0 => Ok(0),
                _ => Err(EFAULT),
            };
        }
        self.machine.host.recv(now, id, &mut buffer, peek).map(moved)
    }

    fn receive_datagram(&mut self, id: SocketId, reading: &Reading) -> (Answer, i32) {
        let peek = reading.flags & libc::MSG_PEEK != 0;
        match self.machine.host.recv_from(self.machine.now(), id, peek) {
            Ok((payload, _)) if payload.len() > reading.bytes => {
                let whole = reading.flags & libc::MSG_TRUNC != 0;
                (Ok(moved(if whole { payload.len() } else { reading.bytes })), libc::MSG_TRUNC)
            }
            Ok((payload, _)) => (Ok(moved(payload.len())), 0),
            Err(errno) => (Err(errno), 0),
        }
    }

    pub(super) fn send(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        let writing = writing(asked)?;
        let names = [(libc::MSG_ZEROCOPY, "sending without a copy (MSG_ZEROCOPY)")];
        refuse(writing.flags, &names)?;
        let (number, id) = self.socket_at(asked, 0)?;
        let protocol =
            self.table.flow(number)?.and_then(|flow| self.flows.get(flow)).map(|flow| flow.protocol);
        if writing.to && !wait.begun {
            self.connecting(number, false)?;
        }
        if wait.connects
            && let Some(progress) = self.still_connects(asked, id)?
        {
            return Ok(progress);
        }
        if !writing.from && writing.bytes > 0 {
            asked.exactly(Err(EFAULT))?;
            return Ok(Progress::Done);
        }
        if self.waits_for_room(number, id, writing.flags, wait)? {
            return Ok(Progress::Waiting);
        }
        let mut payload = vec![0; writing.bytes - wait.moved.min(writing.bytes)];
        if let (Some(Protocol::Icmp), Some(first)) = (protocol, payload.first_mut()) {
            *first = if self.machine.host.domain(id) == Some(Domain::Ip6) { 128 } else { 8 };
        }
        let address = writing.to.then(|| self.config.as_named(self.config.remote()));
        let end = match writing.flags {
            flags if flags & libc::MSG_MORE != 0 => WriteEnd::More,
            flags if flags & libc::MSG_EOR != 0 => WriteEnd::Record,
            _ => WriteEnd::Push,
        };
        let now = self.machine.now();
        let fast = writing.flags & libc::MSG_FASTOPEN != 0 && !wait.connects;
        let deferred = self.machine.host.status(id).is_some_and(|status| status.deferred);
        let answer = match fast {
            true => self.machine.host.send_fast_open(now, id, &payload, address),
            false if writing.flags & libc::MSG_OOB != 0 => self.machine.host.send_urgent(now, id, &payload),
            false => self.machine.host.send_ending(now, id, &payload, address, end),
        };
        let connects = (fast || deferred) && matches!(answer, Ok(_) | Err(Errno::EINPROGRESS));
        if connects && !self.is_open(id) && !self.gives_up(number, writing.flags, wait)? {
            wait.connects = true;
            wait.moved = answer.unwrap_or(0);
            if wait.moved < payload.len() {
                self.machine.host.writer_waits(id);
            }
            return Ok(Progress::Waiting);
        }
        if connects {
            // What did not go with the SYN is not waited for.
            asked.exactly(answer.map(moved))?;
            return Ok(Progress::Done);
        }
        let answer = answer.map(moved);
        self.sent(asked, number, id, writing.flags, writing.bytes, answer, wait)
    }

    /// A call that connected with its data goes on when it is connected. Should that fail, it says so and nothing else.
    fn still_connects(&mut self, asked: &Asked<'_>, id: SocketId) -> Result<Option<Progress>, Stop> {
        let address = self.config.as_named(self.config.remote());
        match self.machine.host.connect(self.machine.now(), id, Some(address)) {
            Err(Errno::EALREADY) => Ok(Some(Progress::Waiting)),
            Err(Errno::EISCONN) | Ok(_) => Ok(None),
            Err(errno) => asked.exactly(Err(errno)).map(|()| Some(Progress::Done)),
        }
    }

    fn is_open(&self, id: SocketId) -> bool {
        let connecting = |state| matches!(state, TcpState::SynSent | TcpState::SynReceived);
        self.machine.host.status(id).is_some_and(|status| !connecting(status.state))
    }

    /// Goes on after bytes were taken, or not: a call that blocks writes all of them.
    #[allow(clippy::too_many_arguments, reason = "one step of a loop that three calls share")]
    pub(super) fn sent(
        &mut self,
        asked: &Asked<'_>,
        number: i32,
        id: SocketId,
        flags: i32,
        wanted: usize,
        answer: Answer,
        wait: &mut Wait,
    ) -> Result<Progress, Stop> {
        let answer = match answer {
            Ok(count) => {
                wait.moved += usize::try_from(count).unwrap_or(0);
                if wait.moved >= wanted { Ok(moved(wait.moved)) } else { Err(Errno::EAGAIN) }
            }
            Err(errno) => Err(errno),
        };
        if answer == Err(Errno::EAGAIN) {
            self.begin_waiting(id, libc::SO_SNDTIMEO, wait);
            if !self.gives_up(number, flags, wait)? {
                return Ok(Progress::Waiting);
            }
        }
        let answer = match answer {
            Err(_) if wait.moved > 0 => Ok(moved(wait.moved)),
            answer => answer,
        };
        asked.exactly(answer)?;
        Ok(Progress::Done)
    }

    /// Who waits for room is not asked again before there is enough of it to be worth while.
    fn waits_for_room(&self, number: i32, id: SocketId, flags: i32, wait: &Wait) -> Result<bool, Stop> {
        let ready = self.machine.host.readiness(id);
        let over = ready.writable || ready.error || ready.hangup;
        Ok(wait.begun && !over && !self.gives_up(number, flags, wait)?)
    }

    /// The first time a call waits: until when, says the socket.
    fn begin_waiting(&mut self, id: SocketId, option: i32, wait: &mut Wait) {
        if wait.until.is_some() {
            return;
        }
        let bytes = self.machine.host.option(id, libc::SOL_SOCKET, option).unwrap_or_default();
        let [seconds, us] = [0, 8].map(|at| {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
            u64::try_from(word.map_or(0, |word| i64::from_ne_bytes(*word))).unwrap_or(0)
        });
        if (seconds, us) != (0, 0) {
            wait.until = Some(self.machine.now() + Duration::from_secs(seconds) + Duration::from_micros(us));
        }
    }
}

/// A count of bytes as an answer.
pub(super) fn moved(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Flags that ask for something that is not there.
fn refuse(flags: i32, names: &[(i32, &str)]) -> Result<(), Stop> {
    match names.iter().find(|(bit, _)| flags & bit != 0) {
        Some((_, name)) => Err(Stop::unsupported(*name)),
        None => Ok(()),
    }
}

fn reading(asked: &Asked<'_>) -> Result<Reading, Stop> {
    let arguments = &asked.arguments;
    let (count, flags_at) = match asked.call.name.as_str() {
        "read" => (3, None),
        "recv" => (4, Some(3)),
        "recvfrom" => (6, Some(3)),
        "readv" => (3, None),
        _ => (3, Some(2)),
    };
    arguments.must_be(count)?;
    let flags = flags_at.map_or(Ok(0), |at| arguments.int(at))?;
    match asked.call.name.as_str() {
        "readv" => Ok(Reading { bytes: vector(asked)?, flags, into: true }),
        "recvmsg" => Ok(Reading { bytes: message_bytes(arguments.get(1)?)?, flags, into: true }),
        _ => Ok(Reading { bytes: arguments.size(2)?, flags, into: arguments.buffer(1)? }),
    }
}

fn writing(asked: &Asked<'_>) -> Result<Writing, Stop> {
    let arguments = &asked.arguments;
    match asked.call.name.as_str() {
        "writev" => {
            arguments.must_be(3)?;
            Ok(Writing { bytes: vector(asked)?, flags: 0, from: true, to: false })
        }
        "sendmsg" => {
            arguments.must_be(3)?;
            let message = arguments.get(1)?;
            if message.wanted("msg_flags")?.int()? != 0 {
                return Err(Stop::failed("sendmsg ignores msg_flags field in msghdr"));
            }
            if let Some(Value::List(control)) = message.field("msg_control")
                && !control.is_empty()
            {
                return Err(Stop::unsupported("control messages"));
            }
            Ok(Writing { bytes: message_bytes(message)?, flags: arguments.int(2)?, from: true, to: true })
        }
        "write" => {
            arguments.must_be(3)?;
            Ok(Writing { bytes: arguments.size(2)?, flags: 0, from: arguments.buffer(1)?, to: false })
        }
        "send" => {
            arguments.must_be(4)?;
            Ok(Writing {
                bytes: arguments.size(2)?,
                flags: arguments.int(3)?,
                from: arguments.buffer(1)?,
                to: false,
            })
        }
        _ => {
            arguments.must_be(6)?;
            Ok(Writing {
                bytes: arguments.size(2)?,
                flags: arguments.int(3)?,
                from: arguments.buffer(1)?,
                to: arguments.is_any(4)?,
            })
        }
    }
}

/// The sizes of `readv` and `writev`, added up.
fn vector(asked: &Asked<'_>) -> Result<usize, Stop> {
    let (buffers, count) = (asked.arguments.get(1)?.buffers()?, asked.arguments.size(2)?);
    if buffers.len() != count {
        let have = buffers.len();
        return Err(Stop::failed(format!("iov_count {count} does not match {have}-element iovec array")));
    }
    Ok(buffers.iter().sum())
}

/// The sizes of a message's buffers, added up.
fn message_bytes(message: &Value) -> Result<usize, Stop> {
    Ok(message.wanted("msg_iov")?.buffers()?.iter().sum())
}

/// Is what `recvmsg` wrote into a message what the script says? `unread`: a control message says that so much is left.
fn check_message(message: &Value, actual: i32, unread: Option<usize>) -> Result<(), Stop> {
    if let Some(Value::List(control)) = message.field("msg_control") {
        check_control(control, unread)?;
    }
    let expected = message.wanted("msg_flags")?.int()?;
    if expected == actual {
        return Ok(());
    }
    Err(Stop::failed(format!("Expected msg_flags {expected:#010X} but got {actual:#010X}")))
}

/// Control messages; of those that there are on Linux the one of TCP_INQ.
fn check_control(expected: &[Value], unread: Option<usize>) -> Result<(), Stop> {
    for message in expected {
        let part = |name| message.wanted(name).and_then(Value::int);
        if (part("cmsg_level")?, part("cmsg_type")?) != (libc::SOL_TCP, TCP_CM_INQ) {
            return Err(Stop::unsupported("control messages"));
        }
    }
    let told: Vec<usize> = unread.into_iter().collect();
    let mut wanted = Vec::new();
    for message in expected {
        wanted.push(usize::try_from(message.wanted("cmsg_data")?.int()?).unwrap_or(usize::MAX));
    }
    if told == wanted {
        return Ok(());
    }
    Err(Stop::failed(format!("Expected control messages of TCP_INQ {wanted:?} but got {told:?}")))
}

/// The control message that says how much is left to be read.
const TCP_CM_INQ: i32 = libc::TCP_INQ;

impl Runner<'_> {
    /// The bytes of a file that the second argument names.
    pub(super) fn file_at(&self, number: i32) -> Result<&[u8], Stop> {
        match &self.table.get(number)?.kind {
            Kind::File(bytes) => Ok(bytes),
            Kind::Socket(_) | Kind::Pipe { .. } | Kind::Epoll(_) => {
                Err(Stop::failed(format!("fd {number} is no file")))
            }
        }
    }
}
