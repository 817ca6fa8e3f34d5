//! Initial sequence numbers and timestamp offsets that nobody outside can guess (RFC 6528, RFC 7323 §5.4).

use std::hash::BuildHasher;

use ieum_wire::{Instant, SeqNumber};

use super::tuple::FourTuple;
use crate::chance::{Chance, Keyed};

/// The keyed functions of one stack.
pub(super) struct Secrets {
    isn: Keyed,
    stamp: Keyed,
}

impl Secrets {
    pub(super) fn new(chance: &mut Chance) -> Secrets {
        Secrets { isn: chance.keyed(), stamp: chance.keyed() }
    }

    /// RFC 6528 §3: a clock of 4 µs plus a keyed hash of the 4-tuple. A later connection of the same tuple begins
    /// further right than an earlier one began; and further right than it ended, unless that one sent more than
    /// 250 kB/s for all its life: then TIME-WAIT and timestamps tell old segments from new ones.
    pub(super) fn isn(&self, now: Instant, tuple: &FourTuple) -> SeqNumber {
        SeqNumber::new(low_u32(self.isn.hash_one(tuple.words())).wrapping_add(low_u32(now.micros() / 4)))
    }

    /// Where a connection's timestamp clock begins: it does not tell how long the machine has been up.
    pub(super) fn stamp_offset(&self, tuple: &FourTuple) -> u32 {
        low_u32(self.stamp.hash_one(tuple.words()))
    }
}

/// The lower half of a number: hashes and clocks are meant to wrap here.
pub(super) fn low_u32(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tuple(port: u16) -> FourTuple {
        FourTuple { local: ([10, 77, 0, 2], 80).into(), remote: ([10, 77, 0, 1], port).into() }
    }

    #[test]
    fn who_knows_one_number_knows_no_other_but_the_next_of_the_same_tuple() {
        let now = Instant::from_micros(1_000_000);
        let secrets = Secrets::new(&mut Chance::new([1; 32]));
        let others = Secrets::new(&mut Chance::new([2; 32]));
        let isn = secrets.isn(now, &tuple(1));
        assert_ne!(isn, secrets.isn(now, &tuple(2)));
        assert_ne!(isn, others.isn(now, &tuple(1)));
        assert_eq!(secrets.isn(now + Duration::from_millis(4), &tuple(1)), isn + 1000);
        assert_ne!(secrets.stamp_offset(&tuple(1)), secrets.stamp_offset(&tuple(2)));
    }
}
