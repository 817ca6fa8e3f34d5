//! Random early detection (Floyd and Jacobson, 1993): a queue that is long on average lets senders know before it
//! overflows, by a mark where a packet may be marked (RFC 3168 §7), else by a drop.
//!
//! In integers: averages in 1024ths of a byte, likelihoods in parts of a million.

use std::num::NonZeroU64;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// What part of a new measurement enters the average.
const WEIGHT: u64 = 128;

/// A frame's usual size, in bytes: so many short ones would have passed in an idle time.
const USUAL_BYTES: u64 = 1500;

/// Of so many frames that an idle time would have had room for the average forgets: then it is zero anyway.
const IDLE_FRAMES_MAX: u64 = 12 * WEIGHT;

/// Early detection at work.
#[derive(Clone, Debug)]
pub struct Red {
    chance: ChaCha12Rng,
    /// Below the first average nobody is told, above the second everybody.
    begins_bytes: u64,
    ends_bytes: u64,
    /// How many are told just below the second.
    most_ppm: u64,
    average_1024: u64,
}

impl Red {
    /// Between these averages up to `most_ppm` of the frames are dropped or marked.
    pub fn new(seed: u64, begins_bytes: u64, ends_bytes: u64, most_ppm: u64) -> Red {
        let ends_bytes = ends_bytes.max(begins_bytes + 1);
        Red { chance: ChaCha12Rng::seed_from_u64(seed), begins_bytes, ends_bytes, most_ppm, average_1024: 0 }
    }

    /// A frame comes to a queue of `bytes` that was empty for `idle_ns` before: is its sender to be told?
    pub(super) fn wants_less(&mut self, bytes: usize, idle_ns: u64, rate: NonZeroU64) -> bool {
        let passed = idle_ns.saturating_mul(rate.get()) / (USUAL_BYTES * 1_000_000_000);
        for _ in 0..passed.min(IDLE_FRAMES_MAX) {
            self.average_1024 -= self.average_1024 / WEIGHT;
        }
        let bytes_1024 = u64::try_from(bytes).unwrap_or(0) * 1024;
        self.average_1024 = self.average_1024 - self.average_1024 / WEIGHT + bytes_1024 / WEIGHT;
        let average = self.average_1024 / 1024;
        let drawn = u64::from(self.chance.next_u32() % 1_000_000);
        if average >= self.ends_bytes {
            return true;
        }
        let above = average.saturating_sub(self.begins_bytes);
        drawn < self.most_ppm * above / (self.ends_bytes - self.begins_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_queue_the_more_are_told() {
        let rate = NonZeroU64::new(1_000_000).unwrap();
        let told = |bytes: usize| {
            let mut red = Red::new(1, 5_000, 15_000, 100_000);
            (0..10_000).filter(|_| red.wants_less(bytes, 0, rate)).count()
        };
        assert_eq!(told(4_000), 0);
        assert!((300..700).contains(&told(10_000)), "{}", told(10_000));
        assert!(told(20_000) > 9_000);
        let mut red = Red::new(1, 5_000, 15_000, 100_000);
        while !red.wants_less(20_000, 0, rate) {}
        red.wants_less(0, 10_000_000_000, rate);
        assert_eq!(red.average_1024 / 1024, 0, "an idle time is forgotten");
    }
}
