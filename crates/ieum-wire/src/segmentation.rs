//! A super-segment cut into the packets a wire would carry.
//!
//! What comes out has every checksum computed and is no larger than [`Gso::size_bytes`] asks for. It is done where a
//! packet meets something that knows no offloading: a capture file, a faulty link, a plain TUN device.

use crate::bytes::{put, u16_at, u32_at};
use crate::checksum::pseudo_header;
use crate::packet::{ChecksumState, Gso, GsoKind, Packet};
use crate::units::Protocol;
use crate::{ip4, tcp, udp};

/// Calls `each` with the packets that `packet` stands for, in order; with a copy of itself when it is one frame.
///
/// A packet that cannot be parsed comes out as it is: judging it is its receiver's affair.
pub fn cut(packet: &Packet, mut each: impl FnMut(Packet)) {
    let Ok(parsed) = ip4::Header::parse(packet.bytes()) else {
        return each(packet.clone());
    };
    match packet.gso {
        Some(Gso { kind: GsoKind::Tcp, size_bytes }) => {
            cut_tcp(packet, &parsed, size_bytes.into(), &mut each)
        }
        Some(Gso { kind: GsoKind::UdpFragments, size_bytes }) => {
            cut_fragments(packet, &parsed, size_bytes.into(), &mut each);
        }
        None => {
            let mut copy = packet.clone();
            finish_checksum(&mut copy);
            each(copy);
        }
    }
}

/// Computes a [`ChecksumState::Deferred`] transport checksum in place. Packets in another state stay as they are.
pub fn finish_checksum(packet: &mut Packet) {
    if packet.checksum != ChecksumState::Deferred {
        return;
    }
    packet.checksum = ChecksumState::Present;
    let Ok(parsed) = ip4::Header::parse(packet.bytes()) else { return };
    write_checksum(packet, &parsed);
}

/// Computes the transport checksum of a whole datagram, whatever its field holds.
fn write_checksum(packet: &mut Packet, parsed: &ip4::Parsed) {
    let at = match parsed.header.protocol {
        Protocol::Tcp => tcp::CHECKSUM_AT,
        Protocol::Udp => udp::CHECKSUM_AT,
        Protocol::Icmp4 | Protocol::Other(_) => return,
    };
    let Some(payload) = packet.bytes_mut().get_mut(parsed.header_bytes..parsed.total_bytes) else { return };
    if payload.len() < at + 2 {
        return;
    }
    put(payload, at, [0, 0]);
    let header = &parsed.header;
    let pseudo =
        pseudo_header(header.source.into(), header.destination.into(), header.protocol, payload.len());
    let checksum = match (header.protocol, pseudo.plus(payload).finish()) {
        // RFC 768: a computed zero is sent as all ones, since zero means that there is none.
        (Protocol::Udp, 0) => 0xffff,
        (_, checksum) => checksum,
    };
    put(payload, at, checksum.to_be_bytes());
}

fn cut_tcp(packet: &Packet, parsed: &ip4::Parsed, size_bytes: usize, each: &mut impl FnMut(Packet)) {
    let segment = &packet.bytes()[parsed.header_bytes..parsed.total_bytes];
    let Ok((header, payload)) = tcp::Header::parse(segment) else {
        return each(packet.clone());
    };
    let (head, data) = segment.split_at(payload.start);
    let count = data.len().div_ceil(size_bytes.max(1)).max(1);
    for (index, part) in data.chunks(size_bytes.max(1)).chain(data.is_empty().then_some(data)).enumerate() {
        let last = index + 1 == count;
        let mut head = head.to_vec();
        let advanced = header.seq + u32::try_from(index * size_bytes).unwrap_or(0);
        put(&mut head, 4, advanced.value().to_be_bytes());
        if !last {
            // FIN and PSH belong to the last byte.
            head[13] &= !0x09;
        }
        let mut ip = parsed.header;
        ip.identification = ip.identification.wrapping_add(u16::try_from(index).unwrap_or(0));
        let mut out = with_header(&ip, &[&head, part]);
        finish_checksum(&mut out);
        each(out);
    }
}

fn cut_fragments(packet: &Packet, parsed: &ip4::Parsed, size_bytes: usize, each: &mut impl FnMut(Packet)) {
    let mut whole = packet.clone();
    finish_checksum(&mut whole);
    let data = &whole.bytes()[parsed.header_bytes..parsed.total_bytes];
    let size_bytes = (size_bytes & !7).max(8);
    let count = data.len().div_ceil(size_bytes);
    for (index, part) in data.chunks(size_bytes).enumerate() {
        let mut ip = parsed.header;
        ip.fragment_offset_bytes = u16::try_from(index * size_bytes).unwrap_or(!7);
        ip.more_fragments = index + 1 != count;
        let mut out = with_header(&ip, &[part]);
        out.checksum = ChecksumState::Present;
        each(out);
    }
}

/// A packet of its own from a header and the parts of its payload, checksum deferred.
fn with_header(header: &ip4::Header, parts: &[&[u8]]) -> Packet {
    let total = ip4::HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Packet::new();
    out.extend(&header.emit(u16::try_from(total).unwrap_or(u16::MAX)));
    for part in parts {
        out.extend(part);
    }
    out.checksum = ChecksumState::Deferred;
    out
}

/// How many frames a packet stands for.
pub fn frames(packet: &Packet) -> usize {
    let Some(gso) = packet.gso else { return 1 };
    let bytes = packet.bytes();
    let ip_bytes = usize::from(bytes.first().map_or(0, |first| first & 0x0f)) * 4;
    let headers = match gso.kind {
        GsoKind::Tcp => ip_bytes + bytes.get(ip_bytes + 12).map_or(0, |offset| usize::from(offset >> 4) * 4),
        GsoKind::UdpFragments => ip_bytes,
    };
    bytes.len().saturating_sub(headers).div_ceil(usize::from(gso.size_bytes).max(1)).max(1)
}

/// The transport checksum of a received packet, verified where nobody has done so: `true` when it may be trusted.
pub fn checksum_is_valid(packet: &Packet, parsed: &ip4::Parsed) -> bool {
    if packet.checksum != ChecksumState::Present {
        return true;
    }
    let header = &parsed.header;
    let payload = &packet.bytes()[parsed.header_bytes..parsed.total_bytes];
    pseudo_header(header.source.into(), header.destination.into(), header.protocol, payload.len())
        .plus(payload)
        .is_valid()
}

/// The ports at the beginning of a TCP or UDP payload, for who sees only the first bytes of a packet (ICMP errors).
pub fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    Some((u16_at(payload, 0)?, u16_at(payload, 2)?))
}

/// The sequence number at the beginning of a TCP payload, likewise.
pub fn sequence(payload: &[u8]) -> Option<crate::SeqNumber> {
    u32_at(payload, 4).map(crate::SeqNumber::new)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::SeqNumber;

    fn ip(protocol: Protocol) -> ip4::Header {
        ip4::Header {
            source: Ipv4Addr::new(10, 0, 0, 1),
            destination: Ipv4Addr::new(10, 0, 0, 2),
            protocol,
            ttl: 64,
            tos: 0,
            identification: 0xffff,
            dont_fragment: protocol == Protocol::Tcp,
            more_fragments: false,
            fragment_offset_bytes: 0,
        }
    }

    fn super_segment(data: &[u8]) -> Packet {
        let header = tcp::Header {
            source_port: 1,
            destination_port: 2,
            seq: SeqNumber::new(u32::MAX - 999),
            ack: SeqNumber::new(5),
            flags: tcp::Flags { ack: true, psh: true, fin: true, ..tcp::Flags::default() },
            window: 100,
            urgent: 0,
            options: tcp::Options::default(),
        };
        let mut out = [0; tcp::HEADER_BYTES_MAX];
        let length = header.emit(&mut out);
        let mut packet = with_header(&ip(Protocol::Tcp), &[&out[..length], data]);
        packet.gso = Some(Gso { kind: GsoKind::Tcp, size_bytes: 1460 });
        packet
    }

    #[test]
    fn five_thousand_bytes_become_four_segments() {
        let data: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let packet = super_segment(&data);
        assert_eq!(frames(&packet), 4);
        let mut seen: Vec<u8> = Vec::new();
        let mut sizes = Vec::new();
        cut(&packet, |part| {
            let parsed = ip4::Header::parse(part.bytes()).unwrap();
            assert_eq!(part.checksum, ChecksumState::Present);
            assert!(checksum_is_valid(&part, &parsed));
            let segment = &part.bytes()[20..];
            let (header, payload) = tcp::Header::parse(segment).unwrap();
            assert_eq!(header.seq, SeqNumber::new(u32::MAX - 999) + u32::try_from(seen.len()).unwrap());
            assert_eq!(header.flags.fin, seen.len() == 4380);
            sizes.push(payload.len());
            seen.extend(&segment[payload]);
        });
        assert_eq!(sizes, [1460, 1460, 1460, 620]);
        assert_eq!(seen, data);
    }

    #[test]
    fn a_datagram_larger_than_the_mtu_becomes_fragments() {
        let data = vec![7u8; 4000];
        let header = udp::Header { source_port: 1, destination_port: 2 }.emit(4008);
        let mut packet = with_header(&ip(Protocol::Udp), &[&header, &data]);
        packet.gso = Some(Gso { kind: GsoKind::UdpFragments, size_bytes: 1480 });
        let mut parts = Vec::new();
        cut(&packet, |part| {
            let parsed = ip4::Header::parse(part.bytes()).unwrap();
            parts.push((
                parsed.header.fragment_offset_bytes,
                parsed.header.more_fragments,
                parsed.total_bytes - parsed.header_bytes,
            ));
        });
        assert_eq!(parts, [(0, true, 1480), (1480, true, 1480), (2960, false, 1048)]);
    }
}
