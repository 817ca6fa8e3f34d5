//! Path MTU discovery by ICMP (RFC 1191, RFC 8201), through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ieum_stack::LinkConfig;
use ieum_wire::{Packet, Protocol, Unreachable, icmp4, icmp6, ip, ip4, ip6};
use tcp_pair::{Crossed, Pair, pattern, segment};

/// The last packet of 1500 bytes that left the first end.
fn last_full(pair: &Pair) -> Packet {
    let full = |(_, from, packet): &&Crossed| *from == 0 && packet.len() == 1500;
    pair.crossed.iter().rfind(full).unwrap().2.clone()
}

/// What [`too_big_for`] says, of a link with an MTU of 1400.
fn too_big(dropped: &Packet) -> Packet {
    too_big_for(1400, dropped)
}

/// Router 192.0.2.1 (or 2001:db8::1) to the first end: "my next link takes so many bytes, and this was larger".
fn too_big_for(mtu_bytes: u32, dropped: &Packet) -> Packet {
    let reason = Unreachable::FragmentationNeeded { mtu_bytes };
    let original = &dropped.bytes()[..dropped.len().min(500)];
    let parsed = ip::parse(dropped.bytes()).unwrap();
    let mut packet = Packet::new();
    match parsed.header.source {
        IpAddr::V4(destination) => {
            let message = icmp4::Message::Unreachable { reason, original }.emit();
            let header = ip4::Header {
                source: [192, 0, 2, 1].into(),
                destination,
                protocol: Protocol::Icmp4,
                ttl: 64,
                tos: 0,
                identification: 0,
                dont_fragment: false,
                more_fragments: false,
                fragment_offset_bytes: 0,
            };
            packet.extend(&header.emit(u16::try_from(20 + message.len()).unwrap()));
            packet.extend(&message);
        }
        IpAddr::V6(destination) => {
            let source = "2001:db8::1".parse().unwrap();
            let message = icmp6::Message::Unreachable { reason, original }.emit(source, destination);
            let header = ip6::Header {
                source,
                destination,
                protocol: Protocol::Icmp6,
                hop_limit: 64,
                traffic_class: 0,
                fragment: None,
            };
            packet.extend(header.emit(message.len()).as_ref());
            packet.extend(&message);
        }
    }
    packet
}

#[test]
fn behind_a_narrower_link_segments_become_smaller_and_everything_arrives() {
    for mut pair in [Pair::new(true), Pair::new(false), Pair::of_ip6(LinkConfig::wire(1500))] {
        let (client, server) = pair.established();
        let dropped: Rc<RefCell<Vec<Packet>>> = Rc::default();
        let router = Rc::clone(&dropped);
        pair.lose = Box::new(move |from, packet| {
            let (_, payload_bytes) = segment(packet);
            let part_bytes = packet.gso.map_or(payload_bytes, |gso| gso.size_bytes.into());
            let too_big = from == 0 && packet.len() - payload_bytes + part_bytes > 1400;
            if too_big {
                router.borrow_mut().push(packet.clone());
            }
            too_big
        });
        let data = pattern(200_000);
        let (mut sent, mut received) = (0, Vec::new());
        for _ in 0..2000 {
            sent += pair.send(0, client, &data[sent..]);
            pair.run(Duration::from_millis(3));
            for packet in dropped.take() {
                pair.inject(0, too_big(&packet));
            }
            received.extend(pair.recv(1, server));
        }
        assert!(received == data, "{} bytes came", received.len());
    }
}

#[test]
fn a_narrower_link_is_believed_only_of_what_is_under_way_and_never_below_the_least_mtu() {
    let mut pair = Pair::of_ip6(LinkConfig::wire(1500));
    let (client, _) = pair.established();
    pair.send(0, client, &pattern(3000));
    pair.run(Duration::from_millis(10));
    let error = too_big(&last_full(&pair));
    pair.inject(0, error);
    assert_eq!(pair.ends[0].stack.drops(), [("tcp icmp ignored", 1)]);
    pair.send(0, client, &pattern(3000));
    pair.run(Duration::ZERO);
    let under_way = last_full(&pair);
    pair.inject(0, too_big_for(1279, &under_way));
    assert_eq!(pair.ends[0].stack.drops(), [("tcp icmp ignored", 2)]);
}
