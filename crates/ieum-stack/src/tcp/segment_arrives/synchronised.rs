//! A segment on an open connection: the checks of RFC 9293 §3.10.7.4 in their order.

use ieum_wire::{Instant, SeqNumber};

use super::Outcome;
use crate::drops::Drop;
use crate::tcp::connection::{Failure, Reader};
use crate::tcp::ecn::Ecn;
use crate::tcp::ecn::accurate::Delivery;

use crate::tcp::open::Open;
use crate::tcp::recv::{Arrived, Data};
use crate::tcp::segment::Segment;
use crate::tcp::send::Ack;
use crate::tcp::settings::TcpSettings;
use crate::tcp::state::{OurEnd, State};

/// Why data was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unwanted {
    TooManyHoles,
    NoMemory,
    NoReader,
}

impl Open {
    /// `reader`: of what arrives.
    pub(in crate::tcp) fn segment_arrives(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        reader: Reader,
        settings: &TcpSettings,
    ) -> Outcome {
        self.totals.received(now, segment.frames, segment.payload.len());
        if let Some(accurate) = self.ecn.accurate_mut().filter(|_| !segment.header.flags.syn)
            && (accurate.arrived(segment.tos, segment.frames, segment.payload.len())
                || accurate.is_pressing())
            && !segment.payload.is_empty()
        {
            // Not for mere acknowledgements, or two ends could acknowledge each other for ever (RFC 9768 §3.2.2.5.1).
            self.recv.ack.now();
        }
        if let Some(outcome) = self.check_stamp(now, segment) {
            return outcome;
        }
        if !self.is_acceptable(segment) {
            return self.answer_unacceptable(now, segment, reader, settings);
        }
        let flags = segment.header.flags;
        if flags.rst {
            return self.reset(now, segment.header.seq);
        }
        if flags.syn {
            self.syn_came_again(segment);
            // RFC 5961 §4.2: a SYN in the window does not reset, it is answered with what we expect.
            self.recv.ack.challenge(now);
            return Outcome::dropped(Drop::TcpSynOnConnection);
        }
        if !flags.ack {
            return Outcome::dropped(Drop::TcpNoAck);
        }
        let news = match self.take_ack(now, segment, reader, settings) {
            Ok(news) => news,
            Err(outcome) => return outcome,
        };
        // Only now: who cannot name what we sent shall not move the clock that PAWS goes by.
        if let (Some(stamps), Some(theirs)) = (&mut self.stamps, segment.header.options.timestamps) {
            stamps.seen(now, segment.header.seq, theirs.value);
        }
        let news = self.recv.urgent_arrives(segment, settings.urgent_inline) || news;
        let received = match self.take_data(now, segment, reader, settings) {
            Ok(received) => received,
            // What the acknowledgement brought stays news.
            Err(Unwanted::TooManyHoles) => return Outcome::Dropped { reason: Drop::TcpTooManyHoles, news },
            Err(Unwanted::NoMemory) => return Outcome::Dropped { reason: Drop::TcpNoMemory, news },
            Err(Unwanted::NoReader) => return Outcome::Aborted(Drop::TcpNoReader),
        };
        self.over().unwrap_or(Outcome::Taken { news: news || received })
    }

    /// Has the connection come to its end by what was said in both directions?
    fn over(&self) -> Option<Outcome> {
        match self.state() {
            State::TimeWait => Some(Outcome::TimeWait),
            State::Closed => Some(Outcome::Closed),
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => None,
        }
    }

    /// PAWS (RFC 7323 §5.3 R1): a segment older than what has been seen is acknowledged and dropped.
    fn check_stamp(&mut self, now: Instant, segment: &Segment<'_>) -> Option<Outcome> {
        let stamps = self.stamps.as_ref()?;
        let theirs = segment.header.options.timestamps?;
        if segment.header.flags.rst || !stamps.is_old(now, theirs.value) {
            return None;
        }
        self.recv.ack.challenge(now);
        Some(Outcome::dropped(Drop::TcpOldTimestamp))
    }

    /// First: is any of it in the window (§3.4)?
    fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        let (seq, length) = (segment.header.seq, segment.length());
        let (left, window) = (self.recv.nxt(), self.recv.window_left());
        let right = left + window;
        if length == 0 {
            // At the right edge as well: an acknowledgement from a peer that has just filled our window.
            seq.at_or_after(left) && seq.at_or_before(right)
        } else if window == 0 {
            // RFC 9293 §3.10.7.4: with a closed window valid acknowledgements are still taken; the data is cut off.
            seq == left
        } else {
            // Linux: what ends beyond the window is taken whole while nothing waits to be read, else not at all.
            let end = seq + u32::try_from(segment.payload.len()).unwrap_or(0);
            segment.end().after(left) && seq.before(right) && self.recv.takes_beyond_window(end)
        }
    }

    /// What is not in the window is dropped and answered, so that a true peer learns where we are.
    fn answer_unacceptable(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        reader: Reader,
        settings: &TcpSettings,
    ) -> Outcome {
        let (seq, left) = (segment.header.seq, self.recv.nxt());
        if segment.header.flags.rst {
            return Outcome::dropped(Drop::TcpOutsideWindow);
        }
        if segment.header.flags.syn {
            self.syn_came_again(segment);
        }
        if segment.payload.is_empty() && !segment.header.flags.fin {
            self.recv.ack.challenge(now);
        } else {
            // Data sent again, because our acknowledgement was lost, must be answered each time, or the peer gives up.
            self.recv.ack.now();
            let end = seq + u32::try_from(segment.payload.len()).unwrap_or(0);
            if segment.end().at_or_before(left) {
                self.recv.acknowledge_again();
            }
            if end.after(seq) && end.at_or_before(left) {
                self.came_twice(seq, end);
            }
            if self.repeats_with_news(segment) {
                return match self.take_ack(now, segment, reader, settings) {
                    Ok(news) => {
                        self.over().unwrap_or(Outcome::Dropped { reason: Drop::TcpOutsideWindow, news })
                    }
                    Err(outcome) => outcome,
                };
            }
        }
        Outcome::dropped(Drop::TcpOutsideWindow)
    }

    /// Does it bring only what has been taken already, and acknowledge more than anything before it? Two ends that have both
    /// closed their windows over what was on its way, and lost the acknowledgements of it, have nothing else left: each
    /// repeats what the other has, and would throw away what it is told. Linux takes what ends where new data would begin.
    fn repeats_with_news(&self, segment: &Segment<'_>) -> bool {
        let (header, left) = (&segment.header, self.recv.nxt());
        let oldest = left - self.recv.space.buffer_bytes();
        let is_old = segment.end().at_or_before(left) && segment.end().at_or_after(oldest);
        is_old && header.flags.ack && !header.flags.syn && header.ack.after(self.send.una())
    }

    /// Data of a segment was there already.
    fn came_twice(&mut self, begin: SeqNumber, end: SeqNumber) {
        if let Some(accurate) = self.ecn.accurate_mut() {
            accurate.came_twice(begin);
        }
        self.recv.came_twice(begin, end);
    }

    /// The peer's SYN once more: how it arrived is said with the answer (RFC 9768 §3.1.5).
    fn syn_came_again(&mut self, segment: &Segment<'_>) {
        if let Some(accurate) = self.ecn.accurate_mut() {
            accurate.syn_came_again(segment.tos);
        }
    }

    /// Second: RFC 5961 §3.2. Only a RST at exactly the next position resets; another in the window is answered, so
    /// that a true peer can give the exact one.
    fn reset(&mut self, now: Instant, seq: SeqNumber) -> Outcome {
        if seq == self.recv.nxt() {
            return Outcome::Failed(Failure::Reset);
        }
        self.recv.ack.challenge(now);
        Outcome::dropped(Drop::TcpResetNotExact)
    }

    /// The peer lives, and what it has.
    fn take_ack(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        reader: Reader,
        settings: &TcpSettings,
    ) -> Result<bool, Outcome> {
        self.heard(now);
        let news = self.check_ack(now, segment, settings).map_err(Outcome::dropped)?;
        if reader == Reader::Gone && news && self.state() == State::FinWait2 {
            if self.fin_timeout.is_none() {
                return Err(Outcome::Aborted(Drop::TcpNoReader));
            }
            self.orphaned(now, self.fin_timeout);
        }
        Ok(news)
    }

    /// Fifth: the acknowledgement. True when the user gains room to write or learns that its end has arrived.
    fn check_ack(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        settings: &TcpSettings,
    ) -> Result<bool, Drop> {
        let header = &segment.header;
        let (ack, send) = (header.ack, &mut self.send);
        let window_before = send.window_max();
        // RFC 5961 §5.2: neither beyond what was sent nor older than any window.
        if ack.after(send.nxt()) || (send.una() - send.window_max()).after(ack) {
            self.recv.ack.challenge(now);
            return Err(Drop::TcpAckOutside);
        }
        let window_changed = send.window_told(header.seq, ack, header.window);
        if send.window_max() > window_before {
            self.resize_segments();
        }
        let send = &mut self.send;
        let echo_age = self
            .stamps
            .zip(header.options.timestamps)
            .and_then(|(stamps, theirs)| stamps.round_trip(now, theirs.echo));
        let (ecn, mss) = (&mut self.ecn, self.mss);
        let is_later = self
            .stamps
            .zip(header.options.timestamps)
            .is_some_and(|(stamps, theirs)| stamps.is_newer(theirs.value));
        let (flags, bare) = (header.flags, segment.payload.is_empty());
        let marks = |segments, bytes, progress| match ecn {
            Ecn::Off => 0,
            // Every segment of which it tells might be meant.
            Ecn::Classic(_) if flags.ece => u32::MAX,
            Ecn::Classic(_) => 0,
            Ecn::Accurate(accurate) => {
                let delivery = Delivery { segments, bytes, mss, progress: progress || is_later };
                accurate.heard(flags.ace(), header.options.acc_ecn.as_ref(), bare, &delivery)
            }
        };
        let acknowledged = send.acknowledged(
            now,
            &Ack {
                ack,
                sack: header.options.sack.as_slice(),
                is_not_bare: window_changed || !segment.payload.is_empty() || header.flags.fin,
                echo_age,
                mss,
            },
            marks,
        );
        send.peer_answered();
        if acknowledged.room && send.room_wanted {
            send.grow_buffer_for_writer();
        }
        let has_room = acknowledged.room && send.takes_notice_of_room(settings);
        self.judge_probe();
        Ok(acknowledged.fin || has_room)
    }

    /// Seventh and eighth: the data and the FIN, as far as they are new and in the window.
    fn take_data(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        reader: Reader,
        settings: &TcpSettings,
    ) -> Result<bool, Unwanted> {
        let nxt = self.recv.nxt();
        let seq = segment.header.seq;
        let payload_bytes = segment.payload.len();
        let skip = usize::try_from(nxt.since(seq)).unwrap_or(usize::MAX).min(payload_bytes);
        let end_max = self.recv.data_end_max();
        let fits = match end_max {
            // A closed window takes nothing, but the end of the stream, which has no byte.
            None if self.recv.window_left() == 0 => skip,
            None => payload_bytes,
            Some(end) => usize::try_from(end.since(seq)).unwrap_or(usize::MAX).min(payload_bytes),
        };
        let data = &segment.payload[skip.min(fits)..fits];
        if fits < payload_bytes {
            // The peer sent beyond what it was told, or beyond its own end; it learns at once where we are.
            self.recv.ack.now();
        } else if skip > 0 {
            // RFC 5681 §4.2: what came twice is acknowledged at once; it may mean that an acknowledgement was lost.
            self.recv.acknowledge_again();
            self.came_twice(seq, nxt);
        }
        let is_for_nobody = match reader {
            Reader::There => false,
            Reader::Deaf => matches!(self.state(), State::FinWait1 | State::FinWait2),
            Reader::Gone => true,
        };
        if is_for_nobody && !data.is_empty() {
            // RFC 9293 §3.6.1: data for which there is no reader any more. The peer must learn that it is lost.
            return Err(Unwanted::NoReader);
        }
        if let Ecn::Classic(classic) = &mut self.ecn
            && !segment.payload.is_empty()
            && classic.data_arrives(segment.header.flags, segment.tos)
        {
            self.recv.ack.now();
        }
        let fin_fits = segment.header.flags.fin && fits == payload_bytes;
        let finishes_first = fin_fits && seq.at_or_before(nxt) && self.send.our_end() == OurEnd::Open;
        if finishes_first && !self.recv.has_finished() {
            self.recv.ack.peer_finishes();
        }
        let mut news = false;
        if !data.is_empty() && !self.recv.has_finished() {
            match self.data_arrived(now, segment, seq.max(nxt), data, settings) {
                Arrived::InOrder => news = true,
                Arrived::OutOfOrder => self.totals.out_of_order(segment.frames),
                Arrived::TooManyHoles => return Err(Unwanted::TooManyHoles),
                Arrived::NoMemory => return Err(Unwanted::NoMemory),
            }
        }
        let finished = if fin_fits { self.recv.fin_seen(segment.end() - 1) } else { self.recv.take_fin() };
        if finished {
            if finishes_first {
                let clock = self.clock();
                self.recv.finished_first(now, clock, settings);
            } else {
                self.recv.ack.now();
            }
            self.they_finished();
            news = true;
        } else if fin_fits && self.recv.has_finished() {
            // A FIN that came again: our acknowledgement was lost.
            self.recv.ack.now();
        }
        self.totals.bytes_in += u64::from(self.recv.nxt().since(nxt));
        if self.send.our_end() == OurEnd::Acknowledged && self.recv.has_finished() {
            news = true;
        }
        Ok(news)
    }

    /// New data, and what it tells of the way from the peer.
    fn data_arrived(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        seq: SeqNumber,
        bytes: &[u8],
        settings: &TcpSettings,
    ) -> Arrived {
        let flags = segment.header.flags;
        let full = u32::try_from(bytes.len()).is_ok_and(|bytes| bytes >= self.recv.space.peer_mss());
        if let (Some(stamps), Some(theirs)) = (&self.stamps, segment.header.options.timestamps)
            && full
            && let Some(rtt) = stamps.round_trip(now, theirs.echo)
        {
            self.recv.space.round_trip_echoed(theirs.echo, rtt);
        }
        let data =
            Data { seq, bytes, frames: segment.frames, push: flags.psh, remnant: flags.psh || flags.fin };
        let clock = self.clock();
        self.recv.data_arrived(now, &data, clock, settings)
    }
}
