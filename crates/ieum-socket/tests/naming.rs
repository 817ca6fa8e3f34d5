//! Addresses and ports: bind, listen, and who is told about them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{DATAGRAM, STREAM, World, at, events, host, poll};
use ieum_socket::numbers::{SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET};
use ieum_socket::{Connect, Errno, Event, Host, How, Kind, SocketId};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

fn bound(host: &mut Host, kind: i32, address: &str) -> Result<SocketId, Errno> {
    let id = host.socket(2, kind, 0)?;
    host.bind(id, at(address)).map(|()| id)
}

fn with_option(host: &mut Host, kind: i32, name: i32) -> SocketId {
    let id = host.socket(2, kind, 0).unwrap();
    host.set_option(NOW, id, SOL_SOCKET, name, &[1, 0, 0, 0]).unwrap();
    id
}

#[test]
fn an_address_can_be_bound_once_and_only_one_of_ours() {
    for kind in [STREAM, DATAGRAM] {
        let mut host = host(1, false);
        let id = host.socket(2, kind, 0).unwrap();
        assert_eq!(host.bind(id, at("8.8.8.8:0")), Err(Errno::EADDRNOTAVAIL));
        assert_eq!(host.bind(id, at("[::1]:0")), Err(Errno::EAFNOSUPPORT));
        assert_eq!(host.bind(id, at("127.0.0.1:80")), Ok(()));
        assert_eq!(host.bind(id, at("8.8.8.8:0")), Err(Errno::EADDRNOTAVAIL));
        assert_eq!(host.bind(id, at("127.0.0.1:81")), Err(Errno::EINVAL));
        assert_eq!(host.local_address(id), Ok(at("127.0.0.1:80")));
        assert_eq!(bound(&mut host, kind, "127.0.0.1:80"), Err(Errno::EADDRINUSE));
        assert_eq!(bound(&mut host, kind, "0.0.0.0:80"), Err(Errno::EADDRINUSE));
        assert!(bound(&mut host, kind, "127.0.0.2:80").is_ok());
        host.close(NOW, id);
        assert!(bound(&mut host, kind, "127.0.0.1:80").is_ok());
        let ephemeral = bound(&mut host, kind, "0.0.0.0:0").unwrap();
        assert!(host.local_address(ephemeral).is_ok_and(|local| local.port() >= 32_768));
    }
}

#[test]
fn of_two_that_reuse_an_address_one_may_listen() {
    let mut host = host(1, false);
    let one = with_option(&mut host, STREAM, SO_REUSEADDR);
    let two = with_option(&mut host, STREAM, SO_REUSEADDR);
    assert_eq!(host.bind(one, at("127.0.0.1:80")), Ok(()));
    assert_eq!(host.bind(two, at("127.0.0.1:80")), Ok(()));
    assert_eq!(host.listen(one, 1), Ok(()));
    assert_eq!(host.listen(two, 1), Err(Errno::EADDRINUSE));
    assert_eq!(poll(&host, two), "OUT|HUP");
    host.close(NOW, one);
    assert_eq!(host.listen(two, 1), Ok(()));
}

#[test]
fn all_that_reuse_a_port_may_listen() {
    let mut host = host(1, false);
    for _ in 0..3 {
        let id = with_option(&mut host, STREAM, SO_REUSEPORT);
        assert_eq!(host.bind(id, at("127.0.0.1:80")), Ok(()));
        assert_eq!(host.listen(id, 1), Ok(()));
    }
}

#[test]
fn who_shares_a_port_may_say_so_after_it_was_bound() {
    let mut host = host(1, false);
    let one = bound(&mut host, STREAM, "127.0.0.1:80").unwrap();
    let two = with_option(&mut host, STREAM, SO_REUSEADDR);
    assert_eq!(host.bind(two, at("127.0.0.1:80")), Err(Errno::EADDRINUSE));
    host.set_option(NOW, one, SOL_SOCKET, SO_REUSEADDR, &[1, 0, 0, 0]).unwrap();
    assert_eq!(host.bind(two, at("127.0.0.1:80")), Ok(()));
}

#[test]
fn a_listening_socket_answers_each_call_as_linux_does() {
    let mut world = World::new();
    let id = world.listener("10.0.0.2:80");
    let host = &mut world.b;
    assert!(host.is_listening(id));
    assert_eq!(host.recv(NOW, id, &mut [0], false), Err(Errno::ENOTCONN));
    assert_eq!(host.send(NOW, id, b"x"), Err(Errno::EPIPE));
    assert_eq!(host.connect(NOW, id, Some(at("10.0.0.1:80"))), Err(Errno::EISCONN));
    assert_eq!(host.bind(id, at("127.0.0.1:0")), Err(Errno::EINVAL));
    assert_eq!(host.remote_address(id), Err(Errno::ENOTCONN));
    assert_eq!(host.listen(id, 3), Ok(()));
    assert_eq!(host.shutdown(NOW, id, How::Write), Ok(()));
    assert_eq!(poll(host, id), "");
    assert_eq!(host.shutdown(NOW, id, How::Read), Ok(()));
    assert_eq!(poll(host, id), "OUT|HUP");
    assert_eq!(host.accept(id), Err(Errno::EINVAL));
    assert_eq!(host.local_address(id), Ok(at("10.0.0.2:80")));
    assert_eq!(host.listen(id, 3), Ok(()));
    assert_eq!(host.connect(NOW, id, None), Ok(Connect::Done));
    assert_eq!((poll(host, id).as_str(), host.error(id)), ("OUT|HUP", None));
}

#[test]
fn listening_binds_what_is_not_bound() {
    let mut host = host(1, false);
    let id = host.socket(2, STREAM, 0).unwrap();
    assert_eq!(host.listen(id, -1), Ok(()));
    let local = host.local_address(id).unwrap();
    assert!(local.ip().is_unspecified() && local.port() >= 32_768);
    host.shutdown(NOW, id, How::Read).unwrap();
    assert_eq!(host.local_address(id), Ok(local), "the port's name stays, though it is free");
    let other = host.socket(2, STREAM, 0).unwrap();
    assert_eq!(host.bind(other, local), Ok(()));
}

#[test]
fn the_backlog_bounds_who_waits_to_be_accepted() {
    let mut world = World::new();
    let listener = world.b.socket(2, STREAM, 0).unwrap();
    world.b.bind(listener, at("10.0.0.2:80")).unwrap();
    world.b.listen(listener, 1).unwrap();
    for _ in 0..5 {
        let client = world.a.socket(2, STREAM, 0).unwrap();
        world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
        world.settle();
    }
    let accepted = std::iter::from_fn(|| world.b.accept(listener).ok()).count();
    assert_eq!(accepted, 2, "Linux lets one more wait than the backlog says");
}

#[test]
fn whoever_publishes_ports_is_told_what_is_served() {
    let mut host = host(1, false);
    let serving =
        |kind, address: &str, serving| Event::Serving { kind, address: at(address), v6_only: false, serving };

    let id = bound(&mut host, STREAM, "127.0.0.1:80").unwrap();
    assert_eq!(events(&mut host), []);
    host.listen(id, 1).unwrap();
    host.listen(id, 2).unwrap();
    assert_eq!(events(&mut host), [serving(Kind::Stream, "127.0.0.1:80", true)]);
    host.shutdown(NOW, id, How::Read).unwrap();
    assert_eq!(events(&mut host), [serving(Kind::Stream, "127.0.0.1:80", false), Event::Readiness(id)]);
    host.listen(id, 1).unwrap();
    host.close(NOW, id);
    let both = [true, false].map(|began| serving(Kind::Stream, "127.0.0.1:80", began));
    assert_eq!(events(&mut host), both);

    let id = bound(&mut host, DATAGRAM, "0.0.0.0:53").unwrap();
    host.close(NOW, id);
    let both = [true, false].map(|began| serving(Kind::Datagram, "0.0.0.0:53", began));
    assert_eq!(events(&mut host), both);
}

#[test]
fn a_bound_stream_connects_from_where_it_is_bound() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let client = bound(&mut world.a, STREAM, "10.0.0.1:4000").unwrap();
    world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
    world.settle();
    assert_eq!(world.b.accept(listener).map(|(_, from)| from), Ok(at("10.0.0.1:4000")));
    assert_eq!(world.a.local_address(client), Ok(at("10.0.0.1:4000")));
    // Disconnected, it keeps the port that was named.
    world.a.connect(world.now, client, None).unwrap();
    assert_eq!(world.a.local_address(client), Ok(at("10.0.0.1:4000")));
}

#[test]
fn the_port_of_living_connections_is_free_only_for_who_reuses_it() {
    let mut world = World::new();
    let listener = with_option(&mut world.b, STREAM, SO_REUSEADDR);
    world.b.bind(listener, at("10.0.0.2:80")).unwrap();
    world.b.listen(listener, 1).unwrap();
    let client = world.a.socket(2, STREAM, 0).unwrap();
    world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
    world.settle();
    world.b.accept(listener).unwrap();
    world.b.close(world.now, listener);
    assert_eq!(bound(&mut world.b, STREAM, "10.0.0.2:80"), Err(Errno::EADDRINUSE));
    let next = with_option(&mut world.b, STREAM, SO_REUSEADDR);
    assert_eq!(world.b.bind(next, at("10.0.0.2:80")), Ok(()));
    assert_eq!(world.b.listen(next, 1), Ok(()));
}
