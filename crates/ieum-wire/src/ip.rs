//! What both versions of IP say of a packet.

use std::net::IpAddr;

use crate::bytes::put;
use crate::checksum::Sum;
use crate::units::Protocol;
use crate::{ip4, ip6};

pub use crate::ip6::Fragment;

/// The header fields that mean the same in both versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Where the packet comes from; of the same family as the destination.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// Hops left: TTL or hop limit.
    pub ttl: u8,
    /// DSCP and ECN: type of service or traffic class.
    pub tos: u8,
    /// Where a part of a fragmented packet belongs.
    pub fragment: Option<Fragment>,
}

/// A header and where its payload lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The fields.
    pub header: Header,
    /// Bytes of the header with options and extension headers: where the payload begins.
    pub header_bytes: usize,
    /// Where the payload ends: what follows is padding of a link.
    pub total_bytes: usize,
}

/// Why bytes are not an IP packet that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Neither version 4 nor version 6, or nothing at all.
    Version,
    /// Version 4.
    Ip4(ip4::ParseError),
    /// Version 6.
    Ip6(ip6::ParseError),
}

/// Reads the headers at the beginning of `bytes`, whichever version they are of.
///
/// # Errors
///
/// Another version, or what that of [`ip4`] or [`ip6`] says.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    match version(bytes) {
        Some(4) => Ok(of_ip4(ip4::Header::parse(bytes).map_err(ParseError::Ip4)?)),
        Some(6) => Ok(of_ip6(ip6::Header::parse(bytes).map_err(ParseError::Ip6)?)),
        Some(_) | None => Err(ParseError::Version),
    }
}

/// The version of a packet, should it have a first byte.
pub fn version(bytes: &[u8]) -> Option<u8> {
    bytes.first().map(|first| first >> 4)
}

fn of_ip4(ip4::Parsed { header, header_bytes, total_bytes }: ip4::Parsed) -> Parsed {
    let fragment = header.is_fragment().then(|| Fragment {
        identification: header.identification.into(),
        offset_bytes: header.fragment_offset_bytes,
        more: header.more_fragments,
    });
    let header = Header {
        source: header.source.into(),
        destination: header.destination.into(),
        protocol: header.protocol,
        ttl: header.ttl,
        tos: header.tos,
        fragment,
    };
    Parsed { header, header_bytes, total_bytes }
}

fn of_ip6(ip6::Parsed { header, header_bytes, total_bytes }: ip6::Parsed) -> Parsed {
    let header = Header {
        source: header.source.into(),
        destination: header.destination.into(),
        protocol: header.protocol,
        ttl: header.hop_limit,
        tos: header.traffic_class,
        fragment: header.fragment,
    };
    Parsed { header, header_bytes, total_bytes }
}

/// Writes the length of a packet into its header, and the header's checksum where it has one: for a header that was
/// copied from another packet.
///
/// # Panics
///
/// When `header` is no whole header, or the packet is larger than its version allows: the caller has parsed it.
pub(crate) fn set_length(header: &mut [u8], payload_bytes: usize) {
    let too_large = "an IP packet has a length of 16 bits";
    if version(header) == Some(4) {
        let total = u16::try_from(header.len() + payload_bytes).expect(too_large);
        put(header, 2, total.to_be_bytes());
        refresh_checksum4(header);
    } else {
        let length = u16::try_from(header.len() - ip6::HEADER_BYTES + payload_bytes).expect(too_large);
        put(header, 4, length.to_be_bytes());
    }
}

/// Computes the checksum of an IPv4 header anew.
pub(crate) fn refresh_checksum4(header: &mut [u8]) {
    put(header, 10, [0, 0]);
    let checksum = Sum::new().plus(header).finish();
    put(header, 10, checksum.to_be_bytes());
}
