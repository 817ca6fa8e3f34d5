//! The passive side of Fast Open (RFC 7413 §4.2.2): a connection that takes and sends data while its SYN-ACK is on its
//! way.
//!
//! It is SYN-RECEIVED by name, but a whole connection. Until the peer acknowledges the SYN-ACK that alone is sent again:
//! data and FIN wait with their own timers (as on Linux). [`Open::syn_ack`] ends with the handshake.

use std::time::Duration;

use ieum_wire::Instant;

use super::ListenerId;
use super::open::Open;
use super::peer_syn::{OwnSyn, PeerSyn};
use super::segment::Segment;
use super::segment_arrives::Outcome;
use super::settings::TcpSettings;
use super::syn_timer::{Patience, SynTimer};
use crate::drops::Drop;
use crate::tcp::connection::Failure;

/// A SYN-ACK that is not acknowledged yet.
pub(super) struct SynAck {
    own: OwnSyn,
    peer: PeerSyn,
    /// Counts it.
    pub(super) listener: ListenerId,
    on_its_way: SynTimer,
}

/// What a segment means to a handshake that is not over.
pub(super) enum Verdict {
    /// It ends the handshake; everything in it is still to be taken.
    Established,
    /// It does not, and is not to be looked at further.
    Over(Outcome),
    /// Its sender is reset; the connection stays.
    ResetSender(Drop),
}

impl SynAck {
    pub(super) fn new(own: OwnSyn, peer: PeerSyn, listener: ListenerId) -> SynAck {
        SynAck { own, peer, listener, on_its_way: SynTimer::new() }
    }

    /// When it is to be sent again.
    pub(super) fn timer(&self) -> Option<Instant> {
        self.on_its_way.timer
    }

    /// No answer in time. False when the connection is to be given up.
    #[must_use]
    pub(super) fn timed_out(&mut self, now: Instant, settings: &TcpSettings) -> bool {
        let TcpSettings { syn_ack_retries: retries, rto_max, .. } = *settings;
        self.on_its_way.timed_out(now, &Patience { retries, linear: 0, rto_max })
    }
}

impl Open {
    /// The SYN-ACK, when it is owed, taken as sent: both SYNs, and whether it is sent again.
    pub(super) fn owed_syn_ack(&mut self, now: Instant, rto_max: Duration) -> Option<(OwnSyn, PeerSyn, u32)> {
        let syn_ack = self.syn_ack.as_mut().filter(|syn_ack| syn_ack.on_its_way.owed)?;
        let own = syn_ack.own;
        syn_ack.own.fast_open = None;
        syn_ack.on_its_way.sent(now, rto_max);
        self.recv.ack.sent(now, false);
        Some((own, syn_ack.peer, syn_ack.on_its_way.retries))
    }

    /// SYN-RECEIVED: what does this segment mean to the handshake? RFC 9293 §3.10.7.4, with Linux's care for a
    /// connection that may hold data already.
    pub(super) fn handshake_goes_on(&mut self, now: Instant, segment: &Segment<'_>) -> Verdict {
        let Some(syn_ack) = &mut self.syn_ack else { return Verdict::Established };
        let (header, flags) = (&segment.header, segment.header.flags);
        let dropped = |reason| Verdict::Over(Outcome::Dropped { reason, news: false });
        if flags.syn && !flags.ack && !flags.rst && header.seq == syn_ack.peer.irs {
            // Its SYN again: our answer was lost.
            syn_ack.on_its_way.owed = true;
            return dropped(Drop::TcpSynOnConnection);
        }
        let (left, right) = (syn_ack.peer.irs + 1, self.recv.nxt() + self.recv.window_left());
        if header.seq.before(left) || header.seq.after(right) {
            if !flags.rst {
                self.recv.ack.challenge(now);
            }
            return dropped(Drop::TcpOutsideWindow);
        }
        if flags.rst {
            return Verdict::Over(Outcome::Failed(Failure::Reset));
        }
        if flags.syn {
            return Verdict::ResetSender(Drop::TcpSynOnConnection);
        }
        if !flags.ack {
            return dropped(Drop::TcpNoAck);
        }
        if header.ack.before(self.send.una()) || header.ack.after(self.send.nxt()) {
            return Verdict::ResetSender(Drop::TcpAckOutside);
        }
        if let (Some(sent_at), 0) = (syn_ack.on_its_way.sent_at, syn_ack.on_its_way.retries) {
            self.send.handshake_measured(now, now.since(sent_at));
        }
        self.syn_ack = None;
        Verdict::Established
    }
}
