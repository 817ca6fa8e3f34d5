//! A time that is never quite the same, and keeps the order of frames.
//!
//! Between computed flows nothing ever differs by a microsecond, and so a full queue always drops the frames of who comes a
//! moment later: the phase effects of Floyd and Jacobson ("On traffic phase effects in packet-switched gateways", 1991). Their
//! cure is to leave a frame's time to chance within what the bottleneck takes for one frame.

use std::time::Duration;

use ieum_wire::Instant;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// Such a delay.
#[derive(Clone, Debug)]
pub struct Wobble {
    chance: ChaCha12Rng,
    least: Duration,
    more_us: u64,
    /// When the last frame left: none leaves before it.
    last: Instant,
}

impl Wobble {
    /// From `least` to `least + more`, as `seed` decides.
    pub fn new(seed: u64, least: Duration, more: Duration) -> Wobble {
        let more_us = u64::try_from(more.as_micros()).unwrap_or(u64::MAX);
        Wobble { chance: ChaCha12Rng::seed_from_u64(seed), least, more_us, last: Instant::ZERO }
    }

    /// When a frame leaves that comes `at`.
    pub(super) fn pass(&mut self, at: Instant) -> Instant {
        let more = Duration::from_micros(self.chance.next_u64() % self.more_us.saturating_add(1));
        self.last = self.last.max(at + self.least + more);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_order_and_their_bounds() {
        let ms = Duration::from_millis;
        let mut wobble = Wobble::new(1, ms(10), ms(2));
        let mut last = Instant::ZERO;
        for step in 0..1000 {
            let at = Instant::from_micros(step * 100);
            let left = wobble.pass(at);
            assert!(left >= last && left >= at + ms(10) && left <= at + ms(12));
            last = left;
        }
    }
}
