//! TIME-WAIT: what is left of a connection that we ended first (RFC 9293 §3.6.1).
//!
//! A FIN that comes again is acknowledged but does not begin the time anew, as RFC 9293 §3.10.7.4 has it: all of them
//! last equally long, which lets them stand in one queue. A peer that loses our acknowledgement for a whole minute
//! meets a RST instead.

use ieum_wire::{Instant, SeqNumber};

use super::bounds::{TIME_WAIT_ISN_STEP, TIME_WAIT_REUSE_AFTER};
use super::open::Stamps;
use super::tuple::FourTuple;
use crate::link::LinkId;
use crate::port::Hold;

/// A connection in TIME-WAIT: enough to acknowledge the peer's FIN once more, and to know old segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeWait {
    pub(super) tuple: FourTuple,
    /// The position after our FIN.
    pub(super) nxt: SeqNumber,
    /// The position after the peer's FIN.
    pub(super) recv_nxt: SeqNumber,
    pub(super) window: u16,
    pub(super) stamps: Option<Stamps>,
    /// What its socket had said of the port.
    pub(super) hold: Hold,
    pub(super) since: Instant,
    /// DSCP and ECN of what is answered: those that the connection had (Linux).
    pub(super) tos: u8,
    pub(super) until: Instant,
    /// The link that the connection kept to.
    pub(super) link: Option<LinkId>,
}

impl TimeWait {
    /// May this SYN begin a new connection of the same tuple at once? RFC 9293 §3.6.1: when its position, or
    /// (RFC 6191) its timestamp, is beyond everything of the old one.
    pub(super) fn allows(&self, seq: SeqNumber, stamp: Option<u32>) -> bool {
        let newer_stamp = match (&self.stamps, stamp) {
            (Some(stamps), Some(value)) => stamps.is_newer(value),
            (None, _) | (Some(_), None) => false,
        };
        newer_stamp || seq.after(self.recv_nxt)
    }

    /// May a new connection of ours take its place? RFC 6191 §2, in our direction: the peer tells old segments from new
    /// ones by our timestamps, when those have surely gone on.
    pub(super) fn may_be_reused(&self, now: Instant) -> bool {
        self.stamps.is_some() && now.since(self.since) > TIME_WAIT_REUSE_AFTER
    }

    /// Where a new connection of the same tuple begins: beyond everything of the old one.
    pub(super) fn next_iss(&self) -> SeqNumber {
        self.nxt + TIME_WAIT_ISN_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::open::Stamps;

    #[test]
    fn a_later_timestamp_or_position_opens_anew() {
        let waiting = |stamps| TimeWait {
            tuple: FourTuple { local: ([10, 0, 0, 1], 80).into(), remote: ([10, 0, 0, 2], 1000).into() },
            nxt: SeqNumber::new(500),
            recv_nxt: SeqNumber::new(7000),
            window: 1000,
            stamps,
            hold: Hold::default(),
            tos: 0,
            since: Instant::ZERO,
            until: Instant::ZERO,
            link: None,
        };
        let plain = waiting(None);
        assert!(plain.allows(SeqNumber::new(7001), None) && !plain.allows(SeqNumber::new(7000), Some(9)));
        let stamped = waiting(Some(Stamps::heard(100)));
        assert!(
            stamped.allows(SeqNumber::new(1), Some(101)) && !stamped.allows(SeqNumber::new(1), Some(100))
        );
        assert!(stamped.next_iss().after(SeqNumber::new(500 + 65_535)));
    }
}
