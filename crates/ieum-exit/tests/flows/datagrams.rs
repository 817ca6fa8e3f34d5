//! Datagrams from inside to the machine.

use std::net::UdpSocket;
use std::thread;

use ieum_wire::Unreachable;

use crate::inside::{play, request};

/// A socket of the machine that answers so many datagrams, each with its bytes in reverse.
fn mirror(answers: usize) -> (String, thread::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("10.77.0.1:{}", socket.local_addr().unwrap().port());
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
    let (to, server) = mirror(4);
    let to = to.parse().unwrap();
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
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    for (to, reason) in
        [(format!("10.77.0.1:{port}"), Unreachable::Port), ("10.77.0.9:7".to_owned(), Unreachable::Host)]
    {
        let (mut endpoint, mut error) = (None, None);
        play(|scene| {
            let id = *endpoint.get_or_insert_with(|| {
                let id = scene.stack.udp_bind(request(0)).unwrap();
                scene.stack.udp_connect(id, Some(to.parse().unwrap())).unwrap();
                scene.stack.udp_send(scene.now, id, to.parse().unwrap(), b"?").unwrap();
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
    let (to, server) = mirror(20);
    let to = to.parse().unwrap();
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
