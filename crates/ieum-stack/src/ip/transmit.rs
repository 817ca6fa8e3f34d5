//! The way down: the header of a packet about to be built.

use std::net::IpAddr;

use ieum_wire::{Packet, Protocol, ip4};

use super::{Ip, Path};

/// What a transport says about a packet it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    /// Where it comes from, by name.
    pub(crate) source: IpAddr,
    /// Where it goes.
    pub(crate) destination: IpAddr,
    /// What it carries.
    pub(crate) protocol: Protocol,
    /// Hops it may take.
    pub(crate) ttl: u8,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// Routers may not fragment it.
    pub(crate) dont_fragment: bool,
}

impl Ip {
    /// A packet with its IP header written for `payload_bytes` of payload, which the caller adds, no more and no less.
    ///
    /// # Panics
    ///
    /// When the packet would exceed 65,535 bytes, or is not IPv4: [`Ip::path`] gives no other addresses.
    pub(crate) fn begin(&mut self, outgoing: &Outgoing, payload_bytes: usize) -> Packet {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (outgoing.source, outgoing.destination) else {
            unreachable!("only IPv4 has routes");
        };
        let total_bytes = u16::try_from(ip4::HEADER_BYTES + payload_bytes)
            .expect("a transport builds packets of at most 65,535 bytes");
        let header = ip4::Header {
            source,
            destination,
            protocol: outgoing.protocol,
            ttl: outgoing.ttl,
            tos: outgoing.tos,
            identification: self.identification(outgoing.dont_fragment),
            dont_fragment: outgoing.dont_fragment,
            more_fragments: false,
            fragment_offset_bytes: 0,
        };
        let mut packet = Packet::new();
        packet.extend(&header.emit(total_bytes));
        packet
    }

    /// RFC 6864 §4.1: the identification of a packet that is never fragmented has no meaning, so it is 0 and tells
    /// nothing. Others count on, so that two datagrams under way at once differ.
    fn identification(&mut self, dont_fragment: bool) -> u16 {
        if dont_fragment {
            return 0;
        }
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}

/// How a packet with `payload_bytes` behind its IP header fits `path`: `None` as it is, `Some` as a super-datagram
/// to be cut into fragments with so much payload each.
///
/// # Errors
///
/// [`TooLarge`] when the link would have to cut it and cannot: we do not fragment ourselves yet.
pub(crate) fn fragment_bytes(path: &Path, payload_bytes: usize) -> Result<Option<u16>, TooLarge> {
    let room_bytes = path.mtu_bytes.saturating_sub(20);
    if u32::try_from(payload_bytes).is_ok_and(|bytes| bytes <= room_bytes) {
        return Ok(None);
    }
    // Every fragment but the last carries a multiple of 8 bytes (RFC 791 §3.1).
    let size_bytes = u16::try_from(room_bytes & !7).map_err(|_| TooLarge)?;
    if path.segmentation_offload && size_bytes > 0 { Ok(Some(size_bytes)) } else { Err(TooLarge) }
}

/// A packet is larger than its link takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;
