//! How much may be said now: the peer's window, the congestion window, Nagle's algorithm, and the sender's side of
//! the silly window syndrome (RFC 9293 §3.8.6.2.1, §3.7.4).

/// The facts the decision rests on. All in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Queued and never sent.
    pub(super) unsent: usize,
    /// What is left of the peer's window.
    pub(super) window: usize,
    /// The largest window the peer ever offered.
    pub(super) window_max: usize,
    /// What is left of the congestion window.
    pub(super) cwnd: usize,
    pub(super) mss: usize,
    /// The most that one packet may carry now: at most the link's largest super-segment, at least the MSS.
    pub(super) piece_max: usize,
    /// A small segment sent earlier is not acknowledged yet.
    pub(super) small_in_flight: bool,
    /// TCP_NODELAY.
    pub(super) no_delay: bool,
    /// TCP_CORK.
    pub(super) cork: bool,
    /// Nothing will follow: the end is queued behind the data.
    pub(super) finished: bool,
}

/// What may be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Permission {
    /// So many bytes in one packet; at least 1.
    Send(usize),
    /// The congestion window is full.
    CongestionLimited,
    /// The peer's window has no room (or too little to be worth a segment).
    WindowLimited,
    /// More data, or an acknowledgement, is waited for first (Nagle).
    Held,
    /// There is nothing.
    Nothing,
}

pub(super) fn permission(facts: &Facts) -> Permission {
    let Facts { unsent, window, cwnd, mss, .. } = *facts;
    if unsent == 0 {
        return Permission::Nothing;
    }
    let usable = window.min(cwnd);
    let sendable = unsent.min(usable).min(facts.piece_max);
    if sendable >= mss {
        // Whole segments only, save at the end of the data: a rest would be a small segment in the middle.
        let whole = sendable - sendable % mss;
        return Permission::Send(if sendable == unsent && !holds_small(facts) { sendable } else { whole });
    }
    if unsent <= usable {
        return if holds_small(facts) { Permission::Held } else { Permission::Send(sendable) };
    }
    if cwnd < window {
        return Permission::CongestionLimited;
    }
    // Less than a segment fits into the window although more is waiting. It is sent when it is half of all the peer
    // ever offered (RFC 9293 §3.8.6.2.1 rule 3); else the window is waited for, or probed by the persist timer.
    if sendable > 0 && sendable * 2 >= facts.window_max {
        return Permission::Send(sendable);
    }
    Permission::WindowLimited
}

/// Does the rest that is smaller than a segment wait? RFC 9293 §3.7.4 holds it while anything is unacknowledged; with
/// Minshall's change, which Linux has too, only while another small segment is: a large write then never waits.
fn holds_small(facts: &Facts) -> bool {
    if facts.finished || facts.unsent.is_multiple_of(facts.mss) {
        return false;
    }
    facts.cork || (!facts.no_delay && facts.small_in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(unsent: usize) -> Facts {
        Facts {
            unsent,
            window: 65_535,
            window_max: 65_535,
            cwnd: 14_600,
            mss: 1460,
            piece_max: 64_240,
            small_in_flight: false,
            no_delay: false,
            cork: false,
            finished: false,
        }
    }

    #[test]
    fn five_thousand_bytes_go_at_once_as_one_super_segment() {
        assert_eq!(permission(&facts(5000)), Permission::Send(5000));
    }

    #[test]
    fn without_offload_each_segment_goes_alone() {
        assert_eq!(permission(&Facts { piece_max: 1460, ..facts(5000) }), Permission::Send(1460));
    }

    #[test]
    fn nagle_holds_a_small_segment_while_another_is_unacknowledged() {
        let held = Facts { small_in_flight: true, ..facts(10) };
        assert_eq!(permission(&held), Permission::Held);
        assert_eq!(permission(&Facts { no_delay: true, ..held }), Permission::Send(10));
        assert_eq!(permission(&Facts { finished: true, ..held }), Permission::Send(10));
        assert_eq!(permission(&Facts { unsent: 1470, ..held }), Permission::Send(1460));
    }

    #[test]
    fn a_cork_holds_what_is_smaller_than_a_segment() {
        assert_eq!(permission(&Facts { cork: true, no_delay: true, ..facts(10) }), Permission::Held);
        assert_eq!(permission(&Facts { cork: true, ..facts(1461) }), Permission::Send(1460));
    }

    #[test]
    fn the_smaller_window_rules_and_says_so() {
        let many = facts(100_000);
        assert_eq!(permission(&many), Permission::Send(14_600));
        assert_eq!(permission(&Facts { cwnd: 600, ..many }), Permission::CongestionLimited);
        assert_eq!(permission(&Facts { window: 0, ..many }), Permission::WindowLimited);
        assert_eq!(permission(&Facts { window: 1000, ..many }), Permission::WindowLimited);
        assert_eq!(permission(&Facts { window: 1000, window_max: 2000, ..many }), Permission::Send(1000));
    }
}
