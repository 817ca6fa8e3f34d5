//! RACK: time tells what is lost (RFC 8985 §6). Whatever was sent well before something that has arrived is lost.
//!
//! "Well before" is the reordering window: nothing at first, so that a loss is found as soon as three segments have
//! overtaken it; a quarter of the shortest round trip once the path was seen to reorder; more when duplicates show
//! that even that was too little (§6.2 step 4).

use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

use super::range::Range;
use crate::tcp::bounds::{MIN_RTT_WINDOW, REORDERING_PERSISTS, REORDERING_STEPS_MAX};
use crate::tcp::settings::Tuning;

/// What is known of the newest arrival and of the path's disorder.
pub(super) struct Rack {
    /// When the newest segment that has arrived was sent, and its end (RACK.xmit_ts, RACK.end_seq).
    newest: Option<(Instant, SeqNumber)>,
    /// The round trip of that one (RACK.rtt).
    rtt: Duration,
    /// Something newer has arrived since this was last asked.
    advanced: bool,
    /// Segments that may be overtaken before a loss is believed; grows with what was seen, like Linux's.
    degree: u32,
    tuning: Tuning,
    /// The path was seen to reorder (RACK.reordering_seen).
    reorders: bool,
    /// Quarters of the shortest round trip in the window (RACK.reo_wnd_mult).
    steps: u32,
    /// Recoveries for which they still hold (RACK.reo_wnd_persist).
    persists: u32,
    /// A round in which duplicates were seen ends here (RACK.dsack_round).
    dsack_round: Option<SeqNumber>,
    pub(super) min_rtt: MinRtt,
}

/// What decides about the reordering window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disorder {
    /// Segments known to have arrived beyond a hole.
    pub(super) overtook: u32,
    /// A recovery is under way.
    pub(super) recovering: bool,
    pub(super) smoothed: Option<Duration>,
}

impl Rack {
    pub(super) fn new(tuning: &Tuning) -> Rack {
        Rack {
            newest: None,
            rtt: Duration::ZERO,
            advanced: false,
            degree: tuning.reordering,
            tuning: *tuning,
            reorders: false,
            steps: 1,
            persists: 0,
            dsack_round: None,
            min_rtt: MinRtt::default(),
        }
    }

    /// A range has arrived (RFC 8985 §6.2 step 2). `originals_lost`: what was sent again had been lost for certain.
    pub(super) fn arrived(&mut self, now: Instant, range: &Range, originals_lost: bool) {
        let rtt = now.since(range.sent_at);
        // An acknowledgement that comes sooner after a repetition than any round trip lasts is for the original. Where that
        // cannot be, the round trips known may all have been lengthened by something else (a neighbor that was asked
        // for), and without timestamps no shorter one is ever measured.
        if range.repeated && !originals_lost && self.min_rtt.shortest().is_some_and(|shortest| rtt < shortest)
        {
            return;
        }
        self.advanced = true;
        self.rtt = rtt;
        let this = (range.sent_at, range.end);
        let is_newer = self.newest.is_none_or(|(at, end)| this.0 > at || (this.0 == at && this.1.after(end)));
        if is_newer {
            self.newest = Some(this);
        }
    }

    /// The newest arrival, when there was one since the last call.
    pub(super) fn take_advance(&mut self) -> Option<(Instant, SeqNumber)> {
        std::mem::take(&mut self.advanced).then_some(self.newest).flatten()
    }

    pub(super) fn newest(&self) -> Option<(Instant, SeqNumber)> {
        self.newest
    }

    /// How long after its transmission a segment older than the newest arrival is lost (§6.2 step 4 and 5).
    pub(super) fn patience(&self, disorder: &Disorder) -> Duration {
        self.rtt + self.window(disorder)
    }

    fn window(&self, disorder: &Disorder) -> Duration {
        let many = disorder.overtook >= self.degree && !self.tuning.only_time_tells;
        if !self.reorders && (disorder.recovering || many) {
            return Duration::ZERO;
        }
        let quarter = self.min_rtt.shortest().unwrap_or_default() / 4;
        (quarter * self.steps).min(disorder.smoothed.unwrap_or_default())
    }

    /// Segments that may be overtaken before a loss is believed.
    pub(super) fn degree(&self) -> u32 {
        self.degree
    }

    pub(super) fn reorders(&self) -> bool {
        self.reorders
    }

    /// Something sent once has arrived from `distance` bytes below what had arrived before (§6.2 step 3).
    pub(super) fn reordered(&mut self, distance: u32, mss: u32) {
        self.reorders = true;
        self.degree = self.degree.max(distance.div_ceil(mss)).min(self.tuning.reordering_max);
    }

    /// A time-out came although many had overtaken: the degree was over-estimated.
    pub(super) fn overestimated(&mut self) {
        self.degree = self.degree.min(self.tuning.reordering);
    }

    /// A duplicate was reported: the window was too small (§6.2 step 4), once a round trip.
    pub(super) fn duplicated(&mut self, una: SeqNumber, nxt: SeqNumber) {
        if self.tuning.fixed_reordering_window || self.dsack_round.is_some_and(|until| una.before(until)) {
            return;
        }
        self.dsack_round = Some(nxt);
        self.steps = (self.steps + 1).min(REORDERING_STEPS_MAX);
        self.persists = REORDERING_PERSISTS;
    }

    /// A recovery has ended; after sixteen without a duplicate the window is small again.
    pub(super) fn recovered(&mut self) {
        self.persists = self.persists.saturating_sub(1);
        if self.persists == 0 {
            self.steps = 1;
        }
    }
}

/// The shortest round trip of late (RFC 8985 §6.2 step 1): the minimum over this window and the one before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    begun: Instant,
    this: Option<Duration>,
    last: Option<Duration>,
}

impl MinRtt {
    pub(super) fn measured(&mut self, now: Instant, rtt: Duration) {
        if now.since(self.begun) >= MIN_RTT_WINDOW {
            (self.last, self.this, self.begun) = (self.this, None, now);
        }
        self.this = Some(self.this.map_or(rtt, |shortest| shortest.min(rtt)));
    }

    pub(super) fn shortest(&self) -> Option<Duration> {
        [self.this, self.last].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::send::rate::Snapshot;

    fn calm(overtook: u32) -> Disorder {
        Disorder { overtook, recovering: false, smoothed: Some(Duration::from_millis(40)) }
    }

    fn rack() -> Rack {
        let mut rack = Rack::new(&Tuning::default());
        rack.min_rtt.measured(Instant::ZERO, Duration::from_millis(40));
        rack
    }

    #[test]
    fn without_disorder_three_that_overtook_are_enough() {
        let rack = rack();
        assert_eq!(rack.patience(&calm(2)), Duration::from_millis(10));
        assert_eq!(rack.patience(&calm(3)), Duration::ZERO);
    }

    #[test]
    fn a_path_that_reorders_is_given_a_quarter_of_a_round_trip() {
        let mut rack = rack();
        rack.reordered(4_500, 1000);
        assert_eq!((rack.degree(), rack.reorders()), (5, true));
        assert_eq!(rack.patience(&calm(9)), Duration::from_millis(10));
    }

    #[test]
    fn duplicates_widen_the_window_once_a_round_and_for_sixteen_recoveries() {
        let (mut rack, at) = (rack(), SeqNumber::new);
        rack.reordered(1000, 1000);
        rack.duplicated(at(0), at(5000));
        rack.duplicated(at(1000), at(6000));
        assert_eq!(rack.patience(&calm(9)), Duration::from_millis(20));
        for _ in 0..9 {
            rack.duplicated(at(10_000), at(10_000));
        }
        assert_eq!(
            rack.patience(&calm(9)),
            Duration::from_millis(40),
            "never beyond the smoothed round trip"
        );
        (0..16).for_each(|_| rack.recovered());
        assert_eq!(rack.patience(&calm(9)), Duration::from_millis(10));
    }

    #[test]
    fn an_arrival_sooner_than_any_round_trip_is_the_original_unless_that_is_lost() {
        let (begin, sent_at) = (SeqNumber::new(0), Instant::from_micros(1_000_000));
        let range = Range {
            begin,
            end: begin + 1000,
            fin: false,
            mss: 1000,
            sent_at,
            repeated: true,
            sacked: false,
            lost: true,
            again: true,
            snapshot: Snapshot::default(),
        };
        let (mut rack, now) = (rack(), sent_at + Duration::from_millis(5));
        rack.arrived(now, &range, false);
        assert_eq!(rack.take_advance(), None);
        rack.arrived(now, &range, true);
        assert_eq!(rack.take_advance(), Some((sent_at, range.end)));
    }

    #[test]
    fn the_shortest_round_trip_is_forgotten_in_time() {
        let mut rtt = MinRtt::default();
        rtt.measured(Instant::ZERO, Duration::from_millis(1));
        for i in 1..=2 {
            rtt.measured(Instant::ZERO + MIN_RTT_WINDOW * i, Duration::from_millis(30));
        }
        assert_eq!(rtt.shortest(), Some(Duration::from_millis(30)));
    }
}
