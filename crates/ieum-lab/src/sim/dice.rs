//! What a world leaves to chance, while it is made.

use std::time::Duration;

use ieum_wire::Instant;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// Dice of a seed.
pub(super) struct Dice(ChaCha12Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`; 0 when there is none.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.any().checked_rem(limit).unwrap_or(0)
    }

    /// The same for places in a list.
    pub(super) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(u64::try_from(count).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// So often of a hundred times.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several, each as likely.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// A time from the first to the second.
    pub(super) fn between(&mut self, first: Duration, second: Duration) -> Duration {
        let span_us = u64::try_from(second.saturating_sub(first).as_micros()).unwrap_or(u64::MAX);
        first + Duration::from_micros(self.below(span_us.saturating_add(1)))
    }

    /// A moment before the given one.
    pub(super) fn before(&mut self, end: Instant) -> Instant {
        Instant::from_micros(self.below(end.micros()))
    }
}
