//! What hosts and routers say of multicast groups: IGMP version 3 (RFC 3376) and MLD version 2 (RFC 3810).
//!
//! The two differ in the width of their addresses and in their headers, not in what they say. Queries of the older versions
//! are read as well; reports are of the new ones alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::bytes::{array_at, u16_at};
use crate::checksum::{Sum, pseudo_header};
use crate::units::Protocol;
use crate::{Packet, ip4, ip6};

/// IGMP's number among the protocols of IP.
pub const IGMP: u8 = 2;
/// The type of MLD's query among those of ICMPv6.
pub const LISTENER_QUERY: u8 = 130;
/// Where reports go: all routers that speak IGMPv3, MLDv2 (RFC 3376 §4.2.14, RFC 3810 §5.2.14).
pub const REPORTS_TO_4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// The same in IPv6.
pub const REPORTS_TO_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

const IGMP_QUERY: u8 = 0x11;
const IGMP_REPORT: u8 = 0x22;
const LISTENER_REPORT: u8 = 143;
/// Internetwork control (RFC 3376 §4).
const TOS: u8 = 0xc0;
/// "Routers, look at this" (RFC 2113; RFC 2711, here in a hop-by-hop header with its padding).
const ROUTER_ALERT_4: [u8; 4] = [0x94, 0x04, 0, 0];
const ROUTER_ALERT_6: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];
const HOP_BY_HOP: u8 = 0;

/// "Who wants which groups?"
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Which group is asked after; `None`: all.
    pub group: Option<IpAddr>,
    /// By when an answer is wanted.
    pub max_response: Duration,
}

impl Query {
    /// Reads an IGMP message; `None` for what is no query, or damaged.
    pub fn parse_igmp(bytes: &[u8]) -> Option<Query> {
        let [kind, code] = array_at(bytes, 0)?;
        let group = Ipv4Addr::from(array_at::<4>(bytes, 4)?);
        if kind != IGMP_QUERY || !Sum::new().plus(bytes).is_valid() {
            return None;
        }
        // RFC 3376 §7.1: eight bytes are version 1 or 2, and version 1 says no time and means ten seconds.
        let tenths = match (bytes.len(), code) {
            (8, 0) => 100,
            (8, code) => u32::from(code),
            (_, code) => spread(u16::from(code), 4, 8),
        };
        let group = Some(group).filter(|group| !group.is_unspecified()).map(IpAddr::V4);
        Some(Query { group, max_response: Duration::from_millis(u64::from(tenths) * 100) })
    }

    /// Reads what follows the checksum of MLD's query, which ICMPv6 has verified.
    pub fn parse_mld(body: &[u8]) -> Option<Query> {
        let code = u16_at(body, 0)?;
        let group = Ipv6Addr::from(array_at::<16>(body, 4)?);
        // RFC 3810 §8.1: 24 bytes in all are version 1, with plain milliseconds.
        let ms = if body.len() == 20 { u32::from(code) } else { spread(code, 12, 16) };
        let group = Some(group).filter(|group| !group.is_unspecified()).map(IpAddr::V6);
        Some(Query { group, max_response: Duration::from_millis(ms.into()) })
    }
}

/// A number with an exponent where its highest of `bits` bits is set: `mantissa_bits` of mantissa, three of exponent
/// (RFC 3376 §4.1.1, RFC 3810 §5.1.3).
fn spread(code: u16, mantissa_bits: u32, bits: u32) -> u32 {
    let code = u32::from(code);
    if code >> (bits - 1) == 0 {
        return code;
    }
    let mantissa = code & ((1 << mantissa_bits) - 1);
    let exponent = code >> mantissa_bits & 7;
    (mantissa | 1 << mantissa_bits) << (exponent + 3)
}

/// What a record says (RFC 3376 §4.2.12); the numbers are those on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKind {
    /// "I hear these alone": as things stand.
    IsInclude = 1,
    /// "I hear all but these": as things stand.
    IsExclude = 2,
    /// "From now on these alone"; none of them: "no more".
    ToInclude = 3,
    /// "From now on all but these."
    ToExclude = 4,
    /// "These too."
    Allow = 5,
    /// "These no more."
    Block = 6,
}

/// What a report says of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What is said.
    pub kind: RecordKind,
    /// Of which group.
    pub group: IpAddr,
    /// Of which senders.
    pub sources: Vec<IpAddr>,
}

impl Record {
    /// Its bytes in a report.
    pub fn len_bytes(&self) -> usize {
        let address = if self.group.is_ipv4() { 4 } else { 16 };
        4 + address * (1 + self.sources.len())
    }
}

/// A report over IPv4, a whole packet: the records of groups of IPv4.
pub fn report4(source: Ipv4Addr, records: &[Record]) -> Packet {
    let mut message = message(IGMP_REPORT, records);
    let checksum = Sum::new().plus(&message).finish();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = ip4::Header {
        source,
        destination: REPORTS_TO_4,
        protocol: Protocol::from(IGMP),
        ttl: 1,
        tos: TOS,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let total = ip4::HEADER_BYTES + ROUTER_ALERT_4.len() + message.len();
    let mut bytes = header.emit(u16::try_from(total).expect("a report is shorter than a frame")).to_vec();
    bytes[0] = 0x46;
    bytes[10..12].fill(0);
    bytes.extend(ROUTER_ALERT_4);
    let checksum = Sum::new().plus(&bytes).finish();
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.extend(message);
    whole(&bytes)
}

/// A report over IPv6, a whole packet: the records of groups of IPv6. `source` is a link-local address or nobody's
/// (RFC 3810 §5.2.13).
pub fn report6(source: Ipv6Addr, records: &[Record]) -> Packet {
    let mut message = message(LISTENER_REPORT, records);
    let sum = pseudo_header(source.into(), REPORTS_TO_6.into(), Protocol::Icmp6, message.len());
    let checksum = sum.plus(&message).finish();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = ip6::Header {
        source,
        destination: REPORTS_TO_6,
        protocol: Protocol::from(HOP_BY_HOP),
        hop_limit: 1,
        traffic_class: 0,
        fragment: None,
    };
    let mut bytes = header.emit(ROUTER_ALERT_6.len() + message.len()).as_ref().to_vec();
    bytes.extend(ROUTER_ALERT_6);
    bytes.extend(message);
    whole(&bytes)
}

fn whole(bytes: &[u8]) -> Packet {
    let mut packet = Packet::new();
    packet.extend(bytes);
    packet
}

/// A report without its checksum; both versions have the same.
fn message(kind: u8, records: &[Record]) -> Vec<u8> {
    let count = |count: usize| u16::try_from(count).expect("a report is shorter than a frame").to_be_bytes();
    let mut out = vec![kind, 0, 0, 0, 0, 0];
    out.extend(count(records.len()));
    for record in records {
        out.extend([record.kind as u8, 0]);
        out.extend(count(record.sources.len()));
        for address in std::iter::once(&record.group).chain(&record.sources) {
            match address {
                IpAddr::V4(v4) => out.extend(v4.octets()),
                IpAddr::V6(v6) => out.extend(v6.octets()),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_all_versions_are_read() {
        let query = |mut bytes: Vec<u8>| {
            let checksum = Sum::new().plus(&bytes).finish();
            bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
            Query::parse_igmp(&bytes)
        };
        let asks = |group: Option<&str>, ms| {
            let group = group.map(|group| group.parse().unwrap());
            Some(Query { group, max_response: Duration::from_millis(ms) })
        };
        assert_eq!(query(vec![0x11, 0, 0, 0, 0, 0, 0, 0]), asks(None, 10_000));
        assert_eq!(query(vec![0x11, 100, 0, 0, 239, 1, 2, 3]), asks(Some("239.1.2.3"), 10_000));
        assert_eq!(query(vec![0x11, 0x8f, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0]), asks(None, (0x1f << 3) * 100));
        assert_eq!(query(vec![0x16, 0, 0, 0, 239, 1, 2, 3]), None, "a report of version 2");
        assert_eq!(Query::parse_igmp(&[0x11, 100, 0, 0, 0, 0, 0, 0]), None, "its checksum is wrong");
        let mut body = vec![0x27, 0x10, 0, 0];
        body.extend([0; 16]);
        assert_eq!(Query::parse_mld(&body), asks(None, 10_000));
        body.extend([2, 125, 0, 0]);
        assert_eq!(Query::parse_mld(&body), asks(None, 10_000));
        body[..2].copy_from_slice(&[0x80, 0x00]);
        assert_eq!(Query::parse_mld(&body), asks(None, 0x1000 << 3));
    }

    #[test]
    fn a_report_is_a_packet_that_routers_look_at() {
        let group: IpAddr = "239.1.2.3".parse().unwrap();
        let record = Record { kind: RecordKind::Allow, group, sources: vec!["10.0.0.9".parse().unwrap()] };
        assert_eq!(record.len_bytes(), 12);
        let packet = report4(Ipv4Addr::new(10, 0, 0, 1), &[record]);
        let parsed = ip4::Header::parse(packet.bytes()).unwrap();
        assert_eq!(
            (parsed.header_bytes, parsed.header.ttl, parsed.header.destination),
            (24, 1, REPORTS_TO_4)
        );
        let message = &packet.bytes()[24..];
        assert!(Sum::new().plus(message).is_valid());
        assert_eq!(&message[..2], &[0x22, 0]);
        assert_eq!(&message[4..], &[0, 0, 0, 1, 5, 0, 0, 1, 239, 1, 2, 3, 10, 0, 0, 9]);
    }

    #[test]
    fn so_is_one_of_ipv6() {
        let group: IpAddr = "ff15::1".parse().unwrap();
        let record = Record { kind: RecordKind::ToExclude, group, sources: vec![] };
        let packet = report6(Ipv6Addr::UNSPECIFIED, &[record]);
        let parsed = ip6::Header::parse(packet.bytes()).unwrap();
        assert_eq!((parsed.header.protocol, parsed.header.hop_limit), (Protocol::Icmp6, 1));
        let message = &packet.bytes()[parsed.header_bytes..];
        let sum =
            pseudo_header(Ipv6Addr::UNSPECIFIED.into(), REPORTS_TO_6.into(), Protocol::Icmp6, message.len());
        assert!(sum.plus(message).is_valid());
        assert_eq!((message[0], message[7], message[8], message.len()), (143, 1, 4, 28));
    }
}
