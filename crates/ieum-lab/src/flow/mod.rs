//! An experiment: flows that send all they can through one bottleneck, in virtual time, and how they fared.
//!
//! ```text
//!  sender ══ rate, queue, loss by a seed, half the round trip ══▶ receiver
//!         ◀════════════════ half the round trip ═════════════════
//! ```
//!
//! The way back wobbles by a frame's time ([`crate::chain::wobble`] says why). All flows are between the same two
//! hosts. Bytes are compared as they are received. The same experiment has the same outcome on every machine.
//!
//! Files: `run` (the hosts at work), `watched` (what a sender puts on its wire), [`outcome`] (what came of it);
//! [`crate::series`] and [`crate::plot`] draw one.

pub mod outcome;
mod run;
mod watched;

use std::num::NonZeroU64;
use std::time::Duration;

use ieum_stack::CongestionName;

pub use self::outcome::{Outcome, jain, median};

/// What early detection does to a flow's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discipline {
    /// What does not fit is dropped.
    TailDrop,
    /// Early drops (RED), between a quarter and three quarters of the queue.
    Early,
    /// The same with marks: both hosts speak ECN.
    Marks,
}

/// An experiment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Experiment {
    /// How many flows.
    pub flows: usize,
    /// Their algorithm.
    pub congestion: CongestionName,
    /// The bottleneck's rate, IP headers included.
    pub bytes_per_second: NonZeroU64,
    /// There and back, without waiting.
    pub rtt: Duration,
    /// What the queue before the bottleneck holds.
    pub queue_bytes: usize,
    /// How it drops.
    pub discipline: Discipline,
    /// Frames lost by chance behind it, of a million.
    pub lose_ppm: u32,
    /// Frames that leave their order behind it, of a million, by a quarter of a round trip at most.
    pub reorder_ppm: u32,
    /// How long it lasts.
    pub duration: Duration,
    /// Each flow begins at a moment of its own in this time; a single one at once.
    pub spread: Duration,
    /// Decides all that is left to chance.
    pub seed: u64,
    /// The flow whose course is kept.
    pub series_of: Option<usize>,
}

impl Experiment {
    /// One flow of CUBIC through 100 Mbit/s and 50 ms for a minute, nothing lost, a queue of one bandwidth-delay product. Several
    /// would begin within a round trip.
    pub fn new(seed: u64) -> Experiment {
        let mut experiment = Experiment {
            flows: 1,
            congestion: CongestionName::Cubic,
            bytes_per_second: NonZeroU64::new(12_500_000).unwrap_or(NonZeroU64::MIN),
            rtt: Duration::from_millis(50),
            queue_bytes: 0,
            discipline: Discipline::TailDrop,
            lose_ppm: 0,
            reorder_ppm: 0,
            duration: Duration::from_secs(60),
            spread: Duration::from_millis(50),
            seed,
            series_of: None,
        };
        experiment.queue_bytes = experiment.product_bytes();
        experiment
    }

    /// The bandwidth-delay product, in bytes.
    pub fn product_bytes(&self) -> usize {
        let product = u128::from(self.bytes_per_second.get()) * self.rtt.as_micros() / 1_000_000;
        usize::try_from(product).unwrap_or(usize::MAX)
    }

    /// Makes it happen.
    ///
    /// # Panics
    ///
    /// When a byte comes that was not sent, or a stack finds that an invariant of its own does not hold.
    pub fn run(&self) -> Outcome {
        run::run(self)
    }
}
