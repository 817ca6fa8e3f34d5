//! Sockets of AF_INET6: names, both families at once, and what is refused. Every errno here was read off Linux 6.18
//! on loopback (ipv6(7)).
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{AF_INET, AF_INET6, DATAGRAM, STREAM, World, at, events, host};
use ieum_socket::numbers::*;
use ieum_socket::{Connect, Domain, Errno, Event, Host, How, Kind, SocketId};
use ieum_wire::Instant;

const NOW: Instant = Instant::ZERO;

fn v6_only(host: &mut Host, id: SocketId, value: i32) -> Result<(), Errno> {
    host.set_option(NOW, id, IPPROTO_IPV6, IPV6_V6ONLY, &value.to_ne_bytes())
}

fn socket6(host: &mut Host, kind: i32, alone: bool) -> SocketId {
    let id = host.socket(AF_INET6, kind, 0).unwrap();
    v6_only(host, id, alone.into()).unwrap();
    id
}

/// An address with the number of a link.
fn scoped(ip: &str, link: u32) -> std::net::SocketAddr {
    std::net::SocketAddrV6::new(ip.parse().unwrap(), 9, 0, link).into()
}

#[test]
fn a_socket_is_of_one_family_for_ever() {
    let mut host = host(1, false);
    for (domain, number, nowhere) in [(Domain::Ip4, AF_INET, "0.0.0.0:0"), (Domain::Ip6, AF_INET6, "[::]:0")]
    {
        for kind in [STREAM, DATAGRAM] {
            let id = host.socket(number, kind, 0).unwrap();
            assert_eq!(host.domain(id), Some(domain));
            assert_eq!(host.option(id, SOL_SOCKET, SO_DOMAIN), Ok(number.to_ne_bytes().to_vec()));
            assert_eq!(host.local_address(id), Ok(at(nowhere)));
            assert_eq!(host.remote_address(id), Err(Errno::ENOTCONN));
        }
    }
}

#[test]
fn binding_gives_the_errors_of_linux() {
    use Errno as E;
    let both = [
        ("127.0.0.1", E::EINVAL),
        ("::ffff:8.8.8.8", E::EADDRNOTAVAIL),
        ("2001:db8::1", E::EADDRNOTAVAIL),
        ("::127.0.0.1", E::EADDRNOTAVAIL),
        ("fe80::1", E::EINVAL),
        ("ff02::1", E::EINVAL),
    ];
    let address = |ip: &str| std::net::SocketAddr::new(ip.parse().unwrap(), 0);
    for kind in [STREAM, DATAGRAM] {
        let mut host = host(1, false);
        for (ip, error) in both {
            let id = socket6(&mut host, kind, false);
            assert_eq!(host.bind(id, address(ip)), Err(error), "{ip}");
        }
        for ip in ["::", "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0"] {
            let id = socket6(&mut host, kind, false);
            assert_eq!(host.bind(id, address(ip)), Ok(()), "{ip}");
            let local = host.local_address(id).unwrap();
            assert_eq!(local.ip(), ip.parse::<std::net::IpAddr>().unwrap());
            assert!(local.port() >= 32_768);
            assert_eq!(host.bind(id, address(ip)), Err(E::EINVAL));
        }
        for ip in ["::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:8.8.8.8"] {
            let id = socket6(&mut host, kind, true);
            assert_eq!(host.bind(id, address(ip)), Err(E::EINVAL), "{ip} with IPV6_V6ONLY");
        }
        let id = socket6(&mut host, kind, false);
        assert_eq!(host.bind(id, scoped("fe80::1", 77)), Err(E::ENODEV));
        assert_eq!(host.bind(id, scoped("fe80::1", 1)), Err(E::EADDRNOTAVAIL));
        let global = at("[ff0e::1]:0");
        let expected = if kind == STREAM { Err(E::EINVAL) } else { Ok(()) };
        assert_eq!(host.bind(id, global), expected);
    }
}

#[test]
fn the_families_share_ports_as_on_linux() {
    // Which of a row conflicts with which of a column, in the order of `places`.
    let places = [
        (AF_INET, false, "0.0.0.0"),
        (AF_INET, false, "127.0.0.1"),
        (AF_INET6, false, "::"),
        (AF_INET6, true, "::"),
        (AF_INET6, false, "::1"),
        (AF_INET6, false, "::ffff:127.0.0.1"),
        (AF_INET6, false, "::ffff:0.0.0.0"),
    ];
    let conflicts = [
        [1, 1, 1, 0, 0, 1, 1],
        [1, 1, 1, 0, 0, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0, 1, 1],
        [1, 1, 1, 0, 0, 1, 1],
    ];
    let bound = |host: &mut Host, kind, (domain, alone, ip): (i32, bool, &str)| {
        let id = host.socket(domain, kind, 0).unwrap();
        if domain == AF_INET6 {
            v6_only(host, id, alone.into()).unwrap();
        }
        host.bind(id, std::net::SocketAddr::new(ip.parse().unwrap(), 80))
    };
    for kind in [STREAM, DATAGRAM] {
        for (one, row) in places.iter().zip(conflicts) {
            for (two, conflict) in places.iter().zip(row) {
                let mut host = host(1, false);
                assert_eq!(bound(&mut host, kind, *one), Ok(()));
                let expected = if conflict == 1 { Err(Errno::EADDRINUSE) } else { Ok(()) };
                assert_eq!(bound(&mut host, kind, *two), expected, "{one:?} then {two:?}");
            }
        }
    }
}

#[test]
fn ip6_alone_is_decided_before_there_is_a_port() {
    let mut world = World::new();
    let host = &mut world.a;
    let ids: [SocketId; 5] =
        std::array::from_fn(|at| host.socket(AF_INET6, if at < 3 { STREAM } else { DATAGRAM }, 0).unwrap());
    let [bound, listening, connecting, associated, sending] = ids;
    host.bind(bound, at("[::]:0")).unwrap();
    host.listen(listening, 1).unwrap();
    host.connect(NOW, connecting, Some(at("[fd00::2]:9"))).unwrap();
    host.connect(NOW, associated, Some(at("[::1]:9"))).unwrap();
    host.send_to(NOW, sending, b"x", Some(at("[::1]:9"))).unwrap();
    for id in ids {
        assert_eq!(v6_only(host, id, 1), Err(Errno::EINVAL));
        assert_eq!(v6_only(host, id, 0), Err(Errno::EINVAL));
    }
    assert!(host.local_address(listening).is_ok_and(|local| local.ip().to_string() == "::"));
    // Refused, it has no port any more.
    world.settle();
    assert_eq!(v6_only(&mut world.a, connecting, 1), Ok(()));
}

#[test]
fn a_listener_of_both_families_names_ip4_peers_in_ip6() {
    let mut world = World::new();
    let listener = world.b.socket(AF_INET6, STREAM, 0).unwrap();
    world.b.bind(listener, at("[::]:80")).unwrap();
    world.b.listen(listener, 5).unwrap();
    for (domain, to, from, own) in [
        (AF_INET, "10.0.0.2:80", "::ffff:10.0.0.1", "[::ffff:10.0.0.2]:80"),
        (AF_INET6, "[fd00::2]:80", "fd00::1", "[fd00::2]:80"),
        (AF_INET6, "[::ffff:10.0.0.2]:80", "::ffff:10.0.0.1", "[::ffff:10.0.0.2]:80"),
    ] {
        let client = world.a.socket(domain, STREAM, 0).unwrap();
        assert_eq!(world.a.connect(world.now, client, Some(at(to))), Ok(Connect::InProgress));
        world.settle();
        assert_eq!(world.a.remote_address(client), Ok(at(to)));
        let (server, peer) = world.b.accept(listener).unwrap();
        assert_eq!(peer.ip().to_string(), from);
        assert_eq!(world.b.remote_address(server), Ok(peer));
        assert_eq!(world.b.local_address(server), Ok(at(own)));
        assert_eq!(world.b.domain(server), Some(Domain::Ip6));
        assert_eq!(world.a.local_address(client).unwrap().port(), peer.port());
        assert_eq!(world.a.send(world.now, client, b"hello"), Ok(5));
        world.settle();
        assert_eq!(common::read(&mut world.b, world.now, server, 9), Ok(b"hello".to_vec()));
        let mtu = |level, name| world.b.option(server, level, name).map(|bytes| bytes[..2].to_vec());
        let mut mtu = mtu;
        let of_wire = Ok(1500_u16.to_ne_bytes().to_vec());
        assert_eq!((mtu(IPPROTO_IP, IP_MTU), mtu(IPPROTO_IPV6, IPV6_MTU)), (of_wire.clone(), of_wire));
    }
}

#[test]
fn a_listener_of_ip6_alone_is_not_there_for_ip4() {
    let mut world = World::new();
    let alone = socket6(&mut world.b, STREAM, true);
    world.b.bind(alone, at("[::]:80")).unwrap();
    world.b.listen(alone, 5).unwrap();
    let other = world.b.socket(AF_INET, STREAM, 0).unwrap();
    assert_eq!(world.b.bind(other, at("0.0.0.0:80")), Ok(()));
    assert_eq!(world.b.listen(other, 5), Ok(()));
    for (domain, to, listener) in [(AF_INET, "10.0.0.2:80", other), (AF_INET6, "[fd00::2]:80", alone)] {
        let client = world.a.socket(domain, STREAM, 0).unwrap();
        world.a.connect(world.now, client, Some(at(to))).unwrap();
        world.settle();
        assert!(world.b.accept(listener).is_ok());
    }
}

#[test]
fn whoever_publishes_ports_is_told_the_family() {
    let mut host = host(1, false);
    for (kind, number) in [(Kind::Stream, STREAM), (Kind::Datagram, DATAGRAM)] {
        for (alone, bind, address) in [
            (false, "[::]:80", "[::]:80"),
            (true, "[::]:81", "[::]:81"),
            (true, "[::1]:82", "[::1]:82"),
            (false, "[::ffff:127.0.0.1]:83", "127.0.0.1:83"),
        ] {
            let id = socket6(&mut host, number, alone);
            host.bind(id, at(bind)).unwrap();
            let _ = host.listen(id, 1);
            host.close(NOW, id);
            let v6_only = alone && bind.starts_with("[::]");
            let both =
                [true, false].map(|serving| Event::Serving { kind, address: at(address), v6_only, serving });
            assert_eq!(events(&mut host), both, "{bind}");
        }
    }
}

/// What connecting says, from each kind of own address, in the order of `from`.
type Row = (&'static str, [Result<&'static str, Errno>; 5]);

/// Connects from a fresh socket, from `::`, `::1`, `::ffff:127.0.0.1` and `::ffff:0.0.0.0`, and checks the address that
/// the socket then has, or the error.
fn connects_as_linux(kind: i32, rows: &[Row]) {
    let from =
        [None, Some("[::]:0"), Some("[::1]:0"), Some("[::ffff:127.0.0.1]:0"), Some("[::ffff:0.0.0.0]:0")];
    for (to, expected) in rows {
        for (own, expected) in from.iter().zip(expected) {
            let mut host = host(1, false);
            let id = socket6(&mut host, kind, false);
            if let Some(own) = own {
                host.bind(id, at(own)).unwrap();
            }
            let outcome = host.connect(NOW, id, Some(at(to)));
            let local = host.local_address(id).unwrap().ip().to_string();
            let outcome = outcome.map(|_| local.as_str());
            assert_eq!(outcome, *expected, "from {own:?} to {to}");
        }
    }
}

const LO6: Result<&str, Errno> = Ok("::1");
const LO4: Result<&str, Errno> = Ok("::ffff:127.0.0.1");
const NET: Result<&str, Errno> = Err(Errno::ENETUNREACH);
const FAMILY: Result<&str, Errno> = Err(Errno::EAFNOSUPPORT);
const INVALID: Result<&str, Errno> = Err(Errno::EINVAL);

#[test]
fn streams_connect_over_both_families_as_on_linux() {
    connects_as_linux(
        STREAM,
        &[
            ("127.0.0.1:9", [INVALID; 5]),
            ("[::]:9", [LO6, LO6, LO6, LO4, LO4]),
            ("[::1]:9", [LO6, LO6, LO6, FAMILY, FAMILY]),
            ("[::ffff:127.0.0.1]:9", [LO4, LO4, NET, LO4, LO4]),
            ("[::ffff:0.0.0.0]:9", [LO4, LO4, NET, LO4, LO4]),
            ("[::ffff:198.51.100.1]:9", [NET; 5]),
            ("[2001:db8::1]:9", [NET; 5]),
            ("[fe80::1]:9", [INVALID; 5]),
            ("[ff02::1]:9", [NET; 5]),
            ("[ff0e::1]:9", [NET; 5]),
        ],
    );
}

#[test]
fn datagram_sockets_connect_over_both_families_as_on_linux() {
    connects_as_linux(
        DATAGRAM,
        &[
            // A sockaddr_in is taken.
            ("127.0.0.1:9", [LO4, LO4, FAMILY, LO4, LO4]),
            ("0.0.0.0:9", [LO4, LO4, FAMILY, LO4, LO4]),
            ("[::]:9", [LO6, LO6, LO6, LO4, LO4]),
            ("[::1]:9", [LO6, LO6, LO6, FAMILY, FAMILY]),
            ("[::ffff:127.0.0.1]:9", [LO4, LO4, NET, LO4, LO4]),
            ("[::ffff:0.0.0.0]:9", [LO4, LO4, NET, LO4, LO4]),
            ("[2001:db8::1]:9", [NET; 5]),
            ("[fe80::1]:9", [INVALID; 5]),
            ("[ff02::1]:9", [INVALID; 5]),
            ("[ff0e::1]:9", [NET; 5]),
        ],
    );
}

#[test]
fn with_ip6_alone_ip4_is_not_reached() {
    let mut host = host(1, false);
    let cases = [
        (STREAM, "127.0.0.1:9", Errno::EINVAL),
        (STREAM, "[::ffff:127.0.0.1]:9", Errno::ENETUNREACH),
        (DATAGRAM, "127.0.0.1:9", Errno::EAFNOSUPPORT),
        (DATAGRAM, "[::ffff:127.0.0.1]:9", Errno::ENETUNREACH),
    ];
    for (kind, to, error) in cases {
        let id = socket6(&mut host, kind, true);
        assert_eq!(host.connect(NOW, id, Some(at(to))), Err(error), "{to}");
    }
    let id = socket6(&mut host, DATAGRAM, true);
    for to in ["127.0.0.1:9", "[::ffff:127.0.0.1]:9", "[::ffff:127.0.0.1]:0"] {
        assert_eq!(host.send_to(NOW, id, b"x", Some(at(to))), Err(Errno::ENETUNREACH), "{to}");
    }
    assert_eq!(host.connect(NOW, id, Some(scoped("fe80::1", 1))), Err(Errno::ENETUNREACH));
    assert_eq!(host.connect(NOW, id, Some(scoped("::1", 5))), Ok(Connect::Done), "its scope means nothing");
}

#[test]
fn sockets_of_ip4_know_no_ip6() {
    let mut host = host(1, false);
    for kind in [STREAM, DATAGRAM] {
        for to in ["[::]:9", "[::1]:9", "[::ffff:127.0.0.1]:9", "[fe80::1]:9"] {
            let id = host.socket(AF_INET, kind, 0).unwrap();
            assert_eq!(host.bind(id, at(to)), Err(Errno::EAFNOSUPPORT));
            assert_eq!(host.connect(NOW, id, Some(at(to))), Err(Errno::EAFNOSUPPORT));
        }
    }
    let id = host.socket(AF_INET, DATAGRAM, 0).unwrap();
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("[::1]:9"))), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.option(id, IPPROTO_IPV6, IPV6_V6ONLY), Err(Errno::EOPNOTSUPP));
    assert_eq!(v6_only(&mut host, id, 1), Err(Errno::ENOPROTOOPT));
}

#[test]
fn one_datagram_socket_sends_to_both_families_and_hears_both() {
    let mut world = World::new();
    let server = world.b.socket(AF_INET6, DATAGRAM, 0).unwrap();
    world.b.bind(server, at("[::]:53")).unwrap();
    let client = world.a.socket(AF_INET6, DATAGRAM, 0).unwrap();
    let cases = [
        ("10.0.0.2:53", "::ffff:10.0.0.1"),
        ("[::ffff:10.0.0.2]:53", "::ffff:10.0.0.1"),
        ("[fd00::2]:53", "fd00::1"),
    ];
    for (to, from) in cases {
        assert_eq!(world.a.send_to(world.now, client, b"ask", Some(at(to))), Ok(3));
        world.settle();
        let (payload, source) = world.b.recv_from(world.now, server, false).unwrap();
        assert_eq!((payload.as_slice(), source.ip().to_string().as_str()), (&b"ask"[..], from));
        assert_eq!(world.b.send_to(world.now, server, b"tell", Some(source)), Ok(4));
        world.settle();
        let (payload, source) = world.a.recv_from(world.now, client, false).unwrap();
        assert_eq!((payload.as_slice(), source.port()), (&b"tell"[..], 53));
        assert!(source.is_ipv6());
    }
    assert!(world.a.local_address(client).is_ok_and(|local| local.ip().to_string() == "::"));
}

#[test]
fn sending_gives_the_errors_of_linux() {
    let expected: &[(&str, [Result<usize, Errno>; 4])] = &[
        ("127.0.0.1:9", [Ok(1), Err(Errno::ENETUNREACH), Ok(1), Ok(1)]),
        ("[::]:9", [Ok(1), Ok(1), Ok(1), Ok(1)]),
        ("[::1]:9", [Ok(1), Ok(1), Err(Errno::EAFNOSUPPORT), Err(Errno::EAFNOSUPPORT)]),
        ("[::ffff:127.0.0.1]:9", [Ok(1), Err(Errno::ENETUNREACH), Ok(1), Ok(1)]),
        ("[2001:db8::1]:9", [Err(Errno::ENETUNREACH); 4]),
        ("[fe80::1]:9", [Err(Errno::ENETUNREACH); 4]),
        ("[ff02::1]:9", [Err(Errno::ENETUNREACH); 4]),
    ];
    for (to, row) in expected {
        for (own, expected) in
            ["[::]:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "[::ffff:0.0.0.0]:0"].iter().zip(row)
        {
            let mut host = host(1, false);
            let id = socket6(&mut host, DATAGRAM, false);
            host.bind(id, at(own)).unwrap();
            assert_eq!(host.send_to(NOW, id, b"x", Some(at(to))), *expected, "from {own} to {to}");
        }
    }
    let mut host = host(1, false);
    let id = socket6(&mut host, DATAGRAM, false);
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("[::1]:0"))), Err(Errno::EINVAL));
    let four = socket6(&mut host, DATAGRAM, false);
    host.bind(four, at("[::ffff:127.0.0.1]:0")).unwrap();
    assert_eq!(host.send_to(NOW, four, b"x", Some(at("[::1]:0"))), Err(Errno::EINVAL));
    assert_eq!(host.send_to(NOW, id, &[0; 65_527], Some(at("[::1]:9"))), Ok(65_527));
    assert_eq!(host.send_to(NOW, id, &[0; 65_528], Some(at("[::1]:9"))), Err(Errno::EMSGSIZE));
    assert_eq!(host.send_to(NOW, id, &[0; 65_508], Some(at("[::ffff:127.0.0.1]:9"))), Err(Errno::EMSGSIZE));
}

#[test]
fn a_datagram_socket_keeps_the_address_of_its_first_association() {
    let mut host = host(1, false);
    let id = socket6(&mut host, DATAGRAM, false);
    host.connect(NOW, id, Some(at("[::1]:9"))).unwrap();
    assert_eq!(host.remote_address(id), Ok(at("[::1]:9")));
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("[::ffff:127.0.0.1]:9"))), Ok(1));
    host.connect(NOW, id, Some(at("[::ffff:127.0.0.1]:9"))).unwrap();
    assert_eq!(host.remote_address(id), Ok(at("[::ffff:127.0.0.1]:9")));
    assert_eq!(host.local_address(id).map(|local| local.ip()), Ok(at("[::1]:0").ip()));
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("[::1]:9"))), Ok(1));
    assert_eq!(host.connect(NOW, id, Some(at("[::1]:9"))), Ok(Connect::Done));
    assert_eq!(host.connect(NOW, id, None), Ok(Connect::Done));
    assert_eq!(host.local_address(id), Ok(at("[::]:0")));

    host.connect(NOW, id, Some(at("[::ffff:127.0.0.1]:9"))).unwrap();
    assert_eq!(host.connect(NOW, id, Some(at("[::1]:9"))), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.send_to(NOW, id, b"x", Some(at("[::1]:9"))), Err(Errno::EAFNOSUPPORT));
}

#[test]
fn an_end_without_a_source_is_of_the_sockets_family() {
    let mut host = host(1, false);
    let id = socket6(&mut host, DATAGRAM, false);
    host.connect(NOW, id, Some(at("[::1]:9"))).unwrap();
    host.shutdown(NOW, id, How::Read).unwrap();
    assert_eq!(host.end_of_datagrams(id), Some(at("[::]:0")));
}

#[test]
fn a_refused_stream_of_ip6_is_told_like_one_of_ip4() {
    let mut world = World::new();
    for to in ["[fd00::2]:9", "[::ffff:10.0.0.2]:9", "[::1]:9"] {
        let id = world.a.socket(AF_INET6, STREAM, 0).unwrap();
        world.a.connect(world.now, id, Some(at(to))).unwrap();
        world.settle();
        assert_eq!(world.a.take_error(id), Some(Errno::ECONNREFUSED));
    }
}

#[test]
fn a_fresh_socket_of_ip6_reads_as_on_linux() {
    let mut host = host(1, false);
    let stream = host.socket(AF_INET6, STREAM, 0).unwrap();
    let datagram = host.socket(AF_INET6, DATAGRAM, 0).unwrap();
    let number = |value: i32| Ok(value.to_ne_bytes().to_vec());
    let (absent, unconnected) = (Err(Errno::ENOPROTOOPT), Err(Errno::ENOTCONN));
    let of_both = [
        (SOL_SOCKET, SO_DOMAIN, number(10)),
        (IPPROTO_IPV6, IPV6_V6ONLY, number(0)),
        (IPPROTO_IPV6, IPV6_TCLASS, number(0)),
        (IPPROTO_IPV6, IPV6_UNICAST_HOPS, number(64)),
        (IPPROTO_IPV6, IPV6_MULTICAST_HOPS, number(1)),
        (IPPROTO_IPV6, IPV6_MULTICAST_LOOP, number(1)),
        (IPPROTO_IPV6, IPV6_MTU_DISCOVER, number(1)),
        (IPPROTO_IPV6, IPV6_RECVERR, number(0)),
        (IPPROTO_IPV6, IPV6_RECVPKTINFO, number(0)),
        (IPPROTO_IPV6, IPV6_MULTICAST_ALL, number(1)),
        (IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, number(1)),
        (IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, number(1280)),
        (IPPROTO_IPV6, IPV6_MTU, unconnected.clone()),
        (IPPROTO_IPV6, IPV6_PATHMTU, unconnected.clone()),
        (IPPROTO_IPV6, IPV6_PKTINFO, absent.clone()),
        (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, absent.clone()),
        (IPPROTO_IPV6, IPV6_RTHDR, Ok(vec![])),
        (IPPROTO_IP, IP_TTL, number(64)),
        (IPPROTO_IP, IP_MTU, unconnected),
        (IPPROTO_IP, IP_MULTICAST_ALL, number(0)),
        (99, 1, absent.clone()),
    ];
    for (level, name, expected) in of_both {
        assert_eq!(host.option(stream, level, name), expected, "stream, level {level}, option {name}");
        assert_eq!(host.option(datagram, level, name), expected, "datagram, level {level}, option {name}");
    }
    assert_eq!(host.option(stream, IPPROTO_TCP, TCP_MAXSEG), number(536));
    assert_eq!(host.option(datagram, IPPROTO_TCP, TCP_NODELAY), absent);
    let group = [&[0xff, 2][..], &[0; 18]].concat();
    let mut set = |id, name, value: &[u8]| host.set_option(NOW, id, IPPROTO_IPV6, name, value);
    assert_eq!(set(datagram, IPV6_ADD_MEMBERSHIP, &group), Err(Errno::ENODEV));
    assert_eq!(set(stream, IPV6_ADD_MEMBERSHIP, &group), Err(Errno::EPROTO));
    assert_eq!(set(datagram, IPV6_DROP_MEMBERSHIP, &group), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(set(datagram, IPV6_ADD_MEMBERSHIP, &[0; 20]), Err(Errno::EINVAL));
    assert_eq!(set(datagram, IPV6_RTHDR, &[]), Ok(()));
    assert_eq!(set(datagram, IPV6_PKTINFO, &[0; 19]), Err(Errno::EINVAL));
    assert_eq!(set(datagram, IPV6_PKTINFO, &[0; 20]), Ok(()));
}

#[test]
fn hops_and_traffic_class_are_those_of_the_family_that_is_spoken() {
    let mut world = World::new();
    let id = world.a.socket(AF_INET6, STREAM, 0).unwrap();
    let set = |host: &mut Host, level, name, value: i32| {
        host.set_option(NOW, id, level, name, &value.to_ne_bytes()).unwrap();
    };
    set(&mut world.a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7);
    set(&mut world.a, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
    set(&mut world.a, IPPROTO_IP, IP_TTL, 9);
    world.a.connect(world.now, id, Some(at("[fd00::2]:80"))).unwrap();
    let (_, frame) = world.a.poll_frame(world.now).unwrap();
    let header = ieum_wire::ip::parse(frame.bytes()).unwrap().header;
    assert_eq!((frame.bytes()[7], header.tos), (7, 0x20));
    let four = world.a.socket(AF_INET6, STREAM, 0).unwrap();
    world.a.set_option(NOW, four, IPPROTO_IP, IP_TTL, &[9, 0, 0, 0]).unwrap();
    world.a.connect(world.now, four, Some(at("[::ffff:10.0.0.2]:80"))).unwrap();
    let (_, frame) = world.a.poll_frame(world.now).unwrap();
    assert_eq!(frame.bytes()[8], 9);
}
