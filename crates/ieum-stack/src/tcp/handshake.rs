//! An active open on its way: SYN-SENT, and SYN-RECEIVED when both sides open at once (RFC 9293 §3.5).

use ieum_wire::Instant;

use super::bounds::SYN_RETRIES_MAX;
use super::peer_syn::{OwnSyn, PeerSyn};
use super::send::rto::Rto;
use super::state::State;

/// A SYN that waits for its answer.
pub(super) struct Handshake {
    pub(super) own: OwnSyn,
    /// The peer's SYN, when it crossed ours.
    pub(super) peer: Option<PeerSyn>,
    /// Our SYN (with the peer's acknowledged, if it came) is to be sent, the first time or again.
    pub(super) syn_owed: bool,
    /// How often it was sent again.
    pub(super) retries: u32,
    /// When it was first sent.
    pub(super) sent_at: Option<Instant>,
    pub(super) rto: Rto,
    pub(super) timer: Option<Instant>,
}

impl Handshake {
    /// CLOSED → SYN-SENT.
    pub(super) fn new(own: OwnSyn) -> Handshake {
        Handshake { own, peer: None, syn_owed: true, retries: 0, sent_at: None, rto: Rto::new(), timer: None }
    }

    pub(super) fn state(&self) -> State {
        if self.peer.is_some() { State::SynReceived } else { State::SynSent }
    }

    /// The SYN goes out.
    pub(super) fn syn_sent(&mut self, now: Instant) {
        self.syn_owed = false;
        self.sent_at.get_or_insert(now);
        self.timer = Some(now + self.rto.current());
    }

    /// SYN-SENT → SYN-RECEIVED: the peer's SYN crossed ours; ours is repeated with an acknowledgement.
    pub(super) fn crossed(&mut self, peer: PeerSyn) {
        self.peer = Some(peer);
        self.syn_owed = true;
    }

    /// No answer in time. False when it is to be given up.
    #[must_use]
    pub(super) fn timed_out(&mut self) -> bool {
        self.timer = None;
        if self.retries == SYN_RETRIES_MAX {
            return false;
        }
        self.retries += 1;
        self.rto.expired();
        self.syn_owed = true;
        true
    }
}
