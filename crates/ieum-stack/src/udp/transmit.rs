//! The way down: accepting datagrams into the FIFO, and writing the packets.

use std::net::SocketAddr;

use ieum_wire::udp::{HEADER_BYTES, Header};
use ieum_wire::{ChecksumState, Packet, Protocol, ip4, ip6, segmentation};

use super::endpoint::cost_bytes;
use super::{SendFields, Udp, UdpId, UdpSendError};
use crate::bounds::{
    UDP_PAYLOAD_BYTES_MAX_IP4, UDP_PAYLOAD_BYTES_MAX_IP6, UDP_SEND_FROM_QUEUE_BYTES_MAX,
    UDP_SEND_QUEUE_BYTES_MAX,
};
use crate::drops::{Drop, Drops};
use crate::event::{Event, Events};
use crate::ip::{Ip, Outgoing, Path, stays_inside};
use crate::link::LinkId;

/// A datagram on its way out.
#[derive(Debug)]
pub(super) struct Owed {
    /// Whose send queue it is charged to.
    endpoint: Option<UdpId>,
    path: Path,
    source_port: u16,
    destination: SocketAddr,
    payload: Vec<u8>,
    fields: SendFields,
    /// Its sender wants to hear when it leaves.
    marked: bool,
}

impl Udp {
    /// Takes a datagram for sending over `path`, charged to `endpoint` (`None`: to all who send without one).
    pub(super) fn owe(
        &mut self,
        endpoint: Option<UdpId>,
        path: Path,
        source_port: u16,
        destination: SocketAddr,
        payload: &[u8],
        fields: SendFields,
    ) -> Result<(), UdpSendError> {
        if payload.len() > payload_bytes_max(destination) {
            return Err(UdpSendError::TooLarge);
        }
        self.charge(endpoint, cost_bytes(payload))?;
        let payload = payload.to_vec();
        let marked = false;
        self.owed.push_back(Owed { endpoint, path, source_port, destination, payload, fields, marked });
        Ok(())
    }

    /// Marks the datagram that was taken last.
    pub(super) fn mark_last(&mut self, endpoint: UdpId) {
        if let Some(owed) = self.owed.back_mut().filter(|owed| owed.endpoint == Some(endpoint)) {
            owed.marked = true;
        }
    }

    /// The next datagram's packet, or its first fragment.
    pub(crate) fn transmit(
        &mut self,
        ip: &mut Ip,
        drops: &mut Drops,
        events: &mut Events,
    ) -> Option<(LinkId, Packet)> {
        while let Some(owed) = self.owed.pop_front() {
            self.discharge(&owed, events);
            let packet = build(&owed, ip);
            let group = owed.destination.ip();
            if group.is_multicast() && owed.path.link != ip.loopback() {
                let loops = owed.fields.loops && ip.groups.is_joined(owed.path.link, group);
                if loops && !ip.loop_back(owed.path.link, &packet) {
                    drops.count(Drop::UdpUnsent);
                }
                // RFC 1112 §6.1: without a hop to go it does not leave.
                if owed.fields.ttl == 0 || stays_inside(group) {
                    continue;
                }
            }
            match ip.fit(&owed.path, packet) {
                Ok(out) => return Some(out),
                Err(_) => drops.count(Drop::UdpUnsent),
            }
        }
        None
    }

    fn charge(&mut self, endpoint: Option<UdpId>, cost_bytes: usize) -> Result<(), UdpSendError> {
        let Some(id) = endpoint else {
            if self.owed_without_endpoint_bytes + cost_bytes > UDP_SEND_FROM_QUEUE_BYTES_MAX {
                return Err(UdpSendError::QueueFull);
            }
            self.owed_without_endpoint_bytes += cost_bytes;
            return Ok(());
        };
        let endpoint = self.endpoints.get_mut(id).ok_or(UdpSendError::NoFreePort)?;
        if endpoint.owed_bytes + cost_bytes > UDP_SEND_QUEUE_BYTES_MAX {
            endpoint.awaits_room = true;
            return Err(UdpSendError::QueueFull);
        }
        endpoint.owed_bytes += cost_bytes;
        Ok(())
    }

    fn discharge(&mut self, owed: &Owed, events: &mut Events) {
        let cost_bytes = cost_bytes(&owed.payload);
        let Some(id) = owed.endpoint else {
            self.owed_without_endpoint_bytes -= cost_bytes;
            return;
        };
        // The endpoint may have been closed meanwhile; what it sent still leaves.
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        endpoint.owed_bytes -= cost_bytes;
        if owed.marked {
            endpoint.left += 1;
            events.push(Event::Udp(id));
        }
        // Half the queue must be free before a waiting sender is woken, or it would be woken for each datagram.
        if endpoint.awaits_room && endpoint.owed_bytes <= UDP_SEND_QUEUE_BYTES_MAX / 2 {
            endpoint.awaits_room = false;
            events.push(Event::Udp(id));
        }
    }
}

/// The largest payload that a header can tell.
fn payload_bytes_max(destination: SocketAddr) -> usize {
    if destination.is_ipv4() { UDP_PAYLOAD_BYTES_MAX_IP4 } else { UDP_PAYLOAD_BYTES_MAX_IP6 }
}

fn build(owed: &Owed, ip: &mut Ip) -> Packet {
    let length_bytes = HEADER_BYTES + owed.payload.len();
    let headers_bytes = if owed.destination.is_ipv4() { ip4::HEADER_BYTES } else { ip6::HEADER_BYTES };
    // RFC 1191 §3: what passes whole as far as we know asks not to be cut, so that routers say where it does not.
    let is_whole =
        u32::try_from(headers_bytes + length_bytes).is_ok_and(|bytes| bytes <= owed.path.mtu_bytes);
    let outgoing = Outgoing {
        source: owed.path.source,
        destination: owed.destination.ip(),
        protocol: Protocol::Udp,
        ttl: owed.fields.ttl,
        tos: owed.fields.tos,
        dont_fragment: is_whole,
    };
    let header = Header { source_port: owed.source_port, destination_port: owed.destination.port() };
    let mut packet = ip.begin(&outgoing, length_bytes);
    packet.extend(&header.emit(u16::try_from(length_bytes).expect("owe() takes at most 65,527 bytes")));
    packet.extend(&owed.payload);
    packet.checksum = ChecksumState::Deferred;
    if !owed.path.checksum_offload {
        segmentation::finish_checksum(&mut packet);
    }
    packet
}
