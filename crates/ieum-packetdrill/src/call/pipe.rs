//! Pipes, and what moves between them and sockets.

use ieum_socket::Errno;

use super::blocks;
use super::socket::hand_out;
use super::transfer::PIPE_BYTES;
use crate::shared::Shared;
use crate::state::State;
use crate::table::Kind;

/// SPLICE_F_NONBLOCK.
const NONBLOCK: u32 = 2;

impl Shared {
    /// The end that reads, and the end that writes.
    pub(crate) fn pipe(&self) -> Result<[i32; 2], Errno> {
        self.call(|state, _| {
            state.table.pipes.push(Vec::new());
            let pipe = state.table.pipes.len() - 1;
            let mut end = |reads| hand_out(state, Kind::Pipe { pipe, reads }, false);
            Some(end(true).and_then(|reader| Ok([reader, end(false)?])))
        })
    }

    pub(crate) fn splice(&self, from: i32, to: i32, length: usize, flags: u32) -> Result<usize, Errno> {
        self.call(|state, wait| match splice_once(state, from, to, length) {
            (number, Err(Errno::EAGAIN)) => match blocks(state, number) {
                Ok(blocks) => wait.or_again(state.machine.now(), blocks && flags & NONBLOCK == 0),
                Err(errno) => Some(Err(errno)),
            },
            (_, answer) => Some(answer),
        })
    }
}

/// Moves what can be moved now; which descriptor to wait for otherwise.
fn splice_once(state: &mut State, from: i32, to: i32, length: usize) -> (i32, Result<usize, Errno>) {
    let kinds = |state: &State| Ok((state.table.get(from)?.kind.clone(), state.table.get(to)?.kind.clone()));
    match kinds(state) {
        Err(errno) => (from, Err(errno)),
        Ok((Kind::Socket(id), Kind::Pipe { pipe, reads: false })) => {
            let there = state.machine.host.status(id).map_or(0, |status| status.readable_bytes);
            let Some(pipe) = state.table.pipes.get_mut(pipe) else { return (from, Err(Errno::EBADF)) };
            let room = length.min(PIPE_BYTES - pipe.len().min(PIPE_BYTES));
            let mut buffer = vec![0; room.min(there.max(1))];
            let answer = state.machine.host.recv(state.machine.now(), id, &mut buffer, false);
            if let Ok(count) = answer {
                pipe.extend(&buffer[..count]);
            }
            (from, answer)
        }
        Ok((Kind::Pipe { pipe, reads: true }, Kind::Socket(id))) => {
            let Some(pipe) = state.table.pipes.get_mut(pipe) else { return (to, Err(Errno::EBADF)) };
            let bytes = &pipe[..length.min(pipe.len())];
            let answer = state.machine.host.send(state.machine.now(), id, bytes);
            if let Ok(count) = answer {
                pipe.drain(..count);
            }
            (to, answer)
        }
        Ok(_) => (from, Err(Errno::EINVAL)),
    }
}
