//! Ping endpoints: echo requests out, replies and errors in.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{NOW, address, dual_pair, settle};
use ieum_stack::{BindError, ConnectError, Event, LinkConfig, PingSendError, Stack, StackConfig};
use ieum_wire::{Unreachable, ip};

/// An echo request of the family of `to`, with another identifier than its sender's.
fn request(to: &str, data: &[u8]) -> Vec<u8> {
    let kind = if address(to).is_ipv4() { 8 } else { 128 };
    [&[kind, 0, 0, 0, 0xde, 0xad, 0, 1], data].concat()
}

#[test]
fn a_request_leaves_with_the_identifier_and_the_reply_finds_it() {
    for (own, to) in [("0.0.0.0:77", "10.77.0.1:0"), ("[::]:77", "[fd77::1]:0")] {
        let (mut host, mut peer) = dual_pair(LinkConfig::wire(1500));
        let id = host.stack.ping_bind(address(own), false).unwrap();
        for length in [0, 5, 4000] {
            let data = vec![7; length];
            host.stack.ping_send(id, address(to).ip(), &request(to, &data)).unwrap();
            settle(&mut host, &mut peer);
            assert_eq!(host.stack.poll_event(), Some(Event::Ping(id)));
            assert_eq!(host.stack.ping_peek(id).map(|reply| reply.source), Some(address(to)));
            let reply = host.stack.ping_recv(id).unwrap();
            assert_eq!(reply.payload[4..8], [0, 77, 0, 1]);
            assert_eq!(reply.payload[8..], data);
            assert_eq!(reply.destination.port(), 77);
        }
        assert_eq!((host.stack.drops(), peer.stack.drops()), (vec![], vec![]));
        assert_eq!(host.stack.ping_queued_bytes(id), (0, 0));
    }
}

#[test]
fn identifiers_are_shared_only_by_who_allows_it_and_the_last_hears() {
    let (mut host, mut peer) = dual_pair(LinkConfig::in_process());
    let bind = |host: &mut common::End, text, reuse| host.stack.ping_bind(address(text), reuse);
    let first = bind(&mut host, "0.0.0.0:5", true).unwrap();
    assert_eq!(bind(&mut host, "0.0.0.0:5", false), Err(BindError::InUse));
    assert!(bind(&mut host, "[::]:5", false).is_ok(), "the families have identifiers of their own");
    let last = bind(&mut host, "10.77.0.2:5", true).unwrap();
    assert_eq!(bind(&mut host, "192.0.2.1:5", true), Err(BindError::NotLocal));
    let mut hears = |host: &mut common::End| {
        host.stack.ping_send(first, address("10.77.0.1:0").ip(), &request("10.77.0.1:0", b"")).unwrap();
        settle(host, &mut peer);
        [first, last].map(|id| host.stack.ping_recv(id).is_some())
    };
    assert_eq!(hears(&mut host), [false, true]);
    host.stack.ping_close(last);
    assert_eq!(hears(&mut host), [true, false]);
    host.stack.check();
}

#[test]
fn free_identifiers_differ() {
    let (mut host, _) = dual_pair(LinkConfig::in_process());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let id = host.stack.ping_bind(address("0.0.0.0:0"), true).unwrap();
        let identifier = host.stack.ping_address(id).unwrap().port();
        assert!(identifier != 0 && seen.insert(identifier));
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let (mut host, _) = dual_pair(LinkConfig::in_process());
    let id = host.stack.ping_bind(address("0.0.0.0:0"), false).unwrap();
    let mut send = |to: &str, message: &[u8]| host.stack.ping_send(id, address(to).ip(), message);
    let ok = request("10.77.0.1:0", b"");
    assert_eq!(send("10.77.0.1:0", &ok[..7]), Err(PingSendError::NotAnEchoRequest));
    assert_eq!(send("10.77.0.1:0", &request("[::1]:0", b"")), Err(PingSendError::NotAnEchoRequest));
    assert_eq!(send("[fd77::1]:0", &ok), Err(PingSendError::Family));
    assert_eq!(send("10.77.0.1:0", &request("10.77.0.1:0", &[0; 65_508])), Err(PingSendError::TooLarge));
    let other = Some(address("[fd77::1]:0"));
    assert_eq!(host.stack.ping_connect(id, other), Err(ConnectError::Family));
    assert_eq!(host.stack.ping_connect(id, Some(address("10.77.0.1:9"))), Ok(()));
    assert_eq!(host.stack.ping_address(id).map(|own| own.ip()), Some(address("10.77.0.2:0").ip()));
    assert_eq!(host.stack.ping_connect(id, None), Ok(()));
    assert!(host.stack.ping_address(id).is_some_and(|own| own.ip().is_unspecified()));
    let mut alone = Stack::new(StackConfig::new([3; 32]));
    let lonely = alone.ping_bind(address("0.0.0.0:0"), false).unwrap();
    let refused = alone.ping_send(lonely, address("192.0.2.1:0").ip(), &request("10.77.0.1:0", b""));
    assert_eq!(refused, Err(PingSendError::Unreachable(Unreachable::Network)));
    host.stack.ping_close(id);
    let message = request("10.77.0.1:0", b"");
    assert_eq!(host.stack.ping_send(id, address("10.77.0.1:0").ip(), &message), Err(PingSendError::Gone));
}

#[test]
fn an_error_about_a_request_reaches_its_sender() {
    use ieum_wire::{Packet, Protocol, icmp6, ip6};
    let (mut host, _) = dual_pair(LinkConfig::in_process());
    let id = host.stack.ping_bind(address("[::]:9"), false).unwrap();
    host.stack.ping_send(id, address("[fd77::1]:0").ip(), &request("[::1]:0", b"x")).unwrap();
    let (link, frame) = host.stack.poll_frame(NOW).unwrap();
    assert_eq!(ip::version(frame.bytes()), Some(6));
    let (source, destination) = ("fd77::1".parse().unwrap(), "fd77::2".parse().unwrap());
    let error = |original: &[u8]| {
        let body = icmp6::Message::Unreachable { reason: Unreachable::Prohibited, original };
        let body = body.emit(source, destination);
        let header = ip6::Header {
            source,
            destination,
            protocol: Protocol::Icmp6,
            hop_limit: 64,
            traffic_class: 0,
            fragment: None,
        };
        let mut packet = Packet::new();
        packet.extend(header.emit(body.len()).as_ref());
        packet.extend(&body);
        packet
    };
    host.stack.on_frame(NOW, link, error(frame.bytes()));
    assert_eq!(host.stack.poll_event(), Some(Event::Ping(id)));
    assert_eq!(host.stack.ping_take_error(id), Some(Unreachable::Prohibited));
    // What is no request of ours is nobody's.
    let mut other = frame.bytes().to_vec();
    other[40] = 129;
    host.stack.on_frame(NOW, link, error(&other));
    assert_eq!((host.stack.poll_event(), host.stack.drops()), (None, vec![("icmp quote", 1)]));
}
