//! recvmmsg(2) on datagram sockets.
//!
//! Who blocks waits until there are as many messages as it has places for (MSG_WAITFORONE: until there is one). Those
//! that came before the last are in its memory already, and are kept until it is answered: when a signal interrupts it
//! before, they go back into S's queue.

use std::time::Duration;

use ieum_engine::Turn;
use ieum_socket::Errno;
use ieum_wire::Instant;

use super::message::{MULTI_BYTES, MULTI_LEN};
use super::receive::Taken;
use crate::bounds::MESSAGES_MAX;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;

/// A call that waits for more messages.
#[derive(Debug)]
pub(crate) struct Gathering {
    pub(crate) call: Call,
    /// Its socket.
    number: u64,
    /// What it has so far, the first in its first place.
    taken: Vec<Taken>,
    /// When it may have enough: it looks at that when a message has come.
    enough_at: Option<Instant>,
}

impl Runner {
    pub(crate) fn call_recvmmsg(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let flags = call.int(3);
        let time = match call.word(4) {
            0 => None,
            at => Some(time_of(&self.memory(call).read_array(at).map_err(host_errno)?)?),
        };
        if self.is_stream(number) {
            if flags & n::MSG_ERRQUEUE != 0 {
                return Err(Errno::EAGAIN);
            }
            if self.is_carried(number) {
                return Ok(Answer::Continue);
            }
            return self.receive_no_messages(turn, call, number, flags);
        }
        self.once(call, number, |runner| {
            let begun = runner.take_gathering(call).unwrap_or_else(|| Gathering {
                call: *call,
                number,
                taken: Vec::new(),
                enough_at: time.map(|time| turn.now + time),
            });
            runner.gather(turn, begun, flags)
        })
    }

    /// What this call has so far, if it was asked before.
    fn take_gathering(&mut self, call: &Call) -> Option<Gathering> {
        let at =
            self.held.gathering.iter().position(|it| it.call.id == call.id && it.call.tree == call.tree)?;
        Some(self.held.gathering.remove(at))
    }

    /// Takes messages until there are enough.
    fn gather(&mut self, turn: &Turn<'_>, mut begun: Gathering, flags: i32) -> Served {
        let (call, number) = (begun.call, begun.number);
        let count = u64::from(call.int(2).unsigned_abs()).min(MESSAGES_MAX);
        for index in u64::try_from(begun.taken.len()).unwrap_or(count)..count {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES);
            match self.receive_message(turn, &call, number, at, flags) {
                Ok((taken, written)) => {
                    begun.taken.push(taken);
                    let written = written.and_then(|len| {
                        let len = i32::try_from(len).unwrap_or(i32::MAX);
                        self.memory(&call).write_int(at.wrapping_add(MULTI_LEN), len)
                    });
                    match written {
                        Ok(()) if begun.enough_at.is_some_and(|at| at <= turn.now) => break,
                        Ok(()) => {}
                        // What was written before counts.
                        Err(rustix::io::Errno::FAULT) if begun.taken.len() > 1 => {
                            begun.taken.pop();
                            break;
                        }
                        Err(error) => {
                            return self.answer_datagrams(
                                turn,
                                &call,
                                number,
                                flags,
                                Err(error),
                                &begun.taken,
                            );
                        }
                    }
                }
                Err(errno) if begun.taken.is_empty() && self.is_at_end(number, flags, errno) => {
                    return self.answer_ends(&call, count);
                }
                Err(errno) if begun.taken.is_empty() => {
                    return self.answer_nothing(turn, number, flags, errno);
                }
                Err(Errno::EAGAIN)
                    if flags & n::MSG_WAITFORONE == 0 && !self.is_at_end(number, flags, Errno::EAGAIN) =>
                {
                    match self.answer_nothing(turn, number, flags, Errno::EAGAIN) {
                        Ok(wait) => {
                            self.check_held_later(turn.now);
                            self.held.gathering.push(begun);
                            return Ok(wait);
                        }
                        Err(_) => break,
                    }
                }
                Err(errno) => {
                    // It is the next call's, or SO_ERROR's.
                    let is_gone = errno.0 == rustix::io::Errno::SRCH.raw_os_error();
                    if errno != Errno::EAGAIN
                        && !is_gone
                        && let Some(socket) = self.sockets.get_mut(number)
                    {
                        socket.error = Some(errno);
                    }
                    break;
                }
            }
        }
        self.answer_datagrams(turn, &call, number, flags, Ok(begun.taken.len()), &begun.taken)
    }

    /// The time of a caller that waits for more is over: it gets what it has. `None`: it is none of those.
    pub(crate) fn end_gathering(&mut self, turn: &Turn<'_>, call: &Call) -> Option<Served> {
        let Gathering { number, taken, .. } = self.take_gathering(call)?;
        Some(self.answer_datagrams(turn, call, number, call.int(3), Ok(taken.len()), &taken))
    }

    /// Callers that wait no more, because a signal interrupted them: what they had is there for the next. True while some wait.
    pub(crate) fn give_back_gathered(&mut self, turn: &Turn<'_>) -> bool {
        let gone = |it: &mut Gathering| !self.trees.is_valid(&it.call);
        let gone: Vec<Gathering> = self.held.gathering.extract_if(.., gone).collect();
        for Gathering { call, number, taken, .. } in gone {
            if call.int(3) & n::MSG_PEEK == 0 {
                // A socket that is gone has no next.
                let _ = self.give_back_datagrams(turn, number, taken);
            }
        }
        !self.held.gathering.is_empty()
    }

    /// recvmmsg of `count` messages which all are the end of what there is.
    pub(super) fn answer_ends(&self, call: &Call, count: u64) -> Served {
        for index in 0..count {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES + MULTI_LEN);
            self.memory(call).write_int(at, 0).map_err(host_errno)?;
        }
        Ok(Answer::Value(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

/// A `struct timespec`, which is refused where it is no time.
fn time_of(timespec: &[u8; 16]) -> Result<Duration, Errno> {
    let [seconds, nanoseconds] = [0, 8].map(|at| {
        timespec.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, i64::from_ne_bytes)
    });
    let seconds = u64::try_from(seconds).map_err(|_| Errno::EINVAL)?;
    let nanoseconds = u32::try_from(nanoseconds).ok().filter(|it| *it < 1_000_000_000);
    Ok(Duration::new(seconds, nanoseconds.ok_or(Errno::EINVAL)?))
}
