//! Chance from a seed: the one source of everything that must not be guessed and yet must repeat.
//!
//! Initial sequence numbers, ephemeral ports and hash keys all come from here, so that the same seed gives the same
//! bytes (the lab) and a seed from the system's generator gives bytes nobody foresees (a live host).

use std::hash::BuildHasher;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use siphasher::sip::SipHasher13;

/// The seeded generator of a stack: ChaCha with 12 rounds.
#[derive(Clone, Debug)]
pub(crate) struct Chance(ChaCha12Rng);

impl Chance {
    /// The generator that `seed` determines.
    pub(crate) fn new(seed: [u8; 32]) -> Chance {
        Chance(ChaCha12Rng::from_seed(seed))
    }

    /// 32 random bits.
    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `limit - 1`, each equally likely.
    ///
    /// # Panics
    ///
    /// When `limit` is 0: there is nothing to choose from.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        assert!(limit > 0, "chance needs something to choose from");
        // The numbers beyond the last whole multiple of `limit` would favour the small results.
        let whole = u32::MAX - u32::MAX % limit;
        loop {
            let number = self.next_u32();
            if number < whole {
                return number % limit;
            }
        }
    }

    /// A hash with keys of its own, for tables whose keys peers choose.
    pub(crate) fn keyed(&mut self) -> Keyed {
        Keyed { keys: (self.next_u64(), self.next_u64()) }
    }
}

/// SipHash-1-3 under keys from the seed: who does not know them cannot make entries collide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    keys: (u64, u64),
}

impl Keyed {
    /// Another hash whose keys follow from these, for a purpose of its own.
    pub(crate) fn derived(&self, purpose: &str) -> Keyed {
        Keyed { keys: (self.hash_one((purpose, 0u8)), self.hash_one((purpose, 1u8))) }
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let draw = |seed| {
            let mut chance = Chance::new([seed; 32]);
            (chance.next_u32(), chance.next_u64(), chance.below(1000), chance.keyed().hash_one(7u32))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn below_reaches_every_number_and_none_beyond() {
        let mut chance = Chance::new([3; 32]);
        let mut seen = [false; 7];
        for _ in 0..500 {
            seen[chance.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(chance.below(1), 0);
    }
}
