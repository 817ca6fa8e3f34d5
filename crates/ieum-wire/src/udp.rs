//! The UDP header (RFC 768).

use crate::bytes::u16_at;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 8;

/// Where the length field stands in the header.
pub(crate) const LENGTH_AT: usize = 4;

/// Where the checksum field stands in the header.
pub const CHECKSUM_AT: usize = 6;

/// A UDP header; the checksum is the packet's affair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The sender's port; 0 when it expects no answer.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

/// Why bytes are not a UDP datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than a header, or than its own length.
    Truncated,
    /// The length field is below 8.
    Length,
}

/// A header, where the datagram ends, and whether it carries a checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The ports.
    pub header: Header,
    /// Header and payload, in bytes.
    pub length_bytes: usize,
    /// False when the sender computed none (RFC 768: a field of zero).
    pub has_checksum: bool,
}

impl Header {
    /// Reads the header at the beginning of an IP payload.
    ///
    /// # Errors
    ///
    /// There is no whole header, or its length does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
        let at = |at| u16_at(bytes, at).ok_or(ParseError::Truncated);
        let header = Header { source_port: at(0)?, destination_port: at(2)? };
        let length_bytes = usize::from(at(4)?);
        let has_checksum = at(CHECKSUM_AT)? != 0;
        if length_bytes < HEADER_BYTES {
            return Err(ParseError::Length);
        }
        if length_bytes > bytes.len() {
            return Err(ParseError::Truncated);
        }
        Ok(Parsed { header, length_bytes, has_checksum })
    }

    /// The 8 bytes of this header for a datagram of `length_bytes`, header included, with a checksum of zero.
    pub fn emit(&self, length_bytes: u16) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        out[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        out[4..6].copy_from_slice(&length_bytes.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let header = Header { source_port: 53, destination_port: 40_000 };
        let mut bytes = header.emit(11).to_vec();
        bytes.extend([1, 2, 3]);
        let parsed = Header::parse(&bytes).unwrap();
        assert_eq!(parsed, Parsed { header, length_bytes: 11, has_checksum: false });
        assert_eq!(Header::parse(&bytes[..10]), Err(ParseError::Truncated));
        bytes[5] = 7;
        assert_eq!(Header::parse(&bytes), Err(ParseError::Length));
    }
}
