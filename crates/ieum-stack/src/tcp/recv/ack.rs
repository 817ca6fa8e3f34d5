//! When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2), as Linux does it.
//!
//! Data in order is acknowledged at once when more than a full segment of it waits and the window could move along; and in
//! *quick* mode, which lasts for a number of acknowledgements: at the beginning, after long silence, and whenever
//! something came that had come before, since then the peer's congestion window is small and each one lets it grow. All
//! other data waits for company: for the answer of the application, or for the *delay* to pass.
//!
//! The delay follows the peer: it halves towards 40 ms while data comes quickly, and grows with the distance between
//! segments. A connection on which we answer soon after data came is *interactive*: its acknowledgements ride on answers,
//! so that they may wait for 200 ms and quick mode is suspended. When the answer did not come in time after all, it is
//! interactive no longer.

use std::time::Duration;

use ieum_wire::Instant;

use crate::tcp::bounds::{
    ACK_DELAY_INTERACTIVE_MAX, ACK_DELAY_MAX, CHALLENGE_INTERVAL, DELAYED_ACK, QUICK_ACKS, QUICK_ACKS_MIN,
};

/// The acknowledgement a connection owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owed {
    No,
    /// In company of data, or alone at this time.
    By(Instant),
    Now,
}

/// What the sending half knows of the path: bounds of the delay.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Clock {
    pub(in crate::tcp) rtt: Option<Duration>,
    pub(in crate::tcp) rto: Duration,
}

/// Has a segment come that ended what an application wrote (PSH)?
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Pushed {
    No,
    Once,
    /// Small segments, twice running.
    Twice,
}

/// What decides on acknowledgements.
pub(in crate::tcp) struct AckPolicy {
    owed: Owed,
    /// How long one waits for company; `None` before any data has come.
    delay: Option<Duration>,
    data_at: Instant,
    quick_left: u32,
    interactive: bool,
    pushed: Pushed,
    /// When an unacceptable segment was last answered.
    challenged: Option<Instant>,
    challenge_interval: Duration,
}

impl AckPolicy {
    pub(in crate::tcp) fn new(now: Instant) -> AckPolicy {
        AckPolicy {
            owed: Owed::No,
            delay: None,
            data_at: now,
            quick_left: 0,
            interactive: false,
            pushed: Pushed::No,
            challenged: None,
            challenge_interval: CHALLENGE_INTERVAL,
        }
    }

    /// The least time between two answers to unacceptable segments.
    pub(in crate::tcp) fn set_challenge_interval(&mut self, interval: Duration) {
        self.challenge_interval = interval;
    }

    // What can be asked.

    /// Is one to be sent even without data?
    pub(in crate::tcp) fn is_due(&self) -> bool {
        self.owed == Owed::Now
    }

    /// Is one owed at all?
    pub(in crate::tcp) fn is_owed(&self) -> bool {
        self.owed != Owed::No
    }

    /// Does each segment deserve its own?
    pub(in crate::tcp) fn is_quick(&self) -> bool {
        self.quick_left > 0 && !self.interactive
    }

    /// When a waiting one becomes due.
    pub(in crate::tcp) fn deadline(&self) -> Option<Instant> {
        match self.owed {
            Owed::By(at) => Some(at),
            Owed::No | Owed::Now => None,
        }
    }

    /// Is the peer done for now, so that who has read everything answers at once?
    pub(in crate::tcp) fn peer_has_paused(&self) -> bool {
        self.is_owed() && (self.pushed == Pushed::Twice || (self.pushed == Pushed::Once && !self.interactive))
    }

    /// Has data come?
    pub(in crate::tcp) fn knows_pace(&self) -> bool {
        self.delay.is_some()
    }

    /// How long an acknowledgement waits now.
    pub(in crate::tcp) fn delay(&self) -> Duration {
        self.delay.unwrap_or(DELAYED_ACK)
    }

    // What happens.

    /// Data came in order: what it says of the peer's pace. `quick`: so many acknowledgements are sent at once should
    /// it have begun anew.
    pub(in crate::tcp) fn data_came(&mut self, now: Instant, clock: Clock, quick: u32) {
        let gap = now.since(self.data_at);
        match self.delay {
            None => {
                self.quicken(quick);
                self.delay = Some(DELAYED_ACK);
            }
            Some(delay) if gap <= DELAYED_ACK / 2 => self.delay = Some(delay / 2 + DELAYED_ACK / 2),
            Some(delay) if gap < delay => self.delay = Some((delay / 2 + gap).min(clock.rto)),
            // Too long a gap: the peer seems to begin with a small window again.
            Some(_) if gap > clock.rto => self.quicken(quick),
            Some(_) => {}
        }
        self.data_at = now;
    }

    /// The window has opened: a further one may go at once.
    pub(in crate::tcp) fn window_opened(&mut self) {
        self.quick_left |= 1;
    }

    /// The application does not keep up: nothing is gained by acknowledging each segment.
    pub(in crate::tcp) fn not_quick(&mut self) {
        self.quick_left = 0;
    }

    /// A full segment, or a `small` one, came; with PSH the peer's application has paused there.
    pub(in crate::tcp) fn segment_came(&mut self, push: bool, small: bool) {
        self.pushed = match (self.pushed, push, small) {
            (Pushed::No, _, true) | (Pushed::No, true, false) => Pushed::Once,
            (Pushed::Once, _, true) => Pushed::Twice,
            (pushed, _, _) => pushed,
        };
    }

    /// It waits for company.
    pub(in crate::tcp) fn wait(&mut self, now: Instant, clock: Clock) {
        let mut delay = self.delay();
        if delay > DELAYED_ACK {
            let pushed = self.interactive || self.pushed > Pushed::No;
            let most = if pushed { ACK_DELAY_INTERACTIVE_MAX } else { ACK_DELAY_MAX };
            let most = clock.rtt.map_or(most, |rtt| most.min(rtt.max(DELAYED_ACK)));
            delay = delay.min(most);
        }
        // RFC 9293 §3.8.6.3 (MUST-40): less than 0.5 s.
        let delay = delay.min(ACK_DELAY_INTERACTIVE_MAX);
        self.owed = match self.owed {
            Owed::Now => Owed::Now,
            // About to be sent anyway.
            Owed::By(at) if at <= now + delay / 4 => Owed::Now,
            Owed::By(at) => Owed::By(at.min(now + delay)),
            Owed::No => Owed::By(now + delay),
        };
    }

    /// What came with a SYN says nothing of how data will come.
    pub(in crate::tcp) fn forget_pace(&mut self) {
        self.delay = None;
    }

    /// Nothing more will come: what is said from now on is an answer.
    pub(in crate::tcp) fn peer_finishes(&mut self) {
        self.interactive = true;
    }

    /// Something the peer should know of at once: a hole, a filled hole, an end, an opened window.
    pub(in crate::tcp) fn now(&mut self) {
        self.owed = Owed::Now;
    }

    /// Something came that had come before: acknowledgements may have been lost, and the peer goes slowly.
    pub(in crate::tcp) fn now_and_quickly(&mut self, quick: u32) {
        self.quicken(quick);
        (self.interactive, self.delay) = (false, Some(DELAYED_ACK));
        self.owed = Owed::Now;
    }

    fn quicken(&mut self, quick: u32) {
        self.quick_left = self.quick_left.max(quick.clamp(QUICK_ACKS_MIN, QUICK_ACKS));
    }

    /// The user wants acknowledgements at once, or not (TCP_QUICKACK). What is owed is sent at once only when
    /// nothing waits to be read, as on Linux (`tcp_cleanup_rbuf`).
    pub(in crate::tcp) fn set_quick(&mut self, quick: bool, all_is_read: bool) {
        self.interactive = !quick;
        if quick && all_is_read && self.is_owed() {
            self.owed = Owed::Now;
        }
    }

    /// The acknowledgement that ends a handshake waits for data that is about to follow.
    pub(in crate::tcp) fn waits_for_data(&mut self, now: Instant) {
        self.quicken(QUICK_ACKS);
        self.delay = Some(DELAYED_ACK);
        self.owed = Owed::By(now + ACK_DELAY_INTERACTIVE_MAX);
    }

    /// An unacceptable segment came: it is answered, but not too often (RFC 5961 §7). True when it is.
    pub(in crate::tcp) fn challenge(&mut self, now: Instant) -> bool {
        let recent = self.challenged.is_some_and(|last| now.since(last) < self.challenge_interval);
        if !recent {
            self.challenged = Some(now);
            self.owed = Owed::Now;
        }
        !recent
    }

    /// Time has passed: a waiting one may be due. That it waited in vain says how to wait from now on.
    pub(in crate::tcp) fn on_deadline(&mut self, now: Instant, clock: Clock) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.owed = Owed::Now;
            self.delay = Some(if self.interactive { DELAYED_ACK } else { (self.delay() * 2).min(clock.rto) });
            self.interactive = false;
        }
    }

    /// A segment with an acknowledgement was sent, and `data` with it.
    pub(in crate::tcp) fn sent(&mut self, now: Instant, data: bool) {
        if data && self.delay.is_some_and(|delay| now.since(self.data_at) < delay) {
            self.interactive = true;
        }
        if self.owed != Owed::No && self.quick_left > 0 {
            self.quick_left -= 1;
            if self.quick_left == 0 {
                self.delay = Some(DELAYED_ACK);
            }
        }
        (self.owed, self.pushed) = (Owed::No, Pushed::No);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { rtt: Some(Duration::from_millis(100)), rto: Duration::from_millis(300) };

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn came(policy: &mut AckPolicy, ms: u64) {
        policy.data_came(at(ms), CLOCK, QUICK_ACKS);
        if policy.is_quick() {
            policy.now();
        } else {
            policy.wait(at(ms), CLOCK);
        }
    }

    fn after_the_quick_ones() -> AckPolicy {
        let mut policy = AckPolicy::new(at(0));
        for _ in 0..QUICK_ACKS {
            came(&mut policy, 0);
            assert!(policy.is_due());
            policy.sent(at(0), false);
        }
        policy
    }

    #[test]
    fn after_the_quick_beginning_acknowledgements_wait() {
        let mut policy = after_the_quick_ones();
        came(&mut policy, 0);
        assert!(!policy.is_due());
        assert_eq!(policy.deadline(), Some(at(0) + DELAYED_ACK));
    }

    #[test]
    fn who_waited_in_vain_waits_longer_up_to_the_round_trip() {
        let mut policy = after_the_quick_ones();
        let mut ms = 100;
        for expected in [40, 80, 100, 100] {
            came(&mut policy, ms);
            assert_eq!(policy.deadline(), Some(at(ms + expected)));
            policy.on_deadline(at(ms + expected), CLOCK);
            assert!(policy.is_due());
            policy.sent(at(ms + expected), false);
            // Later than the delay, sooner than the time-out: the pace is left as it is.
            ms += 299;
        }
    }

    #[test]
    fn an_answer_soon_after_data_makes_acknowledgements_wait_for_answers() {
        let mut policy = AckPolicy::new(at(0));
        came(&mut policy, 0);
        policy.sent(at(1), true);
        assert!(policy.interactive && !policy.is_quick());
        came(&mut policy, 10);
        assert!(!policy.is_due());
        policy.on_deadline(at(50), CLOCK);
        assert!(policy.is_due() && !policy.interactive);
    }

    #[test]
    fn after_a_long_silence_it_is_quick_again() {
        let mut policy = after_the_quick_ones();
        came(&mut policy, 301);
        assert!(policy.is_due());
    }

    #[test]
    fn two_confused_ends_do_not_keep_each_other_busy() {
        let mut policy = AckPolicy::new(at(0));
        assert!(policy.challenge(at(0)));
        policy.sent(at(0), false);
        assert!(!policy.challenge(at(10)));
        assert!(!policy.is_due());
        assert!(policy.challenge(at(0) + CHALLENGE_INTERVAL));
    }
}
