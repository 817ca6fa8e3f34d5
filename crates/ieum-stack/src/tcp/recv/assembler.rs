//! Which bytes beyond the next expected one have arrived already.

use ieum_wire::SeqNumber;

use crate::tcp::bounds::OUT_OF_ORDER_RANGES_MAX;

/// Ranges of positions received out of order: sorted, apart from each other, all right of the next expected position.
#[derive(Default)]
pub(in crate::tcp) struct Assembler {
    ranges: Vec<(SeqNumber, SeqNumber)>,
}

impl Assembler {
    /// Nothing has arrived out of order.
    pub(in crate::tcp) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The position behind everything that has arrived out of order.
    pub(in crate::tcp) fn end(&self) -> Option<SeqNumber> {
        self.ranges.last().map(|range| range.1)
    }

    /// The range that holds `position`.
    pub(in crate::tcp) fn range_of(&self, position: SeqNumber) -> Option<(SeqNumber, SeqNumber)> {
        let index = self.ranges.partition_point(|range| range.1.at_or_before(position));
        self.ranges.get(index).filter(|range| range.0.at_or_before(position)).copied()
    }

    /// What of `begin..end` is there already, in order.
    pub(in crate::tcp) fn known(
        &self,
        begin: SeqNumber,
        end: SeqNumber,
    ) -> impl Iterator<Item = (SeqNumber, SeqNumber)> + '_ {
        let first = self.ranges.partition_point(|range| range.1.at_or_before(begin));
        let touched = self.ranges[first..].iter().take_while(move |range| range.0.before(end));
        touched.map(move |range| (range.0.max(begin), if range.1.before(end) { range.1 } else { end }))
    }

    /// `begin..end` arrived. False when too many ranges are known already: the caller then drops it.
    #[must_use]
    pub(in crate::tcp) fn insert(&mut self, begin: SeqNumber, end: SeqNumber) -> bool {
        // The ranges that touch the new one are replaced by their union.
        let first = self.ranges.partition_point(|range| range.1.before(begin));
        let touching = self.ranges[first..].iter().take_while(|range| range.0.at_or_before(end)).count();
        if touching == 0 {
            if self.ranges.len() == OUT_OF_ORDER_RANGES_MAX {
                return false;
            }
            self.ranges.insert(first, (begin, end));
            return true;
        }
        let last = self.ranges[first + touching - 1];
        let begin = if begin.before(self.ranges[first].0) { begin } else { self.ranges[first].0 };
        self.ranges[first] = (begin, end.max(last.1));
        self.ranges.drain(first + 1..first + touching);
        true
    }

    /// The rightmost range is given up: what it held must come again.
    pub(in crate::tcp) fn forget_last(&mut self) -> Option<(SeqNumber, SeqNumber)> {
        self.ranges.pop()
    }

    /// The ranges, from the left.
    pub(in crate::tcp) fn ranges(&self) -> impl DoubleEndedIterator<Item = (SeqNumber, SeqNumber)> {
        self.ranges.iter().copied()
    }

    /// Bytes in all ranges together.
    pub(in crate::tcp) fn bytes(&self) -> u32 {
        self.ranges.iter().map(|(begin, end)| end.since(*begin)).sum()
    }

    /// Everything up to `nxt` is there: how far is it without a hole? Ranges that are reached are forgotten.
    pub(in crate::tcp) fn reach(&mut self, mut nxt: SeqNumber) -> SeqNumber {
        let reached = self.ranges.iter().take_while(|range| range.0.at_or_before(nxt)).count();
        for (_, end) in self.ranges.drain(..reached) {
            nxt = nxt.max(end);
        }
        if self.ranges.is_empty() {
            self.ranges = Vec::new();
        }
        nxt
    }

    /// Sorted, apart, and right of `nxt`.
    pub(in crate::tcp) fn check(&self, nxt: SeqNumber) {
        let mut left = nxt;
        for (begin, end) in &self.ranges {
            assert!(begin.after(left), "ranges lie right of what was received and apart from each other");
            assert!(end.after(*begin), "a range holds something");
            left = *end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u32) -> SeqNumber {
        // Near the wrap, so that order is never that of plain numbers.
        SeqNumber::new(u32::MAX - 50) + position
    }

    fn insert(assembler: &mut Assembler, begin: u32, end: u32) {
        assert!(assembler.insert(at(begin), at(end)));
        assembler.check(at(0));
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut assembler = Assembler::default();
        insert(&mut assembler, 10, 20);
        insert(&mut assembler, 30, 40);
        insert(&mut assembler, 50, 60);
        insert(&mut assembler, 20, 30);
        assert_eq!(assembler.ranges, [(at(10), at(40)), (at(50), at(60))]);
        insert(&mut assembler, 5, 100);
        assert_eq!(assembler.ranges, [(at(5), at(100))]);
    }

    #[test]
    fn a_filled_hole_reaches_to_the_next() {
        let mut assembler = Assembler::default();
        insert(&mut assembler, 10, 20);
        insert(&mut assembler, 30, 40);
        assert_eq!(assembler.reach(at(5)), at(5));
        assert_eq!(assembler.reach(at(12)), at(20));
        assert_eq!(assembler.reach(at(30)), at(40));
        assert!(assembler.is_empty());
    }

    #[test]
    fn any_order_of_arrival_comes_to_the_same() {
        // A linear congruential walk through all 64 blocks: each once, never in order.
        let mut assembler = Assembler::default();
        let mut block = 7u32;
        for _ in 0..64 {
            block = (block * 13 + 5) % 64;
            let _ = assembler.insert(at(block * 4 + 1), at(block * 4 + 5));
        }
        assert_eq!(assembler.ranges, [(at(1), at(257))]);
    }

    #[test]
    fn too_many_ranges_are_refused() {
        let mut assembler = Assembler::default();
        for i in 0..u32::try_from(OUT_OF_ORDER_RANGES_MAX).unwrap() {
            insert(&mut assembler, i * 4 + 1, i * 4 + 2);
        }
        assert!(!assembler.insert(at(100_001), at(100_002)));
        insert(&mut assembler, 1, 3);
        assert!(assembler.forget_last().is_some());
        insert(&mut assembler, 100_001, 100_002);
    }
}
