//! IPv6 through the public doors: TCP, ICMPv6, both families at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod tcp_pair;

use std::net::Ipv6Addr;
use std::time::Duration;

use common::{End, address, dual_pair, settle, wish};
use ieum_stack::{BindRequest, ConnectError, Event, Failure, LinkConfig, State, TcpSettings};
use ieum_wire::icmp6::Message;
use ieum_wire::{ChecksumState, Cidr, Instant, Packet, Protocol, Unreachable, ip, ip6, segmentation};
use tcp_pair::{Pair, pattern};

/// A packet from fd77::2 (or another) as a wire would carry it.
fn packet(source: &str, destination: &str, protocol: Protocol, payload: &[u8]) -> Packet {
    let header = ip6::Header {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol,
        hop_limit: 64,
        traffic_class: 0,
        fragment: None,
    };
    let mut packet = Packet::new();
    packet.extend(header.emit(payload.len()).as_ref());
    packet.extend(payload);
    packet
}

fn icmp(source: &str, destination: &str, message: Message<'_>) -> Packet {
    let bytes = message.emit(source.parse().unwrap(), destination.parse().unwrap());
    packet(source, destination, Protocol::Icmp6, &bytes)
}

fn peer() -> End {
    End::dual("10.77.0.1/24", "fd77::1/64", LinkConfig::in_process())
}

#[test]
fn bytes_cross_both_ways_in_segments_that_fit() {
    for link in [LinkConfig::in_process(), LinkConfig::wire(1500), LinkConfig::wire(1280)] {
        let mut pair = Pair::of_ip6(link);
        let (client, server) = pair.established();
        let (there, back) = (pattern(300_000), pattern(200_000));
        let (mut sent, mut received) = ([0, 0], [Vec::new(), Vec::new()]);
        for _ in 0..1000 {
            sent[0] += pair.send(0, client, &there[sent[0]..]);
            sent[1] += pair.send(1, server, &back[sent[1]..]);
            pair.run(Duration::from_millis(3));
            received[1].extend(pair.recv(1, server));
            received[0].extend(pair.recv(0, client));
        }
        assert!(received == [back, there]);
        let (syn, _) = pair.segments(0)[0];
        let mss = u16::try_from(link.mtu_bytes - 60).unwrap();
        assert_eq!(syn.options.mss, Some(mss));
        let frame = usize::try_from(link.mtu_bytes).unwrap();
        let crossed = pair.crossed.iter().map(|(_, _, packet)| packet);
        assert!(crossed.clone().all(|packet| packet.len() <= frame || packet.gso.is_some()));
        assert!(crossed.clone().all(|packet| ip::version(packet.bytes()) == Some(6)));
        if !link.segmentation_offload {
            assert!(crossed.clone().all(|packet| packet.gso.is_none()));
        }
    }
}

#[test]
fn one_listener_serves_both_families_and_one_of_ip6_alone_does_not() {
    let (mut host, mut server) = dual_pair(LinkConfig::in_process());
    let listen = |end: &mut End, request| {
        let binding = end.stack.tcp_bind(request).unwrap();
        end.stack.tcp_listen(binding, 5, false, TcpSettings::default()).unwrap()
    };
    let both = listen(&mut server, wish("[::]:80"));
    let alone = listen(&mut server, BindRequest { v6_only: true, ..wish("[::]:81") });
    let mut connect =
        |to: &str| host.stack.tcp_connect(common::NOW, None, address(to), TcpSettings::default()).unwrap();
    let ids = ["10.77.0.1:80", "[fd77::1]:80", "10.77.0.1:81", "[fd77::1]:81"].map(&mut connect);
    settle(&mut host, &mut server);
    let states = ids.map(|id| host.stack.tcp_status(id).unwrap().state);
    assert_eq!(states, [State::Established, State::Established, State::Closed, State::Established]);
    let mut peers = Vec::new();
    while let Some(id) = server.stack.tcp_accept(both) {
        peers.push(server.stack.tcp_status(id).unwrap().remote.ip().to_string());
    }
    assert_eq!(peers, ["10.77.0.2", "fd77::2"]);
    assert!(server.stack.tcp_accept(alone).is_some_and(|_| server.stack.tcp_accept(alone).is_none()));
    server.stack.tcp_close_listener(common::NOW, both);
    let refused = host.stack.tcp_connect(common::NOW, None, address("10.77.0.1:80"), TcpSettings::default());
    settle(&mut host, &mut server);
    assert_eq!(host.stack.tcp_status(refused.unwrap()).unwrap().failure, Some(Failure::Refused));
}

#[test]
fn a_binding_for_both_families_connects_to_both_and_others_to_their_own() {
    let (mut host, _) = dual_pair(LinkConfig::in_process());
    let mut connect = |request, to| {
        let binding = host.stack.tcp_bind(request).unwrap();
        let connected =
            host.stack.tcp_connect(common::NOW, Some(binding), address(to), TcpSettings::default());
        connected.map(|id| host.stack.tcp_status(id).unwrap().local)
    };
    assert_eq!(connect(wish("[::]:1"), "10.77.0.1:80"), Ok(address("10.77.0.2:1")));
    assert_eq!(connect(wish("[::]:2"), "[fd77::1]:80"), Ok(address("[fd77::2]:2")));
    let alone = BindRequest { v6_only: true, ..wish("[::]:3") };
    assert_eq!(connect(alone, "10.77.0.1:80"), Err(ConnectError::Family));
    assert_eq!(connect(wish("[fd77::2]:4"), "10.77.0.1:80"), Err(ConnectError::Family));
    assert_eq!(connect(wish("0.0.0.0:5"), "[fd77::1]:80"), Err(ConnectError::Family));
}

#[test]
fn loopback_is_one_address_and_stays_at_home() {
    let mut host = peer();
    let server = host.bind("[::1]:53");
    let client = host.bind("[::]:0");
    host.send(client, "[::1]:53", b"home");
    assert!(host.poll().is_empty());
    let (source, payload) = host.recv(server).unwrap();
    assert!(source.starts_with("[::1]:") && payload == b"home");
    host.give(packet("fd77::2", "::1", Protocol::Udp, &[0; 8]));
    host.give(packet("::1", "fd77::1", Protocol::Udp, &[0; 8]));
    assert_eq!(host.stack.drops(), [("martian source", 1), ("martian destination", 1)]);
}

#[test]
fn addresses_that_cannot_be_are_martian() {
    let mut host = peer();
    host.bind("[::]:9");
    for source in ["::", "ff02::1", "::ffff:10.77.0.2", "fd77::1"] {
        host.give(packet(source, "fd77::1", Protocol::Udp, &[0, 9, 0, 9, 0, 8, 0, 0]));
    }
    host.give(packet("fd77::2", "::ffff:10.77.0.1", Protocol::Udp, &[0; 8]));
    host.give(packet("fd77::2", "ff02::2", Protocol::Udp, &[0; 8]));
    host.give(packet("fd77::2", "fd77::3", Protocol::Udp, &[0; 8]));
    let expected = [("martian source", 4), ("martian destination", 1), ("not for us", 2)];
    assert_eq!(host.stack.drops(), expected);
}

#[test]
fn an_echo_comes_back_and_one_to_everybody_does_not() {
    let mut host = peer();
    let request = Message::EchoRequest { identifier: 3, sequence: 4, data: b"ping" };
    host.give(icmp("fd77::2", "fd77::1", request));
    host.give(icmp("fd77::2", "ff02::1", request));
    let out = host.poll();
    let [reply] = out.as_slice() else { panic!("one reply") };
    let parsed = ip::parse(reply.bytes()).unwrap();
    let (source, destination) = (parsed.header.source, parsed.header.destination);
    assert_eq!((source, destination), ("fd77::1".parse().unwrap(), "fd77::2".parse().unwrap()));
    let message = Message::parse(&reply.bytes()[40..], source, destination).unwrap();
    assert_eq!(message, Message::EchoReply { identifier: 3, sequence: 4, data: b"ping" });
    assert_eq!(host.stack.drops(), [("icmp echo not ours", 1)]);
}

#[test]
fn what_is_refused_is_told_and_heard() {
    let (mut host, mut server) = dual_pair(LinkConfig::in_process());
    let client = host.bind("[::]:0");
    host.stack.udp_connect(client, Some(address("[fd77::1]:9"))).unwrap();
    host.send(client, "[fd77::1]:9", b"?");
    settle(&mut host, &mut server);
    assert_eq!(host.stack.poll_event(), Some(Event::Udp(client)));
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Port));
    server.give(packet("fd77::2", "fd77::1", Protocol::Other(132), &[7; 2000]));
    let out = server.poll();
    let [error] = out.as_slice() else { panic!("one error") };
    assert_eq!(error.len(), 1280);
    let (from, to): (Ipv6Addr, Ipv6Addr) = ("fd77::1".parse().unwrap(), "fd77::2".parse().unwrap());
    let Ok(Message::Unreachable { reason, .. }) =
        Message::parse(&error.bytes()[40..], from.into(), to.into())
    else {
        panic!("an unreachable")
    };
    assert_eq!(reason, Unreachable::Protocol);
    assert_eq!(server.stack.drops(), [("protocol unknown", 1), ("udp port unknown", 1)]);
}

#[test]
fn a_datagram_without_a_checksum_is_dropped_for_ip6_demands_one() {
    let mut host = peer();
    let socket = host.bind("[::]:9");
    // RFC 8200 §8.1; in IPv4 it would be heard (RFC 768).
    host.give(packet("fd77::2", "fd77::1", Protocol::Udp, &[0, 9, 0, 9, 0, 8, 0, 0]));
    assert_eq!((host.recv(socket), host.stack.drops()), (None, vec![("udp checksum", 1)]));
}

#[test]
fn nothing_behind_the_headers_is_refused_without_a_word() {
    let mut host = peer();
    const NO_NEXT_HEADER: u8 = 59;
    host.give(packet("fd77::2", "fd77::1", Protocol::Other(NO_NEXT_HEADER), &[7; 16]));
    assert!(host.poll().is_empty(), "RFC 8200 §4.7: what follows is ignored");
    assert_eq!(host.stack.drops(), [("protocol unknown", 1)]);
}

/// A datagram from port 9 to port 9 with a checksum, behind the headers of fd77::2 and fd77::1.
fn datagram() -> Packet {
    let mut datagram =
        packet("fd77::2", "fd77::1", Protocol::Udp, &[0, 9, 0, 9, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    datagram.checksum = ChecksumState::Deferred;
    segmentation::finish_checksum(&mut datagram);
    datagram
}

#[test]
fn a_fragment_within_fragments_is_no_packet() {
    let mut host = peer();
    let socket = host.bind("[::]:9");
    let datagram = datagram();
    // The header of a first fragment of UDP, of which more follow, and a datagram that looks whole.
    let inner = [&[17, 0, 0, 1, 0, 0, 0, 7], &datagram.bytes()[40..]].concat();
    const FRAGMENT: u8 = 44;
    for (offset_bytes, part) in [(0, &inner[..16]), (16, &inner[16..])] {
        let fragment = ip6::Fragment { identification: 8, offset_bytes, more: offset_bytes == 0 };
        let header = ip6::Header {
            source: "fd77::2".parse().unwrap(),
            destination: "fd77::1".parse().unwrap(),
            protocol: Protocol::Other(FRAGMENT),
            hop_limit: 64,
            traffic_class: 0,
            fragment: Some(fragment),
        };
        host.give(Packet::from_wire(&[header.emit(part.len()).as_ref(), part].concat()));
    }
    assert_eq!((host.recv(socket), host.stack.drops()), (None, vec![("ip6 extension header", 1)]));
    host.give(datagram);
    assert!(host.recv(socket).is_some());
}

#[test]
fn each_flaw_has_its_reason() {
    let mut host = peer();
    let good = packet("fd77::2", "fd77::1", Protocol::Udp, &[0, 9, 0, 9, 0, 8, 0, 0]);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.bytes().to_vec();
        change(&mut bytes);
        Packet::from_wire(&bytes)
    };
    host.give(with(&|bytes| bytes.truncate(39)));
    host.give(with(&|bytes| bytes[0] = 0x75));
    host.give(with(&|bytes| bytes[6] = 0));
    host.give(with(&|bytes| (bytes[6], bytes[41], bytes[42], bytes[43]) = (60, 0, 0xc2, 0)));
    host.give(with(&|bytes| (bytes[6], bytes[41], bytes[43]) = (43, 0, 1)));
    let mut message =
        Message::Other { kind: 200, code: 0 }.emit("fd77::2".parse().unwrap(), "fd77::1".parse().unwrap());
    host.give(packet("fd77::2", "fd77::1", Protocol::Icmp6, &message));
    message[2] ^= 1;
    host.give(packet("fd77::2", "fd77::1", Protocol::Icmp6, &message));
    host.give(packet("fd77::2", "fd77::1", Protocol::Icmp4, &message));
    let expected = [
        ("ip version", 1),
        ("ip6 truncated", 1),
        ("ip6 extension header", 1),
        ("ip6 option", 1),
        ("ip6 routing header", 1),
        ("protocol unknown", 1),
        ("icmp checksum", 1),
        ("icmp kind", 1),
    ];
    assert_eq!(host.stack.drops(), expected);
    host.stack.check();
}

#[test]
fn a_link_that_goes_down_takes_its_connections_and_routes_along() {
    let mut pair = Pair::of_ip6(LinkConfig::in_process());
    let (client, server) = pair.established();
    let end = &mut pair.ends[0];
    end.stack.link_down(pair.now, end.link);
    assert_eq!(end.stack.poll_event(), Some(Event::Connection(client)));
    let status = end.stack.tcp_status(client).unwrap();
    assert_eq!(
        (status.state, status.failure),
        (State::Closed, Some(Failure::Unreachable(Unreachable::Network)))
    );
    let again = end.stack.tcp_connect(pair.now, None, address("[fd77::2]:80"), TcpSettings::default());
    assert_eq!(again, Err(ConnectError::Unreachable(Unreachable::Network)));
    assert!(end.stack.poll_frame(pair.now).is_none());
    // The other side is told that one neighbour is gone.
    let [gone, other] = &mut pair.ends;
    other.stack.tcp_fail_remote(pair.now, gone.address);
    let failure = other.stack.tcp_status(server).unwrap().failure;
    assert_eq!(failure, Some(Failure::Unreachable(Unreachable::Host)));
    other.stack.remove_route("fd77::/24".parse::<Cidr>().unwrap());
    let again = other.stack.tcp_connect(pair.now, None, address("[fd77::1]:80"), TcpSettings::default());
    assert_eq!(again, Err(ConnectError::Unreachable(Unreachable::Network)));
    assert!(pair.now > Instant::ZERO);
}
