//! A segment on an active open: SYN-SENT, RFC 9293 §3.10.7.3, and SYN-RECEIVED after a crossed SYN, §3.10.7.4.

use ieum_wire::Instant;
use ieum_wire::Unreachable;

use crate::drops::Drop;
use crate::tcp::connection::Failure;
use crate::tcp::handshake::Handshake;
use crate::tcp::open::{Open, Opening};
use crate::tcp::peer_syn::PeerSyn;
use crate::tcp::segment::Segment;
use crate::tcp::settings::TcpSettings;

/// What became of an active open by a segment.
#[allow(clippy::large_enum_variant, reason = "returned once per connection and moved into place at once")]
pub(in crate::tcp) enum Progress {
    /// It waits on (and may owe a SYN again).
    Waits,
    /// The segment was not acceptable.
    Dropped(Drop),
    /// The segment acknowledges what was never sent: its sender is reset, the open goes on (§3.10.7.3, first).
    ResetSender(Drop),
    /// → CLOSED.
    Failed(Failure),
    /// → ESTABLISHED; the segment's window, data and FIN are still to be taken.
    Established(Open),
}

impl Handshake {
    pub(in crate::tcp) fn segment_arrives(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        settings: &TcpSettings,
    ) -> Progress {
        let header = &segment.header;
        let flags = header.flags;
        if flags.ack && header.ack != self.own.iss + 1 {
            return if flags.rst {
                Progress::Dropped(Drop::TcpAckOutside)
            } else {
                Progress::ResetSender(Drop::TcpAckOutside)
            };
        }
        if flags.rst {
            let exact = self.peer.is_some_and(|peer| header.seq == peer.irs + 1);
            return if flags.ack || exact {
                Progress::Failed(Failure::Refused)
            } else {
                // RFC 9293 §3.10.7.3, second: a RST that acknowledges nothing may be anybody's.
                Progress::Dropped(Drop::TcpResetNotExact)
            };
        }
        let peer = match (self.peer, flags.syn) {
            (None, true) => PeerSyn::of(segment),
            (Some(peer), _) => peer,
            (None, false) => return Progress::Dropped(Drop::TcpNoSyn),
        };
        if !flags.ack {
            if self.peer.is_none() {
                self.crossed(peer);
            } else {
                // Its SYN again: our answer was lost.
                self.syn_owed = true;
            }
            return Progress::Waits;
        }
        let opening = Opening {
            syn_sent_at: self.sent_at.filter(|_| self.retries == 0),
            repeated: self.retries > 0,
            active: true,
        };
        let mut open = Open::new(now, &self.own, &peer, opening, settings);
        open.totals.syns_sent(1 + self.retries, self.retries);
        if flags.syn {
            open.totals.received(now, 1, 0);
        }
        Progress::Established(open)
    }

    /// An ICMP error about our SYN. Linux takes each for final while connecting, RFC 9293 §3.9.2.2 only some; a user
    /// is served better by the answer at once than by two minutes of silence.
    pub(in crate::tcp) fn unreachable(reason: Unreachable) -> Failure {
        Failure::Unreachable(reason)
    }
}
