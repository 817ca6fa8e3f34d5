//! How connections begin, or do not.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{AF_INET, AF_INET6, STREAM, World, at, events, host, poll, read};
use ieum_socket::numbers::{IPPROTO_IPV6, IPV6_V6ONLY, SO_BINDTODEVICE, SO_REUSEPORT, SOL_SOCKET};
use ieum_socket::{Connect, Errno, Event, Host, How, RequestId, SocketId};
use ieum_stack::RouteTarget;
use ieum_wire::Cidr;
use ieum_wire::Unreachable;

#[test]
fn a_fresh_stream_is_hung_up_and_says_so_to_each_call() {
    let mut world = World::new();
    let id = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(poll(&world.a, id), "OUT|HUP");
    assert_eq!(read(&mut world.a, world.now, id, 1), Err(Errno::ENOTCONN));
    assert_eq!(world.a.send(world.now, id, b"x"), Err(Errno::EPIPE));
    assert_eq!(world.a.remote_address(id), Err(Errno::ENOTCONN));
    assert_eq!(world.a.local_address(id), Ok(at("0.0.0.0:0")));
    assert_eq!(world.a.accept(id), Err(Errno::EINVAL));
    assert_eq!(world.a.shutdown(world.now, id, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(poll(&world.a, id), "IN|OUT|HUP|RDHUP");
    assert_eq!(read(&mut world.a, world.now, id, 1), Ok(vec![]));
    assert_eq!(world.a.listen(id, 1), Ok(()));
    assert_eq!(poll(&world.a, id), "");
}

#[test]
fn a_connection_is_made_in_progress_and_told_once() {
    let mut world = World::new();
    let listener = world.listener("0.0.0.0:80");
    let client = world.a.socket(2, STREAM, 0).unwrap();
    let to = at("10.0.0.2:80");
    assert_eq!(world.a.connect(world.now, client, Some(to)), Ok(Connect::InProgress));
    assert_eq!(world.a.connect(world.now, client, Some(to)), Err(Errno::EALREADY));
    assert_eq!(poll(&world.a, client), "");
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EAGAIN));
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::EAGAIN));
    assert_eq!(world.a.remote_address(client), Err(Errno::ENOTCONN));
    assert_eq!(world.a.local_address(client).map(|local| local.ip()), Ok(at("10.0.0.1:0").ip()));
    assert_eq!(events(&mut world.a), []);
    world.settle();
    assert_eq!(events(&mut world.a), [Event::Readiness(client)]);
    assert_eq!(poll(&world.a, client), "OUT");
    assert_eq!(poll(&world.b, listener), "IN");
    assert_eq!(world.a.connect(world.now, client, Some(to)), Ok(Connect::Done));
    assert_eq!(world.a.connect(world.now, client, Some(to)), Err(Errno::EISCONN));
    assert_eq!(world.a.remote_address(client), Ok(to));
    assert_eq!(world.a.listen(client, 1), Err(Errno::EINVAL));
    assert_eq!(world.a.accept(client), Err(Errno::EINVAL));
    assert_eq!(world.a.bind(client, at("10.0.0.1:0")), Err(Errno::EINVAL));

    let (server, from) = world.b.accept(listener).unwrap();
    assert_eq!(world.b.remote_address(server), Ok(from));
    assert_eq!(world.b.local_address(server), Ok(to));
    assert_eq!(world.b.accept(listener), Err(Errno::EAGAIN));
    assert_eq!(poll(&world.b, listener), "");
    assert_eq!(world.b.connect(world.now, server, Some(to)), Err(Errno::EISCONN));
}

#[test]
fn a_refusal_is_told_by_the_next_connect_and_the_socket_is_like_new() {
    let mut world = World::new();
    let client = world.refused();
    assert_eq!(poll(&world.a, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:9"))), Err(Errno::ECONNREFUSED));
    assert_eq!(poll(&world.a, client), "OUT|HUP");
    world.listener("10.0.0.2:9");
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:9"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:9"))), Ok(Connect::Done));
}

#[test]
fn a_refusal_told_by_so_error_leaves_an_aborted_attempt() {
    let mut world = World::new();
    let client = world.refused();
    assert_eq!(world.a.error(client), Some(Errno::ECONNREFUSED));
    assert_eq!(world.a.option(client, 1, 4), Ok(Errno::ECONNREFUSED.0.to_ne_bytes().to_vec()));
    assert_eq!(world.a.option(client, 1, 4), Ok(vec![0; 4]));
    assert_eq!(poll(&world.a, client), "IN|OUT|HUP|RDHUP");
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:9"))), Err(Errno::ECONNABORTED));
    assert_eq!(poll(&world.a, client), "OUT|HUP");
}

#[test]
fn a_refusal_is_told_once_by_reading_or_writing() {
    let mut world = World::new();
    let client = world.refused();
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::ECONNREFUSED));
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(vec![]));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
    assert_eq!(world.a.shutdown(world.now, client, How::Write), Err(Errno::ENOTCONN));
    let client = world.refused();
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn a_silent_peer_is_a_time_out() {
    let mut world = World::new();
    world.cut = true;
    let client = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.pass(Duration::from_secs(300));
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Err(Errno::ETIMEDOUT));
}

#[test]
fn no_route_is_told_at_once() {
    let mut world = World::new();
    let id = world.a.socket(2, STREAM, 0).unwrap();
    let connect = |world: &mut World, to: &str| world.a.connect(world.now, id, Some(at(to)));
    assert_eq!(connect(&mut world, "192.0.2.1:80"), Err(Errno::ENETUNREACH));
    for (reason, errno) in [
        (Unreachable::Host, Errno::EHOSTUNREACH),
        (Unreachable::Network, Errno::ENETUNREACH),
        (Unreachable::Prohibited, Errno::EACCES),
    ] {
        world.a.stack_mut().add_route(Cidr::ALL_IP4, RouteTarget::Unreachable(reason), None);
        assert_eq!(connect(&mut world, "192.0.2.1:80"), Err(errno));
    }
    assert_eq!(connect(&mut world, "255.255.255.255:80"), Err(Errno::ENETUNREACH));
    assert_eq!(connect(&mut world, "224.0.0.1:80"), Err(Errno::ENETUNREACH));
    assert_eq!(connect(&mut world, "[::1]:80"), Err(Errno::EAFNOSUPPORT));
    assert_eq!(poll(&world.a, id), "OUT|HUP");
    assert_eq!(world.a.local_address(id), Ok(at("0.0.0.0:0")));
}

#[test]
fn the_unspecified_address_is_this_host() {
    let mut world = World::new();
    let listener = world.listener("127.0.0.1:80");
    let client = world.b.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.b.connect(world.now, client, Some(at("0.0.0.0:80"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(world.b.remote_address(client), Ok(at("127.0.0.1:80")));
    assert_eq!(world.b.accept(listener).map(|(_, from)| from), world.b.local_address(client));
}

#[test]
fn connecting_to_a_port_that_nobody_has_on_the_same_host_is_refused_after_the_call() {
    let mut world = World::new();
    let id = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, id, Some(at("127.0.0.1:9"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(poll(&world.a, id), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(world.a.connect(world.now, id, Some(at("127.0.0.1:9"))), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_socket_connected_to_itself_talks_to_itself() {
    let mut world = World::new();
    let id = world.a.socket(2, STREAM, 0).unwrap();
    world.a.bind(id, at("127.0.0.1:7000")).unwrap();
    assert_eq!(world.a.connect(world.now, id, Some(at("127.0.0.1:7000"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(world.a.connect(world.now, id, Some(at("127.0.0.1:7000"))), Ok(Connect::Done));
    assert_eq!(world.a.remote_address(id), world.a.local_address(id));
    assert_eq!(world.a.send(world.now, id, b"echo"), Ok(4));
    world.settle();
    assert_eq!(read(&mut world.a, world.now, id, 9), Ok(b"echo".to_vec()));
}

#[test]
fn af_unspec_resets_a_stream_and_makes_it_like_new() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.a.connect(world.now, client, None), Ok(Connect::Done));
    assert_eq!(poll(&world.a, client), "OUT|ERR|HUP");
    assert_eq!(world.a.remote_address(client), Err(Errno::ENOTCONN));
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::ECONNRESET));
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::ENOTCONN));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, server, 1), Err(Errno::ECONNRESET));
    let fresh = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, fresh, None), Ok(Connect::Done));
    assert_eq!(world.a.error(fresh), None);
}

#[test]
fn shutting_a_connecting_stream_down_ends_the_attempt() {
    let mut world = World::new();
    let id = world.a.socket(2, STREAM, 0).unwrap();
    world.cut = true;
    assert_eq!(world.a.connect(world.now, id, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    assert_eq!(world.a.shutdown(world.now, id, How::Both), Ok(()));
    assert_eq!(world.a.error(id), Some(Errno::ECONNRESET));
    assert_eq!(world.a.connect(world.now, id, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    assert_eq!(world.a.error(id), None);
}

#[test]
fn a_held_request_is_established_when_it_is_accepted() {
    let mut world = World::with_requests(true);
    let listener = world.listener("10.0.0.2:80");
    events(&mut world.b);
    let client = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(poll(&world.a, client), "");
    let [Event::Request(socket, request)] = events(&mut world.b)[..] else { panic!("one request") };
    assert_eq!(socket, listener);
    world.b.accept_request(request);
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
    assert_eq!(events(&mut world.b), [Event::Readiness(listener)]);
    assert!(world.b.accept(listener).is_ok());
}

#[test]
fn a_held_request_is_reset_when_it_is_refused() {
    let mut world = World::with_requests(true);
    world.listener("10.0.0.2:80");
    events(&mut world.b);
    let client = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    let [Event::Request(_, request)] = events(&mut world.b)[..] else { panic!("one request") };
    world.b.refuse_request(request);
    world.settle();
    assert_eq!(world.a.error(client), Some(Errno::ECONNREFUSED));
}

/// A socket of `b` that listens at `address` and shares its port, after `option` (level, name and value) was set.
fn sharer(world: &mut World, address: &str, option: Option<(i32, i32, &[u8])>, backlog: i32) -> SocketId {
    let domain = if at(address).is_ipv4() { AF_INET } else { AF_INET6 };
    let listener = world.b.socket(domain, STREAM, 0).unwrap();
    let shares: (i32, i32, &[u8]) = (SOL_SOCKET, SO_REUSEPORT, &1_i32.to_ne_bytes());
    for (level, name, value) in [Some(shares), option].into_iter().flatten() {
        world.b.set_option(world.now, listener, level, name, value).unwrap();
    }
    world.b.bind(listener, at(address)).unwrap();
    world.b.listen(listener, backlog).unwrap();
    events(&mut world.b);
    listener
}

/// A client of `a` that asks for port 80 of `b`, whom of `b`'s sockets it asks, and its request.
fn asking(world: &mut World) -> (SocketId, SocketId, RequestId) {
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    let (asked, request) = only_request(&mut world.b);
    (client, asked, request)
}

/// Three sockets of `b` that listen at one port, the client of `a` that asks for it, whom of the three, and its request.
fn sharing(world: &mut World) -> ([SocketId; 3], SocketId, SocketId, RequestId) {
    let listeners = [(); 3].map(|()| sharer(world, "10.0.0.2:80", None, 5));
    let (client, asked, request) = asking(world);
    assert!(listeners.contains(&asked));
    (listeners, client, asked, request)
}

/// The only request that is told.
fn only_request(host: &mut Host) -> (SocketId, RequestId) {
    let of_request = |event| match event {
        Event::Request(id, request) => Some((id, request)),
        Event::Readiness(_) | Event::Serving { .. } => None,
    };
    let told: Vec<_> = events(host).into_iter().filter_map(of_request).collect();
    let [told] = told[..] else { panic!("one request: {told:?}") };
    told
}

#[test]
fn a_held_request_is_passed_on_when_its_listener_closes_and_others_share_the_port() {
    let mut world = World::with_requests(true);
    let (listeners, client, asked, first) = sharing(&mut world);
    world.b.close(world.now, asked);
    let (other, second) = only_request(&mut world.b);
    assert!(other != asked && listeners.contains(&other));
    // Who answers what is over already answers nothing.
    world.b.refuse_request(first);
    world.b.accept_request(second);
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
    assert!(world.b.accept(other).is_ok());
}

#[test]
fn a_held_request_is_refused_when_the_last_listener_of_the_port_closes() {
    let mut world = World::with_requests(true);
    let (listeners, client, _, _) = sharing(&mut world);
    for listener in listeners {
        world.b.close(world.now, listener);
    }
    world.settle();
    assert_eq!(world.a.error(client), Some(Errno::ECONNREFUSED));
}

#[test]
fn a_held_request_is_passed_on_to_who_listens_at_every_address() {
    let mut world = World::with_requests(true);
    let everywhere = sharer(&mut world, "0.0.0.0:80", None, 5);
    let specific = sharer(&mut world, "10.0.0.2:80", None, 5);
    let (client, asked, _) = asking(&mut world);
    assert_eq!(asked, specific);
    world.b.close(world.now, specific);
    let (other, request) = only_request(&mut world.b);
    assert_eq!(other, everywhere);
    world.b.accept_request(request);
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
    assert!(world.b.accept(everywhere).is_ok());
}

#[test]
fn a_held_request_of_ip4_is_not_passed_on_to_who_listens_for_ip6_alone() {
    let mut world = World::with_requests(true);
    let dual = sharer(&mut world, "[::]:80", None, 5);
    let v6_only: (i32, i32, &[u8]) = (IPPROTO_IPV6, IPV6_V6ONLY, &1_i32.to_ne_bytes());
    sharer(&mut world, "[::]:80", Some(v6_only), 5);
    let (client, asked, _) = asking(&mut world);
    assert_eq!(asked, dual);
    world.b.close(world.now, dual);
    assert!(!events(&mut world.b).iter().any(|event| matches!(event, Event::Request(..))));
    world.settle();
    assert_eq!(world.a.error(client), Some(Errno::ECONNREFUSED));
}

#[test]
fn a_held_request_is_passed_on_by_who_keeps_to_its_link_to_who_keeps_to_none() {
    let mut world = World::with_requests(true);
    let of_all = sharer(&mut world, "0.0.0.0:80", None, 5);
    let of_link = sharer(&mut world, "0.0.0.0:80", Some((SOL_SOCKET, SO_BINDTODEVICE, b"eth0")), 5);
    let (client, asked, _) = asking(&mut world);
    assert_eq!(asked, of_link);
    world.b.close(world.now, of_link);
    let (other, request) = only_request(&mut world.b);
    assert_eq!(other, of_all);
    world.b.accept_request(request);
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
}

#[test]
fn a_held_request_that_nobody_has_room_for_is_counted_and_comes_again() {
    let mut world = World::with_requests(true);
    let full = sharer(&mut world, "0.0.0.0:80", None, 0);
    let (_, _, first) = asking(&mut world);
    world.b.accept_request(first);
    world.settle();
    let specific = sharer(&mut world, "10.0.0.2:80", None, 5);
    let (client, asked, _) = asking(&mut world);
    assert_eq!(asked, specific);
    assert_eq!(world.b.stack().drops(), []);
    world.b.close(world.now, specific);
    assert_eq!(world.b.stack().drops(), [("tcp not passed on", 1)]);
    world.settle();
    assert!(world.b.accept(full).is_ok());
    events(&mut world.b);
    world.pass(Duration::from_secs(2));
    let (other, request) = only_request(&mut world.b);
    assert_eq!(other, full);
    world.b.accept_request(request);
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
}

#[test]
fn a_closed_socket_is_no_descriptor_any_more() {
    let mut host = host(3, false);
    let now = ieum_wire::Instant::ZERO;
    let id = host.socket(2, STREAM, 0).unwrap();
    host.close(now, id);
    assert_eq!(host.kind(id), None);
    assert_eq!(host.bind(id, at("127.0.0.1:1")), Err(Errno::EBADF));
    assert_eq!(host.listen(id, 1), Err(Errno::EBADF));
    assert_eq!(host.accept(id), Err(Errno::EBADF));
    assert_eq!(host.connect(now, id, None), Err(Errno::EBADF));
    assert_eq!(host.send(now, id, b""), Err(Errno::EBADF));
    assert_eq!(host.recv(now, id, &mut [], false), Err(Errno::EBADF));
    assert_eq!(host.shutdown(now, id, How::Read), Err(Errno::EBADF));
    assert_eq!(host.local_address(id), Err(Errno::EBADF));
    assert_eq!(host.option(id, 1, 4), Err(Errno::EBADF));
    assert_eq!(host.set_option(now, id, 1, 2, &[1, 0, 0, 0]), Err(Errno::EBADF));
    assert_eq!(poll(&host, id), "");
    host.close(now, id);
}
