//! The way down: accepting datagrams into the FIFO, and writing the packets.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use ieum_wire::udp::{HEADER_BYTES, Header};
use ieum_wire::{ChecksumState, Gso, GsoKind, Packet, Protocol, ip4, ip6, segmentation, udp_lite};

use super::endpoint::cost_bytes;
use super::{SendFields, Udp, UdpId, UdpSendError};
use crate::bounds::{
    UDP_PAYLOAD_BYTES_MAX_IP4, UDP_PAYLOAD_BYTES_MAX_IP6, UDP_SEGMENTS_MAX, UDP_SEND_FROM_QUEUE_BYTES_MAX,
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
    /// UDP-Lite: how many bytes the checksum covers; 0: all. `None`: it is UDP.
    lite: Option<u16>,
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
        let path = fields.measured(path);
        if let Some(size) = fields.segment_bytes.map(|size| usize::from(size.get())) {
            let whole_bytes = headers_bytes(destination) + HEADER_BYTES + size.min(payload.len());
            // Nobody cuts them a second time.
            if u32::try_from(whole_bytes).is_ok_and(|bytes| bytes > path.mtu_bytes) {
                return Err(UdpSendError::TooLarge);
            }
            if payload.len() > size * UDP_SEGMENTS_MAX {
                return Err(UdpSendError::TooMany);
            }
        }
        self.charge(endpoint, cost_bytes(payload))?;
        let payload = payload.to_vec();
        let marked = false;
        let lite =
            endpoint.and_then(|id| self.endpoints.get(id)).filter(|it| it.protocol == udp_lite::PROTOCOL);
        let lite = lite.map(|endpoint| endpoint.coverage.sent_bytes);
        self.owed.push_back(Owed { endpoint, path, source_port, destination, payload, fields, marked, lite });
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
            let to = owed.destination.ip();
            if ip.is_for_many(to) && owed.path.link != ip.loopback() {
                // We are among everybody (RFC 919 §7), and in a group if somebody joined it.
                let is_ours =
                    !to.is_multicast() || (owed.fields.loops && ip.groups.is_joined(owed.path.link, to));
                if is_ours && !ip.loop_back(owed.path.link, &packet) {
                    drops.count(Drop::UdpUnsent);
                }
                // RFC 1112 §6.1: without a hop to go it does not leave.
                if to.is_multicast() && (owed.fields.ttl == 0 || stays_inside(to)) {
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
        if endpoint.outbox.enter(cost_bytes) { Ok(()) } else { Err(UdpSendError::QueueFull) }
    }

    fn discharge(&mut self, owed: &Owed, events: &mut Events) {
        let cost_bytes = cost_bytes(&owed.payload);
        let Some(id) = owed.endpoint else {
            self.owed_without_endpoint_bytes -= cost_bytes;
            return;
        };
        // The endpoint may have been closed meanwhile; what it sent still leaves.
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        if owed.marked {
            endpoint.left += 1;
            events.push(Event::Udp(id));
        }
        if endpoint.outbox.leave(cost_bytes) {
            events.push(Event::Udp(id));
        }
    }
}

/// The largest payload that a header can tell.
fn payload_bytes_max(destination: SocketAddr) -> usize {
    if destination.is_ipv4() { UDP_PAYLOAD_BYTES_MAX_IP4 } else { UDP_PAYLOAD_BYTES_MAX_IP6 }
}

/// Bytes of the IP header.
fn headers_bytes(destination: SocketAddr) -> usize {
    if destination.is_ipv4() { ip4::HEADER_BYTES } else { ip6::HEADER_BYTES }
}

fn build(owed: &Owed, ip: &mut Ip) -> Packet {
    let length_bytes = HEADER_BYTES + owed.payload.len();
    let segment_bytes = owed.fields.segment_bytes.map(NonZeroU16::get);
    let size_bytes = segment_bytes.filter(|size| usize::from(*size) < owed.payload.len());
    // RFC 1191 §3: what passes whole as far as we know asks not to be cut, so that routers say where it does not.
    let is_whole = u32::try_from(headers_bytes(owed.destination) + length_bytes)
        .is_ok_and(|bytes| bytes <= owed.path.mtu_bytes)
        || size_bytes.is_some();
    let outgoing = Outgoing {
        source: owed.path.source,
        destination: owed.destination.ip(),
        protocol: if owed.lite.is_some() { udp_lite::PROTOCOL } else { Protocol::Udp },
        ttl: owed.fields.ttl,
        tos: owed.fields.tos,
        dont_fragment: is_whole && owed.fields.dont_fragment,
    };
    let header = Header { source_port: owed.source_port, destination_port: owed.destination.port() };
    let mut packet = ip.begin(&outgoing, length_bytes);
    packet.extend(&header.emit(u16::try_from(length_bytes).expect("owe() takes at most 65,527 bytes")));
    packet.extend(&owed.payload);
    if let Some(covered_bytes) = owed.lite {
        // Devices compute the checksums of TCP and UDP; this one is ours.
        let at = packet.len() - length_bytes;
        let datagram = packet.bytes_mut().get_mut(at..).unwrap_or_default();
        udp_lite::finish(header, datagram, covered_bytes, owed.path.source, owed.destination.ip());
        return packet;
    }
    packet.checksum = ChecksumState::Deferred;
    if let Some(size_bytes) = size_bytes {
        // Each has a checksum of its own, written by who cuts.
        packet.gso = Some(Gso { kind: GsoKind::Datagrams, size_bytes });
        return packet;
    }
    if !owed.path.checksum_offload {
        segmentation::finish_checksum(&mut packet);
    }
    packet
}
