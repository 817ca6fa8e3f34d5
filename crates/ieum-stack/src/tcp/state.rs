//! The states of RFC 9293 §3.3.2, as a function of what has happened.

/// The state of an endpoint as RFC 9293 and `ss` name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Waiting for connection requests.
    Listen,
    /// A SYN was sent.
    SynSent,
    /// A SYN was sent and one received.
    SynReceived,
    /// Data flows both ways.
    Established,
    /// We have finished; the peer has not acknowledged that.
    FinWait1,
    /// We have finished and the peer knows it; it may still send.
    FinWait2,
    /// The peer has finished; we may still send.
    CloseWait,
    /// Both have finished at the same time; the peer has not acknowledged our end.
    Closing,
    /// The peer finished first, then we; our end is not acknowledged yet.
    LastAck,
    /// Over, but old segments may still be about.
    TimeWait,
    /// Over.
    Closed,
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// This stack.
    We,
    /// The peer.
    They,
}

/// How far our own direction has come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OurEnd {
    /// More may be sent.
    Open,
    /// The FIN is queued or sent. RFC 9293 enters the next state when the FIN is sent; like Linux we do when it is
    /// asked for, since from then on the user cannot send any more.
    Finished,
    /// The FIN has been acknowledged.
    Acknowledged,
}

/// The seven synchronised states of RFC 9293 figure 5, from the two halves and who ended first.
pub(super) fn synchronised(ours: OurEnd, they_finished: bool, first: Option<Side>) -> State {
    match (ours, they_finished, first) {
        (OurEnd::Open, false, _) => State::Established,
        (OurEnd::Finished, false, _) => State::FinWait1,
        (OurEnd::Acknowledged, false, _) => State::FinWait2,
        (OurEnd::Open, true, _) => State::CloseWait,
        (OurEnd::Finished, true, Some(Side::They)) => State::LastAck,
        (OurEnd::Finished, true, _) => State::Closing,
        (OurEnd::Acknowledged, true, Some(Side::They)) => State::Closed,
        (OurEnd::Acknowledged, true, _) => State::TimeWait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_first_waits() {
        use OurEnd::{Acknowledged, Finished, Open};
        let active = [(Open, false), (Finished, false), (Acknowledged, false), (Acknowledged, true)];
        let states = active.map(|(ours, theirs)| synchronised(ours, theirs, Some(Side::We)));
        assert_eq!(states, [State::Established, State::FinWait1, State::FinWait2, State::TimeWait]);

        let passive = [(Open, true), (Finished, true), (Acknowledged, true)];
        let states = passive.map(|(ours, theirs)| synchronised(ours, theirs, Some(Side::They)));
        assert_eq!(states, [State::CloseWait, State::LastAck, State::Closed]);

        assert_eq!(synchronised(Finished, true, Some(Side::We)), State::Closing);
    }
}
