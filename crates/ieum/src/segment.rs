//! A link and who is on it: where a packet goes.
//!
//! There are no Ethernet addresses and nothing is learned: whoever comes to a link says which addresses are its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ieum_stack::{LinkConfig, LinkId};
use ieum_wire::{Cidr, Packet, ip};

/// One end of a link: the room's number in its network, and its own name for the link.
pub(crate) type End = (usize, LinkId);

/// Whom a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum To {
    One(End),
    /// All but the sender.
    Others,
    /// Nobody on this link: lost, as on any wire.
    Nobody,
    /// A neighbour who is not there. On a wire its sender would ask for it some seconds long and then say so; here it is known.
    Absent,
}

/// A link of a network.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) config: LinkConfig,
    /// Somebody has a handle of it, by which others may come.
    pub(crate) is_held: bool,
    ends: Vec<End>,
    addresses: BTreeMap<IpAddr, End>,
    /// The networks in which somebody has an address.
    networks: Vec<(End, Cidr)>,
    broadcasts: Vec<Ipv4Addr>,
    /// Who take what is for nobody else: a host that stands for any address, an exit, a device. Two at most make sense, each for
    /// what the other sends.
    gateways: Vec<End>,
}

impl Segment {
    pub(crate) fn new(config: LinkConfig, is_held: bool) -> Segment {
        Segment {
            config,
            is_held,
            ends: Vec::new(),
            addresses: BTreeMap::new(),
            networks: Vec::new(),
            broadcasts: Vec::new(),
            gateways: Vec::new(),
        }
    }

    /// Somebody comes to the link.
    pub(crate) fn add(&mut self, end: End) {
        self.ends.push(end);
    }

    /// Somebody leaves the link. What was a broadcast stays one: it may be others' as well.
    pub(crate) fn remove(&mut self, end: End) {
        self.ends.retain(|other| *other != end);
        self.gateways.retain(|other| *other != end);
        self.addresses.retain(|_, owner| *owner != end);
        self.networks.retain(|(owner, _)| *owner != end);
    }

    /// Has somebody on the link this address?
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    /// Packets for this address are for `end` from now on.
    pub(crate) fn add_address(&mut self, end: End, address: Cidr) {
        self.addresses.insert(address.address(), end);
        self.networks.push((end, address));
        if let Some(broadcast) = address.broadcast()
            && !self.broadcasts.contains(&broadcast)
        {
            self.broadcasts.push(broadcast);
        }
    }

    /// Packets that are for nobody else are for `end` from now on, save its own and those that are for an earlier one.
    pub(crate) fn add_gateway(&mut self, end: End) {
        self.gateways.push(end);
    }

    /// All who are on the link.
    pub(crate) fn ends(&self) -> impl Iterator<Item = End> {
        self.ends.iter().copied()
    }

    /// All who are on the link, save `end`.
    pub(crate) fn others(&self, end: End) -> impl Iterator<Item = End> {
        self.ends().filter(move |other| *other != end)
    }

    /// Whom a packet from `end` is for.
    pub(crate) fn way(&self, end: End, packet: &Packet) -> To {
        let Ok(parsed) = ip::parse(packet.bytes()) else { return To::Nobody };
        let destination = parsed.header.destination;
        if self.is_for_many(destination) {
            return To::Others;
        }
        let owner = self.addresses.get(&destination).copied();
        let gateway = || self.gateways.iter().copied().find(|gateway| *gateway != end);
        match owner.or_else(gateway) {
            Some(owner) if owner != end => To::One(owner),
            None if self.networks.iter().any(|(of, network)| *of == end && network.contains(destination)) => {
                To::Absent
            }
            // Meant for a neighbour that would have to forward it, and none does.
            Some(_) | None => To::Nobody,
        }
    }

    fn is_for_many(&self, destination: IpAddr) -> bool {
        match destination {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || self.broadcasts.contains(&v4),
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }
}
