//! Faults of a wire, by a seed: frames lost, duplicated, reordered, corrupted and delayed.
//!
//! They work on real frames, cut and with checksums: losing a super-segment would lose forty frames at once.

use std::time::Duration;

use ieum_wire::Packet;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// One in a million, the unit of a fault's likelihood.
const MILLION: u32 = 1_000_000;

/// How likely each fault is, in parts of a million frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The frame never arrives.
    pub lose_ppm: u32,
    /// It arrives twice.
    pub duplicate_ppm: u32,
    /// It arrives after frames that were sent up to `reorder_delay` later.
    pub reorder_ppm: u32,
    /// One of its bits is flipped.
    pub corrupt_ppm: u32,
    /// The longest delay of a reordered frame.
    pub reorder_delay: Duration,
    /// The longest delay of every frame: each gets its own, so larger ones reorder too.
    pub jitter: Duration,
}

impl Faults {
    /// Loses, duplicates and reorders so many frames of a hundred each; none is corrupted.
    pub const fn percent(percent: u32) -> Faults {
        let ppm = percent * (MILLION / 100);
        Faults {
            lose_ppm: ppm,
            duplicate_ppm: ppm,
            reorder_ppm: ppm,
            corrupt_ppm: 0,
            reorder_delay: Duration::from_millis(5),
            jitter: Duration::ZERO,
        }
    }
}

/// The faults of one direction of a wire.
#[derive(Clone, Debug)]
pub struct Fault {
    faults: Faults,
    chance: ChaCha12Rng,
}

impl Fault {
    /// Faults that `seed` decides.
    pub fn new(faults: Faults, seed: u64) -> Fault {
        Fault { faults, chance: ChaCha12Rng::seed_from_u64(seed) }
    }

    /// From now on other faults; the same generator goes on.
    pub fn set(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What arrives for `frame`: nothing, itself, or two, each with its delay beyond the wire's own.
    pub fn pass(&mut self, frame: Packet) -> Vec<(Duration, Packet)> {
        // All numbers are drawn for each frame, so that one fault more or less does not shift the others.
        let [lost, twice, reordered, corrupted] = [
            self.happens(self.faults.lose_ppm),
            self.happens(self.faults.duplicate_ppm),
            self.happens(self.faults.reorder_ppm),
            self.happens(self.faults.corrupt_ppm),
        ];
        let late = self.up_to(self.faults.reorder_delay);
        let mut delay = self.up_to(self.faults.jitter);
        let bit = self.chance.next_u64();
        if lost {
            return Vec::new();
        }
        if reordered {
            delay += late;
        }
        let mut frame = frame;
        if corrupted {
            flip(&mut frame, bit);
        }
        let copy = twice.then(|| (delay + late, frame.clone()));
        std::iter::once((delay, frame)).chain(copy).collect()
    }

    fn happens(&mut self, ppm: u32) -> bool {
        self.chance.next_u32() % MILLION < ppm
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.chance.next_u64() % longest_us.saturating_add(1))
    }
}

fn flip(frame: &mut Packet, bit: u64) {
    let bits = u64::try_from(frame.len() * 8).unwrap_or(u64::MAX);
    let Some(bit) = bit.checked_rem(bits) else { return };
    let byte = usize::try_from(bit / 8).ok().and_then(|at| frame.bytes_mut().get_mut(at));
    if let Some(byte) = byte {
        *byte ^= 1 << (bit % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrived for one frame: delays and bytes.
    type Arrived = Vec<(Duration, Vec<u8>)>;

    fn arrivals(faults: Faults, seed: u64) -> Vec<Arrived> {
        let mut fault = Fault::new(faults, seed);
        let pass = |number: u32| fault.pass(Packet::from_wire(&number.to_be_bytes()));
        let bytes = |(delay, frame): &(Duration, Packet)| (*delay, frame.bytes().to_vec());
        (0..100_000).map(pass).map(|frames| frames.iter().map(bytes).collect()).collect()
    }

    #[test]
    fn each_fault_is_as_likely_as_it_was_asked_to_be() {
        let all = arrivals(Faults { corrupt_ppm: 10_000, ..Faults::percent(1) }, 1);
        let (mut lost, mut twice, mut late, mut corrupted) = (0, 0, 0, 0);
        for (number, frames) in (0u32..).zip(&all) {
            lost += u32::from(frames.is_empty());
            twice += u32::from(frames.len() == 2);
            if let Some((delay, bytes)) = frames.first() {
                late += u32::from(!delay.is_zero());
                corrupted += u32::from(*bytes != number.to_be_bytes());
            }
        }
        // One in a hundred of 100,000.
        for count in [lost, twice, late, corrupted] {
            assert!((850..1150).contains(&count), "{count}");
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        assert_eq!(arrivals(Faults::percent(1), 5), arrivals(Faults::percent(1), 5));
        assert_ne!(arrivals(Faults::percent(1), 5), arrivals(Faults::percent(1), 6));
    }
}
