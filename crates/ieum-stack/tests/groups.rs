//! What routers are told of groups: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810).
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use common::{End, NOW};
use ieum_stack::{LinkConfig, SourceFilter, Stack};
use ieum_wire::checksum::Sum;
use ieum_wire::icmp6::Message;
use ieum_wire::{Instant, Packet, Protocol, ip, ip4, ip6};

const HOST: &str = "10.77.0.2/24";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn host() -> End {
    End::dual(HOST, "fe80::2/64", LinkConfig::wire(1500))
}

/// The reports among what leaves: destination, kind and group of each record.
fn reports(stack: &mut Stack, now: Instant) -> Vec<(String, u8, String)> {
    let mut said = Vec::new();
    while let Some((_, packet)) = stack.poll_frame(now) {
        let parsed = ip::parse(packet.bytes()).unwrap();
        let message = &packet.bytes()[parsed.header_bytes..parsed.total_bytes];
        let width = if parsed.header.destination.is_ipv4() { 4 } else { 16 };
        assert_eq!(message[0], if width == 4 { 0x22 } else { 143 }, "a report");
        assert_eq!(parsed.header.ttl, 1);
        let mut at = 8;
        for _ in 0..u16::from_be_bytes([message[6], message[7]]) {
            let sources = usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
            let group = match width {
                4 => IpAddr::from(<[u8; 4]>::try_from(&message[at + 4..at + 8]).unwrap()),
                _ => IpAddr::from(<[u8; 16]>::try_from(&message[at + 4..at + 20]).unwrap()),
            };
            said.push((parsed.header.destination.to_string(), message[at], group.to_string()));
            at += 4 + width * (1 + sources);
        }
    }
    said
}

/// Lets time pass timer by timer, and collects what is said until nothing is to come.
fn later(stack: &mut Stack, mut now: Instant) -> (Instant, Vec<(String, u8, String)>) {
    let mut said = Vec::new();
    while let Some(next) = stack.deadline() {
        now = now.max(next);
        stack.on_deadline(now);
        said.extend(reports(stack, now));
    }
    (now, said)
}

fn four(kind: u8, group: &str) -> (String, u8, String) {
    ("224.0.0.22".into(), kind, group.into())
}

fn six(kind: u8, group: &str) -> (String, u8, String) {
    ("ff02::16".into(), kind, group.into())
}

/// A router's general question of version 3, to be answered within a second.
fn question4() -> Packet {
    let mut message = vec![0x11, 10, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
    let checksum = Sum::new().plus(&message).finish();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = ip4::Header {
        source: "10.77.0.1".parse().unwrap(),
        destination: "224.0.0.1".parse().unwrap(),
        protocol: Protocol::from(2),
        ttl: 1,
        tos: 0xc0,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let mut packet = Packet::new();
    packet.extend(&header.emit(32));
    packet.extend(&message);
    packet
}

/// The same of MLDv2.
fn question6(source: &str, hop_limit: u8) -> Packet {
    let source: Ipv6Addr = source.parse().unwrap();
    let destination = "ff02::1".parse().unwrap();
    let mut body = vec![0x03, 0xe8, 0, 0];
    body.extend([0; 16]);
    body.extend([2, 125, 0, 0]);
    let message = Message::ListenerQuery { body: &body }.emit(source, destination);
    let header = ip6::Header {
        source,
        destination,
        protocol: Protocol::Icmp6,
        hop_limit,
        traffic_class: 0,
        fragment: None,
    };
    let mut packet = Packet::new();
    packet.extend(header.emit(message.len()).as_ref());
    packet.extend(&message);
    packet
}

#[test]
fn a_change_is_told_twice_within_a_second() {
    let mut host = host();
    let id = host.stack.group_join(NOW, host.link, address("239.1.2.3"), SourceFilter::all());
    assert_eq!(reports(&mut host.stack, NOW), [four(4, "239.1.2.3")]);
    let (now, again) = later(&mut host.stack, NOW);
    assert_eq!(again, [four(4, "239.1.2.3")]);
    assert!(now <= NOW + Duration::from_secs(1));
    host.stack.group_leave(now, id);
    assert_eq!(reports(&mut host.stack, now), [four(3, "239.1.2.3")]);
    assert_eq!(later(&mut host.stack, now).1, [four(3, "239.1.2.3")]);
}

#[test]
fn what_one_more_member_does_not_change_is_not_told() {
    let mut host = host();
    let group = address("ff15::1");
    let one = host.stack.group_join(NOW, host.link, group, SourceFilter::all());
    later(&mut host.stack, NOW);
    let two = host.stack.group_join(NOW, host.link, group, SourceFilter::all());
    host.stack.group_leave(NOW, one);
    assert_eq!(reports(&mut host.stack, NOW), []);
    let only = SourceFilter::Include(BTreeSet::from([address("fd00::9")]));
    host.stack.group_listen(NOW, two, only);
    assert_eq!(reports(&mut host.stack, NOW), [six(3, "ff15::1")], "from now on that sender alone");
}

#[test]
fn a_routers_question_is_answered_in_time() {
    let mut host = host();
    for group in ["239.1.2.3", "239.1.2.4", "ff15::1"] {
        host.stack.group_join(NOW, host.link, address(group), SourceFilter::all());
    }
    let (now, _) = later(&mut host.stack, NOW);
    host.stack.on_frame(now, host.link, question4());
    host.stack.on_frame(now, host.link, question4());
    let (end, said) = later(&mut host.stack, now);
    assert_eq!(said, [four(2, "239.1.2.3"), four(2, "239.1.2.4")], "once, and of IPv4 alone");
    assert!(end <= now + Duration::from_secs(1));
    host.stack.on_frame(end, host.link, question6("fe80::1", 1));
    assert_eq!(later(&mut host.stack, end).1, [six(2, "ff15::1")]);
}

#[test]
fn who_asks_from_afar_is_not_answered() {
    let mut host = host();
    host.stack.group_join(NOW, host.link, address("ff15::1"), SourceFilter::all());
    let (now, _) = later(&mut host.stack, NOW);
    host.stack.on_frame(now, host.link, question6("fe80::1", 2));
    host.stack.on_frame(now, host.link, question6("fd00::1", 1));
    assert_eq!(host.stack.deadline(), None);
    assert_eq!(host.stack.drops(), [("group message", 2)]);
}

#[test]
fn a_host_without_groups_says_nothing() {
    let mut host = host();
    host.stack.on_frame(NOW, host.link, question4());
    let (now, said) = later(&mut host.stack, NOW);
    assert_eq!(said, []);
    host.stack.group_join(now, host.link, address("ff01::5"), SourceFilter::all());
    assert_eq!(later(&mut host.stack, now).1, [], "what stays in the host is nobody's business");
}
