//! `send` and its kin.

use std::net::{IpAddr, SocketAddr};

use ieum_stack::{State, WriteEnd};
use ieum_wire::Instant;

use super::{Progress, Wait};
use crate::host::Host;
use crate::numbers::{MSG_DONTWAIT, MSG_EOR, MSG_FASTOPEN, MSG_MORE, MSG_OOB, SO_SNDTIMEO};
use crate::{Ancillary, Domain, Errno, Kind, SocketId};

/// What writing is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// All of it, each time the call is asked.
    pub bytes: &'a [u8],
    /// The call's flags (MSG_MORE …).
    pub flags: i32,
    /// Where a datagram, or a SYN with data, is to go.
    pub to: Option<SocketAddr>,
    /// Control messages that go along, as C has them (cmsg(3)): what they say of a datagram is in [`crate::Ancillary`].
    pub control: &'a [u8],
    /// The descriptor blocks.
    pub blocks: bool,
}

impl Writing<'_> {
    fn has(&self, flag: i32) -> bool {
        self.flags & flag != 0
    }

    fn blocks(&self) -> bool {
        self.blocks && !self.has(MSG_DONTWAIT)
    }
}

impl Host {
    /// Sends; who blocks is answered when all bytes were taken.
    ///
    /// # Errors
    ///
    /// As [`Host::send_to`], [`Host::send_urgent`] and, with MSG_FASTOPEN, [`Host::send_fast_open`]; ENOBUFS when too many
    /// sends with MSG_ZEROCOPY are not over.
    pub fn send_waiting(
        &mut self,
        now: Instant,
        id: SocketId,
        writing: &Writing<'_>,
        wait: &mut Wait,
    ) -> Progress<usize> {
        let begun = std::mem::replace(&mut wait.begun, true);
        if wait.connects
            && let Some(progress) = self.still_connects(now, id, writing.to)
        {
            return progress;
        }
        if begun && self.has_no_room(id) && !wait.gives_up(now, writing.blocks()) {
            return None;
        }
        if let Err(errno) = self.may_watch(id, writing.flags) {
            return Some(Err(errno));
        }
        let left = writing.bytes.get(wait.moved..).unwrap_or_default();
        let is_stream = self.kind(id) == Some(Kind::Stream);
        let fast = is_stream && writing.has(MSG_FASTOPEN) && !wait.connects;
        let deferred = self.status(id).is_some_and(|status| status.deferred);
        let answer = self.send_once(now, id, left, writing, fast);
        if (fast || deferred) && matches!(answer, Ok(_) | Err(Errno::EINPROGRESS)) {
            if self.is_connected(id) || wait.gives_up(now, writing.blocks()) {
                // What did not go with the SYN is not waited for.
                return Some(self.sent(now, id, writing, answer));
            }
            wait.connects = true;
            wait.moved = answer.unwrap_or(0);
            if wait.moved < left.len() {
                self.writer_waits(id);
            }
            return None;
        }
        let answer = match answer {
            Ok(count) => {
                wait.moved += count;
                if wait.moved >= writing.bytes.len() { Ok(wait.moved) } else { Err(Errno::EAGAIN) }
            }
            Err(errno) => Err(errno),
        };
        if answer == Err(Errno::EAGAIN) && !self.has_no_port(id) {
            self.begin_waiting(now, id, SO_SNDTIMEO, wait);
            if !wait.gives_up(now, writing.blocks()) {
                return None;
            }
        }
        let answer = match answer {
            Err(_) if wait.moved > 0 => Ok(wait.moved),
            answer => answer,
        };
        Some(self.sent(now, id, writing, answer))
    }

    /// The call is over.
    fn sent(
        &mut self,
        now: Instant,
        id: SocketId,
        writing: &Writing<'_>,
        answer: Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if let Ok(count) = answer {
            self.watch_sent(now, id, writing, count);
        }
        answer
    }

    /// Sends what can be sent now; `fast`: with the SYN of a connection that it opens (MSG_FASTOPEN).
    fn send_once(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        writing: &Writing<'_>,
        fast: bool,
    ) -> Result<usize, Errno> {
        let end = match writing.flags {
            flags if flags & MSG_MORE != 0 => WriteEnd::More,
            flags if flags & MSG_EOR != 0 => WriteEnd::Record,
            _ => WriteEnd::Push,
        };
        let is_datagram = self.kind(id) == Some(Kind::Datagram);
        if is_datagram && writing.has(MSG_OOB) {
            self.refuse_urgent_datagram(id, writing.to)?;
        }
        // On a stream they are only looked at.
        let ancillary = match writing.control {
            [] => None,
            messages => Some(self.ancillary(id, writing.to, messages)?).filter(|_| is_datagram),
        };
        let more = is_datagram && end == WriteEnd::More;
        let ancillary = ancillary
            .or_else(|| more.then(Ancillary::default))
            .map(|ancillary| Ancillary { more, ..ancillary });
        match fast {
            true => self.send_fast_open(now, id, bytes, writing.to),
            false if writing.has(MSG_OOB) && !is_datagram => self.send_urgent(now, id, bytes),
            false => match ancillary {
                Some(ancillary) => self.send_message(now, id, bytes, writing.to, ancillary),
                None => self.send_ending(now, id, bytes, writing.to, end),
            },
        }
    }

    /// A call that connected with its data goes on (`None`) when it is connected. Should that fail, it says so and nothing
    /// else.
    fn still_connects(
        &mut self,
        now: Instant,
        id: SocketId,
        to: Option<SocketAddr>,
    ) -> Option<Progress<usize>> {
        let to = to.or_else(|| {
            let remote = self.status(id)?.remote;
            Some(match (self.domain(id), remote.ip()) {
                (Some(Domain::Ip6), IpAddr::V4(ip)) => {
                    SocketAddr::new(ip.to_ipv6_mapped().into(), remote.port())
                }
                (_, _) => remote,
            })
        });
        match self.connect(now, id, to) {
            Err(Errno::EALREADY) => Some(None),
            Err(Errno::EISCONN) | Ok(_) => None,
            Err(errno) => Some(Some(Err(errno))),
        }
    }

    fn is_connected(&self, id: SocketId) -> bool {
        let connecting = |state| matches!(state, State::SynSent | State::SynReceived);
        self.status(id).is_some_and(|status| !connecting(status.state))
    }

    /// Who waits for room is not asked again before there is enough of it to be worth while.
    fn has_no_room(&self, id: SocketId) -> bool {
        let ready = self.readiness(id);
        !(ready.writable || ready.error || ready.hangup)
    }
}
