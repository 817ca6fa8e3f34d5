//! What is in flight: the scoreboard (RFC 2018 §5, RFC 6675 §4), over ranges of positions.
//!
//! A range is what was sent at one moment and has fared alike since. It begins as all that one turn has sent, whether
//! that crossed the link as frames or as super-segments, and is cut only where fates part. So the cost of an
//! acknowledgement follows the number of holes, not the number of segments.
//!
//! Congestion control counts segments: a range weighs as many as its bytes need (RFC 5681 counts SMSS; Linux packets).
//!
//! Invariants:
//!
//! 1. Ranges are not empty, lie side by side, and the first begins at the first position not acknowledged.
//! 2. The counts are the sums over the ranges.
//! 3. What has arrived is not lost; what is sent again and not believed lost was a probe.
//! 4. `order` has a line for each range that may still be found overdue, under the time of its last transmission; the
//!    lines stand in the order of these times.

use std::collections::VecDeque;
use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

use super::range::{Counts, Range};
use super::rate::Delivery;

/// Lines of `order` beyond which those that mean nothing any more are taken out, per range and in all.
const ORDER_LINES_PER_RANGE: usize = 4;
const ORDER_LINES_MIN: usize = 64;

/// A line of `order`.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    begin: SeqNumber,
    end: SeqNumber,
}

/// What overdue ranges came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Overdue {
    /// A repetition was among those found lost.
    pub(super) repetition: bool,
    /// How long others are to be waited for.
    pub(super) wait: Option<Duration>,
}

/// The scoreboard.
#[derive(Default)]
pub(in crate::tcp) struct Flight {
    ranges: VecDeque<Range>,
    order: VecDeque<Sent>,
    counts: Counts,
    /// Position behind the highest range that the peer has beyond a hole; stays when that is acknowledged.
    sacked_until: Option<SeqNumber>,
    /// No range left of this one is missing.
    missing_from: Option<SeqNumber>,
    /// What has been delivered and lost so far.
    pub(super) delivery: Delivery,
    /// The last acknowledgement fell into a segment that was sent alone.
    is_cut: bool,
}

impl Flight {
    // What can be asked.

    pub(in crate::tcp) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The range at the left edge.
    pub(super) fn first(&self) -> Option<&Range> {
        self.ranges.front()
    }

    /// Position behind the highest range that the peer has beyond a hole (FACK).
    pub(super) fn sacked_until(&self) -> Option<SeqNumber> {
        self.sacked_until.filter(|_| self.counts.sacked > 0)
    }

    /// The left edge stands in a segment that was sent alone.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whatever was sent again.
    pub(super) fn any_repeated(&self) -> bool {
        self.counts.again > 0 || self.ranges.front().is_some_and(|range| range.repeated)
    }

    // What is sent.

    /// New data went out, behind all that is in flight.
    pub(super) fn sent(&mut self, now: Instant, begin: SeqNumber, end: SeqNumber, fin: bool, mss: u32) {
        let mut snapshot = self.delivery.snapshot(now, self.counts.in_flight());
        let grows = self.ranges.back().is_some_and(|last| {
            let whole = last.end.since(last.begin).is_multiple_of(last.mss);
            last.sent_at == now
                && last.mss == mss
                && last.snapshot.is_like(&snapshot)
                && whole
                && !last.fin
                && !last.repeated
                && !last.sacked
                && !last.lost
        });
        if grows && let Some(mut last) = self.ranges.pop_back() {
            self.discount(&last);
            (last.end, last.fin) = (end, fin);
            self.count(&last);
            last.snapshot.in_flight = self.counts.in_flight();
            self.ranges.push_back(last);
        } else {
            let mut range = Range {
                begin,
                end,
                fin,
                mss,
                sent_at: now,
                repeated: false,
                sacked: false,
                lost: false,
                again: false,
                snapshot,
            };
            self.count(&range);
            snapshot.in_flight = self.counts.in_flight();
            range.snapshot = snapshot;
            self.ranges.push_back(range);
        }
        self.note(now, begin, end);
    }

    /// The first range that is missing, cut to `bytes_max`, in whole segments of `mss` if that is one or more, is sent again.
    pub(super) fn send_missing(&mut self, now: Instant, bytes_max: u32, mss: u32) -> Option<Range> {
        let from = self.missing_from?;
        let found = (self.index_of(from)..self.ranges.len()).find(|index| self.ranges[*index].is_missing());
        let Some(index) = found else {
            self.missing_from = None;
            return None;
        };
        let range = self.ranges[index];
        let fits = if bytes_max < mss { bytes_max } else { bytes_max / mss * mss };
        if fits < range.end.since(range.begin) - u32::from(range.fin) {
            self.split(index, range.begin + fits);
        }
        let range = self.repeat(now, index);
        self.missing_from = Some(range.end);
        Some(range)
    }

    /// The first range that is missing, as it stands.
    pub(super) fn missing(&self) -> Option<&Range> {
        let from = self.index_of(self.missing_from?);
        self.ranges.iter().skip(from).find(|range| range.is_missing())
    }

    /// The last segment in flight, `mss` at most, is sent again as a probe (RFC 8985 §7.3).
    pub(super) fn send_last(&mut self, now: Instant, mss: u32) -> Option<Range> {
        let last = *self.ranges.back()?;
        let bytes = last.end.since(last.begin) - u32::from(last.fin);
        let tail = (bytes - (last.segments() - 1) * last.mss).min(mss);
        if tail < bytes {
            self.split(self.ranges.len() - 1, last.begin + (bytes - tail));
        }
        Some(self.repeat(now, self.ranges.len() - 1))
    }

    fn repeat(&mut self, now: Instant, index: usize) -> Range {
        let snapshot = self.delivery.snapshot(now, self.counts.in_flight());
        self.change(index, |range| {
            (range.sent_at, range.repeated, range.again) = (now, true, !range.sacked);
            range.snapshot = snapshot;
        });
        self.ranges[index].snapshot.in_flight = self.counts.in_flight();
        let range = self.ranges[index];
        self.note(now, range.begin, range.end);
        range
    }

    /// A line in the order of transmissions.
    fn note(&mut self, at: Instant, begin: SeqNumber, end: SeqNumber) {
        if let Some(last) = self.order.back_mut()
            && (last.at, last.end) == (at, begin)
        {
            last.end = end;
            return;
        }
        if self.order.len() >= ORDER_LINES_MIN + ORDER_LINES_PER_RANGE * self.ranges.len() {
            let ranges = &self.ranges;
            self.order.retain(|line| {
                let from = ranges.partition_point(|range| range.end.at_or_before(line.begin));
                let of_line = ranges.iter().skip(from).take_while(|range| range.begin.before(line.end));
                of_line.into_iter().any(|range| range.sent_at == line.at && range.may_be_overdue())
            });
        }
        self.order.push_back(Sent { at, begin, end });
    }

    // What is heard.

    /// Everything left of `ack` has arrived. `each` is told of every range that goes, as it stood.
    pub(super) fn acknowledged(&mut self, ack: SeqNumber, mut each: impl FnMut(&Range)) {
        self.is_cut = false;
        while let Some(range) = self.ranges.front().copied()
            && range.begin.before(ack)
        {
            if range.end.after(ack) {
                self.is_cut = range.segments() == 1;
                self.split(0, ack);
                continue;
            }
            self.discount(&range);
            self.ranges.pop_front();
            each(&range);
        }
        while self.order.front().is_some_and(|line| line.end.at_or_before(ack)) {
            self.order.pop_front();
        }
        if self.ranges.is_empty() {
            // Given back: a connection that says nothing owns no memory.
            *self = Flight {
                counts: Counts { duplicates: self.counts.duplicates, ..Counts::default() },
                delivery: std::mem::take(&mut self.delivery),
                ..Flight::default()
            };
        }
    }

    /// The peer has `begin..end`, both within what is in flight. `each` is told of every range that was not known to
    /// have arrived, as it stood. Parts of a segment are not believed: no sender ever cut there.
    pub(super) fn sacked(&mut self, begin: SeqNumber, end: SeqNumber, mut each: impl FnMut(&Range)) {
        let mut index = self.index_of(begin);
        while let Some(range) = self.ranges.get(index).copied()
            && range.begin.before(end)
        {
            if range.sacked {
                index += 1;
                continue;
            }
            if range.begin.before(begin) {
                let skipped = begin.since(range.begin).next_multiple_of(range.mss);
                index += 1;
                if skipped < range.end.since(range.begin) {
                    self.split(index - 1, range.begin + skipped);
                }
                continue;
            }
            if range.end.after(end) {
                let whole = end.since(range.begin) / range.mss * range.mss;
                if whole == 0 {
                    return;
                }
                self.split(index, range.begin + whole);
            }
            let range = self.ranges[index];
            each(&range);
            self.change(index, |range| {
                // A repetition of what was not believed lost is taken to be still on its way, like Linux does.
                range.again &= !range.lost;
                (range.sacked, range.lost) = (true, false);
            });
            let until = self.sacked_until().unwrap_or(range.end);
            self.sacked_until = Some(until.max(range.end));
            index += 1;
        }
    }

    // What is believed.

    /// Whatever was sent before the newest that has arrived (`newest`: when that was sent, and its end) and has been out
    /// for its time is lost; `remaining` says what is left of that time for something sent at a given moment.
    pub(super) fn lose_overdue(
        &mut self,
        newest: (Instant, SeqNumber),
        remaining: impl Fn(Instant) -> Duration,
    ) -> Overdue {
        let mut overdue = Overdue::default();
        let mut line_index = 0;
        while let Some(line) = self.order.get(line_index).copied()
            && line.at <= newest.0
        {
            let wait = remaining(line.at);
            let mut is_waited_for = false;
            let mut index = self.index_of(line.begin);
            while let Some(range) = self.ranges.get(index).copied()
                && range.begin.before(line.end)
            {
                if range.sent_at == line.at && range.may_be_overdue() {
                    let is_older = line.at < newest.0 || range.end.before(newest.1);
                    if is_older && wait.is_zero() {
                        overdue.repetition |= range.again;
                        self.lose(index);
                    } else {
                        is_waited_for = true;
                        overdue.wait = overdue.wait.max(is_older.then_some(wait));
                    }
                }
                index += 1;
            }
            if !is_waited_for && line_index == 0 {
                self.order.pop_front();
            } else {
                line_index += 1;
            }
        }
        overdue
    }

    /// The first segment in flight is lost (RFC 6582 §3.2, RFC 5681 §3.2).
    pub(super) fn lose_first(&mut self) {
        if let Some(first) = self.ranges.front().copied()
            && !first.lost
            && !first.sacked
        {
            if first.segments() > 1 {
                self.split(0, first.begin + first.mss);
            }
            self.lose(0);
        }
    }

    /// The first piece in flight, a repetition, was not taken: it is to go once more.
    pub(super) fn first_was_refused(&mut self) {
        if self.ranges.front().is_some_and(|first| first.again && !first.sacked) {
            self.lose(0);
        }
    }

    /// After a time-out all is lost but what was sent so lately that `is_recent`; the first segment in any case.
    pub(super) fn lose_all(&mut self, is_recent: impl Fn(Instant) -> bool) {
        self.counts.duplicates = 0;
        for index in 0..self.ranges.len() {
            if !self.ranges[index].sacked && (index == 0 || !is_recent(self.ranges[index].sent_at)) {
                self.lose(index);
            }
        }
    }

    /// Whatever was sent in segments larger than `mss`, and has not arrived, is lost. True when there was any.
    pub(super) fn lose_larger(&mut self, mss: u32) -> bool {
        let before = self.counts.lost;
        for index in 0..self.ranges.len() {
            let range = self.ranges[index];
            if !range.sacked && !range.lost && range.end.since(range.begin).min(range.mss) > mss {
                self.lose(index);
            }
        }
        self.counts.lost > before
    }

    /// The peer has thrown away what it had beyond a hole (RFC 2018 §8).
    pub(super) fn forget_sacked(&mut self) {
        for index in 0..self.ranges.len() {
            // When it arrives again, nobody knows when it arrived.
            self.change(index, |range| {
                (range.repeated, range.sacked) = (range.repeated || range.sacked, false)
            });
        }
        self.sacked_until = None;
    }

    /// What was believed lost was not.
    pub(super) fn find_all(&mut self) {
        for index in 0..self.ranges.len() {
            self.change(index, |range| range.lost = false);
        }
        self.missing_from = None;
    }

    /// Without SACK: so many duplicates have come (never as many as would leave nothing missing).
    pub(super) fn set_duplicates(&mut self, count: u32) {
        let missing = self.counts.lost.max(1);
        self.counts.duplicates = count.min(self.counts.out.saturating_sub(missing));
    }

    fn lose(&mut self, index: usize) {
        let range = self.ranges[index];
        if range.may_be_overdue() {
            self.delivery.lost(range.begin, range.end, range.segments(), range.snapshot);
        }
        self.change(index, |range| (range.lost, range.again) = (true, false));
        let begin = self.ranges[index].begin;
        self.missing_from = Some(match self.missing_from {
            Some(from) if from.before(begin) => from,
            _ => begin,
        });
    }

    // The ranges.

    /// The range that `position` lies in; behind the last one, their number.
    fn index_of(&self, position: SeqNumber) -> usize {
        self.ranges.partition_point(|range| range.end.at_or_before(position))
    }

    /// Cuts a range in two at `at`, which lies within it.
    fn split(&mut self, index: usize, at: SeqNumber) {
        let whole = self.ranges[index];
        self.discount(&whole);
        let (mut left, right) = (Range { end: at, fin: false, ..whole }, Range { begin: at, ..whole });
        // When the left part was sent, the right one was not yet in flight.
        left.snapshot.in_flight = left.snapshot.in_flight.saturating_sub(right.segments());
        self.count(&left);
        self.count(&right);
        self.ranges[index] = left;
        self.ranges.insert(index + 1, right);
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Range)) {
        let mut range = self.ranges[index];
        self.discount(&range);
        change(&mut range);
        self.count(&range);
        self.ranges[index] = range;
    }

    fn count(&mut self, range: &Range) {
        let (segments, counts) = (range.segments(), &mut self.counts);
        counts.out += segments;
        counts.sacked += segments * u32::from(range.sacked);
        counts.lost += segments * u32::from(range.lost);
        counts.again += segments * u32::from(range.again);
    }

    fn discount(&mut self, range: &Range) {
        let (segments, counts) = (range.segments(), &mut self.counts);
        counts.out -= segments;
        counts.sacked -= segments * u32::from(range.sacked);
        counts.lost -= segments * u32::from(range.lost);
        counts.again -= segments * u32::from(range.again);
    }

    /// The invariants of the file's first lines. `una` and `nxt` are the edges of what is in flight.
    pub(super) fn check(&self, una: SeqNumber, nxt: SeqNumber) {
        let mut at = una;
        let mut sums = Flight::default();
        for range in &self.ranges {
            assert_eq!(range.begin, at, "ranges lie side by side");
            assert!(range.end.after(range.begin), "a range is not empty");
            assert!(!(range.sacked && range.lost), "what has arrived is not lost");
            sums.count(range);
            at = range.end;
        }
        assert_eq!(at, nxt, "ranges are all that is in flight");
        let duplicates = self.counts.duplicates;
        assert_eq!(Counts { duplicates, ..sums.counts }, self.counts, "counts are sums");
        let times: Vec<_> = self.order.iter().map(|line| line.at).collect();
        assert!(times.is_sorted(), "lines stand in the order of transmission");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn at(position: u32) -> SeqNumber {
        // Near the wrap, so that order is never that of plain numbers.
        SeqNumber::new(u32::MAX - 4999) + position
    }

    fn time(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// Ten segments, five at 0 ms and five at 1 ms.
    fn ten() -> Flight {
        let mut flight = Flight::default();
        for i in 0..10 {
            flight.sent(time(u64::from(i / 5)), at(i * MSS), at((i + 1) * MSS), false, MSS);
        }
        flight.check(at(0), at(10_000));
        flight
    }

    fn sacked(flight: &mut Flight, begin: u32, end: u32) -> u32 {
        let mut segments = 0;
        flight.sacked(at(begin), at(end), |range| segments += range.segments());
        flight.check(at(0), at(10_000));
        segments
    }

    #[test]
    fn what_one_turn_sends_is_one_range() {
        let flight = ten();
        assert_eq!(flight.ranges.len(), 2);
        assert_eq!(flight.counts().out, 10);
    }

    #[test]
    fn a_block_is_believed_once_and_in_whole_segments() {
        let mut flight = ten();
        assert_eq!(sacked(&mut flight, 1500, 4700), 2, "only 2000..4000 are whole");
        assert_eq!(sacked(&mut flight, 1000, 6000), 3);
        assert_eq!(sacked(&mut flight, 1000, 6000), 0);
        assert_eq!(flight.counts(), Counts { out: 10, sacked: 5, ..Counts::default() });
        assert_eq!(flight.sacked_until(), Some(at(6000)));
    }

    #[test]
    fn an_acknowledgement_inside_a_segment_cuts_it() {
        let mut flight = ten();
        let mut gone = 0;
        flight.acknowledged(at(1500), |range| gone += range.segments());
        flight.check(at(1500), at(10_000));
        assert_eq!((gone, flight.counts().out), (2, 9), "half a segment weighs one");
        flight.acknowledged(at(10_000), |_| {});
        flight.check(at(10_000), at(10_000));
        assert!(flight.is_empty());
    }

    #[test]
    fn what_was_sent_before_the_newest_arrival_is_lost_after_its_time() {
        let mut flight = ten();
        sacked(&mut flight, 7000, 8000);
        let newest = (time(1), at(8000));
        let waits =
            flight.lose_overdue(newest, |sent| Duration::from_millis(if sent == time(0) { 0 } else { 3 }));
        flight.check(at(0), at(10_000));
        assert_eq!(flight.counts().lost, 5, "those of 0 ms");
        assert_eq!(waits, Overdue { repetition: false, wait: Some(Duration::from_millis(3)) });
        flight.lose_overdue(newest, |_| Duration::ZERO);
        assert_eq!(flight.counts().lost, 7, "those behind the newest are not older");
        assert_eq!(flight.counts().in_flight(), 2);
    }

    #[test]
    fn what_is_missing_is_sent_again_from_the_left_in_whole_segments() {
        let mut flight = ten();
        sacked(&mut flight, 4000, 5000);
        flight.lose_overdue((time(0), at(5000)), |_| Duration::ZERO);
        assert_eq!(flight.counts().lost, 4);
        let first = flight.send_missing(time(5), 2900, MSS).unwrap();
        assert_eq!((first.begin, first.end), (at(0), at(2000)));
        let second = flight.send_missing(time(5), 90_000, MSS).unwrap();
        assert_eq!((second.begin, second.end), (at(2000), at(4000)));
        assert_eq!(flight.send_missing(time(5), 90_000, MSS), None);
        flight.check(at(0), at(10_000));
        assert_eq!(flight.counts(), Counts { out: 10, sacked: 1, lost: 4, again: 4, duplicates: 0 });
        assert_eq!(flight.counts().in_flight(), 9);
    }

    #[test]
    fn a_repetition_can_be_lost_too() {
        let mut flight = ten();
        sacked(&mut flight, 1000, 2000);
        flight.lose_first();
        let part = flight.send_missing(time(5), 552, MSS).unwrap();
        assert_eq!((part.begin, part.end), (at(0), at(552)), "no more than may be sent");
        let rest = flight.send_missing(time(5), MSS, MSS).unwrap();
        assert_eq!((rest.begin, rest.end), (at(552), at(1000)));
        let later = flight.lose_overdue((time(6), at(2000)), |_| Duration::ZERO);
        assert!(later.repetition);
        assert_eq!(flight.missing().map(|range| range.begin), Some(at(0)));
        flight.check(at(0), at(10_000));
    }

    #[test]
    fn after_a_time_out_only_the_recent_is_not_lost() {
        let mut flight = ten();
        flight.lose_all(|sent| sent == time(1));
        assert_eq!(flight.counts().lost, 5);
        flight.lose_all(|_| false);
        assert_eq!(flight.counts().lost, 10);
        flight.find_all();
        assert_eq!((flight.counts().lost, flight.missing()), (0, None));
        flight.check(at(0), at(10_000));
    }

    #[test]
    fn the_last_segment_is_cut_off_to_probe_with() {
        let mut flight = ten();
        let probe = flight.send_last(time(9), MSS).unwrap();
        assert_eq!((probe.begin, probe.end), (at(9000), at(10_000)));
        assert_eq!(flight.counts().in_flight(), 11, "both copies are out");
        flight.check(at(0), at(10_000));
    }
}
