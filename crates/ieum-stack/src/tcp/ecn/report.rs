//! What a segment says beside its number: accurate ECN's option, in the room that other options leave.
//!
//! The option has its fields in the order ECT(1), CE, ECT(0), and leaves out what is not needed from the end (RFC 9768
//! §3.2.3). Where what changed would not fit beside three or more blocks of SACK, one block gives way: it is said again
//! with the next segment.

use std::time::Duration;

use ieum_wire::Instant;
use ieum_wire::tcp::{AccEcn, HEADER_BYTES, HEADER_BYTES_MAX, SackBlocks};

use super::{Accurate, EcnOption, EcnRules};

/// Bytes that all options of a segment share.
const OPTIONS_BYTES_MAX: usize = HEADER_BYTES_MAX - HEADER_BYTES;
/// Blocks of SACK below which none gives way.
const BLOCKS_KEPT: usize = 2;

/// The option of a segment, and the blocks of SACK that fit beside it.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Report {
    pub(in crate::tcp) option: Option<AccEcn>,
    pub(in crate::tcp) blocks: usize,
}

impl Accurate {
    /// What the next segment says, which has so many `blocks` of SACK and so many `other` bytes of options.
    pub(in crate::tcp) fn report(
        &self,
        now: Instant,
        rules: &EcnRules,
        rtt: Option<Duration>,
        blocks: usize,
        other: usize,
    ) -> Report {
        let without = Report { option: None, blocks };
        let wanted = match rules.option {
            EcnOption::Never => false,
            EcnOption::WhenNeeded => self.demand > 0 || self.is_time(now, rules, rtt),
            EcnOption::Always | EcnOption::Persistently => true,
        };
        if !wanted || !self.may_have_option(rules.option == EcnOption::Persistently) {
            return without;
        }
        let fit = fit(self.fields_needed, blocks, other);
        fit.map_or(without, |(fields, blocks)| Report {
            option: Some(AccEcn::new(true, &self.fields()[..fields])),
            blocks,
        })
    }

    /// A segment with the option went out; `duplicate`: where data began that it reported to have come twice.
    pub(in crate::tcp) fn reported(&mut self, now: Instant, duplicate: Option<ieum_wire::SeqNumber>) {
        self.fields_needed = 0;
        self.demand = self.demand.saturating_sub(1);
        self.option_at = Some(now);
        self.duplicate_told = duplicate.or(self.duplicate_told);
    }

    /// RFC 9768 §3.2.3.3: now and then even without need.
    fn is_time(&self, now: Instant, rules: &EcnRules, rtt: Option<Duration>) -> bool {
        let since = self.option_at.map_or(Duration::MAX, |at| now.since(at));
        rules.beacons > 0 && rtt.is_none_or(|rtt| since >= rtt / rules.beacons)
    }
}

/// How many fields fit, `needed` at least, and how many blocks beside them.
fn fit(needed: usize, blocks: usize, other: usize) -> Option<(usize, usize)> {
    let room = |blocks| OPTIONS_BYTES_MAX.saturating_sub(other + SackBlocks::len_bytes_of(blocks));
    let fields = |blocks| (needed..=3).rev().find(|fields| AccEcn::len_bytes_of(*fields) <= room(blocks));
    if let Some(fields) = fields(blocks) {
        return Some((fields, blocks));
    }
    let fewer = blocks.checked_sub(1).filter(|fewer| *fewer >= BLOCKS_KEPT && needed > 0)?;
    fields(fewer).map(|fields| (fields, fewer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_not_needed_give_way_to_blocks() {
        // With timestamps (12 bytes) and without.
        assert_eq!([fit(0, 1, 12), fit(2, 2, 12), fit(3, 1, 12)], [Some((3, 1)), Some((2, 2)), Some((3, 1))]);
        assert_eq!([fit(0, 3, 0), fit(3, 3, 0)], [Some((3, 3)); 2]);
    }

    #[test]
    fn a_third_block_gives_way_to_fields_that_are_needed() {
        assert_eq!(fit(2, 3, 12), Some((2, 2)));
        assert_eq!(fit(3, 4, 0), Some((3, 3)));
        assert_eq!(fit(3, 3, 12), None);
        assert_eq!(fit(3, 2, 12), None);
    }
}
