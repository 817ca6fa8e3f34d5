//! The header of virtio-net before each packet: what was left undone in it (virtio 1.2 §5.1.6).
//!
//! A packet crosses the border to the kernel in either direction without being cut and without its transport
//! checksum; the header says how to do both, should it ever be needed. Numbers are in the machine's byte order, as TUN
//! devices have them unless asked otherwise.
//!
//! ```text
//! 0      1         2          4          6            8               10
//! | flags | kind   | headers  | gso size | csum start | csum offset   |
//! ```
//!
//! - What the kernel leaves undone becomes [`Packet::gso`] and [`ChecksumState::Deferred`]; what it has verified,
//!   [`ChecksumState::Verified`].
//! - A partial checksum is not always that of the packet's own TCP or UDP: it may belong to a packet inside a tunnel. Such
//!   a one is finished here, since the words of [`Packet`] cannot say it.

use ieum_wire::checksum::{Sum, pseudo_header};
use ieum_wire::segmentation::checksum_at;
use ieum_wire::{ChecksumState, Gso, GsoKind, Packet, Protocol, ip, udp};

/// Bytes of the header: the short form, without the count of buffers that TUN devices have no use for.
pub(super) const HEADER_BYTES: usize = 10;

/// The checksum is partial: it is to be computed from the start that the header names.
const NEEDS_CHECKSUM: u8 = 1;
/// The checksum has been verified.
const DATA_VALID: u8 = 2;

const KIND_NONE: u8 = 0;
const KIND_TCP4: u8 = 1;
const KIND_TCP6: u8 = 4;
const KIND_DATAGRAMS: u8 = 5;
/// Set beside a kind: the first segment carries CWR. It stays in the TCP header, where our cut finds it.
const KIND_ECN: u8 = 0x80;

/// UDP_SEGMENT sends at most so many datagrams at once (Linux: UDP_MAX_SEGMENTS).
const DATAGRAMS_MAX: usize = 128;

/// The header in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Header {
    flags: u8,
    kind: u8,
    header_bytes: u16,
    gso_bytes: u16,
    checksum_start: u16,
    checksum_offset: u16,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Header {
        let [flags, kind, a, b, c, d, e, f, g, h] = *bytes;
        Header {
            flags,
            kind,
            header_bytes: u16::from_ne_bytes([a, b]),
            gso_bytes: u16::from_ne_bytes([c, d]),
            checksum_start: u16::from_ne_bytes([e, f]),
            checksum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    fn emit(&self) -> [u8; HEADER_BYTES] {
        let words = [self.header_bytes, self.gso_bytes, self.checksum_start, self.checksum_offset];
        let mut out = [self.flags, self.kind, 0, 0, 0, 0, 0, 0, 0, 0];
        for (place, word) in out[2..].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        out
    }
}

/// Takes what the header says into the packet's own words. `link_bytes` is what stands before the IP header on the
/// device. `None`: the header contradicts the packet.
pub(super) fn receive(header: &[u8; HEADER_BYTES], link_bytes: u16, packet: &mut Packet) -> Option<()> {
    let header = Header::parse(header);
    if header.flags & NEEDS_CHECKSUM != 0 {
        let start = usize::from(header.checksum_start.checked_sub(link_bytes)?);
        finish_or_defer(packet, start, header.checksum_offset.into())?;
    } else if header.flags & DATA_VALID != 0 {
        packet.checksum = ChecksumState::Verified;
    }
    let kind = match header.kind & !KIND_ECN {
        KIND_NONE => return Some(()),
        KIND_TCP4 | KIND_TCP6 => GsoKind::Tcp,
        KIND_DATAGRAMS => GsoKind::Datagrams,
        _ => return None,
    };
    let size = usize::from(header.gso_bytes);
    let many = kind == GsoKind::Datagrams && packet.len() / size.max(1) > DATAGRAMS_MAX;
    if size == 0 || many {
        return None;
    }
    packet.gso = Some(Gso { kind, size_bytes: header.gso_bytes });
    Some(())
}

/// A partial checksum that stands `offset` behind `start`.
fn finish_or_defer(packet: &mut Packet, start: usize, offset: usize) -> Option<()> {
    let own = ip::parse(packet.bytes()).is_ok_and(|parsed| {
        parsed.header_bytes == start && checksum_at(parsed.header.protocol) == Some(offset)
    });
    if own {
        packet.checksum = ChecksumState::Deferred;
        return Some(());
    }
    let covered = packet.bytes_mut().get_mut(start..)?;
    // A computed zero means to UDP that there is none; all ones is the same number (RFC 768).
    let sum = Some(Sum::new().plus(covered).finish()).filter(|sum| *sum != 0).unwrap_or(0xffff);
    covered.get_mut(offset..offset + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// The header for a packet that leaves, whose checksum field gets what the kernel goes on from: the sum over the pseudo
/// header.
pub(super) fn transmit(link_bytes: u16, packet: &mut Packet) -> [u8; HEADER_BYTES] {
    let header = undone(link_bytes, packet);
    header.unwrap_or_default().emit()
}

/// `None` when nothing was left undone, or the packet cannot be read.
fn undone(link_bytes: u16, packet: &mut Packet) -> Option<Header> {
    // What is cut later needs its checksums computed anew, however they stand.
    if packet.checksum != ChecksumState::Deferred && packet.gso.is_none() {
        return None;
    }
    let parsed = ip::parse(packet.bytes()).ok()?;
    let offset = checksum_at(parsed.header.protocol)?;
    let (source, destination) = (parsed.header.source, parsed.header.destination);
    let transport = packet.bytes_mut().get_mut(parsed.header_bytes..parsed.total_bytes)?;
    let partial = pseudo_header(source, destination, parsed.header.protocol, transport.len()).folded();
    transport.get_mut(offset..offset + 2)?.copy_from_slice(&partial.to_be_bytes());
    let head = match parsed.header.protocol {
        Protocol::Tcp => usize::from(*transport.get(12)? >> 4) * 4,
        Protocol::Udp | Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => udp::HEADER_BYTES,
    };
    let kind = match packet.gso.map(|gso| gso.kind) {
        Some(GsoKind::Tcp) if source.is_ipv4() => KIND_TCP4,
        Some(GsoKind::Tcp) => KIND_TCP6,
        Some(GsoKind::Datagrams) => KIND_DATAGRAMS,
        Some(GsoKind::Fragments { .. }) | None => KIND_NONE,
    };
    Some(Header {
        flags: NEEDS_CHECKSUM,
        kind,
        header_bytes: u16::try_from(parsed.header_bytes + head).ok()?.checked_add(link_bytes)?,
        gso_bytes: packet.gso.map_or(0, |gso| gso.size_bytes),
        checksum_start: u16::try_from(parsed.header_bytes).ok()?.checked_add(link_bytes)?,
        checksum_offset: u16::try_from(offset).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ieum_wire::{SeqNumber, ip4, segmentation, tcp};

    use super::*;

    /// A TCP segment of 3000 bytes without a checksum, to be cut every 1000.
    fn super_segment() -> Packet {
        let header = tcp::Header {
            source_port: 1,
            destination_port: 2,
            seq: SeqNumber::new(3),
            ack: SeqNumber::new(4),
            flags: tcp::Flags::ACK,
            window: 5,
            urgent: 0,
            options: tcp::Options::default(),
        };
        let mut tcp_header = [0; tcp::HEADER_BYTES_MAX];
        let length = header.emit(&mut tcp_header);
        let mut packet = ip_packet(Protocol::Tcp, &[&tcp_header[..length], &[b'x'; 3000]].concat());
        packet.gso = Some(Gso { kind: GsoKind::Tcp, size_bytes: 1000 });
        packet.checksum = ChecksumState::Deferred;
        packet
    }

    fn ip_packet(protocol: Protocol, payload: &[u8]) -> Packet {
        let ip = ip4::Header {
            source: Ipv4Addr::new(10, 77, 0, 2),
            destination: Ipv4Addr::new(10, 77, 0, 1),
            protocol,
            ttl: 64,
            tos: 0,
            identification: 1,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset_bytes: 0,
        };
        let total = u16::try_from(ip4::HEADER_BYTES + payload.len()).unwrap();
        Packet::from_wire(&[&ip.emit(total)[..], payload].concat())
    }

    #[test]
    fn a_super_segment_crosses_the_header_and_comes_out_the_same() {
        for link_bytes in [0, 14] {
            let mut packet = super_segment();
            let header = transmit(link_bytes, &mut packet);
            let mut received = Packet::from_wire(packet.bytes());
            assert_eq!(receive(&header, link_bytes, &mut received), Some(()));
            assert_eq!((received.gso, received.checksum), (packet.gso, ChecksumState::Deferred));
            let words = Header::parse(&header);
            assert_eq!((words.checksum_start, words.checksum_offset), (20 + link_bytes, 16));
            assert_eq!((words.header_bytes, words.gso_bytes), (40 + link_bytes, 1000));
        }
    }

    #[test]
    fn the_sum_that_the_kernel_goes_on_from_leads_to_the_right_checksum() {
        let mut packet = super_segment();
        packet.gso = None;
        let words = Header::parse(&transmit(0, &mut packet));
        // What the kernel does with a partial checksum, by the book.
        let (start, offset) = (usize::from(words.checksum_start), usize::from(words.checksum_offset));
        let sum = Sum::new().plus(&packet.bytes()[start..]).finish();
        packet.bytes_mut()[start + offset..][..2].copy_from_slice(&sum.to_be_bytes());
        packet.checksum = ChecksumState::Present;
        let parsed = ip::parse(packet.bytes()).unwrap();
        assert!(segmentation::checksum_is_valid(&packet, &parsed));
    }

    #[test]
    fn a_partial_checksum_inside_a_tunnel_is_finished_here() {
        let mut inner = super_segment();
        inner.gso = None;
        let words = Header::parse(&transmit(0, &mut inner));
        let mut outer = ip_packet(Protocol::Other(4), inner.bytes());
        let header = Header { checksum_start: words.checksum_start + 20, ..words }.emit();
        assert_eq!(receive(&header, 0, &mut outer), Some(()));
        assert_eq!(outer.checksum, ChecksumState::Present);
        let inner = Packet::from_wire(&outer.bytes()[20..]);
        let parsed = ip::parse(inner.bytes()).unwrap();
        assert!(segmentation::checksum_is_valid(&inner, &parsed));
    }

    #[test]
    fn what_was_verified_is_known_to_be() {
        let mut packet = super_segment();
        let header = Header { flags: DATA_VALID, ..Header::default() }.emit();
        assert_eq!(receive(&header, 0, &mut packet), Some(()));
        assert_eq!(packet.checksum, ChecksumState::Verified);
    }

    #[test]
    fn a_packet_without_debts_has_an_empty_header() {
        let mut packet = ip_packet(Protocol::Icmp4, &[8, 0, 0, 0]);
        packet.checksum = ChecksumState::Deferred;
        assert_eq!(transmit(14, &mut packet), [0; HEADER_BYTES]);
    }

    #[test]
    fn a_header_that_contradicts_its_packet_is_refused() {
        let good = Header { flags: NEEDS_CHECKSUM, kind: KIND_TCP4, gso_bytes: 1000, ..Header::default() };
        let good = Header { checksum_start: 34, checksum_offset: 16, ..good };
        let says = |header: Header| receive(&header.emit(), 14, &mut super_segment());
        assert_eq!(says(good), Some(()));
        assert_eq!(says(Header { gso_bytes: 0, ..good }), None, "cut into nothing");
        assert_eq!(says(Header { kind: 77, ..good }), None, "cut into nobody knows what");
        assert_eq!(says(Header { checksum_start: 13, ..good }), None, "begins in the link's header");
        assert_eq!(says(Header { checksum_start: 5000, ..good }), None, "begins behind the packet");
        assert_eq!(says(Header { checksum_offset: u16::MAX, ..good }), None, "stands behind the packet");
        assert_eq!(says(Header { kind: KIND_DATAGRAMS, gso_bytes: 1, ..good }), None, "too many datagrams");
    }
}
