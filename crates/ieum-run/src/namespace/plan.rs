//! What the namespace is to look like: the host's own interfaces, addresses and routes.

use std::net::{IpAddr, SocketAddr};

use ieum_socket::Host;
use ieum_stack::{LinkId, Route, RouteTarget};
use ieum_wire::Cidr;
use serde::{Deserialize, Serialize};

/// Interfaces and routes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// In the order of their numbers, from 2 on: 1 is the loopback interface.
    pub(super) interfaces: Vec<Planned>,
    pub(super) routes: Vec<Way>,
    /// Endpoints at loopback addresses that are reached over an interface all the same.
    pub(super) exceptions: Vec<(SocketAddr, u32)>,
}

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Planned {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mtu_bytes: u32,
    pub(super) addresses: Vec<Network>,
}

/// A route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Way {
    pub(super) network: Network,
    /// The number of the interface it leads over; `None`: nowhere.
    pub(super) over: Option<u32>,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
}

/// An address and its prefix length in bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix_bits: u8,
}

impl From<Cidr> for Network {
    fn from(cidr: Cidr) -> Network {
        Network { address: cidr.address(), prefix_bits: cidr.prefix_bits() }
    }
}

/// The host's links but the loopback link.
pub(super) fn links(host: &Host) -> impl Iterator<Item = LinkId> {
    host.interfaces().into_iter().filter(|one| !one.is_loopback).map(|one| one.link)
}

impl Plan {
    /// That of a host. `shared`: a link on which others come and go.
    pub(super) fn of(host: &Host, shared: Option<LinkId>) -> Plan {
        let interfaces = host.interfaces().into_iter().filter(|one| !one.is_loopback);
        let interfaces = interfaces.map(|one| Planned {
            index: one.index,
            name: one.name,
            mtu_bytes: one.mtu_bytes,
            addresses: one.addresses.into_iter().map(Network::from).collect(),
        });
        let stack = host.stack();
        let is_shared = |network: Cidr| {
            shared.is_some_and(|link| stack.addresses_of(link).any(|own| network.contains(own.address())))
        };
        let way = |route: &Route| {
            let (over, gateway) = match route.target {
                // Who is on a shared link, the host knows when it is asked.
                RouteTarget::Unreachable(_) if is_shared(route.network) => return None,
                RouteTarget::Unreachable(_) => (None, None),
                RouteTarget::Link(link) => (Some(stack.index_of(link)?), None),
                RouteTarget::Gateway(link, gateway) => (Some(stack.index_of(link)?), Some(gateway)),
            };
            Some(Way { network: route.network.into(), over, gateway, source: route.source })
        };
        let exceptions = stack.loopback_exceptions();
        let exceptions = exceptions.filter_map(|(endpoint, link)| Some((endpoint, stack.index_of(link)?)));
        Plan {
            interfaces: interfaces.collect(),
            routes: stack.routes().iter().filter_map(way).collect(),
            exceptions: exceptions.collect(),
        }
    }
}
