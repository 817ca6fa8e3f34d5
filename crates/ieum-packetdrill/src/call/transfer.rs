//! Reading and writing, in all their forms.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_socket::{Domain, Errno, Kind as SocketKind, SocketId};
use ieum_stack::{State as TcpState, WriteEnd};

use super::{EFAULT, gives_up};
use crate::shared::{Progress, Shared, Wait};
use crate::state::{ENOTSOCK, State};
use crate::table::Kind;

/// What reading is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) number: i32,
    /// Size of all buffers.
    pub(crate) bytes: usize,
    pub(crate) flags: i32,
    /// The buffer is there.
    pub(crate) into: bool,
}

/// What was read.
#[derive(Clone, Default, Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// What the call returns: more than the bytes, should a datagram's whole length be asked for, or bytes be dropped.
    pub(crate) answer: usize,
    /// Where a datagram came from.
    pub(crate) source: Option<SocketAddr>,
    /// MSG_TRUNC of `recvmsg`.
    pub(crate) message_flags: i32,
    /// What a control message of `recvmsg` says is left to be read (TCP_INQ).
    pub(crate) unread: Option<usize>,
}

/// What writing is asked for: bytes that are there, or a number of bytes that are not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) number: i32,
    pub(crate) bytes: Result<&'a [u8], Errno>,
    pub(crate) flags: i32,
    pub(crate) to: Option<SocketAddr>,
}

impl Shared {
    pub(crate) fn read(&self, reading: Reading) -> Result<Read, Errno> {
        let mut read = Read::default();
        let answer = self.call(|state, wait| match state.socket_at(reading.number) {
            Err(ENOTSOCK) => Some(read_pipe(state, reading, &mut read)),
            Err(errno) => Some(Err(errno)),
            Ok(id) => receive(state, id, reading, wait, &mut read),
        })?;
        read.answer = answer;
        read.unread = self.call(|state, _| {
            let id = state.socket_at(reading.number);
            Some(Ok(id.ok().and_then(|id| state.machine.host.unread(id))))
        })?;
        Ok(read)
    }

    pub(crate) fn write(&self, writing: Writing<'_>) -> Result<usize, Errno> {
        self.call(|state, wait| match state.socket_at(writing.number) {
            Err(ENOTSOCK) => Some(write_pipe(state, writing)),
            Err(errno) => Some(Err(errno)),
            Ok(id) => send(state, id, writing, wait),
        })
    }
}

fn receive(
    state: &mut State,
    id: SocketId,
    reading: Reading,
    wait: &mut Wait,
    read: &mut Read,
) -> Progress<usize> {
    if reading.flags & libc::MSG_OOB != 0 {
        let peek = reading.flags & libc::MSG_PEEK != 0;
        let byte = state.machine.host.recv_urgent(id, peek);
        read.bytes = byte.ok().flatten().into_iter().take(reading.bytes).collect();
        return Some(byte.map(|_| read.bytes.len()));
    }
    if reading.flags & libc::MSG_ERRQUEUE != 0 {
        return Some(Err(Errno::EAGAIN));
    }
    let answer = match state.machine.host.kind(id) {
        Some(SocketKind::Datagram) => receive_datagram(state, id, reading, read),
        Some(SocketKind::Stream) | None => receive_bytes(state, id, reading, wait, read),
    };
    let all = reading.flags & libc::MSG_WAITALL != 0 && reading.flags & libc::MSG_PEEK == 0;
    Some(match answer {
        Err(Errno::EAGAIN) => {
            begin_waiting(state, id, libc::SO_RCVTIMEO, wait);
            match gives_up(state, reading.number, reading.flags, wait) {
                Ok(false) => return None,
                Ok(true) if wait.moved > 0 => Ok(wait.moved),
                Ok(true) => Err(Errno::EAGAIN),
                Err(errno) => Err(errno),
            }
        }
        Ok(count) if all && count > 0 => {
            wait.moved += count;
            match gives_up(state, reading.number, reading.flags, wait) {
                Ok(false) if wait.moved < reading.bytes => return None,
                Ok(_) => Ok(wait.moved),
                Err(errno) => Err(errno),
            }
        }
        Ok(0) | Err(_) if wait.moved > 0 => Ok(wait.moved),
        answer => answer,
    })
}

fn receive_bytes(
    state: &mut State,
    id: SocketId,
    reading: Reading,
    wait: &Wait,
    read: &mut Read,
) -> Result<usize, Errno> {
    let peek = reading.flags & libc::MSG_PEEK != 0;
    let drops = reading.flags & libc::MSG_TRUNC != 0;
    let now = state.machine.now();
    // No larger than what is there: sizes are the script's, and memory is pinned.
    let there = state.machine.host.status(id).map_or(0, |status| status.readable_bytes);
    let room = reading.bytes - wait.moved.min(reading.bytes);
    let mut buffer = vec![0; room.min(there.max(1))];
    if !reading.into && !drops {
        // Nobody notices that there is no buffer before there are bytes for it.
        return match state.machine.host.recv(now, id, &mut buffer, true)? {
            0 => Ok(0),
            _ => Err(EFAULT),
        };
    }
    let count = state.machine.host.recv(now, id, &mut buffer, peek)?;
    if !drops {
        read.bytes.extend(&buffer[..count]);
    }
    Ok(count)
}

fn receive_datagram(
    state: &mut State,
    id: SocketId,
    reading: Reading,
    read: &mut Read,
) -> Result<usize, Errno> {
    let peek = reading.flags & libc::MSG_PEEK != 0;
    let (mut payload, source) = state.machine.host.recv_from(state.machine.now(), id, peek)?;
    let whole = payload.len();
    payload.truncate(reading.bytes);
    let cut = payload.len() < whole;
    read.message_flags = if cut { libc::MSG_TRUNC } else { 0 };
    read.source = Some(source);
    let answer = if reading.flags & libc::MSG_TRUNC != 0 { whole } else { payload.len() };
    read.bytes = payload;
    Ok(answer)
}

fn send(state: &mut State, id: SocketId, writing: Writing<'_>, wait: &mut Wait) -> Progress<usize> {
    let bytes = match writing.bytes {
        Ok(bytes) => bytes,
        Err(errno) => return Some(Err(errno)),
    };
    if wait.connects
        && let Some(progress) = still_connects(state, id, writing.to)
    {
        return progress;
    }
    if waits_for_room(state, id, writing, wait) {
        return None;
    }
    let left = bytes.get(wait.moved..).unwrap_or_default();
    let fast = writing.flags & libc::MSG_FASTOPEN != 0 && !wait.connects;
    let deferred = state.machine.host.status(id).is_some_and(|status| status.deferred);
    let answer = send_once(state, id, left, writing, fast);
    if (fast || deferred) && matches!(answer, Ok(_) | Err(Errno::EINPROGRESS)) {
        if is_open(state, id) || gives_up(state, writing.number, writing.flags, wait) != Ok(false) {
            // What did not go with the SYN is not waited for.
            return Some(answer);
        }
        wait.connects = true;
        wait.moved = answer.unwrap_or(0);
        if wait.moved < left.len() {
            state.machine.host.writer_waits(id);
        }
        return None;
    }
    let answer = match answer {
        Ok(count) => {
            wait.moved += count;
            if wait.moved >= bytes.len() { Ok(wait.moved) } else { Err(Errno::EAGAIN) }
        }
        Err(errno) => Err(errno),
    };
    if answer == Err(Errno::EAGAIN) {
        begin_waiting(state, id, libc::SO_SNDTIMEO, wait);
        match gives_up(state, writing.number, writing.flags, wait) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(errno) => return Some(Err(errno)),
        }
    }
    Some(match answer {
        Err(_) if wait.moved > 0 => Ok(wait.moved),
        answer => answer,
    })
}

/// Sends what can be sent now; `fast`: with the SYN of a connection that it opens (MSG_FASTOPEN).
fn send_once(
    state: &mut State,
    id: SocketId,
    bytes: &[u8],
    writing: Writing<'_>,
    fast: bool,
) -> Result<usize, Errno> {
    let now = state.machine.now();
    let end = match writing.flags {
        flags if flags & libc::MSG_MORE != 0 => WriteEnd::More,
        flags if flags & libc::MSG_EOR != 0 => WriteEnd::Record,
        _ => WriteEnd::Push,
    };
    match fast {
        true => state.machine.host.send_fast_open(now, id, bytes, writing.to),
        false if writing.flags & libc::MSG_OOB != 0 => state.machine.host.send_urgent(now, id, bytes),
        false => state.machine.host.send_ending(now, id, bytes, writing.to, end),
    }
}

/// A call that connected with its data goes on (`None`) when it is connected. Should that fail, it says so and nothing
/// else.
fn still_connects(state: &mut State, id: SocketId, to: Option<SocketAddr>) -> Option<Progress<usize>> {
    let to = to.or_else(|| {
        let remote = state.machine.host.status(id)?.remote;
        Some(match (state.machine.host.domain(id), remote.ip()) {
            (Some(Domain::Ip6), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), remote.port()),
            (_, _) => remote,
        })
    });
    match state.machine.host.connect(state.machine.now(), id, to) {
        Err(Errno::EALREADY) => Some(None),
        Err(Errno::EISCONN) | Ok(_) => None,
        Err(errno) => Some(Some(Err(errno))),
    }
}

fn is_open(state: &State, id: SocketId) -> bool {
    let connecting = |state| matches!(state, TcpState::SynSent | TcpState::SynReceived);
    state.machine.host.status(id).is_some_and(|status| !connecting(status.state))
}

/// Who waits for room is not asked again before there is enough of it to be worth while.
fn waits_for_room(state: &State, id: SocketId, writing: Writing<'_>, wait: &Wait) -> bool {
    let ready = state.machine.host.readiness(id);
    let over = ready.writable || ready.error || ready.hangup;
    wait.begun && !over && gives_up(state, writing.number, writing.flags, wait) == Ok(false)
}

/// The first time a call waits: until when, says the socket.
fn begin_waiting(state: &mut State, id: SocketId, option: i32, wait: &mut Wait) {
    if wait.until.is_some() {
        return;
    }
    let bytes = state.machine.host.option(id, libc::SOL_SOCKET, option).unwrap_or_default();
    let [seconds, us] = [0, 8].map(|at| {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        u64::try_from(word.map_or(0, |word| i64::from_ne_bytes(*word))).unwrap_or(0)
    });
    if (seconds, us) != (0, 0) {
        wait.until = Some(state.machine.now() + Duration::from_secs(seconds) + Duration::from_micros(us));
    }
}

/// Bytes that fit into a pipe (pipe(7)).
pub(super) const PIPE_BYTES: usize = 65_536;

fn read_pipe(state: &mut State, reading: Reading, read: &mut Read) -> Result<usize, Errno> {
    let Kind::Pipe { pipe, reads: true } = state.table.get(reading.number)?.kind else {
        return Err(Errno::EBADF);
    };
    let pipe = state.table.pipes.get_mut(pipe).ok_or(Errno::EBADF)?;
    if pipe.is_empty() {
        return Err(Errno::EAGAIN);
    }
    read.bytes = pipe.drain(..reading.bytes.min(pipe.len())).collect();
    Ok(read.bytes.len())
}

fn write_pipe(state: &mut State, writing: Writing<'_>) -> Result<usize, Errno> {
    let Kind::Pipe { pipe, reads: false } = state.table.get(writing.number)?.kind else {
        return Err(Errno::EBADF);
    };
    let (pipe, bytes) = (state.table.pipes.get_mut(pipe).ok_or(Errno::EBADF)?, writing.bytes?);
    let count = bytes.len().min(PIPE_BYTES - pipe.len().min(PIPE_BYTES));
    if count == 0 && !bytes.is_empty() {
        return Err(Errno::EAGAIN);
    }
    pipe.extend(&bytes[..count]);
    Ok(count)
}
