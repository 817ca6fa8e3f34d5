//! How much may be in flight (RFC 5681), and how it changes.
//!
//! [`Window`] holds the numbers that every algorithm has in common; an algorithm, chosen for each connection
//! ([`CongestionControl`]), says how they grow and where they fall to. That a loss has happened, and how the fall is
//! spread over a round trip, is not its affair ([`super::recovery`], [`super::prr`]).
//!
//! All is counted in segments. RFC 5681 counts bytes of SMSS each; the two agree for full segments, and a flood of small
//! ones does not slip through a window of bytes.
//!
//! Files: [`reno`] (RFC 5681), [`cubic`] (RFC 9438), [`hystart`] (RFC 9406, slow start's end), [`bbr`]
//! (draft-ietf-ccwg-bbr).

pub(super) mod bbr;
pub(super) mod cubic;
mod hystart;
pub(super) mod reno;

use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

use super::rate::{Bandwidth, Loss, Sample};
use crate::tcp::bounds::INITIAL_WINDOW_SEGMENTS;
use crate::tcp::settings::CongestionName;

/// What an acknowledgement tells an algorithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) now: Instant,
    /// Segments that have newly arrived.
    pub(super) segments: u32,
    /// The round trip of the newest of them, when it was sent once.
    pub(super) rtt: Option<Duration>,
    /// The shortest round trip of late.
    pub(super) min_rtt: Option<Duration>,
    pub(super) una: SeqNumber,
    pub(super) nxt: SeqNumber,
}

/// What an acknowledgement tells an algorithm that decides by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) heard: Heard,
    /// What it says of the path's rate; `None` when nothing has arrived.
    pub(super) sample: Option<Sample>,
    /// The smoothed round trip.
    pub(super) smoothed: Option<Duration>,
    /// Segments delivered in all.
    pub(super) delivered: u64,
    /// Segments in the network now.
    pub(super) in_flight: u32,
    /// Segments that are sent at once.
    pub(super) quantum: u32,
    /// The peer tells what has arrived beyond a hole.
    pub(super) sack: bool,
    /// A loss is being repaired, and not by time-out.
    pub(super) recovering: bool,
    /// It echoes a mark (RFC 3168 §6.1.3).
    pub(super) marked: bool,
}

/// Something was found lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossReport {
    pub(super) now: Instant,
    pub(super) loss: Loss,
    /// Segments delivered in all.
    pub(super) delivered: u64,
    /// The peer tells what has arrived beyond a hole.
    pub(super) sack: bool,
}

/// How things are when an algorithm begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) now: Instant,
    /// The round trip, once measured.
    pub(super) rtt: Option<Duration>,
    /// A position nobody foresees: where all chance of the algorithm comes from.
    pub(super) seed: SeqNumber,
    pub(super) window: &'a Window,
}

/// An algorithm of congestion control.
///
/// There are two kinds. Reno and CUBIC say by how much the window grows and where it falls to. One that *decides*
/// (BBR) has a model of the path, hears all about each acknowledgement and each loss, and sets the window and the rate.
pub(super) trait CongestionControl: Send {
    /// Its name, as TCP_CONGESTION has it.
    fn name(&self) -> CongestionName;

    /// Something arrived and measured a round trip, whether the window may grow or not.
    fn measured(&mut self, _window: &mut Window, _heard: &Heard) {}

    /// Something arrived while the window was what held the sender back: it may grow.
    fn grow(&mut self, window: &mut Window, heard: &Heard);

    /// A loss (or a mark, RFC 3168) was believed: where does the window fall to? Segments, 2 at least.
    fn reduced(&mut self, window: &Window) -> u32;

    /// The retransmission timer fired: nothing of what was learned holds any more.
    fn timed_out(&mut self) {}

    /// After an idle time it sends again: that time was no time of growth.
    fn resumed(&mut self, _idle: Duration) {}

    /// It sets window and rate by itself; the window neither grows nor falls without it, save after a time-out.
    fn decides(&self) -> bool {
        false
    }

    /// Congestion windows that the send buffer is to hold where it grows by itself.
    fn buffered_windows(&self) -> u32 {
        2
    }

    /// Asked of those that decide: an acknowledgement has come, and its losses were told.
    fn acknowledged(&mut self, _window: &mut Window, _report: &Report) {}

    /// Something was found lost.
    fn lost(&mut self, _window: &mut Window, _report: &LossReport) {}

    /// All that was believed lost has arrived, or was never lost.
    fn recovered(&mut self, _window: &mut Window) {}

    /// What was believed lost since the last reduction was not: the window is what it was again.
    fn undone(&mut self, _window: &mut Window) {}

    /// Asked of those that decide: something is about to be sent after there was nothing to say.
    fn begins_again(&mut self, _now: Instant, _window: &mut Window) {}

    /// It sends less than the path can take, on purpose.
    fn holds_back(&self) -> bool {
        false
    }

    /// The rate at which to send, from an algorithm that has one.
    fn pacing_rate(&self) -> Option<Bandwidth> {
        None
    }
}

/// The algorithm of that name.
pub(super) fn algorithm(name: CongestionName, start: &Start<'_>) -> Box<dyn CongestionControl> {
    match name {
        CongestionName::Reno => Box::new(reno::Reno),
        CongestionName::Cubic => Box::new(cubic::Cubic::default()),
        CongestionName::Bbr => Box::new(bbr::Bbr::new(start)),
    }
}

/// The congestion window and what goes with it; in segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tcp) struct Window {
    /// Segments that may be in flight.
    pub(in crate::tcp) cwnd: u32,
    /// Below it the window doubles each round trip. [`Window::NO_THRESHOLD`] before the first loss.
    pub(in crate::tcp) ssthresh: u32,
    /// Segments that have arrived towards the next step of congestion avoidance.
    credit: u32,
    /// The window held the sender back in the round trip that ends at `round_until`; the most that was out in it.
    limited: bool,
    out_max: u32,
    round_until: SeqNumber,
}

impl Window {
    /// Slow start has no end yet (Linux: TCP_INFINITE_SSTHRESH).
    pub(in crate::tcp) const NO_THRESHOLD: u32 = 0x7fff_ffff;

    /// RFC 6928: ten segments to begin with; one when the handshake's SYN or its answer was lost (RFC 5681 §3.1).
    pub(super) fn new(first: SeqNumber, handshake_repeated: bool) -> Window {
        Window {
            cwnd: if handshake_repeated { 1 } else { INITIAL_WINDOW_SEGMENTS },
            ssthresh: Window::NO_THRESHOLD,
            credit: 0,
            limited: false,
            out_max: 0,
            round_until: first,
        }
    }

    pub(super) fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// Slow start (RFC 5681 §3.1): a segment for each that has arrived; returns those that lie beyond its end. RFC 5681
    /// lets it grow by one an acknowledgement, which assumes that each is for two segments at most; one may be for
    /// a whole super-segment, so all are counted, as Linux does.
    pub(super) fn slow_start(&mut self, segments: u32) -> u32 {
        let grown = self.cwnd.saturating_add(segments).min(self.ssthresh);
        let rest = segments - (grown - self.cwnd);
        self.cwnd = grown;
        rest
    }

    /// Congestion avoidance: a segment more for each `every` that have arrived.
    pub(super) fn step(&mut self, every: u32, segments: u32) {
        let every = every.max(1);
        if self.credit >= every {
            // Saved up under a larger step: spent gently.
            self.credit = 0;
            self.cwnd += 1;
        }
        self.credit += segments;
        self.cwnd = self.cwnd.saturating_add(self.credit / every);
        self.credit %= every;
    }

    /// The window falls: what was saved up towards growth is gone.
    pub(super) fn forget_credit(&mut self) {
        self.credit = 0;
    }

    /// After a transmission: was it this window that ended it? Remembered for a round trip (RFC 7661 §4.2 has the
    /// reason: a window that was not used has proven nothing).
    pub(super) fn used(&mut self, una: SeqNumber, nxt: SeqNumber, out: u32, held_back: bool) {
        let round_over = una.at_or_after(self.round_until);
        if round_over || held_back || (!self.limited && out > self.out_max) {
            (self.limited, self.out_max, self.round_until) = (held_back, out, nxt);
        }
    }

    /// May it grow? In slow start to twice of what was out, so that a sender that pauses does not fall behind.
    pub(super) fn is_limiting(&self) -> bool {
        self.limited || (self.in_slow_start() && self.cwnd < 2 * self.out_max)
    }

    /// Nothing was sent for `idle`: half for each time-out in it, the initial window at least (RFC 7661's halving, as
    /// Linux restarts; RFC 5681 §4.1 would go back to the initial window at once).
    pub(super) fn restart(&mut self, idle: Duration, rto: Duration) {
        let floor = INITIAL_WINDOW_SEGMENTS.min(self.cwnd);
        self.ssthresh = self.remembered();
        let mut rest = idle;
        while rest > rto && self.cwnd > floor {
            rest -= rto;
            self.cwnd /= 2;
        }
        self.cwnd = self.cwnd.max(floor);
        self.credit = 0;
    }

    /// What slow start should come back to: three quarters of the window, the threshold at least (RFC 2861 §3.2).
    pub(super) fn remembered(&self) -> u32 {
        self.ssthresh.max(self.cwnd / 2 + self.cwnd / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        Window::new(SeqNumber::new(0), false)
    }

    #[test]
    fn slow_start_ends_exactly_at_its_threshold() {
        let mut window = Window { ssthresh: 14, ..window() };
        assert_eq!(window.slow_start(10), 6);
        assert_eq!((window.cwnd, window.in_slow_start()), (14, false));
    }

    #[test]
    fn congestion_avoidance_takes_a_step_for_each_that_many() {
        let mut window = window();
        window.step(10, 9);
        assert_eq!(window.cwnd, 10);
        window.step(10, 21);
        assert_eq!(window.cwnd, 13);
    }

    #[test]
    fn a_window_that_held_nobody_back_does_not_grow() {
        let at = SeqNumber::new;
        let mut window = Window { ssthresh: 5, ..window() };
        window.used(at(0), at(1000), 1, false);
        assert!(!window.is_limiting());
        window.used(at(0), at(10_000), 10, true);
        window.used(at(1000), at(10_000), 9, false);
        assert!(window.is_limiting(), "it did in this round trip");
        window.used(at(10_000), at(11_000), 1, false);
        assert!(!window.is_limiting());
    }

    #[test]
    fn an_idle_connection_keeps_less_with_each_time_out() {
        let mut window = Window { cwnd: 64, ..window() };
        window.restart(Duration::from_millis(500), Duration::from_millis(200));
        assert_eq!(window.cwnd, 16);
        window.restart(Duration::from_secs(60), Duration::from_millis(200));
        assert_eq!(window.cwnd, 10);
    }
}
