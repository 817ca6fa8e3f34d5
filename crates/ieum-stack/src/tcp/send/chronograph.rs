//! What held the sender back, and for how long: nothing but the path, the peer's window, or its own small buffer. What a
//! person who asks why a connection is slow wants to know first.

use std::time::Duration;

use ieum_wire::Instant;

/// What holds the sender back. Of two at once the later in this order counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Held {
    /// There is nothing to send and nothing in flight.
    #[default]
    Idle,
    /// There is, and the path or the congestion window sets the pace.
    Busy,
    /// The peer's window is full.
    ByPeer,
    /// All that fits into the buffer is in flight, and the user waits for room.
    ByBuffer,
}

/// Times since the connection began, by what held it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chronograph {
    now: Held,
    since: Instant,
    busy_us: u64,
    by_peer_us: u64,
    by_buffer_us: u64,
}

/// The times, each a part of the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeldTimes {
    /// Something was to be sent or in flight.
    pub busy: Duration,
    /// Of these: the peer's window was full.
    pub by_peer: Duration,
    /// Of these: the send buffer was too small.
    pub by_buffer: Duration,
}

impl Chronograph {
    /// From now on this holds the sender, if it is more than what did.
    pub(super) fn begin(&mut self, now: Instant, held: Held) {
        if held > self.now {
            self.change(now, held);
        }
    }

    /// This does not hold it any more; `idle`: nothing does.
    pub(super) fn end(&mut self, now: Instant, held: Held, idle: bool) {
        if idle {
            self.change(now, Held::Idle);
        } else if held == self.now {
            self.change(now, Held::Busy);
        }
    }

    pub(super) fn times(&self, now: Instant) -> HeldTimes {
        let mut until_now = *self;
        until_now.change(now, self.now);
        let Chronograph { busy_us, by_peer_us, by_buffer_us, .. } = until_now;
        HeldTimes {
            busy: Duration::from_micros(busy_us + by_peer_us + by_buffer_us),
            by_peer: Duration::from_micros(by_peer_us),
            by_buffer: Duration::from_micros(by_buffer_us),
        }
    }

    fn change(&mut self, now: Instant, held: Held) {
        let passed = now.micros().saturating_sub(self.since.micros());
        match self.now {
            Held::Idle => {}
            Held::Busy => self.busy_us += passed,
            Held::ByPeer => self.by_peer_us += passed,
            Held::ByBuffer => self.by_buffer_us += passed,
        }
        (self.now, self.since) = (held, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_counts_for_what_held_most() {
        let at = |ms| Instant::ZERO + Duration::from_millis(ms);
        let mut chronograph = Chronograph::default();
        chronograph.begin(at(10), Held::Busy);
        chronograph.begin(at(20), Held::ByPeer);
        chronograph.begin(at(25), Held::Busy);
        chronograph.end(at(50), Held::ByPeer, false);
        chronograph.begin(at(60), Held::ByBuffer);
        chronograph.end(at(67), Held::Busy, true);
        let ms = Duration::from_millis;
        let times = HeldTimes { busy: ms(57), by_peer: ms(30), by_buffer: ms(7) };
        assert_eq!(chronograph.times(at(100)), times);
        chronograph.begin(at(100), Held::Busy);
        assert_eq!(chronograph.times(at(101)).busy, ms(58), "what still runs counts");
    }
}
