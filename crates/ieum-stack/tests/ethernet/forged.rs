//! What strangers make up: floods, frames that cannot be, and any bytes.

use std::net::Ipv6Addr;

use ieum_wire::arp::{self, Operation};
use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Gso, GsoKind, Packet, ndp, segmentation};
use proptest::prelude::*;

use crate::net::{SECOND, START, Station, arp_frame, kind, mac, ndp_frame};

#[test]
fn a_flood_of_strangers_is_bounded_and_makes_no_entry_of_gossip() {
    let mut host = Station::new(2);
    let now = START;
    let message = |number: u16, target: [u8; 4]| {
        let [high, low] = number.to_be_bytes();
        arp::Message {
            operation: Operation::Request,
            sender_mac: MacAddress([2, 1, 1, 1, high, low]),
            sender_ip: [10, 77, high, low].into(),
            target_mac: MacAddress([0; 6]),
            target_ip: target.into(),
        }
    };
    for number in 1000..11_000 {
        host.give(now, arp_frame(&message(number, [10, 77, 0, 99]), MacAddress::BROADCAST));
        host.give(now, arp_frame(&message(number, [10, 77, 0, 2]), MacAddress::BROADCAST));
    }
    let drops = host.stack.drops();
    assert!(drops.contains(&("arp not for us", 10_000)));
    assert!(drops.contains(&("neighbor answers", 10_000 - 256)));
    assert_eq!(host.poll(now).len(), 256);
}

#[test]
fn a_flood_of_askers_whose_interface_is_not_told_is_bounded() {
    let mut host = Station::new(2);
    let body = ndp::Solicitation { target: "fd77::2".parse().unwrap(), source_mac: None }.emit();
    for number in 0x1000..0x1000 + 10_000 {
        let asker = format!("fd77::{number:x}");
        host.stack.on_frame(
            START,
            host.link,
            ndp_frame((&asker, "fd77::2"), (ndp::SOLICITATION, &body), 255),
        );
    }
    host.stack.check();
    // Each is asked who he is before he is answered, and the last ones drove out the first.
    assert_eq!(host.poll(START).len(), 1024);
    host.stack.on_deadline(START);
    assert_eq!(host.stack.drops(), [("neighbor forgotten", 10_000 - 1024)]);
}

#[test]
fn who_looks_for_a_free_address_hears_from_its_owner() {
    let mut host = Station::new(2);
    let probe = arp::Message {
        operation: Operation::Request,
        sender_mac: mac(1),
        sender_ip: [0, 0, 0, 0].into(),
        target_mac: MacAddress([0; 6]),
        target_ip: [10, 77, 0, 2].into(),
    };
    host.give(START, arp_frame(&probe, MacAddress::BROADCAST));
    let body = ndp::Solicitation { target: "fd77::2".parse().unwrap(), source_mac: None }.emit();
    let mut solicitation = ndp_frame(("::", "ff02::1:ff00:2"), (ndp::SOLICITATION, &body), 255);
    solicitation.ethernet.as_mut().unwrap().destination = MacAddress([0x33, 0x33, 0xff, 0, 0, 2]);
    host.give(START, solicitation);
    let answers = host.poll(START);
    assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), ["arp reply", "na"]);
    let to: Vec<_> = answers.iter().map(|frame| frame.ethernet.unwrap().destination).collect();
    // Who has no IPv6 address yet is told with everybody else (RFC 4861 §7.2.4).
    assert_eq!(to, [mac(1), MacAddress([0x33, 0x33, 0, 0, 0, 1])]);
    assert_eq!((host.stack.drops(), host.stack.deadline()), (vec![], None));
}

#[test]
fn frames_that_cannot_be_are_dropped_for_one_reason_each() {
    let mut host = Station::new(2);
    let now = START;
    let header = |destination, ethertype| Some(Header { destination, source: mac(1), ethertype });
    let mut frame = |bytes: &[u8], ethernet| {
        let mut frame = Packet::from_wire(bytes);
        frame.ethernet = ethernet;
        host.give(now, frame);
    };
    frame(&[0x45; 20], None);
    frame(&[0x45; 20], header(mac(9), EtherType::Ip4));
    frame(&[0x45; 20], header(mac(2), EtherType::Ip6));
    frame(&[0x45; 20], header(mac(2), EtherType::Other(0x88cc)));
    frame(&[0; 28], header(mac(2), EtherType::Arp));
    let frame_for_many =
        Header { destination: MacAddress::BROADCAST, source: mac(1), ethertype: EtherType::Ip6 };
    let body = ndp::Solicitation { target: "fd77::2".parse().unwrap(), source_mac: Some(mac(1)) }.emit();
    let solicitation = |hop_limit| ndp_frame(("fd77::1", "fd77::2"), (ndp::SOLICITATION, &body), hop_limit);
    host.give(now, solicitation(64));
    let mut in_two = solicitation(255);
    in_two.gso = Some(Gso { kind: GsoKind::Fragments { identification: 1 }, size_bytes: 24 });
    segmentation::cut(&in_two, |fragment| host.give(now, fragment));
    // A fragment header that stands before the whole: RFC 6980 §5 means it too.
    let mut alone = solicitation(255).bytes().to_vec();
    let length = u16::from_be_bytes([alone[4], alone[5]]) + 8;
    alone[4..6].copy_from_slice(&length.to_be_bytes());
    let protocol = std::mem::replace(&mut alone[6], 44);
    alone.splice(40..40, [protocol, 0, 0, 0, 0, 0, 0, 1]);
    let mut alone = Packet::from_wire(&alone);
    alone.ethernet = solicitation(255).ethernet;
    host.give(now, alone);
    let mut to_many = solicitation(255);
    to_many.ethernet = Some(frame_for_many);
    host.give(now, to_many);
    // Routers are not obeyed: an advertisement, and a redirect.
    for kind in [134, 137] {
        host.give(now, ndp_frame(("fd77::1", "fd77::2"), (kind, &[0; 36]), 255));
    }
    host.give(now, solicitation(255));
    let expected = [
        ("frame medium", 1),
        ("frame not ours", 1),
        ("frame type", 2),
        ("arp malformed", 1),
        ("frame for many", 1),
        ("ndp malformed", 3),
        ("icmp kind", 2),
    ];
    assert_eq!(host.stack.drops(), expected);
    assert_eq!(host.poll(now).iter().map(kind).collect::<Vec<_>>(), ["na"]);
}

#[test]
fn packets_for_many_that_do_not_answer_are_bounded_together() {
    let mut host = Station::new(2);
    let socket = host.bind_udp("::");
    for number in 0..200u16 {
        for packet in 0..20u8 {
            let to = format!("[fd77::1:{number:x}]:9").parse().unwrap();
            host.stack.udp_send(START, socket, to, &[packet]).unwrap();
        }
        host.poll(START);
    }
    host.stack.check();
    // Each packet is a buffer of 64 KiB: of 4000, 1024 wait, and of all alike some.
    assert_eq!(host.stack.drops(), [("neighbor parked", 4000 - 1024)]);
    for number in [0, 199u16] {
        let target = format!("fd77::1:{number:x}");
        let body = ndp::Advertisement {
            target: target.parse().unwrap(),
            target_mac: Some(mac(1)),
            solicited: true,
            overrides: true,
        }
        .emit();
        host.give(START, ndp_frame((&target, "fd77::2"), (ndp::ADVERTISEMENT, &body), 255));
        let left = host.poll(START).len();
        assert!((5..=6).contains(&left), "{left} packets waited for neighbour {number}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_station(
        frames in prop::collection::vec((0usize..4, prop::collection::vec(any::<u8>(), 0..120)), 1..20),
    ) {
        let mut host = Station::new(2);
        for (kind, mut bytes) in frames {
            let ethertype = [EtherType::Arp, EtherType::Ip6, EtherType::Ip4, EtherType::Other(0x1234)][kind];
            if kind == 0 {
                // Of the right shape, so that what is inside is looked at.
                bytes.splice(..bytes.len().min(6), [0, 1, 8, 0, 6, 4]);
            }
            let mut frame = Packet::from_wire(&bytes);
            frame.ethernet = Some(Header { destination: mac(2), source: mac(1), ethertype });
            host.give(START, frame);
            host.poll(START);
        }
    }

    #[test]
    fn no_message_of_a_neighbour_breaks_a_station(
        messages in prop::collection::vec(
            (any::<[u8; 4]>(), 0u8..4, 0u8..4, prop::collection::vec(any::<u8>(), 0..24), 0u64..4000),
            1..60,
        ),
    ) {
        let mut host = Station::new(2);
        let socket = host.bind_udp("::");
        let mut now = START;
        for ([what, head, from, to], sender, target, options, millis) in messages {
            let frame = if what & 1 == 0 {
                let message = arp::Message {
                    operation: if head & 1 == 0 { Operation::Request } else { Operation::Reply },
                    sender_mac: mac(from % 4),
                    sender_ip: [10, 77, 0, sender].into(),
                    target_mac: mac(to % 4),
                    target_ip: [10, 77, 0, target].into(),
                };
                arp_frame(&message, if head & 2 == 0 { mac(2) } else { MacAddress::BROADCAST })
            } else {
                let address = |number: u8| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into());
                let mut body = vec![head, 0, 0, 0];
                body.extend(address(target).octets());
                if what & 2 == 0 {
                    body.extend([1 + (what >> 2 & 1), 1, 2, 0, 0, 0, 0, from % 4]);
                }
                // Mostly well-formed: what is not is dropped as a whole.
                if what & 0x30 == 0 {
                    body.extend(options);
                }
                let source = address(sender).to_string();
                let destination = if to & 1 == 0 { "fd77::2" } else { "ff02::1:ff00:2" };
                ndp_frame((&source, destination), (133 + (what >> 5), &body), 255)
            };
            host.give(now, frame);
            let peer = if what & 0x40 == 0 { format!("10.77.0.{target}:9") } else { format!("[fd77::{target}]:9") };
            // Some of them are refused at once: the host itself, and the network's own address.
            let _sent = host.stack.udp_send(now, socket, peer.parse().unwrap(), b"packet");
            host.poll(now);
            now += std::time::Duration::from_millis(millis);
            host.stack.on_deadline(now);
            host.stack.check();
        }
        // Whoever is silent from now on is forgotten; what waited is given up, and every frame was judged.
        for _ in 0..20 {
            host.poll(now);
            now += SECOND * 5;
            host.stack.on_deadline(now);
            host.stack.check();
        }
        prop_assert_eq!(host.stack.deadline(), None);
    }
}
