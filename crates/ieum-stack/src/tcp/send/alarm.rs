//! The one alarm of the sending half, and what happens when it rings: something is overdue (RFC 8985 §6.3), the tail is
//! probed (§7), all is sent again (RFC 6298 §5), or a closed window is asked about (RFC 9293 §3.8.6.1).

use std::time::Duration;

use ieum_wire::Instant;

use super::recovery::{Belief, News};
use super::{Piece, Send, Sizes, u32_of, usize_of};
use crate::tcp::bounds::{PROBE_SLACK, PROBE_SLACK_ALONE, PROBE_TIMEOUT_INITIAL, RENEGING_WAIT};

/// For what the alarm is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alarm {
    /// Nothing was acknowledged for a retransmission time-out.
    Retransmit,
    /// What was overtaken may be overdue.
    Reorder,
    /// The last of what was sent may be lost, and nobody would say so.
    TailProbe,
    /// Something waits and nothing is in flight: nobody but this alarm would ever ask again.
    Persist,
}

impl Send {
    /// When the alarm rings.
    pub(in crate::tcp) fn timer(&self) -> Option<Instant> {
        self.alarm.map(|(at, _)| at)
    }

    /// The alarm stands for an answer that has not come: it may ring only so often.
    pub(in crate::tcp) fn awaits_answer(&self) -> bool {
        self.alarm.is_some_and(|(_, what)| matches!(what, Alarm::Retransmit | Alarm::Persist))
    }

    /// The alarm rings.
    pub(in crate::tcp) fn timed_out(&mut self, now: Instant) {
        let Some((_, what)) = self.alarm else { return };
        self.notice_gap();
        match what {
            Alarm::Retransmit => {
                self.enter_loss(now);
                self.sums.timed_out(now, self.retries == 0);
                self.retries += 1;
                self.rto.expired();
                self.alarm = Some((now + self.rto.current(), Alarm::Retransmit));
            }
            Alarm::Reorder => self.overdue(now),
            Alarm::TailProbe => {
                self.tail_probe_owed = true;
                if self.recovery.is_probing() {
                    self.restart_alarm(now);
                } else {
                    // RFC 8985 §7.3: the probe starts the time-out anew, be it over already.
                    self.alarm = Some((now + self.rto.current(), Alarm::Retransmit));
                }
            }
            Alarm::Persist => {
                self.rto.expired();
                self.retries += 1;
                self.probe_owed = true;
                self.alarm = Some((now + self.rto.current(), Alarm::Persist));
            }
        }
    }

    /// Time has passed, and nothing else: is something lost now?
    fn overdue(&mut self, now: Instant) {
        let lost_before = self.flight.counts().lost;
        let waits = self.rack.newest().is_some_and(|newest| self.lose_overdue(now, newest).waits);
        let lost = self.flight.counts().lost - lost_before.min(self.flight.counts().lost);
        if lost > 0 && self.recovery.belief() != Belief::Recovery {
            self.enter_recovery(false);
            self.reduce(1, false);
        }
        self.tell_losses(now);
        if !waits {
            self.restart_alarm(now);
        }
    }

    /// Something was sent behind all that was in flight.
    pub(super) fn set_alarm_after_new(&mut self, now: Instant, was_empty: bool) {
        if was_empty || self.alarm.is_none_or(|(_, what)| matches!(what, Alarm::TailProbe | Alarm::Persist)) {
            self.restart_alarm(now);
        }
        self.schedule_tail_probe(now, false);
    }

    /// RFC 6298 §5.2 and §5.3, RFC 8985 §7.2. `waits`: what may be overdue has set its own.
    pub(super) fn set_alarm_after_ack(&mut self, now: Instant, news: &News, waits: bool) {
        if self.flight.is_empty() {
            self.alarm = None;
        } else if news.advanced && !waits && !self.schedule_tail_probe(now, true) {
            self.restart_alarm(now);
        }
    }

    /// The left edge stands at what a block had named: the peer has thrown that away (RFC 2018 §8), or is late in saying
    /// that it has not. True when that is so; the alarm is set then.
    pub(super) fn waits_for_thrown_away(&mut self, now: Instant) -> bool {
        let is_odd = self.flight.first().is_some_and(|first| first.sacked);
        if is_odd {
            let patience = RENEGING_WAIT.max(self.rto.smoothed().unwrap_or_default() / 2);
            self.alarm = Some((now + patience, Alarm::Retransmit));
        }
        is_odd
    }

    /// RFC 6298 §5.1: whoever waits for an acknowledgement has a timer. After an alarm of another kind the time since the
    /// oldest was sent counts.
    pub(super) fn restart_alarm(&mut self, now: Instant) {
        let Some(first) = self.flight.first() else {
            self.alarm = None;
            return;
        };
        let from = match self.alarm {
            Some((_, Alarm::Reorder | Alarm::TailProbe)) => first.sent_at,
            Some((_, Alarm::Retransmit | Alarm::Persist)) | None => now,
        };
        self.alarm = Some(((from + self.rto.current()).max(now), Alarm::Retransmit));
    }

    /// RFC 8985 §7.2. `advanced`: the time-out begins anew. False when no probe is to be sent.
    fn schedule_tail_probe(&mut self, now: Instant, advanced: bool) -> bool {
        let Some(first) = self.flight.first() else { return false };
        if !self.tuning.tail_probes || !self.sack || !self.recovery.may_probe() {
            return false;
        }
        let patience = match self.rto.smoothed() {
            Some(rtt) => {
                2 * rtt + if self.flight.counts().out == 1 { PROBE_SLACK_ALONE } else { PROBE_SLACK }
            }
            None => PROBE_TIMEOUT_INITIAL,
        };
        let begun = if advanced { now } else { first.sent_at };
        let retransmission = begun + self.rto.current();
        let at = if retransmission > now { (now + patience).min(retransmission) } else { now + patience };
        self.alarm = Some((at, Alarm::TailProbe));
        true
    }

    /// A segment that makes the peer say what it has: a new one where there is one, else the last one again (§7.3). It
    /// does not ask the congestion window.
    pub(super) fn tail_probe(&mut self, now: Instant, sizes: &Sizes) -> Option<Piece> {
        if self.recovery.is_probing() || self.flight.is_empty() {
            return None;
        }
        let unsent = self.data_end().since(self.nxt);
        let fits = unsent.min(sizes.mss).min(self.window_left());
        let (piece, repeated) = if fits > 0 && fits == unsent.min(sizes.mss) {
            (self.say(now, usize_of(fits), sizes), false)
        } else {
            (self.again(now, sizes, |flight| flight.send_last(now, sizes.mss))?, true)
        };
        self.recovery.probed(self.nxt, repeated);
        self.alarm = Some((now + self.rto.current(), Alarm::Retransmit));
        Some(piece)
    }

    pub(in crate::tcp) fn is_persisting(&self) -> bool {
        matches!(self.alarm, Some((_, Alarm::Persist)))
    }

    /// Something waits and nothing is in flight.
    pub(super) fn persist(&mut self, now: Instant) {
        if self.flight.is_empty() && self.alarm.is_none() {
            self.alarm = Some((now + self.rto.current(), Alarm::Persist));
        }
    }

    /// An empty segment left of the window, which the peer must answer with its window (RFC 9293 §3.8.6.1). Unlike a
    /// byte of data it cannot be taken, so no position moves. A window that is open but was too small to be worth a
    /// segment is used now, whatever it holds (RFC 9293 §3.8.6.2.1 rule 4).
    pub(super) fn window_probe(&mut self, now: Instant, sizes: &Sizes) -> Piece {
        let fits = u32_of(self.queued).min(self.window).min(sizes.mss);
        if fits > 0 {
            return Piece { push: true, ..self.say(now, usize_of(fits), sizes) };
        }
        self.waiting_since.get_or_insert(now);
        Piece::bare(self.una - 1)
    }

    /// The peer has acknowledged, if nothing new. While its window is closed that alone is no failure, however long
    /// (RFC 9293 §3.8.6.1, MUST-37). With nothing in flight and the window open the persist timer has nothing to wait
    /// for.
    pub(in crate::tcp) fn peer_answered(&mut self) {
        if self.window == 0 {
            self.retries = 0;
        } else if self.flight.is_empty() {
            if self.is_persisting() {
                self.rto.progressed();
            }
            self.retries = 0;
            self.waiting_since = None;
            self.alarm = None;
        }
    }

    /// How long the peer's silence may last before everything is sent again.
    pub(in crate::tcp) fn rto(&self) -> Duration {
        self.rto.current()
    }
}
