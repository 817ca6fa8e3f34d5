//! Proportional Rate Reduction: how the window falls (RFC 9937).
//!
//! Between the moment a loss is believed and the end of what was in flight then, what may be in flight sinks from what it
//! was to the threshold, by sending less than arrives. So there is neither a silent half round trip nor a burst at the end.

/// One reduction under way. In segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Prr {
    /// The window before (RecoverFS).
    before: u32,
    /// Arrived since (prr_delivered).
    delivered: u32,
    /// Sent since (prr_out).
    out: u32,
}

/// What an acknowledgement says to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Segments that have newly arrived.
    pub(super) delivered: u32,
    /// The left edge moved and nothing more was found lost: the path can be trusted with a little more (SafeACK).
    pub(super) is_safe: bool,
    /// Segments believed to be in the network now.
    pub(super) in_flight: u32,
}

impl Prr {
    pub(super) fn new(cwnd: u32) -> Prr {
        Prr { before: cwnd, delivered: 0, out: 0 }
    }

    /// So many segments were sent.
    pub(super) fn sent(&mut self, segments: u32) {
        self.out += segments;
    }

    /// The window from now on; `None` where nothing arrived.
    pub(super) fn window(&mut self, ssthresh: u32, progress: &Progress) -> Option<u32> {
        let Progress { delivered, is_safe, in_flight } = *progress;
        if delivered == 0 || self.before == 0 {
            return None;
        }
        self.delivered += delivered;
        let count = if in_flight > ssthresh {
            // RFC 9937 §6: in proportion to what arrives.
            let share = u64::from(ssthresh) * u64::from(self.delivered);
            let share = u32::try_from(share.div_ceil(u64::from(self.before))).unwrap_or(u32::MAX);
            share.saturating_sub(self.out)
        } else {
            // Slow start back to the threshold, no faster than things arrive (PRR-SSRB), or exactly so (PRR-CRB).
            let conserving = self.delivered.saturating_sub(self.out).max(delivered);
            (conserving + u32::from(is_safe)).min(ssthresh - in_flight)
        };
        // §6: the first of what is missing goes at once.
        let count = if self.out == 0 { count.max(1) } else { count };
        Some(in_flight + count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty segments were in flight, one is lost, nineteen arrive one by one; what is sent at each.
    fn sent(ssthresh: u32) -> Vec<u32> {
        let mut prr = Prr::new(20);
        let mut in_flight = 19;
        (0..19)
            .map(|_| {
                in_flight -= 1;
                let progress = Progress { delivered: 1, is_safe: false, in_flight };
                let window = prr.window(ssthresh, &progress).unwrap();
                let sent = window.saturating_sub(in_flight);
                prr.sent(sent);
                in_flight += sent;
                sent
            })
            .collect()
    }

    #[test]
    fn one_for_two_arrivals_halves_the_flight_in_a_round_trip() {
        let sent = sent(10);
        assert_eq!(sent[0], 1, "the repetition");
        assert_eq!(sent.iter().sum::<u32>(), 10);
        assert!(sent.iter().all(|count| *count <= 1));
    }

    #[test]
    fn after_many_losses_it_grows_back_no_faster_than_things_arrive() {
        let mut prr = Prr::new(20);
        let lossy = Progress { delivered: 1, is_safe: false, in_flight: 3 };
        assert_eq!(prr.window(10, &lossy), Some(4));
        prr.sent(1);
        assert_eq!(prr.window(10, &Progress { is_safe: true, ..lossy }), Some(5));
        assert_eq!(prr.window(10, &Progress { delivered: 0, ..lossy }), None);
    }
}
