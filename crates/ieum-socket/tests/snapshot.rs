//! All sockets of a host at one moment.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{AF_INET, AF_INET6, DATAGRAM, STREAM, World, at, host};
use ieum_socket::{Host, SocketView};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

/// The rows as text, without ports that were chosen: protocol, state, queues, addresses, and whether it has a socket.
fn rows(host: &Host) -> Vec<String> {
    let address = |address: std::net::SocketAddr| match address.port() {
        port @ 0..=9999 => format!("{}:{port}", address.ip()),
        _ => format!("{}:*", address.ip()),
    };
    let text = |view: SocketView| {
        let remote = view.remote.map_or_else(|| "-".to_string(), address);
        let held = if view.id.is_some() { "" } else { " nobody" };
        let local = address(view.local);
        let (name, state) = (view.make.name(), view.state);
        format!("{name} {state} {} {} {local} {remote}{held}", view.recv_queue, view.send_queue)
    };
    host.sockets().into_iter().map(text).collect()
}

#[test]
fn every_kind_of_socket_has_a_row() {
    let mut host = host(1, false);
    host.socket(AF_INET, STREAM, 0).unwrap();
    let bound = host.socket(AF_INET6, STREAM, 0).unwrap();
    host.bind(bound, at("[::ffff:127.0.0.1]:81")).unwrap();
    let listener = host.socket(AF_INET6, STREAM, 0).unwrap();
    host.bind(listener, at("[::]:80")).unwrap();
    host.listen(listener, 5).unwrap();
    host.socket(AF_INET, DATAGRAM, 0).unwrap();
    let connected = host.socket(AF_INET6, DATAGRAM, 0).unwrap();
    host.connect(NOW, connected, Some(at("[::ffff:127.0.0.1]:53"))).unwrap();
    let ping = host.socket(AF_INET6, DATAGRAM, 58).unwrap();
    host.bind(ping, at("[::1]:7")).unwrap();
    assert_eq!(
        rows(&host),
        [
            "tcp UNCONN 0 0 0.0.0.0:0 -",
            "tcp UNCONN 0 0 ::ffff:127.0.0.1:81 -",
            "tcp LISTEN 0 5 :::80 -",
            "udp UNCONN 0 0 0.0.0.0:0 -",
            "udp ESTAB 0 0 ::ffff:127.0.0.1:* ::ffff:127.0.0.1:53",
            "icmp6 UNCONN 0 0 ::1:7 -",
        ]
    );
}

#[test]
fn queues_count_what_waits() {
    let mut world = World::new();
    let (client, server) = world.pair();
    world.a.send(world.now, client, b"hello").unwrap();
    world.settle();
    world.cut = true;
    world.b.send(world.now, server, b"ho").unwrap();
    assert_eq!(rows(&world.a), ["tcp ESTAB 0 0 10.0.0.1:* 10.0.0.2:*"]);
    assert_eq!(rows(&world.b), ["tcp ESTAB 5 2 10.0.0.2:* 10.0.0.1:*"]);
    let id = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.a.send_to(world.now, id, b"1234567890", Some(at("10.0.0.2:53"))).unwrap();
    let views = world.a.sockets();
    let view = views.iter().find(|view| view.id == Some(id)).unwrap();
    assert!(view.send_queue >= 10 && view.recv_queue == 0);
}

#[test]
fn connections_that_no_socket_holds_are_shown_to_their_end() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
    assert_eq!(rows(&world.a), ["tcp SYN-SENT 0 0 10.0.0.1:* 10.0.0.2:80"]);
    world.settle();
    // In the accept queue.
    let queued = "tcp ESTAB 0 0 10.0.0.2:80 10.0.0.1:* nobody";
    assert_eq!(rows(&world.b), ["tcp LISTEN 1 16 10.0.0.2:80 -", queued]);
    let (server, _) = world.b.accept(listener).unwrap();
    assert_eq!(rows(&world.b)[1], "tcp ESTAB 0 0 10.0.0.2:80 10.0.0.1:*");

    world.a.close(world.now, client);
    assert_eq!(rows(&world.a), ["tcp FIN-WAIT-1 0 0 10.0.0.1:* 10.0.0.2:80 nobody"]);
    world.settle();
    assert_eq!(rows(&world.a), ["tcp FIN-WAIT-2 0 0 10.0.0.1:* 10.0.0.2:80 nobody"]);
    assert_eq!(rows(&world.b)[1], "tcp CLOSE-WAIT 0 0 10.0.0.2:80 10.0.0.1:*");
    world.b.close(world.now, server);
    world.settle();
    assert_eq!(rows(&world.a), ["tcp TIME-WAIT 0 0 10.0.0.1:* 10.0.0.2:80 nobody"]);
    assert_eq!(rows(&world.b), ["tcp LISTEN 0 16 10.0.0.2:80 -"]);
    world.pass(Duration::from_secs(120));
    assert_eq!(rows(&world.a), Vec::<String>::new());
}

#[test]
fn a_request_that_is_held_is_shown_as_half_open() {
    let mut world = World::with_requests(true);
    world.listener("10.0.0.2:80");
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
    world.settle();
    assert_eq!(rows(&world.b)[1], "tcp SYN-RECV 0 0 10.0.0.2:80 10.0.0.1:* nobody");
}

#[test]
fn a_socket_whose_connection_is_over_keeps_its_row_and_its_error() {
    let mut world = World::new();
    let id = world.refused();
    let views = world.a.sockets();
    assert_eq!((views.len(), views[0].id, views[0].state), (1, Some(id), "UNCONN"));
    assert_eq!(views[0].error, Some(ieum_socket::Errno::ECONNREFUSED));
}
