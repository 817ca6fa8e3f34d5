//! IPv4: which packets are ours, which way they leave, and the header they leave with.
//!
//! [`Ip::receive`] judges a packet from a link and returns where its payload lies and whom it means, or nothing;
//! [`Ip::path`] finds a way out and a source address; [`Ip::begin`] writes the header. The transports do the rest.
//!
//! What it does not do: it forwards nothing, joins no multicast group, reads no options and, for now, reassembles no
//! fragments (they are counted). Address types are made for both families; IPv6 has no routes yet.
//!
//! Invariants:
//!
//! 1. The stack has one loopback link from the start; 127/8 is local and never leaves over another link, save as the
//!    destination of a loopback exception.
//! 2. Routes stand in the order of their prefixes, longest first; no two name the same network.
//! 3. The host is weak (RFC 1122 §3.3.4.2): a packet for an own address is taken from any link.
//!
//! Files, as a packet meets them: `receive` (up), `route` (where to), `transmit` (down).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ieum_wire::Cidr;
use slotmap::SlotMap;

use crate::link::{LinkConfig, LinkId};

mod receive;
mod route;
mod transmit;

pub(crate) use receive::{For, Incoming, Received};
pub(crate) use route::Path;
pub use route::RouteTarget;
pub(crate) use transmit::{Outgoing, fragment_bytes};

use route::Route;

/// The addresses of a host that never leave it (RFC 1122 §3.2.1.3 (g)).
pub(crate) fn loopback_network() -> Cidr {
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
    /// Packets for any unicast address are taken as ours.
    accept_any_destination: bool,
    /// The identification of the next packet that may be fragmented (RFC 6864 §4.3).
    identification: u16,
}

impl Ip {
    /// The loopback link and nothing else. `identification` is where numbering begins.
    pub(crate) fn new(accept_any_destination: bool, identification: u16) -> Ip {
        let mut links = SlotMap::with_key();
        let loopback = links.insert(LinkConfig::loopback());
        Ip {
            links,
            loopback,
            addresses: Vec::new(),
            routes: Vec::new(),
            exceptions: Vec::new(),
            accept_any_destination,
            identification,
        }
    }

    /// Adds a link.
    pub(crate) fn add_link(&mut self, config: LinkConfig) -> LinkId {
        self.links.insert(config)
    }

    /// Adds an own address and the route to its network.
    pub(crate) fn add_address(&mut self, link: LinkId, cidr: Cidr) {
        self.addresses.push(Address { link, cidr });
        self.add_route(cidr, RouteTarget::Link(link), Some(cidr.address()));
    }

    /// `endpoint` (in 127/8) is reached over `link`, and answers from it come from there.
    pub(crate) fn add_loopback_exception(&mut self, endpoint: SocketAddr, link: LinkId) {
        self.exceptions.push(Exception { endpoint, link });
    }

    /// The link over which a host reaches itself.
    pub(crate) fn loopback(&self) -> LinkId {
        self.loopback
    }

    /// Is this address one of our own?
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        is_loopback(address) || self.addresses.iter().any(|own| own.cidr.address() == address)
    }

    /// Does this address mean everybody on one of our networks?
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        address.is_broadcast()
            || loopback_network().broadcast() == Some(address)
            || self.addresses.iter().any(|own| own.cidr.broadcast() == Some(address))
    }

    /// Is one of the excepted loopback endpoints behind this link at that address?
    pub(crate) fn is_excepted(&self, address: IpAddr, link: LinkId) -> bool {
        self.exceptions.iter().any(|exception| exception.endpoint.ip() == address && exception.link == link)
    }

    /// The link that leads to an excepted loopback endpoint.
    pub(crate) fn loopback_exception(&self, endpoint: SocketAddr) -> Option<LinkId> {
        self.exceptions
            .iter()
            .find(|exception| exception.endpoint == endpoint)
            .map(|exception| exception.link)
    }
}

/// Does this address never leave its host?
fn is_loopback(address: IpAddr) -> bool {
    loopback_network().contains(address)
}
