//! Whole lists of senders (RFC 3678), and the interfaces of datagrams.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{DATAGRAM, STREAM, World, at, host};
use ieum_socket::numbers::{
    IP_ADD_MEMBERSHIP, IP_MSFILTER, IP_MULTICAST_IF, IPPROTO_IP, MCAST_JOIN_GROUP, MCAST_MSFILTER,
};
use ieum_socket::{Ancillary, Errno, Host, SocketId};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

/// A `struct ip_msfilter` for 224.1.2.3 on the interface of 10.0.0.2.
fn list(mode: u32, sources: &[[u8; 4]]) -> Vec<u8> {
    let count = u32::try_from(sources.len()).unwrap();
    [&[224, 1, 2, 3, 10, 0, 0, 2][..], &mode.to_ne_bytes(), &count.to_ne_bytes(), &sources.concat()].concat()
}

fn member(world: &mut World) -> SocketId {
    let id = world.b.socket(2, DATAGRAM, 0).unwrap();
    world.b.bind(id, at("0.0.0.0:7")).unwrap();
    let request = [224, 1, 2, 3, 10, 0, 0, 2];
    world.b.set_option(NOW, id, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request).unwrap();
    id
}

fn set(host: &mut Host, id: SocketId, value: &[u8]) -> Result<(), Errno> {
    host.set_option(NOW, id, IPPROTO_IP, IP_MSFILTER, value)
}

#[test]
fn a_list_says_who_is_heard_in_a_group() {
    let mut world = World::new();
    let member = member(&mut world);
    let from = world.a.socket(2, DATAGRAM, 0).unwrap();
    world.a.set_option(NOW, from, IPPROTO_IP, IP_MULTICAST_IF, &[10, 0, 0, 1]).unwrap();
    let hears = |world: &mut World| {
        world.a.send_to(NOW, from, b"x", Some(at("224.1.2.3:7"))).unwrap();
        world.settle();
        world.b.recv_from(NOW, member, false).is_ok()
    };
    assert!(hears(&mut world));
    for (mode, sources, heard) in [
        (0, vec![[10, 0, 0, 1]], false),
        (1, vec![[10, 0, 0, 1], [10, 0, 0, 9]], true),
        (1, vec![[10, 0, 0, 9]], false),
        (0, vec![], true),
    ] {
        set(&mut world.b, member, &list(mode, &sources)).unwrap();
        assert_eq!(hears(&mut world), heard, "{mode} {sources:?}");
        let room = list(0, &[[0; 4]; 3]);
        let read = world.b.option_given(member, IPPROTO_IP, IP_MSFILTER, &room);
        assert_eq!(read, Ok(list(mode, &sources)));
    }
    assert_eq!(set(&mut world.b, member, &list(1, &[])), Ok(()), "to hear nobody is to leave");
    assert_eq!(set(&mut world.b, member, &list(1, &[])), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(set(&mut world.b, member, &list(0, &[[10, 0, 0, 1]])), Err(Errno::EINVAL));
}

#[test]
fn lists_that_make_no_sense_are_refused() {
    let mut world = World::new();
    let member = member(&mut world);
    assert_eq!(set(&mut world.b, member, &list(0, &[[1; 4]; 11])), Err(Errno::ENOBUFS));
    assert_eq!(set(&mut world.b, member, &list(2, &[])), Err(Errno::EINVAL));
    assert_eq!(set(&mut world.b, member, &list(0, &[[1; 4]; 2])[..20]), Err(Errno::EINVAL));
    let read = |host: &mut Host, name, given: &[u8]| host.option_given(member, IPPROTO_IP, name, given);
    assert_eq!(read(&mut world.b, IP_MSFILTER, &[0; 15]), Err(Errno::EINVAL));
    assert_eq!(read(&mut world.b, MCAST_MSFILTER, &[0; 143]), Err(Errno::EINVAL));
    assert_eq!(read(&mut world.b, MCAST_MSFILTER, &[0; 144]), Err(Errno::EINVAL), "no address");
}

#[test]
fn a_stream_may_be_in_a_group_by_the_call_of_both_families() {
    let mut host = host(1, false);
    let stream = host.socket(2, STREAM, 0).unwrap();
    let mut request = vec![0; 136];
    request[..4].copy_from_slice(&1_u32.to_ne_bytes());
    request[8..10].copy_from_slice(&2_u16.to_ne_bytes());
    request[12..16].copy_from_slice(&[224, 1, 2, 3]);
    assert_eq!(host.set_option(NOW, stream, IPPROTO_IP, MCAST_JOIN_GROUP, &request), Ok(()));
    assert_eq!(host.set_option(NOW, stream, IPPROTO_IP, MCAST_JOIN_GROUP, &request), Err(Errno::EADDRINUSE));
    assert_eq!(host.set_option(NOW, stream, IPPROTO_IP, IP_ADD_MEMBERSHIP, &[0; 8]), Err(Errno::EPROTO));
}

#[test]
fn a_datagram_tells_its_interface_and_may_name_one() {
    let mut world = World::new();
    let server = world.b.socket(2, DATAGRAM, 0).unwrap();
    world.b.bind(server, at("0.0.0.0:7")).unwrap();
    let own = world.b.socket(2, DATAGRAM, 0).unwrap();
    let client = world.a.socket(2, DATAGRAM, 0).unwrap();
    let interface = |world: &mut World| {
        let arrival = world.b.next_arrival(server).map(|arrival| arrival.interface);
        world.b.recv_from(NOW, server, false).unwrap();
        arrival
    };
    let by = |interface| Ancillary { interface, ..Ancillary::default() };
    assert_eq!(world.a.send_message(NOW, client, b"x", Some(at("10.0.0.2:7")), by(2)), Ok(1));
    world.settle();
    assert_eq!(interface(&mut world), Some(2));
    for (to, number) in [("127.0.0.1:7", 1), ("10.0.0.2:7", 2)] {
        world.b.send_to(NOW, own, b"x", Some(at(to))).unwrap();
        world.settle();
        assert_eq!(interface(&mut world), Some(number));
    }
    for to in ["10.0.0.2:7", "127.0.0.1:7", "224.1.2.3:7"] {
        assert_eq!(world.a.send_message(NOW, client, b"x", Some(at(to)), by(9)), Err(Errno::ENODEV));
    }
}
