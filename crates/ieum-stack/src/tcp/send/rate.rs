//! The delivery rate: how fast the path hands over what is sent (draft-ietf-ccwg-bbr-06 §4.1).
//!
//! What is sent notes how much had been delivered by then ([`Snapshot`], kept with its range of the flight). When it
//! arrives, the difference to what has been delivered by now, over the time between, is a sample of the path's rate. Of
//! the time the sender took and the time the receiver took the longer one counts, so that neither a burst of
//! acknowledgements nor a burst of transmissions looks like a fast path.
//!
//! A sample taken while the sender had nothing to say tells how fast that was, not the path: it is marked as
//! *application-limited*.
//!
//! All is counted in segments, like the congestion window.

use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

/// A rate, in 2⁻¹⁶ segments a second: a segment a day is more than 0, and 10¹⁴ a second fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(in crate::tcp) struct Bandwidth(u64);

impl Bandwidth {
    const FRACTION_BITS: u32 = 16;

    /// So many segments in that time; nothing in no time.
    pub(super) fn of(segments: u64, time: Duration) -> Bandwidth {
        // 2²⁸ segments fit, more than a window can be.
        let scaled = segments.saturating_mul(1_000_000 << Bandwidth::FRACTION_BITS);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Bandwidth(scaled.checked_div(micros).unwrap_or(0))
    }

    /// A part of it, or a multiple.
    pub(super) fn percent(self, percent: u32) -> Bandwidth {
        let rate = u128::from(self.0) * u128::from(percent) / 100;
        Bandwidth(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// Whole segments that it brings in that time, the last one perhaps not quite.
    pub(super) fn segments_in(self, time: Duration) -> u32 {
        let scaled = u128::from(self.0) * time.as_micros();
        u32::try_from(scaled.div_ceil(1_000_000 << Bandwidth::FRACTION_BITS)).unwrap_or(u32::MAX)
    }

    /// In bytes a second, for segments of `mss` bytes.
    pub(in crate::tcp) fn bytes_per_second(self, mss: u32) -> u64 {
        let rate = (u128::from(self.0) * u128::from(mss)) >> Bandwidth::FRACTION_BITS;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// How things stood when something was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Snapshot {
    /// Segments delivered by then, in all (P.delivered), and when the last of them were.
    delivered: u64,
    delivered_at: Instant,
    /// When that was sent which was delivered last (P.first_send_time).
    first_sent_at: Instant,
    /// Segments lost by then, in all (P.lost).
    lost: u64,
    /// Segments in flight right after it was sent (P.tx_in_flight).
    pub(super) in_flight: u32,
    /// There was a gap in what was sent, and it was still on its way.
    limited: bool,
}

impl Snapshot {
    /// The same moment, save for what else was in flight.
    pub(super) fn is_like(&self, other: &Snapshot) -> bool {
        Snapshot { in_flight: 0, ..*self } == Snapshot { in_flight: 0, ..*other }
    }
}

/// What an acknowledgement tells of the path's rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sample {
    /// The rate; 0 when nothing can be said of it.
    pub(super) rate: Bandwidth,
    /// Segments delivered since the newest of what has arrived was sent (RS.delivered), and in all before that
    /// (RS.prior_delivered).
    pub(super) delivered: u64,
    pub(super) delivered_before: u64,
    /// Segments found lost since it was sent (RS.lost).
    pub(super) lost: u64,
    /// Segments in flight when it was sent (RS.tx_in_flight).
    pub(super) in_flight: u32,
    /// Less was sent than could have been.
    pub(super) limited: bool,
}

/// Something found lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Loss {
    /// It adjoins what was found lost before it.
    pub(super) adjoins: bool,
    pub(super) segments: u32,
    /// Segments found lost since it was sent, itself included.
    pub(super) lost: u64,
    /// Segments in flight when it was sent.
    pub(super) in_flight: u32,
    /// It was sent behind a gap.
    pub(super) limited: bool,
}

/// Of what an acknowledgement brought, what was sent last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Newest {
    pub(super) sent_at: Instant,
    /// The position behind it: tells apart what was sent at one moment.
    pub(super) end: SeqNumber,
    pub(super) snapshot: Snapshot,
}

impl Newest {
    /// Was it sent after the other (IsNewestPacket)?
    pub(super) fn is_newer(&self, other: &Newest) -> bool {
        self.sent_at > other.sent_at || (self.sent_at == other.sent_at && self.end.after(other.end))
    }
}

/// What has been delivered and lost so far.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct Delivery {
    /// Segments delivered in all (C.delivered), and when the last of them were.
    delivered: u64,
    delivered_at: Instant,
    /// When that was sent which was delivered last (C.first_send_time).
    first_sent_at: Instant,
    /// Segments found lost in all (C.lost); those that were found again count too.
    lost: u64,
    losses: Vec<Loss>,
    losses_end: Option<SeqNumber>,
    /// Until so many are delivered, samples are application-limited (C.app_limited).
    limited_until: Option<u64>,
    newest: Option<Newest>,
    /// The last sample that was not limited, or exceeded it: segments and time, for whoever asks.
    told: (u64, Duration),
    told_limited: bool,
}

impl Default for Delivery {
    fn default() -> Delivery {
        Delivery {
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            lost: 0,
            losses: Vec::new(),
            losses_end: None,
            limited_until: None,
            newest: None,
            told: (0, Duration::ZERO),
            // Nothing was measured: the path may deliver more.
            told_limited: true,
        }
    }
}

impl Delivery {
    // What happens.

    /// Something is about to be sent; `in_flight` before it (OnPacketSent). With nothing in flight, time begins now.
    pub(super) fn snapshot(&mut self, now: Instant, in_flight: u32) -> Snapshot {
        if in_flight == 0 {
            (self.first_sent_at, self.delivered_at) = (now, now);
        }
        Snapshot {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            lost: self.lost,
            in_flight,
            limited: self.limited_until.is_some(),
        }
    }

    /// So many segments have arrived, whichever they are.
    pub(super) fn credit(&mut self, now: Instant, segments: u32) {
        if segments > 0 {
            self.delivered += u64::from(segments);
            self.delivered_at = now;
        }
    }

    /// Of what an acknowledgement brought, this was sent last: it tells the rate (UpdateRateSample).
    pub(super) fn arrived(&mut self, newest: Newest) {
        self.newest = Some(newest);
        self.first_sent_at = newest.sent_at;
    }

    /// A range was found lost.
    pub(super) fn lost(&mut self, begin: SeqNumber, end: SeqNumber, segments: u32, snapshot: Snapshot) {
        self.lost += u64::from(segments);
        self.losses.push(Loss {
            adjoins: self.losses_end == Some(begin),
            segments,
            lost: self.lost - snapshot.lost.min(self.lost),
            in_flight: snapshot.in_flight,
            limited: snapshot.limited,
        });
        self.losses_end = Some(end);
    }

    /// What was found lost since the last call, from the left.
    pub(super) fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// The sender could send more than it has: what follows is limited until what is in flight has arrived.
    pub(super) fn limit(&mut self, in_flight: u32) {
        self.limited_until = Some((self.delivered + u64::from(in_flight)).max(1));
    }

    /// The sample of the acknowledgement that was just taken; `None` when it brought nothing (GenerateRateSample).
    pub(super) fn take_sample(&mut self, now: Instant, min_rtt: Option<Duration>) -> Option<Sample> {
        if self.limited_until.is_some_and(|until| self.delivered > until) {
            self.limited_until = None;
        }
        let Newest { sent_at, snapshot, .. } = self.newest.take()?;
        let interval = now.since(snapshot.delivered_at).max(sent_at.since(snapshot.first_sent_at));
        let delivered = self.delivered - snapshot.delivered;
        // Nothing goes there and back faster than the path: that was an acknowledgement of what had been sent before.
        let is_plausible = !interval.is_zero() && min_rtt.is_none_or(|shortest| interval >= shortest);
        let rate = if is_plausible { Bandwidth::of(delivered, interval) } else { Bandwidth::default() };
        if !rate.is_zero() && (!snapshot.limited || rate >= Bandwidth::of(self.told.0, self.told.1)) {
            (self.told, self.told_limited) = ((delivered, interval), snapshot.limited);
        }
        Some(Sample {
            rate,
            delivered,
            delivered_before: snapshot.delivered,
            lost: self.lost - snapshot.lost,
            in_flight: snapshot.in_flight,
            limited: snapshot.limited,
        })
    }

    // What can be asked.

    /// Segments delivered in all.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Samples are application-limited.
    pub(super) fn is_limited(&self) -> bool {
        self.limited_until.is_some()
    }

    /// The last rate of the path that was seen, and whether it was less than the path allows.
    pub(in crate::tcp) fn told(&self) -> (Bandwidth, bool) {
        (Bandwidth::of(self.told.0, self.told.1), self.told_limited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn at(position: u32) -> SeqNumber {
        SeqNumber::new(u32::MAX - 5) + position
    }

    fn newest(ms: u64, end: u32, snapshot: Snapshot) -> Newest {
        Newest { sent_at: time(ms), end: at(end), snapshot }
    }

    /// Sends `count` segments, one each `gap_ms`; they arrive 40 ms later, `ack_gap_ms` apart; the last sample.
    fn paced(count: u32, gap_ms: u64, ack_gap_ms: u64) -> Sample {
        let mut delivery = Delivery::default();
        let sent: Vec<_> = (0..count)
            .map(|i| {
                let now = time(u64::from(i) * gap_ms);
                (now, at(i + 1), delivery.snapshot(now, i))
            })
            .collect();
        let mut last = Sample::default();
        for (i, (sent_at, end, snapshot)) in (0..).zip(sent) {
            let now = time(40 + i * ack_gap_ms);
            delivery.arrived(Newest { sent_at, end, snapshot });
            delivery.credit(now, 1);
            last = delivery.take_sample(now, None).unwrap();
        }
        last
    }

    #[test]
    fn the_rate_is_what_arrives_between_sending_and_arrival() {
        let sample = paced(10, 1, 4);
        assert_eq!((sample.delivered, sample.delivered_before), (10, 0));
        assert_eq!(sample.rate, Bandwidth::of(10, Duration::from_millis(76)));
    }

    #[test]
    fn acknowledgements_in_a_burst_are_no_faster_than_what_was_sent() {
        assert_eq!(paced(10, 20, 0).rate, Bandwidth::of(10, Duration::from_millis(180)));
    }

    #[test]
    fn what_comes_back_sooner_than_the_path_allows_says_nothing_of_its_rate() {
        let mut delivery = Delivery::default();
        let snapshot = delivery.snapshot(time(0), 0);
        delivery.arrived(newest(0, 1, snapshot));
        delivery.credit(time(5), 1);
        let sample = delivery.take_sample(time(5), Some(Duration::from_millis(40))).unwrap();
        assert_eq!((sample.rate, sample.delivered), (Bandwidth::default(), 1));
        assert_eq!(delivery.take_sample(time(6), None), None, "nothing arrived since");
    }

    #[test]
    fn a_gap_in_what_is_sent_marks_samples_until_it_has_passed() {
        let mut delivery = Delivery::default();
        let first = delivery.snapshot(time(0), 0);
        delivery.limit(1);
        let second = delivery.snapshot(time(1), 1);
        delivery.arrived(newest(0, 1, first));
        delivery.credit(time(40), 1);
        assert!(!delivery.take_sample(time(40), None).unwrap().limited);
        assert!(delivery.is_limited(), "the gap is behind the first");
        delivery.arrived(newest(1, 2, second));
        delivery.credit(time(41), 1);
        assert!(delivery.take_sample(time(41), None).unwrap().limited);
        assert!(!delivery.is_limited());
    }

    #[test]
    fn a_limited_sample_is_told_only_when_it_is_faster() {
        let mut delivery = Delivery::default();
        let mut send = |ms, limited, segments| {
            if limited {
                delivery.limit(0);
            }
            let snapshot = delivery.snapshot(time(ms), 0);
            delivery.arrived(newest(ms, 1, snapshot));
            delivery.credit(time(ms + 10), segments);
            delivery.take_sample(time(ms + 10), None);
            delivery.told()
        };
        let of = |segments| Bandwidth::of(segments, Duration::from_millis(10));
        assert_eq!(send(0, false, 4), (of(4), false));
        assert_eq!(send(100, true, 2), (of(4), false));
        assert_eq!(send(200, true, 8), (of(8), true));
        assert_eq!(send(300, false, 1), (of(1), false));
    }

    #[test]
    fn a_loss_knows_what_else_was_lost_since_it_was_sent() {
        let mut delivery = Delivery::default();
        let first = delivery.snapshot(time(0), 0);
        delivery.lost(at(0), at(10), 1, first);
        delivery.lost(at(10), at(20), 1, first);
        let second = delivery.snapshot(time(1), 5);
        delivery.lost(at(40), at(50), 3, second);
        let losses = delivery.take_losses();
        assert_eq!(losses.iter().map(|loss| loss.lost).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(losses.iter().map(|loss| loss.adjoins).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(losses[2].in_flight, 5);
    }

    #[test]
    fn a_rate_is_turned_into_segments_and_bytes() {
        let rate = Bandwidth::of(100, Duration::from_secs(1));
        assert_eq!(rate.segments_in(Duration::from_millis(50)), 5);
        assert_eq!(rate.segments_in(Duration::from_millis(51)), 6);
        assert_eq!(rate.bytes_per_second(1460), 146_000);
        assert_eq!(rate.percent(277).bytes_per_second(1000), 277_000);
    }
}
