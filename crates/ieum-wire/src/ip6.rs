//! The IPv6 header and its extension headers (RFC 8200).
//!
//! A packet is read in one walk: the fixed header, then extension headers until the payload or a fragment header. What
//! the walk skips has no meaning for a host that forwards nothing: options of the kind "skip if unknown" and routing
//! headers that have been used up. What it must not skip is an error.

use std::net::Ipv6Addr;

use crate::bytes::{array_at, put, u16_at, u32_at};
use crate::units::Protocol;

/// Bytes of the fixed header.
pub const HEADER_BYTES: usize = 40;

/// Bytes of the fragment header (RFC 8200 §4.5).
pub const FRAGMENT_HEADER_BYTES: usize = 8;

/// Extension headers a packet may have. RFC 8200 §4.1 names seven, each once but for one; more is somebody who wants
/// to be skipped through.
const EXTENSION_HEADERS_MAX: usize = 8;

/// "No next header" (RFC 8200 §4.7): nothing follows, or nothing that anybody may look at.
pub const NO_NEXT_HEADER: u8 = 59;

/// Numbers of extension headers (RFC 8200 §4).
mod next {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const DESTINATION: u8 = 60;
}

/// Fields of an IPv6 header that have a meaning here. The flow label is sent as 0 and not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Where the packet comes from.
    pub source: Ipv6Addr,
    /// Where it goes.
    pub destination: Ipv6Addr,
    /// What it carries behind its extension headers; of a fragment: what the whole carries.
    pub protocol: Protocol,
    /// Hops left.
    pub hop_limit: u8,
    /// DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168).
    pub traffic_class: u8,
    /// Where a part of a fragmented packet belongs.
    pub fragment: Option<Fragment>,
}

/// What a fragment header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Names the packet its fragments belong to.
    pub identification: u32,
    /// Where in the packet this fragment stands, in bytes (a multiple of 8).
    pub offset_bytes: u16,
    /// More fragments of the same packet follow.
    pub more: bool,
}

impl Fragment {
    /// Is it the whole packet, a fragment by its header alone? Such a one is read at once, whatever else is being put
    /// together (RFC 6946 §4).
    pub const fn is_whole(self) -> bool {
        self.offset_bytes == 0 && !self.more
    }
}

/// Why bytes are not an IPv6 packet that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than a header, or than its own payload length.
    Truncated,
    /// The version is not 6.
    Version,
    /// An extension header reaches beyond the packet, stands where it may not, or is one too many.
    ExtensionHeader,
    /// An option that may not be skipped (RFC 8200 §4.2).
    Option,
    /// A routing header that is not used up: source routing is not served (RFC 5095).
    Routing,
}

/// A header and where its payload lies in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The fields.
    pub header: Header,
    /// Bytes of the header, extension headers included: where the payload (of a fragment: its part) begins.
    pub header_bytes: usize,
    /// Where the payload ends: what follows is padding of a link.
    pub total_bytes: usize,
}

impl Header {
    /// Reads the headers at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// What [`ParseError`] names: too few bytes, another version, or extension headers that are not accepted.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
        let first = *bytes.first().ok_or(ParseError::Truncated)?;
        if first >> 4 != 6 {
            return Err(ParseError::Version);
        }
        let short = ParseError::Truncated;
        let fixed: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(short)?;
        let total_bytes = HEADER_BYTES + usize::from(u16_at(fixed, 4).ok_or(short)?);
        let packet = bytes.get(..total_bytes).ok_or(short)?;
        let walked = walk(packet, fixed[6])?;
        let header = Header::of_fixed(fixed, Protocol::from(walked.next), walked.fragment);
        Ok(Parsed { header, header_bytes: walked.at, total_bytes })
    }

    /// The fields of a fixed header that stands alone, without the packet whose length it tells. The protocol is
    /// whatever follows immediately, and the fragment none.
    pub fn parse_alone(header: &[u8]) -> Option<Header> {
        let fixed = header.first_chunk()?;
        (fixed[0] >> 4 == 6).then(|| Header::of_fixed(fixed, Protocol::from(fixed[6]), None))
    }

    /// What the fragment header says that follows a fixed header immediately: what the whole carries, and where this part
    /// of it stands. `None`: there is none.
    pub fn fragment_alone(headers: &[u8]) -> Option<(Protocol, u16)> {
        let fragment =
            fragment_header(headers, HEADER_BYTES).filter(|_| headers.get(6) == Some(&next::FRAGMENT))?;
        Some((Protocol::from(*headers.get(HEADER_BYTES)?), fragment.offset_bytes))
    }

    /// The fields of the fixed header; the protocol and the fragment stand behind it.
    fn of_fixed(fixed: &[u8; HEADER_BYTES], protocol: Protocol, fragment: Option<Fragment>) -> Header {
        let address = |at| array_at::<16>(fixed, at).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from);
        Header {
            source: address(8),
            destination: address(24),
            protocol,
            hop_limit: fixed[7],
            traffic_class: fixed[0] << 4 | fixed[1] >> 4,
            fragment,
        }
    }

    /// The headers of one fragment of the packet whose fixed header this is, for a part of `payload_bytes`.
    pub(crate) fn of_fragment(
        fixed: &[u8; HEADER_BYTES],
        fragment: Fragment,
        payload_bytes: usize,
    ) -> Emitted {
        Header::of_fixed(fixed, Protocol::from(fixed[6]), Some(fragment)).emit(payload_bytes)
    }

    /// The bytes of the fixed header and, for a fragment, of its fragment header, for a packet that carries
    /// `payload_bytes` behind them.
    ///
    /// # Panics
    ///
    /// When the payload is larger than the length field tells: 65,535 bytes with the fragment header.
    pub fn emit(&self, payload_bytes: usize) -> Emitted {
        let extension_bytes = if self.fragment.is_some() { FRAGMENT_HEADER_BYTES } else { 0 };
        let length =
            u16::try_from(payload_bytes + extension_bytes).expect("an IPv6 payload has 65,535 bytes at most");
        let mut out = [0; HEADER_BYTES + FRAGMENT_HEADER_BYTES];
        out[0] = 0x60 | self.traffic_class >> 4;
        out[1] = self.traffic_class << 4;
        put(&mut out, 4, length.to_be_bytes());
        out[6] = self.protocol.number();
        out[7] = self.hop_limit;
        put(&mut out, 8, self.source.octets());
        put(&mut out, 24, self.destination.octets());
        if let Some(fragment) = self.fragment {
            out[40] = std::mem::replace(&mut out[6], next::FRAGMENT);
            let place = fragment.offset_bytes & !7 | u16::from(fragment.more);
            put(&mut out, 42, place.to_be_bytes());
            put(&mut out, 44, fragment.identification.to_be_bytes());
        }
        Emitted { bytes: out, length: HEADER_BYTES + extension_bytes }
    }
}

/// An emitted header: its bytes by `as_ref`.
#[derive(Clone, Copy, Debug)]
pub struct Emitted {
    bytes: [u8; HEADER_BYTES + FRAGMENT_HEADER_BYTES],
    length: usize,
}

impl AsRef<[u8]> for Emitted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Where the walk over the extension headers ended.
struct Walked {
    /// The number of what stands there.
    next: u8,
    at: usize,
    fragment: Option<Fragment>,
}

fn walk(packet: &[u8], first: u8) -> Result<Walked, ParseError> {
    let wrong = ParseError::ExtensionHeader;
    let (mut next, mut at, mut fragment) = (first, HEADER_BYTES, None);
    for count in 0.. {
        if !matches!(next, next::HOP_BY_HOP | next::ROUTING | next::FRAGMENT | next::DESTINATION) {
            break;
        }
        if count == EXTENSION_HEADERS_MAX || (next == next::HOP_BY_HOP && count > 0) {
            return Err(wrong);
        }
        if next == next::FRAGMENT {
            let part = fragment_header(packet, at).ok_or(wrong)?;
            next = *packet.get(at).ok_or(wrong)?;
            at += FRAGMENT_HEADER_BYTES;
            fragment = Some(part);
            if !part.is_whole() {
                // What follows belongs to the whole: it is read when that is there.
                return Ok(Walked { next, at, fragment });
            }
            continue;
        }
        let [following, words] = array_at(packet, at).ok_or(wrong)?;
        let length = 8 + usize::from(words) * 8;
        let body = packet.get(at + 2..at + length).ok_or(wrong)?;
        match next {
            // Segments left (RFC 8200 §4.4): who has none left is only carried along.
            next::ROUTING if body[1] != 0 => return Err(ParseError::Routing),
            next::ROUTING => {}
            _ => options(body)?,
        }
        (next, at) = (following, at + length);
    }
    Ok(Walked { next, at, fragment })
}

fn fragment_header(packet: &[u8], at: usize) -> Option<Fragment> {
    let place = u16_at(packet, at + 2)?;
    Some(Fragment { identification: u32_at(packet, at + 4)?, offset_bytes: place & !7, more: place & 1 != 0 })
}

/// Every option is one that may be skipped: none has a meaning for us.
fn options(mut body: &[u8]) -> Result<(), ParseError> {
    while let [kind, rest @ ..] = body {
        // Pad1 is a byte alone; all others tell their length (RFC 8200 §4.2).
        if *kind == 0 {
            body = rest;
            continue;
        }
        let length = rest.first().ok_or(ParseError::ExtensionHeader)?;
        body = rest.get(1 + usize::from(*length)..).ok_or(ParseError::ExtensionHeader)?;
        if kind >> 6 != 0 {
            return Err(ParseError::Option);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fragment: Option<Fragment>) -> Header {
        Header {
            source: "fd77::2".parse().unwrap(),
            destination: "fd77::1".parse().unwrap(),
            protocol: Protocol::Udp,
            hop_limit: 64,
            traffic_class: 0xb9,
            fragment,
        }
    }

    fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
        [header.emit(payload.len()).as_ref(), payload].concat()
    }

    #[test]
    fn what_is_emitted_is_parsed() {
        let part = Fragment { identification: 7, offset_bytes: 1448, more: true };
        for (fragment, bytes) in [(None, 40), (Some(part), 48)] {
            let mut packet = packet(&header(fragment), b"four");
            packet.push(0xff);
            let parsed = Header::parse(&packet).unwrap();
            assert_eq!(parsed.header, header(fragment));
            assert_eq!((parsed.header_bytes, parsed.total_bytes), (bytes, bytes + 4));
        }
    }

    #[test]
    fn what_follows_a_fragment_that_is_the_whole_packet_is_read() {
        let part = Fragment { identification: 7, offset_bytes: 0, more: false };
        let mut bytes = packet(&header(Some(part)), &[17, 0, 1, 4, 0, 0, 0, 0]);
        bytes[40] = 60;
        let parsed = Header::parse(&bytes).unwrap();
        assert!(parsed.header.fragment.is_some_and(Fragment::is_whole));
        assert_eq!((parsed.header.protocol, parsed.header_bytes), (Protocol::Udp, 56));
    }

    /// The header of a packet whose first extension header is `number`, followed by `extension` and nothing.
    fn extended(number: u8, extension: &[u8]) -> Result<Parsed, ParseError> {
        let mut bytes = packet(&header(None), extension);
        bytes[6] = number;
        Header::parse(&bytes)
    }

    #[test]
    fn extension_headers_are_skipped_where_they_may_be() {
        let pad = [17, 0, 1, 4, 0, 0, 0, 0];
        let parsed = extended(0, &pad).unwrap();
        assert_eq!((parsed.header.protocol, parsed.header_bytes), (Protocol::Udp, 48));
        assert!(extended(60, &pad).is_ok());
        assert_eq!(extended(60, &[17, 0, 0xc2, 4, 0, 0, 0, 0]), Err(ParseError::Option));
        assert_eq!(extended(60, &[17, 0, 1, 9, 0, 0, 0, 0]), Err(ParseError::ExtensionHeader));
        assert_eq!(extended(60, &[17, 1, 1, 4, 0, 0, 0, 0]), Err(ParseError::ExtensionHeader));
        assert!(extended(43, &[17, 0, 0, 0, 0, 0, 0, 0]).is_ok());
        assert_eq!(extended(43, &[17, 0, 0, 1, 0, 0, 0, 0]), Err(ParseError::Routing));
        // Hop-by-hop options stand first or nowhere.
        assert_eq!(extended(60, &[[0, 0, 1, 4, 0, 0, 0, 0], pad].concat()), Err(ParseError::ExtensionHeader));
        let many = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
        assert_eq!(extended(60, &many), Err(ParseError::ExtensionHeader));
    }

    #[test]
    fn what_is_cut_short_is_truncated() {
        let whole = packet(&header(None), b"four");
        for length in 0..whole.len() {
            assert_eq!(Header::parse(&whole[..length]), Err(ParseError::Truncated));
        }
        let mut other = whole;
        other[0] = 0x45;
        assert_eq!(Header::parse(&other), Err(ParseError::Version));
    }
}
