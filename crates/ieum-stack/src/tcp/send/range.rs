//! What is known of a piece of the flight, and segments counted by it.

use ieum_wire::{Instant, SeqNumber};

use super::rate::Snapshot;

/// Positions that were last sent at one moment and of which the same is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tcp) struct Range {
    pub(super) begin: SeqNumber,
    pub(super) end: SeqNumber,
    /// Its last position is the FIN's.
    pub(super) fin: bool,
    /// Payload of a segment when it was sent, in bytes.
    pub(super) mss: u32,
    /// When it was sent last.
    pub(super) sent_at: Instant,
    /// It was sent more than once: its acknowledgement measures no round trip (Karn, RFC 6298 §3).
    pub(super) repeated: bool,
    /// The peer has it, beyond a hole.
    pub(super) sacked: bool,
    /// What was sent first is believed lost.
    pub(super) lost: bool,
    /// What was sent last is a repetition, believed to be on its way.
    pub(super) again: bool,
    /// How things stood when it was sent last.
    pub(super) snapshot: Snapshot,
}

impl Range {
    /// Segments that its bytes need; a FIN alone is one too.
    pub(super) fn segments(&self) -> u32 {
        let bytes = self.end.since(self.begin) - u32::from(self.fin);
        bytes.div_ceil(self.mss).max(1)
    }

    /// Believed lost, sent again or not.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Believed lost, and not sent again since.
    pub(super) fn is_missing(&self) -> bool {
        self.lost && !self.again && !self.sacked
    }

    /// May the newest arrival prove that it is lost? Not when that is known already, or it has arrived.
    pub(super) fn may_be_overdue(&self) -> bool {
        !self.sacked && (!self.lost || self.again)
    }
}

/// Segments in flight, by what is believed of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Sent and not acknowledged.
    pub out: u32,
    /// Of these: arrived beyond a hole.
    pub sacked: u32,
    /// Of these: believed lost, sent again or not.
    pub lost: u32,
    /// Repetitions believed to be on their way.
    pub again: u32,
    /// Without SACK: arrived beyond a hole as duplicate acknowledgements tell, nobody knows which.
    pub duplicates: u32,
}

impl Counts {
    /// Segments believed to be in the network (RFC 6675 §4, "pipe").
    pub fn in_flight(&self) -> u32 {
        (self.out + self.again).saturating_sub(self.left())
    }

    /// Segments that have left the network.
    pub(super) fn left(&self) -> u32 {
        self.sacked + self.duplicates + self.lost
    }
}
