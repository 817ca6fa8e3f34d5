//! Datagram sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{DATAGRAM, World, at, events, host, poll, read};
use ieum_socket::numbers::{
    IP_MTU_DISCOVER, IP_RECVERR, IPPROTO_IP, IPPROTO_UDP, MSG_PEEK, SO_BROADCAST, SO_TIMESTAMPNS, SOL_SOCKET,
    UDP_CORK, UDP_GRO, UDP_SEGMENT,
};
use ieum_socket::{
    Ancillary, Connect, Control, Errno, Event, Host, How, Kind, Reading, Received, SocketId, Wait,
};
use ieum_stack::{Datagram, LinkConfig, Stack, StackConfig};
use ieum_wire::Instant;
use ieum_wire::Unreachable;

const NOW: Instant = Instant::ZERO;

fn server(world: &mut World) -> SocketId {
    let id = world.b.socket(2, DATAGRAM, 0).unwrap();
    world.b.bind(id, at("10.0.0.2:53")).unwrap();
    events(&mut world.b);
    id
}

#[test]
fn a_fresh_datagram_socket_answers_each_call_as_linux_does() {
    let mut host = host(1, false);
    let id = host.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(poll(&host, id), "OUT");
    assert_eq!(read(&mut host, NOW, id, 1), Err(Errno::EAGAIN));
    assert_eq!(host.local_address(id), Ok(at("0.0.0.0:0")));
    assert_eq!(host.remote_address(id), Err(Errno::ENOTCONN));
    assert_eq!(host.listen(id, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.accept(id), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.send(NOW, id, b"x"), Err(Errno::EDESTADDRREQ));
    assert!(host.local_address(id).is_ok_and(|local| local.port() != 0), "sending binds, even when it fails");
    assert_eq!(host.bind(id, at("127.0.0.1:0")), Err(Errno::EINVAL));
    let mut send_to = |bytes: &[u8], to: &str| host.send_to(NOW, id, bytes, Some(at(to)));
    assert_eq!(send_to(b"x", "127.0.0.1:0"), Err(Errno::EINVAL));
    assert_eq!(send_to(b"x", "[::1]:9"), Err(Errno::EAFNOSUPPORT));
    assert_eq!(send_to(&[0; 65_508], "127.0.0.1:9"), Err(Errno::EMSGSIZE));
    assert_eq!(send_to(&[0; 70_000], "127.0.0.1:9"), Err(Errno::EMSGSIZE));
    assert_eq!(send_to(&[0; 65_507], "127.0.0.1:9"), Ok(65_507));
    assert_eq!(send_to(b"x", "255.255.255.255:9"), Err(Errno::ENETUNREACH));
    assert_eq!(send_to(b"x", "192.0.2.1:9"), Err(Errno::ENETUNREACH));
}

#[test]
fn what_is_cut_by_one_call_is_joined_for_who_asks_and_says_so() {
    let mut world = World::new();
    let server = server(&mut world);
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    let on = 1_i32.to_ne_bytes();
    world.b.set_option(world.now, server, IPPROTO_UDP, UDP_GRO, &on).unwrap();
    world.a.set_option(world.now, client, IPPROTO_UDP, UDP_SEGMENT, &1000_i32.to_ne_bytes()).unwrap();
    let to = Some(at("10.0.0.2:53"));
    let sized = |size| Ancillary { segment_bytes: Some(size), ..Ancillary::default() };
    assert_eq!(world.a.send_to(world.now, client, &[1; 2500], to), Ok(2500));
    assert_eq!(world.a.send_message(world.now, client, &[1; 900], to, sized(0)), Ok(900));
    assert_eq!(world.a.send_message(world.now, client, &[1; 3000], to, sized(1473)), Err(Errno::EMSGSIZE));
    assert_eq!(world.a.send_message(world.now, client, &[1; 3000], to, sized(1)), Err(Errno::EINVAL));
    world.settle();
    let mut take = |bytes| {
        let (mut wait, mut received) = (Wait::default(), Received::default());
        let reading = Reading { bytes, flags: 0, into: true, blocks: false };
        let count = world.b.recv_waiting(world.now, server, &reading, &mut wait, &mut received);
        (count, received.control, received.flags)
    };
    let told = Control { level: IPPROTO_UDP, kind: UDP_GRO, data: 1000_i32.to_ne_bytes().to_vec() };
    assert_eq!(take(3000), (Some(Ok(2500)), vec![told], 0));
    assert_eq!(take(3000), (Some(Ok(900)), vec![], 0));
}

#[test]
fn the_time_that_is_told_is_when_a_datagram_came_and_not_when_it_is_read() {
    let mut world = World::new();
    let server = server(&mut world);
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.b.set_option(world.now, server, SOL_SOCKET, SO_TIMESTAMPNS, &1_i32.to_ne_bytes()).unwrap();
    world.b.set_time_of_day(Duration::from_secs(1_000_000));
    assert_eq!(world.a.send_to(world.now, client, b"now", Some(at("10.0.0.2:53"))), Ok(3));
    world.settle();
    let came = Duration::from_secs(1_000_000) + world.now.since(Instant::ZERO);
    for flags in [MSG_PEEK, 0] {
        world.now += Duration::from_secs(3);
        let (mut wait, mut received) = (Wait::default(), Received::default());
        let reading = Reading { bytes: 9, flags, into: true, blocks: false };
        assert_eq!(world.b.recv_waiting(world.now, server, &reading, &mut wait, &mut received), Some(Ok(3)));
        let data = [came.as_secs(), came.subsec_nanos().into()].map(u64::to_ne_bytes).concat();
        assert_eq!(received.control, [Control { level: SOL_SOCKET, kind: SO_TIMESTAMPNS, data }]);
    }
}

#[test]
fn datagrams_keep_their_borders_and_their_sources() {
    let mut world = World::new();
    let server = server(&mut world);
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    for bytes in [&b"one"[..], b"", b"three"] {
        assert_eq!(world.a.send_to(world.now, client, bytes, Some(at("10.0.0.2:53"))), Ok(bytes.len()));
    }
    world.settle();
    assert_eq!(events(&mut world.b), [Event::Readiness(server)]);
    assert_eq!(poll(&world.b, server), "IN|OUT");
    let port = world.a.local_address(client).unwrap().port();
    let from = at(&format!("10.0.0.1:{port}"));
    assert_eq!(world.b.recv_from(world.now, server, true), Ok((b"one".to_vec(), from)));
    assert_eq!(world.b.recv_from(world.now, server, false), Ok((b"one".to_vec(), from)));
    assert_eq!(read(&mut world.b, world.now, server, 9), Ok(vec![]));
    assert_eq!(read(&mut world.b, world.now, server, 2), Ok(b"th".to_vec()));
    assert_eq!(world.b.recv_from(world.now, server, false), Err(Errno::EAGAIN));
    assert_eq!(world.b.send_to(world.now, server, b"back", Some(from)), Ok(4));
    world.settle();
    assert_eq!(world.a.recv_from(world.now, client, false), Ok((b"back".to_vec(), at("10.0.0.2:53"))));
}

#[test]
fn a_connected_socket_learns_its_address_and_hears_only_its_peer() {
    let mut world = World::new();
    let server = server(&mut world);
    let other = world.b.socket(2, DATAGRAM, 0).unwrap();
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:53"))), Ok(Connect::Done));
    assert_eq!(world.a.remote_address(client), Ok(at("10.0.0.2:53")));
    let local = world.a.local_address(client).unwrap();
    assert_eq!(local.ip(), at("10.0.0.1:0").ip());
    assert_eq!(world.a.send(world.now, client, b"ask"), Ok(3));
    world.settle();
    assert_eq!(world.b.recv_from(world.now, server, false), Ok((b"ask".to_vec(), local)));
    assert_eq!(world.b.send_to(world.now, other, b"noise", Some(local)), Ok(5));
    assert_eq!(world.b.send_to(world.now, server, b"answer", Some(local)), Ok(6));
    world.settle();
    assert_eq!(read(&mut world.a, world.now, client, 9), Ok(b"answer".to_vec()));
    assert_eq!(read(&mut world.a, world.now, client, 9), Err(Errno::EAGAIN));
    // AF_UNSPEC dissolves it; a port that was not named goes too.
    assert_eq!(world.a.connect(world.now, client, None), Ok(Connect::Done));
    assert_eq!(world.a.remote_address(client), Err(Errno::ENOTCONN));
    assert_eq!(world.a.local_address(client), Ok(at("0.0.0.0:0")));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EDESTADDRREQ));
}

#[test]
fn a_named_port_outlives_its_association() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.bind(id, at("0.0.0.0:5000")).unwrap();
    world.a.connect(world.now, id, Some(at("10.0.0.2:53"))).unwrap();
    assert_eq!(world.a.local_address(id), Ok(at("10.0.0.1:5000")));
    world.a.connect(world.now, id, None).unwrap();
    assert_eq!(world.a.local_address(id), Ok(at("0.0.0.0:5000")));
}

#[test]
fn a_refused_datagram_is_told_once_to_a_connected_socket() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.connect(world.now, id, Some(at("10.0.0.2:9"))).unwrap();
    events(&mut world.a);
    assert_eq!(world.a.send(world.now, id, b"x"), Ok(1));
    world.settle();
    assert!(events(&mut world.a).contains(&Event::Readiness(id)));
    assert_eq!(poll(&world.a, id), "OUT|ERR");
    assert_eq!(read(&mut world.a, world.now, id, 1), Err(Errno::ECONNREFUSED));
    assert_eq!(read(&mut world.a, world.now, id, 1), Err(Errno::EAGAIN));
    assert_eq!(world.a.send(world.now, id, b"x"), Ok(1));
    world.settle();
    assert_eq!(world.a.send(world.now, id, b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(world.a.send(world.now, id, b"x"), Ok(1));
    world.settle();
    assert_eq!(world.a.take_error(id), Some(Errno::ECONNREFUSED));
    assert_eq!(world.a.take_error(id), None);
}

#[test]
fn a_refused_datagram_is_no_matter_to_an_unconnected_socket() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(world.a.send_to(world.now, id, b"x", Some(at("10.0.0.2:9"))), Ok(1));
    world.settle();
    assert_eq!(poll(&world.a, id), "OUT");
}

#[test]
fn passing_trouble_is_told_only_to_who_wants_errors() {
    let mut host = host(1, false);
    let link = host.stack_mut().add_link(LinkConfig::in_process());
    host.stack_mut().add_address(link, "10.0.0.1/24".parse().unwrap());
    let mut config = StackConfig::new([9; 32]);
    config.accept_any_destination = true;
    let mut gateway = Stack::new(config);
    let far_link = gateway.add_link(LinkConfig::in_process());
    gateway.add_address(far_link, "10.0.0.2/24".parse().unwrap());

    let id = host.socket(2, DATAGRAM, 0).unwrap();
    host.connect(NOW, id, Some(at("10.0.0.9:53"))).unwrap();
    let mut refused = |host: &mut Host| {
        host.send(NOW, id, b"x").unwrap();
        let (_, frame) = host.poll_frame(NOW).expect("the datagram leaves");
        gateway.on_frame(NOW, far_link, frame);
        let Datagram { source, destination, .. } = gateway.poll_any_datagram().expect("it arrives");
        gateway.udp_refuse(source, destination, Unreachable::Host);
        let (_, frame) = gateway.poll_frame(NOW).expect("the error leaves");
        host.on_frame(NOW, link, frame);
        host.take_error(id)
    };
    assert_eq!(refused(&mut host), None);
    host.set_option(NOW, id, IPPROTO_IP, IP_RECVERR, &[1, 0, 0, 0]).unwrap();
    assert_eq!(refused(&mut host), Some(Errno::EHOSTUNREACH));
    let notice = host.recv_notice(id, 100).unwrap();
    // Who refuses a datagram that is gone quotes its headers alone.
    assert_eq!((&notice.bytes[..], notice.source), (&b""[..], Some(at("10.0.0.9:53"))));
    // struct sock_extended_err: EHOSTUNREACH by ICMP, type 3 code 1; then the offender, a sockaddr_in.
    assert_eq!(notice.control[0].data[..8], [113, 0, 0, 0, 2, 3, 1, 0]);
    assert_eq!(notice.control[0].data[16..24], [2, 0, 0, 0, 10, 0, 0, 9]);
    assert_eq!(host.recv_notice(id, 100).err(), Some(Errno::EAGAIN));
}

#[test]
fn what_the_host_itself_cannot_send_whole_is_told_by_the_error_queue_with_the_mtu() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    let to = Some(at("10.0.0.2:9"));
    world.a.set_option(world.now, id, IPPROTO_IP, IP_MTU_DISCOVER, &2_i32.to_ne_bytes()).unwrap();
    assert_eq!(world.a.send_to(world.now, id, &[0; 1473], to), Err(Errno::EMSGSIZE));
    assert_eq!(world.a.recv_notice(id, 10).err(), Some(Errno::EAGAIN), "nobody asked");
    world.a.set_option(world.now, id, IPPROTO_IP, IP_RECVERR, &[1, 0, 0, 0]).unwrap();
    assert_eq!(world.a.send_to(world.now, id, &[0; 1472], to), Ok(1472));
    for connected in [false, true] {
        if connected {
            world.a.connect(world.now, id, to).unwrap();
        }
        assert_eq!(world.a.send_to(world.now, id, &[0; 1473], to), Err(Errno::EMSGSIZE));
        assert_eq!(poll(&world.a, id), "OUT|ERR");
        let notice = world.a.recv_notice(id, 10).unwrap();
        let port = if connected { 9 } else { 0 };
        assert_eq!((&notice.bytes[..], notice.source), (&b""[..], Some(at(&format!("10.0.0.2:{port}")))));
        // struct sock_extended_err: EMSGSIZE of the host itself, with 1500 as its info; and nobody who offends.
        assert_eq!(notice.control[0].data[..12], [90, 0, 0, 0, 1, 0, 0, 0, 0xdc, 5, 0, 0]);
        assert_eq!(notice.control[0].data[12..], [0; 20]);
        assert_eq!(world.a.take_error(id), None);
        assert_eq!(poll(&world.a, id), "OUT");
    }
}

#[test]
fn reading_the_last_notice_takes_the_pending_error() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.set_option(world.now, id, IPPROTO_IP, IP_RECVERR, &[1, 0, 0, 0]).unwrap();
    for port in ["1", "2"] {
        world.a.take_error(id);
        let to = at(&format!("10.0.0.2:{port}"));
        assert_eq!(world.a.send_to(world.now, id, b"x", Some(to)), Ok(1), "it is not connected");
        world.settle();
    }
    assert_eq!(poll(&world.a, id), "OUT|ERR");
    let ports = [(); 2].map(|()| world.a.recv_notice(id, 10).unwrap().source.map(|to| to.port()));
    assert_eq!(ports, [Some(1), Some(2)]);
    assert_eq!(world.a.take_error(id), None);
    assert_eq!(poll(&world.a, id), "OUT");
}

#[test]
fn a_broadcast_needs_so_broadcast() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    let everybody = Some(at("10.0.0.255:9"));
    assert_eq!(world.a.connect(world.now, id, everybody), Err(Errno::EACCES));
    assert_eq!(world.a.send_to(world.now, id, b"x", everybody), Err(Errno::EACCES));
    let mut host = host(1, false);
    let id = host.socket(2, DATAGRAM, 0).unwrap();
    // Without a link there is no way, and that is said first.
    assert_eq!(host.connect(NOW, id, Some(at("255.255.255.255:9"))), Err(Errno::ENETUNREACH));
    host.set_option(NOW, id, SOL_SOCKET, SO_BROADCAST, &[1, 0, 0, 0]).unwrap();
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("255.255.255.255:9"))), Err(Errno::ENETUNREACH));
}

#[test]
fn shutting_down_marks_both_directions() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(world.a.shutdown(world.now, id, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(poll(&world.a, id), "IN|OUT|HUP|RDHUP");
    world.a.connect(world.now, id, Some(at("10.0.0.2:53"))).unwrap();
    assert_eq!(world.a.shutdown(world.now, id, How::Both), Ok(()));
    assert_eq!(world.a.send(world.now, id, b"x"), Err(Errno::EPIPE));
    assert_eq!(
        world.a.recv_from(world.now, id, false),
        Err(Errno::EAGAIN),
        "who does not wait is told nothing new"
    );
    let mut buffer = [0; 8];
    let mut wait = Wait::default();
    let read = world.a.read_waiting(world.now, id, &mut buffer, false, true, &mut wait);
    assert_eq!(read, Some(Ok((0, Some(at("0.0.0.0:0"))))), "who waits is told of the end");
}

#[test]
fn two_sockets_of_one_host_reach_each_other() {
    let mut world = World::new();
    let one = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.bind(one, at("127.0.0.1:7000")).unwrap();
    let two = world.a.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, two, Some(at("0.0.0.0:7000"))), Ok(Connect::Done));
    assert_eq!(world.a.remote_address(two), Ok(at("127.0.0.1:7000")));
    world.a.send(world.now, two, b"hello").unwrap();
    world.settle();
    let from = world.a.local_address(two).unwrap();
    assert_eq!(world.a.recv_from(world.now, one, false), Ok((b"hello".to_vec(), from)));
}

#[test]
fn sending_serves_a_port_too() {
    let mut world = World::new();
    let id = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.send_to(world.now, id, b"x", Some(at("10.0.0.2:9"))).unwrap();
    let address = world.a.local_address(id).unwrap();
    assert_eq!(
        events(&mut world.a),
        [Event::Serving { kind: Kind::Datagram, address, v6_only: false, serving: true }]
    );
}

#[test]
fn pieces_of_a_datagram_go_out_with_the_last() {
    let mut world = World::new();
    let server = server(&mut world);
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    let to = Some(at("10.0.0.2:53"));
    let more = Ancillary { more: true, ..Ancillary::default() };
    assert_eq!(world.a.send_message(world.now, client, b"ab", None, more), Err(Errno::EDESTADDRREQ));
    assert_eq!(world.a.send_message(world.now, client, b"ab", to, more), Ok(2));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, server, 10), Err(Errno::EAGAIN));
    assert_eq!(world.a.send_message(world.now, client, b"cd", Some(at("10.0.0.2:54")), more), Ok(2));
    assert_eq!(world.a.send_to(world.now, client, b"e", to), Ok(1));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, server, 10), Ok(b"abcde".to_vec()));

    assert_eq!(world.a.send_message(world.now, client, &[0; 65_000], to, more), Ok(65_000));
    assert_eq!(world.a.send_to(world.now, client, &[0; 508], to), Err(Errno::EMSGSIZE));
    let cork = |host: &mut Host, now, on: i32| {
        host.set_option(now, client, IPPROTO_UDP, UDP_CORK, &on.to_ne_bytes()).unwrap();
    };
    cork(&mut world.a, world.now, 1);
    assert_eq!(world.a.send_to(world.now, client, b"f", to), Ok(1));
    assert_eq!(world.a.send_to(world.now, client, b"g", to), Ok(1));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, server, 10), Err(Errno::EAGAIN));
    cork(&mut world.a, world.now, 0);
    world.settle();
    assert_eq!(read(&mut world.b, world.now, server, 10), Ok(b"fg".to_vec()));
}
