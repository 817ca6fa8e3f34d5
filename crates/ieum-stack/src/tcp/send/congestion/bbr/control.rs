//! What follows from the model: the rate and the window (draft-ietf-ccwg-bbr-06 §5.6).

use std::time::Duration;

use super::{Bandwidth, Bbr, Phase, Window};
use crate::tcp::bounds::INITIAL_WINDOW_SEGMENTS;

/// The smallest window, in segments (BBR.MinPipeCwnd): two on their way there, two acknowledgements on their way back.
pub(super) const MIN_WINDOW: u32 = 4;

/// It sends at so much of the path's rate, in percent (BBR.PacingMarginPercent): a queue it made by an error of
/// measurement goes away.
const MARGIN_PERCENT: u32 = 99;

/// A round trip that is not known (InitPacingRate).
const RTT_UNKNOWN: Duration = Duration::from_millis(1);

/// Quanta that are needed at once: one here, one in the link, one with the peer that acknowledges late (§5.5.8).
const QUANTA: u32 = 3;

/// What an Up has in flight beyond the product, so that it also grows where that is small, in segments.
const UP_SEGMENTS: u32 = 2;

/// The smaller one, where there is a bound.
pub(super) fn bounded(count: u32, bound: Option<u32>) -> u32 {
    bound.map_or(count, |bound| count.min(bound))
}

impl Bbr {
    /// InitPacingRate: as if the window went in a round trip.
    pub(super) fn guess_rate(&mut self, cwnd: u32, rtt: Option<Duration>) {
        let rtt = rtt.unwrap_or(RTT_UNKNOWN).max(Duration::from_micros(1));
        self.pacing_rate = Bandwidth::of(cwnd.into(), rtt).percent(Phase::Startup.pacing_percent());
    }

    /// SetPacingRateWithGain: until the pipe was full once the rate never sinks, so that slow samples of a sender that
    /// has little to say do not slow it down.
    pub(super) fn set_pacing_rate(&mut self, percent: u32) {
        let rate = self.bandwidth.percent(percent).percent(MARGIN_PERCENT);
        if (self.was_full && !rate.is_zero()) || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    /// BoundBWForModel.
    pub(super) fn bound_bandwidth(&mut self) {
        let largest = self.max_bandwidth.largest();
        self.bandwidth = self.bandwidth_short.map_or(largest, |bound| largest.min(bound));
    }

    /// BDPMultiple: a part of the bandwidth-delay product, in segments; `None` before anything was measured.
    pub(super) fn product(&self, percent: u32) -> Option<u32> {
        product(self.bandwidth, self.min_rtt.shortest(), percent)
    }

    /// Inflight(1.0): what fits into the path at that rate, and what goes at once anyway.
    pub(super) fn inflight(&self, rate: Bandwidth) -> u32 {
        let product = product(rate, self.min_rtt.shortest(), 100).unwrap_or(INITIAL_WINDOW_SEGMENTS);
        self.quantized(product)
    }

    /// QuantizationBudget.
    fn quantized(&self, segments: u32) -> u32 {
        let more = if self.phase == Phase::Up { UP_SEGMENTS } else { 0 };
        segments.max(QUANTA.saturating_mul(self.quantum)).max(MIN_WINDOW).saturating_add(more)
    }

    /// SetCwnd (§5.6.4.6): it grows by what arrives and falls at once.
    pub(super) fn set_window(&mut self, window: &mut Window, newly: u32) {
        let product = self.product(self.phase.window_percent()).unwrap_or(INITIAL_WINDOW_SEGMENTS);
        let most = self.quantized(product.saturating_add(self.aggregation.largest()));
        let grown = window.cwnd.saturating_add(newly);
        if self.was_full {
            window.cwnd = grown.min(most);
        } else if window.cwnd < most || self.delivered < u64::from(INITIAL_WINDOW_SEGMENTS) {
            window.cwnd = grown;
        }
        window.cwnd = window.cwnd.max(MIN_WINDOW);
        if self.phase == Phase::ProbeRtt {
            window.cwnd = window.cwnd.min(self.probe_rtt_window());
        }
        self.bound_window(window);
    }

    /// ProbeRTTCwnd.
    pub(super) fn probe_rtt_window(&self) -> u32 {
        let half = self.product(Phase::ProbeRtt.window_percent()).unwrap_or(INITIAL_WINDOW_SEGMENTS);
        half.max(MIN_WINDOW)
    }

    /// BoundCwndForModel.
    fn bound_window(&self, window: &mut Window) {
        let long = match self.phase {
            Phase::Cruise | Phase::ProbeRtt => self.inflight_with_headroom(),
            Phase::Down | Phase::Refill | Phase::Up => self.inflight_long,
            Phase::Startup | Phase::Drain => None,
        };
        let bound = [long, self.inflight_short].into_iter().flatten().min();
        window.cwnd = bounded(window.cwnd, bound.map(|bound| bound.max(MIN_WINDOW)));
    }

    /// SaveCwnd: the last window that neither a repair nor ProbeRTT has made smaller.
    pub(super) fn save_window(&mut self, cwnd: u32) {
        let is_good = !self.repairs && self.phase != Phase::ProbeRtt;
        self.good_window = if is_good { cwnd } else { self.good_window.max(cwnd) };
    }

    /// RestoreCwnd.
    pub(super) fn restore_window(&mut self, window: &mut Window) {
        window.cwnd = window.cwnd.max(self.good_window);
    }
}

fn product(rate: Bandwidth, rtt: Option<Duration>, percent: u32) -> Option<u32> {
    let rtt = rtt?;
    (!rate.is_zero()).then(|| rate.percent(percent).segments_in(rtt))
}
