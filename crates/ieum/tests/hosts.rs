//! Hosts of one's own: joined to each other, and to the machine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use ieum::sockets::Errno;
use ieum::stack::{CongestionName, LinkConfig, RouteTarget, TcpSettings};
use ieum::{Host, Network};
use rustix::net::{AddressFamily, SocketType};

/// Two hosts on one link, in both families.
fn pair() -> (Host, Host) {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |number: u8| {
        let host = network.host().address(&link, &format!("10.1.0.{number}/24"));
        host.address(&link, &format!("fd01::{number}/64")).build().unwrap()
    };
    (host(1), host(2))
}

#[test]
fn two_hosts_have_their_own_ports_and_reach_each_other() {
    let (one, other) = pair();
    let listeners = [one.listen("0.0.0.0:80").unwrap(), other.listen("0.0.0.0:80").unwrap()];
    for (from, to, listener) in [(&one, "10.1.0.2:80", &listeners[1]), (&other, "10.1.0.1:80", &listeners[0])]
    {
        let mut stream = from.connect(to).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        stream.write_all(b"over the link").unwrap();
        drop(stream);
        let mut word = String::new();
        accepted.read_to_string(&mut word).unwrap();
        assert_eq!(word, "over the link");
    }
}

#[test]
fn many_hosts_on_one_link_each_reach_every_other() {
    const HOSTS: u8 = 12;
    let network = Network::new().unwrap();
    let link = network.link();
    let address = |number: u8| format!("10.1.0.{number}");
    let hosts: Vec<Host> = (1..=HOSTS)
        .map(|number| network.host().address(&link, &format!("{}/24", address(number))).build().unwrap())
        .collect();
    let listeners: Vec<_> = hosts.iter().map(|host| host.listen("0.0.0.0:7").unwrap()).collect();
    for from in &hosts {
        for (number, listener) in (1..).zip(&listeners) {
            let mut stream = from.connect((address(number), 7)).unwrap();
            stream.write_all(&[number]).unwrap();
            let mut byte = [0];
            listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [number]);
        }
    }
}

#[test]
fn a_host_of_two_links_is_reached_over_the_one_that_leads_there() {
    let network = Network::new().unwrap();
    let (near, far) = (network.link(), network.link_like(LinkConfig::wire(1280)));
    let middle = network.host().address(&near, "10.1.0.9/24").address(&far, "10.2.0.9/24").build().unwrap();
    let one = network.host().address(&near, "10.1.0.1/24").build().unwrap();
    let other = network.host().address(&far, "10.2.0.1/24").build().unwrap();
    let listener = middle.listen("0.0.0.0:80").unwrap();
    for (from, to) in [(&one, "10.1.0.9:80"), (&other, "10.2.0.9:80")] {
        let stream = from.connect(to).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        assert_eq!(
            (accepted.local_addr().unwrap(), peer),
            (to.parse().unwrap(), stream.local_addr().unwrap())
        );
    }
    assert_eq!(one.connect("10.2.0.1:80").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn networks_beyond_have_a_way_where_a_route_names_one() {
    let network = Network::new().unwrap();
    let link = network.link();
    let _gateway = network.host().address(&link, "10.1.0.9/24").build().unwrap();
    let host =
        network.host().address(&link, "10.1.0.1/24").route("192.0.2.0/24", "10.1.0.9").build().unwrap();
    // It is sent on its way, and nobody there has that address: no host forwards.
    let socket = host.udp("0.0.0.0:0").unwrap();
    assert_eq!(socket.send_to(b"x", "192.0.2.1:9").unwrap(), 1);
    assert_eq!(socket.send_to(b"x", "198.51.100.1:9").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn a_host_tells_its_interfaces_and_routes() {
    let network = Network::new().unwrap();
    let (near, far) = (network.link(), network.link_like(LinkConfig::wire(1280)));
    let host = network.host().address(&near, "10.1.0.1/24").address(&far, "fd02::1/64");
    let host = host.route("192.0.2.0/24", "10.1.0.9").build().unwrap();
    let told: Vec<_> = host
        .interfaces()
        .into_iter()
        .map(|it| {
            let addresses: Vec<String> = it.addresses.iter().map(ToString::to_string).collect();
            (it.index, it.name, it.mtu_bytes, addresses.join(" "))
        })
        .collect();
    let row = |index, name: &str, mtu_bytes, addresses: &str| {
        (index, name.to_owned(), mtu_bytes, addresses.to_owned())
    };
    let expected = [
        row(1, "lo", 65_535, "127.0.0.1/8 ::1/128"),
        row(2, "eth0", 1500, "10.1.0.1/24"),
        row(3, "eth1", 1280, "fd02::1/64"),
    ];
    assert_eq!(told, expected);
    let links: Vec<_> = host.interfaces().into_iter().map(|it| it.link).collect();
    let routes = host.routes();
    let target = |to: &str| {
        let to = to.parse().unwrap();
        routes.iter().find(|it| it.network.contains(to)).unwrap().target
    };
    assert_eq!(target("192.0.2.7"), RouteTarget::Gateway(links[1], "10.1.0.9".parse().unwrap()));
    assert_eq!(target("10.1.0.7"), RouteTarget::Link(links[1]));
    assert_eq!(target("fd02::7"), RouteTarget::Link(links[2]));
}

#[test]
fn megabytes_cross_both_ways_in_the_callers_threads() {
    const BYTES: usize = 32 << 20;
    let (one, other) = pair();
    let listener = other.listen("[fd01::2]:80").unwrap();
    let stream = one.connect("[fd01::2]:80").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let pattern = |from: usize| (from..).map(|place| u8::try_from(place % 251).unwrap());
    thread::scope(|scope| {
        for end in [&stream, &accepted] {
            scope.spawn(move || {
                let (mut end, mut sent) = (end, 0);
                while sent < BYTES {
                    let chunk: Vec<u8> = pattern(sent).take(300_000.min(BYTES - sent)).collect();
                    end.write_all(&chunk).unwrap();
                    sent += chunk.len();
                }
                end.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let (mut end, mut bytes, mut received) = (end, vec![0; 1 << 18], 0);
                loop {
                    let count = end.read(&mut bytes).unwrap();
                    if count == 0 {
                        break;
                    }
                    assert!(
                        bytes[..count].iter().copied().eq(pattern(received).take(count)),
                        "at {received}"
                    );
                    received += count;
                }
                assert_eq!(received, BYTES);
            });
        }
    });
}

#[test]
fn what_a_host_is_to_be_is_what_its_sockets_are() {
    let network = Network::new().unwrap();
    let link = network.link();
    let settings = TcpSettings { ttl: 9, recv_buffer_bytes: 20_000, ..TcpSettings::default() };
    let host = network
        .host()
        .address(&link, "10.1.0.1/24")
        .tcp(settings)
        .congestion(CongestionName::Reno)
        .ephemeral_ports(5000..=5000)
        .sockets_max(3)
        .build()
        .unwrap();
    let listener = host.listen("10.1.0.1:80").unwrap();
    let stream = host.connect("10.1.0.1:80").unwrap();
    assert_eq!(stream.local_addr().unwrap(), "10.1.0.1:5000".parse().unwrap());
    let accepted = listener.accept().unwrap();
    let full = host.udp("10.1.0.1:0").unwrap_err();
    assert_eq!(full.raw_os_error(), Some(23), "ENFILE: {full}");
    drop(accepted);
    host.udp("10.1.0.1:0").unwrap();
    let (sockets, drops) = host.inspect(|host| (host.sockets().len(), host.stack().drops().len()));
    assert!(sockets >= 2, "{sockets}");
    assert_eq!(drops, 0);
}

#[test]
fn a_host_that_cannot_be_is_refused_in_words_and_changes_nothing() {
    let (here, there) = (Network::new().unwrap(), Network::new().unwrap());
    let (link, foreign) = (here.link(), there.link());
    let taken = here.host().address(&link, "10.1.0.1/24").build().unwrap();
    let refused = [
        (here.host().address(&link, "10.1.0"), "not an address with the length of its prefix"),
        (here.host().address(&link, "10.1.0.0/24"), "10.1.0.0/24: it stands for all hosts of its network"),
        (here.host().address(&link, "10.1.0.255/24"), "it stands for all hosts"),
        (here.host().address(&link, "127.0.0.1/8"), "no host has this address on a link"),
        (here.host().address(&link, "ff02::1/64"), "no host has this address on a link"),
        (here.host().address(&foreign, "10.1.0.2/24"), "of another network"),
        (here.host().address(&link, "10.1.0.1/24"), "another host on the link has it"),
        (here.host().address(&link, "10.1.0.2/24").route("0.0.0.0/0", "10.2.0.1"), "no link leads"),
        (here.host().address(&link, "10.1.0.2/24").route("0.0.0.0/0", "there"), "not an address"),
        (here.host().publish("8080"), "[ADDR:]PORT:PORT"),
        (
            here.host().address(&link, "10.1.0.2/24").address(&link, "10.1.0.2/16"),
            "10.1.0.2: named twice on the same link",
        ),
        (here.host().ephemeral_ports(0..=9), "0 is no ephemeral port"),
    ];
    for (builder, why) in refused {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(why), "{error}");
    }
    // The address that the refused ones asked for is free.
    let other = here.host().address(&link, "10.1.0.2/24").build().unwrap();
    let listener = taken.listen("10.1.0.1:80").unwrap();
    other.connect(listener.local_addr().unwrap()).unwrap();
}

#[test]
fn a_host_without_an_exit_reaches_nobody_else() {
    let (one, _other) = pair();
    assert_eq!(one.connect("192.0.2.1:80").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn a_datagram_to_each_of_many_comes_from_where_it_was_sent() {
    let (one, other) = pair();
    let sender = one.udp("10.1.0.1:5000").unwrap();
    let receivers: Vec<_> = (0..10).map(|_| other.udp("10.1.0.2:0").unwrap()).collect();
    for (number, receiver) in (0..).zip(&receivers) {
        sender.send_to(&[number], receiver.local_addr().unwrap()).unwrap();
    }
    for (number, receiver) in (0..).zip(&receivers) {
        let mut byte = [0];
        assert_eq!(receiver.recv_from(&mut byte).unwrap(), (1, "10.1.0.1:5000".parse().unwrap()));
        assert_eq!(byte, [number]);
    }
}

#[test]
fn a_broadcast_reaches_all_on_the_link_but_its_sender() {
    let network = Network::new().unwrap();
    let link = network.link();
    let hosts: Vec<Host> = (1..=4)
        .map(|number| network.host().address(&link, &format!("10.1.0.{number}/24")).build().unwrap())
        .collect();
    let sockets: Vec<_> = hosts.iter().map(|host| host.udp("0.0.0.0:67").unwrap()).collect();
    let refused = sockets[0].send_to(b"all", "10.1.0.255:67").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    sockets[0].set_broadcast(true).unwrap();
    sockets[0].send_to(b"all", "10.1.0.255:67").unwrap();
    for socket in &sockets[1..] {
        let mut word = [0; 3];
        assert_eq!(socket.recv_from(&mut word).unwrap(), (3, "10.1.0.1:67".parse().unwrap()));
    }
}

#[test]
fn an_exit_leads_to_the_machine_and_its_refusals_come_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Network::new().unwrap().host().exit().build().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut word = String::new();
        stream.read_to_string(&mut word).unwrap();
        stream.write_all(word.to_uppercase().as_bytes()).unwrap();
    });
    let mut stream = host.connect(("10.77.0.1", port)).unwrap();
    stream.write_all(b"out and back").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut word = String::new();
    stream.read_to_string(&mut word).unwrap();
    assert_eq!(word, "OUT AND BACK");
    serving.join().unwrap();
    // A port that is held, and at which nobody listens.
    let held = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = SocketAddr::try_from(rustix::net::getsockname(&held).unwrap()).unwrap().port();
    assert_eq!(host.connect(("10.77.0.1", port)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn what_a_left_network_owes_is_delivered() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bytes = vec![7; 3_000_000];
    let sent = bytes.len();
    {
        let host = Network::new().unwrap().host().exit().build().unwrap();
        let writing =
            thread::spawn(move || host.connect(("10.77.0.1", port)).unwrap().write_all(&bytes).unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        writing.join().unwrap();
        assert_eq!(all.len(), sent);
    }
}

#[test]
fn a_port_of_the_machine_leads_inside() {
    let host = Network::new().unwrap().host().publish("0:80").publish("[::1]:0:53/udp").build().unwrap();
    let [at, name_service] = *host.published() else { panic!("two are published") };
    assert!(at.ip().is_loopback() && at.port() != 0 && name_service.is_ipv6());
    let listener = host.listen("0.0.0.0:80").unwrap();
    let mut outside = std::net::TcpStream::connect(at).unwrap();
    let (mut inside, _) = listener.accept().unwrap();
    outside.write_all(b"in").unwrap();
    outside.shutdown(Shutdown::Write).unwrap();
    let mut word = String::new();
    inside.read_to_string(&mut word).unwrap();
    assert_eq!(word, "in");
    host.remove();
    assert!(host.published().is_empty());
}

#[test]
fn as_many_connections_wait_as_the_backlog_says() {
    let (one, other) = pair();
    let listener = other.listen("10.1.0.2:80").unwrap();
    let connect = || one.connect_timeout(&"10.1.0.2:80".parse().unwrap(), Duration::from_millis(50));
    let waiting: Vec<_> = (0..129).map(|_| connect().unwrap()).collect();
    assert_eq!(connect().unwrap_err().kind(), ErrorKind::TimedOut);
    let accepted = listener.accept().unwrap();
    assert_eq!(accepted.1, waiting[0].local_addr().unwrap());
    connect().unwrap();
    // Nor is there a port when all that the host gives out are listened on.
    let network = Network::new().unwrap();
    let few = network.host().ephemeral_ports(5000..=5001).build().unwrap();
    let _both = [0; 2].map(|_| few.listen("127.0.0.1:0").unwrap());
    assert_eq!(few.listen("127.0.0.1:0").unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(few.listen(&[][..]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_timeout_ends_a_connect_that_nobody_answers() {
    let network = Network::new().unwrap();
    let link = network.link();
    let _gateway = network.host().address(&link, "10.1.0.9/24").build().unwrap();
    let one = network.host().address(&link, "10.1.0.1/24").route("0.0.0.0/0", "10.1.0.9").build().unwrap();
    let nobody = "192.0.2.1:80".parse().unwrap();
    let error = one.connect_timeout(&nobody, Duration::from_millis(50)).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::TimedOut, "connection timed out"));
    assert_eq!(one.connect_timeout(&nobody, Duration::ZERO).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_neighbour_who_is_not_there_is_an_unreachable_host() {
    let (one, other) = pair();
    let error = |to: &str| one.connect(to).unwrap_err().kind();
    for nobody in ["10.1.0.9:80", "[fd01::9]:80"] {
        assert_eq!(error(nobody), ErrorKind::HostUnreachable, "{nobody}");
        // As on Linux a datagram socket hears of it only where it asks for that (IP_RECVERR).
        let socket = one.udp(if nobody.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
        socket.connect(nobody).unwrap();
        assert_eq!((socket.send(b"x").unwrap(), socket.send(b"x").unwrap()), (1, 1), "{nobody}");
    }
    // One that has left is not there either.
    assert_eq!(error("10.1.0.2:80"), ErrorKind::ConnectionRefused);
    other.remove();
    assert_eq!(error("10.1.0.2:80"), ErrorKind::HostUnreachable);
}

#[test]
fn many_datagrams_are_sent_by_one_call_and_received_by_one() {
    let (one, other) = pair();
    let (from, to) = (one.udp("0.0.0.0:0").unwrap(), other.udp("0.0.0.0:7").unwrap());
    from.set_segment_size(1000).unwrap();
    to.set_joined(true).unwrap();
    assert_eq!(from.segment_size().unwrap(), 1000);
    let mut into = vec![0; 65_507];
    from.send_to(&[7; 2500], "10.1.0.2:7").unwrap();
    let (count, source, size) = to.recv_joined(&mut into).unwrap();
    assert_eq!((count, source.port(), size), (2500, from.local_addr().unwrap().port(), Some(1000)));
    to.set_joined(false).unwrap();
    from.send_to(&[7; 2500], "10.1.0.2:7").unwrap();
    let counts = [0; 3].map(|_| to.recv_from(&mut into).unwrap().0);
    assert_eq!(counts, [1000, 1000, 500]);
    from.send_to(&[7; 500], "10.1.0.2:7").unwrap();
    assert_eq!(to.recv_joined(&mut into).map(|(count, _, size)| (count, size)).unwrap(), (500, None));
}

#[test]
fn raw_sockets_are_for_hosts_that_have_them() {
    let network = Network::new().unwrap();
    let link = network.link();
    let plain = network.host().address(&link, "10.1.0.1/24").build().unwrap();
    let builder = network.host().address(&link, "10.1.0.2/24").address(&link, "fd01::2/64");
    let host = builder.raw_sockets().build().unwrap();
    assert_eq!(plain.raw_v4(1).unwrap_err().kind(), ErrorKind::PermissionDenied);

    let (listens, speaks) = (host.raw_v4(253).unwrap(), host.raw_v4(253).unwrap());
    listens.bind("127.0.0.1".parse().unwrap()).unwrap();
    speaks.send_to(b"hello", "127.0.0.1".parse().unwrap()).unwrap();
    let mut into = [0; 100];
    let (count, source) = listens.recv_from(&mut into).unwrap();
    assert_eq!((&into[20..count], source.to_string()), (&b"hello"[..], "127.0.0.1".to_owned()));
    let packet = into[..count].to_vec();
    speaks.set_header_included(true).unwrap();
    speaks.send_to(&packet, "127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(listens.recv_from(&mut into).unwrap().0, 25);

    let six = host.raw_v6(58).unwrap();
    six.connect("::1".parse().unwrap()).unwrap();
    six.send(&[128, 0, 0, 0, 0, 1, 0, 1]).unwrap();
    let types = [0; 2].map(|_| six.recv_from(&mut into).map(|_| into[0]).unwrap());
    assert_eq!(types, [128, 129], "the request, and the host's answer");
    assert_eq!(six.local_addr().unwrap().to_string(), "::1");
    assert!(six.set_checksum(None).is_err() && host.raw_v6(253).unwrap().set_checksum(Some(2)).is_ok());
}

#[test]
fn a_host_that_is_removed_resets_its_peers_and_frees_its_address() {
    let network = Network::new().unwrap();
    let link = network.link();
    let one = network.host().address(&link, "10.9.0.1/24").build().unwrap();
    let other = network.host().address(&link, "10.9.0.2/24").build().unwrap();
    let listener = one.listen("10.9.0.1:80").unwrap();
    let mut stream = other.connect("10.9.0.1:80").unwrap();
    let accepted = listener.accept().unwrap().0;
    let mut waiting = pin!(listener.accept_async());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    one.remove();
    let Poll::Ready(Err(told)) = waiting.poll(&mut cx) else { panic!("nobody will come") };
    assert_eq!(told.raw_os_error(), Some(Errno::EBADF.0));
    assert_eq!(stream.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(accepted.peer_addr().unwrap_err().raw_os_error(), Some(Errno::EBADF.0));
    assert_eq!(one.udp("0.0.0.0:0").unwrap_err().raw_os_error(), Some(Errno::ENFILE.0));
    let again = network.host().address(&link, "10.9.0.1/24").build().unwrap();
    let listener = again.listen("10.9.0.1:80").unwrap();
    let stream = other.connect("10.9.0.1:80").unwrap();
    assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
}
