//! What neighbours say by neighbour discovery (RFC 4861), and what we ask and answer.

use std::net::{IpAddr, Ipv6Addr};

use ieum_wire::ethernet::MacAddress;
use ieum_wire::icmp6::Message;
use ieum_wire::ndp::{ADVERTISEMENT, Advertisement, HOP_LIMIT, SOLICITATION, Solicitation};
use ieum_wire::{Instant, Packet, Protocol, ip6};

use super::neighbor::{Answer, Neighbors};
use super::{LinkId, ethernet};
use crate::drops::Drop;
use crate::ip::{ALL_NODES, Ip, Received, solicited_node};

impl Neighbors {
    /// A message of neighbour discovery came over `link`, where we are `own`.
    pub(crate) fn on_ndp(
        &mut self,
        now: Instant,
        ip: &Ip,
        (link, own): (LinkId, MacAddress),
        received: &Received<'_>,
        (kind, body): (u8, &[u8]),
    ) -> Result<(), Drop> {
        // RFC 4861 §7.1.1, §7.1.2: nobody beyond a router takes part. RFC 6980 §5: nor does who hides what he says, by the
        // header of a fragment, from those that watch the link for others.
        if received.ttl != HOP_LIMIT || received.fragmented {
            return Err(Drop::NdpMalformed);
        }
        match kind {
            SOLICITATION => self.on_solicitation(now, ip, (link, own), received, body),
            ADVERTISEMENT => self.on_advertisement(now, link, received, body),
            // Routers and their redirects: routes are given.
            _ => Err(Drop::IcmpKind),
        }
    }

    fn on_solicitation(
        &mut self,
        now: Instant,
        ip: &Ip,
        (link, own): (LinkId, MacAddress),
        received: &Received<'_>,
        body: &[u8],
    ) -> Result<(), Drop> {
        let Solicitation { target, source_mac } = Solicitation::parse(body).ok_or(Drop::NdpMalformed)?;
        let is_ours = !target.is_loopback() && ip.is_local(target.into());
        if !is_ours {
            return Err(Drop::NdpNotForUs);
        }
        let asker = received.source;
        let solicited = !asker.is_unspecified();
        // RFC 4861 §7.1.1: who has no address yet asks the group of the one he wants, and says no link-layer address.
        if !solicited
            && (source_mac.is_some()
                || Some(received.destination) != solicited_node(target.into()).map(IpAddr::V6))
        {
            return Err(Drop::NdpMalformed);
        }
        if let Some(mac) = source_mac.filter(|mac| !mac.is_group()) {
            self.asked_by(now, (link, asker), mac);
        }
        let answer = Advertisement { target, target_mac: Some(own), solicited, overrides: true };
        let body = answer.emit();
        let message = Message::Neighbor { kind: ADVERTISEMENT, body: &body };
        let to = match asker {
            IpAddr::V6(asker) if solicited => asker,
            IpAddr::V4(_) | IpAddr::V6(_) => ALL_NODES,
        };
        let packet = packet(target, to, message);
        match source_mac.filter(|mac| solicited && !mac.is_group()) {
            Some(mac) => self.say(link, ethernet::framed(packet, own, mac)),
            None if solicited => {
                // RFC 4861 §7.2.4: the way to the asker has to be found like any other.
                let Some((mac, packet)) =
                    self.resolve(now, (link, asker), ethernet::unaddressed(packet, own))
                else {
                    return Ok(());
                };
                self.say(link, ethernet::addressed(packet, mac))
            }
            None => self.say(link, ethernet::framed(packet, own, ethernet::group_mac(ALL_NODES.into()))),
        }
    }

    fn on_advertisement(
        &mut self,
        now: Instant,
        link: LinkId,
        received: &Received<'_>,
        body: &[u8],
    ) -> Result<(), Drop> {
        let advertisement = Advertisement::parse(body).ok_or(Drop::NdpMalformed)?;
        // RFC 4861 §7.1.2: nobody was asked by everybody.
        let impossible = advertisement.solicited && received.destination.is_multicast();
        if impossible || advertisement.target_mac.is_some_and(MacAddress::is_group) {
            return Err(Drop::NdpMalformed);
        }
        let answer = Answer {
            mac: advertisement.target_mac,
            solicited: advertisement.solicited,
            overrides: advertisement.overrides,
        };
        let known = self.answered(now, (link, advertisement.target.into()), answer);
        if known { Ok(()) } else { Err(Drop::NdpNotForUs) }
    }
}

/// "Who has `about`?", from `own`, to its group or to the one who had it last (RFC 4861 §7.2.2).
pub(super) fn question(own: (MacAddress, Ipv6Addr), about: Ipv6Addr, at: Option<MacAddress>) -> Packet {
    let (mac, source) = own;
    let body = Solicitation { target: about, source_mac: Some(mac) }.emit();
    let message = Message::Neighbor { kind: SOLICITATION, body: &body };
    let group = solicited_node(about.into()).unwrap_or(ALL_NODES);
    let (destination, to) = match at {
        Some(at) => (about, at),
        None => (group, ethernet::group_mac(group.into())),
    };
    ethernet::framed(packet(source, destination, message), mac, to)
}

fn packet(source: Ipv6Addr, destination: Ipv6Addr, message: Message<'_>) -> Packet {
    let bytes = message.emit(source, destination);
    let header = ip6::Header {
        source,
        destination,
        protocol: Protocol::Icmp6,
        hop_limit: HOP_LIMIT,
        traffic_class: 0,
        fragment: None,
    };
    let mut packet = Packet::new();
    packet.extend(header.emit(bytes.len()).as_ref());
    packet.extend(&bytes);
    packet
}
