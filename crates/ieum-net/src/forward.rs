//! Where a packet goes: the switch's table from addresses to ports.
//!
//! There are no Ethernet addresses and nothing is learned: the switch itself has given each port its addresses. A port
//! sends under its own addresses only, so nobody can speak as somebody else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ieum_wire::{Cidr, Packet, ip};

use crate::counts::Reason;

/// Names a port of the switch; never used again for another.
pub(crate) type PortId = u64;

/// Whom a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum To {
    One(PortId),
    /// All but the sender.
    Others,
}

/// Who has which address.
#[derive(Debug, Default)]
pub(crate) struct Table {
    ports: BTreeMap<IpAddr, PortId>,
    /// The broadcast address of the net's network.
    broadcast: Option<Ipv4Addr>,
}

impl Table {
    /// `port` has these addresses from now on.
    pub(crate) fn add(&mut self, port: PortId, addresses: &[Cidr]) {
        for cidr in addresses {
            self.ports.insert(cidr.address(), port);
            self.broadcast = self.broadcast.or_else(|| cidr.broadcast());
        }
    }

    /// `port` has none any more.
    pub(crate) fn remove(&mut self, port: PortId) {
        self.ports.retain(|_, other| *other != port);
    }

    /// Whom a packet from `port` is for; the error is why it is dropped.
    pub(crate) fn way(&self, port: PortId, packet: &Packet) -> Result<To, Reason> {
        let header = ip::parse(packet.bytes()).map_err(|_| Reason::Malformed)?.header;
        if self.ports.get(&header.source) != Some(&port) {
            return Err(Reason::Source);
        }
        if self.is_for_many(header.destination) {
            return Ok(To::Others);
        }
        match self.ports.get(&header.destination) {
            Some(other) if *other != port => Ok(To::One(*other)),
            Some(_) | None => Err(Reason::Nobody),
        }
    }

    fn is_for_many(&self, destination: IpAddr) -> bool {
        match destination {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || Some(v4) == self.broadcast,
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ieum_wire::{Protocol, ip4, ip6};

    use super::*;

    fn packet(source: &str, destination: &str) -> Packet {
        match (source.parse().unwrap(), destination.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = ip4::Header {
                    source,
                    destination,
                    protocol: Protocol::Udp,
                    ttl: 64,
                    tos: 0,
                    identification: 0,
                    dont_fragment: true,
                    more_fragments: false,
                    fragment_offset_bytes: 0,
                };
                Packet::from_wire(&header.emit(20))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = ip6::Header {
                    source,
                    destination,
                    protocol: Protocol::Udp,
                    hop_limit: 64,
                    traffic_class: 0,
                    fragment: None,
                };
                Packet::from_wire(header.emit(0).as_ref())
            }
            _ => panic!("one family"),
        }
    }

    fn cidrs(addresses: [&str; 2]) -> [Cidr; 2] {
        addresses.map(|address| address.parse().unwrap())
    }

    #[test]
    fn packets_go_where_their_destination_is_and_come_from_where_their_source_is() {
        let mut table = Table::default();
        table.add(1, &cidrs(["10.77.0.2/24", "fd77::2/64"]));
        table.add(2, &cidrs(["10.77.0.3/24", "fd77::3/64"]));
        for (source, destination, way) in [
            ("10.77.0.2", "10.77.0.3", Ok(To::One(2))),
            ("fd77::2", "fd77::3", Ok(To::One(2))),
            ("10.77.0.2", "10.77.0.255", Ok(To::Others)),
            ("10.77.0.2", "255.255.255.255", Ok(To::Others)),
            ("10.77.0.2", "224.0.0.251", Ok(To::Others)),
            ("fd77::2", "ff02::1", Ok(To::Others)),
            ("10.77.0.2", "10.77.0.4", Err(Reason::Nobody)),
            ("10.77.0.2", "10.77.0.2", Err(Reason::Nobody)),
            ("10.77.0.2", "192.0.2.1", Err(Reason::Nobody)),
            ("10.77.0.3", "10.77.0.2", Err(Reason::Source)),
            ("192.0.2.1", "10.77.0.3", Err(Reason::Source)),
            ("127.0.0.1", "10.77.0.3", Err(Reason::Source)),
            ("10.77.0.255", "10.77.0.3", Err(Reason::Source)),
        ] {
            assert_eq!(table.way(1, &packet(source, destination)), way, "{source} to {destination}");
        }
        assert_eq!(table.way(1, &Packet::from_wire(b"E")), Err(Reason::Malformed));
        table.remove(2);
        assert_eq!(table.way(1, &packet("10.77.0.2", "10.77.0.3")), Err(Reason::Nobody));
        assert_eq!(table.way(2, &packet("10.77.0.3", "10.77.0.2")), Err(Reason::Source));
    }
}
