//! Ping sockets: SOCK_DGRAM of IPPROTO_ICMP and IPPROTO_ICMPV6. The errors are Linux's (icmp(7), net/ipv4/ping.c).
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{AF_INET, AF_INET6, DATAGRAM, STREAM, World, at, events, poll};
use ieum_socket::numbers::*;
use ieum_socket::{Connect, Errno, Event, Host, How, Kind, SocketId};
use ieum_stack::{LinkConfig, Stack, StackConfig};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

/// What differs between the families.
struct Family {
    domain: i32,
    protocol: i32,
    request: u8,
    reply: u8,
    any: &'static str,
    own: &'static str,
    loopback: &'static str,
    peer: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family {
        domain: AF_INET,
        protocol: 1,
        request: 8,
        reply: 0,
        any: "0.0.0.0:0",
        own: "10.0.0.1",
        loopback: "127.0.0.1:0",
        peer: "10.0.0.2:0",
    },
    Family {
        domain: AF_INET6,
        protocol: 58,
        request: 128,
        reply: 129,
        any: "[::]:0",
        own: "fd00::1",
        loopback: "[::1]:0",
        peer: "[fd00::2]:0",
    },
];

impl Family {
    fn socket(&self, host: &mut Host) -> SocketId {
        host.socket(self.domain, DATAGRAM, self.protocol).unwrap()
    }

    /// An echo request with an identifier that is not its own.
    fn message(&self, sequence: u8, data: &[u8]) -> Vec<u8> {
        [&[self.request, 0, 0, 0, 0xab, 0xcd, 0, sequence], data].concat()
    }
}

#[test]
fn a_reply_comes_back_with_the_identifier_of_the_socket() {
    for family in &FAMILIES {
        for to in [family.peer, family.loopback] {
            let mut world = World::new();
            let id = family.socket(&mut world.a);
            let message = family.message(1, b"abc");
            assert_eq!(world.a.send_to(world.now, id, &message, Some(at(to))), Ok(11));
            world.settle();
            let local = world.a.local_address(id).unwrap();
            assert_eq!(local.ip(), at(family.any).ip());
            assert_eq!(poll(&world.a, id), "IN|OUT");
            let (payload, source) = world.a.recv_from(world.now, id, true).unwrap();
            assert_eq!(source, at(to), "the port of a reply is 0");
            assert_eq!((payload[0], payload[1]), (family.reply, 0));
            assert_eq!(payload[4..6], local.port().to_be_bytes());
            assert_eq!(&payload[6..], b"\x00\x01abc");
            assert!(world.a.recv_from(world.now, id, false).is_ok());
            assert_eq!(world.a.recv_from(world.now, id, false), Err(Errno::EAGAIN));
        }
    }
}

#[test]
fn nothing_but_echo_requests_may_be_sent() {
    for family in &FAMILIES {
        let mut world = World::new();
        let id = family.socket(&mut world.a);
        let mut send = |message: &[u8]| world.a.send_to(NOW, id, message, Some(at(family.peer)));
        for bad in [
            &[][..],
            &[family.request, 0, 0, 0, 0, 0, 0],
            &[family.reply, 0, 0, 0, 0, 0, 0, 0],
            &[family.request, 1, 0, 0, 0, 0, 0, 0],
            &[13, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(send(bad), Err(Errno::EINVAL), "{bad:?}");
        }
        assert_eq!(send(&family.message(0, &[])), Ok(8));
        let largest = if family.domain == AF_INET { 65_515 } else { 65_535 };
        assert_eq!(send(&family.message(0, &vec![0; largest - 8])), Ok(largest));
        assert_eq!(send(&family.message(0, &vec![0; largest - 7])), Err(Errno::EMSGSIZE));
        world.settle();
        // The large one went in fragments and came back so.
        assert_eq!(world.a.recv_from(world.now, id, false).map(|(bytes, _)| bytes.len()), Ok(8));
        assert_eq!(world.a.recv_from(world.now, id, false).map(|(bytes, _)| bytes.len()), Ok(largest));
    }
}

#[test]
fn its_name_is_its_identifier() {
    for family in &FAMILIES {
        let mut world = World::new();
        let host = &mut world.a;
        let with_port = |text: &str, port| std::net::SocketAddr::new(at(text).ip(), port);
        let id = family.socket(host);
        assert_eq!(host.local_address(id), Ok(at(family.any)));
        assert_eq!(host.send(NOW, id, &family.message(0, &[])), Err(Errno::EDESTADDRREQ));
        assert!(host.local_address(id).is_ok_and(|local| local.port() != 0), "sending binds");
        assert_eq!(host.bind(id, at(family.any)), Err(Errno::EINVAL));
        let foreign = if family.domain == AF_INET { "8.8.8.8:0" } else { "[2001:db8::1]:0" };
        let one = family.socket(host);
        assert_eq!(host.bind(one, at(foreign)), Err(Errno::EADDRNOTAVAIL));
        assert_eq!(host.bind(one, with_port(family.loopback, 555)), Ok(()));
        // They share by default.
        assert_eq!(host.option(one, SOL_SOCKET, SO_REUSEADDR), Ok(vec![1, 0, 0, 0]));
        let two = family.socket(host);
        assert_eq!(host.bind(two, with_port(family.loopback, 555)), Ok(()));
        let three = family.socket(host);
        host.set_option(NOW, three, SOL_SOCKET, SO_REUSEADDR, &[0; 4]).unwrap();
        assert_eq!(host.bind(three, with_port(family.loopback, 555)), Err(Errno::EADDRINUSE));
        // Nobody publishes identifiers.
        assert!(!events(host).iter().any(|event| matches!(event, Event::Serving { .. })));
    }
}

#[test]
fn a_connected_one_needs_no_destination() {
    for family in &FAMILIES {
        let mut world = World::new();
        let id = family.socket(&mut world.a);
        let peer = std::net::SocketAddr::new(at(family.peer).ip(), 7);
        assert_eq!(world.a.connect(world.now, id, Some(peer)), Ok(Connect::Done));
        assert_eq!(world.a.remote_address(id), Ok(peer));
        assert_eq!(world.a.local_address(id).unwrap().ip().to_string(), family.own);
        assert_eq!(world.a.send(world.now, id, &family.message(3, b"x")), Ok(9));
        world.settle();
        assert_eq!(world.a.recv_from(world.now, id, false).map(|(_, from)| from), Ok(at(family.peer)));
        // Port 0 is no peer to getpeername(2), and yet one to send(2).
        assert_eq!(world.a.connect(world.now, id, Some(at(family.peer))), Ok(Connect::Done));
        assert_eq!(world.a.remote_address(id), Err(Errno::ENOTCONN));
        assert_eq!(world.a.send(world.now, id, &family.message(4, b"x")), Ok(9));
        assert_eq!(world.a.shutdown(world.now, id, How::Write), Ok(()));
        assert_eq!(world.a.send(world.now, id, &family.message(5, b"x")), Err(Errno::EPIPE));
        assert_eq!(world.a.connect(world.now, id, None), Ok(Connect::Done));
        assert_eq!(world.a.local_address(id), Ok(at(family.any)));
    }
}

#[test]
fn it_is_a_datagram_socket_of_another_protocol() {
    for family in &FAMILIES {
        let mut world = World::new();
        let host = &mut world.a;
        let id = family.socket(host);
        assert_eq!(host.kind(id), Some(Kind::Datagram));
        let number = |value: i32| Ok(value.to_ne_bytes().to_vec());
        assert_eq!(host.option(id, SOL_SOCKET, SO_TYPE), number(DATAGRAM));
        assert_eq!(host.option(id, SOL_SOCKET, SO_PROTOCOL), number(family.protocol));
        assert_eq!(host.option(id, SOL_SOCKET, SO_DOMAIN), number(family.domain));
        let level = if family.domain == AF_INET { Errno::EOPNOTSUPP } else { Errno::ENOPROTOOPT };
        assert_eq!(host.option(id, IPPROTO_UDP, UDP_CORK), Err(level));
        assert_eq!(host.listen(id, 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(host.accept(id), Err(Errno::EOPNOTSUPP));
        assert_eq!(host.shutdown(NOW, id, How::Both), Err(Errno::ENOTCONN));
    }
    let mut host = common::host(1, false);
    assert_eq!(host.socket(AF_INET, STREAM, 1), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(host.socket(AF_INET, DATAGRAM, 58), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(host.socket(AF_INET6, DATAGRAM, 1), Err(Errno::EPROTONOSUPPORT));
}

#[test]
fn one_of_ip6_speaks_no_ip4() {
    let mut world = World::new();
    let host = &mut world.a;
    let family = &FAMILIES[1];
    let id = family.socket(host);
    assert_eq!(host.option(id, IPPROTO_IPV6, IPV6_V6ONLY), Ok(vec![1, 0, 0, 0]));
    let message = family.message(0, &[]);
    let mut send = |to: &str| host.send_to(NOW, id, &message, Some(at(to)));
    assert_eq!(send("127.0.0.1:0"), Err(Errno::EINVAL));
    assert_eq!(send("[::ffff:127.0.0.1]:0"), Err(Errno::EINVAL));
    assert_eq!(send("[::]:0"), Err(Errno::ENETUNREACH));
    assert_eq!(send("[fe80::1]:0"), Err(Errno::EINVAL));
    assert_eq!(send("[ff02::1]:0"), Err(Errno::EINVAL));
    assert_eq!(host.connect(NOW, id, Some(at("127.0.0.1:0"))), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.connect(NOW, id, Some(at("[::ffff:127.0.0.1]:0"))), Err(Errno::ENETUNREACH));
    let fresh = family.socket(host);
    assert_eq!(host.bind(fresh, at("[::ffff:127.0.0.1]:0")), Err(Errno::EINVAL));
    assert_eq!(host.bind(fresh, at("[ff0e::1]:0")), Err(Errno::EINVAL));
    let four = FAMILIES[0].socket(host);
    assert_eq!(host.bind(four, at("[::1]:0")), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.bind(four, at("224.0.0.1:0")), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(host.send_to(NOW, four, &FAMILIES[0].message(0, &[]), Some(at("0.0.0.0:0"))), Ok(8));
}

/// A host behind whose link a gateway cannot deliver.
fn refusing() -> (Host, Stack, ieum_stack::LinkId, ieum_stack::LinkId) {
    let mut host = common::host(1, false);
    let link = host.stack_mut().add_link(LinkConfig::in_process());
    let mut gateway = Stack::new(StackConfig::new([9; 32]));
    let far = gateway.add_link(LinkConfig::in_process());
    for (own, its) in [("10.0.0.1/24", "10.0.0.2/24"), ("fd00::1/64", "fd00::2/64")] {
        host.stack_mut().add_address(link, own.parse().unwrap());
        gateway.add_address(far, its.parse().unwrap());
    }
    (host, gateway, link, far)
}

#[test]
fn icmp_errors_are_told_to_who_is_connected_or_wants_them() {
    use ieum_wire::{Packet, Protocol, Unreachable, icmp4, ip4};
    let (mut host, _gateway, link, _) = refusing();
    let id = FAMILIES[0].socket(&mut host);
    // The answer of somebody on the way to the oldest packet that leaves.
    let refuse = |host: &mut Host, reason| {
        let (_, frame) = host.poll_frame(NOW).expect("the request leaves");
        let body = icmp4::Message::Unreachable { reason, original: frame.bytes() }.emit();
        let header = ip4::Header {
            source: "10.0.0.2".parse().unwrap(),
            destination: "10.0.0.1".parse().unwrap(),
            protocol: Protocol::Icmp4,
            ttl: 64,
            tos: 0,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset_bytes: 0,
        };
        let mut packet = Packet::new();
        packet.extend(&header.emit(u16::try_from(20 + body.len()).unwrap()));
        packet.extend(&body);
        host.on_frame(NOW, link, packet);
        host.take_error(id)
    };
    let message = FAMILIES[0].message(1, b"x");
    let to = Some(at("10.0.0.9:0"));
    host.send_to(NOW, id, &message, to).unwrap();
    assert_eq!(refuse(&mut host, Unreachable::Port), None, "unconnected, without IP_RECVERR");
    host.set_option(NOW, id, IPPROTO_IP, IP_RECVERR, &[1, 0, 0, 0]).unwrap();
    host.send_to(NOW, id, &message, to).unwrap();
    assert_eq!(refuse(&mut host, Unreachable::Host), Some(Errno::EHOSTUNREACH));
    host.set_option(NOW, id, IPPROTO_IP, IP_RECVERR, &[0; 4]).unwrap();
    host.connect(NOW, id, to).unwrap();
    host.send(NOW, id, &message).unwrap();
    assert_eq!(refuse(&mut host, Unreachable::Host), None, "passing trouble");
    host.send(NOW, id, &message).unwrap();
    assert_eq!(refuse(&mut host, Unreachable::Prohibited), Some(Errno::EHOSTUNREACH));
}

#[test]
fn a_closed_one_hears_nothing_more() {
    for family in &FAMILIES {
        let mut world = World::new();
        let id = family.socket(&mut world.a);
        world.a.send_to(world.now, id, &family.message(1, b"x"), Some(at(family.peer))).unwrap();
        world.a.close(world.now, id);
        world.settle();
        assert_eq!(world.a.stack().drops(), [("icmp kind", 1)]);
        assert!(world.a.sockets().is_empty());
    }
}

#[test]
fn its_queue_is_bounded() {
    let mut world = World::new();
    let family = &FAMILIES[0];
    let id = family.socket(&mut world.a);
    for sequence in 0..40 {
        let message = family.message(sequence, &[0; 10_000]);
        assert_eq!(world.a.send_to(world.now, id, &message, Some(at(family.peer))), Ok(10_008));
        world.settle();
    }
    assert_eq!(world.a.stack().drops(), [("ping queue full", 28)]);
    let waiting = std::iter::from_fn(|| world.a.recv_from(world.now, id, false).ok()).count();
    assert_eq!(waiting, 12);
    // And what has not left.
    let sent = (0..40).take_while(|sequence| {
        let message = family.message(*sequence, &[0; 10_000]);
        world.a.send_to(world.now, id, &message, Some(at(family.peer))).is_ok()
    });
    assert_eq!(sent.count(), 21);
    assert_eq!(poll(&world.a, id), "");
    world.settle();
    assert_eq!(poll(&world.a, id), "IN|OUT");
}
