//! A segment on an active open: SYN-SENT, RFC 9293 §3.10.7.3, and SYN-RECEIVED after a crossed SYN, §3.10.7.4.

use ieum_wire::Instant;
use ieum_wire::Unreachable;

use crate::drops::Drop;
use crate::tcp::connection::Failure;
use crate::tcp::fast_open::Answered;
use crate::tcp::handshake::Handshake;
use crate::tcp::open::{Open, Opening};
use crate::tcp::peer_syn::{PeerSyn, stamp};
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
    Established(Open, Option<Answered>),
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
        let first = self.own.iss + 1;
        let sent = if self.syn.sent_at.is_some() { self.data_bytes() } else { 0 };
        if flags.ack && (header.ack.before(first) || header.ack.after(first + sent)) {
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
            // Both SYNs crossed; what came now is the second part of the peer's.
            (Some(peer), _) => PeerSyn { acc_ecn: header.options.acc_ecn, ..peer },
            (None, false) => return Progress::Dropped(Drop::TcpNoSyn),
        };
        if !flags.ack {
            if self.peer.is_none() {
                self.crossed(peer);
            } else {
                // Its SYN again: our answer was lost.
                self.syn.owed = true;
            }
            return Progress::Waits;
        }
        if flags.syn && self.echoes_nothing_of_ours(now, segment) {
            // RFC 7323 §5.2 asks for no more than PAWS; like Linux we take an echo of what was never said for forged.
            return Progress::ResetSender(Drop::TcpOldTimestamp);
        }
        let acknowledged = header.ack.since(first);
        let opening = Opening {
            syn_sent_at: self.syn.sent_at.filter(|_| self.syn.retries == 0),
            retries: self.syn.retries,
            active: true,
            acknowledged,
        };
        let mut open = Open::new(now, &self.own, &peer, opening, settings);
        open.totals.syns_sent(1 + self.syn.retries, self.syn.retries);
        if flags.syn {
            open.totals.received(now, 1, 0);
        }
        self.goes_over(now, segment, &mut open, settings);
        Progress::Established(open, self.answered(segment))
    }

    /// What Fast Open leaves to the connection: data that was not acknowledged, and what came with the answer (RFC 7413
    /// §4.2.1). With TCP_DEFER_ACCEPT our acknowledgement waits for
    /// data to go with it.
    fn goes_over(&mut self, now: Instant, segment: &Segment<'_>, open: &mut Open, settings: &TcpSettings) {
        open.recv.ack.now();
        let acknowledged = usize::try_from(open.send.una().since(self.own.iss + 1)).unwrap_or(usize::MAX);
        let rest = self.fast.data.split_off(acknowledged.min(self.fast.data.len()));
        open.syn_data = acknowledged > 0 && rest.is_empty();
        if !rest.is_empty() {
            open.send.takes_over(now, &rest, open.mss);
        } else if self.writer_waits || settings.defer_accept > 0 {
            open.recv.ack.waits_for_data(now);
        }
        if self.peer.is_some() && segment.header.flags.syn && acknowledged > 0 {
            // Its SYN came twice; like Linux we say so only where that is not all that the segment brings.
            open.recv.came_twice(segment.header.seq, segment.header.seq + 1);
        }
        if self.fast.wanted && segment.header.flags.syn && rest.is_empty() {
            open.take_with_syn(now, segment, settings);
        }
    }

    /// Is the timestamp echoed one that our SYN cannot have carried?
    fn echoes_nothing_of_ours(&self, now: Instant, segment: &Segment<'_>) -> bool {
        let (Some(offset), Some(stamps)) = (self.own.stamp_offset, segment.header.options.timestamps) else {
            return false;
        };
        let (Some(sent_at), 1..) = (self.syn.sent_at, stamps.echo) else { return false };
        let (from, to) = (stamp(offset, sent_at), stamp(offset, now));
        stamps.echo.wrapping_sub(from) > to.wrapping_sub(from)
    }

    /// An ICMP error about our SYN. Linux takes each for final while connecting, RFC 9293 §3.9.2.2 only some; a user
    /// is served better by the answer at once than by two minutes of silence.
    pub(in crate::tcp) fn unreachable(reason: Unreachable) -> Failure {
        Failure::Unreachable(reason)
    }
}
