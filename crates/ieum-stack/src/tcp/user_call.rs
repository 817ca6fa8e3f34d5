//! What users ask for (RFC 9293 §3.9.1): open, send, receive, close, abort, status.
//!
//! Each call changes facts and returns; nothing is sent here, nobody waits.

use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;

use ieum_wire::Unreachable;
use ieum_wire::tcp::{Flags, HEADER_BYTES_MAX, Header, Options};
use ieum_wire::{Instant, Protocol, SeqNumber};

use super::bounds::{BUFFER_BYTES_MAX, RECV_BUFFER_BYTES_MIN, SEND_BUFFER_BYTES_MIN};
use super::connection::{Connection, Holder, Over, Phase};
use super::fast_open::FastOpenKeys;
use super::half_open::{HalfOpen, Refusal, Request, Stage};
use super::handshake::Handshake;
use super::listener::{Listener, Place};
use super::peer_syn::OwnSyn;
use super::recv::UrgentByte;
use super::reply::Reply;
use super::rules::TimeWaitReuse;
use super::send::WriteEnd;
use super::settings::TcpSettings;
use super::state::{OurEnd, State};
use super::status::Status;
use super::time_wait::TimeWait;
use super::tuple::FourTuple;
use super::{ConnectionId, HalfOpenId, ListenerId, Owner, Tcp, TimeWaitId};
use crate::context::Context;
use crate::drops::{Drop, Drops};
use crate::icmp::Icmp;
use crate::ip::{Ip, Outgoing};
use crate::port::{BindingId, Hold, Ports};

/// Why a binding cannot listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ListenError {
    /// Another listener has this address and port.
    #[error("another listener has this address and port")]
    InUse,
}

/// Why an active open cannot even begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// No route leads there, or one says that nothing does.
    #[error("no route leads to that address")]
    Unreachable(Unreachable),
    /// Every ephemeral port is taken for that destination.
    #[error("no ephemeral port is free for that destination")]
    NoFreePort,
    /// A connection with that 4-tuple exists, if only in TIME-WAIT.
    #[error("that connection exists already")]
    InUse,
    /// The two addresses are of different families.
    #[error("the address family is not served")]
    Family,
}

impl Tcp {
    // Listening.

    /// CLOSED → LISTEN. With `held`, each SYN waits for a verdict.
    pub(crate) fn listen(
        &mut self,
        ports: &mut Ports,
        binding: BindingId,
        backlog: u32,
        held: bool,
        settings: TcpSettings,
    ) -> Result<ListenerId, ListenError> {
        let local = ports.address(binding).ok_or(ListenError::InUse)?;
        ports.set_listening(binding, true)?;
        let hold = ports.hold(binding);
        let both_families = ports.is_for_both_families(binding);
        let place = Place::Bound { binding, local, both_families };
        let settings =
            TcpSettings { fast_open_queue: self.fast_open_queue(&settings, backlog), ..bounded(settings) };
        let id = self.listeners.insert(Listener::new(place, backlog, held, settings, hold));
        for address in place.addresses() {
            self.listening.entry(address).or_default().push(id);
        }
        Ok(id)
    }

    /// Listens for everything that nobody else listens for.
    pub(crate) fn listen_any(&mut self, settings: TcpSettings) -> ListenerId {
        // Who listens for everybody carries bytes on, and reads each in its place.
        let settings = TcpSettings { urgent_inline: true, ..bounded(settings) };
        let id = self.listeners.insert(Listener::any(settings));
        self.listens_any = Some(id);
        id
    }

    /// What a listener's connections are made with from now on.
    pub(crate) fn configure_listener(&mut self, id: ListenerId, settings: TcpSettings) {
        let fast_open = self.fast_open_queue(&settings, self.listeners.get(id).map_or(0, Listener::backlog));
        if let Some(listener) = self.listeners.get_mut(id) {
            listener.settings = bounded(TcpSettings { fast_open_queue: fast_open, ..settings });
        }
    }

    /// A listener makes its cookies of Fast Open with keys of its own.
    pub(crate) fn set_fast_open_keys(&mut self, id: ListenerId, keys: FastOpenKeys) {
        if let Some(listener) = self.listeners.get_mut(id) {
            listener.fast_open_keys = Some(keys);
        }
    }

    /// How many connections by Fast Open a listener has room for: what it asked for, or its backlog where it need not ask.
    fn fast_open_queue(&self, settings: &TcpSettings, backlog: u32) -> u32 {
        let mode = self.rules.fast_open;
        match settings.fast_open_queue {
            0 if mode.server && mode.every_listener => backlog,
            asked => asked,
        }
    }

    pub(crate) fn set_backlog(&mut self, id: ListenerId, backlog: u32) {
        if let Some(listener) = self.listeners.get_mut(id) {
            listener.set_backlog(backlog);
        }
    }

    pub(crate) fn request(&self, id: HalfOpenId) -> Option<Request> {
        let HalfOpen { listener, tuple, .. } = self.half_opens.get(id)?;
        Some(Request { listener: *listener, local: tuple.local, remote: tuple.remote })
    }

    /// A held SYN is answered by a SYN-ACK.
    pub(crate) fn accept_request(&mut self, id: HalfOpenId) {
        if let Some(half_open) = self.half_opens.get_mut(id).filter(|it| it.stage == Stage::Held) {
            half_open.answer();
            self.owe_half_open(id);
        }
    }

    /// A held SYN is refused.
    pub(crate) fn refuse_request(
        &mut self,
        ip: &mut Ip,
        icmp: &mut Icmp,
        drops: &mut Drops,
        id: HalfOpenId,
        refusal: Refusal,
    ) {
        let Some(half_open) = self.half_opens.get_mut(id).filter(|it| it.stage == Stage::Held) else {
            return;
        };
        let (tuple, irs) = (half_open.tuple, half_open.peer.irs);
        match refusal {
            Refusal::Silence => {
                half_open.stage = Stage::Silent;
                return;
            }
            Refusal::Reset => self.owe_reply(drops, Reply::reset(tuple, SeqNumber::new(0), Some(irs + 1))),
            Refusal::Unreachable(reason) => owe_unreachable(ip, icmp, &tuple, irs, reason),
        }
        self.remove_half_open(id);
    }

    /// LISTEN → CLOSED. Connections that nobody accepted are reset; half-open ones are forgotten, so that the segment that
    /// would complete one finds nobody and is reset. Those that wait for a verdict were promised nothing: whoever listens for
    /// them now has them, or they are refused, as if their SYN came now.
    pub(crate) fn close_listener(&mut self, cx: &mut Context<'_>, id: ListenerId) {
        let half_opens: Vec<_> = self
            .half_opens
            .iter()
            .filter(|(_, it)| it.listener == id)
            .map(|(half_open, it)| (half_open, it.stage))
            .collect();
        let Some(listener) = self.listeners.remove(id) else { return };
        match listener.place {
            Place::Any => self.listens_any = None,
            Place::Bound { binding, .. } => {
                // Ceasing to listen conflicts with nobody.
                let _ = cx.ports.set_listening(binding, false);
            }
        }
        for address in listener.place.addresses() {
            if let Some(group) = self.listening.get_mut(&address) {
                group.retain(|other| *other != id);
                if group.is_empty() {
                    self.listening.remove(&address);
                }
            }
        }
        for (half_open, stage) in half_opens {
            let Some(half_open) = self.remove_half_open(half_open) else { continue };
            if stage == Stage::Held {
                self.pass_on(cx, half_open);
            }
        }
        for connection in listener.accept_queue {
            self.abort_call(cx, connection);
        }
    }

    /// What asked a listener that is gone asks the one that its SYN would find now. That SYN was counted as taken when it came:
    /// where there is no room or no way for it now, it is counted as lost besides, and comes again.
    fn pass_on(&mut self, cx: &mut Context<'_>, asking: HalfOpen) {
        let HalfOpen { tuple, heard_over, own, peer, .. } = asking;
        let other = self.listener_for(&tuple, heard_over);
        let Some((id, listener)) = other.and_then(|id| Some((id, self.listeners.get(id)?))) else {
            return self.owe_reply(cx.drops, Reply::reset(tuple, SeqNumber::new(0), Some(peer.irs + 1)));
        };
        let (settings, full) =
            (listener.settings, listener.syn_queue_is_full() || listener.accept_queue_is_full());
        let path = cx.path(Protocol::Tcp, settings.link, Some(tuple.local.ip()), tuple.remote);
        let Some(path) = path.ok().filter(|_| !full) else {
            return cx.drops.count(Drop::TcpNotPassedOn);
        };
        let own = OwnSyn { iss: own.iss, ..self.own_syn(cx, &tuple, &path, &settings) };
        self.enter_half_open(cx, HalfOpen::new(tuple, heard_over, id, own, peer, settings));
    }

    /// The connection that has waited longest to be accepted.
    pub(crate) fn accept(&mut self, id: ListenerId) -> Option<ConnectionId> {
        let id = self.listeners.get_mut(id)?.accept_queue.pop_front()?;
        if let Some(connection) = self.connections.get_mut(id) {
            if let Some(open) = connection.open_mut() {
                open.recv.held = true;
            }
            connection.holder = Holder::User;
        }
        Some(id)
    }

    pub(crate) fn set_waiting_elsewhere(&mut self, id: ListenerId, count: u32) {
        if let Some(listener) = self.listeners.get_mut(id) {
            listener.set_waiting_elsewhere(count);
        }
    }

    pub(crate) fn waiting(&self, id: ListenerId) -> u32 {
        self.listeners.get(id).map_or(0, |listener| listener.waiting())
    }

    pub(crate) fn accept_queue_len(&self, id: ListenerId) -> usize {
        self.listeners.get(id).map_or(0, |listener| listener.accept_queue.len())
    }

    // Connecting.

    /// CLOSED → SYN-SENT.
    pub(crate) fn connect(
        &mut self,
        cx: &mut Context<'_>,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
    ) -> Result<ConnectionId, ConnectError> {
        let settings = bounded(settings);
        // Without IPv6's flow label and scope, which would make equals differ.
        let remote = SocketAddr::new(remote.ip(), remote.port());
        let bound = binding.and_then(|binding| cx.ports.address(binding));
        let source = bound.map(|local| local.ip()).filter(|address| !address.is_unspecified());
        let both_families = binding.is_some_and(|binding| cx.ports.is_for_both_families(binding));
        let own_family = bound.is_none_or(|bound| bound.is_ipv4() == remote.is_ipv4());
        if !own_family && !both_families {
            return Err(ConnectError::Family);
        }
        let path =
            cx.path(Protocol::Tcp, settings.link, source, remote).map_err(ConnectError::Unreachable)?;
        // A binding of an address alone leaves the port to be chosen here.
        let holds_port = bound.filter(|local| local.port() != 0);
        let tuple = match holds_port {
            Some(local) => FourTuple { local: SocketAddr::new(path.source, local.port()), remote },
            None => {
                let free = |port| {
                    let local = SocketAddr::new(path.source, port);
                    !self.demux.contains_key(&FourTuple { local, remote })
                };
                let port = cx.ports.ephemeral(Protocol::Tcp, path.source, settings.ports, cx.chance, free);
                let port = port.ok_or(ConnectError::NoFreePort)?;
                FourTuple { local: SocketAddr::new(path.source, port), remote }
            }
        };
        let mut own = self.own_syn(cx, &tuple, &path, &settings);
        match self.demux.get(&tuple).copied() {
            None => {}
            Some(Owner::TimeWait(id)) if self.gives_way(cx.now, id) => {
                own.iss = self.time_waits.get(id).map_or(own.iss, TimeWait::next_iss);
                self.end_time_wait(cx, id);
            }
            Some(_) => return Err(ConnectError::InUse),
        }
        // Who was not bound is for both families unless it said otherwise, which nobody does who only connects.
        let unbound = Hold { both_families: true, link: settings.link, reuse: settings.shares_port };
        let hold = binding.filter(|_| holds_port.is_some()).map_or(unbound, |binding| cx.ports.hold(binding));
        let phase = Phase::Handshake(Handshake::new(own));
        let id = self.enter(cx, Connection::new(tuple, settings, phase, Holder::User, hold));
        self.settle(cx, id);
        Ok(id)
    }

    /// May a connection of ours take the place of this TIME-WAIT? (RFC 6191 §2)
    fn gives_way(&self, now: Instant, id: TimeWaitId) -> bool {
        let Some(waiting) = self.time_waits.get(id) else { return false };
        let wanted = match self.rules.time_wait_reuse {
            TimeWaitReuse::Never => false,
            TimeWaitReuse::Always => true,
            TimeWaitReuse::Loopback => waiting.tuple.remote.ip().to_canonical().is_loopback(),
        };
        wanted && waiting.may_be_reused(now)
    }

    /// Changes a connection's settings. The receive buffer never shrinks below what its window scale was made for.
    pub(crate) fn configure(&mut self, cx: &mut Context<'_>, id: ConnectionId, settings: TcpSettings) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let before = std::mem::replace(&mut connection.settings, bounded(settings));
        let settings = connection.settings;
        if let Some(open) = connection.open_mut() {
            open.recv.configure(&before, &settings);
            open.send.notice_full(&settings);
        }
        let congestion = connection.settings.congestion;
        if let Some(open) = connection.open_mut() {
            open.send.set_congestion(cx.now, congestion);
        }
        connection.news = true;
        self.settle(cx, id);
    }

    /// What waits for company goes now.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        if let Some((open, _)) = self.open_mut(id) {
            open.send.flush();
            self.settle(cx, id);
        }
    }

    /// Acknowledgements go at once, or wait, until the connection's course suggests otherwise.
    pub(crate) fn set_quick_ack(&mut self, cx: &mut Context<'_>, id: ConnectionId, quick: bool) {
        if let Some((open, _)) = self.open_mut(id) {
            open.recv.set_quick_ack(quick);
            self.settle(cx, id);
        }
    }

    pub(crate) fn status(&self, id: ConnectionId) -> Option<Status> {
        self.connections.get(id).map(Connection::status)
    }

    // Bytes.

    /// Queues bytes to be sent; returns how many there was room for.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context<'_>,
        id: ConnectionId,
        bytes: &[u8],
        end: WriteEnd,
    ) -> usize {
        if self.is_deferred(id) {
            return self.send_with_syn(cx, id, bytes);
        }
        let Some((open, settings)) = self.open_mut(id) else { return 0 };
        let count = open.send.queue(&settings, bytes, end);
        self.settle(cx, id);
        count
    }

    /// Memory of the send buffer to be filled by the caller, at most `bytes_max`.
    pub(crate) fn send_space(&mut self, id: ConnectionId, bytes_max: usize) -> Vec<IoSliceMut<'_>> {
        let Some((open, settings)) = self.open_mut(id) else { return Vec::new() };
        open.send.room_wanted |= open.send.room(&settings) < bytes_max;
        open.send.space(&settings, bytes_max)
    }

    /// `count` bytes of that memory were filled.
    pub(crate) fn commit(&mut self, cx: &mut Context<'_>, id: ConnectionId, count: usize) {
        let Some((open, settings)) = self.open_mut(id) else { return };
        open.send.commit(&settings, count);
        if count > 0 {
            self.settle(cx, id);
        }
    }

    /// Copies received bytes; with `peek` they stay.
    pub(crate) fn recv(
        &mut self,
        cx: &mut Context<'_>,
        id: ConnectionId,
        into: &mut [u8],
        peek: bool,
    ) -> usize {
        let Some(connection) = self.connections.get(id) else { return 0 };
        let Some(recv) = connection.recv() else { return 0 };
        if into.is_empty() {
            // An urgent byte that comes next stays, too.
            return 0;
        }
        let (skipped, most) = recv.readable_to_mark(connection.settings.urgent_inline);
        let most = most.min(into.len());
        let count = recv.peek(skipped, &mut into[..most]);
        if !peek {
            self.consume(cx, id, skipped + count, None);
        }
        count
    }

    /// The urgent byte, by itself.
    pub(crate) fn recv_urgent(&mut self, id: ConnectionId, peek: bool) -> UrgentByte {
        let Some(connection) = self.connections.get_mut(id) else { return UrgentByte::Nothing };
        if connection.settings.urgent_inline {
            return UrgentByte::Nothing;
        }
        connection.recv_mut().map_or(UrgentByte::Nothing, |recv| recv.urgent_byte(peek))
    }

    /// Does the next read begin at the urgent byte?
    pub(crate) fn is_at_mark(&self, id: ConnectionId) -> bool {
        self.connections.get(id).and_then(Connection::recv).is_some_and(|recv| recv.is_at_mark())
    }

    /// How many readable bytes come before the urgent one, which is readable too.
    pub(crate) fn urgent_ahead(&self, id: ConnectionId) -> Option<usize> {
        self.connections.get(id).and_then(Connection::recv)?.urgent_offset()
    }

    /// Queues bytes to be sent, the last of which is urgent.
    pub(crate) fn send_urgent(&mut self, cx: &mut Context<'_>, id: ConnectionId, bytes: &[u8]) -> usize {
        let count = self.send(cx, id, bytes, WriteEnd::Push);
        if count > 0
            && let Some((open, _)) = self.open_mut(id)
        {
            open.send.mark_urgent();
        }
        count
    }

    /// Received bytes where they lie.
    pub(crate) fn recv_chunks(&self, id: ConnectionId) -> Vec<IoSlice<'_>> {
        self.connections.get(id).and_then(Connection::recv).map_or_else(Vec::new, |recv| recv.chunks())
    }

    /// The first `count` received bytes were read or, with `queued`, handed on to a reader who had so many unread.
    pub(crate) fn consume(
        &mut self,
        cx: &mut Context<'_>,
        id: ConnectionId,
        count: usize,
        queued: Option<usize>,
    ) {
        let Some(connection) = self.connections.get_mut(id).filter(|_| count > 0) else { return };
        let settings = connection.settings;
        match &mut connection.phase {
            Phase::Open(open) => {
                open.recv.consume(cx.now, &settings, count, queued);
                if open.recv.ack.is_due() {
                    self.settle(cx, id);
                }
            }
            // Nobody is told of the room: the connection is over.
            Phase::Closed(Over { recv: Some(recv), .. }) => recv.consume(cx.now, &settings, count, queued),
            Phase::Closed(Over { recv: None, .. }) | Phase::Handshake(_) => {}
        }
    }

    // Ending.

    /// ESTABLISHED → FIN-WAIT-1, CLOSE-WAIT → LAST-ACK: a FIN follows what is queued. A connection that is not open
    /// yet is given up.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match &mut connection.phase {
            Phase::Open(open) => open.we_finish(),
            Phase::Handshake(_) => self.abort(cx, id, None),
            Phase::Closed(_) => {}
        }
        self.settle(cx, id);
    }

    /// The user reads no more. When it says no more either, data that comes resets the connection (RFC 1122 §4.2.2.13); until
    /// then it is kept, as on Linux.
    pub(crate) fn stop_reading(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.deaf = true;
        }
    }

    /// The user is done with it. Bytes queued are still delivered, then a FIN; but when received bytes were left
    /// unread the peer is reset, since it must not believe that they arrived (RFC 2525 §2.17).
    ///
    /// So it is when there are too many connections already that nobody holds, and when the user would not have the
    /// peer's end waited for (TCP_LINGER2) and ours was acknowledged before.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let too_many = self.orphans >= self.rules.orphans_max;
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.holder = Holder::Nobody;
        let fin_timeout = connection.settings.fin_timeout;
        match &mut connection.phase {
            Phase::Open(open) if open.recv.readable() == 0 && !too_many => {
                open.we_finish();
                open.orphaned(cx.now, fin_timeout);
                let over = open.state() == State::FinWait2 && fin_timeout.is_none();
                connection.orphan = true;
                self.orphans += 1;
                if over {
                    self.abort(cx, id, None);
                }
            }
            Phase::Open(_) => {
                if too_many {
                    cx.drops.count(Drop::TcpTooManyOrphans);
                }
                self.abort(cx, id, None);
            }
            Phase::Handshake(_) | Phase::Closed(_) => self.abort(cx, id, None),
        }
        self.settle(cx, id);
    }

    /// The user is done with it, and so is the peer: RST.
    pub(crate) fn abort_call(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.holder = Holder::Nobody;
        self.abort(cx, id, None);
        self.settle(cx, id);
    }

    /// Connections that nobody holds and that still have to deliver bytes or their end.
    pub(crate) fn unfinished(&self) -> usize {
        self.connections.values().filter(|connection| connection.is_unfinished()).count()
    }

    fn open_mut(&mut self, id: ConnectionId) -> Option<(&mut super::open::Open, TcpSettings)> {
        let connection = self.connections.get_mut(id)?;
        let settings = connection.settings;
        connection.open_mut().filter(|open| open.send.our_end() == OurEnd::Open).map(|open| (open, settings))
    }
}

/// Buffers within their bounds.
fn bounded(settings: TcpSettings) -> TcpSettings {
    TcpSettings {
        send_buffer_bytes: settings.send_buffer_bytes.clamp(SEND_BUFFER_BYTES_MIN, BUFFER_BYTES_MAX),
        send_buffer_bytes_max: settings.send_buffer_bytes_max.min(BUFFER_BYTES_MAX),
        recv_buffer_bytes: settings.recv_buffer_bytes.clamp(RECV_BUFFER_BYTES_MIN, BUFFER_BYTES_MAX),
        recv_buffer_bytes_max: settings.recv_buffer_bytes_max.min(BUFFER_BYTES_MAX),
        ..settings
    }
}

/// The ICMP error that answers a SYN which was held: it quotes that SYN, made anew from what is known of it.
fn owe_unreachable(ip: &mut Ip, icmp: &mut Icmp, tuple: &FourTuple, irs: SeqNumber, reason: Unreachable) {
    let syn = Header {
        source_port: tuple.remote.port(),
        destination_port: tuple.local.port(),
        seq: irs,
        ack: SeqNumber::new(0),
        flags: Flags { syn: true, ..Flags::default() },
        window: 0,
        urgent: 0,
        options: Options::default(),
    };
    let mut bytes = [0; HEADER_BYTES_MAX];
    let length = syn.emit(&mut bytes);
    let outgoing = Outgoing {
        source: tuple.remote.ip(),
        destination: tuple.local.ip(),
        protocol: Protocol::Tcp,
        ttl: ieum_wire::ip4::TTL_DEFAULT,
        tos: 0,
        dont_fragment: true,
    };
    let mut original = ip.begin(&outgoing, length);
    original.extend(&bytes[..length]);
    icmp.owe_unreachable(tuple.local.ip(), tuple.remote.ip(), reason, original.bytes());
}
