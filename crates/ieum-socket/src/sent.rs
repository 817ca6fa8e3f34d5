//! What a program wants to hear of what it has sent: that its memory is its own again (MSG_ZEROCOPY), and when bytes left
//! and arrived (SO_TIMESTAMPING).
//!
//! Each send that asks for either is remembered until it is over: a stream's when its last byte is acknowledged, a
//! datagram's when it has left. The stack is asked for no more than that ([`ieum_stack::Stack::tcp_mark`]); a socket
//! that asks for nothing has nothing of this.
//!
//! *Without a copy* nothing is sent here: bytes are copied when they are written, and every notice says so
//! (SO_EE_CODE_ZEROCOPY_COPIED), as Linux's does wherever it had to. It comes when Linux's would come, since programs take
//! it for the word that the peer has the bytes.
//!
//! *Times* are the host's: the clock of whoever drives it. A packet waits in no queue of a device, so that it is handed
//! over (SCM_TSTAMP_SCHED) and sent (SCM_TSTAMP_SND) at one moment.

use std::collections::VecDeque;

use ieum_stack::{Passed, Passing};
use ieum_wire::Instant;

use crate::blocking::Writing;
use crate::bounds::{ECHO_BYTES_MAX, SENDS_WATCHED_MAX};
use crate::description::Phase;
use crate::endpoint::Endpoint;
use crate::error_queue::{ErrorQueue, Notice};
use crate::host::Host;
use crate::make::Protocol;
use crate::numbers::{
    MSG_ZEROCOPY, SCM_TSTAMP_ACK, SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SO_EE_CODE_ZEROCOPY_COPIED,
    SO_EE_ORIGIN_TIMESTAMPING, SO_EE_ORIGIN_ZEROCOPY, SOF_TIMESTAMPING_OPT_ID, SOF_TIMESTAMPING_OPT_ID_TCP,
    SOF_TIMESTAMPING_OPT_STATS, SOF_TIMESTAMPING_OPT_TSONLY, SOF_TIMESTAMPING_TX_ACK,
    SOF_TIMESTAMPING_TX_SCHED, SOF_TIMESTAMPING_TX_SOFTWARE,
};
use crate::options::statistics;
use crate::{Errno, SocketId};

/// The sends of a socket that its program wants to hear of.
#[derive(Default, Debug)]
pub(crate) struct Sent {
    /// What was heard and not read.
    pub(crate) errors: ErrorQueue,
    /// Those that are not over, in their order.
    sends: VecDeque<Watched>,
    /// Of these, with which the stack does not know yet what to do: they went with a SYN.
    unmarked: Vec<u32>,
    /// Names sends to the stack.
    next_token: u32,
    /// The next send without a copy.
    next_copied: u32,
    /// The position that the numbers of a stream's timestamps count from (SOF_TIMESTAMPING_OPT_ID).
    key_base: u32,
    /// The next datagram's number.
    next_datagram: u32,
}

/// A send that is not over.
#[derive(Debug)]
struct Watched {
    token: u32,
    /// Its number, if it was to go without a copy.
    copied: Option<u32>,
    /// Its timestamps, if any were asked for.
    stamped: Option<Stamped>,
}

/// What is stamped of a send.
#[derive(Debug)]
struct Stamped {
    /// SOF_TIMESTAMPING_TX_… at the time.
    when: u32,
    /// The position of its last byte, or the number of the datagram.
    key: u32,
    /// The end of what was sent.
    echo: Vec<u8>,
}

/// All that asks for timestamps of what is sent.
const STAMPS: u32 = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK;

impl Sent {
    fn notices(&self) -> bool {
        !self.errors.is_empty()
    }

    /// A send is over as far as its memory is concerned.
    fn copied(&mut self, number: u32) {
        let (origin, code) = (SO_EE_ORIGIN_ZEROCOPY, SO_EE_CODE_ZEROCOPY_COPIED);
        let notice = Notice { origin, code, info: number, data: number, ..Notice::default() };
        self.errors.push_copied(number, notice);
    }

    /// A send has come so far. `statistics` of its connection at this moment.
    fn passed(&mut self, flags: u32, passed: &Passed, statistics: &[u8]) {
        let Some(at) = self.sends.iter().position(|send| send.token == passed.token) else { return };
        let stages: &[(u32, u32)] = match passed.by {
            Passing::Sent => &[
                (SOF_TIMESTAMPING_TX_SCHED, SCM_TSTAMP_SCHED),
                (SOF_TIMESTAMPING_TX_SOFTWARE, SCM_TSTAMP_SND),
            ],
            Passing::Acknowledged => &[(SOF_TIMESTAMPING_TX_ACK, SCM_TSTAMP_ACK)],
        };
        if let Some(stamped) = &self.sends[at].stamped {
            let key = stamped.key.wrapping_sub(self.key_base);
            for (_, stage) in stages.iter().filter(|(asked, _)| stamped.when & asked != 0) {
                let only = flags & SOF_TIMESTAMPING_OPT_TSONLY != 0;
                let has_statistics = only && flags & SOF_TIMESTAMPING_OPT_STATS != 0;
                self.errors.push(Notice {
                    errno: ENOMSG,
                    origin: SO_EE_ORIGIN_TIMESTAMPING,
                    info: *stage,
                    data: if flags & SOF_TIMESTAMPING_OPT_ID != 0 { key } else { 0 },
                    at: Some(passed.at),
                    payload: match (has_statistics, only) {
                        (true, _) => statistics.to_vec(),
                        (false, true) => Vec::new(),
                        (false, false) => stamped.echo.clone(),
                    },
                    has_statistics,
                    ..Notice::default()
                });
            }
        }
        if passed.by == Passing::Acknowledged {
            let number = self.sends.remove(at).and_then(|send| send.copied);
            number.into_iter().for_each(|number| self.copied(number));
        }
    }
}

impl Sent {
    /// The connection is over: what was under way has arrived with the end of it, or never will.
    fn over(&mut self, flags: u32, at: Instant, has_failed: bool, statistics: &[u8]) {
        self.unmarked.clear();
        while let Some(send) = self.sends.front() {
            if has_failed {
                let number = self.sends.pop_front().and_then(|send| send.copied);
                number.into_iter().for_each(|number| self.copied(number));
            } else {
                let passed = Passed { token: send.token, by: Passing::Acknowledged, at };
                self.passed(flags, &passed, statistics);
            }
        }
    }
}

/// The next number; it is used up only where numbers are.
fn take_number(next: &mut u32, counts: bool) -> u32 {
    let number = *next;
    *next = number.wrapping_add(counts.into());
    number
}

/// There is no such message: what notices of timestamps are marked with.
const ENOMSG: i32 = 42;

impl Host {
    /// Before a send: may it be watched, should it ask for that?
    ///
    /// # Errors
    ///
    /// ENOBUFS when too many sends without a copy are not over.
    pub(crate) fn may_watch(&self, id: SocketId, flags: i32) -> Result<(), Errno> {
        let Some(description) = self.descriptions.get(id).filter(|_| flags & MSG_ZEROCOPY != 0) else {
            return Ok(());
        };
        let full = description.sent.as_ref().is_some_and(|sent| sent.sends.len() >= SENDS_WATCHED_MAX);
        if full && description.options.sends_without_copy() { Err(Errno::ENOBUFS) } else { Ok(()) }
    }

    /// A call has sent `count` bytes of what it was to write, its last ones just now.
    pub(crate) fn watch_sent(&mut self, now: Instant, id: SocketId, writing: &Writing<'_>, count: usize) {
        let Some(description) = self.descriptions.get_mut(id) else { return };
        let options = &description.options;
        let copied = writing.flags & MSG_ZEROCOPY != 0 && count > 0 && options.sends_without_copy();
        let when = options.stamping() & STAMPS;
        let sent_any = count > 0 || matches!(description.phase, Phase::Datagram(_));
        if !copied && (when == 0 || !sent_any) {
            return;
        }
        let numbered = options.stamping() & SOF_TIMESTAMPING_OPT_ID != 0;
        let connection = description.active().map(|active| active.connection);
        let position = connection.and_then(|connection| self.stack.tcp_stream_position(connection));
        let endpoint = description.open().map(|open| open.endpoint);
        let sent = description.sent.get_or_insert_default();
        if sent.sends.len() >= SENDS_WATCHED_MAX {
            return;
        }
        let bytes = &writing.bytes[..count];
        let stamped = (when != 0).then(|| Stamped {
            when,
            key: match endpoint {
                Some(_) => take_number(&mut sent.next_datagram, numbered),
                None => position.map_or(0, |position| position.written.value().wrapping_sub(1)),
            },
            echo: bytes[bytes.len().saturating_sub(ECHO_BYTES_MAX)..].to_vec(),
        });
        let copied = copied.then(|| take_number(&mut sent.next_copied, true));
        let token = sent.next_token;
        sent.next_token = token.wrapping_add(1);
        sent.sends.push_back(Watched { token, copied, stamped });
        match (connection, endpoint) {
            (Some(connection), _) => {
                if !self.stack.tcp_mark(now, connection, token) {
                    sent.unmarked.push(token);
                }
            }
            (None, Some(Endpoint::Udp(endpoint))) => self.stack.udp_mark(endpoint),
            // Echo requests and raw packets leave with the next packets, and nobody says when.
            (None, Some(Endpoint::Ping(_) | Endpoint::Raw(_)) | None) => sent.unmarked.push(token),
        }
        self.hear_of_sends(id);
    }

    /// Takes what the stack has to say of a socket's sends. Those of a connection that is over are over.
    pub(crate) fn hear_of_sends(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id).filter(|description| description.sent.is_some())
        else {
            return;
        };
        let now = self.now;
        let is_over = self.view(description).is_none_or(|view| view.closed) && description.open().is_none();
        let active = description.active().map(|active| active.connection);
        let status = active.and_then(|connection| self.stack.tcp_status(connection));
        let has_failed = status.is_none_or(|status| status.failure.is_some());
        let endpoint = description.open().map(|open| open.endpoint);
        let flags = description.options.stamping();
        let passed = match (active, endpoint) {
            (Some(connection), _) => {
                self.mark_what_went_with_a_syn(id);
                self.stack.tcp_take_passed(connection)
            }
            (None, Some(Endpoint::Udp(endpoint))) => {
                let left = self.stack.udp_take_left(endpoint);
                self.oldest_sends(id, usize::try_from(left).unwrap_or(usize::MAX))
            }
            (None, Some(Endpoint::Ping(_) | Endpoint::Raw(_)) | None) => self.oldest_sends(id, usize::MAX),
        };
        let wants = flags & SOF_TIMESTAMPING_OPT_STATS != 0 && !passed.is_empty();
        let known = active.filter(|_| wants).and_then(|connection| self.stack.tcp_info(self.now, connection));
        let statistics = known.map_or_else(Vec::new, |known| statistics(&known));
        let Some(sent) = self.descriptions.get_mut(id).and_then(|description| description.sent.as_mut())
        else {
            return;
        };
        let had_notices = sent.notices();
        passed.iter().for_each(|passed| sent.passed(flags, passed, &statistics));
        if is_over {
            sent.over(flags, now, has_failed, &statistics);
        }
        if sent.notices() && (!had_notices || !passed.is_empty()) {
            self.tell(Some(id));
        }
    }

    /// What went with a SYN stands before everything else that is sent: it has its mark as soon as there is a connection.
    fn mark_what_went_with_a_syn(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get_mut(id) else { return };
        let Some(connection) = description.active().map(|active| active.connection) else { return };
        let Some(sent) = description.sent.as_mut() else { return };
        let (now, stack) = (self.now, &mut self.stack);
        sent.unmarked.retain(|token| !stack.tcp_mark(now, connection, *token));
    }

    /// So many datagrams have left just now.
    fn oldest_sends(&self, id: SocketId, count: usize) -> Vec<Passed> {
        let sent = self.descriptions.get(id).and_then(|description| description.sent.as_ref());
        let tokens = sent.into_iter().flat_map(|sent| sent.sends.iter().map(|send| send.token)).take(count);
        let passed =
            |token| [Passing::Sent, Passing::Acknowledged].map(|by| Passed { token, by, at: self.now });
        tokens.flat_map(passed).collect()
    }

    /// SO_TIMESTAMPING is about to be set: numbers begin where the stream stands.
    ///
    /// # Errors
    ///
    /// EINVAL for flags that do not go together, and for numbers on a stream without a connection.
    pub(crate) fn check_stamping(&mut self, id: SocketId, flags: u32) -> Result<(), Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let has = |flag| flags & flag != 0;
        let alone = has(SOF_TIMESTAMPING_OPT_ID_TCP) && !has(SOF_TIMESTAMPING_OPT_ID)
            || has(SOF_TIMESTAMPING_OPT_STATS) && !has(SOF_TIMESTAMPING_OPT_TSONLY);
        if alone {
            return Err(Errno::EINVAL);
        }
        let begins =
            has(SOF_TIMESTAMPING_OPT_ID) && description.options.stamping() & SOF_TIMESTAMPING_OPT_ID == 0;
        if !begins {
            return Ok(());
        }
        let base = match (description.make.protocol, description.active()) {
            (Protocol::Tcp, None) => return Err(Errno::EINVAL),
            (Protocol::Tcp, Some(active)) => {
                let position = self.stack.tcp_stream_position(active.connection).ok_or(Errno::EINVAL)?;
                let from_here = has(SOF_TIMESTAMPING_OPT_ID_TCP);
                if from_here { position.written.value() } else { position.acknowledged.value() }
            }
            (Protocol::Udp | Protocol::UdpLite | Protocol::Icmp | Protocol::Raw(_), _) => 0,
        };
        let sent = description.sent.get_or_insert_default();
        (sent.key_base, sent.next_datagram) = (base, 0);
        Ok(())
    }
}
