//! The way up: a segment finds its owner.

use std::net::SocketAddr;

use ieum_wire::Unreachable;
use ieum_wire::tcp::ParseError;
use ieum_wire::{Mss, SeqNumber};

use super::connection::{Connection, Failure, Holder, Phase};
use super::half_open::{HalfOpen, Stage};
use super::handshake::Handshake;
use super::open::{Open, Opening};
use super::peer_syn::{OwnSyn, PeerSyn};
use super::reply::Reply;
use super::segment::Segment;
use super::segment_arrives::Outcome;
use super::segment_arrives::handshaking::Progress;
use super::settings::TcpSettings;
use super::timers::Sleeper;
use super::tuple::FourTuple;
use super::{ConnectionId, HalfOpenId, ListenerId, Owner, Tcp, TimeWaitId};
use crate::context::Context;
use crate::drops::Drop;
use crate::event::Event;
use crate::ip::Received;
use ieum_wire::Protocol;

impl Tcp {
    /// One IP payload that is meant for TCP, its checksum verified.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>, received: &Received<'_>) {
        let segment = match Segment::parse(received) {
            Ok(segment) => segment,
            Err(error) => return cx.drops.count(reason(error)),
        };
        match self.demux.get(&segment.tuple).copied() {
            Some(Owner::Connection(id)) => self.connection_receives(cx, id, &segment),
            Some(Owner::HalfOpen(id)) => self.half_open_receives(cx, id, &segment),
            Some(Owner::TimeWait(id)) => self.time_wait_receives(cx, id, &segment),
            None => self.nobody_receives(cx, &segment),
        }
    }

    /// An ICMP error about a segment of ours at `seq`; the error is why it changes nothing.
    pub(crate) fn on_unreachable(
        &mut self,
        cx: &mut Context<'_>,
        reason: Unreachable,
        ours: SocketAddr,
        theirs: SocketAddr,
        seq: SeqNumber,
    ) -> Result<(), Drop> {
        let tuple = FourTuple { local: ours, remote: theirs };
        let Some(Owner::Connection(id)) = self.demux.get(&tuple).copied() else {
            return Err(Drop::IcmpQuote);
        };
        let Some(connection) = self.connections.get_mut(id) else { return Err(Drop::IcmpQuote) };
        if let (Unreachable::FragmentationNeeded { mtu_bytes }, Phase::Open(open)) =
            (reason, &mut connection.phase)
        {
            let narrower = open.path_narrowed(ours.is_ipv4(), mtu_bytes, seq);
            return if narrower { Ok(()) } else { Err(Drop::TcpIcmpIgnored) };
        }
        match &connection.phase {
            Phase::Handshake(handshake) if seq == handshake.own.iss => {
                self.leave(cx, id, Some(Handshake::unreachable(reason)));
                self.settle(cx, id);
                Ok(())
            }
            // RFC 9293 §3.9.2.2 (MUST-56): an open connection survives; retransmission will tell. RFC 5927 says why a
            // quoted position alone is no proof.
            Phase::Handshake(_) | Phase::Open(_) | Phase::Closed(_) => Err(Drop::TcpIcmpIgnored),
        }
    }

    fn connection_receives(&mut self, cx: &mut Context<'_>, id: ConnectionId, segment: &Segment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Phase::Handshake(handshake) = &mut connection.phase {
            match handshake.segment_arrives(cx.now, segment, &connection.settings) {
                Progress::Waits => return self.settle(cx, id),
                Progress::Dropped(reason) => return cx.drops.count(reason),
                Progress::ResetSender(reason) => {
                    cx.drops.count(reason);
                    return self.owe_reply(cx.drops, Reply::reset_for(segment));
                }
                Progress::Failed(failure) => {
                    self.leave(cx, id, Some(failure));
                    return self.settle(cx, id);
                }
                Progress::Established(open) => {
                    established(connection, open);
                    if segment.header.flags.syn {
                        // Everything in a SYN-ACK has been taken, its unscaled window too (RFC 7323 §2.2). Data on it,
                        // which only fast open sends, comes again.
                        return self.settle(cx, id);
                    }
                }
            }
        }
        self.open_receives(cx, id, segment);
    }

    /// The connection is open: RFC 9293 §3.10.7.4, and what becomes of it.
    fn open_receives(&mut self, cx: &mut Context<'_>, id: ConnectionId, segment: &Segment<'_>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (orphan, settings) = (connection.holder == Holder::Nobody, connection.settings);
        let Some(open) = connection.open_mut() else { return };
        match open.segment_arrives(cx.now, segment, orphan, &settings) {
            Outcome::Taken { news } => connection.news |= news,
            Outcome::Dropped { reason, news } => {
                connection.news |= news;
                cx.drops.count(reason);
            }
            Outcome::Failed(failure) => self.leave(cx, id, Some(failure)),
            Outcome::Aborted(reason) => {
                cx.drops.count(reason);
                self.abort(cx, id, Some(Failure::Reset));
            }
            Outcome::TimeWait => self.time_wait(cx, id),
            Outcome::Closed => self.leave(cx, id, None),
        }
        self.settle(cx, id);
    }

    fn half_open_receives(&mut self, cx: &mut Context<'_>, id: HalfOpenId, segment: &Segment<'_>) {
        let Some(half_open) = self.half_opens.get_mut(id) else { return };
        let (header, flags) = (&segment.header, segment.header.flags);
        let next = half_open.peer.irs + 1;
        if flags.rst {
            // The peer gives up. RFC 5961 §3.2: at exactly the position expected.
            if header.seq == next {
                self.remove_half_open(id);
            } else {
                cx.drops.count(Drop::TcpResetNotExact);
            }
            return;
        }
        if flags.syn && header.seq == half_open.peer.irs && !flags.ack {
            // The SYN again: our answer was lost, or is still being thought about.
            if half_open.stage == Stage::Answering {
                half_open.syn_ack_owed = true;
                self.owe_half_open(id);
            } else {
                cx.drops.count(Drop::TcpRequestHeld);
            }
            return;
        }
        let expected = half_open.stage == Stage::Answering && header.ack == half_open.own.iss + 1;
        if flags.syn || !flags.ack || !expected {
            cx.drops.count(Drop::TcpAckOutside);
            if flags.ack {
                self.owe_reply(cx.drops, Reply::reset_for(segment));
            }
            return;
        }
        let window = u32::from(half_open.own.window(&half_open.settings, Some(&half_open.peer)));
        if header.seq.before(next) || header.seq.since(next) > window {
            return cx.drops.count(Drop::TcpOutsideWindow);
        }
        let full =
            self.listeners.get(half_open.listener).is_none_or(|listener| listener.accept_queue_is_full());
        if full {
            // Like Linux: the acknowledgement is forgotten; our SYN-ACK comes again, and its answer may find room.
            return cx.drops.count(Drop::TcpAcceptQueueFull);
        }
        self.promote(cx, id, segment);
    }

    /// SYN-RECEIVED → ESTABLISHED: the half-open connection becomes one, and waits to be accepted.
    fn promote(&mut self, cx: &mut Context<'_>, id: HalfOpenId, segment: &Segment<'_>) {
        let Some(half_open) = self.remove_half_open(id) else { return };
        let HalfOpen { tuple, listener, own, peer, settings, retries, sent_at, .. } = half_open;
        let opening =
            Opening { syn_sent_at: sent_at.filter(|_| retries == 0), repeated: retries > 0, active: false };
        let mut open = Open::new(cx.now, &own, &peer, opening, &settings);
        // As Linux counts them: the SYN-ACK is the listener's.
        open.totals.syns_sent(0, retries);
        let reuse = self.listeners.get(listener).is_some_and(|listener| listener.reuse);
        let phase = Phase::Open(open);
        let id = self.enter(cx, Connection::new(tuple, settings, phase, Holder::Listener(listener), reuse));
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.accept_queue.push_back(id);
        }
        cx.events.push(Event::Acceptable(listener));
        self.open_receives(cx, id, segment);
    }

    fn time_wait_receives(&mut self, cx: &mut Context<'_>, id: TimeWaitId, segment: &Segment<'_>) {
        let Some(waiting) = self.time_waits.get(id) else { return };
        let (header, flags) = (&segment.header, segment.header.flags);
        if flags.rst {
            // RFC 1337: a RST does not shorten TIME-WAIT.
            return cx.drops.count(Drop::TcpTimeWait);
        }
        if flags.syn && !flags.ack {
            let stamp = header.options.timestamps.map(|stamps| stamps.value);
            if waiting.allows(header.seq, stamp) && self.listener_for(&segment.tuple).is_some() {
                self.end_time_wait(cx, id);
                return self.nobody_receives(cx, segment);
            }
        }
        cx.drops.count(Drop::TcpTimeWait);
        // An old segment, or the FIN again: the peer learns where we are.
        if segment.length() > 0 {
            self.acknowledge_in_time_wait(cx, id);
        }
    }

    /// No connection: a listener takes a SYN, everything else is reset (RFC 9293 §3.10.7.1, §3.10.7.2).
    fn nobody_receives(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        let flags = segment.header.flags;
        if flags.rst {
            return cx.drops.count(Drop::TcpNoConnection);
        }
        let listener = if flags.syn && !flags.ack { self.listener_for(&segment.tuple) } else { None };
        match listener {
            Some(id) => self.listener_receives(cx, id, segment),
            None => {
                cx.drops.count(Drop::TcpNoConnection);
                self.owe_reply(cx.drops, Reply::reset_for(segment));
            }
        }
    }

    /// LISTEN → SYN-RECEIVED, or a request that waits for its verdict.
    fn listener_receives(&mut self, cx: &mut Context<'_>, listener_id: ListenerId, segment: &Segment<'_>) {
        let Some(listener) = self.listeners.get_mut(listener_id) else { return };
        if listener.syn_queue_is_full() {
            return cx.drops.count(Drop::TcpSynQueueFull);
        }
        if listener.accept_queue_is_full() {
            return cx.drops.count(Drop::TcpAcceptQueueFull);
        }
        let (tuple, settings, held) = (segment.tuple, listener.settings, listener.held);
        let Ok(path) = cx.path(Protocol::Tcp, Some(tuple.local.ip()), tuple.remote) else {
            return cx.drops.count(Drop::TcpNoWayBack);
        };
        listener.half_open += 1;
        let own = self.own_syn(cx, &tuple, path.mtu_bytes, &settings);
        let peer = PeerSyn::of(segment);
        let mut half_open = HalfOpen::new(tuple, listener_id, own, peer, settings);
        if held {
            half_open.timer = Some(cx.now + super::bounds::REQUEST_WAIT);
        } else {
            half_open.answer();
        }
        let id = self.half_opens.insert(half_open);
        self.demux.insert(tuple, Owner::HalfOpen(id));
        self.sleep_half_open(id);
        if held {
            cx.events.push(Event::Request(id));
        } else {
            self.owe_half_open(id);
        }
    }

    /// What our own SYN to this peer says.
    pub(super) fn own_syn(
        &self,
        cx: &Context<'_>,
        tuple: &FourTuple,
        mtu_bytes: u32,
        settings: &TcpSettings,
    ) -> OwnSyn {
        let mss = match tuple.local {
            SocketAddr::V4(_) => Mss::of_mtu_ip4(mtu_bytes),
            SocketAddr::V6(_) => Mss::of_mtu_ip6(mtu_bytes),
        };
        OwnSyn {
            iss: self.secrets.isn(cx.now, tuple),
            mss: settings.mss_max.map_or(mss, |bound| mss.min(Mss::announced(bound))),
            stamp_offset: self.offers.timestamps.then(|| self.secrets.stamp_offset(tuple)),
            sack: self.offers.sack,
            scale: self.offers.window_scaling.then(|| OwnSyn::scale_for(settings)),
            ecn: self.offers.ecn,
        }
    }

    pub(super) fn sleep_half_open(&mut self, id: HalfOpenId) {
        if let Some(half_open) = self.half_opens.get_mut(id) {
            self.timers.want(Sleeper::HalfOpen(id), &mut half_open.timer_at, half_open.timer);
        }
    }
}

/// SYN-SENT or SYN-RECEIVED → ESTABLISHED, for an active open. Our acknowledgement of the peer's SYN is owed.
fn established(connection: &mut Connection, mut open: Open) {
    open.recv.ack.now();
    connection.phase = Phase::Open(open);
    connection.news = true;
}

fn reason(error: ParseError) -> Drop {
    match error {
        ParseError::Truncated => Drop::TcpTruncated,
        ParseError::DataOffset => Drop::TcpDataOffset,
        ParseError::Options => Drop::TcpOptions,
    }
}
