//! BBR, version 3 (draft-ietf-ccwg-bbr-06): a model of the path decides, not its losses.
//!
//! Of every acknowledgement BBR learns how fast the path delivers ([`super::super::rate`]) and how long a round trip
//! takes. The largest rate of late times the shortest round trip of late is what fits into the path without a queue
//! (the bandwidth-delay product). It sends at that rate (`pacing_rate`) and keeps about twice that in flight at most
//! (`cwnd`), so that late acknowledgements do not stop it. As neither number can be seen while the other is, it makes
//! experiments in turn:
//!
//! ```text
//!  Startup ─(the rate grows no more, or much is lost)─▶ Drain ─(the queue is gone)─┐
//!     ▲                                                                             ▼
//!     │            ┌─────────────────────────────────────────────────────────▶ ProbeBW Down 0.9
//!     │            │                                          (headroom is free, no queue) ▼
//!     │   Up 1.25 ─┘(the rate grows no more, or too much is lost)                   Cruise 1.0
//!     │      ▲                                                    (2..3 s, or 62..63 rounds) ▼
//!     │      └──────────────────(a round trip)──────────────────────────────────── Refill 1.0
//!     │
//!     └── (unless the pipe was full once) ── ProbeRTT ◀── any: 5 s without a shorter round trip; half the product in
//!                                                          flight for 200 ms; then on to Down and Cruise
//! ```
//!
//! Losses shape the model's bounds ([`loss`]): while probing, too much of a round trip's flight sets the *long-term*
//! bound, the most that was seen to fit; at other times each round trip with a loss lowers the *short-term* bounds to
//! what was delivered, by three tenths at most, until the next probe forgets them.
//!
//! Files: [`rounds`] (round trips by what is delivered), [`filters`] (the largest rate, the largest aggregation),
//! [`plateau`] (does the rate still grow?), [`min_rtt`] (the shortest round trip), then the phases [`startup`],
//! [`probe_bw`], [`probe_rtt`], then [`loss`] (bounds, and back when nothing was lost) and [`control`] (what follows for
//! window and rate).
//!
//! What differs from the draft:
//!
//! - All is counted in segments, as everywhere here and in Linux.
//! - BBR.LossThresh is 2 % where round trips show a queue, and 6 % where they show none: a queue that overflows is seen
//!   before it does, so that what is lost without one is lost by chance, as on radio. With the draft's 2 % for all, a
//!   path that loses 3 % by chance is given up nearly whole.
//! - A round trip that loses no more than that and meets no queue leaves the short-term bounds as they are. The draft
//!   lowers them at every loss (§5.5.10.3): a path of 50 ms that loses 1 % by chance then falls by a fifth between two
//!   probes, because the sender's own pace of 99 % is taken for the path's. A bottleneck that is shared has a queue, or
//!   loses more.
//! - The state before a loss is saved when a recovery begins, not anew in each of its round trips, so that an undo leads
//!   back to before it.
//! - An echoed mark (RFC 3168) counts like too much loss, which the draft demands (§3.7) and leaves open how.

mod control;
mod filters;
mod loss;
mod min_rtt;
mod plateau;
mod probe_bw;
mod probe_rtt;
mod rounds;
mod startup;
#[cfg(test)]
mod tests;

use ieum_wire::Instant;

use self::filters::{Aggregation, MaxBandwidth};
use self::loss::{Before, LossRound};
use self::min_rtt::MinRtt;
use self::plateau::Plateau;
use self::probe_bw::Cycle;
use self::probe_rtt::Calm;
use self::rounds::Rounds;
use super::{CongestionControl, LossReport, Report, Start, Window};
use crate::chance::Chance;
use crate::tcp::send::rate::{Bandwidth, Sample};
use crate::tcp::settings::CongestionName;

/// Where it stands in its experiments (BBR.state).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The rate doubles each round trip.
    Startup,
    /// The queue that made is emptied.
    Drain,
    /// A little less than the path takes, so that others find room.
    Down,
    /// As much as the path takes.
    Cruise,
    /// The same, for a round trip, without the short-term bounds.
    Refill,
    /// More than the path is known to take.
    Up,
    /// Half of what the path holds, to see the round trip without a queue.
    ProbeRtt,
}

impl Phase {
    fn is_probe_bw(self) -> bool {
        matches!(self, Phase::Down | Phase::Cruise | Phase::Refill | Phase::Up)
    }

    /// Trying whether more fits: losses say where the bound is, and not that the path got worse.
    fn is_probing(self) -> bool {
        matches!(self, Phase::Startup | Phase::Refill | Phase::Up)
    }

    /// The rate, of the path's, in percent (§5.6.1). 277 is 4 ln 2: the least that doubles what is delivered each round
    /// trip; 90 the least that lets others come to a fair share by an Up at 125.
    fn pacing_percent(self) -> u32 {
        match self {
            Phase::Startup => 277,
            Phase::Drain => 50,
            Phase::Down => 90,
            Phase::Cruise | Phase::Refill | Phase::ProbeRtt => 100,
            Phase::Up => 125,
        }
    }

    /// The window, of the bandwidth-delay product, in percent (§5.6.1).
    fn window_percent(self) -> u32 {
        match self {
            Phase::Startup | Phase::Drain | Phase::Down | Phase::Cruise | Phase::Refill => 200,
            Phase::Up => 225,
            Phase::ProbeRtt => 50,
        }
    }
}

/// What is known of the path, and what is tried next.
pub(super) struct Bbr {
    phase: Phase,
    rounds: Rounds,
    max_bandwidth: MaxBandwidth,
    /// The rate to send by: the largest, below the short-term bound (BBR.bw).
    bandwidth: Bandwidth,
    aggregation: Aggregation,
    min_rtt: MinRtt,
    plateau: Plateau,
    /// The path was once seen to be full (BBR.full_bw_reached).
    was_full: bool,
    /// In which round Drain began.
    drain_round: u64,
    cycle: Cycle,
    calm: Calm,
    loss: LossRound,
    /// Bounds by what was lost; `None`: none. Rate and segments of the short term, segments of the long term.
    bandwidth_short: Option<Bandwidth>,
    inflight_short: Option<u32>,
    inflight_long: Option<u32>,
    /// A loss is being repaired; how things were before it, for as long as that may turn out to be none.
    repairs: bool,
    before: Option<Before>,
    /// The last window not made smaller by a repair or by ProbeRTT (BBR.prior_cwnd).
    good_window: u32,
    pacing_rate: Bandwidth,
    /// The first rate is a guess without any round trip.
    guessed: bool,
    /// Sending began anew after there was nothing to say (BBR.idle_restart).
    begun_again: bool,
    /// The last that was heard: the time, and segments delivered in all.
    now: Instant,
    delivered: u64,
    /// Segments sent at once.
    quantum: u32,
    chance: Chance,
}

impl Bbr {
    /// OnInit (§5.2.1).
    pub(super) fn new(start: &Start<'_>) -> Bbr {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&start.seed.value().to_le_bytes());
        let mut bbr = Bbr {
            phase: Phase::Startup,
            rounds: Rounds::default(),
            max_bandwidth: MaxBandwidth::default(),
            bandwidth: Bandwidth::default(),
            aggregation: Aggregation::new(start.now),
            min_rtt: MinRtt::new(start.now, start.rtt),
            plateau: Plateau::default(),
            was_full: false,
            drain_round: 0,
            cycle: Cycle::new(start.now),
            calm: Calm::default(),
            loss: LossRound::default(),
            bandwidth_short: None,
            inflight_short: None,
            inflight_long: None,
            repairs: false,
            before: None,
            good_window: 0,
            pacing_rate: Bandwidth::default(),
            guessed: start.rtt.is_none(),
            begun_again: false,
            now: start.now,
            delivered: 0,
            quantum: 1,
            chance: Chance::new(seed),
        };
        bbr.guess_rate(start.window.cwnd, start.rtt);
        bbr
    }

    /// UpdateModelAndState (§5.2.3).
    fn update_model(&mut self, window: &mut Window, report: &Report, sample: &Sample) {
        self.hear_latest(sample, report.heard.rtt);
        self.update_max_bandwidth(sample);
        self.adapt_after_round(window.cwnd);
        let newly = report.heard.segments;
        let per_round = if self.was_full { filters::ROUNDS_OF_HALF } else { 1 };
        self.aggregation.acknowledged(self.now, self.bandwidth, newly.min(window.cwnd), window.cwnd);
        if self.rounds.started {
            self.aggregation.round_started(per_round);
        }
        if self.rounds.started && !sample.limited && self.plateau.measured(sample.rate) {
            self.was_full = true;
        }
        self.check_startup_done(report, sample);
        self.check_drain_done(report.in_flight);
        self.go_round(window, report, sample);
        self.min_rtt.measured(self.now, report.heard.rtt);
        self.check_probe_rtt(window, report);
        self.forget_latest(sample);
        self.bound_bandwidth();
    }

    /// UpdateMaxBw (§5.5.5). Samples of a sender with gaps count when they are larger all the same.
    fn update_max_bandwidth(&mut self, sample: &Sample) {
        self.rounds.acknowledged(sample.delivered_before, self.delivered);
        if self.rounds.started {
            self.cycle.rounds += 1;
        }
        if !sample.limited || sample.rate >= self.max_bandwidth.largest() {
            self.max_bandwidth.measured(sample.rate);
        }
    }
}

impl CongestionControl for Bbr {
    /// One more than others: it paces, and its window is twice what is in flight.
    fn buffered_windows(&self) -> u32 {
        3
    }

    fn name(&self) -> CongestionName {
        CongestionName::Bbr
    }

    fn grow(&mut self, _window: &mut Window, _heard: &super::Heard) {}

    /// A repair begins. The window does not fall: the bounds of the model do (§5.6.4.4).
    fn reduced(&mut self, window: &Window) -> u32 {
        self.save_before_loss(window.cwnd);
        window.ssthresh
    }

    fn decides(&self) -> bool {
        true
    }

    /// UpdateOnACK (§5.2.3).
    fn acknowledged(&mut self, window: &mut Window, report: &Report) {
        (self.now, self.delivered, self.quantum) = (report.heard.now, report.delivered, report.quantum);
        if self.guessed && report.smoothed.is_some() {
            self.guessed = false;
            self.guess_rate(window.cwnd, report.smoothed);
        }
        let Some(sample) = report.sample else { return };
        if report.marked {
            self.marked(window, &sample);
        }
        self.update_model(window, report, &sample);
        self.set_pacing_rate(self.phase.pacing_percent());
        self.set_window(window, report.heard.segments);
    }

    fn lost(&mut self, window: &mut Window, report: &LossReport) {
        (self.now, self.delivered) = (report.now, report.delivered);
        self.lost_segments(window, report);
    }

    fn recovered(&mut self, window: &mut Window) {
        self.repairs = false;
        self.restore_window(window);
    }

    fn undone(&mut self, window: &mut Window) {
        self.undo(window);
    }

    /// HandleRestartFromIdle (§5.4).
    fn begins_again(&mut self, now: Instant, window: &mut Window) {
        self.now = now;
        self.begun_again = true;
        self.aggregation.begins_at(now);
        if self.phase.is_probe_bw() {
            self.set_pacing_rate(100);
        } else if self.phase == Phase::ProbeRtt {
            self.check_probe_rtt_done(window);
        }
    }

    fn holds_back(&self) -> bool {
        self.phase == Phase::ProbeRtt
    }

    fn pacing_rate(&self) -> Option<Bandwidth> {
        Some(self.pacing_rate)
    }
}
