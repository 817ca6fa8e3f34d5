//! Raw sockets (raw(7), ipv6(7)): who may have them, what they hear and what they are asked.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{World, at, host, poll};
use ieum_socket::numbers::{
    ICMP_FILTER, ICMP6_FILTER, IP_ADD_MEMBERSHIP, IP_HDRINCL, IP_MULTICAST_ALL, IPPROTO_ICMPV6, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_CHECKSUM, IPV6_HDRINCL, SO_TYPE, SOL_RAW, SOL_SOCKET,
};
use ieum_socket::{Connect, Errno, Host, SocketId};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;
const RAW: i32 = 3;
const PROTOCOL: i32 = 253;

fn world() -> World {
    let mut world = World::new();
    world.a.allow_raw_sockets(true);
    world.b.allow_raw_sockets(true);
    world
}

fn raw(host: &mut Host, domain: i32, protocol: i32) -> SocketId {
    host.socket(domain, RAW, protocol).unwrap()
}

fn set(host: &mut Host, id: SocketId, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    host.set_option(NOW, id, level, name, &value.to_ne_bytes())
}

#[test]
fn a_host_has_none_until_it_is_told_so() {
    let mut host = host(1, false);
    assert_eq!(host.socket(2, RAW, 1), Err(Errno::EPERM));
    assert_eq!(host.socket(2, RAW, 0), Err(Errno::EPROTONOSUPPORT));
    host.allow_raw_sockets(true);
    let id = raw(&mut host, 2, 1);
    assert_eq!(host.option(id, SOL_SOCKET, SO_TYPE), Ok(3_i32.to_ne_bytes().to_vec()));
    assert_eq!((host.local_address(id), poll(&host, id)), (Ok(at("0.0.0.0:1")), "OUT".to_owned()));
    assert_eq!(host.sockets()[0].make.name(), "raw");
    host.check();
    host.close(NOW, id);
    host.check();
}

#[test]
fn it_is_open_from_the_start_and_hears_until_its_peer_is_dissolved() {
    let mut world = world();
    let (from, to) = (raw(&mut world.a, 2, PROTOCOL), raw(&mut world.b, 2, PROTOCOL));
    let say = |world: &mut World| {
        assert_eq!(world.a.send_to(NOW, from, b"hello", Some(at("10.0.0.2:77"))), Ok(5));
        world.settle();
        world.b.recv_from(NOW, to, false).map(|(packet, source)| (packet[20..].to_vec(), source))
    };
    let heard = Ok((b"hello".to_vec(), at("10.0.0.1:0")));
    assert_eq!(say(&mut world), heard);
    assert_eq!(world.b.bind(to, at("127.0.0.1:5")), Ok(()));
    assert_eq!(say(&mut world), Err(Errno::EAGAIN));
    assert_eq!(world.b.bind(to, at("0.0.0.0:5")), Ok(()), "as often as it likes");
    assert_eq!(world.b.connect(NOW, to, Some(at("10.0.0.1:9"))), Ok(Connect::Done));
    assert_eq!(world.b.remote_address(to), Ok(at("10.0.0.1:9")));
    assert_eq!(world.b.local_address(to), Ok(at("10.0.0.2:253")));
    assert_eq!(world.b.bind(to, at("0.0.0.0:5")), Err(Errno::EINVAL));
    assert_eq!(say(&mut world), heard);
    assert_eq!(world.b.connect(NOW, to, None), Ok(Connect::Done));
    assert_eq!(world.b.local_address(to), Ok(at("0.0.0.0:0")), "as Linux leaves it");
    assert_eq!(say(&mut world), Err(Errno::EAGAIN));
}

#[test]
fn what_nobody_hears_is_refused_to_a_connected_sender() {
    let mut world = world();
    let from = raw(&mut world.a, 2, PROTOCOL);
    world.a.connect(NOW, from, Some(at("10.0.0.2:0"))).unwrap();
    assert_eq!(world.a.send(NOW, from, b"12345678"), Ok(8));
    world.settle();
    assert_eq!(poll(&world.a, from), "OUT|ERR");
    assert_eq!(world.a.take_error(from), Some(Errno::ENOPROTOOPT));
}

#[test]
fn messages_are_judged_as_linux_judges_them() {
    let mut world = world();
    let (icmp, other) = (raw(&mut world.a, 2, 1), raw(&mut world.a, 2, PROTOCOL));
    let (six, any6) = (raw(&mut world.a, 10, 58), raw(&mut world.a, 10, 255));
    let mut send = |id, bytes: &[u8], to: &str| world.a.send_to(NOW, id, bytes, Some(at(to)));
    assert_eq!(send(icmp, b"x", "10.0.0.2:0"), Err(Errno::EFAULT));
    assert_eq!(send(other, b"x", "10.0.0.2:0"), Ok(1));
    assert_eq!(send(other, &[0; 65_516], "10.0.0.2:0"), Err(Errno::EMSGSIZE));
    assert_eq!(send(other, b"x", "10.0.0.255:0"), Err(Errno::EACCES));
    assert_eq!(send(other, b"x", "[fd00::2]:0"), Err(Errno::EAFNOSUPPORT));
    assert_eq!(send(six, &[128, 0, 0], "[fd00::2]:0"), Err(Errno::EINVAL), "no room for its checksum");
    assert_eq!(send(six, &[128, 0, 0, 0], "[fd00::2]:58"), Ok(4));
    assert_eq!(send(six, &[128, 0, 0, 0], "[fd00::2]:17"), Err(Errno::EINVAL));
    assert_eq!(send(six, &[128, 0, 0, 0], "[::ffff:10.0.0.2]:0"), Err(Errno::ENETUNREACH));
    assert_eq!(send(any6, &[0; 39], "[fd00::2]:17"), Err(Errno::EINVAL));
    assert_eq!(send(any6, &[0; 40], "[fd00::2]:300"), Err(Errno::EINVAL));
    assert_eq!(world.a.send(NOW, other, b"x"), Err(Errno::EDESTADDRREQ));
    assert_eq!(world.a.bind(six, at("[::ffff:10.0.0.1]:0")), Err(Errno::EADDRNOTAVAIL));
}

#[test]
fn a_packet_with_its_own_header_is_an_option_and_the_rule_of_ipproto_raw() {
    let mut world = world();
    let (own, to) = (raw(&mut world.a, 2, PROTOCOL), raw(&mut world.b, 2, PROTOCOL));
    assert_eq!(set(&mut world.a, own, IPPROTO_IP, IP_HDRINCL, 7), Ok(()));
    let read = |host: &mut Host, id| host.option(id, IPPROTO_IP, IP_HDRINCL);
    assert_eq!(read(&mut world.a, own), Ok(1_i32.to_ne_bytes().to_vec()));
    let always = raw(&mut world.a, 2, 255);
    assert_eq!(read(&mut world.a, always), Ok(1_i32.to_ne_bytes().to_vec()));
    let mut packet = vec![0x45, 0, 0, 0, 0, 9, 0, 0, 33, 253, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
    packet.extend(b"hello");
    for id in [own, always] {
        assert_eq!(world.a.send_to(NOW, id, &packet, Some(at("10.0.0.2:0"))), Ok(25));
        world.settle();
        let (got, source) = world.b.recv_from(NOW, to, false).unwrap();
        assert_eq!((got[3], got[8], &got[20..], source), (25, 33, &b"hello"[..], at("10.0.0.1:0")));
    }
}

#[test]
fn options_of_icmp_are_those_of_its_sockets() {
    let mut world = world();
    let host = &mut world.a;
    let (icmp, other) = (raw(host, 2, 1), raw(host, 2, 17));
    let (icmp6, other6) = (raw(host, 10, 58), raw(host, 10, 17));
    assert_eq!(set(host, icmp, SOL_RAW, ICMP_FILTER, 1 << 8), Ok(()));
    assert_eq!(host.option(icmp, SOL_RAW, ICMP_FILTER), Ok((1_i32 << 8).to_ne_bytes().to_vec()));
    assert_eq!(set(host, other, SOL_RAW, ICMP_FILTER, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(set(host, icmp, SOL_RAW, 9, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(host.set_option(NOW, icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &[0xff; 40]), Ok(()));
    assert_eq!(host.option(icmp6, IPPROTO_ICMPV6, ICMP6_FILTER), Ok(vec![0xff; 32]));
    assert_eq!(set(host, other6, IPPROTO_ICMPV6, ICMP6_FILTER, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(set(host, icmp6, IPPROTO_IPV6, IPV6_CHECKSUM, 2), Err(Errno::EINVAL));
    assert_eq!(set(host, icmp6, SOL_RAW, IPV6_CHECKSUM, 2), Ok(()));
    assert_eq!(set(host, other6, IPPROTO_IPV6, IPV6_CHECKSUM, 3), Err(Errno::EINVAL));
    assert_eq!(host.option(other6, IPPROTO_IPV6, IPV6_CHECKSUM), Ok((-1_i32).to_ne_bytes().to_vec()));
    assert_eq!(set(host, other6, IPPROTO_IPV6, IPV6_HDRINCL, 1), Ok(()));
    assert_eq!(set(host, other6, IPPROTO_IP, IP_HDRINCL, 1), Err(Errno::ENOPROTOOPT));
    let ping = host.socket(2, 2, 1).unwrap();
    assert_eq!(set(host, ping, IPPROTO_IP, IP_HDRINCL, 1), Err(Errno::ENOPROTOOPT));
}

#[test]
fn of_groups_it_hears_what_it_has_joined() {
    let mut world = world();
    let (from, to) = (raw(&mut world.a, 2, PROTOCOL), raw(&mut world.b, 2, PROTOCOL));
    set(&mut world.b, to, IPPROTO_IP, IP_MULTICAST_ALL, 0).unwrap();
    let say = |world: &mut World| {
        // The link of the source is the one that leads to a group.
        world.a.bind(from, at("10.0.0.1:0")).unwrap();
        let interface = [[0; 4], [10, 0, 0, 1]].concat();
        world.a.set_option(NOW, from, IPPROTO_IP, 32, &interface).unwrap();
        world.a.send_to(NOW, from, b"hello", Some(at("224.1.2.3:0"))).unwrap();
        world.settle();
        world.b.recv_from(NOW, to, false).map(|(packet, _)| packet[20..].to_vec())
    };
    assert_eq!(say(&mut world), Err(Errno::EAGAIN));
    let request = [[224, 1, 2, 3], [10, 0, 0, 2]].concat();
    world.b.set_option(NOW, to, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request).unwrap();
    assert_eq!(say(&mut world), Ok(b"hello".to_vec()));
}
