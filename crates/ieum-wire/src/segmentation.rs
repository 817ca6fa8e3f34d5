//! A super-segment cut into the packets a wire would carry.
//!
//! What comes out has every checksum computed and is no larger than [`Gso::size_bytes`] asks for. It is done where a
//! packet meets something that knows no offloading: a capture file, a faulty link, a plain TUN device.

use crate::bytes::{put, u16_at, u32_at};
use crate::checksum::pseudo_header;
use crate::ip::{self, Fragment, Parsed};
use crate::packet::{ChecksumState, Gso, GsoKind, Packet};
use crate::units::Protocol;
use crate::{ip6, tcp, udp};

/// Calls `each` with the packets that `packet` stands for, in order; with a copy of itself when it is one frame.
///
/// A packet that cannot be parsed comes out as it is: judging it is its receiver's affair.
pub fn cut(packet: &Packet, mut each: impl FnMut(Packet)) {
    let Ok(parsed) = ip::parse(packet.bytes()) else {
        return each(packet.clone());
    };
    match packet.gso {
        Some(Gso { kind: GsoKind::Tcp, size_bytes }) => {
            cut_tcp(packet, &parsed, size_bytes.into(), &mut each)
        }
        Some(Gso { kind: GsoKind::Datagrams, size_bytes }) => {
            cut_datagrams(packet, &parsed, size_bytes.into(), &mut each);
        }
        Some(Gso { kind: GsoKind::Fragments { identification }, size_bytes }) => {
            cut_fragments(packet, &parsed, identification, size_bytes.into(), &mut each);
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
    let Ok(parsed) = ip::parse(packet.bytes()) else { return };
    write_checksum(packet, &parsed);
}

/// Where in a transport's header its checksum stands, of those that may leave it to a device.
pub fn checksum_at(protocol: Protocol) -> Option<usize> {
    match protocol {
        Protocol::Tcp => Some(tcp::CHECKSUM_AT),
        Protocol::Udp => Some(udp::CHECKSUM_AT),
        Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => None,
    }
}

/// Computes the transport checksum of a whole datagram, whatever its field holds.
fn write_checksum(packet: &mut Packet, parsed: &Parsed) {
    let header = &parsed.header;
    let Some(at) = checksum_at(header.protocol) else { return };
    let Some(payload) = packet.bytes_mut().get_mut(parsed.header_bytes..parsed.total_bytes) else { return };
    if payload.len() < at + 2 {
        return;
    }
    put(payload, at, [0, 0]);
    let pseudo = pseudo_header(header.source, header.destination, header.protocol, payload.len());
    let checksum = match (header.protocol, pseudo.plus(payload).finish()) {
        // RFC 768: a computed zero is sent as all ones, since zero means that there is none.
        (Protocol::Udp, 0) => 0xffff,
        (_, checksum) => checksum,
    };
    put(payload, at, checksum.to_be_bytes());
}

fn cut_tcp(packet: &Packet, parsed: &Parsed, size_bytes: usize, each: &mut impl FnMut(Packet)) {
    let (ip, segment) = packet.bytes()[..parsed.total_bytes].split_at(parsed.header_bytes);
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
        if index > 0 {
            // CWR is said once, by the first (RFC 3168 §6.1.2).
            head[13] &= !0x80;
        }
        let mut ip = ip.to_vec();
        count_identification(&mut ip, u16::try_from(index).unwrap_or(0));
        let mut out = behind(packet, ip, &[&head, part]);
        out.checksum = ChecksumState::Deferred;
        finish_checksum(&mut out);
        each(out);
    }
}

fn cut_datagrams(packet: &Packet, parsed: &Parsed, size_bytes: usize, each: &mut impl FnMut(Packet)) {
    let (ip, datagram) = packet.bytes()[..parsed.total_bytes].split_at(parsed.header_bytes);
    let Some((head, data)) = datagram.split_first_chunk::<{ udp::HEADER_BYTES }>() else {
        return each(packet.clone());
    };
    for (index, part) in (0u16..).zip(data.chunks(size_bytes.max(1))) {
        let mut head = *head;
        let length = u16::try_from(head.len() + part.len()).expect("a part is shorter than its packet");
        put(&mut head, udp::LENGTH_AT, length.to_be_bytes());
        let mut ip = ip.to_vec();
        count_identification(&mut ip, index);
        let mut out = behind(packet, ip, &[&head, part]);
        out.checksum = ChecksumState::Deferred;
        finish_checksum(&mut out);
        each(out);
    }
}

/// IPv4: the part's own identification, counted from that of the whole.
fn count_identification(ip: &mut [u8], index: u16) {
    if let (Some(4), Some(identification)) = (ip::version(ip), u16_at(ip, 4)) {
        put(ip, 4, identification.wrapping_add(index).to_be_bytes());
    }
}

fn cut_fragments(
    packet: &Packet,
    parsed: &Parsed,
    identification: u32,
    size_bytes: usize,
    each: &mut impl FnMut(Packet),
) {
    let mut whole = packet.clone();
    finish_checksum(&mut whole);
    let (ip, data) = whole.bytes()[..parsed.total_bytes].split_at(parsed.header_bytes);
    let size_bytes = (size_bytes & !7).max(8);
    let count = data.len().div_ceil(size_bytes);
    for (index, part) in data.chunks(size_bytes).enumerate() {
        let offset_bytes = u16::try_from(index * size_bytes).unwrap_or(!7);
        let fragment = Fragment { identification, offset_bytes, more: index + 1 != count };
        each(behind(packet, fragment_header(ip, fragment), &[part]));
    }
}

/// The header of a fragment, from the header of the whole.
fn fragment_header(whole: &[u8], fragment: Fragment) -> Vec<u8> {
    match whole.first_chunk() {
        Some(fixed) if ip::version(whole) == Some(6) => {
            ip6::Header::of_fragment(fixed, fragment, 0).as_ref().to_vec()
        }
        _ => {
            let mut header = whole.to_vec();
            let place = u16::from(fragment.more) << 13 | fragment.offset_bytes >> 3;
            put(&mut header, 6, place.to_be_bytes());
            header
        }
    }
}

/// A packet of its own from a header, whose length is mended, and the parts of its payload.
fn behind(frame: &Packet, mut header: Vec<u8>, parts: &[&[u8]]) -> Packet {
    ip::set_length(&mut header, parts.iter().map(|part| part.len()).sum());
    let mut out = Packet::new();
    (out.ethernet, out.by_loopback) = (frame.ethernet, frame.by_loopback);
    out.extend(&header);
    for part in parts {
        out.extend(part);
    }
    out
}

/// How many frames a packet stands for.
pub fn frames(packet: &Packet) -> usize {
    let Some(gso) = packet.gso else { return 1 };
    let bytes = packet.bytes();
    // Whoever sets `gso` writes no extension headers.
    let ip_bytes = match ip::version(bytes) {
        Some(4) => usize::from(bytes.first().map_or(0, |first| first & 0x0f)) * 4,
        Some(_) | None => ip6::HEADER_BYTES,
    };
    let headers = match gso.kind {
        GsoKind::Tcp => ip_bytes + bytes.get(ip_bytes + 12).map_or(0, |offset| usize::from(offset >> 4) * 4),
        GsoKind::Datagrams => ip_bytes + udp::HEADER_BYTES,
        GsoKind::Fragments { .. } => ip_bytes,
    };
    bytes.len().saturating_sub(headers).div_ceil(usize::from(gso.size_bytes).max(1)).max(1)
}

/// The transport checksum of a received packet, verified where nobody has done so: `true` when it may be trusted.
pub fn checksum_is_valid(packet: &Packet, parsed: &Parsed) -> bool {
    if packet.checksum != ChecksumState::Present {
        return true;
    }
    let header = &parsed.header;
    let payload = &packet.bytes()[parsed.header_bytes..parsed.total_bytes];
    pseudo_header(header.source, header.destination, header.protocol, payload.len()).plus(payload).is_valid()
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
    use std::net::IpAddr;

    use super::*;
    use crate::{SeqNumber, ip4};

    const DATA_BYTES: usize = 5000;

    /// An IP header of the family of `source`, for a payload of that size.
    fn ip(source: &str, protocol: Protocol, payload_bytes: usize) -> Vec<u8> {
        match source.parse().unwrap() {
            IpAddr::V4(source) => ip4::Header {
                source,
                destination: [10, 0, 0, 2].into(),
                protocol,
                ttl: 64,
                tos: 0,
                identification: 0xffff,
                dont_fragment: false,
                more_fragments: false,
                fragment_offset_bytes: 0,
            }
            .emit(u16::try_from(20 + payload_bytes).unwrap())
            .to_vec(),
            IpAddr::V6(source) => ip6::Header {
                source,
                destination: "fd77::2".parse().unwrap(),
                protocol,
                hop_limit: 64,
                traffic_class: 0,
                fragment: None,
            }
            .emit(payload_bytes)
            .as_ref()
            .to_vec(),
        }
    }

    fn packet(source: &str, protocol: Protocol, header: &[u8], data: &[u8], gso: Gso) -> Packet {
        let mut packet = Packet::new();
        packet.extend(&ip(source, protocol, header.len() + data.len()));
        packet.extend(header);
        packet.extend(data);
        packet.gso = Some(gso);
        packet.checksum = ChecksumState::Deferred;
        packet
    }

    fn super_segment(source: &str, data: &[u8], size_bytes: u16) -> Packet {
        let header = tcp::Header {
            source_port: 1,
            destination_port: 2,
            seq: SeqNumber::new(u32::MAX - 999),
            ack: SeqNumber::new(5),
            flags: tcp::Flags { ack: true, psh: true, fin: true, cwr: true, ..tcp::Flags::default() },
            window: 100,
            urgent: 0,
            options: tcp::Options::default(),
        };
        let mut out = [0; tcp::HEADER_BYTES_MAX];
        let length = header.emit(&mut out);
        packet(source, Protocol::Tcp, &out[..length], data, Gso { kind: GsoKind::Tcp, size_bytes })
    }

    fn data() -> Vec<u8> {
        (0..=255).cycle().take(DATA_BYTES).collect()
    }

    #[test]
    fn five_thousand_bytes_become_four_segments() {
        for (source, size, sizes) in
            [("10.0.0.1", 1460, [1460, 1460, 1460, 620]), ("fd77::1", 1440, [1440, 1440, 1440, 680])]
        {
            let packet = super_segment(source, &data(), size);
            assert_eq!(frames(&packet), 4);
            let (mut seen, mut lengths) = (Vec::<u8>::new(), Vec::new());
            cut(&packet, |part| {
                let parsed = ip::parse(part.bytes()).unwrap();
                assert_eq!(part.checksum, ChecksumState::Present);
                assert!(checksum_is_valid(&part, &parsed));
                let segment = &part.bytes()[parsed.header_bytes..];
                let (header, payload) = tcp::Header::parse(segment).unwrap();
                assert_eq!(header.seq, SeqNumber::new(u32::MAX - 999) + u32::try_from(seen.len()).unwrap());
                assert_eq!(header.flags.fin, seen.len() == 3 * usize::from(size));
                assert_eq!(header.flags.cwr, seen.is_empty());
                lengths.push(payload.len());
                seen.extend(&segment[payload]);
            });
            assert_eq!(lengths, sizes);
            assert_eq!(seen, data());
        }
    }

    #[test]
    fn datagrams_that_came_as_one_are_cut_into_datagrams() {
        for source in ["10.0.0.1", "fd77::1"] {
            let header = udp::Header { source_port: 1, destination_port: 2 }.emit(5008);
            let gso = Gso { kind: GsoKind::Datagrams, size_bytes: 1200 };
            let packet = packet(source, Protocol::Udp, &header, &data(), gso);
            assert_eq!(frames(&packet), 5);
            let (mut seen, mut lengths) = (Vec::<u8>::new(), Vec::new());
            cut(&packet, |part| {
                let parsed = ip::parse(part.bytes()).unwrap();
                assert!(part.gso.is_none() && checksum_is_valid(&part, &parsed));
                let datagram = &part.bytes()[parsed.header_bytes..parsed.total_bytes];
                let udp = udp::Header::parse(datagram).unwrap();
                assert_eq!((udp.header.destination_port, udp.length_bytes), (2, datagram.len()));
                lengths.push(datagram.len() - udp::HEADER_BYTES);
                seen.extend(&datagram[udp::HEADER_BYTES..]);
            });
            assert_eq!(lengths, [1200, 1200, 1200, 1200, 200]);
            assert_eq!(seen, data());
        }
    }

    #[test]
    fn a_datagram_larger_than_the_mtu_becomes_fragments() {
        for (source, size_bytes) in [("10.0.0.1", 1480), ("fd77::1", 1448)] {
            let header = udp::Header { source_port: 1, destination_port: 2 }.emit(4008);
            let gso = Gso { kind: GsoKind::Fragments { identification: 77 }, size_bytes };
            let packet = packet(source, Protocol::Udp, &header, &data()[..4000], gso);
            let mut parts = Vec::new();
            cut(&packet, |part| {
                let parsed = ip::parse(part.bytes()).unwrap();
                let fragment = parsed.header.fragment.unwrap();
                assert_eq!(fragment.identification, if source.contains(':') { 77 } else { 0xffff });
                assert_eq!(parsed.header.protocol, Protocol::Udp);
                assert!(part.len() <= 1500);
                parts.push((fragment.offset_bytes, fragment.more, parsed.total_bytes - parsed.header_bytes));
            });
            let size = usize::from(size_bytes);
            let last = (2 * size_bytes, false, 4008 - 2 * size);
            assert_eq!(parts, [(0, true, size), (size_bytes, true, size), last]);
        }
    }
}
