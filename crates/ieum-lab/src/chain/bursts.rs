//! Losses in bursts, by the model of Gilbert and Elliott: a wire is in a good state, in which all passes, or in a bad one,
//! in which much is lost; each frame may change the state.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

const MILLION: u32 = 1_000_000;

/// The state of such a wire. Likelihoods in parts of a million frames.
#[derive(Clone, Debug)]
pub struct Bursts {
    chance: ChaCha12Rng,
    is_bad: bool,
    begin_ppm: u32,
    end_ppm: u32,
    lose_ppm: u32,
}

impl Bursts {
    /// Bad times begin and end with these likelihoods, and lose so many frames while they last.
    pub fn new(seed: u64, begin_ppm: u32, end_ppm: u32, lose_ppm: u32) -> Bursts {
        Bursts { chance: ChaCha12Rng::seed_from_u64(seed), is_bad: false, begin_ppm, end_ppm, lose_ppm }
    }

    /// Is the next frame lost?
    pub fn loses(&mut self) -> bool {
        let changes = if self.is_bad { self.end_ppm } else { self.begin_ppm };
        let [change, lose] = [changes, self.lose_ppm].map(|ppm| self.chance.next_u32() % MILLION < ppm);
        self.is_bad ^= change;
        self.is_bad && lose
    }

    /// Times are good for ever.
    pub fn end(&mut self) {
        (self.is_bad, self.begin_ppm) = (false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_come_together_and_as_often_as_was_asked_for() {
        // Bad for one frame in eleven, in runs of ten.
        let mut bursts = Bursts::new(1, 10_000, 100_000, 1_000_000);
        let lost: Vec<bool> = (0..100_000).map(|_| bursts.loses()).collect();
        let count = lost.iter().filter(|lost| **lost).count();
        let runs = lost.windows(2).filter(|pair| pair[1] && !pair[0]).count();
        assert!((8_000..10_200).contains(&count), "{count} lost");
        assert!((8..=12).contains(&(count / runs)), "{count} in {runs} runs");
        bursts.end();
        assert!((0..1000).all(|_| !bursts.loses()));
    }
}
