//! What an ICMP error is about: the beginning of a packet we are said to have sent.

use std::net::{IpAddr, SocketAddr};

use ieum_wire::{Protocol, SeqNumber, ip, ip4, ip6, segmentation};

use super::{ECHO_REQUEST4, ECHO_REQUEST6};

/// The packet that an ICMP error quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quoted<'a> {
    /// The transport that sent it.
    pub(crate) protocol: Protocol,
    /// Where it came from: one of our addresses, or the error is none of our affair.
    pub(crate) ours: SocketAddr,
    /// Where it went.
    pub(crate) theirs: SocketAddr,
    /// TCP: its sequence number. It proves that the sender of the error saw the segment (RFC 5927 §4.1).
    pub(crate) seq: Option<SeqNumber>,
    /// ICMP: the identifier of the echo request; the ports above mean nothing then.
    pub(crate) echo: Option<u16>,
    /// What is quoted behind the 8 bytes.
    pub(crate) payload: &'a [u8],
}

impl<'a> Quoted<'a> {
    /// Reads an IP header and the 8 bytes behind it. The header is not that of a whole packet: its length and its
    /// checksum (routers may have changed fields) prove nothing here and are not looked at. We send no extension headers
    /// but that of a fragment, so a quote that has others is none of ours.
    pub(crate) fn parse(original: &'a [u8]) -> Option<Quoted<'a>> {
        let (protocol, source, destination, header_bytes) = match ip::version(original)? {
            4 => addresses4(original)?,
            6 => addresses6(original)?,
            _ => return None,
        };
        let payload = original.get(header_bytes..header_bytes + 8)?;
        let (source_port, destination_port) = segmentation::ports(payload)?;
        Some(Quoted {
            protocol,
            ours: SocketAddr::new(source, source_port),
            theirs: SocketAddr::new(destination, destination_port),
            seq: segmentation::sequence(payload).filter(|_| protocol == Protocol::Tcp),
            echo: echo_identifier(protocol, payload),
            payload: original.get(header_bytes + 8..).unwrap_or_default(),
        })
    }
}

/// The identifier in the first 8 bytes of an echo request.
fn echo_identifier(protocol: Protocol, payload: &[u8]) -> Option<u16> {
    let [kind, 0, _, _, high, low, ..] = *payload else { return None };
    let is_request = match protocol {
        Protocol::Icmp4 => kind == ECHO_REQUEST4,
        Protocol::Icmp6 => kind == ECHO_REQUEST6,
        Protocol::Tcp | Protocol::Udp | Protocol::Other(_) => false,
    };
    is_request.then_some(u16::from_be_bytes([high, low]))
}

/// What both headers tell: protocol, source, destination, and where the payload begins.
type Told = (Protocol, IpAddr, IpAddr, usize);

fn addresses4(original: &[u8]) -> Option<Told> {
    let header_bytes = usize::from(*original.first()? & 0x0f) * 4;
    // Of all fragments the first one has the ports.
    let offset = u16::from_be_bytes([*original.get(6)?, *original.get(7)?]) & 0x1fff;
    let address = |at: usize| original.get(at..)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets));
    let protocol = Protocol::from(*original.get(9)?);
    (header_bytes >= ip4::HEADER_BYTES && offset == 0).then_some((
        protocol,
        address(12)?,
        address(16)?,
        header_bytes,
    ))
}

fn addresses6(original: &[u8]) -> Option<Told> {
    let header = ip6::Header::parse_alone(original)?;
    let (protocol, header_bytes) = match ip6::Header::fragment_alone(original) {
        // Of all fragments the first one has the ports.
        Some((protocol, 0)) => (protocol, ip6::HEADER_BYTES + ip6::FRAGMENT_HEADER_BYTES),
        Some(_) => return None,
        None => (header.protocol, ip6::HEADER_BYTES),
    };
    Some((protocol, header.source.into(), header.destination.into(), header_bytes))
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
        let original = original();
        let quoted = Quoted::parse(&original).unwrap();
        assert_eq!(quoted.protocol, Protocol::Tcp);
        assert_eq!(quoted.ours, "10.0.0.1:40000".parse().unwrap());
        assert_eq!(quoted.theirs, "10.0.0.2:80".parse().unwrap());
        assert_eq!(quoted.seq, Some(SeqNumber::new(0x0102_0304)));
    }

    #[test]
    fn the_header_of_ip6_is_read_as_well() {
        let header = ip6::Header {
            source: "fd77::2".parse().unwrap(),
            destination: "fd77::1".parse().unwrap(),
            protocol: Protocol::Udp,
            hop_limit: 64,
            traffic_class: 0,
            fragment: None,
        };
        let mut bytes = header.emit(1000).as_ref().to_vec();
        bytes.extend([0x9c, 0x40, 0, 53, 1, 2, 3, 4]);
        let quoted = Quoted::parse(&bytes).unwrap();
        assert_eq!(quoted.ours, "[fd77::2]:40000".parse().unwrap());
        assert_eq!(quoted.theirs, "[fd77::1]:53".parse().unwrap());
        assert_eq!((quoted.protocol, quoted.seq), (Protocol::Udp, None));
        assert_eq!(Quoted::parse(&bytes[..47]), None);
    }

    #[test]
    fn a_later_fragment_names_nothing() {
        let mut bytes = original();
        bytes[6] = 0x20;
        assert!(Quoted::parse(&bytes).is_some(), "the first one");
        bytes[7] = 1;
        assert_eq!(Quoted::parse(&bytes), None);
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
