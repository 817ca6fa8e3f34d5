//! The way up, layer by layer: the whole path of a received packet is here.
//!
//! Each layer returns what the next should see, or why the packet is dropped; nobody calls upwards.

use std::net::IpAddr;

use ieum_wire::group::{self, Query};
use ieum_wire::ip::{self, Fragment, Parsed};
use ieum_wire::{GsoKind, Instant, Packet, Protocol, Unreachable, ip6, segmentation, udp_lite};

use crate::drops::Drop;
use crate::icmp::{Heard, Quoted, Word};
use crate::ip::{For, Incoming, Received};
use crate::link::{LinkId, Medium};
use crate::stack::Stack;

impl Stack {
    /// A frame's packet came in over `link`. It is accepted or dropped for one reason, and either is counted.
    pub fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        self.drops.received();
        match self.neighbors.receive(now, &self.ip, link, frame) {
            Ok(Some(packet)) => self.on_ip(now, link, &packet),
            Ok(None) => {}
            Err(reason) => self.drops.count(reason),
        }
        self.drops.judged();
    }

    fn on_ip(&mut self, now: Instant, link: LinkId, packet: &Packet) {
        if self.is_of_delegate(link, packet) {
            return;
        }
        let to_many = packet.ethernet.is_some_and(|header| header.destination.is_group());
        match self.ip.receive(link, packet) {
            // RFC 1122 §3.3.6, §3.2.2: everybody heard it, so it is no packet for one, and nobody answers it.
            Ok(incoming) if to_many && incoming.for_whom != For::Everybody => {
                self.drops.count(Drop::FrameForMany);
            }
            Ok(incoming) => match incoming.parsed.header.fragment {
                Some(part) if !part.is_whole() => {
                    if self.is_for_delegate(link, packet, &incoming) {
                        return;
                    }
                    self.on_fragment(now, link, packet, &incoming.parsed, part);
                }
                Some(_) | None => self.on_packet(now, link, packet, &incoming),
            },
            Err(Drop::NotForUs) if self.is_for_delegates_groups(link, packet) => {}
            Err(reason) => self.drops.count(reason),
        }
    }

    /// A part of a datagram: if it was the last that was missing, the whole goes on its way.
    fn on_fragment(
        &mut self,
        now: Instant,
        link: LinkId,
        frame: &Packet,
        parsed: &Parsed,
        fragment: Fragment,
    ) {
        let whole = self.ip.reassembly.receive(now, frame, parsed, fragment);
        for _ in 0..std::mem::take(&mut self.ip.reassembly.driven_out) {
            self.drops.count(Drop::FragmentsDrivenOut);
        }
        match whole {
            Ok(None) => {}
            Ok(Some(whole)) => match self.ip.receive(link, &whole) {
                // A fragment within fragments: RFC 8200 §4.1 gives a packet one such header.
                Ok(incoming) if incoming.fragmented => self.drops.count(Drop::Ip6ExtensionHeader),
                Ok(incoming) => {
                    self.on_packet(now, link, &whole, &Incoming { fragmented: true, ..incoming });
                }
                Err(reason) => self.drops.count(reason),
            },
            Err(reason) => self.drops.count(reason),
        }
    }

    fn on_packet(&mut self, now: Instant, link: LinkId, packet: &Packet, incoming: &Incoming) {
        if self.is_for_delegate(link, packet, incoming) {
            return;
        }
        let Incoming { parsed, for_whom, fragmented } = *incoming;
        let said_to_itself = link == self.ip.loopback();
        let goes_home = said_to_itself && !packet.by_loopback;
        let home = self.ip.link_of(parsed.header.destination).filter(|_| goes_home);
        let received = Received {
            link,
            heard_over: home.unwrap_or(link),
            came_at: now,
            source: parsed.header.source,
            destination: parsed.header.destination,
            ttl: parsed.header.ttl,
            fragmented,
            tos: parsed.header.tos,
            payload: packet.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default(),
            frames: segmentation::frames(packet),
            segment_bytes: packet.gso.filter(|gso| gso.kind == GsoKind::Datagrams).map(|gso| gso.size_bytes),
        };
        let watch = (&mut self.drops, &mut self.events);
        let is_heard = self.raw.receive(&received, parsed.header.protocol, packet, &self.ip.groups, watch);
        let outcome = match parsed.header.protocol {
            Protocol::Icmp4 if received.source.is_ipv4() => {
                let heard = self.icmp.receive4(&received, for_whom);
                heard.and_then(|heard| self.on_icmp(now, link, heard, &received))
            }
            Protocol::Icmp6 if received.source.is_ipv6() => {
                let heard = self.icmp.receive6(&received, for_whom);
                heard.and_then(|heard| self.on_icmp(now, link, heard, &received))
            }
            protocol @ (Protocol::Udp | udp_lite::PROTOCOL) => {
                let groups = &self.ip.groups;
                self.udp.receive(protocol, &received, packet.checksum, for_whom, groups, &mut self.events)
            }
            Protocol::Other(group::IGMP) if received.source.is_ipv4() => self.on_igmp(now, link, &received),
            Protocol::Tcp if for_whom == For::Everybody => Err(Drop::TcpNotUnicast),
            Protocol::Tcp if !segmentation::checksum_is_valid(packet, &parsed) => Err(Drop::TcpChecksum),
            Protocol::Tcp => {
                let (tcp, mut cx) = self.split(now);
                tcp.receive(&mut cx, &received);
                Ok(())
            }
            Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => Err(Drop::ProtocolUnknown),
        };
        if let Err(reason) = outcome {
            // What a raw endpoint hears is not unknown.
            if is_heard && matches!(reason, Drop::ProtocolUnknown | Drop::IcmpKind) {
                return;
            }
            self.refuse(packet, incoming, &received, reason);
        }
    }

    /// Counts the drop, and owes an ICMP error for the two that deserve one (RFC 1122 §3.2.2.1) unless the packet
    /// was for many (RFC 1122 §3.2.2), or carried nothing (RFC 8200 §4.7).
    fn refuse(&mut self, packet: &Packet, incoming: &Incoming, received: &Received<'_>, drop: Drop) {
        self.drops.count(drop);
        let reason = if drop == Drop::UdpPortUnknown {
            Unreachable::Port
        } else if drop == Drop::ProtocolUnknown
            && incoming.parsed.header.protocol != Protocol::Other(ip6::NO_NEXT_HEADER)
        {
            Unreachable::Protocol
        } else {
            return;
        };
        if incoming.for_whom != For::Everybody {
            let original = packet.bytes().get(..incoming.parsed.total_bytes).unwrap_or_default();
            self.icmp.owe_unreachable(received.destination, received.source, reason, original);
        }
    }

    /// A datagram of ours to a group that we are in ourselves, as it left by `link`.
    pub(crate) fn on_looped(&mut self, now: Instant, link: LinkId, packet: &Packet) {
        self.drops.received();
        if let Ok(parsed) = ip::parse(packet.bytes()) {
            let incoming = Incoming { parsed, for_whom: For::Everybody, fragmented: false };
            self.on_packet(now, link, packet, &incoming);
        }
        self.drops.judged();
    }

    /// What others say of groups: a router's question is answered; what other members say is not for us.
    fn on_igmp(&mut self, now: Instant, link: LinkId, received: &Received<'_>) -> Result<(), Drop> {
        let query = Query::parse_igmp(received.payload).ok_or(Drop::GroupMessage)?;
        self.ip.groups.asked(now, &mut self.chance, link, true, &query);
        Ok(())
    }

    /// RFC 3810 §5.1.14: a router's question comes from next door, and says so.
    fn on_listener_query(
        &mut self,
        now: Instant,
        link: LinkId,
        body: &[u8],
        received: &Received<'_>,
    ) -> Result<(), Drop> {
        let is_near = matches!(received.source, IpAddr::V6(source) if source.is_unicast_link_local());
        let query = Query::parse_mld(body).filter(|_| is_near && received.ttl == 1);
        let query = query.ok_or(Drop::GroupMessage)?;
        self.ip.groups.asked(now, &mut self.chance, link, false, &query);
        Ok(())
    }

    fn on_icmp(
        &mut self,
        now: Instant,
        link: LinkId,
        heard: Heard<'_>,
        received: &Received<'_>,
    ) -> Result<(), Drop> {
        match heard {
            Heard::Nothing => Ok(()),
            Heard::EchoReply(identifier) => self.icmp.ping.on_reply(received, identifier, &mut self.events),
            // RFC 5927 §4.1: what we have not sent cannot have failed. The error goes back to the packet's source.
            Heard::Unreachable(_, quoted) if quoted.ours.ip() != received.destination => Err(Drop::IcmpQuote),
            Heard::Unreachable(reason, quoted) => {
                let [kind, code] = received.payload.first_chunk().copied().unwrap_or_default();
                let word = Word { reason, kind, code, by: received.source };
                self.on_unreachable(now, word, &quoted)
            }
            Heard::ListenerQuery(body) => self.on_listener_query(now, link, body, received),
            Heard::Neighbor(kind, body) => match self.ip.medium(link) {
                Some(Medium::Ethernet(own)) => {
                    self.neighbors.on_ndp(now, &self.ip, (link, own), received, (kind, body))
                }
                Some(Medium::Ip) | None => Err(Drop::IcmpKind),
            },
        }
    }

    /// Packets that no neighbour took: their transports hear of it as of any host that cannot be reached.
    pub(crate) fn give_up(&mut self, now: Instant) {
        self.count_parked();
        while let Some(packet) = self.neighbors.poll_given_up() {
            self.neighbor_silent(now, &packet);
        }
    }

    /// Nobody on its link took this packet of ours: its transport hears of it as of any host that cannot be reached. For links
    /// whose owner knows who is on them.
    pub fn neighbor_silent(&mut self, now: Instant, packet: &Packet) {
        self.drops.count(Drop::NeighborSilent);
        if let Some(quoted) = Quoted::parse(packet.bytes()) {
            // As if the host itself had said so. A transport that has forgotten what it sent has nobody to tell.
            let _told = self.on_unreachable(now, Word::of_silence(quoted.ours.ip()), &quoted);
        }
    }

    /// Packets that waited for a neighbour, and in vain.
    pub(crate) fn count_parked(&mut self) {
        for _ in 0..std::mem::take(&mut self.neighbors.driven_out) {
            self.drops.count(Drop::NeighborParked);
        }
        for _ in 0..std::mem::take(&mut self.neighbors.forgotten) {
            self.drops.count(Drop::NeighborForgotten);
        }
    }

    /// Somebody could not deliver a packet of ours: its transport hears of it.
    fn on_unreachable(&mut self, now: Instant, word: Word, quoted: &Quoted<'_>) -> Result<(), Drop> {
        let reason = word.reason;
        let is_raw = self.raw.on_unreachable(&word, quoted, &mut self.events);
        match (quoted.protocol, quoted.seq) {
            (Protocol::Tcp, Some(seq)) => {
                let (tcp, mut cx) = self.split(now);
                tcp.on_unreachable(&mut cx, reason, quoted.ours, quoted.theirs, seq)
            }
            (Protocol::Udp | udp_lite::PROTOCOL, _) => {
                // Without a connected endpoint nobody is to be told; the error itself was in order.
                let told = self.udp.on_unreachable(&word, quoted, &mut self.events);
                if let (Unreachable::FragmentationNeeded { mtu_bytes }, true) = (reason, told) {
                    self.ip.path_narrowed(now, quoted.theirs.ip(), mtu_bytes);
                }
                Ok(())
            }
            (Protocol::Icmp4 | Protocol::Icmp6, _) => {
                let identifier = quoted.echo.ok_or(Drop::IcmpQuote)?;
                self.icmp.ping.on_unreachable(reason, quoted.ours.ip(), identifier, &mut self.events);
                Ok(())
            }
            (Protocol::Other(_), _) if is_raw => Ok(()),
            (Protocol::Tcp | Protocol::Other(_), _) => Err(Drop::IcmpQuote),
        }
    }
}
