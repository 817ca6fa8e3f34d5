//! ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2).

use crate::bytes::{array_at, u16_at};
use crate::checksum::Sum;
use crate::unreachable::Unreachable;

/// Bytes before a message's body.
pub const HEADER_BYTES: usize = 8;

/// An ICMP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Type 8: "answer with these bytes".
    EchoRequest {
        /// Tells the askers of one host apart.
        identifier: u16,
        /// Tells one asker's requests apart.
        sequence: u16,
        /// To be sent back.
        data: &'a [u8],
    },
    /// Type 0: the answer.
    EchoReply {
        /// As in the request.
        identifier: u16,
        /// As in the request.
        sequence: u16,
        /// As in the request.
        data: &'a [u8],
    },
    /// Type 3.
    Unreachable {
        /// Why.
        reason: Unreachable,
        /// The beginning of the packet that could not be delivered, from its IP header.
        original: &'a [u8],
    },
    /// Type 11: the TTL ran out (code 0), or the time for reassembly (code 1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
        /// The beginning of the packet that was given up, from its IP header.
        original: &'a [u8],
    },
    /// Any other type.
    Other {
        /// The type.
        kind: u8,
        /// Its code.
        code: u8,
    },
}

/// Why bytes are not an ICMP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than the header.
    Truncated,
    /// The checksum does not add up.
    Checksum,
}

impl<'a> Message<'a> {
    /// Reads a whole IP payload and verifies its checksum.
    ///
    /// # Errors
    ///
    /// There is no whole header, or the checksum does not add up.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ParseError> {
        let [kind, code] = array_at(bytes, 0).ok_or(ParseError::Truncated)?;
        let body = bytes.get(HEADER_BYTES..).ok_or(ParseError::Truncated)?;
        if !Sum::new().plus(bytes).is_valid() {
            return Err(ParseError::Checksum);
        }
        let word = |at| u16_at(bytes, at).ok_or(ParseError::Truncated);
        let (identifier, sequence) = (word(4)?, word(6)?);
        Ok(match kind {
            8 => Message::EchoRequest { identifier, sequence, data: body },
            0 => Message::EchoReply { identifier, sequence, data: body },
            3 => Message::Unreachable { reason: from_wire(code, sequence), original: body },
            11 => Message::TimeExceeded { code, original: body },
            _ => Message::Other { kind, code },
        })
    }

    /// The message's bytes, checksum included.
    pub fn emit(&self) -> Vec<u8> {
        let (kind, code, high, low, body): (u8, u8, u16, u16, &[u8]) = match *self {
            Message::EchoRequest { identifier, sequence, data } => (8, 0, identifier, sequence, data),
            Message::EchoReply { identifier, sequence, data } => (0, 0, identifier, sequence, data),
            Message::Unreachable { reason, original } => {
                let (code, mtu_bytes) = to_wire(reason);
                (3, code, 0, mtu_bytes, original)
            }
            Message::TimeExceeded { code, original } => (11, code, 0, 0, original),
            Message::Other { kind, code } => (kind, code, 0, 0, &[]),
        };
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend([kind, code, 0, 0]);
        out.extend(high.to_be_bytes());
        out.extend(low.to_be_bytes());
        out.extend(body);
        let checksum = Sum::new().plus(&out).finish();
        out[2..4].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}

fn from_wire(code: u8, mtu_bytes: u16) -> Unreachable {
    match code {
        0 => Unreachable::Network,
        1 => Unreachable::Host,
        2 => Unreachable::Protocol,
        3 => Unreachable::Port,
        4 => Unreachable::FragmentationNeeded { mtu_bytes: mtu_bytes.into() },
        9 | 10 | 13 => Unreachable::Prohibited,
        other => Unreachable::Other(other),
    }
}

fn to_wire(reason: Unreachable) -> (u8, u16) {
    match reason {
        Unreachable::Network => (0, 0),
        Unreachable::Host => (1, 0),
        Unreachable::Protocol => (2, 0),
        Unreachable::Port => (3, 0),
        Unreachable::FragmentationNeeded { mtu_bytes } => (4, u16::try_from(mtu_bytes).unwrap_or(u16::MAX)),
        Unreachable::Prohibited => (13, 0),
        Unreachable::Other(code) => (code, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let messages = [
            Message::EchoRequest { identifier: 1, sequence: 2, data: b"ping" },
            Message::EchoReply { identifier: 1, sequence: 2, data: b"odd" },
            Message::Unreachable { reason: Unreachable::Port, original: &[0x45; 28] },
            Message::Unreachable {
                reason: Unreachable::FragmentationNeeded { mtu_bytes: 1400 },
                original: &[0x45; 28],
            },
            Message::TimeExceeded { code: 0, original: &[] },
        ];
        for message in messages {
            assert_eq!(Message::parse(&message.emit()), Ok(message));
        }
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut bytes = Message::EchoRequest { identifier: 1, sequence: 2, data: b"ping" }.emit();
        bytes[9] ^= 0x10;
        assert_eq!(Message::parse(&bytes), Err(ParseError::Checksum));
        assert_eq!(Message::parse(&bytes[..7]), Err(ParseError::Truncated));
    }
}
