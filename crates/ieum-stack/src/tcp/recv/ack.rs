//! When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2).

use ieum_wire::Instant;

use crate::tcp::bounds::{CHALLENGE_INTERVAL, DELAYED_ACK, QUICK_ACKS};

/// The acknowledgement a connection owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owed {
    No,
    /// In company of data, or alone at this time.
    By(Instant),
    Now,
}

/// What decides on acknowledgements.
pub(in crate::tcp) struct AckPolicy {
    owed: Owed,
    /// Frames received in order since the last acknowledgement.
    frames: usize,
    quick_left: u32,
    /// When an unacceptable segment was last answered.
    challenged: Option<Instant>,
}

impl AckPolicy {
    pub(in crate::tcp) fn new() -> AckPolicy {
        AckPolicy { owed: Owed::No, frames: 0, quick_left: QUICK_ACKS, challenged: None }
    }

    /// Data came in order. Every second full-sized segment is acknowledged at once (RFC 5681 §4.2), others wait for
    /// company; a super-segment counts the frames it stands for.
    pub(in crate::tcp) fn data_in_order(&mut self, now: Instant, frames: usize) {
        self.frames += frames;
        if self.frames >= 2 || self.quick_left > 0 {
            self.owed = Owed::Now;
        } else if self.owed == Owed::No {
            self.owed = Owed::By(now + DELAYED_ACK);
        }
    }

    /// Something the peer should know of at once: a hole, a filled hole, an end, an opened window.
    pub(in crate::tcp) fn now(&mut self) {
        self.owed = Owed::Now;
    }

    /// An unacceptable segment came: it is answered, but not too often (RFC 5961 §7). True when it is.
    pub(in crate::tcp) fn challenge(&mut self, now: Instant) -> bool {
        let recent = self.challenged.is_some_and(|last| now.since(last) < CHALLENGE_INTERVAL);
        if !recent {
            self.challenged = Some(now);
            self.owed = Owed::Now;
        }
        !recent
    }

    /// Is one to be sent even without data?
    pub(in crate::tcp) fn is_due(&self) -> bool {
        self.owed == Owed::Now
    }

    /// When a waiting one becomes due.
    pub(in crate::tcp) fn deadline(&self) -> Option<Instant> {
        match self.owed {
            Owed::By(at) => Some(at),
            Owed::No | Owed::Now => None,
        }
    }

    /// Time has passed: a waiting one may be due.
    pub(in crate::tcp) fn on_deadline(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.owed = Owed::Now;
        }
    }

    /// A segment with an acknowledgement was sent.
    pub(in crate::tcp) fn sent(&mut self) {
        if self.owed != Owed::No {
            self.quick_left = self.quick_left.saturating_sub(1);
        }
        self.owed = Owed::No;
        self.frames = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn after_the_quick_beginning_every_second_segment_is_acknowledged() {
        let mut policy = AckPolicy::new();
        for _ in 0..QUICK_ACKS {
            policy.data_in_order(Instant::ZERO, 1);
            assert!(policy.is_due());
            policy.sent();
        }
        policy.data_in_order(Instant::ZERO, 1);
        assert!(!policy.is_due());
        assert_eq!(policy.deadline(), Some(Instant::ZERO + DELAYED_ACK));
        policy.data_in_order(Instant::ZERO, 1);
        assert!(policy.is_due());
    }

    #[test]
    fn two_confused_ends_do_not_keep_each_other_busy() {
        let mut policy = AckPolicy::new();
        assert!(policy.challenge(Instant::ZERO));
        policy.sent();
        assert!(!policy.challenge(Instant::ZERO + Duration::from_millis(10)));
        assert!(!policy.is_due());
        assert!(policy.challenge(Instant::ZERO + CHALLENGE_INTERVAL));
    }
}
