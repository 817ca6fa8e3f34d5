//! BBR on a path made of a queue, a rate and a delay, in virtual time (draft-ietf-ccwg-bbr-06, §10 "Example Test
//! Cases").

use std::collections::VecDeque;
use std::time::Duration;

use ieum_wire::SeqNumber;

use super::*;
use crate::tcp::send::congestion::Heard;
use crate::tcp::send::rate::{Delivery, Newest, Snapshot};

/// A segment each 120 µs and 50 ms there and back: 100 Mbit/s, a bandwidth-delay product of 417 segments.
const GAP: Duration = Duration::from_micros(120);
const RTT: Duration = Duration::from_millis(50);
const PRODUCT: u32 = 417;

struct Packet {
    number: u32,
    sent_at: Instant,
    snapshot: Snapshot,
    back_at: Instant,
    lost: bool,
}

/// A sender that always has something to say, and its path.
struct Path {
    bbr: Bbr,
    window: Window,
    delivery: Delivery,
    now: Instant,
    may_send_at: Instant,
    number: u32,
    pipe: VecDeque<Packet>,
    in_flight: u32,
    gap: Duration,
    link_free_at: Instant,
    queue_max: Duration,
    /// One of so many is lost, always the same ones.
    loses_one_of: Option<u32>,
    /// The sender has so many segments in flight at most: it has no more to say.
    says_at_most: u32,
    /// A repair ends with this segment.
    repairs_until: Option<u32>,
    marks: bool,
}

impl Path {
    fn new() -> Path {
        let (now, rtt, seed) = (Instant::from_micros(1_000_000), Some(RTT), SeqNumber::new(1));
        let window = Window::new(seed, false);
        Path {
            bbr: Bbr::new(&Start { now, rtt, seed, window: &window }),
            window,
            delivery: Delivery::default(),
            now,
            may_send_at: now,
            number: 0,
            pipe: VecDeque::new(),
            in_flight: 0,
            gap: GAP,
            link_free_at: now,
            queue_max: RTT * 2,
            loses_one_of: None,
            says_at_most: u32::MAX,
            repairs_until: None,
            marks: false,
        }
    }

    fn send(&mut self) {
        let mut snapshot = self.delivery.snapshot(self.now, self.in_flight);
        self.in_flight += 1;
        snapshot.in_flight = self.in_flight;
        self.number += 1;
        let begins = self.link_free_at.max(self.now);
        let overflows = begins.since(self.now) > self.queue_max;
        let lost = overflows || self.loses_one_of.is_some_and(|n| (self.number * 7919).is_multiple_of(n));
        if !overflows {
            self.link_free_at = begins + self.gap;
        }
        let back_at = self.link_free_at.max(begins) + RTT;
        self.pipe.push_back(Packet { number: self.number, sent_at: self.now, snapshot, back_at, lost });
        let rate = self.bbr.pacing_rate().unwrap().bytes_per_second(1000).max(1);
        self.may_send_at = self.now + Duration::from_nanos(1_000_000_000_000 / rate);
    }

    /// The first in the pipe comes back, or is found lost by what comes behind it.
    fn hear(&mut self) {
        let packet = self.pipe.pop_front().unwrap();
        self.in_flight -= 1;
        self.now = self.now.max(packet.back_at);
        let at = |number| SeqNumber::new(number);
        if packet.lost {
            if self.repairs_until.is_none() {
                self.bbr.reduced(&self.window);
                self.repairs_until = Some(self.number);
            }
            self.delivery.lost(at(packet.number - 1), at(packet.number), 1, packet.snapshot);
            for loss in self.delivery.take_losses() {
                let (now, delivered) = (self.now, self.delivery.delivered());
                self.bbr.lost(&mut self.window, &LossReport { now, loss, delivered, sack: true });
            }
            return;
        }
        if self.repairs_until.is_some_and(|until| packet.number >= until) {
            self.repairs_until = None;
            self.bbr.recovered(&mut self.window);
        }
        if self.says_at_most < self.window.cwnd {
            self.delivery.limit(self.in_flight);
        }
        let newest = Newest { sent_at: packet.sent_at, end: at(packet.number), snapshot: packet.snapshot };
        self.delivery.arrived(newest);
        self.delivery.credit(self.now, 1);
        let rtt = Some(self.now.since(packet.sent_at));
        let [una, nxt] = [at(packet.number), at(self.number)];
        let report = Report {
            heard: Heard { now: self.now, segments: 1, rtt, min_rtt: Some(RTT), una, nxt },
            sample: self.delivery.take_sample(self.now, Some(RTT)),
            smoothed: rtt,
            delivered: self.delivery.delivered(),
            in_flight: self.in_flight,
            quantum: 8,
            sack: true,
            recovering: self.repairs_until.is_some(),
            marked: self.marks,
        };
        self.bbr.acknowledged(&mut self.window, &report);
        if self.bbr.holds_back() {
            self.delivery.limit(self.in_flight);
        }
    }

    /// The path becomes slower, for what is on its way as well.
    fn slow_down(&mut self, times: u32) {
        self.gap *= times;
        let mut back_at = self.now;
        for packet in &mut self.pipe {
            back_at += self.gap;
            packet.back_at = back_at;
        }
        self.link_free_at = Instant::from_micros(back_at.micros() - 50_000);
    }

    fn step(&mut self) {
        let most = self.window.cwnd.min(self.says_at_most);
        let has_room = self.in_flight < most;
        let held_back = self.in_flight >= self.window.cwnd;
        let [una, nxt] = [self.number - self.in_flight, self.number].map(SeqNumber::new);
        self.window.used(una, nxt, self.in_flight, held_back);
        let back_at = self.pipe.front().map(|packet| packet.back_at);
        if has_room && back_at.is_none_or(|at| self.may_send_at <= at) {
            self.now = self.now.max(self.may_send_at);
            self.send();
        } else {
            self.hear();
        }
    }

    /// Until it comes into a phase, for 12 s at most.
    fn until(&mut self, phase: Phase) {
        let end = self.now + Duration::from_secs(12);
        while self.bbr.phase != phase {
            assert!(self.now < end, "{phase:?} did not come");
            self.step();
        }
    }

    /// Until it leaves a phase, for 12 s at most.
    fn leave(&mut self, phase: Phase) {
        let end = self.now + Duration::from_secs(12);
        while self.bbr.phase == phase {
            assert!(self.now < end, "{phase:?} did not end");
            self.step();
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// The phases that it comes through in that time.
    fn phases(&mut self, time: Duration) -> Vec<Phase> {
        let (end, mut phases) = (self.now + time, vec![self.bbr.phase]);
        while self.now < end {
            self.step();
            if phases.last() != Some(&self.bbr.phase) {
                phases.push(self.bbr.phase);
            }
        }
        phases
    }

    /// The largest rate, of the path's, in percent.
    fn rate_percent(&self) -> u128 {
        let rate = u128::from(self.bbr.max_bandwidth.largest().bytes_per_second(1000));
        rate * 100 * self.gap.as_nanos() / 1_000_000_000_000
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn startup_doubles_the_rate_each_round_trip_and_ends_on_a_plateau() {
    let mut path = Path::new();
    let first = path.bbr.pacing_rate;
    assert_eq!(first, Bandwidth::of(10, RTT).percent(277));
    path.run(RTT * 7 / 2);
    assert!(path.bbr.pacing_rate > first.percent(180) && path.bbr.phase == Phase::Startup);
    path.until(Phase::Drain);
    assert!(path.bbr.was_full && path.bbr.plateau.is_full);
    assert!((98..=102).contains(&path.rate_percent()), "{} %", path.rate_percent());
    assert!(path.now.since(Instant::from_micros(1_000_000)) < RTT * 16);
}

#[test]
fn drain_empties_the_queue_and_probing_begins() {
    let mut path = Path::new();
    path.until(Phase::Drain);
    assert!(path.in_flight > PRODUCT * 3 / 2, "Startup made a queue");
    path.leave(Phase::Drain);
    assert!(path.in_flight <= PRODUCT + 1, "{}", path.in_flight);
    assert!(path.bbr.phase.is_probe_bw());
}

#[test]
fn drain_ends_after_three_round_trips_even_when_the_queue_stays() {
    let mut path = Path::new();
    path.until(Phase::Drain);
    path.queue_max = seconds(1);
    path.slow_down(5);
    let round = path.bbr.rounds.count;
    path.leave(Phase::Drain);
    assert_eq!(path.bbr.rounds.count, round + 4);
    assert!(path.in_flight > PRODUCT);
}

#[test]
fn a_cycle_goes_down_cruises_refills_and_probes() {
    let mut path = Path::new();
    path.until(Phase::Cruise);
    let phases = path.phases(seconds(4));
    assert_eq!(phases[..5], [Phase::Cruise, Phase::Refill, Phase::Up, Phase::Down, Phase::Cruise]);
    assert_eq!(path.bbr.inflight_long, None, "nothing was lost");
}

#[test]
fn between_two_probes_pass_two_to_three_seconds() {
    let mut path = Path::new();
    for _ in 0..6 {
        path.until(Phase::Refill);
        let waited = path.now.since(path.bbr.cycle.begun());
        assert!(waited > seconds(2) && waited < Duration::from_millis(3100), "{waited:?}");
        path.until(Phase::Down);
    }
}

#[test]
fn half_the_product_is_in_flight_for_200_ms_every_five_seconds() {
    let mut path = Path::new();
    path.until(Phase::ProbeRtt);
    let begun = path.now;
    let mut least = path.in_flight;
    while path.bbr.phase == Phase::ProbeRtt {
        path.step();
        least = least.min(path.in_flight);
    }
    assert!((PRODUCT / 2 - 9..=PRODUCT / 2 + 1).contains(&least), "{least}");
    let lasted = path.now.since(begun);
    assert!(lasted >= Duration::from_millis(200) && lasted < Duration::from_millis(350), "{lasted:?}");
    assert_eq!(path.bbr.phase, Phase::Cruise, "nothing is queued after it");
    path.until(Phase::Refill);
    path.until(Phase::ProbeRtt);
    let between = path.now.since(begun);
    assert!(between > seconds(5) && between < Duration::from_millis(5500), "{between:?}");
}

#[test]
fn probe_rtt_before_the_pipe_was_full_leads_back_to_startup() {
    let mut path = Path::new();
    path.says_at_most = 20;
    path.run(seconds(1));
    // A longer round trip from now on: the short one grows stale while the sender is limited.
    path.link_free_at = path.now + Duration::from_millis(10);
    path.gap = Duration::from_millis(4);
    path.until(Phase::ProbeRtt);
    assert!(!path.bbr.was_full);
    path.until(Phase::Startup);
}

#[test]
fn a_sender_with_little_to_say_does_not_leave_startup() {
    let mut path = Path::new();
    path.says_at_most = 20;
    assert_eq!(path.phases(seconds(4)), [Phase::Startup]);
    path.says_at_most = u32::MAX;
    path.until(Phase::Drain);
    assert!(path.rate_percent() >= 98, "it goes on where it was");
}

#[test]
fn silence_stands_for_probe_rtt() {
    let mut path = Path::new();
    path.until(Phase::Cruise);
    while path.in_flight > 0 {
        path.hear();
    }
    path.delivery.limit(0);
    path.now += seconds(20);
    path.may_send_at = path.now;
    path.bbr.begins_again(path.now, &mut path.window);
    assert!(path.bbr.begun_again);
    assert_eq!(path.bbr.pacing_rate, path.bbr.bandwidth.percent(99), "at exactly the path's rate");
    path.run(RTT * 2);
    assert!(path.bbr.phase.is_probe_bw());
}

#[test]
fn losses_by_chance_up_to_three_in_a_hundred_do_not_slow_it_down() {
    for one_of in [100, 33] {
        let mut path = Path::new();
        path.loses_one_of = Some(one_of);
        path.until(Phase::Cruise);
        let (begun, delivered) = (path.now, path.delivery.delivered());
        path.run(seconds(20));
        let rate = u128::from(path.delivery.delivered() - delivered) * 120;
        let possible = path.now.since(begun).as_micros();
        assert!(rate * 100 > possible * 90, "{} % when one of {one_of} is lost", rate * 100 / possible);
    }
}

#[test]
fn startup_ends_when_much_is_lost_in_many_places() {
    let mut path = Path::new();
    path.loses_one_of = Some(10);
    path.until(Phase::Drain);
    assert!(path.bbr.was_full && path.bbr.inflight_long.is_some());
    assert!(path.rate_percent() < 90, "the rate was still growing");
    let before = path.bbr.before.expect("a loss is being repaired");
    assert_eq!(before.left(), Some(Phase::Startup));
    path.bbr.undone(&mut path.window);
    assert_eq!((path.bbr.phase, path.bbr.was_full), (Phase::Startup, false), "nothing was lost after all");
    assert_eq!(path.bbr.inflight_long, None);
}

#[test]
fn a_probe_ends_when_a_queue_overflows_by_more_than_two_percent() {
    let mut path = Path::new();
    path.until(Phase::Up);
    path.run(RTT / 2);
    path.queue_max = Duration::from_millis(10);
    path.until(Phase::Down);
    let bound = path.bbr.inflight_long.expect("what was in flight is the bound now");
    assert!((PRODUCT..PRODUCT * 3 / 2).contains(&bound), "{bound}");
    assert!(path.bbr.cycle.was_too_high);
    path.until(Phase::Cruise);
    path.run(RTT * 4);
    assert!(path.window.cwnd <= bound * 85 / 100 + 1, "room is left for others");
    // The next probe stops where the last one failed, then goes on beyond.
    path.queue_max = RTT;
    path.until(Phase::Up);
    path.until(Phase::Down);
    let phases = path.phases(RTT * 8);
    assert_eq!(phases[..3], [Phase::Down, Phase::Refill, Phase::Up], "{phases:?}");
    path.until(Phase::Down);
    assert!(path.bbr.inflight_long.is_some_and(|now| now > bound), "the bound has grown");
}

#[test]
fn a_probe_ends_when_a_buffer_too_small_to_be_seen_overflows() {
    let mut path = Path::new();
    path.until(Phase::Up);
    path.queue_max = Duration::from_millis(1);
    path.until(Phase::Down);
    let bound = path.bbr.inflight_long.expect("what was in flight is the bound now");
    assert!((PRODUCT * 9 / 10..PRODUCT * 5 / 4).contains(&bound), "{bound}");
    assert!(path.bbr.cycle.was_too_high);
}

#[test]
fn an_undone_loss_leads_back_to_the_probe_that_it_ended() {
    let mut path = Path::new();
    path.until(Phase::Up);
    path.run(RTT / 2);
    path.queue_max = Duration::from_millis(5);
    path.until(Phase::Down);
    assert!(path.bbr.inflight_long.is_some());
    path.bbr.undone(&mut path.window);
    assert_eq!((path.bbr.phase, path.bbr.inflight_long), (Phase::Refill, None));
}

#[test]
fn a_path_that_becomes_slower_is_believed_after_two_cycles() {
    let mut path = Path::new();
    path.until(Phase::Cruise);
    path.gap = GAP * 4;
    path.run(seconds(14));
    assert!((95..=105).contains(&path.rate_percent()), "{} %", path.rate_percent());
}

#[test]
fn a_path_that_becomes_slower_and_loses_is_believed_at_once() {
    let mut path = Path::new();
    path.until(Phase::Cruise);
    (path.gap, path.queue_max) = (GAP * 4, Duration::from_millis(20));
    path.run(RTT * 12);
    assert!(path.bbr.bandwidth_short.is_some() && path.bbr.inflight_short.is_some());
    assert!(path.bbr.bandwidth < path.bbr.max_bandwidth.largest().percent(60));
    path.until(Phase::Refill);
    assert_eq!((path.bbr.bandwidth_short, path.bbr.inflight_short), (None, None), "and tried anew");
}

#[test]
fn a_path_that_becomes_ten_times_faster_is_filled() {
    let mut path = Path::new();
    path.gap = GAP * 10;
    path.until(Phase::Cruise);
    path.run(seconds(1));
    path.gap = GAP;
    path.run(seconds(15));
    assert!(path.rate_percent() >= 95, "{} %", path.rate_percent());
}

#[test]
fn a_path_that_holds_less_than_a_segment_gets_four() {
    let mut path = Path::new();
    path.gap = Duration::from_millis(80);
    path.queue_max = seconds(30);
    path.run(seconds(40));
    assert!(path.window.cwnd >= 4, "{}", path.window.cwnd);
    assert!((95..=105).contains(&path.rate_percent()), "{} %", path.rate_percent());
}

#[test]
fn a_mark_is_taken_for_congestion() {
    let mut path = Path::new();
    path.until(Phase::Cruise);
    path.marks = true;
    path.run(RTT * 8);
    assert!(path.bbr.inflight_short.is_some_and(|bound| bound < 2 * PRODUCT));
    path.marks = false;
    path.until(Phase::Up);
    path.run(RTT * 3 / 2);
    path.marks = true;
    path.until(Phase::Down);
    assert!(path.bbr.inflight_long.is_some());
}
