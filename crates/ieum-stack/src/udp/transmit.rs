//! The way down: accepting datagrams into the FIFO, and writing the packets.

use std::net::SocketAddr;

use ieum_wire::udp::{HEADER_BYTES, Header};
use ieum_wire::{ChecksumState, Gso, GsoKind, Packet, Protocol, ip4, segmentation};

use super::endpoint::cost_bytes;
use super::{Udp, UdpId, UdpSendError};
use crate::bounds::{UDP_PAYLOAD_BYTES_MAX, UDP_SEND_FROM_QUEUE_BYTES_MAX, UDP_SEND_QUEUE_BYTES_MAX};
use crate::event::{Event, Events};
use crate::ip::{Ip, Outgoing, Path, fragment_bytes};
use crate::link::LinkId;

/// A datagram on its way out.
#[derive(Debug)]
pub(super) struct Owed {
    /// Whose send queue it is charged to.
    endpoint: Option<UdpId>,
    path: Path,
    /// Set when the link is to cut it: payload bytes of each fragment.
    fragment_bytes: Option<u16>,
    source_port: u16,
    destination: SocketAddr,
    payload: Vec<u8>,
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
    ) -> Result<(), UdpSendError> {
        if payload.len() > UDP_PAYLOAD_BYTES_MAX {
            return Err(UdpSendError::TooLarge);
        }
        let fragment_bytes =
            fragment_bytes(&path, HEADER_BYTES + payload.len()).map_err(|_| UdpSendError::TooLarge)?;
        self.charge(endpoint, cost_bytes(payload))?;
        let payload = payload.to_vec();
        self.owed.push_back(Owed { endpoint, path, fragment_bytes, source_port, destination, payload });
        Ok(())
    }

    /// The next datagram's packet.
    pub(crate) fn transmit(&mut self, ip: &mut Ip, events: &mut Events) -> Option<(LinkId, Packet)> {
        let owed = self.owed.pop_front()?;
        self.discharge(&owed, events);
        Some((owed.path.link, build(&owed, ip)))
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
        // Half the queue must be free before a waiting sender is woken, or it would be woken for each datagram.
        if endpoint.awaits_room && endpoint.owed_bytes <= UDP_SEND_QUEUE_BYTES_MAX / 2 {
            endpoint.awaits_room = false;
            events.push(Event::Udp(id));
        }
    }
}

fn build(owed: &Owed, ip: &mut Ip) -> Packet {
    let outgoing = Outgoing {
        source: owed.path.source,
        destination: owed.destination.ip(),
        protocol: Protocol::Udp,
        ttl: ip4::TTL_DEFAULT,
        tos: 0,
        dont_fragment: false,
    };
    let length_bytes = HEADER_BYTES + owed.payload.len();
    let header = Header { source_port: owed.source_port, destination_port: owed.destination.port() };
    let mut packet = ip.begin(&outgoing, length_bytes);
    packet.extend(&header.emit(u16::try_from(length_bytes).expect("owe() takes at most 65,507 bytes")));
    packet.extend(&owed.payload);
    packet.gso = owed.fragment_bytes.map(|size_bytes| Gso { kind: GsoKind::UdpFragments, size_bytes });
    packet.checksum = ChecksumState::Deferred;
    if !owed.path.checksum_offload {
        segmentation::finish_checksum(&mut packet);
    }
    packet
}
