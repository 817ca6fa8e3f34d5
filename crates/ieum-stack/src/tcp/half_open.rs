//! A passive open before its handshake ends: an entry of a SYN queue.
//!
//! It is a small struct, not a connection: a flood of SYNs costs little. Where its listener *holds*, it first waits
//! for a verdict: [`Stage::Held`] → [`Stage::Answering`] when accepted, gone when refused, or [`Stage::Silent`].

use std::net::SocketAddr;

use ieum_wire::Instant;
use ieum_wire::Unreachable;

use super::ListenerId;
use super::peer_syn::{OwnSyn, PeerSyn};
use super::send::rto::Rto;
use super::settings::TcpSettings;
use super::tuple::FourTuple;
use crate::link::LinkId;

/// A passive open waiting for its verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The listener it came to.
    pub listener: ListenerId,
    /// The address and port it asked for.
    pub local: SocketAddr,
    /// Who asks.
    pub remote: SocketAddr,
}

/// How a passive open is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// With a RST: nobody listens.
    Reset,
    /// With an ICMP error: the destination cannot be reached.
    Unreachable(Unreachable),
    /// Not at all: the peer runs into its own time-out. Its repeated SYNs make no new request.
    Silence,
}

/// How far a passive open has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Its verdict is awaited.
    Held,
    /// Refused by silence.
    Silent,
    /// LISTEN → SYN-RECEIVED: answered by a SYN-ACK, or about to be.
    Answering,
}

/// A half-open connection.
pub(super) struct HalfOpen {
    pub(super) tuple: FourTuple,
    /// Over which link its SYN was heard.
    pub(super) heard_over: LinkId,
    pub(super) listener: ListenerId,
    pub(super) own: OwnSyn,
    pub(super) peer: PeerSyn,
    pub(super) settings: TcpSettings,
    pub(super) stage: Stage,
    pub(super) syn_ack_owed: bool,
    /// How often the SYN-ACK was sent again.
    pub(super) retries: u32,
    /// How often the SYN-ACK was sent, for whatever reason.
    pub(super) sends: u32,
    pub(super) sent_at: Option<Instant>,
    pub(super) rto: Rto,
    /// The SYN-ACK was acknowledged, but there was no room yet, or data is waited for.
    pub(super) acknowledged: bool,
    pub(super) timer: Option<Instant>,
    /// Under which time it is known to the timers.
    pub(super) timer_at: Option<Instant>,
    pub(super) in_debt: bool,
}

impl HalfOpen {
    pub(super) fn new(
        tuple: FourTuple,
        heard_over: LinkId,
        listener: ListenerId,
        own: OwnSyn,
        peer: PeerSyn,
        settings: TcpSettings,
    ) -> HalfOpen {
        HalfOpen {
            tuple,
            heard_over,
            listener,
            own,
            peer,
            settings,
            stage: Stage::Held,
            syn_ack_owed: false,
            retries: 0,
            sends: 0,
            sent_at: None,
            rto: Rto::new(),
            acknowledged: false,
            timer: None,
            timer_at: None,
            in_debt: false,
        }
    }

    /// LISTEN → SYN-RECEIVED.
    pub(super) fn answer(&mut self) {
        self.stage = Stage::Answering;
        self.syn_ack_owed = true;
        self.timer = None;
    }

    /// The SYN-ACK goes out.
    pub(super) fn syn_ack_sent(&mut self, now: Instant) {
        self.syn_ack_owed = false;
        self.sends += 1;
        self.sent_at.get_or_insert(now);
        self.wait(now);
    }

    /// Until when it waits for an answer.
    pub(super) fn wait(&mut self, now: Instant) {
        self.timer = Some(now + self.rto.current().min(self.settings.rto_max));
    }

    /// Is data waited for, beside the acknowledgement of our SYN (TCP_DEFER_ACCEPT)?
    pub(super) fn waits_for_data(&self) -> bool {
        self.retries < self.settings.defer_accept
    }

    /// Its time is over: false when it is to be forgotten. Who has acknowledged but sent no data is not asked again before
    /// the last time that it may.
    #[must_use]
    pub(super) fn timed_out(&mut self, now: Instant) -> bool {
        self.timer = None;
        let waits = self.acknowledged && self.waits_for_data();
        if self.stage != Stage::Answering || (self.retries >= self.settings.syn_ack_retries && !waits) {
            return false;
        }
        let asks = !(self.acknowledged && self.retries + 1 < self.settings.defer_accept);
        self.retries += 1;
        self.rto.expired();
        self.syn_ack_owed = asks;
        if !asks {
            self.wait(now);
        }
        true
    }
}
