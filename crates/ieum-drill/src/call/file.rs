//! Pipes and files, and what moves between them and sockets.

use ieum_socket::{Errno, Wait, Writing};

use super::table::Kind;
use super::value::Value;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::stop::Stop;

/// Bytes that fit into a pipe (pipe(7)).
const PIPE_BYTES: usize = 65_536;

impl Runner<'_> {
    pub(super) fn pipe(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(1)?;
        let list = asked.arguments.get(0)?.list()?;
        let [reader, writer] = list else { return Err(Stop::failed("a pipe has two descriptors")) };
        asked.exactly(Ok(0))?;
        self.table.pipes.push(Vec::new());
        let pipe = self.table.pipes.len() - 1;
        self.table.add(reader.int()?, Kind::Pipe { pipe, reads: true }, false, None)?;
        self.table.add(writer.int()?, Kind::Pipe { pipe, reads: false }, false, None)?;
        Ok(Progress::Done)
    }

    pub(super) fn open(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(2)?;
        let Value::Bytes(name) = asked.arguments.get(0)? else {
            return Err(Stop::failed("open wants a name"));
        };
        if asked.arguments.int(1)? & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(Stop::unsupported("files that are written"));
        }
        let path = self.directory().join(String::from_utf8_lossy(name).as_ref());
        let read = std::fs::read(path).map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)));
        asked.descriptor(read.as_ref().map(|_| 0).map_err(|errno| *errno))?;
        if let Ok(bytes) = read {
            self.table.add(asked.number()?, Kind::File(bytes), false, None)?;
        }
        Ok(Progress::Done)
    }

    pub(super) fn sendfile(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(4)?;
        let (number, id) = self.socket_at(asked, 0)?;
        let offset = usize::try_from(asked.arguments.get(2)?.bracketed()?).unwrap_or(usize::MAX);
        let count = asked.arguments.size(3)?;
        let file = self.file_at(asked.arguments.int(1)?)?;
        let rest = file.get(offset..).unwrap_or_default();
        let part = rest[..count.min(rest.len())].to_vec();
        let writing =
            Writing { bytes: &part, flags: 0, to: None, control: &[], blocks: self.blocks(number)? };
        let answer = self.machine.host.send_waiting(self.machine.now(), id, &writing, wait);
        asked.when_done(answer.map(|answer| answer.map(super::transfer::moved)))
    }

    pub(super) fn splice(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(6)?;
        let [from, to, flags] = [asked.arguments.int(0)?, asked.arguments.int(2)?, asked.arguments.int(5)?];
        let length = asked.arguments.size(4)?;
        let now = self.machine.now();
        let (number, answer) = match (&self.table.get(from)?.kind, &self.table.get(to)?.kind) {
            (Kind::Socket(id), Kind::Pipe { pipe, reads: false }) => {
                let (id, pipe) = (*id, *pipe);
                let room =
                    PIPE_BYTES - self.table.pipes.get(pipe).map_or(PIPE_BYTES, Vec::len).min(PIPE_BYTES);
                let mut buffer = vec![0; length.min(room)];
                let host = &mut self.machine.host;
                // It neither takes an urgent byte along nor waits for what lies behind it.
                let at_urgent_byte = host.is_at_mark(id) && !host.recv_chunks(id).is_empty();
                let answer = if at_urgent_byte { Ok(0) } else { host.recv(now, id, &mut buffer, false) };
                if let (Ok(count), Some(pipe)) = (answer, self.table.pipes.get_mut(pipe)) {
                    pipe.extend(&buffer[..count]);
                }
                // Linux looks no further than to an urgent byte that stands in the way.
                let is_barred = answer == Err(Errno::EAGAIN) && self.machine.host.is_at_mark(id);
                (from, if is_barred { Ok(0) } else { answer })
            }
            (Kind::Pipe { pipe, reads: true }, Kind::Socket(id)) => {
                let (id, pipe) = (*id, *pipe);
                let bytes = self
                    .table
                    .pipes
                    .get(pipe)
                    .map_or(Vec::new(), |pipe| pipe[..length.min(pipe.len())].to_vec());
                let answer = self.machine.host.send(now, id, &bytes);
                if let (Ok(count), Some(pipe)) = (answer, self.table.pipes.get_mut(pipe)) {
                    pipe.drain(..count);
                }
                (to, answer)
            }
            (_, _) => return Err(Stop::unsupported("splice between other things than a socket and a pipe")),
        };
        let blocks = flags & NONBLOCK == 0 && self.blocks(number)?;
        asked.when_done(match answer {
            Err(Errno::EAGAIN) => wait.or_again(now, blocks),
            answer => Some(answer.map(super::transfer::moved)),
        })
    }
}

/// SPLICE_F_NONBLOCK.
const NONBLOCK: i32 = 2;
