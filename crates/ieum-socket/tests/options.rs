//! Options as programs read and write them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{DATAGRAM, STREAM, World, at, host};
use ieum_socket::numbers::*;
use ieum_socket::{Errno, Host, SocketId};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

fn get(host: &mut Host, id: SocketId, level: i32, name: i32) -> Result<i32, Errno> {
    host.option(id, level, name).map(|bytes| i32::from_ne_bytes(bytes.try_into().expect("an int")))
}

fn set(host: &mut Host, id: SocketId, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    host.set_option(NOW, id, level, name, &value.to_ne_bytes())
}

#[test]
fn a_fresh_socket_reads_as_on_linux() {
    let mut host = host(1, false);
    let stream = host.socket(2, STREAM, 0).unwrap();
    let datagram = host.socket(2, DATAGRAM, 0).unwrap();
    let cases = [
        (SOL_SOCKET, SO_TYPE, Ok(1), Ok(2)),
        (SOL_SOCKET, SO_DOMAIN, Ok(2), Ok(2)),
        (SOL_SOCKET, SO_PROTOCOL, Ok(6), Ok(17)),
        (SOL_SOCKET, SO_ACCEPTCONN, Ok(0), Ok(0)),
        (SOL_SOCKET, SO_ERROR, Ok(0), Ok(0)),
        (SOL_SOCKET, SO_SNDBUF, Ok(16_384), Ok(212_992)),
        (SOL_SOCKET, SO_RCVBUF, Ok(131_072), Ok(212_992)),
        (SOL_SOCKET, SO_RCVLOWAT, Ok(1), Ok(1)),
        (SOL_SOCKET, SO_SNDLOWAT, Ok(1), Ok(1)),
        (SOL_SOCKET, SO_INCOMING_CPU, Ok(-1), Ok(-1)),
        (SOL_SOCKET, SO_BPF_EXTENSIONS, Ok(64), Ok(64)),
        (SOL_SOCKET, SO_PASSCRED, Err(Errno::EOPNOTSUPP), Err(Errno::EOPNOTSUPP)),
        (SOL_SOCKET, 999, Err(Errno::ENOPROTOOPT), Err(Errno::ENOPROTOOPT)),
        (IPPROTO_TCP, TCP_NODELAY, Ok(0), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_MAXSEG, Ok(536), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_KEEPIDLE, Ok(7200), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_KEEPINTVL, Ok(75), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_KEEPCNT, Ok(9), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_SYNCNT, Ok(6), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_LINGER2, Ok(60), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, TCP_QUICKACK, Ok(1), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_TCP, 999, Err(Errno::ENOPROTOOPT), Err(Errno::EOPNOTSUPP)),
        (IPPROTO_IP, IP_TTL, Ok(64), Ok(64)),
        (IPPROTO_IP, IP_TOS, Ok(0), Ok(0)),
        (IPPROTO_IP, IP_MTU_DISCOVER, Ok(1), Ok(1)),
        (IPPROTO_IP, IP_MTU, Err(Errno::ENOTCONN), Err(Errno::ENOTCONN)),
        (IPPROTO_IP, IP_MULTICAST_TTL, Ok(1), Ok(1)),
        (IPPROTO_IP, IP_MULTICAST_LOOP, Ok(1), Ok(1)),
        (IPPROTO_UDP, UDP_CORK, Err(Errno::EOPNOTSUPP), Ok(0)),
        (41, 26, Err(Errno::EOPNOTSUPP), Err(Errno::EOPNOTSUPP)),
    ];
    for (level, name, of_stream, of_datagram) in cases {
        assert_eq!(get(&mut host, stream, level, name), of_stream, "stream, level {level}, option {name}");
        assert_eq!(
            get(&mut host, datagram, level, name),
            of_datagram,
            "datagram, level {level}, option {name}"
        );
    }
    assert_eq!(host.option(stream, SOL_SOCKET, SO_LINGER), Ok(vec![0; 8]));
    assert_eq!(host.option(stream, SOL_SOCKET, SO_RCVTIMEO), Ok(vec![0; 16]));
    assert_eq!(host.option(stream, SOL_SOCKET, SO_BINDTODEVICE), Ok(vec![]));
    assert_eq!(
        host.option(stream, IPPROTO_TCP, TCP_CONGESTION).map(|name| name[..5].to_vec()),
        Ok(b"cubic".to_vec())
    );
    assert_eq!(host.option(stream, IPPROTO_TCP, TCP_INFO).map(|info| info[0]), Ok(7));
}

#[test]
fn accepted_sockets_inherit_what_their_listener_has() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let bytes = |value: i32| value.to_ne_bytes();
    for (level, name, value) in
        [(SOL_SOCKET, SO_KEEPALIVE, 1), (IPPROTO_TCP, TCP_NODELAY, 1), (IPPROTO_TCP, TCP_KEEPIDLE, 30)]
    {
        world.b.set_option(world.now, listener, level, name, &bytes(value)).unwrap();
    }
    let client = world.a.socket(2, STREAM, 0).unwrap();
    world.a.connect(world.now, client, Some(at("10.0.0.2:80"))).unwrap();
    world.settle();
    let (server, _) = world.b.accept(listener).unwrap();
    assert_eq!(get(&mut world.b, server, SOL_SOCKET, SO_KEEPALIVE), Ok(1));
    assert_eq!(get(&mut world.b, server, IPPROTO_TCP, TCP_NODELAY), Ok(1));
    assert_eq!(get(&mut world.b, server, IPPROTO_TCP, TCP_KEEPIDLE), Ok(30));
    assert_eq!(get(&mut world.b, listener, SOL_SOCKET, SO_ACCEPTCONN), Ok(1));
    assert_eq!(get(&mut world.b, server, SOL_SOCKET, SO_ACCEPTCONN), Ok(0));
    let info = world.a.option(client, IPPROTO_TCP, TCP_INFO).unwrap();
    assert_eq!((info.len(), info[0]), (280, 1));
    assert!(get(&mut world.a, client, IPPROTO_TCP, TCP_MAXSEG).is_ok_and(|mss| (1400..=1460).contains(&mss)));
    assert_eq!(get(&mut world.a, client, IPPROTO_IP, IP_MTU), Ok(1500));
    let name = world.a.option(client, SOL_SOCKET, SO_PEERNAME).unwrap();
    assert_eq!(name, [2_u16.to_ne_bytes().to_vec(), vec![0, 80, 10, 0, 0, 2], vec![0; 8]].concat());
}

#[test]
fn what_cannot_be_given_is_refused_clearly() {
    let mut host = host(1, false);
    let stream = host.socket(2, STREAM, 0).unwrap();
    let datagram = host.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(set(&mut host, stream, IPPROTO_TCP, TCP_REPAIR, 1), Err(Errno::EPERM));
    assert_eq!(set(&mut host, stream, SOL_SOCKET, SO_RCVBUFFORCE, 1), Err(Errno::EPERM));
    assert_eq!(set(&mut host, stream, SOL_SOCKET, SO_ZEROCOPY, 2), Err(Errno::EINVAL));
    assert_eq!(set(&mut host, stream, IPPROTO_TCP, TCP_ULP, 1), Err(Errno::ENOENT));
    assert_eq!(set(&mut host, stream, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2), Err(Errno::EINVAL));
    assert_eq!(host.set_option(NOW, stream, IPPROTO_TCP, TCP_FASTOPEN_KEY, &[0; 15]), Err(Errno::EINVAL));
    assert_eq!(set(&mut host, datagram, IPPROTO_UDP, UDP_SEGMENT, 65_536), Err(Errno::EINVAL));
    assert_eq!(set(&mut host, datagram, IPPROTO_TCP, TCP_NODELAY, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(set(&mut host, datagram, IPPROTO_IP, IP_ADD_MEMBERSHIP, 1), Err(Errno::EINVAL));
    let group = [224, 0, 0, 5, 192, 0, 2, 1];
    assert_eq!(host.set_option(NOW, datagram, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group), Err(Errno::ENODEV));
}

#[test]
fn where_a_connection_was_redirected_from_is_known_of_none() {
    let mut host = host(1, false);
    let (four, six) = (host.socket(2, STREAM, 0).unwrap(), host.socket(10, STREAM, 0).unwrap());
    for (socket, level) in [(four, IPPROTO_IP), (six, IPPROTO_IP), (six, IPPROTO_IPV6)] {
        assert_eq!(host.option(socket, level, SO_ORIGINAL_DST), Err(Errno::ENOENT));
    }
    assert_eq!(host.option(four, IPPROTO_IPV6, SO_ORIGINAL_DST), Err(Errno::EOPNOTSUPP));
    let datagram = host.socket(2, DATAGRAM, 0).unwrap();
    assert_eq!(host.option(datagram, IPPROTO_IP, SO_ORIGINAL_DST), Err(Errno::ENOPROTOOPT));
    assert_eq!(set(&mut host, four, IPPROTO_IP, SO_ORIGINAL_DST, 1), Err(Errno::ENOPROTOOPT));
}

#[test]
fn what_the_error_queue_tells_is_refused_where_nobody_can_read_it() {
    let mut serving = host(1, true);
    let stream = serving.socket(2, STREAM, 0).unwrap();
    assert_eq!(set(&mut serving, stream, SOL_SOCKET, SO_ZEROCOPY, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(set(&mut serving, stream, SOL_SOCKET, SO_ZEROCOPY, 0), Ok(()));
    assert_eq!(set(&mut serving, stream, SOL_SOCKET, SO_TIMESTAMPING, 2), Err(Errno::ENOPROTOOPT));
    let mut host = host(1, false);
    let stream = host.socket(2, STREAM, 0).unwrap();
    assert_eq!(set(&mut host, stream, SOL_SOCKET, SO_ZEROCOPY, 1), Ok(()));
    assert_eq!(set(&mut host, stream, SOL_SOCKET, SO_TIMESTAMPING, 2), Ok(()));
    let flags = [2_u32, 0].map(u32::to_ne_bytes).concat();
    assert_eq!(host.option(stream, SOL_SOCKET, SO_TIMESTAMPING), Ok(flags));
}
