//! Raw endpoints through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::net::IpAddr;

use common::{End, NOW, address, dual_pair, settle};
use ieum_stack::{Event, LinkConfig, RawForm, RawId, RawSendError, SendFields};
use ieum_wire::checksum::pseudo_header;
use ieum_wire::{Protocol, Unreachable, ip, ip4};

const PROTOCOL: u8 = 253;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn send(end: &mut End, id: RawId, to: &str, form: RawForm, bytes: &[u8]) -> Result<(), RawSendError> {
    end.stack.raw_send_with(NOW, id, ip(to), form, bytes, SendFields::default())
}

fn say(end: &mut End, id: RawId, to: &str, bytes: &[u8]) {
    send(end, id, to, RawForm::Payload, bytes).unwrap();
}

/// What an endpoint has heard, without headers.
fn heard(end: &mut End, id: RawId) -> Vec<Vec<u8>> {
    let all = std::iter::from_fn(|| end.stack.raw_recv(id));
    let payload = |bytes: Vec<u8>, is_ip4: bool| bytes[if is_ip4 { 20 } else { 0 }..].to_vec();
    all.map(|datagram| payload(datagram.payload, datagram.source.is_ipv4())).collect()
}

fn pair() -> (End, End) {
    dual_pair(LinkConfig::in_process())
}

#[test]
fn every_endpoint_of_a_protocol_hears_a_packet_and_no_other_does() {
    let (mut host, mut peer) = pair();
    for (is_ip4, to) in [(true, "10.77.0.1"), (false, "fd77::1")] {
        let from = host.stack.raw_open(is_ip4, PROTOCOL);
        let both = [(); 2].map(|()| peer.stack.raw_open(is_ip4, PROTOCOL));
        let others = [peer.stack.raw_open(is_ip4, 17), peer.stack.raw_open(!is_ip4, PROTOCOL)];
        say(&mut host, from, to, b"hello");
        settle(&mut host, &mut peer);
        assert_eq!(both.map(|id| heard(&mut peer, id)), [[b"hello"]; 2]);
        assert_eq!(others.map(|id| heard(&mut peer, id).len()), [0; 2]);
        let events: Vec<_> = std::iter::from_fn(|| peer.stack.poll_event()).collect();
        assert_eq!(events, both.map(Event::Raw));
        both.into_iter().chain(others).for_each(|id| peer.stack.raw_close(id));
    }
}

#[test]
fn over_ip4_a_packet_comes_with_its_header() {
    let (mut host, mut peer) = pair();
    let (from, to) = (host.stack.raw_open(true, PROTOCOL), peer.stack.raw_open(true, PROTOCOL));
    say(&mut host, from, "10.77.0.1", b"hello");
    settle(&mut host, &mut peer);
    let datagram = peer.stack.raw_recv(to).unwrap();
    assert_eq!(datagram.source, address("10.77.0.2:0"));
    let parsed = ip::parse(&datagram.payload).unwrap();
    let header = parsed.header;
    assert_eq!((header.source, header.destination), (ip("10.77.0.2"), ip("10.77.0.1")));
    assert_eq!((header.protocol, header.ttl), (Protocol::Other(PROTOCOL), 64));
    assert_eq!(&datagram.payload[parsed.header_bytes..], b"hello");
}

#[test]
fn an_address_and_a_peer_narrow_what_is_heard() {
    let (mut host, mut peer) = pair();
    let (from, to) = (host.stack.raw_open(true, PROTOCOL), peer.stack.raw_open(true, PROTOCOL));
    peer.stack.raw_bind(to, ip("127.0.0.1")).unwrap();
    say(&mut host, from, "10.77.0.1", b"not for that address");
    settle(&mut host, &mut peer);
    peer.stack.raw_bind(to, ip("10.77.0.1")).unwrap();
    say(&mut host, from, "10.77.0.1", b"for that one");
    settle(&mut host, &mut peer);
    peer.stack.raw_connect(to, Some(address("10.77.0.9:0"))).unwrap();
    say(&mut host, from, "10.77.0.1", b"not from that peer");
    settle(&mut host, &mut peer);
    assert_eq!(heard(&mut peer, to), [b"for that one"]);
    assert!(peer.stack.raw_bind(to, ip("10.77.0.2")).is_err());
    assert!(peer.stack.raw_bind(to, ip("fd77::1")).is_err());
    peer.stack.raw_connect(to, None).unwrap();
    assert!(!peer.stack.raw_hears(to));
    say(&mut host, from, "10.77.0.1", b"for nobody any more");
    settle(&mut host, &mut peer);
    assert!(heard(&mut peer, to).is_empty());
}

#[test]
fn what_others_get_is_heard_too() {
    let (mut host, mut peer) = pair();
    let (udp, icmp) = (peer.stack.raw_open(true, 17), peer.stack.raw_open(true, 1));
    let (client, server) = (host.bind("0.0.0.0:5000"), peer.bind("0.0.0.0:53"));
    host.send(client, "10.77.0.1:53", b"who?");
    let ping = host.stack.ping_bind(address("0.0.0.0:7"), false).unwrap();
    host.stack.ping_send(ping, ip("10.77.0.1"), &[8, 0, 0, 0, 0, 0, 0, 1]).unwrap();
    settle(&mut host, &mut peer);
    assert_eq!(peer.recv(server).unwrap().1, b"who?");
    let datagram = heard(&mut peer, udp);
    assert_eq!((datagram.len(), &datagram[0][8..]), (1, &b"who?"[..]));
    let bytes = peer.stack.raw_peek(udp).map(|datagram| datagram.payload.clone());
    assert_eq!(bytes, None);
    assert_eq!(heard(&mut peer, icmp).iter().map(|message| message[0]).collect::<Vec<_>>(), [8]);
    assert!(host.stack.ping_recv(ping).is_some(), "and answered all the same");
}

#[test]
fn a_copy_has_the_checksum_that_a_wire_would_carry() {
    let (mut host, mut peer) = pair();
    let udp = peer.stack.raw_open(true, 17);
    let client = host.bind("0.0.0.0:5000");
    host.send(client, "10.77.0.1:53", b"who?");
    host.poll().into_iter().for_each(|packet| peer.give(packet));
    let datagram = &heard(&mut peer, udp)[0];
    let pseudo = pseudo_header(ip("10.77.0.2"), ip("10.77.0.1"), Protocol::Udp, datagram.len());
    assert!(pseudo.plus(datagram).is_valid());
}

#[test]
fn types_that_are_blocked_are_not_heard() {
    let (mut host, mut peer) = pair();
    let icmp = peer.stack.raw_open(false, 58);
    let mut blocked = [0; 8];
    blocked[4] = 1; // 128, an echo request
    peer.stack.raw_block_types(icmp, blocked);
    let from = host.stack.raw_open(false, 58);
    host.stack.raw_set_checksum(from, Some(2));
    say(&mut host, from, "fd77::1", &[128, 0, 0, 0, 0, 1, 0, 1]);
    say(&mut host, from, "fd77::1", &[200, 0, 0, 0, 0, 1, 0, 1]);
    settle(&mut host, &mut peer);
    assert_eq!(heard(&mut peer, icmp).iter().map(|message| message[0]).collect::<Vec<_>>(), [200]);
    assert_eq!(heard(&mut host, from).iter().map(|message| message[0]).collect::<Vec<_>>(), [129]);
}

#[test]
fn over_ip6_a_checksum_is_written_and_verified() {
    let (mut host, mut peer) = pair();
    let (from, to) = (host.stack.raw_open(false, PROTOCOL), peer.stack.raw_open(false, PROTOCOL));
    peer.stack.raw_set_checksum(to, Some(2));
    say(&mut host, from, "fd77::1", &[1, 2, 0, 0, 3, 4]);
    settle(&mut host, &mut peer);
    assert!(heard(&mut peer, to).is_empty());
    host.stack.raw_set_checksum(from, Some(2));
    say(&mut host, from, "fd77::1", &[1, 2, 0, 0, 3, 4]);
    settle(&mut host, &mut peer);
    assert_eq!(heard(&mut peer, to).len(), 1);
    assert_eq!(send(&mut host, from, "fd77::1", RawForm::Payload, &[1, 2, 0]), Err(RawSendError::Malformed));
}

#[test]
fn a_header_of_ones_own_is_finished_and_otherwise_left_alone() {
    let (mut host, mut peer) = pair();
    let (from, to) = (host.stack.raw_open(true, 255), peer.stack.raw_open(true, PROTOCOL));
    let header = ip4::Header {
        source: "0.0.0.0".parse().unwrap(),
        destination: "10.77.0.1".parse().unwrap(),
        protocol: Protocol::Other(PROTOCOL),
        ttl: 7,
        tos: 0x20,
        identification: 99,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let packet = [&header.emit(9999)[..], b"hello"].concat();
    send(&mut host, from, "10.77.0.1", RawForm::Packet, &packet).unwrap();
    settle(&mut host, &mut peer);
    let got = peer.stack.raw_recv(to).unwrap().payload;
    let parsed = ip::parse(&got).unwrap();
    assert_eq!((parsed.header.source, parsed.header.ttl, parsed.header.tos), (ip("10.77.0.2"), 7, 0x20));
    assert_eq!((got.len(), &got[4..6]), (25, &[0, 99][..]));
    for (bytes, error) in [
        (&packet[..19], RawSendError::Malformed),
        (&[0x4f; 25][..], RawSendError::Malformed),
        (&[0x45; 1501][..], RawSendError::TooLarge),
    ] {
        assert_eq!(send(&mut host, from, "10.77.0.1", RawForm::Packet, bytes), Err(error));
    }
    // Not a packet of this version: nobody sees it, and it is counted.
    send(&mut host, from, "10.77.0.1", RawForm::Packet, &[0x65; 40]).unwrap();
    assert!(host.poll().is_empty());
    assert_eq!(host.stack.drops(), [("raw unsent", 1)]);
}

#[test]
fn who_sends_what_nobody_hears_is_told_if_connected() {
    let (mut host, mut peer) = pair();
    let from = host.stack.raw_open(true, PROTOCOL);
    say(&mut host, from, "10.77.0.1", b"12345678");
    settle(&mut host, &mut peer);
    assert_eq!(host.stack.raw_take_error(from), None);
    host.stack.raw_connect(from, Some(address("10.77.0.1:0"))).unwrap();
    say(&mut host, from, "10.77.0.1", b"12345678");
    settle(&mut host, &mut peer);
    assert_eq!(host.stack.raw_take_error(from), Some(Unreachable::Protocol));
    let _hears = peer.stack.raw_open(true, PROTOCOL);
    say(&mut host, from, "10.77.0.1", b"12345678");
    settle(&mut host, &mut peer);
    assert_eq!(host.stack.raw_take_error(from), None);
}

#[test]
fn large_packets_come_in_one_piece() {
    for link in [LinkConfig::in_process(), LinkConfig::wire(1400)] {
        let (mut host, mut peer) = dual_pair(link);
        for (is_ip4, to, most) in [(true, "10.77.0.1", 65_515), (false, "fd77::1", 65_535)] {
            let (from, to_id) =
                (host.stack.raw_open(is_ip4, PROTOCOL), peer.stack.raw_open(is_ip4, PROTOCOL));
            // What stands behind the header of a fragment must be told in 16 bits as well.
            let bytes = if is_ip4 { most } else { 60_000 };
            say(&mut host, from, to, &vec![7; bytes]);
            settle(&mut host, &mut peer);
            assert!(heard(&mut peer, to_id) == [vec![7; bytes]], "{bytes} bytes over {link:?}");
            let more = vec![7; most + 1];
            assert_eq!(send(&mut host, from, to, RawForm::Payload, &more), Err(RawSendError::TooLarge));
        }
    }
}

#[test]
fn what_finds_no_room_is_counted_and_nothing_else_suffers() {
    let (mut host, mut peer) = pair();
    let (from, to) = (host.stack.raw_open(true, PROTOCOL), peer.stack.raw_open(true, PROTOCOL));
    for _ in 0..100 {
        say(&mut host, from, "10.77.0.1", &[7; 60_000]);
        settle(&mut host, &mut peer);
    }
    assert_eq!(peer.stack.drops().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["raw queue full"]);
    assert!(!heard(&mut peer, to).is_empty());
}
