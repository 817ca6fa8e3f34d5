//! Hosts that talk to each other.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use ieum_stack::{BindRequest, ConnectionId, TcpSettings, UdpId};
use ieum_wire::{Protocol, checksum::Sum, ip4};

use crate::host::{Deed, Folder, Inside, Running, at, idle};

const BYTES: usize = 64 << 20;

/// Byte number `at` of a stream that no two of its parts of 251 bytes repeat in step with packets.
fn byte(at: usize) -> u8 {
    u8::try_from((at * 31 + at / 251) % 251).unwrap()
}

fn bind(port: u16) -> BindRequest {
    let address = "::".parse().unwrap();
    BindRequest::new(address, port)
}

/// Serves port 80: whoever comes is sent all bytes, and then the end.
fn source(clients: usize) -> Deed {
    let mut listener = None;
    let mut served: Vec<(ConnectionId, usize)> = Vec::new();
    Box::new(move |inside, now| {
        let stack = &mut inside.stack;
        let listener = *listener.get_or_insert_with(|| {
            let binding = stack.tcp_bind(bind(80)).unwrap();
            stack.tcp_listen(binding, 10, false, TcpSettings::default()).unwrap()
        });
        served.extend(stack.tcp_accept(listener).map(|id| (id, 0)));
        for (id, sent) in &mut served {
            while *sent < BYTES {
                let part: Vec<u8> = (*sent..BYTES.min(*sent + 65_536)).map(byte).collect();
                let count = stack.tcp_send(now, *id, &part);
                if count == 0 {
                    break;
                }
                *sent += count;
                if *sent == BYTES {
                    stack.tcp_finish(now, *id);
                }
            }
        }
        let told = |id| stack.tcp_status(id).is_none_or(|status| status.finish_acknowledged);
        served.len() == clients && served.iter().all(|(id, _)| told(*id))
    })
}

/// Reads all that `server` sends, and says how many bytes were as they should be.
fn sink(server: IpAddr, tell: mpsc::Sender<usize>) -> Deed {
    let (mut connection, mut received) = (None, 0);
    Box::new(move |inside, now| {
        let stack = &mut inside.stack;
        let id = *connection.get_or_insert_with(|| {
            stack.tcp_connect(now, None, at(server, 80), TcpSettings::default()).unwrap()
        });
        let mut bytes = vec![0; 65_536];
        loop {
            let count = stack.tcp_recv(now, id, &mut bytes, false);
            let good = bytes[..count].iter().enumerate().all(|(index, got)| *got == byte(received + index));
            assert!(good, "the bytes from {received} on are as they were sent");
            received += count;
            if count == 0 {
                break;
            }
        }
        let status = stack.tcp_status(id).unwrap();
        assert_eq!(status.failure, None, "after {received} bytes");
        if status.peer_finished && status.readable_bytes == 0 {
            stack.tcp_close(now, id);
            tell.send(received).unwrap();
            return true;
        }
        false
    })
}

#[test]
fn sixty_four_mebibytes_cross_whole_in_both_families_to_owner_and_member() {
    let folder = Folder::new();
    // One connection from a member to the owner, and one from a member to a member, through the owner's switch.
    let (tell, told) = mpsc::channel();
    let owner = Running::start(&folder, "owner", source(1));
    let server = Running::start(&folder, "server", source(1));
    let v6 = server.place.addresses[1].address();
    assert!(v6.is_ipv6());
    let one = Running::start(&folder, "one", sink(owner.address(), tell.clone()));
    let two = Running::start(&folder, "two", sink(v6, tell));
    for _ in 0..2 {
        assert_eq!(told.recv_timeout(Duration::from_secs(120)).unwrap(), BYTES);
    }
    for member in [one, two, server] {
        assert_eq!(member.finish(), []);
    }
    assert_eq!(owner.finish(), []);
}

/// Waits for `wanted` datagrams at port 7, and says who sent them.
fn listen(wanted: usize, tell: mpsc::Sender<IpAddr>, ready: Arc<AtomicUsize>) -> Deed {
    let (mut endpoint, mut count) = (None::<UdpId>, 0);
    Box::new(move |inside, _| {
        let stack = &mut inside.stack;
        let endpoint = *endpoint.get_or_insert_with(|| {
            ready.fetch_add(1, Ordering::Release);
            stack.udp_bind(bind(7)).unwrap()
        });
        while let Some(datagram) = stack.udp_recv(endpoint) {
            assert_eq!(datagram.payload, b"to all");
            tell.send(datagram.source.ip()).unwrap();
            count += 1;
        }
        count == wanted
    })
}

/// Sends a datagram to everybody as soon as `listeners` are ready.
fn call(listeners: usize, ready: Arc<AtomicUsize>) -> Deed {
    Box::new(move |inside, now| {
        if ready.load(Ordering::Acquire) < listeners {
            return false;
        }
        let endpoint = inside.stack.udp_bind(bind(0)).unwrap();
        inside.stack.udp_send(now, endpoint, "10.77.0.255:7".parse().unwrap(), b"to all").unwrap();
        true
    })
}

#[test]
fn a_broadcast_reaches_everybody_else() {
    let folder = Folder::new();
    let ready = Arc::new(AtomicUsize::new(0));
    let (tell, told) = mpsc::channel();
    let listen = || listen(2, tell.clone(), Arc::clone(&ready));
    let owner = Running::start(&folder, "owner", listen());
    let listener = Running::start(&folder, "listener", listen());
    let callers = ["one", "two"].map(|name| Running::start(&folder, name, call(2, Arc::clone(&ready))));
    let mut heard: Vec<IpAddr> =
        (0..4).map(|_| told.recv_timeout(Duration::from_secs(30)).unwrap()).collect();
    heard.sort();
    let sent = callers.each_ref().map(Running::address);
    assert_eq!(heard, [sent[0], sent[0], sent[1], sent[1]]);
    callers.into_iter().chain([listener]).for_each(|member| drop(member.finish()));
    owner.finish();
}

/// A datagram with a source of one's choice.
fn forged(source: IpAddr, destination: IpAddr) -> ieum_wire::Packet {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else { panic!("IPv4") };
    let header = ip4::Header {
        source,
        destination,
        protocol: Protocol::Udp,
        ttl: 64,
        tos: 0,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let bytes = header.emit(20 + 8);
    assert!(Sum::new().plus(&bytes).is_valid());
    ieum_wire::Packet::from_wire(&[&bytes[..], &[0, 7, 0, 7, 0, 8, 0, 0]].concat())
}

#[test]
fn who_speaks_under_anothers_address_is_not_heard() {
    let folder = Folder::new();
    let owner = Running::start(&folder, "owner", idle());
    let victim = Running::start(&folder, "victim", idle());
    let (own, other) = (owner.address(), victim.address());
    let liar: Deed = Box::new(move |inside: &mut Inside, _| {
        inside.forged =
            vec![forged(other, own), forged(own, other), forged("192.0.2.1".parse().unwrap(), own)];
        true
    });
    Running::start(&folder, "liar", liar).finish();
    victim.finish();
    assert_eq!(owner.finish(), [("from an address that is not its port's own", 3)]);
}

#[test]
fn hosts_learn_of_each_other_by_name_and_of_who_has_left() {
    let folder = Folder::new();
    let (tell, told) = mpsc::channel();
    let mut has_come = false;
    let watch: Deed = Box::new(move |inside, now| {
        let mut can_reach = |address: IpAddr| {
            inside.stack.tcp_connect(now, None, at(address, 1), TcpSettings::default()).is_ok()
        };
        let absent = "10.77.0.99".parse().unwrap();
        assert!(!can_reach(absent), "who is absent is unreachable at once");
        let second = "10.77.0.3".parse().unwrap();
        match inside.find("second.lab.ieum") {
            Some(address) if !has_come => {
                has_come = true;
                assert_eq!(address, second);
                assert!(inside.stack.tcp_connect(now, None, at(address, 1), TcpSettings::default()).is_ok());
                assert_eq!(inside.find("owner.lab.ieum"), Some(inside.place.addresses[0].address()));
                tell.send(()).unwrap();
            }
            None if has_come => {
                let again = inside.stack.tcp_connect(now, None, at(second, 1), TcpSettings::default());
                assert!(again.is_err(), "nobody is at its address any more");
                return true;
            }
            Some(_) | None => {}
        }
        false
    });
    let owner = Running::start(&folder, "owner", watch);
    let second = Running::start(&folder, "second", idle());
    told.recv_timeout(Duration::from_secs(30)).unwrap();
    second.finish();
    owner.finish();
}

#[test]
fn without_its_owner_a_net_is_down_and_connections_over_it_fail_at_once() {
    let folder = Folder::new();
    let owner = Running::start(&folder, "owner", source(usize::MAX));
    let server = owner.address();
    let (tell, told) = mpsc::channel();
    let mut connection = None;
    let member = Running::start(
        &folder,
        "member",
        Box::new(move |inside, now| {
            let id = *connection.get_or_insert_with(|| {
                inside.stack.tcp_connect(now, None, at(server, 80), TcpSettings::default()).unwrap()
            });
            let status = inside.stack.tcp_status(id).unwrap();
            if status.readable_bytes > 0 {
                tell.send(()).unwrap();
            }
            if inside.is_down {
                assert!(status.failure.is_some());
                assert_eq!(inside.names.len(), 1, "only this host has a name");
                return true;
            }
            false
        }),
    );
    told.recv_timeout(Duration::from_secs(30)).unwrap();
    owner.kill();
    member.finish();
}

#[test]
fn a_net_goes_on_without_its_owners_host_until_the_last_has_left() {
    let folder = Folder::new();
    let owner = Running::start(&folder, "owner", idle());
    let own = owner.address();
    let server = Running::start(&folder, "server", source(1));
    let address = server.address();
    let rest = owner.end_of_program();
    let (tell, told) = mpsc::channel();
    let mut read = sink(address, tell);
    let mut has_looked = false;
    let client = Running::start(
        &folder,
        "client",
        Box::new(move |inside, now| {
            // The address of the owner's host is free now, and its name; it may take a moment.
            if !has_looked && inside.find("owner.lab.ieum").is_none() {
                has_looked = true;
                assert!(inside.stack.tcp_connect(now, None, at(own, 80), TcpSettings::default()).is_err());
            }
            has_looked && read(inside, now)
        }),
    );
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), BYTES);
    let late = Running::start(&folder, "owner", idle());
    assert_ne!(late.address(), own, "a number comes again as late as possible");
    for member in [client, server, late] {
        member.finish();
    }
    assert_eq!(rest.join().unwrap(), []);
    assert!(!folder.socket().exists());
}
