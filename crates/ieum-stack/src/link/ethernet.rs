//! Ethernet, both ways: is a frame for us, and whose interface does a packet go to.

use std::net::IpAddr;

use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Instant, Packet, ip};

use super::neighbor::Neighbors;
use super::{LinkId, Medium, arp, ndp};
use crate::bounds::NEIGHBOR_ANSWERS_MAX;
use crate::drops::Drop;
use crate::ip::Ip;

impl Neighbors {
    /// The way up: the IP packet of a frame from `link`; `Ok(None)`: the frame was a neighbour's word, and was heard.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        ip: &Ip,
        link: LinkId,
        frame: Packet,
    ) -> Result<Option<Packet>, Drop> {
        let (own, ethertype) = match (ip.medium(link), frame.ethernet) {
            // An unknown link is the next layer's to refuse.
            (None | Some(Medium::Ip), None) => return Ok(Some(frame)),
            (None | Some(Medium::Ip), Some(_)) | (Some(Medium::Ethernet(_)), None) => {
                return Err(Drop::FrameMedium);
            }
            (Some(Medium::Ethernet(own)), Some(header)) => {
                if header.destination != own && !header.destination.is_group() {
                    return Err(Drop::FrameNotOurs);
                }
                (own, header.ethertype)
            }
        };
        match ethertype {
            EtherType::Arp => self.on_arp(now, ip, link, own, frame.bytes()).map(|()| None),
            EtherType::Ip4 if ip::version(frame.bytes()) == Some(4) => Ok(Some(frame)),
            EtherType::Ip6 if ip::version(frame.bytes()) == Some(6) => Ok(Some(frame)),
            EtherType::Ip4 | EtherType::Ip6 | EtherType::Other(_) => Err(Drop::FrameType),
        }
    }

    /// The way down: the frame of a packet that leaves by `link`; `None`: it waits for its neighbour to be known.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        ip: &Ip,
        link: LinkId,
        packet: Packet,
    ) -> Option<(LinkId, Packet)> {
        let Some(Medium::Ethernet(own)) = ip.medium(link) else { return Some((link, packet)) };
        let Ok(parsed) = ip::parse(packet.bytes()) else {
            debug_assert!(false, "what leaves is a packet");
            return None;
        };
        let destination = parsed.header.destination;
        if ip.is_for_many(destination) {
            return Some((link, framed(packet, own, group_mac(destination))));
        }
        let neighbor = (link, ip.next_hop(link, destination));
        let (mac, packet) = self.resolve(now, neighbor, unaddressed(packet, own))?;
        Some((link, addressed(packet, mac)))
    }

    /// What is owed to neighbours: answers, packets that no longer wait, questions.
    pub(crate) fn poll(&mut self, ip: &Ip) -> Option<(LinkId, Packet)> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        while let Some(((link, about), at)) = self.next_question() {
            let Some(Medium::Ethernet(own)) = ip.medium(link) else { continue };
            let frame = match (about, ip.source_for(link, about)) {
                (IpAddr::V4(about), Some(IpAddr::V4(source))) => arp::question((own, source), about, at),
                (IpAddr::V6(about), Some(IpAddr::V6(source))) => ndp::question((own, source), about, at),
                // Without an address of that family nobody could answer.
                (IpAddr::V4(_) | IpAddr::V6(_), _) => continue,
            };
            return Some((link, frame));
        }
        None
    }

    /// An answer of ours; those that nobody fetches are bounded.
    pub(super) fn say(&mut self, link: LinkId, frame: Packet) -> Result<(), Drop> {
        if self.ready.len() >= NEIGHBOR_ANSWERS_MAX {
            return Err(Drop::NeighborAnswers);
        }
        self.ready.push_back((link, frame));
        Ok(())
    }
}

/// The packet in a frame.
pub(super) fn framed(mut packet: Packet, source: MacAddress, destination: MacAddress) -> Packet {
    let ethertype = if ip::version(packet.bytes()) == Some(6) { EtherType::Ip6 } else { EtherType::Ip4 };
    packet.ethernet = Some(Header { destination, source, ethertype });
    packet
}

/// The packet in a frame whose receiver is found out later.
pub(super) fn unaddressed(packet: Packet, own: MacAddress) -> Packet {
    framed(packet, own, own)
}

/// A frame to that neighbour.
pub(super) fn addressed(mut frame: Packet, destination: MacAddress) -> Packet {
    if let Some(header) = &mut frame.ethernet {
        header.destination = destination;
    }
    frame
}

/// The Ethernet group of an address that means many (RFC 1112 §6.4, RFC 2464 §7); everybody, for a broadcast.
pub(super) fn group_mac(address: IpAddr) -> MacAddress {
    match address {
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            MacAddress([1, 0, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V4(_) => MacAddress::BROADCAST,
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            MacAddress([0x33, 0x33, a, b, c, d])
        }
    }
}
