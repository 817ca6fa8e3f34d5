//! Multicast groups between two hosts on a link.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{AF_INET, AF_INET6, DATAGRAM, World, at};
use ieum_socket::numbers::{
    IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP,
    SO_REUSEADDR, SOL_SOCKET,
};
use ieum_socket::{Errno, Host, SocketId};
use ieum_wire::Instant;

const GROUP: [u8; 4] = [239, 1, 2, 3];
const GROUP_6: &str = "ff15::7";

/// A socket bound to port 5000, which it shares.
fn hearer(host: &mut Host, domain: i32) -> SocketId {
    let id = host.socket(domain, DATAGRAM, 0).unwrap();
    host.set_option(Instant::ZERO, id, SOL_SOCKET, SO_REUSEADDR, &1i32.to_ne_bytes()).unwrap();
    host.bind(id, at(if domain == AF_INET { "0.0.0.0:5000" } else { "[::]:5000" })).unwrap();
    id
}

fn request(group: [u8; 4], interface: [u8; 4]) -> Vec<u8> {
    [group, interface].concat()
}

fn request6(group: &str, index: u32) -> Vec<u8> {
    let group: std::net::Ipv6Addr = group.parse().unwrap();
    [&group.octets()[..], &index.to_ne_bytes()].concat()
}

fn join(world: &mut World, id: SocketId, value: &[u8]) {
    world.b.set_option(world.now, id, IPPROTO_IP, IP_ADD_MEMBERSHIP, value).unwrap();
}

fn say(world: &mut World, id: SocketId, to: &str) {
    assert_eq!(world.a.send_to(world.now, id, b"x", Some(at(to))), Ok(1));
    world.settle();
}

fn hears(world: &mut World, id: SocketId) -> bool {
    world.b.recv_from(world.now, id, false).is_ok()
}

#[test]
fn one_speaks_to_many() {
    let mut world = World::new();
    let speaker = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    // Without a route to it a group leads over the link of the address that the socket is bound to.
    world.a.bind(speaker, at("10.0.0.1:0")).unwrap();
    let hearers = [(); 3].map(|()| hearer(&mut world.b, AF_INET));
    say(&mut world, speaker, "239.1.2.3:5000");
    assert!(hearers.iter().all(|id| !hears(&mut world, *id)), "nobody joined");
    join(&mut world, hearers[0], &request(GROUP, [10, 0, 0, 2]));
    say(&mut world, speaker, "239.1.2.3:5000");
    assert!(hearers.iter().all(|id| hears(&mut world, *id)), "what a host hears, all its sockets hear");
    world.b.close(world.now, hearers[0]);
    say(&mut world, speaker, "239.1.2.3:5000");
    assert!(!hears(&mut world, hearers[1]), "who joined is gone");
}

#[test]
fn a_member_hears_the_senders_it_wants() {
    let mut world = World::new();
    let speaker = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.a.bind(speaker, at("10.0.0.1:0")).unwrap();
    let [one, two] = [(); 2].map(|()| hearer(&mut world.b, AF_INET));
    for (id, sender) in [(one, [10, 0, 0, 1]), (two, [10, 0, 0, 9])] {
        let value = [GROUP, [10, 0, 0, 2], sender].concat();
        world.b.set_option(world.now, id, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &value).unwrap();
    }
    say(&mut world, speaker, "239.1.2.3:5000");
    assert!(hears(&mut world, one));
    assert!(!hears(&mut world, two));
}

#[test]
fn a_datagram_comes_around_to_its_own_host_unless_asked_not_to() {
    let mut world = World::new();
    let own = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.b.bind(own, at("10.0.0.2:0")).unwrap();
    let (near, far) = (hearer(&mut world.b, AF_INET), hearer(&mut world.a, AF_INET));
    join(&mut world, near, &request(GROUP, [10, 0, 0, 2]));
    let request = request(GROUP, [10, 0, 0, 1]);
    world.a.set_option(world.now, far, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request).unwrap();
    let mut heard = |name: i32, value: i32| {
        world.b.set_option(world.now, own, IPPROTO_IP, name, &value.to_ne_bytes()).unwrap();
        assert_eq!(world.b.send_to(world.now, own, b"x", Some(at("239.1.2.3:5000"))), Ok(1));
        world.settle();
        let near = world.b.recv_from(world.now, near, false).is_ok();
        (near, world.a.recv_from(world.now, far, false).is_ok())
    };
    assert_eq!(heard(IP_MULTICAST_TTL, 1), (true, true));
    assert_eq!(heard(IP_MULTICAST_TTL, 0), (true, false), "without a hop it stays");
    assert_eq!(heard(IP_MULTICAST_LOOP, 0), (false, false));
    assert_eq!(heard(IP_MULTICAST_TTL, 1), (false, true));
}

#[test]
fn groups_of_ip6_are_joined_by_the_number_of_a_link() {
    let mut world = World::new();
    let speaker = world.a.socket(AF_INET6, DATAGRAM, 0).unwrap();
    let by = |number: u32| number.to_ne_bytes();
    assert_eq!(
        world.a.set_option(world.now, speaker, IPPROTO_IPV6, IPV6_MULTICAST_IF, &by(3)),
        Err(Errno::ENODEV)
    );
    world.a.set_option(world.now, speaker, IPPROTO_IPV6, IPV6_MULTICAST_IF, &by(2)).unwrap();
    assert_eq!(world.a.option(speaker, IPPROTO_IPV6, IPV6_MULTICAST_IF), Ok(by(2).to_vec()));
    world.a.set_option(world.now, speaker, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &by(0)).unwrap();
    let hearer = hearer(&mut world.b, AF_INET6);
    for group in [GROUP_6, "ff02::1234"] {
        say(&mut world, speaker, &format!("[{group}]:5000"));
        assert!(!hears(&mut world, hearer));
        let value = request6(group, 2);
        world.b.set_option(world.now, hearer, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &value).unwrap();
        say(&mut world, speaker, &format!("[{group}]:5000"));
        assert!(hears(&mut world, hearer));
    }
}

#[test]
fn who_is_bound_to_a_group_may_be_connected_to_one_who_speaks_there() {
    let mut world = World::new();
    let [speaker, stranger] = [5001, 5002].map(|port| {
        let id = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
        world.a.bind(id, at(&format!("10.0.0.1:{port}"))).unwrap();
        id
    });
    let hearer = world.b.socket(AF_INET, DATAGRAM, 0).unwrap();
    world.b.bind(hearer, at("239.1.2.3:5000")).unwrap();
    join(&mut world, hearer, &request(GROUP, [10, 0, 0, 2]));
    world.b.connect(world.now, hearer, Some(at("10.0.0.1:5001"))).unwrap();
    say(&mut world, stranger, "239.1.2.3:5000");
    assert!(!hears(&mut world, hearer));
    say(&mut world, speaker, "239.1.2.3:5000");
    assert!(hears(&mut world, hearer));
    // Its answer comes from an address of its own.
    assert_eq!(world.b.send(world.now, hearer, b"y"), Ok(1));
    world.settle();
    let (_, from) = world.a.recv_from(world.now, speaker, false).unwrap();
    assert_eq!(from, at("10.0.0.2:5000"));
}

#[test]
fn a_group_is_spoken_to_by_connecting_as_by_sending() {
    let mut world = World::new();
    let hearer = hearer(&mut world.b, AF_INET);
    join(&mut world, hearer, &request(GROUP, [10, 0, 0, 2]));
    let speaker = world.a.socket(AF_INET, DATAGRAM, 0).unwrap();
    let group = Some(at("239.1.2.3:5000"));
    assert_eq!(world.a.connect(world.now, speaker, group), Err(Errno::ENETUNREACH));
    world.a.set_option(world.now, speaker, IPPROTO_IP, IP_MULTICAST_IF, &[10, 0, 0, 1]).unwrap();
    world.a.connect(world.now, speaker, group).unwrap();
    assert_eq!(world.a.send(world.now, speaker, b"x"), Ok(1));
    world.settle();
    assert!(hears(&mut world, hearer));
}

#[test]
fn a_group_is_left_where_it_was_joined() {
    let mut world = World::new();
    let id = hearer(&mut world.b, AF_INET);
    join(&mut world, id, &request(GROUP, [127, 0, 0, 1]));
    join(&mut world, id, &request(GROUP, [10, 0, 0, 2]));
    let mut leave = |interface| {
        world.b.set_option(world.now, id, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request(GROUP, interface))
    };
    assert_eq!(leave([10, 0, 0, 2]), Ok(()));
    assert_eq!(leave([10, 0, 0, 2]), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(leave([0, 0, 0, 0]), Err(Errno::ENODEV), "no route leads to the group");
    assert_eq!(leave([127, 0, 0, 1]), Ok(()));
}
