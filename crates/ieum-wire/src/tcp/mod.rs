//! The TCP header (RFC 9293 §3.1).

use std::ops::Range;

use crate::bytes::{array_at, put, u16_at, u32_at};
use crate::seq::SeqNumber;

pub mod options;

pub use options::{AccEcn, Cookie, FastOpen, Options, SACK_BLOCKS_MAX, SackBlock, SackBlocks, Timestamps};

/// Bytes of a header without options.
pub const HEADER_BYTES: usize = 20;

/// Bytes of the largest header: the data offset has four bits.
pub const HEADER_BYTES_MAX: usize = 60;

/// Where the checksum field stands in the header.
pub const CHECKSUM_AT: usize = 16;

/// The control bits that have a meaning here (RFC 9293 §3.1, RFC 3168 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// No more data from the sender.
    pub fin: bool,
    /// Synchronise sequence numbers.
    pub syn: bool,
    /// Reset the connection.
    pub rst: bool,
    /// Push: hand what there is to the application.
    pub psh: bool,
    /// The acknowledgement field is significant.
    pub ack: bool,
    /// The urgent pointer is significant.
    pub urg: bool,
    /// ECN-echo.
    pub ece: bool,
    /// Congestion window reduced.
    pub cwr: bool,
    /// Accurate ECN (RFC 9768 §3.1); with the two above a counter of three bits, once both sides agree on it.
    pub ae: bool,
}

impl Flags {
    /// ACK alone.
    pub const ACK: Flags = Flags {
        ack: true,
        fin: false,
        syn: false,
        rst: false,
        psh: false,
        urg: false,
        ece: false,
        cwr: false,
        ae: false,
    };

    /// AE, CWR and ECE as a number of three bits (RFC 9768 §3.2: ACE).
    pub const fn ace(self) -> u8 {
        ((self.ae as u8) << 2) | ((self.cwr as u8) << 1) | self.ece as u8
    }

    /// The same flags with that number in place of the three.
    pub const fn with_ace(self, ace: u8) -> Flags {
        Flags { ae: ace & 0b100 != 0, cwr: ace & 0b010 != 0, ece: ace & 0b001 != 0, ..self }
    }

    fn from_wire(offset: u8, bits: u8) -> Flags {
        Flags {
            fin: bits & 0x01 != 0,
            syn: bits & 0x02 != 0,
            rst: bits & 0x04 != 0,
            psh: bits & 0x08 != 0,
            ack: bits & 0x10 != 0,
            urg: bits & 0x20 != 0,
            ece: bits & 0x40 != 0,
            cwr: bits & 0x80 != 0,
            ae: offset & 0x01 != 0,
        }
    }

    fn to_wire(self) -> u8 {
        u8::from(self.fin)
            | u8::from(self.syn) << 1
            | u8::from(self.rst) << 2
            | u8::from(self.psh) << 3
            | u8::from(self.ack) << 4
            | u8::from(self.urg) << 5
            | u8::from(self.ece) << 6
            | u8::from(self.cwr) << 7
    }
}

/// A TCP header. Its checksum is the packet's affair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Position of the first byte of payload, or of the SYN.
    pub seq: SeqNumber,
    /// The next position the sender expects; meaningless without [`Flags::ack`].
    pub ack: SeqNumber,
    /// The control bits.
    pub flags: Flags,
    /// The window as it stands in the header, not scaled.
    pub window: u16,
    /// Offset of the urgent byte's successor from `seq`; meaningless without [`Flags::urg`].
    pub urgent: u16,
    /// The options known here.
    pub options: Options,
}

/// Why bytes are not a TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than a header.
    Truncated,
    /// The data offset is below 5 words or beyond the segment.
    DataOffset,
    /// An option's length is below 2, beyond the header, or not what its kind has.
    Options,
}

impl Header {
    /// Reads the header at the beginning of an IP payload; the range is the segment's own payload.
    ///
    /// # Errors
    ///
    /// There is no whole header, or its data offset or an option's length does not hold.
    pub fn parse(bytes: &[u8]) -> Result<(Header, Range<usize>), ParseError> {
        let short = ParseError::Truncated;
        let [offset, bits] = array_at(bytes, 12).ok_or(short)?;
        let urgent = u16_at(bytes, 18).ok_or(short)?;
        let header_bytes = usize::from(offset >> 4) * 4;
        if header_bytes < HEADER_BYTES {
            return Err(ParseError::DataOffset);
        }
        let options = bytes.get(HEADER_BYTES..header_bytes).ok_or(ParseError::DataOffset)?;
        let header = Header {
            source_port: u16_at(bytes, 0).ok_or(short)?,
            destination_port: u16_at(bytes, 2).ok_or(short)?,
            seq: SeqNumber::new(u32_at(bytes, 4).ok_or(short)?),
            ack: SeqNumber::new(u32_at(bytes, 8).ok_or(short)?),
            flags: Flags::from_wire(offset, bits),
            window: u16_at(bytes, 14).ok_or(short)?,
            urgent,
            options: Options::parse(options).ok_or(ParseError::Options)?,
        };
        Ok((header, header_bytes..bytes.len()))
    }

    /// Bytes of the emitted header, options and their padding included.
    pub fn len_bytes(&self) -> usize {
        HEADER_BYTES + self.options.len_bytes()
    }

    /// Writes the header with a checksum of zero; returns its bytes.
    pub fn emit(&self, out: &mut [u8; HEADER_BYTES_MAX]) -> usize {
        let length = self.len_bytes();
        out.fill(0);
        put(out, 0, self.source_port.to_be_bytes());
        put(out, 2, self.destination_port.to_be_bytes());
        put(out, 4, self.seq.value().to_be_bytes());
        put(out, 8, self.ack.value().to_be_bytes());
        let words = u8::try_from(length / 4).expect("a TCP header has at most 15 words");
        out[12] = (words << 4) | u8::from(self.flags.ae);
        out[13] = self.flags.to_wire();
        put(out, 14, self.window.to_be_bytes());
        put(out, 18, self.urgent.to_be_bytes());
        self.options.emit(&mut out[HEADER_BYTES..length]);
        length
    }
}

/// How many sequence numbers a segment occupies: its payload, and one each for SYN and FIN (RFC 9293 §3.4).
pub fn sequence_length(flags: Flags, payload_bytes: usize) -> u32 {
    u32::try_from(payload_bytes).unwrap_or(u32::MAX) + u32::from(flags.syn) + u32::from(flags.fin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WindowScale;

    fn syn() -> Header {
        Header {
            source_port: 40_000,
            destination_port: 80,
            seq: SeqNumber::new(0xfeed_beef),
            ack: SeqNumber::new(0),
            flags: Flags { syn: true, ..Flags::default() },
            window: 65_535,
            urgent: 0,
            options: Options {
                mss: Some(1460),
                window_scale: Some(WindowScale::announced(7)),
                sack_permitted: false,
                timestamps: Some(Timestamps { value: 1, echo: 0 }),
                ..Options::default()
            },
        }
    }

    #[test]
    fn what_is_emitted_is_parsed() {
        let mut out = [0; HEADER_BYTES_MAX];
        let length = syn().emit(&mut out);
        assert_eq!(length, 40);
        let mut bytes = out[..length].to_vec();
        bytes.extend(b"data");
        assert_eq!(Header::parse(&bytes), Ok((syn(), 40..44)));
    }

    #[test]
    fn three_flags_are_a_number() {
        for ace in 0..8 {
            let header = Header { flags: Flags::ACK.with_ace(ace), ..syn() };
            let mut out = [0; HEADER_BYTES_MAX];
            let length = header.emit(&mut out);
            assert_eq!(Header::parse(&out[..length]).unwrap().0.flags.ace(), ace);
        }
    }

    #[test]
    fn each_flaw_has_its_reason() {
        let mut out = [0; HEADER_BYTES_MAX];
        let length = syn().emit(&mut out);
        assert_eq!(Header::parse(&out[..19]), Err(ParseError::Truncated));
        assert_eq!(Header::parse(&out[..length - 1]), Err(ParseError::DataOffset));
        out[12] = 0x40;
        assert_eq!(Header::parse(&out), Err(ParseError::DataOffset));
        out[12] = 0xa0;
        out[21] = 1;
        assert_eq!(Header::parse(&out), Err(ParseError::Options));
    }
}
