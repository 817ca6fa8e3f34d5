//! A mark on a packet: "congestion experienced" (RFC 3168 §5), in the place of a drop.

use ieum_wire::Packet;
use ieum_wire::checksum::Sum;

/// The bits of ECN in a type of service or traffic class: a packet with none of them may not be marked.
const BITS: u8 = 0b11;

/// Marks the packet; false when it may not be marked, being of a transport that does not know marks.
pub fn congestion(packet: &mut Packet) -> bool {
    match packet.bytes_mut() {
        [first, tos, ..] if *first >> 4 == 4 && *tos & BITS != 0 => {
            *tos |= BITS;
            mend_checksum(packet.bytes_mut());
            true
        }
        // The traffic class lies across the first two bytes.
        [first, second, ..] if *first >> 4 == 6 && *second >> 4 & BITS != 0 => {
            *second |= BITS << 4;
            true
        }
        _ => false,
    }
}

/// Computes the checksum of an IPv4 header anew.
fn mend_checksum(bytes: &mut [u8]) {
    let header_bytes = bytes.first().map_or(0, |first| usize::from(first & 15) * 4);
    let Some(header) = bytes.get_mut(..header_bytes).filter(|header| header.len() >= 20) else { return };
    header[10..12].fill(0);
    let checksum = Sum::new().plus(header).finish();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use ieum_wire::{Protocol, ip4, ip6};

    #[test]
    fn only_what_says_that_it_may_be_is_marked() {
        for (tos, marked) in [(0b00, false), (0b10, true), (0b01, true), (0b11, true), (0xb8, false)] {
            let header = ip4::Header {
                tos,
                identification: 7,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset_bytes: 0,
                ttl: 64,
                protocol: Protocol::Tcp,
                source: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
            };
            let mut packet = Packet::from_wire(&header.emit(20));
            assert_eq!(congestion(&mut packet), marked);
            let parsed = ip4::Header::parse(packet.bytes()).unwrap();
            assert_eq!(parsed.header.tos, if marked { tos | BITS } else { tos });
            let header = ip6::Header {
                source: [0xfd00, 0, 0, 0, 0, 0, 0, 1].into(),
                destination: [0xfd00, 0, 0, 0, 0, 0, 0, 2].into(),
                protocol: Protocol::Tcp,
                hop_limit: 64,
                traffic_class: tos,
                fragment: None,
            };
            let mut packet = Packet::from_wire(header.emit(0).as_ref());
            assert_eq!(congestion(&mut packet), marked);
            let parsed = ip6::Header::parse(packet.bytes()).unwrap();
            assert_eq!(parsed.header.traffic_class, if marked { tos | BITS } else { tos });
        }
    }
}
