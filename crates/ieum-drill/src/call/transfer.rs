//! Reading and writing, in all their forms.

use ieum_socket::{Domain, Errno, Reading, Received, Wait, Writing};

use super::table::Kind;
use super::value::Value;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::run::flow::Protocol;
use crate::stop::Stop;

/// What reading or writing is asked for.
struct Asking {
    bytes: usize,
    flags: i32,
    /// The buffer exists.
    buffer: bool,
    /// An address is given.
    to: bool,
}

impl Runner<'_> {
    pub(super) fn receive(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        let Asking { bytes, flags, buffer: into, .. } = reading(asked)?;
        let (number, id) = self.socket_at(asked, 0)?;
        let reading = Reading { bytes, flags, into, blocks: self.blocks(number)? };
        let mut received = Received::default();
        let answer = self.machine.host.recv_waiting(self.machine.now(), id, &reading, wait, &mut received);
        let progress = asked.when_done(answer.map(|answer| answer.map(moved)))?;
        // Of a call that failed nothing is written.
        if matches!(answer, Some(Ok(_))) && asked.call.name == "recvmsg" {
            self.check_message(asked.arguments.get(1)?, &received)?;
        }
        Ok(progress)
    }

    pub(super) fn send(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        let Asking { bytes, flags, buffer, to } = writing(asked)?;
        let (number, id) = self.socket_at(asked, 0)?;
        if to && !wait.begun {
            self.connecting(number, false)?;
        }
        if !buffer && bytes > 0 {
            asked.exactly(Err(Errno::EFAULT))?;
            return Ok(Progress::Done);
        }
        let mut payload = vec![0; bytes];
        let flow = self.table.flow(number)?.and_then(|flow| self.flows.get(flow));
        if let (Some(Protocol::Icmp), Some(first)) = (flow.map(|flow| flow.protocol), payload.first_mut()) {
            *first = if self.machine.host.domain(id) == Some(Domain::Ip6) { 128 } else { 8 };
        }
        let to = to.then(|| self.config.as_named(self.config.remote()));
        let writing = Writing { bytes: &payload, flags, to, control: &[], blocks: self.blocks(number)? };
        let answer = self.machine.host.send_waiting(self.machine.now(), id, &writing, wait);
        asked.when_done(answer.map(|answer| answer.map(moved)))
    }
}

/// A count of bytes as an answer.
pub(super) fn moved(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn reading(asked: &Asked<'_>) -> Result<Asking, Stop> {
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
        "readv" => Ok(Asking { bytes: vector(asked)?, flags, buffer: true, to: false }),
        "recvmsg" => Ok(Asking { bytes: message_bytes(arguments.get(1)?)?, flags, buffer: true, to: false }),
        _ => Ok(Asking { bytes: arguments.size(2)?, flags, buffer: arguments.buffer(1)?, to: false }),
    }
}

fn writing(asked: &Asked<'_>) -> Result<Asking, Stop> {
    let arguments = &asked.arguments;
    match asked.call.name.as_str() {
        "writev" => {
            arguments.must_be(3)?;
            Ok(Asking { bytes: vector(asked)?, flags: 0, buffer: true, to: false })
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
            Ok(Asking { bytes: message_bytes(message)?, flags: arguments.int(2)?, buffer: true, to: true })
        }
        "write" => {
            arguments.must_be(3)?;
            Ok(Asking { bytes: arguments.size(2)?, flags: 0, buffer: arguments.buffer(1)?, to: false })
        }
        "send" => {
            arguments.must_be(4)?;
            Ok(Asking {
                bytes: arguments.size(2)?,
                flags: arguments.int(3)?,
                buffer: arguments.buffer(1)?,
                to: false,
            })
        }
        _ => {
            arguments.must_be(6)?;
            Ok(Asking {
                bytes: arguments.size(2)?,
                flags: arguments.int(3)?,
                buffer: arguments.buffer(1)?,
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
