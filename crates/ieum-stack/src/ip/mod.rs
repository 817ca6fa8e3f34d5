//! IP, both versions: which packets are ours, which way they leave, and the header they leave with.
//!
//! [`Ip::receive`] judges a packet from a link and returns where its payload lies and whom it means, or nothing;
//! fragments wait in [`Reassembly`] until they are whole; [`Ip::path`] finds a way out and a source address;
//! [`Ip::begin`] writes the header. The transports do the rest.
//!
//! What it does not do: it forwards nothing and obeys no options. It makes no link-local addresses (RFC 4291 §2.1 wants
//! one for each link): whoever needs one adds it. It sends no parameter problems but that of an unknown protocol: who
//! sends options or routing headers that are not served (RFC 8200 §4.2, §4.4 ask for one) hears nothing, and each is
//! counted.
//!
//! Invariants:
//!
//! 1. The stack has one loopback link from the start; 127/8 and ::1 are local and never leave over another link, save as
//!    the destination of a loopback exception.
//! 2. Routes stand in the order of their prefixes, longest first; no two name the same network.
//! 3. The host is weak (RFC 1122 §3.3.4.2): a packet for an own address is taken from any link.
//!
//! Files, as a packet meets them: `receive` and `reassembly` (up), `route` and `source` (where to, and as whom),
//! `path_mtu` (how large behind the first link), `transmit` (down); `groups` (whom many hear).

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::{Cidr, Instant, Packet};
use slotmap::SlotMap;

use crate::bounds::LOOPED_PACKETS_MAX;
use crate::chance::Chance;
use crate::link::{LinkConfig, LinkId, Medium};
use crate::tcp::bounds::{PATH_MTU_MIN_IP4_BYTES, PATH_MTU_MIN_IP6_BYTES};

mod groups;
mod path_mtu;
mod reassembly;
mod receive;
mod route;
mod source;
mod transmit;

pub(crate) use groups::{Groups, stays_inside};
pub use groups::{MembershipId, SourceFilter};
pub(crate) use receive::{For, Incoming, Received, parse};
pub(crate) use route::Path;
pub use route::{Route, RouteTarget};
pub(crate) use transmit::Outgoing;

use path_mtu::PathMtus;
use reassembly::Reassembly;

/// Which IP an endpoint speaks that speaks one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Family {
    Ip4,
    Ip6,
}

impl Family {
    /// That of an address.
    pub(crate) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::Ip4 } else { Family::Ip6 }
    }
}

/// The addresses of a host that never leave it (RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3).
pub(crate) fn loopback_networks() -> [Cidr; 2] {
    [loopback4(), Cidr::host(Ipv6Addr::LOCALHOST.into())]
}

/// Those of them that its loopback link bears.
fn loopback_addresses() -> [Cidr; 2] {
    let four = Cidr::new(Ipv4Addr::LOCALHOST.into(), 8).expect("8 bits are a prefix of an IPv4 address");
    [four, Cidr::host(Ipv6Addr::LOCALHOST.into())]
}

fn loopback4() -> Cidr {
    Cidr::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8).expect("8 bits are a prefix of an IPv4 address")
}

/// An own address, on the link whose network it belongs to.
#[derive(Clone, Copy, Debug)]
struct Address {
    link: LinkId,
    cidr: Cidr,
}

/// A loopback address and port that is reached over a link.
#[derive(Clone, Copy, Debug)]
struct Exception {
    endpoint: SocketAddr,
    link: LinkId,
}

/// Links, addresses and routes.
#[derive(Debug)]
pub(crate) struct Ip {
    links: SlotMap<LinkId, LinkConfig>,
    loopback: LinkId,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    exceptions: Vec<Exception>,
    /// Links that are no interfaces.
    shadows: Vec<LinkId>,
    /// Packets for any unicast address are taken as ours.
    accept_any_destination: bool,
    /// The identification of the next packet that may be fragmented (RFC 6864 §4.3).
    identification: u32,
    /// What routers said of ways behind the first link.
    pub(crate) path_mtus: PathMtus,
    /// Fragments of others' datagrams.
    pub(crate) reassembly: Reassembly,
    /// Fragments of one of ours, for a link that cannot cut: they leave before anything else.
    fragments: VecDeque<(LinkId, Packet)>,
    /// Who has joined which group.
    pub(crate) groups: Groups,
    /// Reports of groups that are written.
    group_reports: VecDeque<(LinkId, Packet)>,
    /// Datagrams of ours to groups that we are in ourselves, by the link whose groups they are.
    looped: VecDeque<(LinkId, Packet)>,
}

impl Ip {
    /// The loopback link and nothing else.
    pub(crate) fn new(accept_any_destination: bool, chance: &mut Chance) -> Ip {
        let mut links = SlotMap::with_key();
        let loopback = links.insert(LinkConfig::loopback());
        Ip {
            links,
            loopback,
            addresses: Vec::new(),
            routes: Vec::new(),
            exceptions: Vec::new(),
            shadows: Vec::new(),
            accept_any_destination,
            identification: chance.next_u32(),
            path_mtus: PathMtus::new(chance),
            reassembly: Reassembly::new(chance),
            fragments: VecDeque::new(),
            groups: Groups::default(),
            group_reports: VecDeque::new(),
            looped: VecDeque::new(),
        }
    }

    /// Adds a link.
    pub(crate) fn add_link(&mut self, config: LinkConfig) -> LinkId {
        self.links.insert(config)
    }

    /// Adds a link that is no interface: it has no number, and no address belongs to it.
    pub(crate) fn add_shadow(&mut self, config: LinkConfig) -> LinkId {
        let shadow = self.links.insert(config);
        self.shadows.push(shadow);
        shadow
    }

    /// The largest IP packet of a link's frame, in bytes; of one that is not there, the least that IPv6 wants.
    pub(crate) fn mtu_bytes(&self, link: LinkId) -> u32 {
        self.links.get(link).map_or(PATH_MTU_MIN_IP6_BYTES, |config| config.mtu_bytes)
    }

    /// Adds an own address and the route to its network.
    pub(crate) fn add_address(&mut self, link: LinkId, cidr: Cidr) {
        self.addresses.push(Address { link, cidr });
        // The source is left open: RFC 6724 chooses among the link's addresses, of equals the first.
        self.add_route(cidr, RouteTarget::Link(link), None);
    }

    /// An own address belongs to that link from now on.
    pub(crate) fn move_address(&mut self, link: LinkId, address: IpAddr) {
        for own in self.addresses.iter_mut().filter(|own| own.cidr.address() == address) {
            own.link = link;
        }
    }

    /// `endpoint` (in 127/8) is reached over `link`, and answers from it come from there.
    pub(crate) fn add_loopback_exception(&mut self, endpoint: SocketAddr, link: LinkId) {
        self.exceptions.push(Exception { endpoint, link });
    }

    /// What a frame of a link is; `None`: there is no such link.
    pub(crate) fn medium(&self, link: LinkId) -> Option<Medium> {
        self.links.get(link).map(|config| config.medium)
    }

    /// Links in the order in which they were added, from 1 on, as interfaces are counted; the loopback link is the first.
    pub(crate) fn link_at(&self, index: u32) -> Option<LinkId> {
        self.links().nth(usize::try_from(index).ok()?.checked_sub(1)?).map(|(link, _)| link)
    }

    /// Its number.
    pub(crate) fn index_of(&self, link: LinkId) -> Option<u32> {
        let at = self.links().position(|(other, _)| other == link)?;
        u32::try_from(at + 1).ok()
    }

    /// All links, each with what it can do, as they are counted.
    pub(crate) fn links(&self) -> impl Iterator<Item = (LinkId, LinkConfig)> {
        let all = self.links.iter().map(|(link, config)| (link, *config));
        all.filter(|(link, _)| !self.shadows.contains(link))
    }

    /// The own addresses that belong to a link, in the order in which they were added, each in its network.
    pub(crate) fn addresses_of(&self, link: LinkId) -> impl Iterator<Item = Cidr> {
        let itself = (link == self.loopback).then(loopback_addresses);
        let added = self.addresses.iter().filter(move |own| own.link == link).map(|own| own.cidr);
        itself.into_iter().flatten().chain(added)
    }

    /// The routing table, the most specific networks first.
    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The link that an own address belongs to.
    pub(crate) fn link_of(&self, address: IpAddr) -> Option<LinkId> {
        if is_loopback(address) {
            return Some(self.loopback);
        }
        self.addresses.iter().find(|own| own.cidr.address() == address).map(|own| own.link)
    }

    /// The link on which this address means everybody of one of our networks.
    pub(crate) fn link_of_broadcast(&self, address: IpAddr) -> Option<LinkId> {
        let IpAddr::V4(address) = address else { return None };
        self.addresses.iter().find(|own| own.cidr.broadcast() == Some(address)).map(|own| own.link)
    }

    /// A datagram of ours to many comes around to those of them on this host; false: there is no room for it.
    pub(crate) fn loop_back(&mut self, link: LinkId, packet: &Packet) -> bool {
        let has_room = self.looped.len() < LOOPED_PACKETS_MAX;
        if has_room {
            self.looped.push_back((link, packet.clone()));
        }
        has_room
    }

    /// Did something come around?
    pub(crate) fn has_looped(&self) -> bool {
        !self.looped.is_empty()
    }

    /// The next one that came around.
    pub(crate) fn poll_looped(&mut self) -> Option<(LinkId, Packet)> {
        self.looped.pop_front()
    }

    /// The link over which a host reaches itself.
    pub(crate) fn loopback(&self) -> LinkId {
        self.loopback
    }

    /// The link that one call names (IP_PKTINFO), where it counts: towards an own address no other than the loopback link does.
    pub(crate) fn named_towards(&self, link: Option<LinkId>, to: IpAddr) -> Option<LinkId> {
        link.filter(|link| *link == self.loopback || !self.is_local(to))
    }

    /// Is this address one of our own?
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        is_loopback(address) || self.addresses.iter().any(|own| own.cidr.address() == address)
    }

    /// Does this address mean everybody on one of our networks?
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        address.is_broadcast()
            || loopback4().broadcast() == Some(address)
            || self.addresses.iter().any(|own| own.cidr.broadcast() == Some(address))
    }

    /// Does this address mean more than one host?
    pub(crate) fn is_for_many(&self, address: IpAddr) -> bool {
        address.is_multicast() || self.is_broadcast(address)
    }

    /// Is this a group that we are in on that link: one that was joined, or in IPv6 the solicited-node group of one of our
    /// addresses (RFC 4291 §2.7.1)?
    fn is_own_group(&self, link: LinkId, address: IpAddr) -> bool {
        address.is_multicast() && self.groups.is_joined(link, address)
            || self
                .addresses
                .iter()
                .any(|own| solicited_node(own.cidr.address()).map(IpAddr::V6) == Some(address))
    }

    /// Is one of the excepted loopback endpoints behind this link at that address?
    pub(crate) fn is_excepted(&self, address: IpAddr, link: LinkId) -> bool {
        self.exceptions.iter().any(|exception| exception.endpoint.ip() == address && exception.link == link)
    }

    /// A router says of a datagram to `destination` that only so much passes. Nothing below the least that a link may have is
    /// believed.
    pub(crate) fn path_narrowed(&mut self, now: Instant, destination: IpAddr, mtu_bytes: u32) {
        let mtu_bytes = match destination {
            IpAddr::V4(_) => mtu_bytes.max(PATH_MTU_MIN_IP4_BYTES),
            IpAddr::V6(_) if mtu_bytes < PATH_MTU_MIN_IP6_BYTES => return,
            IpAddr::V6(_) => mtu_bytes,
        };
        self.path_mtus.learned(now, destination, mtu_bytes);
    }

    /// All loopback endpoints that are reached over a link.
    pub(crate) fn loopback_exceptions(&self) -> impl Iterator<Item = (SocketAddr, LinkId)> {
        self.exceptions.iter().map(|exception| (exception.endpoint, exception.link))
    }

    /// The link that leads to an excepted loopback endpoint.
    pub(crate) fn loopback_exception(&self, endpoint: SocketAddr) -> Option<LinkId> {
        self.exceptions
            .iter()
            .find(|exception| exception.endpoint == endpoint)
            .map(|exception| exception.link)
    }
}

/// Everybody on the link (RFC 4291 §2.7.1).
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The group that neighbours ask when they look for the owner of an IPv6 address (RFC 4291 §2.7.1).
pub(crate) fn solicited_node(address: IpAddr) -> Option<Ipv6Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [.., a, b, c] = address.octets();
    let last = u16::from_be_bytes([b, c]);
    Some(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), last))
}

/// Does this address never leave its host?
fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}
