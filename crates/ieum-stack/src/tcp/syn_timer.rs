//! A SYN or SYN-ACK on its way: when it was sent, and when it is sent again (RFC 6298 §5).

use std::time::Duration;

use ieum_wire::Instant;

use super::send::rto::Rto;

/// What is known of a SYN, or of a SYN-ACK, that waits for its answer.
pub(super) struct SynTimer {
    /// It is to be sent, the first time or again.
    pub(super) owed: bool,
    /// How often it was sent again.
    pub(super) retries: u32,
    /// When it was first sent.
    pub(super) sent_at: Option<Instant>,
    /// When it is overdue.
    pub(super) timer: Option<Instant>,
    rto: Rto,
}

impl SynTimer {
    /// Of one that is still to be sent.
    pub(super) fn new() -> SynTimer {
        SynTimer { owed: true, retries: 0, sent_at: None, timer: None, rto: Rto::new() }
    }

    /// It goes out.
    pub(super) fn sent(&mut self, now: Instant, rto_max: Duration) {
        self.owed = false;
        self.sent_at.get_or_insert(now);
        self.timer = Some(now + self.rto.current().min(rto_max));
    }

    /// No answer in time. False when it is to be given up.
    #[must_use]
    pub(super) fn timed_out(&mut self, retries_max: u32) -> bool {
        self.timer = None;
        if self.retries >= retries_max {
            return false;
        }
        self.retries += 1;
        self.rto.expired();
        self.owed = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_again_after_twice_the_time_until_it_is_given_up() {
        let mut syn = SynTimer::new();
        let now = Instant::ZERO;
        syn.sent(now, Duration::from_secs(120));
        assert_eq!(syn.timer, Some(now + Duration::from_secs(1)));
        assert!(syn.timed_out(1) && syn.owed);
        syn.sent(now, Duration::from_secs(120));
        assert_eq!((syn.timer, syn.sent_at), (Some(now + Duration::from_secs(2)), Some(now)));
        assert!(!syn.timed_out(1));
    }
}
