//! Pacing: what may be sent is spread over time, so that no queue on the way has to take it at once.
//!
//! Not segment by segment: a *quantum*, about a millisecond of the rate, goes at once (as one super-segment where the
//! link takes those), then nothing until the rate allows the next (draft-ietf-ccwg-bbr-06 §5.6.2, §5.6.3). So a fast
//! connection is woken a thousand times a second at most.
//!
//! Who is paced: whoever's algorithm names a rate (BBR), and whoever's user bounds it (SO_MAX_PACING_RATE). Others send
//! as the acknowledgements come, as on Linux without the queueing discipline `fq`.

use std::time::Duration;

use ieum_wire::Instant;

use super::congestion::Window;
use super::{Send, Sizes};
use crate::tcp::bounds::UNPACED_SEGMENTS;
use crate::tcp::settings::TcpSettings;

/// What may go at once at most, in bytes: the size of a super-segment.
const QUANTUM_BYTES_MAX: u32 = 65_536;

/// For so many microseconds of the round trip, what short paths may send more at once halves (Linux: tcp_tso_rtt_log 9).
const NEAR_HALVES_US: u64 = 512;

/// When the next quantum may go.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Pacer {
    /// The next quantum goes at this moment, in nanoseconds since the clock's zero: a microsecond is much for a fast path.
    next_ns: u64,
    /// What is left of the quantum that goes now, in bytes.
    left_bytes: u32,
    /// Segments at the beginning of a connection that are not paced: the initial window is known to be safe, and short
    /// answers shall not wait.
    free_segments: u32,
    /// Something waits for this moment.
    wakes_at: Option<Instant>,
}

impl Pacer {
    pub(super) fn new() -> Pacer {
        Pacer { next_ns: 0, left_bytes: 0, free_segments: UNPACED_SEGMENTS, wakes_at: None }
    }

    /// May something be sent now? If not, the connection wakes when it may.
    pub(super) fn allows(&mut self, now: Instant, quantum_bytes: u32) -> bool {
        if nanoseconds(now) >= self.next_ns {
            self.left_bytes = quantum_bytes;
        } else if self.left_bytes == 0 {
            self.wakes_at = Some(Instant::from_micros(self.next_ns.div_ceil(1000)));
            return false;
        }
        self.wakes_at = None;
        true
    }

    /// So much was sent at that rate.
    pub(super) fn sent(&mut self, now: Instant, bytes: u32, segments: u32, bytes_per_second: u64) {
        self.free_segments = self.free_segments.saturating_sub(segments);
        if self.free_segments > 0 {
            return;
        }
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
        let lasts = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second.max(1));
        let lasts = u64::try_from(lasts).unwrap_or(u64::MAX);
        // Whoever was woken late catches up, by half of what was sent at most (as Linux).
        let late = nanoseconds(now).saturating_sub(self.next_ns).min(lasts / 2);
        self.next_ns = self.next_ns.max(nanoseconds(now)).saturating_add(lasts - late);
    }

    /// When something that waits may go.
    pub(in crate::tcp) fn deadline(&self) -> Option<Instant> {
        self.wakes_at
    }

    /// Time has passed: what waited is asked again.
    pub(in crate::tcp) fn on_deadline(&mut self, now: Instant) {
        self.wakes_at = self.wakes_at.filter(|at| *at > now);
    }
}

impl Send {
    /// The rate at which it sends, in bytes a second, whether that is enforced or only aimed at; `u64::MAX` before a
    /// round trip was measured.
    pub(in crate::tcp) fn pacing_rate(&self, settings: &TcpSettings) -> u64 {
        let wanted = match self.algorithm.pacing_rate() {
            Some(rate) => rate.bytes_per_second(self.mss),
            None => {
                let Window { cwnd, ssthresh, .. } = self.congestion;
                let segments = cwnd.max(self.flight.counts().out);
                let rtt = self.rto.smoothed().unwrap_or_default();
                rate_of_window(segments, self.mss, cwnd < ssthresh / 2, rtt)
            }
        };
        wanted.min(settings.pacing_rate_max.unwrap_or(u64::MAX))
    }

    /// Does the rate have to be kept?
    pub(super) fn is_paced(&self, settings: &TcpSettings) -> bool {
        self.algorithm.pacing_rate().is_some() || settings.pacing_rate_max.is_some()
    }

    /// What may go at once: about a millisecond of the rate, so that no queue on the way sees a burst. Short paths get
    /// more: there the cost of a packet weighs more than a burst (Linux: tcp_tso_rtt_log). Two segments at least (Linux:
    /// tcp_min_tso_segs; draft-ietf-ccwg-bbr-06 §5.6.3), 64 KiB at most.
    pub(super) fn quantum_segments(&self, sizes: &Sizes, bytes_per_second: u64) -> u32 {
        let millisecond = u32::try_from(bytes_per_second / 1000).unwrap_or(QUANTUM_BYTES_MAX);
        let shortest = self.rack.min_rtt.shortest().or_else(|| self.rto.smoothed()).unwrap_or_default();
        let near = u32::try_from(micros(shortest) / NEAR_HALVES_US)
            .ok()
            .and_then(|halvings| QUANTUM_BYTES_MAX.checked_shr(halvings));
        let bytes = millisecond.saturating_add(near.unwrap_or(0)).min(QUANTUM_BYTES_MAX);
        (bytes / sizes.mss).max(self.tuning.packet_segments_min)
    }
}

/// The rate at which a window is sent, in bytes a second, for the sizes of packets and for who has to be paced without
/// an algorithm that knows better: a little more than the window each round trip, so that it can grow (Linux:
/// tcp_pacing_ss_ratio, tcp_pacing_ca_ratio).
pub(super) fn rate_of_window(segments: u32, mss: u32, far_below_threshold: bool, rtt: Duration) -> u64 {
    let percent = if far_below_threshold { 200 } else { 120 };
    // A window of 2⁴³ bytes fits, more than TCP can say.
    let bytes = (u64::from(segments) * u64::from(mss)).saturating_mul(percent * 1_000_000 / 100);
    bytes.checked_div(micros(rtt)).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn nanoseconds(now: Instant) -> u64 {
    now.micros().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Instant {
        Instant::from_micros(us)
    }

    fn begun() -> Pacer {
        Pacer { free_segments: 0, ..Pacer::new() }
    }

    #[test]
    fn a_quantum_goes_at_once_and_the_next_when_its_time_has_come() {
        let mut pacer = begun();
        for i in 0..3 {
            assert!(pacer.allows(us(1000), 3000), "segment {i}");
            pacer.sent(us(1000), 1000, 1, 1_000_000);
        }
        assert!(!pacer.allows(us(1000), 3000));
        // Nothing was sent before 1 ms: the first was late, and by half forgiven.
        assert_eq!(pacer.deadline(), Some(us(3500)));
        assert!(!pacer.allows(us(3499), 3000));
        pacer.on_deadline(us(3500));
        assert_eq!(pacer.deadline(), None);
        assert!(pacer.allows(us(3500), 3000));
    }

    #[test]
    fn over_a_long_time_the_rate_is_exact_even_when_woken_late() {
        let mut pacer = begun();
        let (mut now, mut sent) = (0, 0_u64);
        while now < 10_000_000 {
            while pacer.allows(us(now), 2920) {
                pacer.sent(us(now), 1460, 1, 7_777_777);
                sent += 1460;
            }
            // Each wake-up is 80 µs late.
            now = pacer.deadline().unwrap().micros() + 80;
        }
        let expected = 77_777_770;
        assert!(sent.abs_diff(expected) < 10_000, "{sent} of {expected} bytes");
    }

    #[test]
    fn the_initial_window_is_not_paced() {
        let mut pacer = Pacer::new();
        for _ in 0..UNPACED_SEGMENTS {
            assert!(pacer.allows(us(0), 1));
            pacer.sent(us(0), 1460, 1, 1000);
        }
        assert!(!pacer.allows(us(0), 1));
    }

    #[test]
    fn a_window_is_sent_a_little_faster_than_it_is_acknowledged() {
        let rtt = Duration::from_millis(100);
        assert_eq!(rate_of_window(10, 1000, true, rtt), 200_000);
        assert_eq!(rate_of_window(10, 1000, false, rtt), 120_000);
        assert_eq!(rate_of_window(10, 1000, false, Duration::ZERO), u64::MAX);
    }
}
