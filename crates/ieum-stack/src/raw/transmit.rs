//! The way down: accepting packets into the FIFO, and writing their headers.

use std::net::IpAddr;

use ieum_wire::checksum::{Sum, pseudo_header};
use ieum_wire::{Packet, Protocol, ip, ip4, ip6};

use super::{Raw, RawForm, RawId, RawSendError};
use crate::SendFields;
use crate::drops::{Drop, Drops};
use crate::event::{Event, Events};
use crate::ip::{Family, Ip, Outgoing, Path, stays_inside};
use crate::link::LinkId;
use crate::udp::cost_bytes;

/// A packet on its way out.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) endpoint: RawId,
    pub(super) path: Path,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) form: RawForm,
    pub(super) bytes: Vec<u8>,
    pub(super) fields: SendFields,
}

impl Raw {
    /// Takes a packet for sending.
    pub(super) fn owe(&mut self, owed: Owed) -> Result<(), RawSendError> {
        let endpoint = self.endpoints.get_mut(owed.endpoint).ok_or(RawSendError::Gone)?;
        if !endpoint.outbox.enter(cost_bytes(&owed.bytes)) {
            return Err(RawSendError::QueueFull);
        }
        self.owed.push_back(owed);
        Ok(())
    }

    /// The next packet, or its first fragment.
    pub(crate) fn transmit(
        &mut self,
        ip: &mut Ip,
        drops: &mut Drops,
        events: &mut Events,
    ) -> Option<(LinkId, Packet)> {
        while let Some(owed) = self.owed.pop_front() {
            self.discharge(&owed, events);
            let packet = build(&owed, ip);
            let group = owed.destination;
            if group.is_multicast() && owed.path.link != ip.loopback() {
                let loops = owed.fields.loops && ip.groups.is_joined(owed.path.link, group);
                if loops && !ip.loop_back(owed.path.link, &packet) {
                    drops.count(Drop::RawUnsent);
                }
                // RFC 1112 §6.1: without a hop to go it does not leave.
                if (owed.fields.ttl == 0 && owed.form == RawForm::Payload) || stays_inside(group) {
                    continue;
                }
            }
            // What says of itself that it is another version of IP, or has no whole header, is for no wire.
            let version = Some(if group.is_ipv4() { 4 } else { 6 });
            if ip::version(packet.bytes()) != version || ip::parse(packet.bytes()).is_err() {
                drops.count(Drop::RawUnsent);
                continue;
            }
            match ip.fit(&owed.path, packet) {
                Ok(out) => return Some(out),
                Err(_) => drops.count(Drop::RawUnsent),
            }
        }
        None
    }

    fn discharge(&mut self, owed: &Owed, events: &mut Events) {
        // The endpoint may have been closed meanwhile; what it sent still leaves.
        let Some(endpoint) = self.endpoints.get_mut(owed.endpoint) else { return };
        if endpoint.outbox.leave(cost_bytes(&owed.bytes)) {
            events.push(Event::Raw(owed.endpoint));
        }
    }
}

/// A user's bytes as they can be sent: checked, and with all that they leave to us.
pub(super) fn prepared(
    family: Family,
    form: RawForm,
    checksum_at: Option<usize>,
    protocol: u8,
    (source, destination): (IpAddr, IpAddr),
    bytes: &[u8],
) -> Result<Vec<u8>, RawSendError> {
    let mut bytes = bytes.to_vec();
    match (form, family) {
        (RawForm::Packet, Family::Ip4) => finish_header4(&mut bytes, source)?,
        (RawForm::Packet, Family::Ip6) if bytes.len() < ip6::HEADER_BYTES => {
            return Err(RawSendError::Malformed);
        }
        (RawForm::Packet, Family::Ip6) | (RawForm::Payload, Family::Ip4) => {}
        (RawForm::Payload, Family::Ip6) => {
            if let Some(at) = checksum_at {
                write_checksum(&mut bytes, at, protocol, source, destination)?;
            }
        }
    }
    Ok(bytes)
}

/// As Linux: the length and the checksum are ours, source and identification where the user left them open. Only a header
/// that can be one is touched.
fn finish_header4(bytes: &mut [u8], source: IpAddr) -> Result<(), RawSendError> {
    let length = u16::try_from(bytes.len()).map_err(|_| RawSendError::TooLarge)?;
    let header_bytes = usize::from(bytes.first().map_or(0, |first| first & 0x0f)) * 4;
    if bytes.len() < ip4::HEADER_BYTES || header_bytes > bytes.len() {
        return Err(RawSendError::Malformed);
    }
    let Some(header) = bytes.get_mut(..header_bytes).filter(|header| header.len() >= ip4::HEADER_BYTES)
    else {
        return Ok(());
    };
    if let (IpAddr::V4(source), [0, 0, 0, 0]) = (source, [header[12], header[13], header[14], header[15]]) {
        header[12..16].copy_from_slice(&source.octets());
    }
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header[10..12].copy_from_slice(&[0; 2]);
    let checksum = Sum::new().plus(header).finish();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    Ok(())
}

/// RFC 3542 §3.1: the checksum with IPv6's pseudo header, at the place that the user said.
fn write_checksum(
    bytes: &mut [u8],
    at: usize,
    protocol: u8,
    source: IpAddr,
    destination: IpAddr,
) -> Result<(), RawSendError> {
    let length = bytes.len();
    let place = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<2>).ok_or(RawSendError::Malformed)?;
    // Linux adds what stands there to the sum; whoever wants a checksum leaves it 0.
    let protocol = Protocol::from(protocol);
    *place = [0; 2];
    let sum = pseudo_header(source, destination, protocol, length).plus(bytes).finish();
    let sum = if sum == 0 && protocol == Protocol::Udp { 0xffff } else { sum };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    Ok(())
}

fn build(owed: &Owed, ip: &mut Ip) -> Packet {
    if owed.form == RawForm::Packet {
        return Packet::from_wire(&owed.bytes);
    }
    let headers_bytes = if owed.destination.is_ipv4() { ip4::HEADER_BYTES } else { ip6::HEADER_BYTES };
    // RFC 1191 §3: as datagrams do.
    let is_whole =
        u32::try_from(headers_bytes + owed.bytes.len()).is_ok_and(|bytes| bytes <= owed.path.mtu_bytes);
    let outgoing = Outgoing {
        source: owed.path.source,
        destination: owed.destination,
        protocol: Protocol::from(owed.protocol),
        ttl: owed.fields.ttl,
        tos: owed.fields.tos,
        dont_fragment: is_whole && owed.fields.dont_fragment,
    };
    let mut packet = ip.begin(&outgoing, owed.bytes.len());
    packet.extend(&owed.bytes);
    packet
}
