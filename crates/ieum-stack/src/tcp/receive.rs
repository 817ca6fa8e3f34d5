//! The way up: a segment finds its owner.

use std::net::SocketAddr;

use ieum_wire::tcp::{FastOpen, ParseError};
use ieum_wire::{Mss, SeqNumber, Unreachable};

use super::connection::{Connection, Failure, Holder, Phase};
use super::fast_open::{FastOpenKeys, Judgement};
use super::half_open::{HalfOpen, Stage};
use super::handshake::Handshake;
use super::open::{Open, Opening};
use super::peer_syn::{OwnSyn, PeerSyn};
use super::reply::Reply;
use super::rules::SynCookies;
use super::segment::Segment;
use super::segment_arrives::Outcome;
use super::segment_arrives::handshaking::Progress;
use super::settings::TcpSettings;
use super::syn_ack::{SynAck, Verdict};
use super::timers::Sleeper;
use super::transmit::syn;
use super::tuple::FourTuple;
use super::{ConnectionId, HalfOpenId, ListenerId, Owner, Tcp, TimeWaitId};
use crate::context::Context;
use crate::drops::Drop;
use crate::event::Event;
use crate::ip::{Path, Received};
use crate::link::LinkId;
use ieum_wire::Protocol;

impl Tcp {
    /// One IP payload that is meant for TCP, its checksum verified.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>, received: &Received<'_>) {
        let segment = match Segment::parse(received) {
            Ok(segment) => segment,
            Err(error) => return cx.drops.count(reason(error)),
        };
        match self.demux.get(&segment.tuple).copied() {
            Some(owner) if !self.hears(owner, segment.link) => self.refuse(cx, &segment),
            Some(Owner::Connection(id)) => self.connection_receives(cx, id, &segment),
            Some(Owner::HalfOpen(id)) => self.half_open_receives(cx, id, &segment),
            Some(Owner::TimeWait(id)) => self.time_wait_receives(cx, id, &segment),
            None => self.nobody_receives(cx, &segment),
        }
    }

    /// Does a connection hear what comes over that link?
    fn hears(&self, owner: Owner, link: LinkId) -> bool {
        let kept_to = match owner {
            Owner::Connection(id) => self.connections.get(id).and_then(|it| it.settings.link),
            Owner::HalfOpen(id) => self.half_opens.get(id).and_then(|it| it.settings.link),
            Owner::TimeWait(id) => self.time_waits.get(id).and_then(|it| it.link),
        };
        kept_to.is_none_or(|kept| kept == link)
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
        let id = match self.demux.get(&tuple).copied() {
            Some(Owner::Connection(id)) => id,
            Some(Owner::HalfOpen(id)) => return self.half_open_unreachable(id, reason, seq),
            Some(Owner::TimeWait(_)) | None => return Err(Drop::IcmpQuote),
        };
        let Some(connection) = self.connections.get_mut(id) else { return Err(Drop::IcmpQuote) };
        if matches!(reason, Unreachable::FragmentationNeeded { .. })
            && !connection.settings.discovers_path_mtu
        {
            return Err(Drop::TcpIcmpIgnored);
        }
        if let (Unreachable::FragmentationNeeded { mtu_bytes }, Phase::Open(open)) =
            (reason, &mut connection.phase)
        {
            let Some(mtu_bytes) = open.path_narrowed(ours.is_ipv4(), mtu_bytes, seq) else {
                return Err(Drop::TcpIcmpIgnored);
            };
            cx.ip.path_mtus.learned(cx.now, theirs.ip(), mtu_bytes);
            self.settle(cx, id);
            return Ok(());
        }
        if let (Unreachable::FragmentationNeeded { mtu_bytes }, Phase::Handshake(handshake)) =
            (reason, &mut connection.phase)
            && !handshake.fast.data.is_empty()
        {
            let narrower = handshake.path_narrowed(ours.is_ipv4(), mtu_bytes, seq);
            self.settle(cx, id);
            return if narrower { Ok(()) } else { Err(Drop::TcpIcmpIgnored) };
        }
        match &connection.phase {
            Phase::Open(open) if open.syn_ack.is_some() && connection.holder != Holder::User => {
                // RFC 9293 §3.9.2.2: nobody has it yet who could wait for the peer to answer after all.
                if !open.is_under_way(seq) {
                    return Err(Drop::TcpIcmpIgnored);
                }
                self.give_up_handshake(cx, id, Failure::Unreachable(reason));
                Ok(())
            }
            Phase::Handshake(handshake) if handshake.is_under_way(seq) => {
                self.leave(cx, id, Some(Handshake::unreachable(reason)));
                self.settle(cx, id);
                Ok(())
            }
            // RFC 9293 §3.9.2.2 (MUST-56): an open connection survives; retransmission will tell. RFC 5927 says why a
            // quoted position alone is no proof.
            Phase::Handshake(_) | Phase::Open(_) | Phase::Closed(_) => Err(Drop::TcpIcmpIgnored),
        }
    }

    /// An ICMP error about a SYN-ACK: where the network knows no way, nobody will answer it (as on Linux).
    fn half_open_unreachable(
        &mut self,
        id: HalfOpenId,
        reason: Unreachable,
        seq: SeqNumber,
    ) -> Result<(), Drop> {
        let ours = self.half_opens.get(id).is_some_and(|half_open| {
            half_open.stage == Stage::Answering && half_open.sent_at.is_some() && half_open.own.iss == seq
        });
        if !ours || !matches!(reason, Unreachable::Network | Unreachable::Host) {
            return Err(Drop::TcpIcmpIgnored);
        }
        self.remove_half_open(id);
        Ok(())
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
                Progress::Established(open, answered) => {
                    if let Some(answered) = answered {
                        self.paths.answered(&connection.tuple, &answered);
                    }
                    established(connection, open);
                    if segment.header.flags.syn {
                        // Everything in a SYN-ACK has been taken, its unscaled window too (RFC 7323 §2.2). Data on it that
                        // nobody asked for by Fast Open comes again.
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
        let (reader, settings) = (connection.reader(), connection.settings);
        let Some(open) = connection.open_mut() else { return };
        if let Some(listener) = open.syn_ack.as_ref().map(|syn_ack| syn_ack.listener) {
            match open.handshake_goes_on(cx.now, segment) {
                Verdict::Established => {
                    if let Some(listener) = self.listeners.get_mut(listener) {
                        listener.fast_open_ended(cx.now, false);
                    }
                }
                Verdict::ResetSender(reason) => {
                    cx.drops.count(reason);
                    return self.owe_reply(cx.drops, Reply::reset_for(segment));
                }
                Verdict::Over(Outcome::Failed(failure)) => {
                    return self.give_up_handshake(cx, id, failure);
                }
                Verdict::Over(outcome) => {
                    if let Outcome::Dropped { reason, .. } = outcome {
                        cx.drops.count(reason);
                    }
                    return self.settle(cx, id);
                }
            }
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(open) = connection.open_mut() else { return };
        match open.segment_arrives(cx.now, segment, reader, &settings) {
            Outcome::Taken { news } => connection.news |= news,
            Outcome::Dropped { reason, news } => {
                connection.news |= news;
                cx.drops.count(reason);
            }
            Outcome::Failed(failure) => self.leave(cx, id, Some(failure)),
            Outcome::Aborted(reason) => {
                cx.drops.count(reason);
                // As if the connection were gone already, which to the peer it is (RFC 9293 §3.10.7.1).
                self.owe_reply(cx.drops, Reply::reset_for(segment));
                self.leave(cx, id, Some(Failure::Reset));
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
            half_open.peer.ecn = half_open.peer.ecn.again(flags.ace(), segment.tos);
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
        if half_open.waits_for_data() && segment.length() == 0 {
            // TCP_DEFER_ACCEPT: noted, and forgotten; the data will end the handshake.
            half_open.acknowledged = true;
            return cx.drops.count(Drop::TcpDeferred);
        }
        let full =
            self.listeners.get(half_open.listener).is_none_or(|listener| listener.accept_queue_is_full());
        if full {
            // Like Linux: the acknowledgement is forgotten; our SYN-ACK comes again, and its answer may find room.
            cx.drops.count(Drop::TcpAcceptQueueFull);
            if self.rules.abort_on_overflow {
                self.remove_half_open(id);
                self.owe_reply(cx.drops, Reply::reset_for(segment));
            }
            return;
        }
        self.promote(cx, id, segment);
    }

    /// SYN-RECEIVED → ESTABLISHED: the half-open connection becomes one, and waits to be accepted.
    fn promote(&mut self, cx: &mut Context<'_>, id: HalfOpenId, segment: &Segment<'_>) {
        let Some(half_open) = self.remove_half_open(id) else { return };
        let HalfOpen { tuple, listener, own, peer, settings, retries, sent_at, .. } = half_open;
        let opening = Opening {
            syn_sent_at: sent_at.filter(|_| retries == 0),
            retries,
            active: false,
            acknowledged: 0,
        };
        let mut open = Open::new(cx.now, &own, &peer, opening, &settings);
        // As Linux counts them: the SYN-ACK is the listener's, the SYN is not.
        open.totals.syns_sent(0, retries);
        open.totals.received(cx.now, 1, 0);
        let id = self.admit(cx, listener, tuple, settings, open);
        self.open_receives(cx, id, segment);
    }

    /// A connection waits to be accepted from now on.
    fn admit(
        &mut self,
        cx: &mut Context<'_>,
        listener: ListenerId,
        tuple: FourTuple,
        settings: TcpSettings,
        open: Open,
    ) -> ConnectionId {
        let hold = self.listeners.get(listener).map(|listener| listener.hold).unwrap_or_default();
        let phase = Phase::Open(open);
        let id = self.enter(cx, Connection::new(tuple, settings, phase, Holder::Listener(listener), hold));
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.accept_queue.push_back(id);
        }
        cx.events.push(Event::Acceptable(listener));
        id
    }

    /// LISTEN, without room: the SYN-ACK carries what is to be known again (RFC 4987 §3.6).
    fn answer_and_forget(
        &mut self,
        cx: &mut Context<'_>,
        listener: ListenerId,
        own: OwnSyn,
        peer: &PeerSyn,
        segment: &Segment<'_>,
    ) {
        let Some(listener) = self.listeners.get_mut(listener) else { return };
        listener.cookie_sent(cx.now);
        let own = self.cookies.syn(cx.now, &segment.tuple, own, peer);
        let header = syn(cx.now, &segment.tuple, &own, Some(peer), 0, &listener.settings);
        let link = listener.settings.link;
        self.owe_reply(cx.drops, Reply { link, ..Reply::with_header(segment.tuple, header) });
    }

    /// LISTEN → ESTABLISHED: an acknowledgement for a listener shows that we answered its sender once.
    fn cookie_comes_back(&mut self, cx: &mut Context<'_>, listener_id: ListenerId, segment: &Segment<'_>) {
        let Some(listener) = self.listeners.get(listener_id) else { return };
        let (tuple, settings) = (segment.tuple, listener.settings);
        let (expected, full) = (listener.expects_cookies(cx.now), listener.accept_queue_is_full());
        let path = cx.path(Protocol::Tcp, settings.link, Some(tuple.local.ip()), tuple.remote);
        let own = path.map(|path| self.own_syn(cx, &tuple, &path, &settings)).ok();
        let own = own.filter(|_| expected);
        let read = own.and_then(|own| Some((own, self.cookies.peer(cx.now, segment, &own)?)));
        let Some((mut own, (iss, peer))) = read else {
            cx.drops.count(if expected { Drop::TcpCookieUnknown } else { Drop::TcpNoConnection });
            // The cookie is told by the first segment alone: one that has overtaken it must not end what it begins (Linux
            // resets).
            let overtook = expected && segment.length() > 0;
            if !overtook {
                self.owe_reply(cx.drops, Reply::reset_for(segment));
            }
            return;
        };
        if full {
            return cx.drops.count(Drop::TcpAcceptQueueFull);
        }
        own.iss = iss;
        let opening = Opening { syn_sent_at: None, retries: 0, active: false, acknowledged: 0 };
        let open = Open::new(cx.now, &own, &peer, opening, &settings);
        let id = self.admit(cx, listener_id, tuple, settings, open);
        self.open_receives(cx, id, segment);
    }

    /// What a listener says to a SYN with data or with Fast Open's option (RFC 7413 §4.2.2). Who holds SYNs for a verdict
    /// takes no data before it has one.
    fn fast_open_asked(
        &mut self,
        cx: &Context<'_>,
        listener: ListenerId,
        segment: &Segment<'_>,
    ) -> FastOpenAnswer {
        let mode = self.rules.fast_open;
        let shown = segment.header.options.fast_open;
        let host_keys = self.fast_open_keys();
        let Some(listener) = self.listeners.get_mut(listener) else { return FastOpenAnswer::Told(None) };
        let asked = !segment.payload.is_empty() || segment.header.flags.fin || shown.is_some();
        if !mode.server || !asked || listener.held || listener.fast_open_is_full(cx.now) {
            return FastOpenAnswer::Told(None);
        }
        if mode.server_without_cookie || listener.settings.fast_open_no_cookie {
            return FastOpenAnswer::Taken(None);
        }
        let Some(shown) = shown else { return FastOpenAnswer::Told(None) };
        let keys = listener.fast_open_keys.unwrap_or(host_keys);
        let fresh = Some(FastOpen { cookie: keys.cookie(&segment.tuple), ..shown });
        match shown.cookie.map(|cookie| keys.judge(&segment.tuple, &cookie)) {
            Some(Judgement::Good) => FastOpenAnswer::Taken(None),
            Some(Judgement::Outdated) => FastOpenAnswer::Taken(fresh),
            Some(Judgement::Unknown) | None => FastOpenAnswer::Told(fresh),
        }
    }

    /// LISTEN → SYN-RECEIVED with data (RFC 7413 §4.2.2): a connection at once, which waits to be accepted while its
    /// SYN-ACK is on its way.
    fn open_fast(
        &mut self,
        cx: &mut Context<'_>,
        listener_id: ListenerId,
        own: OwnSyn,
        peer: PeerSyn,
        segment: &Segment<'_>,
    ) {
        let Some(listener) = self.listeners.get_mut(listener_id) else { return };
        let settings = listener.settings;
        listener.fast_open_pending += 1;
        let opening = Opening { syn_sent_at: None, retries: 0, active: false, acknowledged: 0 };
        let mut open = Open::new(cx.now, &own, &peer, opening, &settings);
        open.syn_ack = Some(Box::new(SynAck::new(own, peer, listener_id)));
        open.syn_data = !segment.payload.is_empty();
        open.take_with_syn(cx.now, segment, &settings);
        let id = self.admit(cx, listener_id, segment.tuple, settings, open);
        self.settle(cx, id);
    }

    /// SYN-RECEIVED → CLOSED, of a connection by Fast Open. It stays in the accept queue: what came can be read.
    fn give_up_handshake(&mut self, cx: &mut Context<'_>, id: ConnectionId, failure: Failure) {
        self.leave(cx, id, Some(failure));
        self.settle(cx, id);
    }

    fn fast_open_keys(&self) -> FastOpenKeys {
        self.rules.fast_open_keys.unwrap_or_else(|| FastOpenKeys::unknown_to_others(&self.spread))
    }

    fn time_wait_receives(&mut self, cx: &mut Context<'_>, id: TimeWaitId, segment: &Segment<'_>) {
        let Some(waiting) = self.time_waits.get(id) else { return };
        let (header, flags) = (&segment.header, segment.header.flags);
        if flags.rst {
            cx.drops.count(Drop::TcpTimeWait);
            // RFC 1337 §3 (F1): a RST does not shorten TIME-WAIT, unless the host is told to be like others.
            if !self.rules.time_wait_outlives_resets && header.seq == waiting.recv_nxt {
                self.end_time_wait(cx, id);
            }
            return;
        }
        if flags.syn && !flags.ack {
            let stamp = header.options.timestamps.map(|stamps| stamps.value);
            let listener = self.listener_for(&segment.tuple, segment.link);
            if let Some(listener) = listener.filter(|_| waiting.allows(header.seq, stamp)) {
                let iss = waiting.next_iss();
                self.end_time_wait(cx, id);
                return self.listener_receives(cx, listener, segment, Some(iss));
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
        let asks = !flags.rst && flags.syn != flags.ack;
        let listener = if asks { self.listener_for(&segment.tuple, segment.link) } else { None };
        match listener {
            Some(id) if flags.ack => self.cookie_comes_back(cx, id, segment),
            Some(id) => self.listener_receives(cx, id, segment, None),
            None => self.refuse(cx, segment),
        }
    }

    /// A segment that is for nobody: a RST answers it, unless it is one.
    fn refuse(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        cx.drops.count(Drop::TcpNoConnection);
        if !segment.header.flags.rst {
            self.owe_reply(cx.drops, Reply::reset_for(segment));
        }
    }

    /// LISTEN → SYN-RECEIVED, or a request that waits for its verdict. `iss`: where we begin, after an old connection of
    /// the same tuple (RFC 6191 §2).
    fn listener_receives(
        &mut self,
        cx: &mut Context<'_>,
        listener_id: ListenerId,
        segment: &Segment<'_>,
        iss: Option<SeqNumber>,
    ) {
        let Some(listener) = self.listeners.get_mut(listener_id) else { return };
        let full = listener.syn_queue_is_full();
        let by_cookie = match self.rules.syn_cookies {
            SynCookies::Never => false,
            SynCookies::WhenFull => full && !listener.held,
            SynCookies::Always => !listener.held,
        };
        if full && !by_cookie {
            return cx.drops.count(Drop::TcpSynQueueFull);
        }
        if listener.accept_queue_is_full() {
            return cx.drops.count(Drop::TcpAcceptQueueFull);
        }
        let (tuple, settings) = (segment.tuple, listener.settings);
        let Ok(path) = cx.path(Protocol::Tcp, settings.link, Some(tuple.local.ip()), tuple.remote) else {
            return cx.drops.count(Drop::TcpNoWayBack);
        };
        let mut own = self.own_syn(cx, &tuple, &path, &settings);
        own.iss = iss.unwrap_or(own.iss);
        let peer = PeerSyn::of(segment);
        if by_cookie {
            let stamps = own.stamp_offset.is_some() && peer.stamp.is_some();
            let peer = PeerSyn { ecn: peer.ecn.remembered(&own.ecn, stamps), ..peer };
            return self.answer_and_forget(cx, listener_id, own, &peer, segment);
        }
        match self.fast_open_asked(cx, listener_id, segment) {
            FastOpenAnswer::Taken(option) => {
                own.fast_open = option;
                return self.open_fast(cx, listener_id, own, peer, segment);
            }
            FastOpenAnswer::Told(option) => own.fast_open = option,
        }
        self.enter_half_open(cx, HalfOpen::new(tuple, segment.link, listener_id, own, peer, settings));
    }

    /// A half-open connection begins: it is answered, or waits for its listener's verdict.
    pub(super) fn enter_half_open(&mut self, cx: &mut Context<'_>, mut half_open: HalfOpen) {
        let Some(listener) = self.listeners.get_mut(half_open.listener) else { return };
        listener.half_open += 1;
        let (held, tuple) = (listener.held, half_open.tuple);
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
        path: &Path,
        settings: &TcpSettings,
    ) -> OwnSyn {
        let of_mtu = match tuple.local {
            SocketAddr::V4(_) => Mss::of_mtu_ip4,
            SocketAddr::V6(_) => Mss::of_mtu_ip6,
        };
        // What we take does not depend on what others can be sent (RFC 9293 §3.7.1): the first link's size is announced.
        let mss = of_mtu(path.link_mtu_bytes);
        OwnSyn {
            iss: self.secrets.isn(cx.now, tuple),
            mss: settings.mss_max.map_or(mss, |bound| mss.min(Mss::announced(bound))),
            path_mss: of_mtu(path.mtu_bytes),
            stamp_offset: self.offers.timestamps.then(|| self.secrets.stamp_offset(tuple)),
            sack: self.offers.sack,
            scale: self.offers.window_scaling.then(|| OwnSyn::scale_for(settings)),
            ecn: self.offers.ecn,
            fast_open: None,
        }
    }

    pub(super) fn sleep_half_open(&mut self, id: HalfOpenId) {
        if let Some(half_open) = self.half_opens.get_mut(id) {
            self.timers.want(Sleeper::HalfOpen(id), &mut half_open.timer_at, half_open.timer);
        }
    }
}

/// What a listener says to Fast Open.
enum FastOpenAnswer {
    /// Nothing is taken from the SYN; the SYN-ACK may carry a cookie.
    Told(Option<FastOpen>),
    /// The SYN's data is taken; a cookie that was outdated is replaced.
    Taken(Option<FastOpen>),
}

/// SYN-SENT or SYN-RECEIVED → ESTABLISHED, for an active open.
fn established(connection: &mut Connection, open: Open) {
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
