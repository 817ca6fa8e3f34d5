//! Does the rate still grow? (draft-ietf-ccwg-bbr-06 §5.3.1.2) Three round trips in which it grew by less than a quarter
//! say that the pipe is full. Three, because a receiver needs some to make its window larger.

use crate::tcp::send::rate::Bandwidth;

/// Round trips without growth that mean a full pipe, and what growth is, in percent.
const ROUNDS: u32 = 3;
const GROWTH_PERCENT: u32 = 125;

/// What the rate has done since it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plateau {
    /// It has to exceed this (BBR.full_bw).
    base: Bandwidth,
    /// Round trips in which it did not (BBR.full_bw_count).
    rounds: u32,
    /// The pipe is full (BBR.full_bw_now).
    pub(super) is_full: bool,
}

impl Plateau {
    /// Begins to look, from a rate already seen.
    pub(super) fn from(base: Bandwidth) -> Plateau {
        Plateau { base, ..Plateau::default() }
    }

    /// A round trip has begun, with this rate, which the sender did not limit. True when the pipe is full.
    pub(super) fn measured(&mut self, rate: Bandwidth) -> bool {
        if self.is_full || rate.is_zero() {
            return false;
        }
        if rate >= self.base.percent(GROWTH_PERCENT) {
            *self = Plateau::from(rate);
            return false;
        }
        self.rounds += 1;
        self.is_full = self.rounds >= ROUNDS;
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn three_rounds_without_a_quarter_more_are_a_plateau() {
        let mut plateau = Plateau::default();
        let mut full = |segments| plateau.measured(Bandwidth::of(segments, Duration::from_secs(1)));
        assert_eq!([100, 200, 240, 249].map(&mut full), [false; 4]);
        assert!(!full(250), "it grew after all");
        assert_eq!([300, 310, 312].map(&mut full), [false, false, true]);
    }
}
