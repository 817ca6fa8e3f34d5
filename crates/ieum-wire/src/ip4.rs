//! The IPv4 header (RFC 791 §3.1).

use std::net::Ipv4Addr;

use crate::bytes::{array_at, put, u16_at};
use crate::checksum::Sum;
use crate::units::Protocol;

/// Bytes of a header without options.
pub const HEADER_BYTES: usize = 20;

/// The TTL of packets sent (RFC 1700's recommendation; Linux's default).
pub const TTL_DEFAULT: u8 = 64;

/// Fields of an IPv4 header that have a meaning here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Where the packet comes from.
    pub source: Ipv4Addr,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// What it carries.
    pub protocol: Protocol,
    /// Hops left.
    pub ttl: u8,
    /// The former type of service: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168).
    pub tos: u8,
    /// Names the datagram its fragments belong to (RFC 6864).
    pub identification: u16,
    /// Forbids routers to fragment.
    pub dont_fragment: bool,
    /// More fragments of the same datagram follow.
    pub more_fragments: bool,
    /// Where in the datagram this fragment stands, in bytes (a multiple of 8).
    pub fragment_offset_bytes: u16,
}

/// Why bytes are not an IPv4 packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than a header, or than its own total length.
    Truncated,
    /// The version is not 4.
    Version,
    /// The header length is below 20 bytes or beyond the packet.
    HeaderLength,
    /// The header checksum does not add up.
    Checksum,
}

/// A header and where its payload lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The fields.
    pub header: Header,
    /// Bytes of the header, options included: where the payload begins.
    pub header_bytes: usize,
    /// Where the payload ends: what follows is padding of a link.
    pub total_bytes: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes` and verifies its checksum. Options are skipped.
    ///
    /// # Errors
    ///
    /// What [`ParseError`] names: too few bytes, another version, lengths or a checksum that do not hold.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
        let first = *bytes.first().ok_or(ParseError::Truncated)?;
        if first >> 4 != 4 {
            return Err(ParseError::Version);
        }
        if bytes.len() < HEADER_BYTES {
            return Err(ParseError::Truncated);
        }
        let header_bytes = usize::from(first & 0x0f) * 4;
        let whole = bytes.get(..header_bytes).ok_or(ParseError::HeaderLength)?;
        if header_bytes < HEADER_BYTES {
            return Err(ParseError::HeaderLength);
        }
        if !Sum::new().plus(whole).is_valid() {
            return Err(ParseError::Checksum);
        }
        let short = ParseError::Truncated;
        let total_bytes = usize::from(u16_at(bytes, 2).ok_or(short)?);
        if total_bytes < header_bytes || total_bytes > bytes.len() {
            return Err(ParseError::Truncated);
        }
        let fragment = u16_at(bytes, 6).ok_or(short)?;
        let header = Header {
            source: array_at::<4>(bytes, 12).ok_or(short)?.into(),
            destination: array_at::<4>(bytes, 16).ok_or(short)?.into(),
            protocol: Protocol::from(whole[9]),
            ttl: whole[8],
            tos: whole[1],
            identification: u16_at(bytes, 4).ok_or(short)?,
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset_bytes: (fragment & 0x1fff) << 3,
        };
        Ok(Parsed { header, header_bytes, total_bytes })
    }

    /// The fields of a header that stands alone, without the packet whose length it tells; it was parsed before.
    pub fn parse_alone(header: &[u8]) -> Option<Header> {
        let mut packet = header.to_vec();
        let length = usize::from(u16_at(header, 2)?);
        packet.resize(length.max(header.len()), 0);
        Header::parse(&packet).ok().map(|parsed| parsed.header)
    }

    /// The 20 bytes of this header for a packet of `total_bytes`, checksum included.
    pub fn emit(&self, total_bytes: u16) -> [u8; HEADER_BYTES] {
        let mut out = [0u8; HEADER_BYTES];
        out[0] = 0x45;
        out[1] = self.tos;
        put(&mut out, 2, total_bytes.to_be_bytes());
        put(&mut out, 4, self.identification.to_be_bytes());
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        put(&mut out, 6, (flags | self.fragment_offset_bytes >> 3).to_be_bytes());
        out[8] = self.ttl;
        out[9] = self.protocol.number();
        put(&mut out, 12, self.source.octets());
        put(&mut out, 16, self.destination.octets());
        let checksum = Sum::new().plus(&out).finish();
        put(&mut out, 10, checksum.to_be_bytes());
        out
    }

    /// Is this packet a part of a fragmented datagram?
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset_bytes != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            source: Ipv4Addr::new(10, 77, 0, 2),
            destination: Ipv4Addr::new(10, 77, 0, 1),
            protocol: Protocol::Tcp,
            ttl: 64,
            tos: 0,
            identification: 7,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset_bytes: 0,
        }
    }

    #[test]
    fn what_is_emitted_is_parsed() {
        let mut bytes = header().emit(24).to_vec();
        bytes.extend([1, 2, 3, 4, 0xff]);
        let parsed = Header::parse(&bytes).unwrap();
        assert_eq!(parsed.header, header());
        assert_eq!((parsed.header_bytes, parsed.total_bytes), (20, 24));
    }

    #[test]
    fn each_flaw_has_its_reason() {
        let good = header().emit(20);
        assert_eq!(Header::parse(&[]), Err(ParseError::Truncated));
        assert_eq!(Header::parse(&good[..19]), Err(ParseError::Truncated));
        let mut bad = good;
        bad[0] = 0x65;
        assert_eq!(Header::parse(&bad), Err(ParseError::Version));
        bad[0] = 0x44;
        assert_eq!(Header::parse(&bad), Err(ParseError::HeaderLength));
        bad[0] = 0x46;
        assert_eq!(Header::parse(&bad), Err(ParseError::HeaderLength));
        bad = good;
        bad[15] ^= 1;
        assert_eq!(Header::parse(&bad), Err(ParseError::Checksum));
        let long = header().emit(21);
        assert_eq!(Header::parse(&long), Err(ParseError::Truncated));
    }
}
