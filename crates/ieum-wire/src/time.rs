//! Time as an argument: the core has no clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment, in microseconds since the owner of the clock began to count.
///
/// Only differences have a meaning. The engine counts from its start; the lab from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant {
    us: u64,
}

impl Instant {
    /// The moment at which counting began.
    pub const ZERO: Instant = Instant { us: 0 };

    /// The moment `us` microseconds after the beginning.
    pub const fn from_micros(us: u64) -> Instant {
        Instant { us }
    }

    /// Microseconds since the beginning.
    pub const fn micros(self) -> u64 {
        self.us
    }

    /// Time passed since `earlier`; zero when `earlier` is in fact later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.us.saturating_sub(earlier.us))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Instant { us: self.us.saturating_add(us) }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.us / 1_000_000, self.us % 1_000_000)
    }
}
