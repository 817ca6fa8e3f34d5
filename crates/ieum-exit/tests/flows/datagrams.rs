//! Datagrams from inside to the machine.

use std::net::{SocketAddr, UdpSocket};
use std::thread;

use ieum_wire::Unreachable;

use crate::inside::{Family, families, play, request};

/// A socket of the machine that answers so many datagrams, each with its bytes in reverse.
fn mirror(family: Family, answers: usize) -> (SocketAddr, thread::JoinHandle<()>) {
    let socket = UdpSocket::bind((family.machine, 0)).unwrap();
    let to = SocketAddr::new(family.exit, socket.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let mut buffer = [0; 65_535];
        for _ in 0..answers {
            let (count, from) = socket.recv_from(&mut buffer).unwrap();
            buffer[..count].reverse();
            socket.send_to(&buffer[..count], from).unwrap();
        }
    });
    (to, server)
}

#[test]
fn a_datagram_is_answered_from_where_it_was_sent_to() {
    families().for_each(is_answered_from_where_it_was_sent_to);
}

fn is_answered_from_where_it_was_sent_to(family: Family) {
    let (to, server) = mirror(family, 4);
    let words = [&b""[..], b"one", b"another", &[5; 9000]];
    let (mut endpoint, mut answers) = (None, Vec::new());
    play(|scene| {
        let id = *endpoint.get_or_insert_with(|| {
            let id = scene.stack.udp_bind(request(0)).unwrap();
            for word in words {
                scene.stack.udp_send(scene.now, id, to, word).unwrap();
            }
            id
        });
        while let Some(answer) = scene.stack.udp_recv(id) {
            assert_eq!(answer.source, to);
            answers.push(answer.payload);
        }
        answers.len() == words.len()
    });
    server.join().unwrap();
    assert_eq!(answers, [&b""[..], b"eno", b"rehtona", &[5; 9000]]);
}

#[test]
fn a_port_that_nobody_has_is_told_by_icmp() {
    let closed = families().map(|family| {
        let taken = UdpSocket::bind((family.machine, 0)).unwrap();
        (SocketAddr::new(family.exit, taken.local_addr().unwrap().port()), Unreachable::Port)
    });
    let nobody = ["10.77.0.9:7", "[fd77::9]:7"].map(|to| (to.parse().unwrap(), Unreachable::Host));
    for (to, reason) in closed.collect::<Vec<_>>().into_iter().chain(nobody) {
        let (mut endpoint, mut error) = (None, None);
        play(|scene| {
            let id = *endpoint.get_or_insert_with(|| {
                let id = scene.stack.udp_bind(request(0)).unwrap();
                scene.stack.udp_connect(id, Some(to)).unwrap();
                scene.stack.udp_send(scene.now, id, to, b"?").unwrap();
                id
            });
            error = scene.stack.udp_take_error(id);
            error.is_some()
        });
        assert_eq!(error, Some(reason), "{to}");
    }
}

#[test]
fn each_pair_of_addresses_is_a_flow_of_its_own() {
    let (to, server) = mirror(families().next().unwrap(), 20);
    let mut endpoints = Vec::new();
    let mut answered = 0;
    play(|scene| {
        while endpoints.len() < 20 {
            let id = scene.stack.udp_bind(request(0)).unwrap();
            scene.stack.udp_send(scene.now, id, to, format!("{:02}", endpoints.len()).as_bytes()).unwrap();
            endpoints.push(id);
        }
        for (number, id) in endpoints.iter().enumerate() {
            if let Some(answer) = scene.stack.udp_recv(*id) {
                let reversed: Vec<u8> = format!("{number:02}").bytes().rev().collect();
                assert_eq!(answer.payload, reversed);
                answered += 1;
            }
        }
        answered == endpoints.len()
    });
    server.join().unwrap();
}
