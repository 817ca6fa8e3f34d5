//! The shortest round trip: the path without its queue (draft-ietf-ccwg-bbr-06 §5.3.4.3, §5.5.7).
//!
//! Two windows: what was seen in the last 5 s decides when to look on purpose ([`super::probe_rtt`]); the shortest of the
//! last 10 s, which covers two such looks, goes into the model.

use std::time::Duration;

use ieum_wire::Instant;

/// How long a shortest round trip makes looking unnecessary (BBR.ProbeRTTInterval; all flows MUST have the same, so
/// that they look together), and how long one counts (BBR.MinRTTFilterLen).
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// A round trip longer than the shortest by more than one of so many parts has met a queue; while probing, one that is
/// longer than what an Up adds by itself in a round trip ([`super::Phase::pacing_percent`]).
pub(super) const QUEUE_ONE_OF: u32 = 8;
pub(super) const PROBED_QUEUE_ONE_OF: u32 = 4;

/// The shortest round trips of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinRtt {
    /// What the model goes by (BBR.min_rtt), and when it was measured.
    shortest: Option<Duration>,
    shortest_at: Instant,
    /// The shortest of late (BBR.probe_rtt_min_delay), and when it was measured.
    recent: Option<Duration>,
    recent_at: Instant,
    /// The last one.
    latest: Option<Duration>,
    /// It is time to look (BBR.probe_rtt_expired).
    pub(super) is_stale: bool,
}

impl MinRtt {
    pub(super) fn new(now: Instant, rtt: Option<Duration>) -> MinRtt {
        MinRtt { shortest: rtt, shortest_at: now, recent: rtt, recent_at: now, latest: rtt, is_stale: false }
    }

    /// An acknowledgement has come, with a round trip perhaps (UpdateMinRTT).
    pub(super) fn measured(&mut self, now: Instant, rtt: Option<Duration>) {
        self.is_stale = now > self.recent_at + LOOK_INTERVAL;
        self.latest = rtt.or(self.latest);
        if let Some(rtt) = rtt
            && (self.is_stale || self.recent.is_none_or(|recent| rtt < recent))
        {
            (self.recent, self.recent_at) = (Some(rtt), now);
        }
        let is_old = now > self.shortest_at + COUNTS_FOR;
        let is_shorter = self.recent.is_some_and(|recent| self.shortest.is_none_or(|known| recent < known));
        if is_shorter || is_old {
            (self.shortest, self.shortest_at) = (self.recent, self.recent_at);
        }
    }

    /// It has been looked for, on purpose or by silence: not again for a while.
    pub(super) fn looked(&mut self, now: Instant) {
        self.recent_at = now;
    }

    /// No queue to speak of (one of `one_of` parts) stood on the path of a packet that was under way for so long.
    pub(super) fn is_without_queue(&self, rtt: Option<Duration>, one_of: u32) -> bool {
        rtt.zip(self.shortest).is_some_and(|(rtt, shortest)| rtt <= shortest + shortest / one_of)
    }

    pub(super) fn latest(&self) -> Option<Duration> {
        self.latest
    }

    pub(super) fn shortest(&self) -> Option<Duration> {
        self.shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortest_round_trip_is_looked_for_after_five_seconds_and_forgotten_after_ten() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let rtt = |ms| Some(Duration::from_millis(ms));
        let mut min = MinRtt::new(at(0), rtt(50));
        min.measured(at(1000), rtt(40));
        min.measured(at(6000), rtt(60));
        assert!(!min.is_stale);
        min.measured(at(6001), rtt(60));
        assert!(min.is_stale);
        assert_eq!(min.shortest(), rtt(40));
        min.measured(at(11_001), rtt(70));
        assert_eq!(min.shortest(), rtt(60));
    }
}
