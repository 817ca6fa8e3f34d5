//! What an algorithm of congestion control with a model of the path is told, and when
//! ([`super::congestion::CongestionControl`]): what was lost, what an acknowledgement says of the path's rate, and that
//! the sender had nothing to say, which makes what is measured say nothing of the path (draft-ietf-ccwg-bbr-06
//! §4.1.1.3, §4.1.2.4).

use ieum_wire::Instant;

use super::Send;
use super::congestion::{Heard, LossReport, Report};
use super::rate::Sample;
use super::recovery::{Belief, News};

impl Send {
    /// Could more be sent than there is? Then samples are marked until what is in flight has arrived. Asked before
    /// bytes are queued, before an acknowledgement is taken and when an alarm rings.
    pub(super) fn notice_gap(&mut self) {
        let counts = self.flight.counts();
        let end = self.data_end();
        let unsent = if self.nxt.before(end) { end.since(self.nxt) } else { 0 };
        if unsent < self.mss && counts.in_flight() < self.congestion.cwnd && counts.lost <= counts.again {
            self.flight.delivery.limit(counts.in_flight());
        }
    }

    /// Nothing is in flight, because there was nothing to say: what is measured next begins anew.
    pub(super) fn begin_again(&mut self, now: Instant) {
        let is_idle = self.flight.is_empty() && self.flight.delivery.is_limited();
        if is_idle && self.algorithm.decides() && self.has_something() {
            self.algorithm.begins_again(now, &mut self.congestion);
        }
    }

    /// There is something to say, whether or not the windows allow it.
    pub(super) fn has_something(&self) -> bool {
        self.nxt != self.end_position() || self.flight.missing().is_some()
    }

    /// What was found lost.
    pub(super) fn tell_losses(&mut self, now: Instant) {
        for loss in self.flight.delivery.take_losses() {
            let delivered = self.flight.delivery.delivered();
            let report = LossReport { now, loss, delivered, sack: self.sack };
            self.algorithm.lost(&mut self.congestion, &report);
        }
    }

    /// All about an acknowledgement, for who decides by it.
    pub(super) fn report(&mut self, heard: &Heard, news: &News, sample: Option<Sample>) {
        let counts = self.flight.counts();
        let report = Report {
            heard: *heard,
            sample,
            smoothed: self.rto.smoothed(),
            delivered: self.flight.delivery.delivered(),
            in_flight: counts.in_flight(),
            quantum: self.quantum,
            sack: self.sack,
            recovering: self.recovery.belief() == Belief::Recovery,
            marked: news.marked,
        };
        self.algorithm.acknowledged(&mut self.congestion, &report);
        if self.algorithm.holds_back() {
            // What is sent on purpose more slowly says nothing of the path either.
            self.flight.delivery.limit(counts.in_flight());
        }
    }

    /// The rate at which the path delivers, in bytes a second, and whether less was sent than it could deliver; 0 before
    /// it was measured.
    pub(in crate::tcp) fn delivery_rate(&self) -> (u64, bool) {
        let (rate, limited) = self.flight.delivery.told();
        (rate.bytes_per_second(self.mss), limited)
    }
}
