//! From `socket` to `close`: calls that make, shape and end sockets.

use ieum_socket::{Errno, How, SocketId, Wait};
use ieum_stack::State as TcpState;

use super::table::Kind;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::run::flow::{Flow, Protocol, State};
use crate::stop::Stop;

impl Runner<'_> {
    /// The socket that the first argument names.
    pub(super) fn socket_at(&self, asked: &Asked<'_>, at: usize) -> Result<(i32, SocketId), Stop> {
        let number = asked.arguments.int(at)?;
        match self.table.get(number)?.kind {
            Kind::Socket(id) => Ok((number, id)),
            Kind::Pipe { .. } | Kind::File(_) | Kind::Epoll(_) => {
                Err(Stop::failed(format!("fd {number} is no socket")))
            }
        }
    }

    pub(super) fn socket(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(3)?;
        let own = asked.arguments.is_any(0)?;
        let domain = if own { self.config.domain().number() } else { asked.arguments.int(0)? };
        let (kind, protocol) = (asked.arguments.int(1)?, asked.arguments.int(2)?);
        let bits = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let made = self.machine.host.socket(domain, kind & !bits, protocol);
        if made == Err(Errno::EPERM) && asked.expected >= 0 {
            return Err(Stop::unsupported("raw and packet sockets"));
        }
        asked.descriptor(made.map(|_| 0))?;
        let Ok(id) = made else { return Ok(Progress::Done) };
        let carries = match protocol {
            libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => Protocol::Icmp,
            _ if kind & !bits == libc::SOCK_DGRAM => Protocol::Udp,
            _ => Protocol::Tcp,
        };
        if carries == Protocol::Tcp {
            let now = self.machine.now();
            for (level, name, value) in self.settings.socket_defaults.clone() {
                // A default that a socket refuses would be refused by Linux as well.
                let _ = self.machine.host.set_option(now, id, level, name, &value);
            }
        }
        self.flows.push(Flow::new(State::New, carries));
        let flow = self.flows.len() - 1;
        self.under_test = Some(flow);
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        self.table.add(asked.number()?, Kind::Socket(id), nonblocking, Some(flow))?;
        Ok(Progress::Done)
    }

    pub(super) fn bind(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(3)?;
        let (_, id) = self.socket_at(asked, 0)?;
        let address = self.config.as_named(self.config.local());
        asked.exactly(self.machine.host.bind(id, address).map(|()| 0))?;
        Ok(Progress::Done)
    }

    pub(super) fn listen(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(2)?;
        let (number, id) = self.socket_at(asked, 0)?;
        let backlog = asked.arguments.int(1)?;
        asked.exactly(self.machine.host.listen(id, backlog).map(|()| 0))?;
        if let Some(flow) = self.table.flow(number)?.and_then(|flow| self.flows.get_mut(flow)) {
            flow.state = State::Listening;
        }
        Ok(Progress::Done)
    }

    pub(super) fn accept(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        let four = asked.call.name == "accept4";
        asked.arguments.must_be(if four { 4 } else { 3 })?;
        let (number, id) = self.socket_at(asked, 0)?;
        let (now, blocks) = (self.machine.now(), self.blocks(number)?);
        let Some(accepted) = self.machine.host.accept_waiting(now, id, blocks, wait) else {
            return Ok(Progress::Waiting);
        };
        asked.descriptor(accepted.map(|_| 0))?;
        let Ok((accepted, peer)) = accepted else { return Ok(Progress::Done) };
        let ip = peer.ip().to_canonical();
        let is_its =
            |flow: &Flow| flow.remote.is_some_and(|remote| (remote.ip(), remote.port()) == (ip, peer.port()));
        let flow = self.flows.iter().rposition(is_its);
        let flow = flow.ok_or_else(|| Stop::failed("unable to find socket matching accept() call"))?;
        let flags = if four { asked.arguments.int(3)? } else { 0 };
        let nonblocking = flags & libc::SOCK_NONBLOCK != 0;
        // As in the original, a script may accept again under a number that it has not closed.
        self.table.add_over(asked.number()?, Kind::Socket(accepted), nonblocking, Some(flow));
        Ok(Progress::Done)
    }

    /// Does the descriptor block, so that a call that finds nothing waits?
    pub(super) fn blocks(&self, number: i32) -> Result<bool, Stop> {
        Ok(!self.table.get(number)?.nonblocking)
    }

    pub(super) fn close(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(1)?;
        let number = asked.arguments.int(0)?;
        self.table.get(number)?;
        asked.exactly(Ok(0))?;
        if let Some(Kind::Socket(id)) = self.table.close(number)? {
            self.machine.host.close(self.machine.now(), id);
        }
        Ok(Progress::Done)
    }

    pub(super) fn shutdown(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(2)?;
        let (_, id) = self.socket_at(asked, 0)?;
        let answer = match asked.arguments.int(1)? {
            libc::SHUT_RD => self.machine.host.shutdown(self.machine.now(), id, How::Read),
            libc::SHUT_WR => self.machine.host.shutdown(self.machine.now(), id, How::Write),
            libc::SHUT_RDWR => self.machine.host.shutdown(self.machine.now(), id, How::Both),
            _ => Err(Errno::EINVAL),
        };
        asked.exactly(answer.map(|()| 0))?;
        Ok(Progress::Done)
    }

    pub(super) fn dup(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(1)?;
        let number = asked.arguments.int(0)?;
        asked.descriptor(Ok(0))?;
        self.table.dup(number, asked.number()?)?;
        Ok(Progress::Done)
    }

    pub(super) fn fcntl(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        let (number, command) = (asked.arguments.int(0)?, asked.arguments.int(1)?);
        let open = self.table.get_mut(number)?;
        let answer = match command {
            libc::F_GETFL => Ok(libc::O_RDWR | if open.nonblocking { libc::O_NONBLOCK } else { 0 }),
            libc::F_SETFL => {
                open.nonblocking = asked.arguments.int(2)? & libc::O_NONBLOCK != 0;
                Ok(0)
            }
            libc::F_GETFD => Ok(0),
            libc::F_SETFD => Ok(0),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
                asked.descriptor(Ok(0))?;
                self.table.dup(number, asked.number()?)?;
                return Ok(Progress::Done);
            }
            other => return Err(Stop::unsupported(format!("fcntl's command {other}"))),
        };
        asked.exactly(answer.map(i64::from))?;
        Ok(Progress::Done)
    }

    pub(super) fn ioctl(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        let (_, id) = self.socket_at(asked, 0)?;
        let status = self.machine.host.status(id);
        let bytes = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let number = match (asked.arguments.int(1)?, status) {
            (_, _) if self.machine.host.is_listening(id) => Err(Errno::EINVAL),
            (SIOCINQ, Some(status)) if status.state == TcpState::SynSent => {
                let _ = status;
                Ok(0)
            }
            (SIOCINQ, Some(status)) => Ok(bytes(status.readable_bytes)),
            // The end is a position like others.
            (SIOCOUTQ, Some(status)) => {
                let end = usize::from(status.finished && !status.finish_acknowledged);
                Ok(bytes(status.unacknowledged_bytes + end))
            }
            (SIOCOUTQNSD, Some(status)) => Ok(bytes(status.unsent_bytes)),
            (SIOCATMARK, _) => Ok(i64::from(self.machine.host.is_at_mark(id))),
            (SIOCINQ | SIOCOUTQ | SIOCOUTQNSD, None) => Ok(0),
            (other, _) => return Err(Stop::unsupported(format!("ioctl's command {other:#x}"))),
        };
        asked.exactly(number.map(|_| 0))?;
        if let (Ok(actual), 3) = (number, asked.arguments.count()) {
            let expected = asked.arguments.get(2)?.bracketed()?;
            if actual != expected {
                return Err(Stop::failed(format!("Bad ioctl optval: expected: {expected} actual: {actual}")));
            }
        }
        Ok(Progress::Done)
    }
}

/// Does the next read begin at the urgent byte?
const SIOCATMARK: i32 = 0x8905;
/// Bytes that can be read (FIONREAD).
const SIOCINQ: i32 = 0x541b;
/// Bytes that were not acknowledged (TIOCOUTQ).
const SIOCOUTQ: i32 = 0x5411;
/// Bytes that were not sent.
const SIOCOUTQNSD: i32 = 0x894b;
