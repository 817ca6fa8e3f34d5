//! Round trips, counted by what is delivered and not by the clock (draft-ietf-ccwg-bbr-06 §5.5.1): one is over when
//! something has arrived that was sent after it began.

/// Where round trips begin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    /// So many are over (BBR.round_count).
    pub(super) count: u64,
    /// The last acknowledgement began one (BBR.round_start).
    pub(super) started: bool,
    /// One ends with something that was sent when so much had been delivered (BBR.next_round_delivered).
    until: u64,
}

impl Rounds {
    /// Something has arrived that was sent when `delivered_before` had been delivered; `delivered` has by now.
    pub(super) fn acknowledged(&mut self, delivered_before: u64, delivered: u64) {
        self.started = delivered_before >= self.until;
        if self.started {
            self.count += 1;
            self.begin(delivered);
        }
    }

    /// One begins here, whatever is on its way (StartRound).
    pub(super) fn begin(&mut self, delivered: u64) {
        self.until = delivered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_ends_when_something_arrives_that_was_sent_after_it_began() {
        let mut rounds = Rounds::default();
        rounds.acknowledged(0, 5);
        assert!(rounds.started, "the first arrival begins the first");
        rounds.acknowledged(0, 10);
        rounds.acknowledged(4, 12);
        assert_eq!((rounds.started, rounds.count), (false, 1));
        rounds.acknowledged(5, 15);
        assert_eq!((rounds.started, rounds.count), (true, 2));
        rounds.begin(17);
        rounds.acknowledged(15, 20);
        assert!(!rounds.started, "it was begun anew");
    }
}
