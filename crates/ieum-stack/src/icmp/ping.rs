//! Ping sockets: users who send echo requests and hear the replies, without a right to any other message
//! (Linux's ping sockets, icmp(7) and net/ipv4/ping.c).
//!
//! An endpoint has an *identifier*, which stands where a port does: chosen by its user or free. It may only send echo
//! requests; whatever identifier those carry is replaced by its own, and the checksum is computed here. It receives the
//! replies to its identifier, whole messages without IP header, and hears of ICMP errors about its requests.
//!
//! Invariants:
//!
//! 1. Each endpoint stands in `by_identifier` exactly once, under its family and identifier, the last bound last.
//! 2. Received messages and those on their way out are bounded in bytes for each endpoint.
//!
//! Differences from Linux: identifiers begin at a random one and not where the last stopped; extended echoes (RFC 8335)
//! are no echo requests here.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ieum_wire::{Packet, Protocol, Unreachable, icmp4, icmp6};
use slotmap::SlotMap;

use super::{ECHO_REQUEST4, ECHO_REQUEST6};
use crate::bounds::{PING_MESSAGE_BYTES_MAX_IP4, PING_MESSAGE_BYTES_MAX_IP6};
use crate::chance::Chance;
use crate::drops::{Drop, Drops};
use crate::event::{Event, Events};
use crate::ip::{Family, Ip, Outgoing, Path, Received};
use crate::link::LinkId;
use crate::port::BindError;
use crate::udp::{Envelope, Inbox, Outbox, cost_bytes};
use crate::{ConnectError, Datagram, SendFields, Stack};

slotmap::new_key_type! {
    /// Names a ping endpoint.
    pub struct PingId;
}

/// Why an echo request was not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PingSendError {
    /// Not an echo request of the endpoint's family, with code 0 and its whole header.
    #[error("not an echo request")]
    NotAnEchoRequest,
    /// More than a packet can carry.
    #[error("too large")]
    TooLarge,
    /// The endpoint and the destination are of different families.
    #[error("the address family is not the endpoint's")]
    Family,
    /// No way leads there.
    #[error("no route")]
    Unreachable(Unreachable),
    /// Too much is waiting to be sent: [`crate::Event::Ping`] comes when there is room again.
    #[error("queue full")]
    QueueFull,
    /// There is no such endpoint (any more).
    #[error("no such endpoint")]
    Gone,
}

/// One ping endpoint.
#[derive(Debug)]
struct Endpoint {
    /// What was bound; its port is the identifier.
    bound: SocketAddr,
    /// Where it is reached: a single address while connected.
    local: SocketAddr,
    /// Where requests go that name no destination.
    remote: Option<SocketAddr>,
    /// The only link it speaks and hears over, if it keeps to one.
    link: Option<LinkId>,
    /// Its identifier may be had by others that say so too.
    reuse: bool,
    inbox: Inbox,
    /// An ICMP error about a request, not yet taken.
    error: Option<Unreachable>,
    /// What was sent and has not left.
    outbox: Outbox,
}

/// A request on its way out.
#[derive(Debug)]
struct Request {
    endpoint: PingId,
    path: Path,
    destination: IpAddr,
    /// The message as the wire will carry it.
    message: Vec<u8>,
    fields: SendFields,
}

/// A family and an identifier.
type Name = (Family, u16);

/// All ping endpoints of a stack.
#[derive(Debug, Default)]
pub(crate) struct Ping {
    endpoints: SlotMap<PingId, Endpoint>,
    by_identifier: BTreeMap<Name, Vec<PingId>>,
    owed: VecDeque<Request>,
}

impl Ping {
    /// An echo reply for `identifier` came: the endpoint last bound that is reached at its destination gets it.
    pub(crate) fn on_reply(
        &mut self,
        received: &Received<'_>,
        identifier: u16,
        events: &mut Events,
    ) -> Result<(), Drop> {
        let id =
            self.find(Some(received.heard_over), received.destination, identifier).ok_or(Drop::IcmpKind)?;
        let endpoint = self.endpoints.get_mut(id).ok_or(Drop::IcmpKind)?;
        let source = SocketAddr::new(received.source, 0);
        let destination = SocketAddr::new(received.destination, identifier);
        let Received { link, heard_over, came_at, ttl, tos, .. } = *received;
        let segment_bytes = None;
        let envelope = Envelope { source, destination, link, heard_over, came_at, ttl, tos, segment_bytes };
        if !endpoint.inbox.push(envelope, received.payload) {
            return Err(Drop::PingQueueFull);
        }
        events.push(Event::Ping(id));
        Ok(())
    }

    /// An echo request from `ours` with `identifier` was not delivered. Whether that is an error is its user's affair.
    pub(crate) fn on_unreachable(
        &mut self,
        reason: Unreachable,
        ours: IpAddr,
        identifier: u16,
        events: &mut Events,
    ) {
        if let Some(id) = self.find(None, ours, identifier)
            && let Some(endpoint) = self.endpoints.get_mut(id)
        {
            endpoint.error = Some(reason);
            events.push(Event::Ping(id));
        }
    }

    /// The next request's packet, or its first fragment.
    pub(crate) fn transmit(
        &mut self,
        ip: &mut Ip,
        drops: &mut Drops,
        events: &mut Events,
    ) -> Option<(LinkId, Packet)> {
        while let Some(request) = self.owed.pop_front() {
            self.discharge(&request, events);
            let packet = build(&request, ip);
            match ip.fit(&request.path, packet) {
                Ok(out) => return Some(out),
                Err(_) => drops.count(Drop::IcmpUnsent),
            }
        }
        None
    }

    /// The invariants above.
    pub(crate) fn check(&self) {
        for (id, endpoint) in &self.endpoints {
            let group = self.by_identifier.get(&name(endpoint.bound));
            let times = group.map_or(0, |group| group.iter().filter(|other| **other == id).count());
            assert_eq!(times, 1, "each ping endpoint stands under its identifier once");
        }
        let named: usize = self.by_identifier.values().map(Vec::len).sum();
        assert_eq!(named, self.endpoints.len(), "no identifier names an endpoint that is gone");
    }

    /// Whose request had that address and identifier; by an answer over `link`, if it is one.
    fn find(&self, link: Option<LinkId>, local: IpAddr, identifier: u16) -> Option<PingId> {
        let reached = |id: &&PingId| {
            let endpoint = self.endpoints.get(**id);
            endpoint.is_some_and(|endpoint| {
                let (own, kept_to) = (endpoint.local.ip(), endpoint.link);
                let is_heard = link.is_none() || kept_to.is_none() || kept_to == link;
                is_heard && (own == local || own.is_unspecified())
            })
        };
        self.by_identifier.get(&(Family::of(local), identifier))?.iter().rev().find(reached).copied()
    }

    /// An identifier for an endpoint that shares or not: the one asked for, or one that nobody has.
    fn identifier(&self, wish: SocketAddr, reuse: bool, chance: &mut Chance) -> Result<u16, BindError> {
        let family = Family::of(wish.ip());
        if wish.port() != 0 {
            let group = self.by_identifier.get(&name(wish)).map_or(&[][..], Vec::as_slice);
            let mut others = group.iter().filter_map(|id| self.endpoints.get(*id));
            let shared = others.all(|other| reuse && other.reuse);
            return if shared { Ok(wish.port()) } else { Err(BindError::InUse) };
        }
        let start = chance.below(IDENTIFIERS);
        let mut all =
            (0..IDENTIFIERS).filter_map(|step| u16::try_from(1 + (start + step) % IDENTIFIERS).ok());
        all.find(|identifier| !self.by_identifier.contains_key(&(family, *identifier)))
            .ok_or(BindError::NoFreePort)
    }

    fn owe(&mut self, request: Request) -> Result<(), PingSendError> {
        let endpoint = self.endpoints.get_mut(request.endpoint).ok_or(PingSendError::Gone)?;
        if !endpoint.outbox.enter(cost_bytes(&request.message)) {
            return Err(PingSendError::QueueFull);
        }
        self.owed.push_back(request);
        Ok(())
    }

    fn discharge(&mut self, request: &Request, events: &mut Events) {
        // The endpoint may have been closed meanwhile; what it sent still leaves.
        let Some(endpoint) = self.endpoints.get_mut(request.endpoint) else { return };
        if endpoint.outbox.leave(cost_bytes(&request.message)) {
            events.push(Event::Ping(request.endpoint));
        }
    }
}

impl Stack {
    /// Makes a ping endpoint for the family of `wish`, at its address (unspecified: every one of ours) and with its
    /// port as identifier (0: a free one). Endpoints that all allow it share an identifier; replies go to the last.
    ///
    /// # Errors
    ///
    /// [`BindError`], as for ports.
    pub fn ping_bind(&mut self, wish: SocketAddr, reuse: bool) -> Result<PingId, BindError> {
        // Who pings stands for himself, not for everybody on his link.
        let is_own = self.ip.is_local(wish.ip()) && !self.ip.is_broadcast(wish.ip());
        if !wish.ip().is_unspecified() && !is_own {
            return Err(BindError::NotLocal);
        }
        let ping = &mut self.icmp.ping;
        let identifier = ping.identifier(wish, reuse, &mut self.chance)?;
        let bound = SocketAddr::new(wish.ip(), identifier);
        let id = ping.endpoints.insert(Endpoint {
            bound,
            local: bound,
            remote: None,
            link: None,
            reuse,
            inbox: Inbox::new(crate::bounds::UDP_RECEIVE_QUEUE_BYTES_MAX),
            error: None,
            outbox: Outbox::default(),
        });
        ping.by_identifier.entry(name(bound)).or_default().push(id);
        Ok(id)
    }

    /// The local address, and the identifier as port; while connected, the address requests leave with.
    pub fn ping_address(&self, id: PingId) -> Option<SocketAddr> {
        self.icmp.ping.endpoints.get(id).map(|endpoint| endpoint.local)
    }

    /// Where requests go that name no destination. Its port means nothing and is kept as it was given.
    pub fn ping_remote(&self, id: PingId) -> Option<SocketAddr> {
        self.icmp.ping.endpoints.get(id)?.remote
    }

    /// Sets where requests go; `None` forgets it. Replies of others to the identifier are still heard, as on Linux.
    ///
    /// # Errors
    ///
    /// No route, or an address of the other family.
    pub fn ping_connect(&mut self, id: PingId, remote: Option<SocketAddr>) -> Result<(), ConnectError> {
        let Some(endpoint) = self.icmp.ping.endpoints.get_mut(id) else { return Ok(()) };
        let bound = endpoint.bound;
        let local = match remote {
            None => bound,
            Some(remote) if remote.is_ipv4() != bound.is_ipv4() => return Err(ConnectError::Family),
            Some(remote) => {
                let path = self.ip.path_by(endpoint.link, specific(bound.ip()), remote.ip());
                SocketAddr::new(path.map_err(ConnectError::Unreachable)?.source, bound.port())
            }
        };
        (endpoint.local, endpoint.remote) = (local, remote);
        Ok(())
    }

    /// Sends an echo request: a whole ICMP message whose identifier and checksum are written here.
    ///
    /// # Errors
    ///
    /// See [`PingSendError`].
    pub fn ping_send(&mut self, id: PingId, to: IpAddr, message: &[u8]) -> Result<(), PingSendError> {
        self.ping_send_with(id, to, message, SendFields::default())
    }

    /// The same, with what the program wants the IP header to say.
    ///
    /// # Errors
    ///
    /// See [`PingSendError`]; an address that is not ours leads nowhere.
    pub fn ping_send_with(
        &mut self,
        id: PingId,
        to: IpAddr,
        message: &[u8],
        fields: SendFields,
    ) -> Result<(), PingSendError> {
        let endpoint = self.icmp.ping.endpoints.get(id).ok_or(PingSendError::Gone)?;
        let (local, kept_to) = (endpoint.local, endpoint.link);
        let family = Family::of(endpoint.bound.ip());
        let echo = Echo::parse(family, message).ok_or(PingSendError::NotAnEchoRequest)?;
        if family != Family::of(to) {
            return Err(PingSendError::Family);
        }
        let bytes_max = match family {
            Family::Ip4 => PING_MESSAGE_BYTES_MAX_IP4,
            Family::Ip6 => PING_MESSAGE_BYTES_MAX_IP6,
        };
        if message.len() > bytes_max {
            return Err(PingSendError::TooLarge);
        }
        if fields.source.is_some_and(|source| !self.ip.is_local(source)) {
            return Err(PingSendError::Unreachable(Unreachable::Network));
        }
        let source = fields.source.or_else(|| specific(local.ip()));
        let named = self.ip.named_towards(fields.link, to);
        let path = self.ip.path_by(named.or(kept_to), source, to).map_err(PingSendError::Unreachable)?;
        let message = echo.emit(local.port(), path.source, to).ok_or(PingSendError::Family)?;
        self.icmp.ping.owe(Request { endpoint: id, path, destination: to, message, fields })
    }

    /// From now on it speaks and hears over that link alone (SO_BINDTODEVICE); `None`: over all.
    pub fn ping_set_link(&mut self, id: PingId, link: Option<LinkId>) {
        if let Some(endpoint) = self.icmp.ping.endpoints.get_mut(id) {
            endpoint.link = link;
        }
    }

    /// The oldest reply: from whom (its port is 0), and the whole message.
    pub fn ping_recv(&mut self, id: PingId) -> Option<Datagram> {
        self.icmp.ping.endpoints.get_mut(id)?.inbox.pop()
    }

    /// The oldest reply, left in place.
    pub fn ping_peek(&self, id: PingId) -> Option<&Datagram> {
        self.icmp.ping.endpoints.get(id)?.inbox.peek()
    }

    /// What waits to be taken, and what was sent and has not left, in bytes as charged.
    pub fn ping_queued_bytes(&self, id: PingId) -> (usize, usize) {
        let queued = |endpoint: &Endpoint| (endpoint.inbox.bytes(), endpoint.outbox.bytes());
        self.icmp.ping.endpoints.get(id).map_or((0, 0), queued)
    }

    /// The ICMP error about a request of this endpoint, connected or not; taken.
    pub fn ping_take_error(&mut self, id: PingId) -> Option<Unreachable> {
        self.icmp.ping.endpoints.get_mut(id)?.error.take()
    }

    /// Gives the endpoint and its identifier up. What was sent still leaves.
    pub fn ping_close(&mut self, id: PingId) {
        let ping = &mut self.icmp.ping;
        let Some(endpoint) = ping.endpoints.remove(id) else { return };
        let name = name(endpoint.bound);
        if let Some(group) = ping.by_identifier.get_mut(&name) {
            group.retain(|other| *other != id);
            if group.is_empty() {
                ping.by_identifier.remove(&name);
            }
        }
    }
}

/// What a user's message says, if it is an echo request.
struct Echo<'a> {
    sequence: u16,
    data: &'a [u8],
}

impl<'a> Echo<'a> {
    fn parse(family: Family, message: &'a [u8]) -> Option<Echo<'a>> {
        let (header, data) = message.split_first_chunk::<{ icmp4::HEADER_BYTES }>()?;
        let [kind, code, _, _, _, _, high, low] = *header;
        let wanted = match family {
            Family::Ip4 => ECHO_REQUEST4,
            Family::Ip6 => ECHO_REQUEST6,
        };
        let sequence = u16::from_be_bytes([high, low]);
        (kind == wanted && code == 0).then_some(Echo { sequence, data })
    }

    /// The message as it leaves; `None` when the families differ.
    fn emit(&self, identifier: u16, source: IpAddr, destination: IpAddr) -> Option<Vec<u8>> {
        let Echo { sequence, data } = *self;
        match (source, destination) {
            (IpAddr::V4(_), IpAddr::V4(_)) => {
                Some(icmp4::Message::EchoRequest { identifier, sequence, data }.emit())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Some(icmp6::Message::EchoRequest { identifier, sequence, data }.emit(source, destination))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }
}

fn build(request: &Request, ip: &mut Ip) -> Packet {
    let protocol = if request.destination.is_ipv4() { Protocol::Icmp4 } else { Protocol::Icmp6 };
    let outgoing = Outgoing {
        source: request.path.source,
        destination: request.destination,
        protocol,
        ttl: request.fields.ttl,
        tos: request.fields.tos,
        dont_fragment: false,
    };
    let mut packet = ip.begin(&outgoing, request.message.len());
    packet.extend(&request.message);
    packet
}

fn name(bound: SocketAddr) -> Name {
    (Family::of(bound.ip()), bound.port())
}

/// The source that a local address dictates.
fn specific(address: IpAddr) -> Option<IpAddr> {
    Some(address).filter(|address| !address.is_unspecified())
}

/// Identifiers: 1 to 65,535. 0 means "any" to whoever binds.
const IDENTIFIERS: u32 = 65_535;
