//! What an ICMP error is about: the beginning of a packet we are said to have sent.

use std::net::{Ipv4Addr, SocketAddr};

use ieum_wire::{Protocol, SeqNumber, segmentation};

/// The packet that an ICMP error quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quoted {
    /// The transport that sent it.
    pub(crate) protocol: Protocol,
    /// Where it came from: one of our addresses, or the error is none of our affair.
    pub(crate) ours: SocketAddr,
    /// Where it went.
    pub(crate) theirs: SocketAddr,
    /// TCP: its sequence number. It proves that the sender of the error saw the segment (RFC 5927 §4.1).
    pub(crate) seq: Option<SeqNumber>,
}

impl Quoted {
    /// Reads an IP header and the 8 bytes behind it. The header is not that of a whole packet: its length and its
    /// checksum (routers may have changed fields) prove nothing here and are not looked at.
    pub(crate) fn parse(original: &[u8]) -> Option<Quoted> {
        let first = *original.first()?;
        let header_bytes = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || header_bytes < 20 {
            return None;
        }
        let address = |at| {
            let octets: [u8; 4] = original.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        let payload = original.get(header_bytes..header_bytes + 8)?;
        let (source_port, destination_port) = segmentation::ports(payload)?;
        let protocol = Protocol::from(*original.get(9)?);
        Some(Quoted {
            protocol,
            ours: SocketAddr::new(address(12)?.into(), source_port),
            theirs: SocketAddr::new(address(16)?.into(), destination_port),
            seq: segmentation::sequence(payload).filter(|_| protocol == Protocol::Tcp),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0xaa, 0xaa, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend([0x9c, 0x40, 0, 80, 1, 2, 3, 4]);
        bytes
    }

    #[test]
    fn eight_bytes_behind_the_header_name_the_segment() {
        let quoted = Quoted::parse(&original()).unwrap();
        assert_eq!(quoted.protocol, Protocol::Tcp);
        assert_eq!(quoted.ours, "10.0.0.1:40000".parse().unwrap());
        assert_eq!(quoted.theirs, "10.0.0.2:80".parse().unwrap());
        assert_eq!(quoted.seq, Some(SeqNumber::new(0x0102_0304)));
    }

    #[test]
    fn what_is_too_short_names_nothing() {
        let bytes = original();
        for length in 0..28 {
            assert_eq!(Quoted::parse(&bytes[..length]), None);
        }
        let mut other = bytes;
        other[0] = 0x44;
        assert_eq!(Quoted::parse(&other), None);
    }
}
