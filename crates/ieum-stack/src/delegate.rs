//! Datagrams in other hands: a second stack with the same addresses has the datagram sockets of this host.
//!
//! Under `ieum run` that may be the kernel, in a network namespace of the host's own. For each link of the host there is
//! then a *shadow*, a link whose other end is that stack:
//!
//! ```text
//!   link ── UDP, UDP-Lite, errors about them, echo replies, questions about groups ──▶ shadow
//!   link ◀── what the other stack sends, by this host's routes ── shadow
//!   link ── everything else ──▶ this stack
//! ```
//!
//! The other stack *is* this host, so nothing is forwarded in the sense of RFC 1812: no hop is counted, and fragments cross as
//! they are. What has no route is answered by an error, as a host tells itself.
//!
//! What it does not do: it delivers nothing between the other stack's own sockets, whose loopback and own addresses are
//! that stack's affair.
//!
//! Invariants:
//!
//! 1. What comes over a shadow has an address of this host as its source, or none at all where it is about groups.
//! 2. Shadows are no interfaces: [`Stack::links`] and the numbers of links do not know them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use ieum_wire::group::{self, LISTENER_QUERY};
use ieum_wire::ip::{Fragment, Parsed};
use ieum_wire::{Packet, Protocol, segmentation, udp_lite};

use crate::bounds::DELEGATED_PACKETS_MAX;
use crate::drops::Drop;
use crate::icmp::Quoted;
use crate::ip::{Incoming, parse};
use crate::link::{LinkConfig, LinkId};
use crate::stack::Stack;

/// Types of ICMP (RFC 792): an echo reply, and those that quote a packet.
const ECHO_REPLY4: u8 = 0;
const ERRORS4: [u8; 4] = [3, 4, 11, 12];
/// The same of ICMPv6 (RFC 4443).
const ECHO_REPLY6: u8 = 129;
const ERRORS6: [u8; 4] = [1, 2, 3, 4];

/// Bytes before the packet that an error of either version quotes.
const ERROR_HEADER_BYTES: usize = 8;

/// A link and its shadow.
#[derive(Clone, Copy, Debug)]
struct Pair {
    link: LinkId,
    shadow: LinkId,
}

/// Who has the datagrams, and what is on its way there or from there.
#[derive(Debug, Default)]
pub(crate) struct Delegate {
    pairs: Vec<Pair>,
    outgoing: VecDeque<(LinkId, Packet)>,
}

impl Delegate {
    /// Packets on their way leave by these links.
    pub(crate) fn poll(&mut self) -> Option<(LinkId, Packet)> {
        self.outgoing.pop_front()
    }

    fn is_used(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// The link that this one is the shadow of.
    fn link_of(&self, shadow: LinkId) -> Option<LinkId> {
        self.pairs.iter().find(|pair| pair.shadow == shadow).map(|pair| pair.link)
    }

    fn shadow_of(&self, link: LinkId) -> Option<LinkId> {
        self.pairs.iter().find(|pair| pair.link == link).map(|pair| pair.shadow)
    }

    fn push(&mut self, link: LinkId, packet: Packet) -> Result<(), Drop> {
        if self.outgoing.len() >= DELEGATED_PACKETS_MAX {
            return Err(Drop::DelegateQueueFull);
        }
        self.outgoing.push_back((link, packet));
        Ok(())
    }
}

impl Stack {
    /// From now on another stack with this one's addresses has the datagram sockets of this host, and is reached over the
    /// link returned as far as `link` is concerned: UDP, UDP-Lite, ICMP errors about them, echo replies and questions about
    /// groups that come by `link` go there, and what it sends goes its way by this stack's routes. Endpoints of this stack
    /// hear no datagrams any more.
    pub fn delegate_datagrams(&mut self, link: LinkId) -> LinkId {
        let mtu_bytes = self.ip.mtu_bytes(link);
        let shadow = self.ip.add_shadow(LinkConfig { mtu_bytes, ..LinkConfig::in_process() });
        self.delegate.pairs.push(Pair { link, shadow });
        shadow
    }

    /// Did it come over a shadow? Then it goes its way from here.
    pub(crate) fn is_of_delegate(&mut self, link: LinkId, packet: &Packet) -> bool {
        let Some(link) = self.delegate.link_of(link) else { return false };
        if let Err(reason) = self.send_for_delegate(link, packet) {
            self.drops.count(reason);
        }
        true
    }

    /// A packet that is not for this stack, or for nobody here: one to a group is the other stack's, which knows who is in
    /// it. False: it is nobody's.
    pub(crate) fn is_for_delegates_groups(&mut self, link: LinkId, packet: &Packet) -> bool {
        let Some(shadow) = self.delegate.shadow_of(link) else { return false };
        let Ok(parsed) = parse(packet) else { return false };
        let is_handed = parsed.header.destination.is_multicast() && is_delegates(&parsed, packet);
        if is_handed {
            self.hand_over(shadow, packet);
        }
        is_handed
    }

    /// A packet for this host: is it one of those that the other stack hears? Parts of a datagram cross as they are.
    pub(crate) fn is_for_delegate(&mut self, link: LinkId, packet: &Packet, incoming: &Incoming) -> bool {
        if !self.delegate.is_used() || !is_delegates(&incoming.parsed, packet) {
            return false;
        }
        // What this host tells itself is about a packet that left by the link of its address.
        let own = self.ip.link_of(incoming.parsed.header.destination);
        let shadow = self.delegate.shadow_of(link).or_else(|| self.delegate.shadow_of(own?));
        let shadow = shadow.or_else(|| self.delegate.pairs.first().map(|pair| pair.shadow));
        if let Some(shadow) = shadow {
            self.hand_over(shadow, packet);
        }
        true
    }

    fn hand_over(&mut self, shadow: LinkId, packet: &Packet) {
        let mut packet = packet.clone();
        packet.ethernet = None;
        if let Err(reason) = self.delegate.push(shadow, packet) {
            self.drops.count(reason);
        }
    }

    fn send_for_delegate(&mut self, link: LinkId, packet: &Packet) -> Result<(), Drop> {
        let parsed = parse(packet)?;
        let (header, payload) = (&parsed.header, payload(&parsed, packet));
        let is_about_groups = matches!(header.protocol, Protocol::Other(group::IGMP) | Protocol::Icmp6);
        let is_nobody = header.source.is_unspecified() && header.destination.is_multicast();
        let is_own = self.ip.is_local(header.source) && !header.source.is_loopback();
        if !(is_own || is_nobody && is_about_groups) {
            return Err(Drop::MartianSource);
        }
        let is_served = is_about_groups
            || matches!(header.protocol, Protocol::Udp | udp_lite::PROTOCOL | Protocol::Icmp4);
        if !is_served {
            return Err(Drop::ProtocolUnknown);
        }
        let destination = header.destination;
        if self.ip.is_for_many(destination) {
            return self.delegate.push(link, packet.clone());
        }
        if destination.is_loopback() {
            let ports = segmentation::ports(payload).filter(|_| is_first(header.fragment));
            let endpoint = ports.map(|(_, port)| SocketAddr::new(destination, port));
            let over = endpoint.and_then(|endpoint| self.ip.loopback_exception(endpoint));
            return self.delegate.push(over.ok_or(Drop::MartianDestination)?, packet.clone());
        }
        if self.ip.is_local(destination) {
            return Err(Drop::NotForUs);
        }
        match self.ip.path(Some(header.source), destination) {
            Ok(path) => {
                let mut packet = packet.clone();
                if !path.checksum_offload {
                    segmentation::finish_checksum(&mut packet);
                }
                let (link, packet) = self.ip.fit(&path, packet).map_err(|_| Drop::DelegateNoRoute)?;
                self.delegate.push(link, packet)
            }
            Err(reason) => {
                // RFC 1122 §3.2.2: no error about an error, nor about a later fragment.
                if is_first(header.fragment) && !is_error(header.protocol, payload) {
                    let original = packet.bytes().get(..parsed.total_bytes).unwrap_or_default();
                    self.icmp.owe_unreachable(header.source, header.source, reason, original);
                }
                Err(Drop::DelegateNoRoute)
            }
        }
    }
}

fn payload<'a>(parsed: &Parsed, packet: &'a Packet) -> &'a [u8] {
    packet.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default()
}

fn is_first(fragment: Option<Fragment>) -> bool {
    fragment.is_none_or(|part| part.offset_bytes == 0)
}

fn is_error(protocol: Protocol, payload: &[u8]) -> bool {
    let kind = payload.first();
    match protocol {
        Protocol::Icmp4 => kind.is_some_and(|kind| ERRORS4.contains(kind)),
        Protocol::Icmp6 => kind.is_some_and(|kind| ERRORS6.contains(kind)),
        Protocol::Tcp | Protocol::Udp | Protocol::Other(_) => false,
    }
}

/// Is it a datagram, or about one, or about groups?
fn is_delegates(parsed: &Parsed, packet: &Packet) -> bool {
    let payload = payload(parsed, packet);
    let protocol = parsed.header.protocol;
    match (protocol, payload.first().copied()) {
        (Protocol::Udp | udp_lite::PROTOCOL | Protocol::Other(group::IGMP), _) => true,
        // Whole messages only: parts of one do not say what they are.
        (Protocol::Icmp4 | Protocol::Icmp6, _)
            if parsed.header.fragment.is_some_and(|part| !part.is_whole()) && packet.gso.is_none() =>
        {
            false
        }
        (Protocol::Icmp4, Some(ECHO_REPLY4)) | (Protocol::Icmp6, Some(ECHO_REPLY6 | LISTENER_QUERY)) => true,
        (Protocol::Icmp4 | Protocol::Icmp6, Some(_)) if is_error(protocol, payload) => {
            let quoted = payload.get(ERROR_HEADER_BYTES..).and_then(Quoted::parse);
            quoted.is_some_and(|quoted| quoted.protocol != Protocol::Tcp)
        }
        (Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Tcp | Protocol::Other(_), _) => false,
    }
}
