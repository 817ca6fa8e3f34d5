//! A SYN or SYN-ACK on its way: when it was sent, and when it is sent again (RFC 6298 §5).

use std::time::Duration;

use ieum_wire::Instant;

use super::bounds::RTO_INITIAL;
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

/// How long an answer is waited for.
pub(super) struct Patience {
    /// Repetitions with backoff.
    pub(super) retries: u32,
    /// Repetitions before those, without it (Linux: tcp_syn_linear_timeouts).
    pub(super) linear: u32,
    /// The largest time-out.
    pub(super) rto_max: Duration,
}

impl Patience {
    /// Once so much has passed there is none again: as long as those with backoff would take alone (Linux:
    /// tcp_model_timeout).
    fn longest(&self) -> Duration {
        let mut rto = RTO_INITIAL;
        let mut sum = Duration::ZERO;
        for _ in 0..=self.retries {
            rto = rto.min(self.rto_max);
            sum += rto;
            rto *= 2;
        }
        sum
    }
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
    pub(super) fn timed_out(&mut self, now: Instant, patience: &Patience) -> bool {
        self.timer = None;
        let waited = self.sent_at.map_or(Duration::ZERO, |sent| now.since(sent));
        let sends_max = patience.retries.saturating_add(patience.linear);
        if self.retries >= sends_max || waited >= patience.longest() {
            return false;
        }
        self.retries += 1;
        if self.retries > patience.linear {
            self.rto.expired();
        }
        self.owed = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RTO_MAX: Duration = Duration::from_secs(120);

    fn patience(retries: u32, linear: u32) -> Patience {
        Patience { retries, linear, rto_max: RTO_MAX }
    }

    #[test]
    fn it_is_sent_again_after_twice_the_time_until_it_is_given_up() {
        let mut syn = SynTimer::new();
        let now = Instant::ZERO;
        syn.sent(now, RTO_MAX);
        assert_eq!(syn.timer, Some(now + SECOND));
        assert!(syn.timed_out(now + SECOND, &patience(1, 0)) && syn.owed);
        syn.sent(now + SECOND, RTO_MAX);
        assert_eq!((syn.timer, syn.sent_at), (Some(now + 3 * SECOND), Some(now)));
        assert!(!syn.timed_out(now + 3 * SECOND, &patience(1, 0)));
    }

    #[test]
    fn repetitions_without_backoff_come_first() {
        let mut syn = SynTimer::new();
        let (mut now, mut waits) = (Instant::ZERO, Vec::new());
        loop {
            syn.sent(now, RTO_MAX);
            let due = syn.timer.expect("it was sent");
            waits.push(due.since(now).as_secs());
            now = due;
            if !syn.timed_out(now, &patience(3, 4)) {
                break;
            }
        }
        assert_eq!(waits, [1, 1, 1, 1, 1, 2, 4, 8], "{now:?}");
    }

    #[test]
    fn an_answer_is_waited_for_as_long_as_all_repetitions_with_backoff_take() {
        assert_eq!(patience(2, 9).longest(), 7 * SECOND);
        assert_eq!(patience(6, 0).longest(), 127 * SECOND);
        assert_eq!(patience(8, 0).longest(), (127 + 2 * 120) * SECOND);
    }
}
