//! What neighbours say by ARP (RFC 826), and what we ask and answer.

use std::net::{IpAddr, Ipv4Addr};

use ieum_wire::arp::{Message, Operation};
use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Instant, Packet};

use super::LinkId;
use super::neighbor::{Answer, Neighbors};
use crate::drops::Drop;
use crate::ip::Ip;

impl Neighbors {
    /// A message came over `link`, where we are `own`.
    pub(super) fn on_arp(
        &mut self,
        now: Instant,
        ip: &Ip,
        link: LinkId,
        own: MacAddress,
        bytes: &[u8],
    ) -> Result<(), Drop> {
        let message = Message::parse(bytes).ok_or(Drop::ArpMalformed)?;
        let sender = IpAddr::V4(message.sender_ip);
        let nonsense = message.sender_mac.is_group() || ip.is_for_many(sender);
        // Somebody else with our address (RFC 5227 §2.4): we keep it and say nothing, as Linux does.
        if nonsense || message.sender_mac == own || ip.is_local(sender) {
            return Err(Drop::ArpMalformed);
        }
        let target = IpAddr::V4(message.target_ip);
        let neighbor = (link, sender);
        if target.is_loopback() || !ip.is_local(target) {
            // Who is known already and says something new of himself, to whomever, is followed (RFC 826).
            let answer = Answer { mac: Some(message.sender_mac), solicited: false, overrides: true };
            return if self.answered(now, neighbor, answer) { Ok(()) } else { Err(Drop::ArpNotForUs) };
        }
        match message.operation {
            Operation::Reply => {
                let answer = Answer { mac: Some(message.sender_mac), solicited: true, overrides: true };
                if self.answered(now, neighbor, answer) { Ok(()) } else { Err(Drop::ArpNotForUs) }
            }
            Operation::Request => {
                if !sender.is_unspecified() {
                    self.asked_by(now, neighbor, message.sender_mac);
                }
                let reply = Message {
                    operation: Operation::Reply,
                    sender_mac: own,
                    sender_ip: message.target_ip,
                    target_mac: message.sender_mac,
                    target_ip: message.sender_ip,
                };
                self.say(link, packet(&reply, message.sender_mac))
            }
        }
    }
}

/// "Who has `about`?", from `own`, to everybody or to the one who had it last.
pub(super) fn question(own: (MacAddress, Ipv4Addr), about: Ipv4Addr, at: Option<MacAddress>) -> Packet {
    let (sender_mac, sender_ip) = own;
    let to = at.unwrap_or(MacAddress::BROADCAST);
    let target_mac = at.unwrap_or(MacAddress([0; 6]));
    let message =
        Message { operation: Operation::Request, sender_mac, sender_ip, target_mac, target_ip: about };
    packet(&message, to)
}

fn packet(message: &Message, destination: MacAddress) -> Packet {
    let mut packet = Packet::new();
    packet.extend(&message.emit());
    packet.ethernet = Some(Header { destination, source: message.sender_mac, ethertype: EtherType::Arp });
    packet
}
