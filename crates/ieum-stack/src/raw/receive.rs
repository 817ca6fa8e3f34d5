//! The way up: a copy for each endpoint that hears it.

use std::net::SocketAddr;

use ieum_wire::checksum::pseudo_header;
use ieum_wire::{GsoKind, Packet, Protocol, ip, segmentation};

use super::endpoint::Endpoint;
use super::{Raw, RawId};
use crate::drops::{Drop, Drops};
use crate::event::{Event, Events};
use crate::icmp::{Quoted, Word};
use crate::ip::{Family, Groups, Received};
use crate::udp::Envelope;

impl Raw {
    /// Gives a packet to all endpoints that hear it. `true`: there is one that it was for, whatever it wants to hear of it.
    pub(crate) fn receive(
        &mut self,
        received: &Received<'_>,
        protocol: Protocol,
        packet: &Packet,
        groups: &Groups,
        (drops, events): (&mut Drops, &mut Events),
    ) -> bool {
        let key = (Family::of(received.source), protocol.number());
        let Some(ids) = self.by_protocol.get(&key) else { return false };
        let meant: Vec<RawId> = ids.iter().copied().filter(|id| self.is_for(*id, received)).collect();
        if meant.is_empty() {
            return false;
        }
        let mut whole = packet.clone();
        // What would be fragments on a wire was put together again, or never cut.
        whole.gso = whole.gso.filter(|gso| !matches!(gso.kind, GsoKind::Fragments { .. }));
        segmentation::cut(&whole, |part| {
            for id in &meant {
                let Some(endpoint) = self.endpoints.get_mut(*id) else { continue };
                match endpoint.take(received, protocol, &part, groups) {
                    Some(true) => events.push(Event::Raw(*id)),
                    Some(false) => drops.count(Drop::RawQueueFull),
                    None => {}
                }
            }
        });
        true
    }

    fn is_for(&self, id: RawId, received: &Received<'_>) -> bool {
        let endpoint = self.endpoints.get(id);
        endpoint.is_some_and(|endpoint| {
            endpoint.link.is_none_or(|kept| kept == received.heard_over)
                && endpoint.is_for(received.source, received.destination)
        })
    }

    /// An ICMP error about a packet of ours: those are told that are connected to where it went. `true`: somebody is.
    pub(crate) fn on_unreachable(&mut self, word: &Word, quoted: &Quoted<'_>, events: &mut Events) -> bool {
        let mut is_told = false;
        let key = (Family::of(quoted.ours.ip()), quoted.protocol.number());
        for id in self.by_protocol.get(&key).into_iter().flatten() {
            let Some(endpoint) = self.endpoints.get_mut(*id) else { continue };
            if endpoint.remote.is_some() && endpoint.is_for(quoted.theirs.ip(), quoted.ours.ip()) {
                endpoint.error = Some(word.reason);
                events.push(Event::Raw(*id));
                is_told = true;
            }
        }
        is_told
    }
}

impl Endpoint {
    /// Queues a packet that is for it; `Some(false)`: there is no room. `None`: it does not want it.
    fn take(
        &mut self,
        received: &Received<'_>,
        protocol: Protocol,
        packet: &Packet,
        groups: &Groups,
    ) -> Option<bool> {
        let Received { link, heard_over, came_at, source, destination, ttl, tos, .. } = *received;
        let parsed = ip::parse(packet.bytes()).ok()?;
        let payload = packet.bytes().get(parsed.header_bytes..parsed.total_bytes)?;
        let is_icmp = matches!(protocol, Protocol::Icmp4 | Protocol::Icmp6);
        if is_icmp && payload.first().is_some_and(|kind| self.blocks(*kind)) {
            return None;
        }
        if destination.is_multicast()
            && !groups.allow(&self.memberships, link, destination, source, self.all_groups)
        {
            return None;
        }
        let pseudo = pseudo_header(source, destination, protocol, payload.len());
        if self.checksum_at.is_some() && !pseudo.plus(payload).is_valid() {
            return None;
        }
        let bytes = match self.family {
            Family::Ip4 => packet.bytes().get(..parsed.total_bytes)?,
            Family::Ip6 => payload,
        };
        let (source, destination) = (SocketAddr::new(source, 0), SocketAddr::new(destination, 0));
        let segment_bytes = None;
        let envelope = Envelope { source, destination, link, heard_over, came_at, ttl, tos, segment_bytes };
        Some(self.inbox.push(envelope, bytes))
    }
}
