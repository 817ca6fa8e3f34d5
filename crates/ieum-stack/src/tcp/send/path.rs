//! What the sending half knows of the size of segments ([`crate::tcp::path`]): whether a larger one may be tried, and what it
//! means that one was lost.

use ieum_wire::SeqNumber;

use super::{Belief, Send, u32_of};

impl Send {
    /// Nothing is amiss, and the window has room for a segment whose loss costs little.
    pub(in crate::tcp) fn may_probe_path(&self, cwnd_min: u32) -> bool {
        let counts = self.flight.counts();
        self.recovery.belief() == Belief::Open
            && counts.sacked == 0
            && self.congestion.cwnd >= cwnd_min
            && counts.in_flight() + 2 <= self.congestion.cwnd
    }

    /// How many segments may overtake one before it counts as lost.
    pub(in crate::tcp) fn overtaking(&self) -> u32 {
        self.rack.degree()
    }

    /// So many bytes were never sent, and the peer's window takes them.
    pub(in crate::tcp) fn has_ready(&self, bytes: u32) -> bool {
        let sent = self.nxt.since(self.una);
        u32_of(self.queued).saturating_sub(sent) >= bytes && self.window_left() >= bytes
    }

    /// Is what begins at `position`, the first in flight, believed lost?
    pub(in crate::tcp) fn is_lost(&self, position: SeqNumber) -> bool {
        self.flight.first().is_some_and(|range| range.begin == position && range.is_lost())
    }

    /// What was lost was too large for the path: nothing was congested, so that the window is as before (RFC 4821 §7.6.2).
    pub(in crate::tcp) fn lost_by_size(&mut self, cwnd: u32) {
        self.congestion.ssthresh = self.congestion.ssthresh.max(cwnd);
        self.congestion.cwnd = self.congestion.cwnd.max(cwnd);
    }

    /// Segments larger than `mss` did not pass: they are sent again at once, in smaller pieces. The window stays as it is.
    pub(in crate::tcp) fn lose_larger(&mut self, mss: u32) {
        if self.flight.lose_larger(mss) {
            self.enter_resized();
        }
    }
}
