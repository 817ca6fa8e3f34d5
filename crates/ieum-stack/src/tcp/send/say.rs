//! What is said next: the piece that one packet is to carry, of what is missing or of what is new.

use ieum_wire::{Instant, SeqNumber};

use super::alarm::Alarm;
use super::chronograph::Held;
use super::flight::Flight;
use super::permission::{Facts, Permission, permission};
use super::range::Range;
use super::recovery::Belief;
use super::room::packet_bytes;
use super::writes::Writes;
use super::{Piece, Send, Sizes, u32_of, usize_of};
use crate::tcp::bounds::DEFERRED_MAX;
use crate::tcp::settings::TcpSettings;
use crate::tcp::state::OurEnd;

impl Send {
    /// The next piece to be sent, taken as sent: positions and timers move. `None`: nothing may be said now.
    pub(in crate::tcp) fn next_piece(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        settings: &TcpSettings,
    ) -> Option<Piece> {
        self.begin_again(now);
        self.mss = sizes.mss;
        if self.has_something() {
            self.quantum = self.quantum_segments(sizes, self.pacing_rate(settings));
        }
        let is_paced = self.is_paced(settings);
        let piece = self.piece_in_turn(now, sizes, settings, is_paced)?;
        self.notice_full(settings);
        if is_paced {
            let (bytes, rate) = (u32_of(piece.count), self.pacing_rate(settings));
            self.pacer.sent(now, bytes, bytes.div_ceil(sizes.mss), rate);
        }
        Some(piece)
    }

    /// Would the next piece be asked for with any use? Whoever waits for room is told what holds it back.
    pub(in crate::tcp) fn wants_turn(&self) -> bool {
        let Send { tail_probe_owed, probe_owed, room_wanted, .. } = *self;
        tail_probe_owed || probe_owed || room_wanted || self.recovery.tries_new || self.has_something()
    }

    /// What is owed first goes first.
    fn piece_in_turn(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        settings: &TcpSettings,
        is_paced: bool,
    ) -> Option<Piece> {
        if std::mem::take(&mut self.tail_probe_owed)
            && let Some(piece) = self.tail_probe(now, sizes)
        {
            return Some(piece);
        }
        if std::mem::take(&mut self.probe_owed) {
            return Some(self.window_probe(now, sizes));
        }
        if self.end == OurEnd::Acknowledged {
            return None;
        }
        if is_paced && self.has_something() && !self.pacer.allows(now, self.quantum.saturating_mul(sizes.mss))
        {
            return None;
        }
        if self.recovery.tries_new {
            let piece = self.new_piece(now, sizes, settings);
            if piece.is_some() {
                return piece;
            }
            self.give_up_doubt();
        }
        self.missing_piece(now, sizes).or_else(|| self.new_piece(now, sizes, settings))
    }

    /// What is missing goes before what is new (RFC 6675 §5 (C)).
    fn missing_piece(&mut self, now: Instant, sizes: &Sizes) -> Option<Piece> {
        let missing = self.flight.missing()?;
        let is_first = missing.begin == self.una;
        let left = (self.una + self.window).since(missing.begin);
        // A window that has shrunk takes none of it; one that has closed is probed with the first.
        let window = if is_first && left == 0 { sizes.mss } else { left };
        let allowed = self.congestion_left().saturating_mul(sizes.mss).min(window).min(self.piece_max(sizes));
        // All waits for the first: it goes in pieces, if the window is smaller than a segment.
        let enough = if is_first { 1 } else { sizes.mss.min(missing.end.since(missing.begin)) };
        if allowed < enough {
            return None;
        }
        // As it was sent, so it is repeated: what ended a packet still does.
        let packet = self.writes.packet_end(missing.begin).map_or(u32::MAX, |end| end.since(missing.begin));
        let bytes_max = allowed.min(packet.max(sizes.mss));
        let piece = self.again(now, sizes, |flight| flight.send_missing(now, bytes_max, sizes.mss))?;
        self.asks_in_vain |= is_first && self.window == 0;
        if is_first && !matches!(self.alarm, Some((_, Alarm::Reorder))) {
            self.alarm = None;
            self.restart_alarm(now);
        }
        Some(piece)
    }

    /// A range goes out once more.
    pub(super) fn again(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        send: impl FnOnce(&mut Flight) -> Option<Range>,
    ) -> Option<Piece> {
        let range = send(&mut self.flight)?;
        self.recovery.repeated(now, range.segments());
        self.recovery.sent(range.segments());
        self.wrote_at = Some(now);
        self.waiting_since.get_or_insert(now);
        let bytes = range.end.since(range.begin) - u32::from(range.fin);
        let push = bytes > 0 && self.writes.sent_again(range.begin + bytes, bytes.div_ceil(sizes.mss));
        // A FIN that the window has not let go yet does not go along with the bytes before it.
        Some(Piece { again: true, push, fin: range.fin, ..self.piece_at(range.begin, usize_of(bytes)) })
    }

    fn new_piece(&mut self, now: Instant, sizes: &Sizes, settings: &TcpSettings) -> Option<Piece> {
        if self.tuning.restarts_after_idle {
            self.restart_after_idle(now);
        }
        let data_end = self.data_end();
        let end = self.writes.record_end(self.nxt).unwrap_or(data_end);
        let end = self.packet_end(sizes).map_or(end, |packet| if packet.before(end) { packet } else { end });
        let facts = self.facts(end, sizes, settings);
        let mut permission = permission(&facts);
        if matches!(permission, Permission::Send(_))
            && let Some(deferred) = self.deferred(now, &facts)
        {
            permission = deferred;
        }
        let piece = match permission {
            Permission::Send(count) => Some(self.say(now, count, sizes)),
            // A corked rest is held for as long as the timer lasts, about 200 ms, as on Linux (tcp(7)).
            Permission::WindowLimited | Permission::Held => {
                self.persist(now);
                None
            }
            Permission::CongestionLimited => None,
            Permission::Nothing => {
                let fin_unsent = self.end == OurEnd::Finished && self.nxt == data_end;
                if fin_unsent && self.window_left() == 0 {
                    // A FIN takes a place in the window like a byte (RFC 9293 §3.4).
                    self.persist(now);
                    None
                } else {
                    fin_unsent.then(|| self.say(now, 0, sizes))
                }
            }
        };
        let counts = self.flight.counts();
        let held_back =
            permission == Permission::CongestionLimited || counts.in_flight() >= self.congestion.cwnd;
        self.congestion.used(self.una, self.nxt, counts.out, held_back);
        self.note_what_holds(now, permission, held_back);
        piece
    }

    /// After an attempt to send: what held it back, for who asks.
    fn note_what_holds(&mut self, now: Instant, permission: Permission, by_congestion: bool) {
        if self.is_idle() {
            return;
        }
        self.chronograph.begin(now, Held::Busy);
        match permission {
            Permission::WindowLimited => self.chronograph.begin(now, Held::ByPeer),
            Permission::Nothing if self.room_wanted && !by_congestion => {
                self.chronograph.begin(now, Held::ByBuffer);
            }
            Permission::Send(_) | Permission::CongestionLimited | Permission::Held | Permission::Nothing => {
                self.chronograph.end(now, Held::ByPeer, false);
            }
        }
    }

    /// Where the first of the packets ends that the user's writes were put into, when another follows it.
    fn packet_end(&self, sizes: &Sizes) -> Option<SeqNumber> {
        let tail = self.writes.tail;
        let ahead = tail.after(self.nxt).then(|| tail.since(self.nxt))?;
        let packet_bytes = packet_bytes(self.window_max, self.mss);
        let first = match ahead % packet_bytes {
            0 => packet_bytes,
            rest => rest,
        };
        // A window that has grown since moves the ends: never into the middle of a segment.
        first.is_multiple_of(sizes.mss).then(|| self.nxt + first)
    }

    /// The facts about what lies before `end`.
    fn facts(&self, end: SeqNumber, sizes: &Sizes, settings: &TcpSettings) -> Facts {
        let Writes { more, flushed, .. } = self.writes;
        Facts {
            unsent: usize_of(end.since(self.nxt)),
            window: usize_of(self.window_left()),
            window_max: usize_of(self.window_max),
            cwnd: usize_of(self.congestion_left().saturating_mul(sizes.mss)),
            mss: usize_of(sizes.mss),
            piece_max: usize_of(self.piece_max(sizes).min(self.burst_bytes(sizes))),
            small_in_flight: self.small_until.after(self.una) && self.small_until.at_or_before(self.nxt),
            no_delay: settings.no_delay || flushed || self.is_urgent(),
            cork: (settings.cork || more) && !flushed,
            finished: self.end != OurEnd::Open || end != self.data_end(),
        }
    }

    /// Would it be better to wait for the acknowledgement that is about to come, and send a larger packet then? Only when
    /// something was sent just now, and only for as long as that costs less than a millisecond or half a round trip (all
    /// as Linux's tcp_tso_should_defer). Nothing has to wake who waits: something is in flight.
    fn deferred(&self, now: Instant, facts: &Facts) -> Option<Permission> {
        if self.recovery.belief() >= Belief::Recovery
            || facts.unsent <= facts.mss
            || self.wrote_at.is_none_or(|wrote| now.since(wrote) > DEFERRED_MAX)
        {
            return None;
        }
        let limit = facts.window.min(facts.cwnd);
        let whole = usize_of(self.window.min(self.congestion.cwnd.saturating_mul(self.mss)));
        let share = whole.checked_div(usize_of(self.tuning.deferral_divisor))?;
        if limit >= facts.piece_max || limit >= share || (facts.finished && limit >= facts.unsent) {
            return None;
        }
        let (first, rtt) = (self.flight.first()?, self.rto.smoothed()?);
        if (first.sent_at + rtt).since(now) > DEFERRED_MAX.min(rtt / 2) {
            return None;
        }
        Some(match (facts.cwnd < facts.window, limit <= facts.unsent) {
            (true, true) => Permission::CongestionLimited,
            (false, true) => Permission::WindowLimited,
            (_, false) => Permission::Held,
        })
    }

    /// How large one packet may be at all. An urgent pointer counts from its own segment: who cuts a super-segment would have
    /// to know.
    fn piece_max(&self, sizes: &Sizes) -> u32 {
        if self.is_urgent() { sizes.mss } else { sizes.piece_max }
    }

    /// How large one packet of new data may be: a quantum, and not more than half the window, so that acknowledgements
    /// of one half let the other be sent (as Linux sizes its own).
    fn burst_bytes(&self, sizes: &Sizes) -> u32 {
        // CWR belongs on one segment, and who cuts a super-segment would have to know.
        if self.recovery.owes_reduced() {
            return sizes.mss;
        }
        let half = (self.congestion.cwnd / 2).max(1);
        sizes.piece_max.min(self.quantum.min(half).saturating_mul(sizes.mss))
    }

    /// `count` bytes from `nxt` on, and the FIN when it follows them.
    pub(super) fn say(&mut self, now: Instant, count: usize, sizes: &Sizes) -> Piece {
        let reduced = count > 0 && self.recovery.take_reduced();
        let (bytes, data_end) = (u32_of(count), self.nxt + u32_of(count));
        let push =
            count > 0 && self.writes.sent(data_end, bytes.div_ceil(sizes.mss), data_end == self.data_end());
        let piece = Piece { reduced, push, ..self.piece_at(self.nxt, count) };
        let end = data_end + u32::from(piece.fin);
        if !u32_of(count).is_multiple_of(sizes.mss) {
            self.small_until = self.nxt + u32_of(count);
        }
        let (was_empty, out) = (self.flight.is_empty(), self.flight.counts().out);
        self.flight.sent(now, self.nxt, end, piece.fin, sizes.mss);
        self.recovery.sent(self.flight.counts().out - out);
        self.nxt = end;
        self.sent_at = Some(now);
        self.wrote_at = Some(now);
        self.set_alarm_after_new(now, was_empty);
        piece
    }

    /// RFC 5681 §4.1: after an idle time-out less and less is known of the path, and a whole window at once would be a
    /// burst.
    fn restart_after_idle(&mut self, now: Instant) {
        if !self.flight.is_empty() || self.queued == 0 {
            return;
        }
        let Some(sent_at) = self.sent_at else { return };
        let idle = now.since(sent_at);
        if idle > self.rto.current() && !self.algorithm.decides() {
            self.sent_at = None;
            self.congestion.restart(idle, self.rto.current());
            self.algorithm.resumed(idle);
        }
    }

    fn piece_at(&self, seq: SeqNumber, count: usize) -> Piece {
        let end = seq + u32_of(count);
        let last = end == self.data_end();
        let fin = last && self.end == OurEnd::Finished;
        Piece {
            seq,
            offset: usize_of(seq.since(self.una)),
            count,
            fin,
            push: false,
            again: false,
            reduced: false,
        }
    }
}
