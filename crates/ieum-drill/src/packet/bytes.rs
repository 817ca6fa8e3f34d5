//! Packets from and to bytes.

use std::net::IpAddr;

use ieum_wire::checksum::{Sum, pseudo_header};
use ieum_wire::{Protocol, ip};

use super::{Body, Datagram, Message, Packet, Segment, TcpOption};

const ICMP4: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// The bytes of a packet, checksums included.
///
/// # Panics
///
/// When source and destination are of different families.
pub(crate) fn emit(packet: &Packet) -> Vec<u8> {
    let is_ip6 = packet.source.is_ipv6();
    let (protocol, mut body, checksum_at) = match &packet.body {
        Body::Tcp(segment) => (TCP, segment_bytes(segment), 16),
        Body::Udp(datagram) => (UDP, datagram_bytes(datagram), 6),
        Body::Icmp(message) => (if is_ip6 { ICMP6 } else { ICMP4 }, message_bytes(message), 2),
        Body::Other(protocol) => (*protocol, Vec::new(), usize::MAX),
    };
    let pseudo = match protocol {
        ICMP4 => Sum::new(),
        _ => pseudo_header(packet.source, packet.destination, Protocol::from(protocol), body.len()),
    };
    let checksum = match pseudo.plus(&body).finish() {
        // RFC 768: 0 would say that none was computed.
        0 if protocol == UDP => u16::MAX,
        checksum => checksum,
    };
    if let Some(field) = body.get_mut(checksum_at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = checksum.to_be_bytes();
    }
    let mut bytes = ip_header(packet, protocol, body.len());
    bytes.extend(body);
    bytes
}

/// The IP header of `packet` for a payload of that size.
pub(crate) fn ip_header(packet: &Packet, protocol: u8, payload_bytes: usize) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
    let mut header = Vec::with_capacity(40);
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.extend([0x45, packet.tos]);
            header.extend(length(20 + payload_bytes));
            header.extend([0, 0, 0, 0, packet.ttl, protocol, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            let checksum = Sum::new().plus(&header).finish().to_be_bytes();
            header[10..12].copy_from_slice(&checksum);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let first = 6 << 28 | u32::from(packet.tos) << 20 | packet.flow_label & 0xf_ffff;
            header.extend(first.to_be_bytes());
            header.extend(length(payload_bytes));
            header.extend([protocol, packet.ttl]);
            header.extend(source.octets());
            header.extend(destination.octets());
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            unreachable!("a packet has one address family")
        }
    }
    header
}

fn segment_bytes(segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(60 + segment.payload.len());
    bytes.extend(segment.source_port.to_be_bytes());
    bytes.extend(segment.destination_port.to_be_bytes());
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    let words = u16::try_from(segment.header_bytes() / 4).unwrap_or(15);
    bytes.extend((words << 12 | segment.flags).to_be_bytes());
    bytes.extend(segment.window.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(segment.urgent.to_be_bytes());
    segment.options.iter().for_each(|option| option.emit(&mut bytes));
    bytes.extend(&segment.payload);
    bytes
}

fn datagram_bytes(datagram: &Datagram) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + datagram.payload.len());
    bytes.extend(datagram.source_port.to_be_bytes());
    bytes.extend(datagram.destination_port.to_be_bytes());
    bytes.extend(u16::try_from(8 + datagram.payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&datagram.payload);
    bytes
}

fn message_bytes(message: &Message) -> Vec<u8> {
    let mut bytes = vec![message.kind, message.code, 0, 0];
    bytes.extend(message.word);
    bytes.extend(&message.rest);
    bytes
}

/// Reads a packet; an error says what is wrong with it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Packet, &'static str> {
    let parsed = ip::parse(bytes).map_err(|_| "bad outbound IP header or checksum")?;
    let payload = &bytes[parsed.header_bytes..parsed.total_bytes];
    let protocol = parsed.header.protocol.number();
    let body = match protocol {
        TCP => Body::Tcp(parse_segment(payload).ok_or("bad outbound TCP header or options")?),
        UDP => Body::Udp(parse_datagram(payload).ok_or("bad outbound UDP header")?),
        ICMP4 | ICMP6 => Body::Icmp(parse_message(payload).ok_or("bad outbound ICMP header")?),
        other => Body::Other(other),
    };
    let flow_label = match (parsed.header.source, bytes.first_chunk()) {
        (IpAddr::V6(_), Some(word)) => u32::from_be_bytes(*word) & 0xf_ffff,
        _ => 0,
    };
    let header = parsed.header;
    Ok(Packet {
        source: header.source,
        destination: header.destination,
        tos: header.tos,
        ttl: header.ttl,
        flow_label,
        body,
    })
}

fn parse_segment(bytes: &[u8]) -> Option<Segment> {
    let offset = u16_at(bytes, 12)?;
    let header_bytes = usize::from(offset >> 12) * 4;
    Some(Segment {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        flags: offset & 0xfff,
        seq: u32_at(bytes, 4)?,
        ack: u32_at(bytes, 8)?,
        window: u16_at(bytes, 14)?,
        urgent: u16_at(bytes, 18)?,
        options: TcpOption::parse_all(bytes.get(20..header_bytes)?)?,
        payload: bytes.get(header_bytes..)?.to_vec(),
    })
}

fn parse_datagram(bytes: &[u8]) -> Option<Datagram> {
    Some(Datagram {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        payload: bytes.get(8..usize::from(u16_at(bytes, 4)?))?.to_vec(),
    })
}

fn parse_message(bytes: &[u8]) -> Option<Message> {
    Some(Message {
        kind: *bytes.first()?,
        code: *bytes.get(1)?,
        word: *bytes.get(4..)?.first_chunk()?,
        rest: bytes.get(8..)?.to_vec(),
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use ieum_wire::segmentation::checksum_is_valid;

    use super::*;

    #[test]
    fn a_packet_survives_being_written_and_read() {
        let segment = Segment {
            source_port: 1,
            destination_port: 2,
            flags: 0x1ff,
            seq: u32::MAX,
            ack: 7,
            window: 8,
            urgent: 9,
            options: vec![TcpOption::Mss(536), TcpOption::Other(99, vec![1, 2])],
            payload: vec![0; 5],
        };
        let datagram = Datagram { source_port: 1, destination_port: 2, payload: vec![3; 9] };
        let message = Message { kind: 3, code: 4, word: [0, 0, 4, 0], rest: vec![1; 28] };
        for addresses in [("10.0.0.1", "10.0.0.2"), ("fd77::1", "fd77::2")] {
            let source: IpAddr = addresses.0.parse().unwrap();
            let flow_label = if source.is_ipv6() { 0x54321 } else { 0 };
            for body in [Body::Tcp(segment.clone()), Body::Udp(datagram.clone()), Body::Icmp(message.clone())]
            {
                let destination = addresses.1.parse().unwrap();
                let packet = Packet { source, destination, tos: 0xb9, ttl: 3, flow_label, body };
                let bytes = emit(&packet);
                assert_eq!(parse(&bytes), Ok(packet.clone()));
                let frame = ieum_wire::Packet::from_wire(&bytes);
                let parsed = ip::parse(&bytes).unwrap();
                let is_icmp = matches!(packet.body, Body::Icmp(_));
                assert!(is_icmp || checksum_is_valid(&frame, &parsed));
            }
        }
    }
}
