//! Addresses, routes and martians through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{End, NOW, address, pair, settle};
use ieum_stack::{LinkConfig, RouteTarget, UdpSendError};
use ieum_wire::Unreachable;
use ieum_wire::{Packet, Protocol, ip4, udp};

/// A datagram without a checksum, from anybody to anybody, with port 9 at both ends.
fn datagram(source: &str, destination: &str) -> Packet {
    let header = ip4::Header {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Protocol::Udp,
        ttl: 64,
        tos: 0,
        identification: 1,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let mut packet = Packet::new();
    packet.extend(&header.emit(28));
    packet.extend(&udp::Header { source_port: 9, destination_port: 9 }.emit(8));
    packet
}

#[test]
fn sources_that_cannot_be_are_martian() {
    let (_, mut peer) = pair(false);
    peer.bind("0.0.0.0:9");
    let sources = ["0.0.0.0", "255.255.255.255", "10.77.0.255", "224.0.0.1", "127.0.0.1", "10.77.0.1"];
    for source in sources {
        peer.give(datagram(source, "10.77.0.1"));
    }
    assert_eq!(peer.stack.drops(), [("martian source", 6)]);
    assert!(peer.poll().is_empty());
}

#[test]
fn only_what_is_for_us_is_taken() {
    let (_, mut peer) = pair(false);
    let id = peer.bind("0.0.0.0:9");
    for destination in ["10.77.0.3", "224.0.0.9", "192.0.2.1", "127.0.0.1"] {
        peer.give(datagram("10.77.0.2", destination));
    }
    assert_eq!(peer.stack.drops(), [("martian destination", 1), ("not for us", 3)]);
    peer.give(datagram("10.77.0.2", "10.77.0.1"));
    assert!(peer.recv(id).is_some());
    let tally = peer.stack.tally();
    assert_eq!((tally.received, tally.accepted, tally.dropped), (5, 1, 4));
}

#[test]
fn an_unknown_link_is_counted() {
    let (_, mut peer) = pair(false);
    let mut other = ieum_stack::Stack::new(ieum_stack::StackConfig::new([0; 32]));
    let links = [0; 3].map(|_| other.add_link(LinkConfig::in_process()));
    peer.stack.on_frame(NOW, links[2], datagram("10.77.0.2", "10.77.0.1"));
    assert_eq!(peer.stack.drops(), [("link unknown", 1)]);
}

#[test]
fn a_route_to_nowhere_refuses_at_once() {
    let (mut host, _) = pair(false);
    let client = host.bind("0.0.0.0:0");
    let network = "192.0.2.0/24".parse().unwrap();
    host.stack.add_route(network, RouteTarget::Unreachable(Unreachable::Host), None);
    let send = |host: &mut End, to| host.stack.udp_send(NOW, client, address(to), b"");
    assert_eq!(send(&mut host, "192.0.2.1:1"), Err(UdpSendError::Unreachable(Unreachable::Host)));
    assert_eq!(send(&mut host, "198.51.100.1:1"), Ok(()));
}

#[test]
fn without_routes_only_loopback_is_reached() {
    let mut stack = ieum_stack::Stack::new(ieum_stack::StackConfig::new([0; 32]));
    let id = stack.udp_bind(common::wish("0.0.0.0:5")).unwrap();
    let outside = stack.udp_send(NOW, id, address("192.0.2.1:1"), b"");
    assert_eq!(outside, Err(UdpSendError::Unreachable(Unreachable::Network)));
    stack.udp_send(NOW, id, address("127.0.0.1:5"), b"self").unwrap();
    assert!(stack.poll_frame(NOW).is_none());
    assert_eq!(stack.udp_recv(id).unwrap().payload, b"self");
}

#[test]
fn a_socket_bound_to_loopback_reaches_nobody_else() {
    let (mut host, _) = pair(false);
    let client = host.bind("127.0.0.1:0");
    let outside = host.stack.udp_send(NOW, client, address("10.77.0.1:1"), b"");
    assert_eq!(outside, Err(UdpSendError::Unreachable(Unreachable::Host)));
}

#[test]
fn the_resolver_stub_is_reached_over_the_link_unless_the_host_has_its_own() {
    let (mut host, mut exit) = pair(true);
    let link = host.link;
    host.stack.add_loopback_exception(address("127.0.0.53:53"), link);
    let client = host.bind("0.0.0.0:5000");
    host.stack.udp_connect(client, Some(address("127.0.0.53:53"))).unwrap();
    assert_eq!(host.stack.udp_address(client), Some(address("10.77.0.2:5000")));
    host.send(client, "127.0.0.53:53", b"name?");
    settle(&mut host, &mut exit);
    let asked = exit.stack.poll_any_datagram().unwrap();
    assert_eq!((asked.source, asked.destination), (address("10.77.0.2:5000"), address("127.0.0.53:53")));
    exit.stack.udp_send_from(NOW, asked.destination, asked.source, b"address").unwrap();
    settle(&mut host, &mut exit);
    assert_eq!(host.recv(client), Some(("127.0.0.53:53".into(), b"address".to_vec())));
    // From another port of that address nothing is believed.
    exit.stack.udp_send_from(NOW, address("127.0.0.53:54"), asked.source, b"spoofed").unwrap();
    settle(&mut host, &mut exit);
    assert_eq!(host.stack.drops(), [("martian source", 1)]);
    // A name server of the host's own takes over.
    let own = host.bind("127.0.0.53:53");
    let other = host.bind("0.0.0.0:0");
    host.send(other, "127.0.0.53:53", b"name?");
    settle(&mut host, &mut exit);
    assert!(host.recv(own).is_some());
    assert_eq!(exit.stack.poll_any_datagram(), None);
}

#[test]
fn own_addresses_are_those_given_and_all_of_loopback() {
    let (host, _) = pair(false);
    for (text, own) in [("10.77.0.2", true), ("10.77.0.1", false), ("127.9.9.9", true), ("0.0.0.0", false)] {
        assert_eq!(host.stack.is_local(text.parse().unwrap()), own, "{text}");
    }
}

#[test]
fn of_two_addresses_on_one_network_the_first_is_left_with() {
    let (mut host, _) = pair(false);
    for other in ["10.77.0.7/24", "fd77::2/64", "fd77::7/64"] {
        host.stack.add_address(host.link, other.parse().unwrap());
    }
    for (any, to, source) in
        [("0.0.0.0:5", "10.77.0.1:9", "10.77.0.2:5"), ("[::]:6", "[fd77::1]:9", "[fd77::2]:6")]
    {
        let socket = host.bind(any);
        host.stack.udp_connect(socket, Some(address(to))).unwrap();
        assert_eq!(host.stack.udp_address(socket), Some(address(source)));
    }
}
