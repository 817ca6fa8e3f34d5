//! Reno: slow start, congestion avoidance, fast retransmit and fast recovery (RFC 5681, RFC 6582).
//!
//! Windows are counted in bytes. What is to be sent again is the send half's affair; this file only says how much may
//! be in flight and when a loss is believed.

use ieum_wire::SeqNumber;

use crate::tcp::bounds::INITIAL_WINDOW_SEGMENTS;

/// Duplicate acknowledgements that make a loss believed (RFC 5681 §3.2).
const DUPLICATES: u32 = 3;

/// What the sender believes of the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is missing.
    Open,
    /// Fast recovery: one segment was lost; over when everything up to here is acknowledged (RFC 6582 §3.2).
    Recovery { until: SeqNumber },
    /// After a time-out: everything from una on is sent again, up to here.
    Loss { until: SeqNumber },
}

/// What an acknowledgement asks the sender to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tcp) enum Verdict {
    /// Go on.
    Continue,
    /// Send the first unacknowledged segment again now.
    Retransmit,
}

/// Congestion control of one connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Reno {
    /// Bytes that may be in flight.
    cwnd: u32,
    /// Below it the window doubles each round trip, above it grows by one segment.
    ssthresh: u32,
    /// Bytes acknowledged towards the next segment of congestion avoidance.
    acked_bytes: u32,
    duplicates: u32,
    phase: Phase,
    /// Losses left of this position have been answered already (RFC 6582 §3.2, "recover").
    answered_until: Option<SeqNumber>,
}

impl Reno {
    /// RFC 6928: ten segments to begin with.
    pub(in crate::tcp) fn new(mss: u32) -> Reno {
        Reno {
            cwnd: INITIAL_WINDOW_SEGMENTS * mss,
            ssthresh: u32::MAX,
            acked_bytes: 0,
            duplicates: 0,
            phase: Phase::Open,
            answered_until: None,
        }
    }

    /// RFC 5681 §3.1: when the SYN or its answer was lost, begin with one segment.
    pub(in crate::tcp) fn handshake_was_repeated(&mut self, mss: u32) {
        self.cwnd = mss;
    }

    /// Nothing was sent for a time-out: at most the initial window goes at once (RFC 5681 §4.1).
    pub(in crate::tcp) fn restart(&mut self, mss: u32) {
        self.cwnd = self.cwnd.min(INITIAL_WINDOW_SEGMENTS * mss);
    }

    /// Bytes that may be in flight.
    pub(in crate::tcp) fn window(&self) -> u32 {
        self.cwnd
    }

    /// Slow start's upper end.
    pub(in crate::tcp) fn threshold(&self) -> u32 {
        self.ssthresh
    }

    /// `bytes` more were acknowledged, up to `una`. `in_flight` is what still is; `was_limited` says that the sender
    /// would have sent more but for this window: otherwise it does not grow (RFC 7661 §4.2 has the reason).
    pub(in crate::tcp) fn acknowledged(
        &mut self,
        una: SeqNumber,
        bytes: u32,
        in_flight: u32,
        mss: u32,
        was_limited: bool,
    ) -> Verdict {
        self.duplicates = 0;
        if self.answered_until.is_some_and(|until| una.after(until)) {
            // Forgotten in time: half the number space later the comparison would turn around.
            self.answered_until = None;
        }
        match self.phase {
            Phase::Open => {
                if was_limited {
                    self.grow(bytes, mss);
                }
                Verdict::Continue
            }
            Phase::Recovery { until } if una.before(until) => {
                // A partial acknowledgement: the next hole was lost as well. Deflate by what left the network.
                self.cwnd = self.cwnd.saturating_sub(bytes).max(mss);
                if bytes >= mss {
                    self.cwnd += mss;
                }
                Verdict::Retransmit
            }
            Phase::Recovery { .. } => {
                // RFC 6582 §3.2 step 3, option 1: no burst although much was acknowledged at once.
                self.cwnd = self.ssthresh.min(in_flight.max(mss) + mss);
                self.phase = Phase::Open;
                Verdict::Continue
            }
            Phase::Loss { until } => {
                self.grow(bytes, mss);
                if una.at_or_after(until) {
                    self.phase = Phase::Open;
                }
                Verdict::Continue
            }
        }
    }

    fn grow(&mut self, bytes: u32, mss: u32) {
        if self.cwnd < self.ssthresh {
            // RFC 5681 §3.1 lets slow start grow by one segment an acknowledgement, which assumes that each
            // acknowledges two at most. A super-segment is acknowledged at once; like Linux we count all its bytes.
            self.cwnd = self.cwnd.saturating_add(bytes).min(self.ssthresh.max(mss));
            return;
        }
        self.acked_bytes = self.acked_bytes.saturating_add(bytes);
        if self.acked_bytes >= self.cwnd {
            self.acked_bytes -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(mss);
        }
    }

    /// The same acknowledgement came once more although data is in flight. `top` is the end of what was ever sent.
    pub(in crate::tcp) fn duplicate(
        &mut self,
        una: SeqNumber,
        top: SeqNumber,
        in_flight: u32,
        mss: u32,
    ) -> Verdict {
        match self.phase {
            Phase::Recovery { .. } => {
                // Each duplicate says that one more segment has left the network.
                self.cwnd = self.cwnd.saturating_add(mss);
                Verdict::Continue
            }
            Phase::Loss { .. } => Verdict::Continue,
            Phase::Open => {
                self.duplicates += 1;
                let answered = self.answered_until.is_some_and(|until| una.at_or_before(until));
                if self.duplicates != DUPLICATES || answered {
                    return Verdict::Continue;
                }
                self.ssthresh = half(in_flight, mss);
                self.cwnd = self.ssthresh + DUPLICATES * mss;
                self.acked_bytes = 0;
                self.phase = Phase::Recovery { until: top };
                self.answered_until = Some(top);
                Verdict::Retransmit
            }
        }
    }

    /// The retransmission timer fired. `first`: not a repetition of the same time-out (RFC 5681 §3.1).
    pub(in crate::tcp) fn timed_out(&mut self, top: SeqNumber, in_flight: u32, mss: u32, first: bool) {
        if first {
            self.ssthresh = half(in_flight, mss);
        }
        self.cwnd = mss;
        self.acked_bytes = 0;
        self.duplicates = 0;
        self.phase = Phase::Loss { until: top };
        self.answered_until = Some(top);
    }
}

/// RFC 5681 (4): half of what is in flight, two segments at least.
fn half(in_flight: u32, mss: u32) -> u32 {
    (in_flight / 2).max(2 * mss)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn at(position: u32) -> SeqNumber {
        SeqNumber::new(position)
    }

    #[test]
    fn it_begins_with_ten_segments_and_doubles_each_round_trip() {
        let mut reno = Reno::new(MSS);
        assert_eq!(reno.window(), 10_000);
        reno.acknowledged(at(10_000), 10_000, 0, MSS, true);
        assert_eq!(reno.window(), 20_000);
    }

    #[test]
    fn a_window_that_did_not_limit_does_not_grow() {
        let mut reno = Reno::new(MSS);
        reno.acknowledged(at(500), 500, 0, MSS, false);
        assert_eq!(reno.window(), 10_000);
    }

    #[test]
    fn the_third_duplicate_halves_and_retransmits_once() {
        let mut reno = Reno::new(MSS);
        let verdicts = [(); 4].map(|()| reno.duplicate(at(0), at(10_000), 10_000, MSS));
        assert_eq!(verdicts, [Verdict::Continue, Verdict::Continue, Verdict::Retransmit, Verdict::Continue]);
        assert_eq!(reno.threshold(), 5_000);
        assert_eq!(reno.window(), 5_000 + 3_000 + 1_000);
        assert_eq!(reno.acknowledged(at(4_000), 4_000, 6_000, MSS, true), Verdict::Retransmit);
        assert_eq!(reno.acknowledged(at(10_000), 6_000, 0, MSS, true), Verdict::Continue);
        assert_eq!(reno.window(), 2_000);
    }

    #[test]
    fn after_a_time_out_old_duplicates_do_not_count() {
        let mut reno = Reno::new(MSS);
        reno.timed_out(at(10_000), 10_000, MSS, true);
        assert_eq!((reno.window(), reno.threshold()), (1_000, 5_000));
        reno.acknowledged(at(10_000), 10_000, 0, MSS, true);
        assert_eq!(reno.window(), 5_000, "slow start ends at the threshold");
        for _ in 0..5 {
            assert_eq!(reno.duplicate(at(10_000), at(12_000), 2_000, MSS), Verdict::Continue);
        }
    }

    #[test]
    fn a_loss_long_after_another_is_answered_at_once() {
        let mut reno = Reno::new(MSS);
        reno.timed_out(at(10_000), 10_000, MSS, true);
        for i in 1..=30u32 {
            reno.acknowledged(at(10_000) + i * 100_000_000, 100_000_000, 0, MSS, false);
        }
        let una = at(10_000) + 3_000_000_000;
        let verdicts = [(); 3].map(|()| reno.duplicate(una, una + 10_000, 10_000, MSS));
        assert_eq!(verdicts[2], Verdict::Retransmit);
    }

    #[test]
    fn congestion_avoidance_adds_one_segment_a_window() {
        let mut reno = Reno::new(MSS);
        reno.timed_out(at(10_000), 10_000, MSS, true);
        reno.acknowledged(at(10_000), 10_000, 0, MSS, true);
        for i in 1..=5 {
            reno.acknowledged(at(10_000 + i * 1_000), 1_000, 4_000, MSS, true);
        }
        assert_eq!(reno.window(), 6_000);
    }
}
