//! ICMP for IPv6 (RFC 4443).

use std::net::{IpAddr, Ipv6Addr};

use crate::bytes::{array_at, u16_at, u32_at};
use crate::checksum::pseudo_header;
use crate::group::LISTENER_QUERY;
use crate::units::Protocol;
use crate::unreachable::Unreachable;

/// Bytes before a message's body.
pub const HEADER_BYTES: usize = 8;

/// The types of neighbour discovery (RFC 4861 §4): router solicitation to redirect.
const NEIGHBOR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;

/// An ICMPv6 message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Type 128: "answer with these bytes".
    EchoRequest {
        /// Tells the askers of one host apart.
        identifier: u16,
        /// Tells one asker's requests apart.
        sequence: u16,
        /// To be sent back.
        data: &'a [u8],
    },
    /// Type 129: the answer.
    EchoReply {
        /// As in the request.
        identifier: u16,
        /// As in the request.
        sequence: u16,
        /// As in the request.
        data: &'a [u8],
    },
    /// Types 1 and 2 (packet too big), and type 4 code 1 (nobody speaks that protocol).
    Unreachable {
        /// Why.
        reason: Unreachable,
        /// The beginning of the packet that could not be delivered, from its IP header.
        original: &'a [u8],
    },
    /// Type 3: the hop limit ran out (code 0), or the time for reassembly (code 1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
        /// The beginning of the packet that was given up, from its IP header.
        original: &'a [u8],
    },
    /// Types 133 to 137: neighbour discovery.
    Neighbor {
        /// The type.
        kind: u8,
        /// What follows the checksum: reserved bytes or flags, addresses, options.
        body: &'a [u8],
    },
    /// Type 130: a router asks who wants which groups.
    ListenerQuery {
        /// What follows the checksum.
        body: &'a [u8],
    },
    /// Any other type.
    Other {
        /// The type.
        kind: u8,
        /// Its code.
        code: u8,
    },
}

/// Why bytes are not an ICMPv6 message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than the header.
    Truncated,
    /// The checksum does not add up.
    Checksum,
}

impl<'a> Message<'a> {
    /// Reads a whole IP payload and verifies its checksum, in which the addresses count (RFC 4443 §2.3).
    ///
    /// # Errors
    ///
    /// There is no whole header, or the checksum does not add up.
    pub fn parse(bytes: &'a [u8], source: IpAddr, destination: IpAddr) -> Result<Message<'a>, ParseError> {
        let [kind, code] = array_at(bytes, 0).ok_or(ParseError::Truncated)?;
        let body = bytes.get(HEADER_BYTES..).ok_or(ParseError::Truncated)?;
        if !pseudo_header(source, destination, Protocol::Icmp6, bytes.len()).plus(bytes).is_valid() {
            return Err(ParseError::Checksum);
        }
        let half = |at| u16_at(bytes, at).ok_or(ParseError::Truncated);
        let (identifier, sequence) = (half(4)?, half(6)?);
        let word = u32_at(bytes, 4).ok_or(ParseError::Truncated)?;
        Ok(match kind {
            128 => Message::EchoRequest { identifier, sequence, data: body },
            129 => Message::EchoReply { identifier, sequence, data: body },
            1 => Message::Unreachable { reason: from_wire(code), original: body },
            2 => Message::Unreachable {
                reason: Unreachable::FragmentationNeeded { mtu_bytes: word },
                original: body,
            },
            3 => Message::TimeExceeded { code, original: body },
            4 if code == 1 => Message::Unreachable { reason: Unreachable::Protocol, original: body },
            _ if NEIGHBOR_DISCOVERY.contains(&kind) && code == 0 => {
                Message::Neighbor { kind, body: bytes.get(4..).unwrap_or_default() }
            }
            LISTENER_QUERY => Message::ListenerQuery { body: bytes.get(4..).unwrap_or_default() },
            _ => Message::Other { kind, code },
        })
    }

    /// The message's bytes, checksum included.
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let pair = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        let (kind, code, word, body): (u8, u8, u32, &[u8]) = match *self {
            Message::EchoRequest { identifier, sequence, data } => (128, 0, pair(identifier, sequence), data),
            Message::EchoReply { identifier, sequence, data } => (129, 0, pair(identifier, sequence), data),
            Message::Unreachable { reason, original } => {
                let (kind, code, word) = to_wire(reason);
                (kind, code, word, original)
            }
            Message::TimeExceeded { code, original } => (3, code, 0, original),
            Message::ListenerQuery { body } => {
                let (word, rest) = body.split_at(body.len().min(4));
                (LISTENER_QUERY, 0, u32_at(word, 0).unwrap_or(0), rest)
            }
            Message::Neighbor { kind, body } => {
                let (word, rest) = body.split_at(body.len().min(4));
                (kind, 0, u32_at(word, 0).unwrap_or(0), rest)
            }
            Message::Other { kind, code } => (kind, code, 0, &[]),
        };
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend([kind, code, 0, 0]);
        out.extend(word.to_be_bytes());
        out.extend(body);
        let sum = pseudo_header(source.into(), destination.into(), Protocol::Icmp6, out.len());
        let checksum = sum.plus(&out).finish();
        out[2..4].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}

/// The reason that a code of type 1 gives (RFC 4443 §3.1).
fn from_wire(code: u8) -> Unreachable {
    match code {
        0 => Unreachable::Network,
        1 | 5 | 6 => Unreachable::Prohibited,
        3 => Unreachable::Host,
        4 => Unreachable::Port,
        other => Unreachable::Other(other),
    }
}

/// Type, code and the word behind the checksum.
fn to_wire(reason: Unreachable) -> (u8, u8, u32) {
    /// Where a packet names the protocol it carries: what a parameter problem points at.
    const NEXT_HEADER_AT: u32 = 6;
    match reason {
        Unreachable::Network => (1, 0, 0),
        Unreachable::Prohibited => (1, 1, 0),
        Unreachable::Host => (1, 3, 0),
        Unreachable::Port => (1, 4, 0),
        Unreachable::Other(code) => (1, code, 0),
        Unreachable::FragmentationNeeded { mtu_bytes } => (2, 0, mtu_bytes),
        Unreachable::Protocol => (4, 1, NEXT_HEADER_AT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let (one, other): (Ipv6Addr, Ipv6Addr) = ("fd77::1".parse().unwrap(), "fd77::2".parse().unwrap());
        let original = &[0x60; 48];
        let messages = [
            Message::EchoRequest { identifier: 1, sequence: 2, data: b"ping" },
            Message::EchoReply { identifier: 1, sequence: 2, data: b"odd" },
            Message::Unreachable { reason: Unreachable::Port, original },
            Message::Unreachable { reason: Unreachable::Protocol, original },
            Message::Unreachable { reason: Unreachable::FragmentationNeeded { mtu_bytes: 1280 }, original },
            Message::TimeExceeded { code: 1, original: &[] },
            Message::Neighbor { kind: 135, body: &[0; 20] },
        ];
        for message in messages {
            let bytes = message.emit(one, other);
            assert_eq!(Message::parse(&bytes, one.into(), other.into()), Ok(message));
            let elsewhere: Ipv6Addr = "fd77::4".parse().unwrap();
            assert_eq!(Message::parse(&bytes, one.into(), elsewhere.into()), Err(ParseError::Checksum));
            assert_eq!(Message::parse(&bytes[..7], one.into(), other.into()), Err(ParseError::Truncated));
        }
    }
}
