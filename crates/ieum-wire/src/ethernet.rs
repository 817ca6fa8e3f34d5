//! The Ethernet II header (IEEE 802.3, RFC 894, RFC 2464).

use std::fmt;

use crate::bytes::array_at;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 14;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Everybody on the link.
    pub const BROADCAST: MacAddress = MacAddress([0xff; 6]);

    /// Does it mean many (the group bit)?
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What a frame carries (IANA's EtherTypes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EtherType {
    /// 0x0800.
    Ip4,
    /// 0x0806.
    Arp,
    /// 0x86dd.
    Ip6,
    /// Any other.
    Other(u16),
}

impl From<u16> for EtherType {
    fn from(number: u16) -> EtherType {
        match number {
            0x0800 => EtherType::Ip4,
            0x0806 => EtherType::Arp,
            0x86dd => EtherType::Ip6,
            other => EtherType::Other(other),
        }
    }
}

impl EtherType {
    /// The number in the header.
    pub const fn number(self) -> u16 {
        match self {
            EtherType::Ip4 => 0x0800,
            EtherType::Arp => 0x0806,
            EtherType::Ip6 => 0x86dd,
            EtherType::Other(number) => number,
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Whom the frame is for.
    pub destination: MacAddress,
    /// Who sent it.
    pub source: MacAddress,
    /// What it carries.
    pub ethertype: EtherType,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; `None` when they are too few.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        Some(Header {
            destination: MacAddress(array_at(bytes, 0)?),
            source: MacAddress(array_at(bytes, 6)?),
            ethertype: u16::from_be_bytes(array_at(bytes, 12)?).into(),
        })
    }

    /// The header's bytes.
    pub fn emit(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..6].copy_from_slice(&self.destination.0);
        out[6..12].copy_from_slice(&self.source.0);
        out[12..].copy_from_slice(&self.ethertype.number().to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let header = Header {
            destination: MacAddress::BROADCAST,
            source: MacAddress([2, 0, 0, 0, 0, 1]),
            ethertype: EtherType::Arp,
        };
        assert_eq!(Header::parse(&header.emit()), Some(header));
        assert_eq!(Header::parse(&header.emit()[..13]), None);
        assert_eq!(header.source.to_string(), "02:00:00:00:00:01");
    }
}
