//! The retransmission time-out (RFC 6298).

use std::time::Duration;

use crate::tcp::bounds::{RTO_FLOOR, RTO_INITIAL, RTO_MAX};

/// Smoothed round-trip time and what follows from it. All in microseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Rto {
    /// Smoothed RTT and its variation; `None` before the first measurement.
    estimate: Option<(u64, u64)>,
    /// How often the time-out has been doubled (RFC 6298 §5.5).
    doublings: u32,
    /// The largest time-out.
    max: Duration,
}

impl Rto {
    pub(in crate::tcp) fn new() -> Rto {
        Rto { estimate: None, doublings: 0, max: RTO_MAX }
    }

    /// A bound of its own for the time-out (RFC 6298 §5.5).
    pub(in crate::tcp) fn set_max(&mut self, max: Duration) {
        self.max = max;
    }

    /// RFC 6298 §2.2 and §2.3, with alpha = 1/8 and beta = 1/4. A measurement ends the doubling.
    pub(in crate::tcp) fn measured(&mut self, rtt: Duration) {
        let rtt_us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).min(1 << 40);
        self.estimate = Some(match self.estimate {
            None => (rtt_us, rtt_us / 2),
            Some((srtt, rttvar)) => ((7 * srtt + rtt_us) / 8, (3 * rttvar + srtt.abs_diff(rtt_us)) / 4),
        });
        self.doublings = 0;
    }

    /// A closed window has opened: what was doubled between questions ends. After a repetition only a measurement ends
    /// it (Karn, RFC 6298 §3).
    pub(in crate::tcp) fn progressed(&mut self) {
        self.doublings = 0;
    }

    /// RFC 6298 §5.5: back off.
    pub(in crate::tcp) fn expired(&mut self) {
        self.doublings = (self.doublings + 1).min(16);
    }

    /// RFC 6298 §5.7: when the SYN had to be sent again and the RTT is not known, data begins with 3 s.
    pub(in crate::tcp) fn handshake_was_repeated(&mut self) {
        if self.estimate.is_none() {
            self.estimate = Some((1_000_000, 500_000));
        }
    }

    /// How long to wait for an acknowledgement now.
    pub(in crate::tcp) fn current(&self) -> Duration {
        let base = match self.estimate {
            None => RTO_INITIAL,
            Some((srtt, rttvar)) => {
                Duration::from_micros(srtt) + Duration::from_micros(4 * rttvar).max(RTO_FLOOR)
            }
        };
        base.saturating_mul(1 << self.doublings).min(self.max)
    }

    /// How often the time-out has been doubled since the path last worked.
    pub(in crate::tcp) fn doublings(&self) -> u32 {
        self.doublings
    }

    /// How much round trips vary (RTTVAR): before any measurement a quarter of the time-out.
    pub(in crate::tcp) fn variation(&self) -> Duration {
        self.estimate.map_or(RTO_INITIAL / 4, |(_, variation)| Duration::from_micros(variation))
    }

    /// The smoothed round-trip time, once there is one.
    pub(in crate::tcp) fn smoothed(&self) -> Option<Duration> {
        self.estimate.map(|(srtt, _)| Duration::from_micros(srtt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_second_and_never_falls_below_the_floor() {
        let mut rto = Rto::new();
        assert_eq!(rto.current(), Duration::from_secs(1));
        for _ in 0..50 {
            rto.measured(Duration::from_micros(80));
        }
        assert_eq!(rto.current(), Duration::from_micros(80) + RTO_FLOOR);
    }

    #[test]
    fn it_doubles_up_to_its_bound_and_ends_doubling_with_an_answer() {
        let mut rto = Rto::new();
        rto.expired();
        assert_eq!(rto.current(), Duration::from_secs(2));
        for _ in 0..20 {
            rto.expired();
        }
        assert_eq!(rto.current(), RTO_MAX);
        rto.measured(Duration::from_millis(100));
        assert_eq!(rto.current(), Duration::from_millis(300));
    }
}
