//! One direction of a connection: bytes and their end, from one socket to another.
//!
//! Little bytes are copied: one read, one write, and no descriptor beside the sockets. Who has more than
//! [`COPY_BYTES`] at once is spliced through a pipe, so that its bytes are never in our memory, until it has no more. No
//! more is read before all that was read is written: that bounds what waits here, and a peer that does not read
//! stops the other one, as it would without us.

use std::os::fd::{AsFd, OwnedFd};

use ieum_exit::kernel;
use rustix::io::{Errno, read, write};
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::bounds::{COPY_BYTES, PIPE_BYTES, PUMP_BYTES_PER_TURN_MAX, SPARE_PIPES_MAX};

/// One socket of a flow, and how it stands.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) socket: OwnedFd,
    /// Told by an edge, and not taken back by EAGAIN.
    pub(crate) readable: bool,
    /// The same for writing.
    pub(crate) writable: bool,
    /// Both directions are over: nothing more comes of it.
    pub(crate) is_gone: bool,
    /// An error was told: it is over by a reset, or a time-out, of which reading will tell behind what had come before.
    pub(crate) is_broken: bool,
    /// End of file was read.
    ended: bool,
    /// It takes no more bytes; what is meant for it is discarded.
    deaf: bool,
    /// It is over by a reset, or a time-out.
    pub(crate) failed: bool,
}

impl Half {
    pub(crate) fn new(socket: OwnedFd) -> Half {
        let (readable, writable) = (true, true);
        Half {
            socket,
            readable,
            writable,
            is_gone: false,
            is_broken: false,
            ended: false,
            deaf: false,
            failed: false,
        }
    }

    /// An error was told while there may be something to read: its peer is gone. What it had sent before is still read, and
    /// then an error, or, since errors are told once, an end of file that is none.
    fn broke(&mut self) {
        self.deaf = true;
        self.readable = true;
        self.failed |= self.ended;
    }

    fn read_ended(&mut self) {
        if self.deaf {
            self.failed = true;
        } else {
            self.ended = true;
        }
    }
}

/// Both ends of a pipe that is empty.
#[derive(Debug)]
pub(crate) struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
}

/// Pipes that nobody needs at the moment, and what bytes are copied through.
#[derive(Debug)]
pub(crate) struct Means {
    spare: Vec<Pipe>,
    buffer: Vec<u8>,
}

impl Means {
    pub(crate) fn new() -> Means {
        Means { spare: Vec::new(), buffer: vec![0; COPY_BYTES] }
    }

    /// An empty pipe; `None` where no descriptor is to be had.
    fn pipe(&mut self) -> Option<Pipe> {
        self.spare.pop().or_else(|| {
            let (output, input) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
            // A smaller one does as well.
            let _ = fcntl_setpipe_size(&input, PIPE_BYTES);
            Some(Pipe { output, input })
        })
    }

    fn give_back(&mut self, pipe: Pipe) {
        if self.spare.len() < SPARE_PIPES_MAX {
            self.spare.push(pipe);
        }
    }
}

/// What of a direction waits, and how it goes on.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Bytes that were read and not yet written.
    rest: Vec<u8>,
    /// The pipe, while bytes are spliced, and how many lie in it.
    pipe: Option<(Pipe, usize)>,
    /// Its source had more than one reading took: splice.
    is_bulk: bool,
    /// The end was passed on.
    ended: bool,
}

/// How a direction's turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing can be moved before an event.
    Waits,
    /// The turn's share is used up.
    Share,
}

impl Direction {
    /// The end was passed on.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
    }

    /// Bytes wait that the other side has not taken.
    pub(crate) fn is_waiting(&self, to: &Half) -> bool {
        !to.deaf && (!self.rest.is_empty() || self.pipe.as_ref().is_some_and(|(_, count)| *count > 0))
    }

    /// Moves what can be moved, within a turn's share, and counts what was written.
    pub(crate) fn carry(
        &mut self,
        means: &mut Means,
        from: &mut Half,
        to: &mut Half,
        passed: &mut u64,
    ) -> Step {
        let mut share = PUMP_BYTES_PER_TURN_MAX;
        loop {
            if to.deaf {
                self.discard(means);
            }
            let written = match self.write_waiting(to) {
                Ok(None) => 0,
                Ok(Some(count)) => count,
                Err(Errno::AGAIN) => {
                    to.writable = false;
                    return Step::Waits;
                }
                Err(Errno::INTR) => 0,
                Err(_) => {
                    to.broke();
                    0
                }
            };
            *passed += u64::try_from(written).unwrap_or(0);
            share = share.saturating_sub(written);
            if self.is_waiting(to) {
                if !to.writable {
                    return Step::Waits;
                }
                continue;
            }
            if share == 0 {
                return Step::Share;
            }
            if from.ended && !self.ended {
                self.ended = true;
                // ENOTCONN: reset already, as reading will tell.
                let _ = shutdown(&to.socket, Shutdown::Write);
            }
            if !from.readable || from.ended || from.failed {
                self.rest_pipe(means);
                return Step::Waits;
            }
            match self.read_more(means, from) {
                // Splicing stops at an urgent byte, and says the same there as at the end of what there is: nothing for now,
                // or that nothing more comes, or the error (which it takes away). Reading goes on, and knows.
                Ok(0) | Err(Errno::AGAIN) if self.is_bulk => self.is_bulk = false,
                Ok(0) => from.read_ended(),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => from.readable = false,
                Err(_) if self.is_bulk => {
                    self.is_bulk = false;
                    from.broke();
                }
                Err(_) => from.failed = true,
            }
        }
    }

    /// Writes what waits; `None`: nothing does, or there is no room.
    fn write_waiting(&mut self, to: &mut Half) -> Result<Option<usize>, Errno> {
        if !to.writable {
            return Ok(None);
        }
        if !self.rest.is_empty() {
            let count = write(&to.socket, &self.rest)?;
            self.rest.drain(..count);
            return Ok(Some(count));
        }
        let Some((pipe, waiting)) = self.pipe.as_mut().filter(|(_, waiting)| *waiting > 0) else {
            return Ok(None);
        };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let count = splice(pipe.output.as_fd(), None, to.socket.as_fd(), None, *waiting, flags)?;
        *waiting = waiting.saturating_sub(count);
        Ok(Some(count))
    }

    /// Reads into what is empty.
    fn read_more(&mut self, means: &mut Means, from: &Half) -> Result<usize, Errno> {
        if self.is_bulk && self.pipe.is_none() {
            self.pipe = means.pipe().map(|pipe| (pipe, 0));
        }
        if let Some((pipe, waiting)) = self.pipe.as_mut().filter(|_| self.is_bulk) {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            *waiting = splice(from.socket.as_fd(), None, pipe.input.as_fd(), None, PIPE_BYTES, flags)?;
            return Ok(*waiting);
        }
        let count = read(&from.socket, &mut means.buffer[..])?;
        self.rest.extend_from_slice(&means.buffer[..count]);
        self.is_bulk = count == means.buffer.len();
        Ok(count)
    }

    /// An idle direction keeps no memory and no pipe.
    fn rest_pipe(&mut self, means: &mut Means) {
        self.rest = Vec::new();
        if let Some((pipe, _)) = self.pipe.take() {
            means.give_back(pipe);
        }
    }

    /// Nobody takes what waits. A pipe with bytes in it is no use to others.
    fn discard(&mut self, means: &mut Means) {
        self.rest = Vec::new();
        if let Some((pipe, 0)) = self.pipe.take() {
            means.give_back(pipe);
        }
    }
}

/// Closes a socket of a flow with a RST.
pub(crate) fn reset(half: Half) {
    kernel::reset(half.socket);
}
