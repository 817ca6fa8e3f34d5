//! One wire between two hosts.

use std::num::NonZeroU64;
use std::time::Duration;

use ieum_wire::{Instant, Packet, segmentation};

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
}

/// One direction of a wire at work.
#[derive(Debug)]
pub(crate) struct Direction {
    latency: Duration,
    bytes_per_second: Option<NonZeroU64>,
    pub(crate) fault: Fault,
    /// When the last bit of what was sent before has left.
    free_at: Instant,
}

impl Direction {
    /// A direction whose faults `seed` decides.
    pub(crate) fn new(wire: &Wire, seed: u64) -> Direction {
        let Wire { latency, bytes_per_second, faults } = *wire;
        Direction { latency, bytes_per_second, fault: Fault::new(faults, seed), free_at: Instant::ZERO }
    }

    /// Puts a packet on the wire: cut into frames, each shown to `seen` as it leaves, and what arrives to `arrives`.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        packet: &Packet,
        mut seen: impl FnMut(Instant, &Packet),
        mut arrives: impl FnMut(Instant, Packet),
    ) {
        segmentation::cut(packet, |frame| {
            let left = self.free_at.max(now) + self.serialisation(frame.len());
            self.free_at = left;
            seen(left, &frame);
            for (delay, frame) in self.fault.pass(frame) {
                arrives(left + self.latency + delay, frame);
            }
        });
    }

    /// How long so many bytes take to leave.
    fn serialisation(&self, bytes: usize) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Duration::from_micros(bytes.saturating_mul(1_000_000) / rate)
    }
}
