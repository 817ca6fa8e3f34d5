//! Published ports: from the machine to the inside.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::inside::{Family, bell, exit, families, play_with, request};

const A_WHILE: Duration = Duration::from_secs(20);

#[test]
fn a_connection_from_outside_reaches_who_listens_inside() {
    families().for_each(reaches_who_listens_inside);
}

fn reaches_who_listens_inside(family: Family) {
    let mut exit = exit(&[&any_port_to(family, "80")]);
    let outside = exit.published().next().unwrap().outside;
    assert_eq!(TcpStream::connect(outside).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let (bell, ring) = bell();
    let mut client = None;
    let (mut ring, mut listener, mut connection) = (Some(ring), None, None);
    play_with(&mut exit, bell, |scene| {
        let Some(listener) = listener else {
            listener = Some(scene.listen(80));
            return false;
        };
        if let Some(ring) = ring.take() {
            client = Some(thread::spawn(move || {
                let _ring = ring;
                // The notice has been told before anything else happens, but not before this thread runs.
                let mut stream = connect(outside);
                stream.write_all(b"hello").unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                answer
            }));
        }
        if connection.is_none() {
            connection = scene.stack.tcp_accept(listener);
        }
        if let Some(id) = connection {
            let status = scene.status(id);
            assert_eq!((status.local.ip(), status.remote.ip()), (family.host, family.exit));
            let mut word = [0; 5];
            if scene.stack.tcp_recv(scene.now, id, &mut word, true) == 5 {
                scene.stack.tcp_recv(scene.now, id, &mut word, false);
                scene.stack.tcp_send(scene.now, id, &word);
                scene.stack.tcp_finish(scene.now, id);
            }
        }
        scene.rung
    });
    assert_eq!(client.unwrap().join().unwrap(), "hello");
}

/// A wish for any port of the machine's loopback.
fn any_port_to(family: Family, inside: &str) -> String {
    format!("{}:{inside}", SocketAddr::new(family.machine, 0))
}

/// Connects as soon as the port is open.
fn connect(outside: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(outside) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => thread::yield_now(),
            connected => {
                let stream = connected.unwrap();
                stream.set_read_timeout(Some(A_WHILE)).unwrap();
                return stream;
            }
        }
    }
}

#[test]
fn the_port_closes_with_its_last_server_and_opens_again() {
    let mut exit = exit(&["0:80"]);
    let outside = exit.published().next().unwrap().outside;
    let mut step = 0;
    let refused =
        || TcpStream::connect(outside).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    let (bell, _ring) = bell();
    play_with(&mut exit, bell, |scene| {
        // Each notice has reached the exit when the next step is asked for.
        match step {
            0 => assert!(refused()),
            1 => scene.serving(false, 81, true),
            2 => assert!(refused(), "another port is served"),
            3 | 4 => scene.serving(false, 80, true),
            5 => scene.serving(false, 80, false),
            6 => assert!(!refused(), "one of two servers is left"),
            7 => scene.serving(false, 80, false),
            8 => assert!(refused()),
            9 => scene.serving(false, 80, true),
            10 => assert!(!refused()),
            _ => return true,
        }
        step += 1;
        // Something moves in each step, so that the next one comes.
        scene.notices.push(ieum_engine::Notice::Serving {
            datagram: true,
            address: ([10, 77, 0, 2], 1).into(),
            v6_only: false,
            serving: true,
        });
        false
    });
}

#[test]
fn a_port_is_open_in_the_families_that_are_served() {
    let wishes: Vec<_> = families().map(|family| any_port_to(family, "80")).collect();
    let mut exit = exit(&wishes.iter().map(String::as_str).collect::<Vec<_>>());
    let outside: Vec<_> = exit.published().map(|published| published.outside).collect();
    let (bell, _ring) = bell();
    let mut step = 0;
    // Each is served for as long as the next step is looked at: 0.0.0.0, ::, :: for IPv6 alone, nobody.
    let served = [("0.0.0.0:80", false), ("[::]:80", false), ("[::]:80", true), ("[fd77::2]:80", false)];
    play_with(&mut exit, bell, |scene| {
        if step > 0 {
            let (address, v6_only): (&str, bool) = served[step - 1];
            for outside in &outside {
                let open = TcpStream::connect(outside).is_ok();
                let both = address == "[::]:80" && !v6_only;
                assert_eq!(
                    open,
                    both || outside.is_ipv4() == (address == "0.0.0.0:80"),
                    "{address} {outside}"
                );
            }
            scene.serving_at(address.parse().unwrap(), v6_only, false);
        }
        if step < served.len() {
            let (address, v6_only) = served[step];
            scene.serving_at(address.parse().unwrap(), v6_only, true);
        }
        step += 1;
        step > served.len()
    });
}

#[test]
fn who_is_refused_inside_is_reset_outside() {
    let mut exit = exit(&["0:80"]);
    let outside = exit.published().next().unwrap().outside;
    let (bell, ring) = bell();
    let mut ring = Some(ring);
    let mut client = None;
    play_with(&mut exit, bell, |scene| {
        if let Some(ring) = ring.take() {
            // It says that it listens, and does not.
            scene.serving(false, 80, true);
            client = Some(thread::spawn(move || {
                let _ring = ring;
                connect(outside).read(&mut [0]).unwrap_err().kind()
            }));
        }
        scene.rung
    });
    assert_eq!(client.unwrap().join().unwrap(), ErrorKind::ConnectionReset);
    assert_eq!(exit.counts(), [("nobody inside for a published port", 1)]);
}

#[test]
fn datagrams_of_each_peer_outside_find_their_way_back() {
    families().for_each(datagrams_find_their_way_back);
}

fn datagrams_find_their_way_back(family: Family) {
    let mut exit = exit(&[&any_port_to(family, "53/udp")]);
    let outside = exit.published().next().unwrap().outside;
    let (bell, ring) = bell();
    let (mut ring, mut endpoint, mut client) = (Some(ring), None, None);
    play_with(&mut exit, bell, |scene| {
        let id = *endpoint.get_or_insert_with(|| {
            scene.serving(true, 53, true);
            scene.stack.udp_bind(request(53)).unwrap()
        });
        if let Some(ring) = ring.take() {
            client = Some(thread::spawn(move || {
                let _ring = ring;
                let peers: Vec<_> = (0..8).map(|_| ask(outside)).collect();
                peers.iter().enumerate().for_each(|(number, peer)| exchange(peer, number));
            }));
        }
        while let Some(datagram) = scene.stack.udp_recv(id) {
            let answer = [b"you said ", &datagram.payload[..]].concat();
            scene.stack.udp_send(scene.now, id, datagram.source, &answer).unwrap();
        }
        scene.rung
    });
    client.unwrap().join().unwrap();
}

/// A socket that has had its first answer: the port is open.
fn ask(outside: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((outside.ip(), 0)).unwrap();
    socket.set_read_timeout(Some(A_WHILE)).unwrap();
    socket.connect(outside).unwrap();
    let mut buffer = [0; 100];
    loop {
        // Refused as long as nobody serves.
        if socket.send(b"?").and_then(|_| socket.recv(&mut buffer)).is_ok() {
            return socket;
        }
    }
}

fn exchange(peer: &UdpSocket, number: usize) {
    peer.send(format!("word {number}").as_bytes()).unwrap();
    let mut buffer = [0; 100];
    let count = peer.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..count], *format!("you said word {number}").as_bytes());
}
