//! Connections from inside to the machine.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ieum_stack::{Failure, State, TcpSettings};
use ieum_wire::Unreachable;

use crate::inside::{Family, Scene, bell, exit, families, play, play_with};

/// A listener on the machine's loopback, and how the inside names it.
fn listener_of(family: Family) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((family.machine, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, SocketAddr::new(family.exit, port))
}

/// The same, in the family that every machine has.
fn listener() -> (TcpListener, SocketAddr) {
    listener_of(families().next().unwrap())
}

/// How a connect from inside ends.
pub(crate) fn outcome(to: &str) -> Option<Failure> {
    let to = to.parse().unwrap();
    let mut id = None;
    let mut failure = None;
    play(|scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to));
        failure = scene.status(id).failure;
        failure.is_some() || scene.status(id).state == State::Established
    });
    failure
}

#[test]
fn what_the_machine_refuses_is_refused_inside() {
    for family in families() {
        let (listener, to) = listener_of(family);
        assert_eq!(outcome(&to.to_string()), None);
        drop(listener);
        assert_eq!(outcome(&to.to_string()), Some(Failure::Refused));
    }
}

#[test]
fn nobody_else_lives_in_the_links_network() {
    for nobody in ["10.77.0.9:80", "[fd77::9]:80", "[fe80::9]:80"] {
        assert_eq!(outcome(nobody), Some(Failure::Unreachable(Unreachable::Host)));
    }
}

#[test]
fn the_machines_loopback_is_not_to_be_had_by_its_own_name() {
    assert_eq!(outcome("127.0.0.53:54"), Some(Failure::Refused));
}

#[test]
fn bytes_pass_both_ways_at_once_and_each_end_ends_by_itself() {
    families().for_each(bytes_pass_both_ways);
}

fn bytes_pass_both_ways(family: Family) {
    const BYTES: usize = 8 << 20;
    let (listener, to) = listener_of(family);
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        // The end of the inside has come, and only now ours follows.
        stream.write_all(b"after your end").unwrap();
    });
    let data: Vec<u8> = (0..BYTES).map(|at| (at * 31 + at / 251).to_le_bytes()[0]).collect();
    let (mut id, mut sent, mut received) = (None, 0, Vec::new());
    play(|scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to));
        if scene.status(id).state == State::SynSent {
            return false;
        }
        if sent < BYTES {
            sent += scene.stack.tcp_send(scene.now, id, &data[sent..]);
            if sent == BYTES {
                scene.stack.tcp_finish(scene.now, id);
            }
        }
        read(scene, id, &mut received);
        let status = scene.status(id);
        assert_eq!(status.failure, None);
        status.peer_finished && status.readable_bytes == 0
    });
    echo.join().unwrap();
    assert!(received[..BYTES] == data[..], "what came back is what was sent");
    assert_eq!(&received[BYTES..], b"after your end");
}

fn read(scene: &mut Scene<'_>, id: ieum_stack::ConnectionId, into: &mut Vec<u8>) {
    let mut buffer = [0; 65_536];
    loop {
        let count = scene.stack.tcp_recv(scene.now, id, &mut buffer, false);
        if count == 0 {
            return;
        }
        into.extend(&buffer[..count]);
    }
}

#[test]
fn a_reset_of_the_machine_comes_after_what_was_sent_before_it() {
    families().for_each(a_reset_comes_last);
}

fn a_reset_comes_last(family: Family) {
    // No more than the kernel's first window: it forgets what it has not yet sent when it resets.
    const BYTES: usize = 30_000;
    let (listener, to) = listener_of(family);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).unwrap();
        stream.write_all(&vec![7; BYTES]).unwrap();
        // What the inside sent last is left unread: closing then resets (RFC 2525 §2.17).
        stream.peek(&mut word).unwrap();
    });
    let (mut id, mut sent, mut received) = (None, 0, Vec::new());
    play(|scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to));
        if sent < 8 {
            sent += scene.stack.tcp_send(scene.now, id, &b"GET!left"[sent..]);
        }
        read(scene, id, &mut received);
        scene.status(id).failure.is_some()
    });
    server.join().unwrap();
    assert_eq!(received.len(), BYTES);
}

#[test]
fn a_reset_inside_is_a_reset_on_the_machine() {
    let (listener, to) = listener();
    let (bell, ring) = bell();
    let server = thread::spawn(move || {
        let _ring = ring;
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut received = Vec::new();
        let error = stream.read_to_end(&mut received).unwrap_err();
        (received, error.kind())
    });
    let (mut id, mut sent, mut aborted) = (None, 0, false);
    play_with(&mut exit(&[]), bell, |scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to));
        if aborted {
            return scene.rung;
        }
        if sent < 4 {
            sent += scene.stack.tcp_send(scene.now, id, &b"word"[sent..]);
        } else if scene.status(id).unacknowledged_bytes == 0 {
            scene.stack.tcp_abort(scene.now, id);
            aborted = true;
        }
        false
    });
    let (received, error) = server.join().unwrap();
    assert_eq!(received, b"word");
    assert_eq!(error, std::io::ErrorKind::ConnectionReset);
}

#[test]
fn bytes_of_a_closed_connection_are_delivered_before_the_engine_ends() {
    const BYTES: usize = 8 << 20;
    let (listener, to) = listener();
    let (go, wait) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // From here on nothing more is sent inside: all that is missing lies in buffers.
        wait.recv().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received.len()
    });
    let (mut id, mut sent) = (None, 0);
    let settings = TcpSettings { send_buffer_bytes: 8 << 20, ..TcpSettings::default() };
    play(|scene| {
        let id = *id.get_or_insert_with(|| {
            let id = scene.connect(to);
            scene.stack.tcp_configure(scene.now, id, settings);
            id
        });
        sent += scene.stack.tcp_send(scene.now, id, &vec![9; BYTES][sent..]);
        if sent < BYTES {
            return false;
        }
        scene.stack.tcp_close(scene.now, id);
        go.send(()).unwrap();
        true
    });
    assert_eq!(server.join().unwrap(), BYTES);
}

/// Does a kernel socket of this machine still try to connect to that port of loopback?
fn kernel_connects_to(port: u16) -> bool {
    const SYN_SENT: &str = "02";
    let remote = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|field| field.ends_with(&remote)) && fields.next() == Some(SYN_SENT)
    })
}

#[test]
fn connects_given_up_inside_end_on_the_machine_too() {
    const CONNECTS: u64 = 100;
    // A queue of one is filled, so that further connects hang.
    let (listener, to) = listener();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let _filler = TcpStream::connect(address).unwrap();
    let (bell, ring) = bell();
    let (go, wait) = mpsc::channel();
    let watcher = thread::spawn(move || {
        let _ring = ring;
        wait.recv().unwrap();
        // The script loses its patience should this never end.
        while kernel_connects_to(address.port()) {
            thread::yield_now();
        }
    });
    let (mut ids, mut aborted) = (Vec::new(), false);
    let mut exit = exit(&[]);
    play_with(&mut exit, bell, |scene| {
        if ids.is_empty() {
            ids = (0..CONNECTS).map(|_| scene.connect(to)).collect();
        } else if !aborted {
            // The SYNs have crossed the link.
            assert!(kernel_connects_to(address.port()));
            ids.iter().for_each(|id| scene.stack.tcp_abort(scene.now, *id));
            go.send(()).unwrap();
            aborted = true;
        }
        scene.rung
    });
    watcher.join().unwrap();
    assert_eq!(exit.counts(), [("given up by the inside", CONNECTS)]);
}

#[test]
fn a_byte_sent_as_urgent_arrives_at_its_place() {
    let (listener, to) = listener();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"abc").unwrap();
        rustix::net::send(&stream, b"!", rustix::net::SendFlags::OOB).unwrap();
        stream.write_all(b"def").unwrap();
    });
    let (mut id, mut received) = (None, Vec::new());
    play(|scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to));
        read(scene, id, &mut received);
        scene.status(id).peer_finished && scene.status(id).readable_bytes == 0
    });
    server.join().unwrap();
    assert_eq!(received, b"abc!def");
}

#[test]
fn many_connections_each_get_their_own_bytes() {
    const CONNECTIONS: usize = 200;
    let (listener, to) = listener();
    let server = thread::spawn(move || {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                thread::spawn(move || {
                    std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let mut clients: Vec<(ieum_stack::ConnectionId, bool, Vec<u8>)> = Vec::new();
    play(|scene| {
        while clients.len() < CONNECTIONS {
            clients.push((scene.connect(to), false, Vec::new()));
        }
        for (number, (id, sent, received)) in clients.iter_mut().enumerate() {
            let word = format!("client {number}");
            if !*sent && scene.stack.tcp_send(scene.now, *id, word.as_bytes()) > 0 {
                scene.stack.tcp_finish(scene.now, *id);
                *sent = true;
            }
            read(scene, *id, received);
        }
        clients.iter().all(|(id, ..)| scene.status(*id).peer_finished)
    });
    server.join().unwrap();
    for (number, (_, _, received)) in clients.iter().enumerate() {
        assert_eq!(received, format!("client {number}").as_bytes());
    }
}
