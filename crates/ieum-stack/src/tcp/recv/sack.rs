//! What the peer is told of data that has arrived beyond a hole (RFC 2018 §4), and of data that came twice (RFC 2883).

use ieum_wire::SeqNumber;
use ieum_wire::tcp::{SACK_BLOCKS_MAX, SackBlock, SackBlocks};

use super::assembler::Assembler;

/// What there is to tell.
#[derive(Default)]
pub(super) struct SackReport {
    /// Positions at which data arrived out of order, the latest first: the range that holds the first one is told
    /// first, so that a lost acknowledgement does not hide it (RFC 2018 §4).
    latest: Vec<SeqNumber>,
    /// Data that came twice; told once, in front of all others (RFC 2883 §4).
    duplicate: Option<SackBlock>,
}

impl SackReport {
    /// Data at `begin` arrived beyond a hole.
    pub(super) fn arrived(&mut self, begin: SeqNumber, assembler: &Assembler) {
        let of = assembler.range_of(begin);
        self.latest.retain(|other| assembler.range_of(*other) != of && assembler.range_of(*other).is_some());
        self.latest.insert(0, begin);
        self.latest.truncate(SACK_BLOCKS_MAX);
    }

    /// `begin..end` came a second time.
    pub(super) fn came_twice(&mut self, begin: SeqNumber, end: SeqNumber) {
        self.duplicate = Some(match self.duplicate {
            Some(known) if known.end == begin => SackBlock { end, ..known },
            _ => SackBlock { begin, end },
        });
    }

    /// `begin..end` was there when a larger segment brought it again. One report tells of one range (RFC 2883 §4): of
    /// several the first, unless they touch.
    pub(super) fn came_within(&mut self, begin: SeqNumber, end: SeqNumber) {
        match &mut self.duplicate {
            None => self.duplicate = Some(SackBlock { begin, end }),
            Some(known) if begin.at_or_before(known.end) && known.begin.at_or_before(end) => {
                known.end = known.end.max(end);
                if begin.before(known.begin) {
                    known.begin = begin;
                }
            }
            Some(_) => {}
        }
    }

    /// Nothing is beyond a hole any more.
    pub(super) fn filled(&mut self) {
        self.latest = Vec::new();
    }

    /// The blocks of the next segment, so many at most.
    pub(super) fn blocks(&self, assembler: &Assembler, blocks_max: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        let ranges = self.latest.iter().filter_map(|position| assembler.range_of(*position));
        let ranges = ranges.map(|(begin, end)| SackBlock { begin, end });
        for block in self.duplicate.into_iter().chain(ranges) {
            let is_new = self.duplicate == Some(block) || !blocks.as_slice().contains(&block);
            if is_new && blocks.as_slice().len() < blocks_max {
                blocks.push(block);
            }
        }
        blocks
    }

    /// They were told; where data began that came twice.
    pub(super) fn told(&mut self) -> Option<SeqNumber> {
        self.duplicate.take().map(|block| block.begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u32) -> SeqNumber {
        SeqNumber::new(u32::MAX - 50) + position
    }

    fn block(begin: u32, end: u32) -> SackBlock {
        SackBlock { begin: at(begin), end: at(end) }
    }

    fn arrived(report: &mut SackReport, assembler: &mut Assembler, begin: u32, end: u32) {
        assert!(assembler.insert(at(begin), at(end)));
        report.arrived(at(begin), assembler);
    }

    #[test]
    fn the_latest_range_is_told_first() {
        let (mut report, mut assembler) = (SackReport::default(), Assembler::default());
        for i in [1, 3, 5, 7, 9] {
            arrived(&mut report, &mut assembler, i * 10, i * 10 + 5);
        }
        assert_eq!(report.blocks(&assembler, 3).as_slice(), [block(90, 95), block(70, 75), block(50, 55)]);
        arrived(&mut report, &mut assembler, 55, 60);
        assert_eq!(report.blocks(&assembler, 3).as_slice(), [block(50, 60), block(90, 95), block(70, 75)]);
    }

    #[test]
    fn ranges_that_became_one_are_told_once() {
        let (mut report, mut assembler) = (SackReport::default(), Assembler::default());
        for (begin, end) in [(10, 20), (30, 40), (20, 30)] {
            arrived(&mut report, &mut assembler, begin, end);
        }
        assert_eq!(report.blocks(&assembler, 4).as_slice(), [block(10, 40)]);
    }

    #[test]
    fn of_several_ranges_that_one_segment_brought_again_the_first_is_told() {
        let mut report = SackReport::default();
        let assembler = Assembler::default();
        for (begin, end) in [(10, 20), (40, 50), (20, 25)] {
            report.came_within(at(begin), at(end));
        }
        assert_eq!(report.blocks(&assembler, 4).as_slice(), [block(10, 25)]);
    }

    #[test]
    fn what_came_twice_is_told_once_and_before_the_range_it_lies_in() {
        let (mut report, mut assembler) = (SackReport::default(), Assembler::default());
        arrived(&mut report, &mut assembler, 10, 40);
        report.came_twice(at(20), at(25));
        report.came_twice(at(25), at(30));
        assert_eq!(report.blocks(&assembler, 4).as_slice(), [block(20, 30), block(10, 40)]);
        report.told();
        assert_eq!(report.blocks(&assembler, 4).as_slice(), [block(10, 40)]);
    }
}
