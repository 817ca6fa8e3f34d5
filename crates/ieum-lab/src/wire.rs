//! One wire between two hosts, as it is asked for: the same both ways.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::chain::{Chain, Element, Queue};
use crate::fault::{Fault, Faults};

/// What a wire is like, the same both ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wire {
    /// From one end to the other.
    pub latency: Duration,
    /// Frames leave one after the other at this rate; `None`: all at once. The queue before it is not bounded.
    pub bytes_per_second: Option<NonZeroU64>,
    /// What goes wrong.
    pub faults: Faults,
}

impl Wire {
    /// A wire of `latency` without faults or a rate.
    pub const fn clean(latency: Duration) -> Wire {
        Wire {
            latency,
            bytes_per_second: None,
            faults: Faults {
                lose_ppm: 0,
                duplicate_ppm: 0,
                reorder_ppm: 0,
                corrupt_ppm: 0,
                reorder_delay: Duration::ZERO,
                jitter: Duration::ZERO,
            },
        }
    }

    /// One direction of it, whose faults `seed` decides.
    pub(crate) fn chain(&self, seed: u64) -> Chain {
        Chain::new(vec![
            Element::Gate { cut: false },
            Element::Queue(Queue::new(self.bytes_per_second, usize::MAX, None)),
            Element::Faults(Fault::new(self.faults, seed)),
            Element::Delay(self.latency),
        ])
    }
}
