//! Sockets that keep to one link (SO_BINDTODEVICE).
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{AF_INET, DATAGRAM, STREAM, World, at, read};
use ieum_socket::numbers::{
    IP_MULTICAST_IF, IPPROTO_IP, SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_REUSEADDR, SOL_SOCKET,
};
use ieum_socket::{Ancillary, Connect, Errno, Host, SocketId};
use ieum_stack::LinkConfig;
use ieum_wire::Instant;

fn keep(host: &mut Host, id: SocketId, name: &str) -> Result<(), Errno> {
    host.set_option(Instant::ZERO, id, SOL_SOCKET, SO_BINDTODEVICE, name.as_bytes())
}

/// A socket of that kind which keeps to a link and is bound.
fn kept(host: &mut Host, kind: i32, name: &str, address: &str) -> Result<SocketId, Errno> {
    let id = host.socket(AF_INET, kind, 0)?;
    keep(host, id, name)?;
    host.bind(id, at(address))?;
    Ok(id)
}

#[test]
fn a_link_is_chosen_once_by_its_name_or_number() {
    let mut world = World::new();
    let host = &mut world.a;
    let id = host.socket(AF_INET, DATAGRAM, 0).unwrap();
    assert_eq!(host.option(id, SOL_SOCKET, SO_BINDTODEVICE), Ok(vec![]));
    assert_eq!(keep(host, id, "wlan0"), Err(Errno::ENODEV));
    assert_eq!(keep(host, id, ""), Ok(()), "to none it keeps already");
    assert_eq!(keep(host, id, "eth0\0 whatever"), Ok(()));
    assert_eq!(host.option(id, SOL_SOCKET, SO_BINDTODEVICE), Ok(b"eth0\0".to_vec()));
    assert_eq!(host.option(id, SOL_SOCKET, SO_BINDTOIFINDEX), Ok(2i32.to_ne_bytes().to_vec()));
    for name in ["lo", "eth0", ""] {
        assert_eq!(keep(host, id, name), Err(Errno::EPERM));
    }
    let id = host.socket(AF_INET, STREAM, 0).unwrap();
    let number = |host: &mut Host, value: &[u8]| {
        host.set_option(Instant::ZERO, id, SOL_SOCKET, SO_BINDTOIFINDEX, value)
    };
    assert_eq!(number(host, &[1, 0]), Err(Errno::EINVAL));
    assert_eq!(number(host, &(-1i32).to_ne_bytes()), Err(Errno::EINVAL));
    assert_eq!(number(host, &9i32.to_ne_bytes()), Err(Errno::ENODEV));
    assert_eq!(number(host, &1i32.to_ne_bytes()), Ok(()));
    assert_eq!(host.option(id, SOL_SOCKET, SO_BINDTODEVICE), Ok(b"lo\0".to_vec()));
}

#[test]
fn datagrams_are_heard_from_the_own_link_alone() {
    let mut world = World::new();
    let of_link = kept(&mut world.b, DATAGRAM, "eth0", "0.0.0.0:5000").unwrap();
    // The port is busy on the other links for others alone.
    let of_loopback = kept(&mut world.b, DATAGRAM, "lo", "0.0.0.0:5000").unwrap();
    assert_eq!(kept(&mut world.b, DATAGRAM, "lo", "0.0.0.0:5000"), Err(Errno::EADDRINUSE));
    let of_all = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    assert_eq!(world.b.bind(of_all, at("0.0.0.0:5000")), Err(Errno::EADDRINUSE));

    let client = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    assert_eq!(world.a.send_to(world.now, client, b"over the link", Some(at("10.0.0.2:5000"))), Ok(13));
    world.settle();
    // What a host says to itself is heard as over the link that the address belongs to, as on Linux.
    let itself = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    assert_eq!(world.b.send_to(world.now, itself, b"at home", Some(at("10.0.0.2:5000"))), Ok(7));
    assert_eq!(world.b.send_to(world.now, itself, b"inside", Some(at("127.0.0.1:5000"))), Ok(6));
    world.settle();
    for (id, heard) in [(of_link, &["over the link", "at home"][..]), (of_loopback, &["inside"])] {
        for text in heard {
            assert_eq!(read(&mut world.b, world.now, id, 100), Ok(text.as_bytes().to_vec()));
        }
        assert_eq!(read(&mut world.b, world.now, id, 100), Err(Errno::EAGAIN));
    }
}

#[test]
fn what_is_sent_by_the_loopback_link_is_heard_there_though_it_goes_to_the_address_of_another() {
    let mut world = World::new();
    let of_link = kept(&mut world.b, DATAGRAM, "eth0", "0.0.0.0:5000").unwrap();
    let of_loopback = kept(&mut world.b, DATAGRAM, "lo", "0.0.0.0:5000").unwrap();
    let itself = kept(&mut world.b, DATAGRAM, "lo", "0.0.0.0:0").unwrap();
    assert_eq!(world.b.send_to(world.now, itself, b"kept", Some(at("10.0.0.2:5000"))), Ok(4));
    let free = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    let by_loopback = Ancillary { interface: 1, ..Ancillary::default() };
    let to = Some(at("10.0.0.2:5000"));
    assert_eq!(world.b.send_message(world.now, free, b"named", to, by_loopback), Ok(5));
    world.settle();
    for text in ["kept", "named"] {
        assert_eq!(world.b.next_arrival(of_loopback).map(|arrival| arrival.interface), Some(1));
        assert_eq!(read(&mut world.b, world.now, of_loopback, 100), Ok(text.as_bytes().to_vec()));
    }
    assert_eq!(read(&mut world.b, world.now, of_link, 100), Err(Errno::EAGAIN));
    // One that is cut on its way, too.
    let pieces = Ancillary { segment_bytes: Some(1000), ..by_loopback };
    assert_eq!(world.b.send_message(world.now, free, &[0; 65_500], to, pieces), Ok(65_500));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, of_loopback, 2000).map(|bytes| bytes.len()), Ok(1000));
    assert_eq!(read(&mut world.b, world.now, of_link, 100), Err(Errno::EAGAIN));
}

#[test]
fn who_keeps_to_the_link_comes_before_who_keeps_to_none() {
    let mut world = World::new();
    let bind = |host: &mut Host, name: &str| {
        let id = host.socket(AF_INET, DATAGRAM, 0).unwrap();
        host.set_option(Instant::ZERO, id, SOL_SOCKET, SO_REUSEADDR, &1i32.to_ne_bytes()).unwrap();
        keep(host, id, name).unwrap();
        host.bind(id, at("0.0.0.0:5000")).unwrap();
        id
    };
    let of_link = bind(&mut world.b, "eth0");
    let of_all = bind(&mut world.b, "");
    let client = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.a.send_to(world.now, client, b"x", Some(at("10.0.0.2:5000"))).unwrap();
    world.settle();
    assert!(read(&mut world.b, world.now, of_link, 100).is_ok());
    let itself = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.b.send_to(world.now, itself, b"x", Some(at("127.0.0.1:5000"))).unwrap();
    world.settle();
    assert!(read(&mut world.b, world.now, of_all, 100).is_ok());
}

#[test]
fn a_listener_takes_connections_over_its_link_alone() {
    let mut world = World::new();
    let listener = kept(&mut world.b, STREAM, "eth0", "0.0.0.0:80").unwrap();
    world.b.listen(listener, 16).unwrap();
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::Done));
    let (accepted, _) = world.b.accept(listener).unwrap();
    assert_eq!(world.b.option(accepted, SOL_SOCKET, SO_BINDTODEVICE), Ok(b"eth0\0".to_vec()));
    assert_eq!(world.a.send(world.now, client, b"hello"), Ok(5));
    world.settle();
    assert_eq!(read(&mut world.b, world.now, accepted, 100), Ok(b"hello".to_vec()));

    for (address, outcome) in [("127.0.0.1:80", Some(Errno::ECONNREFUSED)), ("10.0.0.2:80", None)] {
        let itself = world.b.socket(AF_INET, STREAM, 0).unwrap();
        assert_eq!(world.b.connect(world.now, itself, Some(at(address))), Ok(Connect::InProgress));
        world.settle();
        assert_eq!(world.b.take_error(itself), outcome, "{address}");
    }
    assert!(world.b.accept(listener).is_ok(), "by its own address it is reached over the link's");
}

#[test]
fn a_connection_leaves_by_its_link_and_hears_no_other() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let unrouted = world.a.stack_mut().add_link(LinkConfig::in_process());
    world.a.stack_mut().add_address(unrouted, "10.9.0.1/24".parse().unwrap());
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    keep(&mut world.a, client, "eth1").unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    let (link, _) = world.a.poll_frame(world.now).unwrap();
    assert_eq!(link, unrouted, "whatever the routes say");
    assert_eq!(world.a.local_address(client).unwrap().ip(), at("10.9.0.1:0").ip());

    // By the other link nobody can answer in its name: the segment is for nobody, and it does not hear of it.
    let client = world.a.socket(AF_INET, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    let (accepted, _) = world.b.accept(listener).unwrap();
    assert_eq!(keep(&mut world.a, client, "eth1"), Ok(()));
    assert_eq!(world.b.send(world.now, accepted, b"lost"), Ok(4));
    world.settle();
    assert_eq!(read(&mut world.a, world.now, client, 100), Err(Errno::EAGAIN));
    assert_eq!(read(&mut world.b, world.now, accepted, 100), Err(Errno::ECONNRESET));
}

#[test]
fn groups_are_spoken_to_by_no_other_link() {
    let mut world = World::new();
    let speaker = kept(&mut world.a, DATAGRAM, "eth0", "0.0.0.0:0").unwrap();
    let choose = |host: &mut Host, address: [u8; 4]| {
        host.set_option(Instant::ZERO, speaker, IPPROTO_IP, IP_MULTICAST_IF, &address)
    };
    assert_eq!(choose(&mut world.a, [127, 0, 0, 1]), Err(Errno::EINVAL));
    assert_eq!(choose(&mut world.a, [10, 0, 0, 1]), Ok(()));
    // No route leads to the group: the link does.
    assert_eq!(world.a.send_to(world.now, speaker, b"x", Some(at("239.1.2.3:5000"))), Ok(1));
}
