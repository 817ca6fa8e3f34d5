//! `recv` and its kin.

use std::net::SocketAddr;
use std::time::Duration;

use ieum_wire::Instant;

use super::{Progress, Wait};
use crate::control::Control;
use crate::host::Host;
use crate::make::Protocol;
use crate::numbers::{
    IPPROTO_TCP, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, SO_RCVTIMEO, TCP_INQ,
};
use crate::{Errno, Kind, SocketId};

/// What reading is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Size of all buffers.
    pub bytes: usize,
    /// The call's flags (MSG_PEEK …).
    pub flags: i32,
    /// The buffers are there, and not NULL.
    pub into: bool,
    /// The descriptor blocks.
    pub blocks: bool,
}

/// What was read, besides how much.
#[derive(Clone, Default, Debug)]
pub struct Received {
    /// The bytes, none of which were to be dropped (MSG_TRUNC).
    pub bytes: Vec<u8>,
    /// Where a datagram came from.
    pub source: Option<SocketAddr>,
    /// `msg_flags` of `recvmsg` (MSG_TRUNC …).
    pub flags: i32,
    /// Control messages of `recvmsg`.
    pub control: Vec<Control>,
}

impl Reading {
    fn has(&self, flag: i32) -> bool {
        self.flags & flag != 0
    }

    fn blocks(&self) -> bool {
        self.blocks && !self.has(MSG_DONTWAIT)
    }
}

impl Host {
    /// Reads; the answer is what `recv` returns: more than the bytes, should a datagram's whole length be asked for or bytes
    /// be dropped (MSG_TRUNC). With MSG_WAITALL a stream's bytes come together over several questions.
    ///
    /// # Errors
    ///
    /// As [`Host::recv`] and [`Host::recv_urgent`]; EFAULT when there are bytes and nowhere to put them.
    pub fn recv_waiting(
        &mut self,
        now: Instant,
        id: SocketId,
        reading: &Reading,
        wait: &mut Wait,
        received: &mut Received,
    ) -> Progress<usize> {
        wait.begun = true;
        if reading.has(MSG_OOB) && !self.ignores_urgency(id) {
            let byte = self.recv_urgent(id, reading.has(MSG_PEEK));
            received.bytes = byte.ok().flatten().into_iter().take(reading.bytes).collect();
            received.flags = MSG_OOB;
            return Some(byte.map(|_| received.bytes.len()));
        }
        if reading.has(MSG_ERRQUEUE) {
            return Some(self.recv_error(id, reading.bytes, received));
        }
        if wait.moved > 0 && self.has_only_an_error(id) {
            // What was read is told first, and the error to who asks next.
            return Some(Ok(wait.moved));
        }
        let looks_at_all = reading.has(MSG_WAITALL) && reading.has(MSG_PEEK);
        let enough = if looks_at_all { reading.bytes } else { self.low_water_bytes(id).min(reading.bytes) };
        if reading.blocks() && self.awaits_more(now, id, enough, wait) {
            return None;
        }
        let answer = match self.kind(id) {
            Some(Kind::Datagram) => self.recv_datagram(now, id, reading, received),
            Some(Kind::Stream) | None => self.recv_bytes(now, id, reading, wait, received),
        };
        let gathers =
            reading.has(MSG_WAITALL) && !reading.has(MSG_PEEK) && self.kind(id) == Some(Kind::Stream);
        let answer = match answer {
            Err(Errno::EAGAIN) => {
                if let (true, Some(nowhere)) = (reading.blocks(), self.end_of_datagrams(id)) {
                    received.source = Some(nowhere);
                    return Some(Ok(0));
                }
                self.begin_waiting(now, id, SO_RCVTIMEO, wait);
                match wait.gives_up(now, reading.blocks()) {
                    false => return None,
                    true if wait.moved > 0 => Ok(wait.moved),
                    true => Err(Errno::EAGAIN),
                }
            }
            Ok(count) if gathers && count > 0 => {
                wait.moved += count;
                // It goes no further than an urgent byte.
                if wait.moved < reading.bytes && !self.is_at_mark(id) {
                    // What comes next may be here already, and be the end: then nothing more would happen to wait for.
                    return self.recv_waiting(now, id, reading, wait, received);
                }
                Ok(wait.moved)
            }
            Ok(0) | Err(_) if wait.moved > 0 => Ok(wait.moved),
            answer => answer,
        };
        if let (Ok(_), Some(unread)) = (answer, self.unread(id)) {
            let unread = i32::try_from(unread).unwrap_or(i32::MAX);
            received.control.push(Control::new(IPPROTO_TCP, TCP_INQ, unread.to_ne_bytes().to_vec()));
        }
        Some(answer)
    }

    /// Reads into one buffer, as `read` and, with `peek`, a `recv` with MSG_PEEK do: without the copy that
    /// [`Host::recv_waiting`] makes for all that can be asked of it. A datagram is cut where the buffer ends, and tells where it
    /// came from.
    ///
    /// # Errors
    ///
    /// As [`Host::recv`].
    pub fn read_waiting(
        &mut self,
        now: Instant,
        id: SocketId,
        into: &mut [u8],
        peek: bool,
        blocks: bool,
        wait: &mut Wait,
    ) -> Progress<(usize, Option<SocketAddr>)> {
        wait.begun = true;
        if blocks && self.awaits_more(now, id, self.low_water_bytes(id).min(into.len()), wait) {
            return None;
        }
        let answer = match self.kind(id) {
            Some(Kind::Datagram) => self.recv_from(now, id, peek).map(|(payload, source)| {
                let count = payload.len().min(into.len());
                into[..count].copy_from_slice(&payload[..count]);
                (count, Some(source))
            }),
            Some(Kind::Stream) | None => self.recv(now, id, into, peek).map(|count| (count, None)),
        };
        if answer == Err(Errno::EAGAIN) {
            if let (true, Some(nowhere)) = (blocks, self.end_of_datagrams(id)) {
                return Some(Ok((0, Some(nowhere))));
            }
            self.begin_waiting(now, id, SO_RCVTIMEO, wait);
            return wait.or_again(now, blocks);
        }
        Some(answer)
    }

    /// Does a reader who waits go on waiting, since a stream has some bytes and not `enough`, and more may come?
    fn awaits_more(&mut self, now: Instant, id: SocketId, enough: usize, wait: &mut Wait) -> bool {
        let view = self.descriptions.get(id).and_then(|description| self.view(description));
        let is_short = view.is_some_and(|view| {
            (1..enough).contains(&view.readable_bytes) && !view.shut.read && view.error.is_none()
        });
        if !is_short || self.urgent_ahead(id).is_some() {
            return false;
        }
        self.begin_waiting(now, id, SO_RCVTIMEO, wait);
        !wait.gives_up(now, true)
    }

    /// Is there nothing to read of the stream, but an error to be told?
    fn has_only_an_error(&self, id: SocketId) -> bool {
        let view = self.descriptions.get(id).and_then(|description| self.view(description));
        view.is_some_and(|view| view.readable_bytes == 0 && view.error.is_some())
    }

    /// UDP has nothing urgent, and says so to senders alone.
    fn ignores_urgency(&self, id: SocketId) -> bool {
        let make = self.make(id);
        make.is_some_and(|make| matches!(make.protocol, Protocol::Udp | Protocol::UdpLite))
    }

    fn recv_bytes(
        &mut self,
        now: Instant,
        id: SocketId,
        reading: &Reading,
        wait: &Wait,
        received: &mut Received,
    ) -> Result<usize, Errno> {
        // No larger than what is there: sizes are the program's.
        let there = self.status(id).map_or(0, |status| status.readable_bytes);
        let room = reading.bytes - wait.moved.min(reading.bytes);
        let mut buffer = vec![0; room.min(there.max(1))];
        let drops = reading.has(MSG_TRUNC);
        if !reading.into && !drops {
            // Nobody notices that there is no buffer before there are bytes for it.
            return match self.recv(now, id, &mut buffer, true)? {
                0 => Ok(0),
                _ => Err(Errno::EFAULT),
            };
        }
        let count = self.recv(now, id, &mut buffer, reading.has(MSG_PEEK))?;
        if !drops {
            received.bytes.extend(&buffer[..count]);
        }
        Ok(count)
    }

    fn recv_datagram(
        &mut self,
        now: Instant,
        id: SocketId,
        reading: &Reading,
        received: &mut Received,
    ) -> Result<usize, Errno> {
        let (arrival, came_at) = (self.next_arrival(id), self.next_came_at(id).unwrap_or(now));
        let (mut payload, source) = self.recv_from(now, id, reading.has(MSG_PEEK))?;
        let whole = payload.len();
        payload.truncate(reading.bytes);
        let cut = payload.len() < whole;
        received.flags = if cut { MSG_TRUNC } else { 0 };
        received.source = Some(source);
        let came = self.day_at_zero + Duration::from_micros(came_at.micros());
        received.control = self.arrival_controls(id, source, arrival.as_ref(), came);
        let answer = if reading.has(MSG_TRUNC) { whole } else { payload.len() };
        received.bytes = payload;
        Ok(answer)
    }
}
