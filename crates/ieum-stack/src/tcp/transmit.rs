//! The way down: debtors pay, one packet at a time. Only this file builds segments.

use ieum_wire::tcp::{AccEcn, Flags, HEADER_BYTES_MAX, Header, Options, SackBlocks};
use ieum_wire::{ChecksumState, Gso, GsoKind, Instant, Packet, Protocol, segmentation};

use super::connection::{Connection, Phase};
use super::ecn::{self, Ecn, EcnRules};
use super::half_open::HalfOpen;
use super::open::{Open, STAMP_BYTES};
use super::peer_syn::OwnSyn;
use super::reply::Reply;
use super::send::{Piece, Sizes};
use super::settings::TcpSettings;
use super::timers::Sleeper;
use super::tuple::FourTuple;
use super::{Debtor, Tcp};
use crate::LinkId;
use crate::context::Context;
use crate::drops::Drop;
use crate::event::Event;
use crate::ip::{Outgoing, Path};

/// A segment about to become a packet: its header, and its payload in pieces.
struct Draft<'a, I: Iterator<Item = &'a [u8]>> {
    tuple: FourTuple,
    header: Header,
    payload: I,
    payload_bytes: usize,
    /// Payload of one frame, should the packet stand for several.
    mss: u32,
    ip: IpFields,
}

/// What a user chooses of the IP header, and of the way.
#[derive(Clone, Copy)]
struct IpFields {
    ttl: u8,
    tos: u8,
    dont_fragment: bool,
    /// The only link, if the connection keeps to one.
    link: Option<LinkId>,
}

impl IpFields {
    fn of(settings: &TcpSettings, may_be_marked: bool) -> IpFields {
        IpFields {
            ttl: settings.ttl,
            tos: ecn::tos(settings.tos, may_be_marked),
            dont_fragment: settings.discovers_path_mtu,
            link: settings.link,
        }
    }
}

impl Tcp {
    /// The next packet that somebody owes; `None` when nobody owes any.
    pub(crate) fn transmit(&mut self, cx: &mut Context<'_>) -> Option<(LinkId, Packet)> {
        while let Some(reply) = self.replies.pop_front() {
            if let Some(frame) = reply.emit(cx) {
                return Some(frame);
            }
        }
        while let Some(debtor) = self.debts.pop_front() {
            let frame = match debtor {
                Debtor::Connection(id) => {
                    let Some(connection) = self.connections.get_mut(id) else { continue };
                    let frame = connection.transmit(cx, &self.offers.ecn);
                    connection.in_debt = frame.is_some();
                    if connection.open_mut().is_some_and(|open| open.has_passed_marks(cx.now)) {
                        cx.events.push(Event::Connection(id));
                    }
                    let wanted = connection.deadline();
                    self.timers.want(Sleeper::Connection(id), &mut connection.timer_at, wanted);
                    frame
                }
                Debtor::HalfOpen(id) => {
                    let Some(half_open) = self.half_opens.get_mut(id) else { continue };
                    let frame = half_open.transmit(cx);
                    half_open.in_debt = frame.is_some();
                    self.sleep_half_open(id);
                    frame
                }
            };
            if frame.is_some() {
                // It may have more to say, after the others.
                self.debts.push_back(debtor);
                return frame;
            }
        }
        None
    }
}

impl Connection {
    fn transmit(&mut self, cx: &mut Context<'_>, rules: &EcnRules) -> Option<(LinkId, Packet)> {
        let Connection { tuple, settings, phase, .. } = self;
        let tuple = *tuple;
        match phase {
            Phase::Handshake(handshake) => {
                if !handshake.syn.owed {
                    return None;
                }
                let (own, peer) = (&handshake.own, handshake.peer.as_ref());
                // A SYN-ACK that crosses has been sent as a SYN already.
                let tries = if peer.is_some() {
                    handshake.syn.retries.saturating_sub(1)
                } else {
                    handshake.syn.retries
                };
                let header = syn(cx.now, &tuple, own, peer, tries, settings);
                let is_first = handshake.syn.sent_at.is_none();
                handshake.syn_sent(cx.now, settings.rto_max);
                let data = if is_first { handshake.fast.data.as_slice() } else { &[] };
                emit_alone(cx, tuple, header, data, IpFields::of(settings, false))
            }
            Phase::Open(open) => open.transmit(cx, tuple, settings, rules),
            Phase::Closed(_) => None,
        }
    }
}

impl HalfOpen {
    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<(LinkId, Packet)> {
        if !self.syn_ack_owed {
            return None;
        }
        let header = syn(cx.now, &self.tuple, &self.own, Some(&self.peer), self.sends, &self.settings);
        self.syn_ack_sent(cx.now);
        self.own.fast_open = None;
        emit_alone(cx, self.tuple, header, &[], IpFields::of(&self.settings, false))
    }
}

impl Reply {
    fn emit(&self, cx: &mut Context<'_>) -> Option<(LinkId, Packet)> {
        let ip = IpFields { tos: self.tos, link: self.link, ..IpFields::of(&TcpSettings::default(), false) };
        emit_alone(cx, self.tuple, self.header, &[], ip)
    }
}

impl Open {
    /// Data first, which carries an acknowledgement along; else an acknowledgement that is due; else nothing.
    fn transmit(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        settings: &TcpSettings,
        rules: &EcnRules,
    ) -> Option<(LinkId, Packet)> {
        if let Some((own, peer, tries)) = self.owed_syn_ack(cx.now, settings.rto_max) {
            // It acknowledges what came with the SYN.
            let header = syn(cx.now, &tuple, &own, Some(&peer), tries, settings);
            let header = Header { ack: self.recv.nxt(), ..header };
            return emit_alone(cx, tuple, header, &[], IpFields::of(settings, false));
        }
        // Asked once more after all that was said, and mostly in vain.
        if !(self.send.wants_turn() || self.recv.ack.is_due() || self.keepalive_owed) {
            return None;
        }
        let path = cx.path(Protocol::Tcp, settings.link, Some(tuple.local.ip()), tuple.remote);
        let (sack, acc_ecn) = self.reports(cx.now, rules);
        let report_bytes = SackBlocks::len_bytes_of(sack.as_slice().len())
            + acc_ecn.map_or(0, |option| AccEcn::len_bytes_of(option.fields().len()));
        // Whoever cuts a super-segment leaves CWR to its first piece; as part of a number it belongs on each.
        let whole = !self.ecn.accurate().is_some_and(|accurate| accurate.says_cwr());
        let offload = whole && path.as_ref().is_ok_and(|path| path.segmentation_offload);
        let sizes = self.sizes(offload, report_bytes);
        let beside = u32::try_from(report_bytes).expect("options have 40 bytes");
        let probe = self.probe_size(cx.now, beside);
        let sizes = probe.map_or(sizes, |size| Sizes { mss: size, piece_max: size });
        let piece = self.send.next_piece(cx.now, &sizes, settings).or_else(|| self.bare_piece())?;
        if let Some(size) = probe {
            self.probe_sent(&piece, size, beside);
        }
        let header = self.header(cx.now, &tuple, &piece, sack, acc_ecn);
        let Ok(path) = path else {
            // The route is gone. What was to be said counts as sent and lost: the timers ask again.
            cx.drops.count(Drop::TcpNoRoute);
            return None;
        };
        let (payload_bytes, mss) = (piece.count, sizes.mss);
        self.totals.sent(cx.now, payload_bytes, mss, piece.again);
        self.marks_sent(cx.now, &piece);
        let payload = self.send.slices(&piece);
        let may_be_marked = match &self.ecn {
            Ecn::Off => false,
            Ecn::Classic(_) => payload_bytes > 0 && !piece.again,
            Ecn::Accurate(accurate) => accurate.may_be_marked(),
        };
        let ip = IpFields::of(settings, may_be_marked);
        let draft = Draft { tuple, header, payload, payload_bytes, mss, ip };
        Some(emit(cx, &path, draft))
    }

    /// What the next segment says of what arrived: blocks of SACK, and counters of ECN.
    fn reports(&self, now: Instant, rules: &EcnRules) -> (SackBlocks, Option<AccEcn>) {
        let sack = self.recv.sack_blocks(self.sack_blocks_max());
        let Some(accurate) = self.ecn.accurate() else { return (sack, None) };
        let other = if self.stamps.is_some() { STAMP_BYTES } else { 0 };
        let other = usize::try_from(other).expect("options have 40 bytes");
        let report = accurate.report(now, rules, self.send.smoothed_rtt(), sack.as_slice().len(), other);
        let sack =
            if report.blocks < sack.as_slice().len() { self.recv.sack_blocks(report.blocks) } else { sack };
        (sack, report.option)
    }

    /// A segment without data, when an acknowledgement or a keepalive probe is due.
    fn bare_piece(&mut self) -> Option<Piece> {
        let at = Piece::bare;
        if std::mem::take(&mut self.keepalive_owed) {
            // RFC 9293 §3.8.4: a position the peer has had already, which it must answer.
            return Some(at(self.send.una() - 1));
        }
        self.recv.ack.is_due().then(|| at(self.send.bare_seq()))
    }

    fn header(
        &mut self,
        now: Instant,
        tuple: &FourTuple,
        piece: &Piece,
        sack: SackBlocks,
        acc_ecn: Option<AccEcn>,
    ) -> Header {
        let ack = self.recv.nxt();
        let window = self.recv.tell_window();
        self.recv.ack.sent(now, piece.count > 0);
        let duplicate = self.recv.sack_told();
        let flags = Flags { psh: piece.push, fin: piece.fin, ..Flags::ACK };
        let flags = match &mut self.ecn {
            Ecn::Off => flags,
            Ecn::Classic(classic) => Flags { ece: classic.echoes, cwr: piece.reduced, ..flags },
            Ecn::Accurate(accurate) => {
                if acc_ecn.is_some() {
                    accurate.reported(now, duplicate);
                }
                flags.with_ace(accurate.say(piece.count == 0 && !piece.fin))
            }
        };
        let timestamps = self.stamps.as_mut().map(|stamps| stamps.option(now, ack));
        let urgent = self.send.urgent_pointer(piece.seq);
        Header {
            source_port: tuple.local.port(),
            destination_port: tuple.remote.port(),
            seq: piece.seq,
            ack,
            flags: Flags { urg: urgent.is_some(), ..flags },
            window,
            urgent: urgent.unwrap_or(0),
            options: Options { timestamps, sack, acc_ecn, ..Options::default() },
        }
    }
}

/// A SYN or, with the peer's, a SYN-ACK.
pub(super) fn syn(
    now: Instant,
    tuple: &FourTuple,
    own: &OwnSyn,
    peer: Option<&super::peer_syn::PeerSyn>,
    tries: u32,
    settings: &TcpSettings,
) -> Header {
    Header {
        source_port: tuple.local.port(),
        destination_port: tuple.remote.port(),
        seq: own.iss,
        ack: peer.map(|peer| peer.irs + 1).unwrap_or_default(),
        flags: Flags { syn: true, ack: peer.is_some(), ..Flags::default() }.with_ace(own.ace(peer, tries)),
        window: own.window(settings, peer),
        urgent: 0,
        options: own.options(now, peer, tries),
    }
}

/// A segment of one frame at most; `None` when there is no way to its receiver any more.
fn emit_alone(
    cx: &mut Context<'_>,
    tuple: FourTuple,
    header: Header,
    data: &[u8],
    ip: IpFields,
) -> Option<(LinkId, Packet)> {
    let Ok(path) = cx.path(Protocol::Tcp, ip.link, Some(tuple.local.ip()), tuple.remote) else {
        cx.drops.count(Drop::TcpNoRoute);
        return None;
    };
    let payload = std::iter::once(data);
    let draft = Draft { tuple, header, payload, payload_bytes: data.len(), mss: u32::MAX, ip };
    Some(emit(cx, &path, draft))
}

/// The packet: IP header, TCP header, payload; its checksum where the link does not take it without.
fn emit<'a>(
    cx: &mut Context<'_>,
    path: &Path,
    draft: Draft<'a, impl Iterator<Item = &'a [u8]>>,
) -> (LinkId, Packet) {
    let outgoing = Outgoing {
        source: draft.tuple.local.ip(),
        destination: draft.tuple.remote.ip(),
        protocol: Protocol::Tcp,
        ttl: draft.ip.ttl,
        tos: draft.ip.tos,
        dont_fragment: draft.ip.dont_fragment,
    };
    let mut header = [0; HEADER_BYTES_MAX];
    let header_bytes = draft.header.emit(&mut header);
    let mut packet = cx.ip.begin(&outgoing, header_bytes + draft.payload_bytes);
    packet.extend(&header[..header_bytes]);
    draft.payload.for_each(|slice| packet.extend(slice));
    let is_super = u32::try_from(draft.payload_bytes).is_ok_and(|bytes| bytes > draft.mss);
    packet.gso = is_super.then(|| Gso {
        kind: GsoKind::Tcp,
        size_bytes: u16::try_from(draft.mss).expect("an MSS has 16 bits"),
    });
    packet.checksum = ChecksumState::Deferred;
    if !path.checksum_offload {
        segmentation::finish_checksum(&mut packet);
    }
    (path.link, packet)
}
