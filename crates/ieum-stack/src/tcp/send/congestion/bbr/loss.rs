//! What losses do to the model (draft-ietf-ccwg-bbr-06 §5.5.10), and what their undoing does (§5.5.11).
//!
//! A loss is no proof of congestion: the path may lose by chance. So a part of a round trip's flight is borne: 2 % of it
//! while probing into a queue, 6 % where there is no queue that could have overflowed. What is lost beyond that, or in
//! a queue that others fill, lowers the bounds of the short term to what was delivered.

use std::time::Duration;

use super::min_rtt::{PROBED_QUEUE_ONE_OF, QUEUE_ONE_OF};
use super::plateau::Plateau;
use super::{Bandwidth, Bbr, LossReport, Phase, Sample, Window};
use crate::tcp::send::rate::Loss;

/// Lost of a round trip's flight beyond this, more was in flight than fits (BBR.LossThresh): one of so many.
const LOSS_BORNE_ONE_OF: u64 = 50;

/// The same where round trips show no queue. A queue that overflows is seen in the round trips before; where none is, so
/// much is lost by chance. A policer and a buffer too small to be seen make no queue either: what they take of an
/// Up, a fifth, is well beyond this.
const CHANCE_BORNE_ONE_OF: u64 = 16;

/// To what part bounds fall at most in a round trip, in percent (BBR.Beta).
const BETA_PERCENT: u32 = 70;

/// Places in a round trip's flight that must have losses for Startup to end by them (BBRStartupFullLossCnt).
pub(super) const LOST_RANGES: u32 = 6;

/// A round trip, and what was delivered and lost in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossRound {
    /// It ends with something that was sent when so much had been delivered (BBR.loss_round_delivered).
    until: u64,
    /// The last acknowledgement ended it (BBR.loss_round_start).
    pub(super) ended: bool,
    /// Something was found lost in it (BBR.is_loss_in_round), in so many places.
    any: bool,
    pub(super) ranges: u32,
    /// Segments found lost in it, and how many had been delivered in all when it began.
    lost: u64,
    begun: u64,
    /// Its shortest round trip.
    rtt: Option<Duration>,
    /// A mark was echoed in it.
    marked: bool,
    /// The largest rate and volume delivered in it (BBR.bw_latest, BBR.inflight_latest).
    bandwidth_latest: Bandwidth,
    pub(super) inflight_latest: u64,
}

/// How things were before a repair began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// What it was trying when a loss made it stop (BBR.undo_state).
    left: Option<Phase>,
    bandwidth_short: Option<Bandwidth>,
    inflight_short: Option<u32>,
    inflight_long: Option<u32>,
}

impl Before {
    /// What a loss made it leave.
    #[cfg(test)]
    pub(super) fn left(&self) -> Option<Phase> {
        self.left
    }
}

/// Where in a burst of `loss.segments` the losses exceeded what is borne, one of `one_of` (InflightAtLoss): with
/// `in_flight` before it and `lost` of those, after x of the burst (lost + x) / (in_flight + x) is that part.
fn inflight_at_loss(loss: &Loss, one_of: u64) -> u32 {
    let in_flight = loss.in_flight.saturating_sub(loss.segments);
    let lost = loss.lost.saturating_sub(loss.segments.into());
    let borne = u64::from(in_flight).saturating_sub(lost * one_of) / (one_of - 1);
    in_flight.saturating_add(u32::try_from(borne).unwrap_or(u32::MAX))
}

impl Bbr {
    // What comes with acknowledgements.

    /// UpdateLatestDeliverySignals.
    pub(super) fn hear_latest(&mut self, sample: &Sample, rtt: Option<Duration>) {
        let round = &mut self.loss;
        round.bandwidth_latest = round.bandwidth_latest.max(sample.rate);
        round.inflight_latest = round.inflight_latest.max(sample.delivered);
        round.rtt = [round.rtt, rtt].into_iter().flatten().min();
        round.ended = sample.delivered_before >= round.until;
        if round.ended {
            round.until = self.delivered;
        }
    }

    /// AdvanceLatestDeliverySignals.
    pub(super) fn forget_latest(&mut self, sample: &Sample) {
        if self.loss.ended {
            (self.loss.bandwidth_latest, self.loss.inflight_latest) = (sample.rate, sample.delivered);
        }
    }

    /// AdaptLowerBoundsFromCongestion: at the end of a round trip with losses, unless more is being tried on purpose.
    pub(super) fn adapt_after_round(&mut self, cwnd: u32) {
        if !self.loss.ended {
            return;
        }
        let is_borne = self.is_borne();
        if std::mem::take(&mut self.loss.any) && !self.phase.is_probing() && !is_borne {
            self.lower(cwnd);
        }
        let round = &mut self.loss;
        (round.lost, round.begun, round.rtt, round.marked) = (0, self.delivered, None, false);
    }

    /// What the round trip lost says nothing of congestion: it was little, and there was no queue, save the one of the
    /// last Up that is on its way out.
    fn is_borne(&self) -> bool {
        let delivered = self.delivered - self.loss.begun;
        let is_little = self.loss.lost * CHANCE_BORNE_ONE_OF <= delivered && !self.loss.marked;
        let no_queue = self.min_rtt.is_without_queue(self.loss.rtt, QUEUE_ONE_OF);
        is_little && (no_queue || matches!(self.phase, Phase::Drain | Phase::Down))
    }

    /// InitLowerBounds, LossLowerBounds.
    fn lower(&mut self, cwnd: u32) {
        // After a time-out the window itself says nothing of what was in flight.
        let cwnd = if self.repairs { cwnd.max(self.good_window) } else { cwnd };
        let bandwidth = self.bandwidth_short.unwrap_or_else(|| self.max_bandwidth.largest());
        let inflight = self.inflight_short.unwrap_or(cwnd);
        let delivered = u32::try_from(self.loss.inflight_latest).unwrap_or(u32::MAX);
        self.bandwidth_short = Some(self.loss.bandwidth_latest.max(bandwidth.percent(BETA_PERCENT)));
        self.inflight_short = Some(delivered.max(percent(inflight, BETA_PERCENT)));
    }

    /// ResetCongestionSignals.
    pub(super) fn forget_congestion(&mut self) {
        let LossRound { until, ended, begun, .. } = self.loss;
        self.loss = LossRound { until, ended, begun, ..LossRound::default() };
    }

    /// ResetShortTermModel.
    pub(super) fn forget_short_term(&mut self) {
        (self.bandwidth_short, self.inflight_short) = (None, None);
    }

    /// A mark was echoed, which MUST be taken for congestion (§3.7): as if what is borne had been exceeded.
    pub(super) fn marked(&mut self, window: &mut Window, sample: &Sample) {
        self.note_loss();
        self.loss.marked = true;
        if self.cycle.is_probe {
            self.inflight_too_high(window.cwnd, sample.in_flight, sample.limited);
        }
    }

    // What comes with losses.

    /// Of a round trip's flight one of so many lost is borne.
    fn borne_one_of(&self) -> u64 {
        let queue_one_of = if self.phase == Phase::Up { PROBED_QUEUE_ONE_OF } else { QUEUE_ONE_OF };
        let is_chance = self.min_rtt.is_without_queue(self.min_rtt.latest(), queue_one_of);
        if is_chance { CHANCE_BORNE_ONE_OF } else { LOSS_BORNE_ONE_OF }
    }

    /// More than what is borne.
    pub(super) fn is_too_much(&self, lost: u64, in_flight: u32) -> bool {
        lost * self.borne_one_of() > u64::from(in_flight)
    }

    /// IsInflightTooHigh. Without SACK only one loss a round trip can be seen: it counts for all.
    pub(super) fn is_inflight_too_high(&self, lost: u64, in_flight: u32, sack: bool) -> bool {
        self.is_too_much(lost, in_flight) || (lost > 0 && !sack)
    }

    /// NoteLoss: the first in a round trip makes that begin here.
    fn note_loss(&mut self) {
        if !self.loss.any {
            self.loss.until = self.delivered;
        }
        self.loss.any = true;
    }

    /// HandleLostPacket.
    pub(super) fn lost_segments(&mut self, window: &Window, report: &LossReport) {
        let loss = &report.loss;
        self.note_loss();
        self.loss.lost += u64::from(loss.segments);
        if !loss.adjoins {
            self.loss.ranges += 1;
        }
        if self.cycle.is_probe && self.is_inflight_too_high(loss.lost, loss.in_flight, report.sack) {
            let in_flight = inflight_at_loss(loss, self.borne_one_of());
            self.inflight_too_high(window.cwnd, in_flight, loss.limited);
        }
    }

    /// HandleInflightTooHigh: the bound of the long term, once for each experiment.
    fn inflight_too_high(&mut self, cwnd: u32, in_flight: u32, limited: bool) {
        self.cycle.was_too_high = true;
        self.cycle.is_probe = false;
        if !limited {
            self.inflight_long = Some(in_flight.max(percent(self.target(cwnd), BETA_PERCENT)));
        }
        if self.phase == Phase::Up {
            self.left_by_loss(Phase::Up);
            self.enter_down();
        }
    }

    // Back.

    /// SaveStateUponLoss.
    pub(super) fn save_before_loss(&mut self, cwnd: u32) {
        self.save_window(cwnd);
        if !std::mem::replace(&mut self.repairs, true) {
            self.before = Some(Before {
                left: None,
                bandwidth_short: self.bandwidth_short,
                inflight_short: self.inflight_short,
                inflight_long: self.inflight_long,
            });
        }
    }

    /// A loss ends what it was trying: should the loss turn out to be none, it goes back there.
    pub(super) fn left_by_loss(&mut self, phase: Phase) {
        if let Some(before) = &mut self.before
            && self.repairs
        {
            before.left = Some(phase);
        }
    }

    /// HandleSpuriousLossDetection.
    pub(super) fn undo(&mut self, window: &mut Window) {
        let Some(before) = self.before.take() else { return };
        self.restore_window(window);
        self.loss.any = false;
        self.plateau = Plateau::default();
        self.bandwidth_short =
            self.bandwidth_short.zip(before.bandwidth_short).map(|(now, then)| now.max(then));
        self.inflight_short = self.inflight_short.zip(before.inflight_short).map(|(now, then)| now.max(then));
        self.inflight_long = self.inflight_long.zip(before.inflight_long).map(|(now, then)| now.max(then));
        match before.left {
            Some(Phase::Startup) if self.phase != Phase::Startup => {
                self.was_full = false;
                if self.phase != Phase::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(Phase::Up) if self.phase != Phase::Up && self.phase != Phase::ProbeRtt => {
                self.enter_refill()
            }
            Some(_) | None => {}
        }
    }
}

fn percent(count: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(count) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_place_in_a_burst_is_found_where_losses_exceed_what_is_borne() {
        let loss =
            |in_flight, segments, lost| Loss { adjoins: false, segments, lost, in_flight, limited: false };
        // 98 in flight, none lost, a burst of 10 lost: after 2 of it, 2 of 100.
        assert_eq!(inflight_at_loss(&loss(108, 10, 10), 50), 100);
        // 100 in flight, 5 lost already: it was too much before the burst.
        assert_eq!(inflight_at_loss(&loss(110, 10, 15), 50), 100);
    }
}
