//! Who gets a datagram: a table with keyed hashes, at most four look-ups for any number of endpoints.
//!
//! Who is connected to port 0 of an address hears every port of it, as on Linux.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::Protocol;
use slotmap::SlotMap;

use super::UdpId;
use super::endpoint::Endpoint;
use crate::chance::{Chance, Keyed};
use crate::link::LinkId;

/// UDP or UDP-Lite, local address, and the remote of connected endpoints.
pub(super) type Key = (Protocol, SocketAddr, Option<SocketAddr>);

/// Endpoints by their addresses. Several share a key only where their sockets allowed it.
#[derive(Debug)]
pub(super) struct Demux {
    table: HashMap<Key, Vec<UdpId>, Keyed>,
}

impl Demux {
    /// Nobody.
    pub(super) fn new(chance: &mut Chance) -> Demux {
        Demux { table: HashMap::with_hasher(chance.keyed()) }
    }

    /// An endpoint is reached in its places from now on.
    pub(super) fn insert(&mut self, endpoint: &Endpoint, id: UdpId) {
        for place in endpoint.places() {
            self.table.entry(place).or_default().push(id);
        }
    }

    /// It is not any more.
    pub(super) fn remove(&mut self, endpoint: &Endpoint, id: UdpId) {
        for place in endpoint.places() {
            self.leave(place, id);
        }
    }

    fn leave(&mut self, key: Key, id: UdpId) {
        if let Some(group) = self.table.get_mut(&key) {
            group.retain(|other| *other != id);
            if group.is_empty() {
                self.table.remove(&key);
            }
        }
    }

    /// All that share one place.
    pub(super) fn group(&self, place: Key) -> &[UdpId] {
        self.table.get(&place).map_or(&[], Vec::as_slice)
    }

    /// How many places are taken, all told.
    pub(super) fn len(&self) -> usize {
        self.table.values().map(Vec::len).sum()
    }

    /// The endpoint for a datagram: connected to its source, else bound to its destination, else to the port alone.
    pub(super) fn find(
        &self,
        endpoints: &SlotMap<UdpId, Endpoint>,
        protocol: Protocol,
        destination: SocketAddr,
        source: SocketAddr,
        link: LinkId,
    ) -> Option<UdpId> {
        let kept_to = |id: UdpId| endpoints.get(id).and_then(|endpoint| endpoint.link);
        let keys = places(protocol, destination, source);
        for group in keys.iter().filter_map(|key| self.table.get(key)) {
            // Who keeps to the link has it before those who keep to none.
            for wanted in [Some(link), None] {
                let mut hearing = group.iter().copied().filter(|id| kept_to(*id) == wanted);
                let Some(last) = hearing.clone().next_back() else { continue };
                // Among those that share by SO_REUSEADDR the last bound gets everything, by SO_REUSEPORT a peer always
                // meets the same one: both as on Linux.
                if endpoints.get(last).is_some_and(|endpoint| endpoint.reuse_port) {
                    let count = u64::try_from(hearing.clone().count()).unwrap_or(1);
                    let at = self.table.hasher().hash_one((source, destination)) % count;
                    return usize::try_from(at).ok().and_then(|at| hearing.nth(at));
                }
                return Some(last);
            }
        }
        None
    }

    /// The endpoint connected to this peer.
    pub(super) fn find_connected(
        &self,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<UdpId> {
        let keys = [remote, any_port(remote)].map(|remote| (protocol, local, Some(remote)));
        keys.iter().find_map(|key| self.table.get(key))?.last().copied()
    }

    /// The endpoint that sends from there without being connected.
    pub(super) fn find_bound(&self, protocol: Protocol, local: SocketAddr) -> Option<UdpId> {
        let keys = [(protocol, local, None), (protocol, any_address(local), None)];
        keys.iter().find_map(|key| self.table.get(key))?.last().copied()
    }

    /// Everyone a datagram to many is for: bound to that address, and perhaps connected to its sender, or bound to the port
    /// alone.
    pub(super) fn find_all(
        &self,
        protocol: Protocol,
        destination: SocketAddr,
        source: SocketAddr,
    ) -> impl Iterator<Item = UdpId> + use<> {
        let keys = places(protocol, destination, source);
        let groups = keys.map(|key| self.table.get(&key).cloned().unwrap_or_default());
        groups.into_iter().flatten()
    }
}

/// Where the receivers of a datagram may stand, the closest first.
fn places(protocol: Protocol, destination: SocketAddr, source: SocketAddr) -> [Key; 4] {
    let any = any_address(destination);
    [
        (protocol, destination, Some(source)),
        (protocol, destination, Some(any_port(source))),
        (protocol, destination, None),
        (protocol, any, None),
    ]
}

/// The same address, whatever the port.
fn any_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}

/// The same port, whatever the address of that family.
fn any_address(address: SocketAddr) -> SocketAddr {
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, address.port())
}
