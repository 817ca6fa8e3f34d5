//! ProbeBW: Down, Cruise, Refill, Up and again (draft-ietf-ccwg-bbr-06 §5.3.3). Nearly all of a long connection's time
//! passes here.

use std::time::Duration;

use ieum_wire::Instant;

use super::control::{MIN_WINDOW, bounded};
use super::plateau::Plateau;
use super::{Bbr, Phase, Report, Sample, Window};

/// The longest time between two Ups lies between this and a second more, by chance (§5.3.3.8), so that flows do not
/// probe together for ever: Reno and CUBIC get a turn, and what is free is found soon.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_CHANCE_US: u32 = 1_000_000;

/// The same in round trips: Reno would need as many for as many segments (§5.3.3.8).
const RENO_ROUNDS_MAX: u32 = 63;

/// What is left free below the long-term bound for others, in percent (BBR.Headroom).
const HEADROOM_PERCENT: u32 = 15;

/// Round trips for which the growth of the long-term bound doubles.
const GROWTH_ROUNDS_MAX: u32 = 30;

/// What acknowledgements mean to the experiment under way (BBR.ack_phase).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Feedback {
    /// Nothing.
    None,
    /// The pipe is being filled.
    Refilling,
    /// More is being sent; they do not yet tell of it.
    Starting,
    /// They tell of it.
    Probing,
    /// No more is being sent; they still tell of it.
    Stopping,
}

/// A cycle of ProbeBW.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    /// When it began, and how long it waits before an Up.
    begun: Instant,
    wait: Duration,
    /// Round trips since the last Up, one more by chance (BBR.rounds_since_probe_up).
    pub(super) rounds: u32,
    pub(super) feedback: Feedback,
    /// Samples come from what Refill and Up have sent (BBR.is_bw_probe_sample).
    pub(super) is_probe: bool,
    /// The last Up lost too much (BBR.prev_probe_too_high).
    pub(super) was_too_high: bool,
    /// The last Up ended when it reached the long-term bound (BBR.prev_probe_precautionary).
    was_careful: bool,
    /// The long-term bound grows by a segment for so many that arrive; how many have, and for how many round trips.
    grows_every: Option<u32>,
    arrived: u32,
    growth_rounds: u32,
}

impl Cycle {
    pub(super) fn new(now: Instant) -> Cycle {
        Cycle {
            begun: now,
            wait: Duration::ZERO,
            rounds: 0,
            feedback: Feedback::None,
            is_probe: false,
            was_too_high: false,
            was_careful: false,
            grows_every: None,
            arrived: 0,
            growth_rounds: 0,
        }
    }

    /// When it began.
    #[cfg(test)]
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }
}

impl Bbr {
    // The edges.

    /// → Down. The wait before the next Up begins.
    pub(super) fn enter_down(&mut self) {
        self.forget_congestion();
        self.cycle.grows_every = None;
        self.cycle.rounds = self.chance.below(2);
        self.cycle.wait = WAIT + Duration::from_micros(self.chance.below(WAIT_CHANCE_US).into());
        self.cycle.begun = self.now;
        self.cycle.feedback = Feedback::Stopping;
        self.rounds.begin(self.delivered);
        self.phase = Phase::Down;
    }

    /// Down → Cruise, ProbeRTT → Down → Cruise.
    pub(super) fn enter_cruise(&mut self) {
        self.phase = Phase::Cruise;
    }

    /// Down, Cruise → Refill; an undone loss leads here too.
    pub(super) fn enter_refill(&mut self) {
        self.forget_short_term();
        self.cycle.growth_rounds = 0;
        self.cycle.arrived = 0;
        self.cycle.was_careful = false;
        self.cycle.feedback = Feedback::Refilling;
        self.rounds.begin(self.delivered);
        self.phase = Phase::Refill;
    }

    /// Refill → Up.
    fn enter_up(&mut self, window: &Window, sample: &Sample) {
        self.cycle.feedback = Feedback::Starting;
        self.rounds.begin(self.delivered);
        self.plateau = Plateau::from(sample.rate);
        self.phase = Phase::Up;
        self.raise_growth(window.cwnd);
    }

    // Along them.

    /// UpdateProbeBWCyclePhase (§5.3.3.9).
    pub(super) fn go_round(&mut self, window: &Window, report: &Report, sample: &Sample) {
        if !self.was_full || self.adapt_long_term(window, report, sample) {
            return;
        }
        match self.phase {
            Phase::Down if self.is_time_to_probe(window.cwnd) => self.enter_refill(),
            Phase::Down if self.is_time_to_cruise(report.in_flight) => self.enter_cruise(),
            Phase::Cruise if self.is_time_to_probe(window.cwnd) => self.enter_refill(),
            Phase::Refill if self.rounds.started => {
                self.cycle.is_probe = true;
                self.enter_up(window, sample);
            }
            Phase::Up => {
                if self.is_time_to_go_down(window, report, sample) {
                    self.cycle.was_too_high = false;
                    self.enter_down();
                }
            }
            Phase::Startup | Phase::Drain | Phase::Down | Phase::Cruise | Phase::Refill | Phase::ProbeRtt => {
            }
        }
    }

    fn is_time_to_probe(&self, cwnd: u32) -> bool {
        let rounds = self.target(cwnd).min(RENO_ROUNDS_MAX);
        self.now > self.cycle.begun + self.cycle.wait || self.cycle.rounds >= rounds
    }

    /// The queue is gone, and there is room for others.
    fn is_time_to_cruise(&self, in_flight: u32) -> bool {
        let headroom = self.inflight_with_headroom();
        headroom.is_none_or(|headroom| in_flight <= headroom)
            && in_flight <= self.inflight(self.max_bandwidth.largest())
    }

    /// IsTimeToGoDown (§5.3.3.9): at once when the last Up went too far and this one has come as far; else when the rate
    /// grows no more, which the long-term bound must not have caused.
    fn is_time_to_go_down(&mut self, window: &Window, report: &Report, sample: &Sample) -> bool {
        let reaches = |count: u32| self.inflight_long.is_some_and(|bound| count >= bound);
        // With what has just arrived: an acknowledgement always finds less in flight than the window allows.
        if self.cycle.was_too_high && reaches(report.in_flight.saturating_add(report.heard.segments)) {
            self.cycle.was_careful = true;
            return true;
        }
        if window.limited && reaches(window.cwnd) {
            self.plateau = Plateau::from(sample.rate);
            return false;
        }
        self.plateau.is_full
    }

    // The long-term bound.

    /// AdaptLongTermModel (§5.3.3.9). True when it has decided where to go.
    fn adapt_long_term(&mut self, window: &Window, report: &Report, sample: &Sample) -> bool {
        if self.cycle.feedback == Feedback::Starting && self.rounds.started {
            self.cycle.feedback = Feedback::Probing;
        }
        if self.cycle.feedback == Feedback::Stopping && self.rounds.started {
            self.cycle.is_probe = false;
            self.cycle.feedback = Feedback::None;
            if self.phase.is_probe_bw() && !sample.limited {
                self.max_bandwidth.advance();
            }
            // The last Up was careful and lost little: it may go on at once, this time without stopping.
            if self.phase.is_probe_bw() && self.cycle.was_careful && !self.cycle.was_too_high {
                self.enter_refill();
                return true;
            }
        }
        if let Some(bound) = self.inflight_long
            && !self.is_inflight_too_high(sample.lost, sample.in_flight, report.sack)
        {
            self.inflight_long = Some(bound.max(sample.in_flight));
            if self.phase == Phase::Up {
                self.probe_upward(window, report.heard.segments);
            }
        }
        false
    }

    /// ProbeInflightLongtermUpward: the bound grows while it is what holds the sender back.
    fn probe_upward(&mut self, window: &Window, newly: u32) {
        let Some(bound) = self.inflight_long else { return };
        if !window.limited || window.cwnd < bound {
            return;
        }
        if let Some(every) = self.cycle.grows_every {
            self.cycle.arrived = self.cycle.arrived.saturating_add(newly);
            self.inflight_long = Some(bound.saturating_add(self.cycle.arrived / every));
            self.cycle.arrived %= every;
        }
        if self.rounds.started {
            self.raise_growth(window.cwnd);
        }
    }

    /// RaiseInflightLongtermSlope: a segment in the first round trip, then two, four and so on.
    fn raise_growth(&mut self, cwnd: u32) {
        let growth = 1 << self.cycle.growth_rounds;
        self.cycle.growth_rounds = (self.cycle.growth_rounds + 1).min(GROWTH_ROUNDS_MAX);
        self.cycle.grows_every = Some((cwnd / growth).max(1));
    }

    /// InflightWithHeadroom: the long-term bound, with room for others; `None` without one.
    pub(super) fn inflight_with_headroom(&self) -> Option<u32> {
        let bound = self.inflight_long?;
        let headroom = u64::from(bound) * u64::from(HEADROOM_PERCENT) / 100;
        let headroom = u32::try_from(headroom).unwrap_or(u32::MAX).max(1);
        Some(bound.saturating_sub(headroom).max(MIN_WINDOW))
    }

    /// TargetInflight: what fits into the path, unless the window is smaller.
    pub(super) fn target(&self, cwnd: u32) -> u32 {
        bounded(cwnd, self.product(100))
    }
}
