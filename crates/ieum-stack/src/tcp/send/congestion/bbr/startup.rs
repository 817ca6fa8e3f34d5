//! Startup and Drain: the rate is found by doubling, then the queue that made is emptied (draft-ietf-ccwg-bbr-06 §5.3.1,
//! §5.3.2).

use super::loss::LOST_RANGES;
use super::{Bbr, Phase, Report, Sample};

/// Round trips after which Drain ends, even when the rate was over-estimated and the queue does not go away.
const DRAIN_ROUNDS: u64 = 3;

impl Bbr {
    pub(super) fn enter_startup(&mut self) {
        self.phase = Phase::Startup;
    }

    /// Startup → Drain, when the rate grows no more or too much is lost.
    pub(super) fn check_startup_done(&mut self, report: &Report, sample: &Sample) {
        if self.phase == Phase::Startup && !self.was_full {
            self.check_startup_loss(report, sample);
        }
        if self.loss.ended {
            self.loss.ranges = 0;
        }
        if self.phase == Phase::Startup && self.was_full {
            self.enter_drain();
        }
    }

    /// CheckStartupHighLoss (§5.3.1.3): a repair has lasted for a round trip in which too much was lost, and that in
    /// six places at least, so that one overflowing burst does not end it.
    fn check_startup_loss(&mut self, report: &Report, sample: &Sample) {
        let is_full = if report.sack {
            self.loss.ended
                && self.loss.ranges >= LOST_RANGES
                && self.is_too_much(sample.lost, sample.in_flight)
        } else {
            self.loss.ranges > 0
        };
        if is_full && report.recovering {
            self.left_by_loss(Phase::Startup);
            self.was_full = true;
            self.plateau.is_full = true;
            let delivered = u32::try_from(self.loss.inflight_latest).unwrap_or(u32::MAX);
            self.inflight_long = Some(self.product(100).unwrap_or(0).max(delivered));
        }
    }

    fn enter_drain(&mut self) {
        self.phase = Phase::Drain;
        self.drain_round = self.rounds.count;
    }

    /// Drain → ProbeBW Down.
    pub(super) fn check_drain_done(&mut self, in_flight: u32) {
        let is_over =
            in_flight <= self.inflight(self.bandwidth) || self.rounds.count > self.drain_round + DRAIN_ROUNDS;
        if self.phase == Phase::Drain && is_over {
            self.enter_down();
        }
    }
}
