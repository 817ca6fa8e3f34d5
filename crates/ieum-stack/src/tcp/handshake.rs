//! An active open on its way: SYN-SENT, and SYN-RECEIVED when both sides open at once (RFC 9293 §3.5).
//!
//! With Fast Open (RFC 7413) its first SYN carries data; or it waits, *deferred*, until there is some.

use std::time::Duration;

use ieum_wire::Instant;
use ieum_wire::tcp::FastOpen;

use super::peer_syn::{OwnSyn, PeerSyn};
use super::settings::TcpSettings;
use super::state::State;
use super::syn_timer::{Patience, SynTimer};

/// A SYN that waits for its answer.
pub(super) struct Handshake {
    pub(super) own: OwnSyn,
    /// The peer's SYN, when it crossed ours.
    pub(super) peer: Option<PeerSyn>,
    /// Our SYN, with the peer's acknowledged, if it came.
    pub(super) syn: SynTimer,
    pub(super) fast: Fast,
    /// Somebody waits for the end of the handshake in order to write: our last acknowledgement then waits for the data.
    pub(super) writer_waits: bool,
}

/// What Fast Open adds to an active open.
#[derive(Default)]
pub(super) struct Fast {
    /// The user asked for it.
    pub(super) wanted: bool,
    /// The SYN is not sent before there is data for it (TCP_FASTOPEN_CONNECT).
    pub(super) deferred: bool,
    /// The option of the first SYN.
    pub(super) asked: Option<FastOpen>,
    /// The data on it.
    pub(super) data: Vec<u8>,
}

impl Handshake {
    /// CLOSED → SYN-SENT.
    pub(super) fn new(own: OwnSyn) -> Handshake {
        Handshake { own, peer: None, syn: SynTimer::new(), fast: Fast::default(), writer_waits: false }
    }

    pub(super) fn state(&self) -> State {
        if self.peer.is_some() { State::SynReceived } else { State::SynSent }
    }

    /// Bytes sent with the SYN.
    pub(super) fn data_bytes(&self) -> u32 {
        u32::try_from(self.fast.data.len()).expect("a SYN has less than a segment of data")
    }

    /// The SYN goes out. The data goes with the first one; what of it arrived the answer says.
    pub(super) fn syn_sent(&mut self, now: Instant, rto_max: Duration) {
        self.syn.sent(now, rto_max);
        self.own.fast_open = None;
    }

    /// SYN-SENT → SYN-RECEIVED: the peer's SYN crossed ours; ours is repeated with an acknowledgement.
    pub(super) fn crossed(&mut self, peer: PeerSyn) {
        self.peer = Some(peer);
        self.syn.owed = true;
    }

    /// No answer in time. False when it is to be given up.
    #[must_use]
    pub(super) fn timed_out(&mut self, now: Instant, settings: &TcpSettings) -> bool {
        // Who has had an answer, a SYN that crossed, waits as for others.
        let linear = if self.peer.is_none() { settings.syn_linear_timeouts } else { 0 };
        self.syn
            .timed_out(now, &Patience { retries: settings.syn_retries, linear, rto_max: settings.rto_max })
    }
}
