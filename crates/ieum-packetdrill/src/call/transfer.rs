//! Reading and writing, in all their forms.

use std::net::SocketAddr;

use ieum_socket::{Errno, Reading, Received, Writing};

use super::blocks;
use crate::shared::Shared;
use crate::state::{ENOTSOCK, State};
use crate::table::Kind;

/// What reading is asked for: how many bytes, with which flags, and whether there is a buffer for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    pub(crate) flags: i32,
    pub(crate) into: bool,
}

/// What was read.
#[derive(Clone, Default, Debug)]
pub(crate) struct Read {
    /// What the call returns.
    pub(crate) answer: usize,
    pub(crate) received: Received,
}

impl Shared {
    pub(crate) fn read(&self, number: i32, room: Room) -> Result<Read, Errno> {
        let Room { bytes, flags, into } = room;
        let mut received = Received::default();
        let answer = self.call(|state, wait| match state.socket_at(number) {
            Err(ENOTSOCK) => Some(read_pipe(state, number, bytes).map(|read| {
                received.bytes = read;
                received.bytes.len()
            })),
            Err(errno) => Some(Err(errno)),
            Ok(id) => match blocks(state, number) {
                Ok(blocks) => {
                    let (now, reading) = (state.machine.now(), Reading { bytes, flags, into, blocks });
                    state.machine.host.recv_waiting(now, id, &reading, wait, &mut received)
                }
                Err(errno) => Some(Err(errno)),
            },
        })?;
        Ok(Read { answer, received })
    }

    /// Bytes that are there, or why they are not.
    pub(crate) fn write(
        &self,
        number: i32,
        bytes: Result<&[u8], Errno>,
        flags: i32,
        to: Option<SocketAddr>,
    ) -> Result<usize, Errno> {
        self.call(|state, wait| match (state.socket_at(number), bytes) {
            (Err(ENOTSOCK), bytes) => Some(bytes.and_then(|bytes| write_pipe(state, number, bytes))),
            (Err(errno), _) | (Ok(_), Err(errno)) => Some(Err(errno)),
            (Ok(id), Ok(bytes)) => match blocks(state, number) {
                Ok(blocks) => {
                    let (now, writing) =
                        (state.machine.now(), Writing { bytes, flags, to, control: &[], blocks });
                    state.machine.host.send_waiting(now, id, &writing, wait)
                }
                Err(errno) => Some(Err(errno)),
            },
        })
    }
}

/// Bytes that fit into a pipe (pipe(7)).
pub(super) const PIPE_BYTES: usize = 65_536;

fn read_pipe(state: &mut State, number: i32, bytes: usize) -> Result<Vec<u8>, Errno> {
    let Kind::Pipe { pipe, reads: true } = state.table.get(number)?.kind else {
        return Err(Errno::EBADF);
    };
    let pipe = state.table.pipes.get_mut(pipe).ok_or(Errno::EBADF)?;
    if pipe.is_empty() {
        return Err(Errno::EAGAIN);
    }
    Ok(pipe.drain(..bytes.min(pipe.len())).collect())
}

fn write_pipe(state: &mut State, number: i32, bytes: &[u8]) -> Result<usize, Errno> {
    let Kind::Pipe { pipe, reads: false } = state.table.get(number)?.kind else {
        return Err(Errno::EBADF);
    };
    let pipe = state.table.pipes.get_mut(pipe).ok_or(Errno::EBADF)?;
    let count = bytes.len().min(PIPE_BYTES - pipe.len().min(PIPE_BYTES));
    if count == 0 && !bytes.is_empty() {
        return Err(Errno::EAGAIN);
    }
    pipe.extend(&bytes[..count]);
    Ok(count)
}
