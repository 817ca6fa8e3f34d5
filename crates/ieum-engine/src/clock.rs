//! The one clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ieum_wire::Instant;

/// Counts from when it was made, by the monotonic clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
impl Clock {
    /// A clock that stands at [`Instant::ZERO`] now.
    pub fn start() -> Clock {
        Clock { origin: std::time::Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        let passed = self.origin.elapsed();
        Instant::ZERO + passed
    }

    /// The time of day at [`Instant::ZERO`], since 1970: what captures are dated by.
    pub fn origin_of_day(&self) -> Duration {
        let of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        of_day.saturating_sub(self.origin.elapsed())
    }
}
