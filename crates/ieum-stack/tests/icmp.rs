//! ICMP through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{End, NOW, address, pair, settle};
use ieum_stack::LinkConfig;
use ieum_wire::Unreachable;
use ieum_wire::icmp4::Message;
use ieum_wire::{Gso, GsoKind, Instant, Packet, Protocol, ip4, segmentation};

/// A packet from 10.77.0.2 (or another) as a wire would carry it.
fn packet(source: &str, destination: &str, protocol: Protocol, payload: &[u8]) -> Packet {
    let header = ip4::Header {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol,
        ttl: 64,
        tos: 0,
        identification: 1,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let mut packet = Packet::new();
    packet.extend(&header.emit(u16::try_from(20 + payload.len()).unwrap()));
    packet.extend(payload);
    packet
}

fn icmp(destination: &str, message: Message<'_>) -> Packet {
    packet("10.77.0.2", destination, Protocol::Icmp4, &message.emit())
}

#[test]
fn an_echo_comes_back_from_the_address_that_was_asked() {
    let mut peer = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    peer.give(icmp("10.77.0.1", Message::EchoRequest { identifier: 3, sequence: 4, data: b"ping" }));
    let out = peer.poll();
    let [reply] = out.as_slice() else { panic!("one reply") };
    let parsed = ip4::Header::parse(reply.bytes()).unwrap();
    assert_eq!(parsed.header.source.to_string(), "10.77.0.1");
    assert_eq!(parsed.header.destination.to_string(), "10.77.0.2");
    let message = Message::parse(&reply.bytes()[20..]).unwrap();
    assert_eq!(message, Message::EchoReply { identifier: 3, sequence: 4, data: b"ping" });
}

#[test]
fn echoes_to_others_and_to_everybody_are_not_answered() {
    let mut exit = End::new("10.77.0.1/24", LinkConfig::in_process(), true);
    for destination in ["192.0.2.1", "10.77.0.255", "255.255.255.255"] {
        exit.give(icmp(destination, Message::EchoRequest { identifier: 0, sequence: 0, data: b"" }));
    }
    assert!(exit.poll().is_empty());
    assert_eq!(exit.stack.drops(), [("icmp echo not ours", 3)]);
}

#[test]
fn an_unknown_protocol_is_refused_but_never_an_error_itself() {
    let mut peer = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    peer.give(packet("10.77.0.2", "10.77.0.1", Protocol::Other(132), &[7; 1000]));
    let out = peer.poll();
    let [error] = out.as_slice() else { panic!("one error") };
    assert_eq!(error.len(), 576);
    let Ok(Message::Unreachable { reason, original }) = Message::parse(&error.bytes()[20..]) else {
        panic!("an unreachable")
    };
    assert_eq!((reason, original.len()), (Unreachable::Protocol, 548));
    assert_eq!(original[9], 132);
    // Its sender gives the error back to us: nothing more is said.
    peer.give(icmp("10.77.0.1", Message::Unreachable { reason: Unreachable::Protocol, original }));
    peer.give(packet("10.77.0.2", "10.77.0.255", Protocol::Other(132), &[7; 10]));
    assert!(peer.poll().is_empty());
    assert_eq!(peer.stack.drops(), [("protocol unknown", 2), ("icmp quote", 1)]);
}

#[test]
fn errors_leave_at_a_limited_rate() {
    let mut peer = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    let mut answered = 0;
    for _ in 0..200 {
        peer.give(packet("10.77.0.2", "10.77.0.1", Protocol::Other(132), &[0; 8]));
        answered += peer.poll().len();
    }
    assert_eq!(answered, 50);
    assert_eq!(peer.stack.drops(), [("protocol unknown", 200), ("icmp rate", 150)]);
    let later = NOW + std::time::Duration::from_millis(2);
    peer.give(packet("10.77.0.2", "10.77.0.1", Protocol::Other(132), &[0; 8]));
    assert!(peer.stack.poll_frame(later).is_some());
}

#[test]
fn answers_that_nobody_fetches_are_bounded() {
    let mut peer = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    for _ in 0..100 {
        peer.give(icmp("10.77.0.1", Message::EchoRequest { identifier: 0, sequence: 0, data: b"x" }));
    }
    assert_eq!(peer.poll().len(), 64);
    assert_eq!(peer.stack.drops(), [("icmp queue full", 36)]);
    let tally = peer.stack.tally();
    assert_eq!(tally.received, tally.accepted + tally.dropped);
}

#[test]
fn an_error_that_quotes_a_stranger_is_not_believed() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    host.stack.udp_connect(client, Some(address("10.77.0.1:9"))).unwrap();
    host.send(client, "10.77.0.1:9", b"data");
    let sent = host.poll().remove(0);
    let error = |original: &[u8]| {
        let message = Message::Unreachable { reason: Unreachable::Host, original };
        packet("10.77.0.1", "10.77.0.2", Protocol::Icmp4, &message.emit())
    };
    let mut strange = sent.bytes().to_vec();
    strange[15] = 3;
    host.give(error(&strange));
    host.give(error(&sent.bytes()[..27]));
    assert_eq!(host.stack.udp_take_error(client), None);
    assert_eq!(host.stack.drops(), [("icmp quote", 2)]);
    host.give(error(&sent.bytes()[..28]));
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Host));
    settle(&mut host, &mut peer);
}

#[test]
fn time_exceeded_is_an_unreachable_host() {
    let (mut host, _) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    host.stack.udp_connect(client, Some(address("192.0.2.1:9"))).unwrap();
    host.send(client, "192.0.2.1:9", b"data");
    let sent = host.poll().remove(0);
    let message = Message::TimeExceeded { code: 0, original: sent.bytes() };
    host.give(packet("10.77.0.1", "10.77.0.2", Protocol::Icmp4, &message.emit()));
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Host));
}

#[test]
fn who_keeps_errors_is_told_all_that_was_said_of_any_datagram() {
    let (mut host, _) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    let other = host.bind("0.0.0.0:5001");
    let said = |host: &mut End, id, to: &str| {
        host.send(id, to, b"data");
        let sent = host.poll().remove(0);
        let message = Message::TimeExceeded { code: 0, original: sent.bytes() };
        host.give(packet("10.77.0.9", "10.77.0.2", Protocol::Icmp4, &message.emit()));
    };
    said(&mut host, client, "192.0.2.1:33434");
    assert_eq!(host.stack.udp_take_told(client), None, "nobody asked");
    assert_eq!(host.stack.udp_take_error(client), None, "it is not connected");
    host.stack.udp_keep_errors(client, true);
    said(&mut host, other, "192.0.2.1:33434");
    said(&mut host, client, "192.0.2.1:33435");
    let told = host.stack.udp_take_told(client).unwrap();
    assert_eq!((told.kind, told.code, told.by.to_string()), (11, 0, "10.77.0.9".into()));
    assert_eq!((told.destination, &told.payload[..]), (address("192.0.2.1:33435"), &b"data"[..]));
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Host));
    assert_eq!(host.stack.udp_take_told(client), None);
    assert_eq!(host.stack.udp_take_told(other), None);
    for _ in 0..100 {
        said(&mut host, client, "192.0.2.1:33435");
    }
    let kept = std::iter::from_fn(|| host.stack.udp_take_told(client)).count();
    assert_eq!(kept, 64, "whoever does not take them loses the newest");
    host.stack.udp_keep_errors(client, false);
    said(&mut host, client, "192.0.2.1:33435");
    assert_eq!(host.stack.udp_take_told(client), None);
}

#[test]
fn flaws_and_foreign_types_are_counted() {
    let mut host = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    host.give(packet("10.77.0.2", "10.77.0.1", Protocol::Icmp4, &[8, 0, 1]));
    host.give(packet("10.77.0.2", "10.77.0.1", Protocol::Icmp4, &[8, 0, 1, 1, 0, 0, 0, 0]));
    host.give(icmp("10.77.0.1", Message::Other { kind: 13, code: 0 }));
    host.give(icmp("10.77.0.1", Message::EchoReply { identifier: 0, sequence: 0, data: b"" }));
    assert_eq!(host.stack.drops(), [("icmp truncated", 1), ("icmp checksum", 1), ("icmp kind", 2)]);
    assert_eq!(host.stack.deadline(), None);
    host.stack.on_deadline(Instant::ZERO);
}

#[test]
fn of_fragments_to_everybody_that_never_end_nobody_is_told() {
    let mut peer = End::new("10.77.0.1/24", LinkConfig::in_process(), false);
    let parts = |destination: &str| {
        let mut whole = packet("10.77.0.2", destination, Protocol::Udp, &[7; 100]);
        whole.gso = Some(Gso { kind: GsoKind::Fragments { identification: 1 }, size_bytes: 64 });
        let mut parts = Vec::new();
        segmentation::cut(&whole, |part| parts.push(part));
        parts
    };
    for destination in ["10.77.0.255", "255.255.255.255", "10.77.0.1"] {
        peer.give(parts(destination).remove(0));
    }
    let late = peer.stack.deadline().unwrap();
    peer.stack.on_deadline(late);
    assert_eq!(peer.stack.drops(), [("fragments late", 3)]);
    let out: Vec<_> = std::iter::from_fn(|| peer.stack.poll_frame(late)).collect();
    let [(_, error)] = out.as_slice() else { panic!("one error, about the packet for one: {out:?}") };
    let parsed = ip4::Header::parse(error.bytes()).unwrap();
    assert_eq!(parsed.header.source.to_string(), "10.77.0.1");
    let message = Message::parse(&error.bytes()[20..]).unwrap();
    assert!(matches!(message, Message::TimeExceeded { code: 1, .. }));
}
