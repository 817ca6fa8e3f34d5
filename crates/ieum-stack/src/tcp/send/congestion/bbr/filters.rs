//! The largest of late: of the path's rate, and of how much it delivers at once.

use ieum_wire::Instant;

use crate::tcp::send::rate::Bandwidth;

/// The largest rate in this cycle of ProbeBW and the one before (draft-ietf-ccwg-bbr-06 §5.5.3): time is counted in
/// cycles, so that each window has seen an Up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxBandwidth {
    before: Bandwidth,
    this: Bandwidth,
}

impl MaxBandwidth {
    pub(super) fn measured(&mut self, rate: Bandwidth) {
        self.this = self.this.max(rate);
    }

    /// A cycle is over. One in which nothing was measured leaves what was known.
    pub(super) fn advance(&mut self) {
        if !self.this.is_zero() {
            (self.before, self.this) = (self.this, Bandwidth::default());
        }
    }

    pub(super) fn largest(&self) -> Bandwidth {
        self.before.max(self.this)
    }
}

/// Round trips of each half of the aggregation's window: between five and ten are remembered, as in Linux, which stands
/// for the draft's ten (§2.12).
pub(super) const ROUNDS_OF_HALF: u32 = 5;

/// How much more arrives at once than the rate lets expect (§5.5.9): links that send in bursts and peers that
/// acknowledge late leave the sender without word for a while, and it should go on meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aggregation {
    /// A burst is measured since then, and so much has come in it.
    begun: Instant,
    delivered: u32,
    /// The largest excess of this half of the window and the one before, and rounds in this half.
    this: u32,
    before: u32,
    rounds: u32,
}

impl Aggregation {
    pub(super) fn new(now: Instant) -> Aggregation {
        Aggregation { begun: now, delivered: 0, this: 0, before: 0, rounds: 0 }
    }

    /// So many segments have arrived; no more than `most` are ever believed to be extra.
    pub(super) fn acknowledged(&mut self, now: Instant, rate: Bandwidth, newly: u32, most: u32) {
        let mut expected = rate.segments_in(now.since(self.begun));
        if self.delivered <= expected {
            (self.begun, self.delivered, expected) = (now, 0, 0);
        }
        self.delivered = self.delivered.saturating_add(newly);
        self.this = self.this.max(self.delivered.saturating_sub(expected).min(most));
    }

    /// A round trip has begun; each half of the window has `per_half` of them.
    pub(super) fn round_started(&mut self, per_half: u32) {
        self.rounds += 1;
        if self.rounds >= per_half {
            (self.before, self.this, self.rounds) = (self.this, 0, 0);
        }
    }

    /// Nothing was sent for a while: the next burst is measured from now on.
    pub(super) fn begins_at(&mut self, now: Instant) {
        self.begun = now;
    }

    pub(super) fn largest(&self) -> u32 {
        self.before.max(self.this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn rate(segments: u64) -> Bandwidth {
        Bandwidth::of(segments, Duration::from_secs(1))
    }

    fn time(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn the_largest_rate_is_remembered_for_two_cycles() {
        let mut filter = MaxBandwidth::default();
        filter.measured(rate(100));
        filter.measured(rate(70));
        filter.advance();
        filter.measured(rate(50));
        assert_eq!(filter.largest(), rate(100));
        filter.advance();
        assert_eq!(filter.largest(), rate(50));
        filter.advance();
        assert_eq!(filter.largest(), rate(50), "nothing was measured since");
    }

    #[test]
    fn what_comes_in_bursts_is_extra_and_what_comes_evenly_is_not() {
        let mut even = Aggregation::new(time(0));
        for ms in 1..100 {
            even.acknowledged(time(ms), rate(1000), 1, 1000);
        }
        assert_eq!(even.largest(), 1);
        let mut bursts = Aggregation::new(time(0));
        for i in 1..10 {
            bursts.acknowledged(time(i * 20), rate(1000), 20, 1000);
        }
        assert_eq!(bursts.largest(), 20);
    }

    #[test]
    fn a_burst_is_forgotten_after_ten_rounds() {
        let mut aggregation = Aggregation::new(time(0));
        aggregation.acknowledged(time(20), rate(1000), 20, 1000);
        for _ in 0..2 * ROUNDS_OF_HALF - 1 {
            aggregation.round_started(ROUNDS_OF_HALF);
            assert_eq!(aggregation.largest(), 20);
        }
        aggregation.round_started(ROUNDS_OF_HALF);
        assert_eq!(aggregation.largest(), 0);
    }
}
