//! What the sending half has been through: sums for who asks, which nothing acts upon.

use std::time::Duration;

use ieum_wire::Instant;

/// The sums. Counts of segments begin anew after 2³².
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Sums {
    /// Positions that the left edge has passed.
    pub(in crate::tcp) acked: u64,
    /// Segments that have arrived, by edge or by block; and those of acknowledgements that echoed a mark.
    pub(in crate::tcp) delivered: u32,
    pub(in crate::tcp) delivered_marked: u32,
    /// Segments that the peer reported to have come twice.
    pub(in crate::tcp) duplicates: u32,
    /// How often something was seen to have been overtaken.
    pub(in crate::tcp) reorderings: u32,
    /// Retransmission time-outs; how many were the first of a row; how long such rows have lasted.
    pub(in crate::tcp) timeouts: u32,
    pub(in crate::tcp) timeout_rows: u32,
    pub(super) timeout_time: Duration,
    pub(super) timeout_since: Option<Instant>,
}

impl Sums {
    /// The timer fired for the first time since something was acknowledged, or once more.
    pub(super) fn timed_out(&mut self, now: Instant, first: bool) {
        self.timeouts = self.timeouts.wrapping_add(1);
        if first {
            self.timeout_rows = self.timeout_rows.wrapping_add(1);
            self.timeout_since = Some(now);
        }
    }

    /// So many segments have arrived, as an acknowledgement says that echoes a mark or not.
    pub(super) fn delivered(&mut self, segments: u32, marked: u32) {
        self.delivered = self.delivered.wrapping_add(segments);
        self.delivered_marked = self.delivered_marked.wrapping_add(marked);
    }

    /// The left edge has moved.
    pub(super) fn acknowledged(&mut self, now: Instant, count: u32) {
        self.acked = self.acked.wrapping_add(count.into());
        if let Some(since) = self.timeout_since.take() {
            self.timeout_time += now.since(since);
        }
    }

    /// How long rows of time-outs have lasted, the one under way included.
    pub(in crate::tcp) fn timeout_time(&self, now: Instant) -> Duration {
        self.timeout_time + self.timeout_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}
