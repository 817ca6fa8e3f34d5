//! Between addresses of the machine: bytes, ends, resets, refusals, datagrams.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::thread;

use rustix::net::SendFlags;

use super::super::support::{Folder, Running, fetch_and_sum, fetched_sum, free_port, nginx, payload, peers};
use super::{
    PATIENCE, address, echo, forward, is_reset_after, joined, listener, patient, pattern, reset, rest, say,
    write_beside,
};

#[test]
fn curl_fetches_a_gigabyte_from_nginx_through_a_forwarded_port() {
    if !peers(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let (folder, payload, port) = (Folder::new(), payload(), free_port());
    let server = format!("listen 127.0.0.1:{port}; root {};", payload.folder);
    let mut nginx = Running::start(&nginx(&folder, &server, false));
    nginx.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut forward = forward(&["0", &port.to_string()]);
    let url = format!("http://{}/{}", address(&mut forward), payload.name);
    assert_eq!(fetched_sum(Running::start(&fetch_and_sum(&url))), payload.sha256);
}

#[test]
fn a_port_without_an_address_is_one_of_both_families() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let ip4 = address(&mut forward);
    assert!(ip4.is_ipv4() && ip4.ip().is_loopback());
    let (mut client, mut server) = joined(ip4, &listener);
    say(&mut client, &mut server, "by IPv4");
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let ip6: SocketAddr = format!("[::1]:{}", ip4.port()).parse().expect("an address");
        let (mut client, mut server) = joined(ip6, &listener);
        say(&mut client, &mut server, "by IPv6");
    }
}

#[test]
fn a_direction_ends_without_the_other_whichever_is_first() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let address = address(&mut forward);
    for client_first in [true, false] {
        let (client, server) = joined(address, &listener);
        let (mut first, mut second) = if client_first { (client, server) } else { (server, client) };
        say(&mut first, &mut second, "a last word");
        first.shutdown(Shutdown::Write).expect("one direction ends");
        assert_eq!(rest(&mut second), b"");
        say(&mut second, &mut first, "an answer to the end");
        second.shutdown(Shutdown::Write).expect("the other direction ends");
        assert_eq!(rest(&mut first), b"");
    }
}

#[test]
fn a_reset_comes_after_the_bytes_before_it_whoever_resets() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let address = address(&mut forward);
    let before = pattern(1, 10_000);
    for client_resets in [true, false] {
        let (client, server) = joined(address, &listener);
        let (mut resets, mut other) = if client_resets { (client, server) } else { (server, client) };
        say(&mut other, &mut resets, "begin");
        resets.write_all(&before).expect("bytes are taken");
        reset(resets);
        is_reset_after(&mut other, &before);
    }
}

#[test]
fn who_closes_with_bytes_unread_resets_the_other_end() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let (mut client, mut server) = joined(address(&mut forward), &listener);
    client.write_all(b"nobody reads this").expect("bytes are taken");
    // They have arrived, and are left.
    server.peek(&mut [0]).expect("bytes are there");
    server.write_all(b"bye").expect("bytes are taken");
    drop(server);
    is_reset_after(&mut client, b"bye");
}

#[test]
fn a_target_that_refuses_or_has_no_address_is_a_reset_and_is_counted() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    let mut forward = forward(&["-v", "0", &nowhere, "0", "no-such-name.invalid:80"]);
    for _ in 0..2 {
        let port = address(&mut forward);
        let outcome = TcpStream::connect(port).and_then(|stream| patient(stream).read(&mut [0]));
        assert_eq!(outcome.expect_err("nobody is there").kind(), ErrorKind::ConnectionReset);
    }
    forward.signal(rustix::process::Signal::TERM);
    let finished = forward.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
    let counts: Vec<&str> = finished.stderr.lines().filter(|line| line.contains(" in all")).collect();
    assert_eq!(counts.len(), 2, "{finished:?}");
    assert!(
        counts
            .iter()
            .all(|line| line.contains(": 0 connections now, 1 in all, ") && line.ends_with(", 1 refused"))
    );
}

#[test]
fn names_are_looked_up_when_they_are_wanted() {
    let (listener, target) = listener();
    let port = target.rsplit(':').next().expect("a port follows");
    let mut forward = forward(&["0", &format!("localhost:{port}")]);
    let (mut client, mut server) = joined(address(&mut forward), &listener);
    say(&mut server, &mut client, "by name");
}

#[test]
fn many_bytes_pass_both_ways_at_once() {
    const BYTES: usize = 32 << 20;
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let (mut client, mut server) = joined(address(&mut forward), &listener);
    let (there, back) = (pattern(3, BYTES), pattern(4, BYTES));
    let writers = [write_beside(&client, there.clone()), write_beside(&server, back.clone())];
    let far = thread::spawn(move || rest(&mut server));
    assert!(rest(&mut client) == back);
    assert!(far.join().expect("the far end reads") == there);
    writers.into_iter().for_each(|writer| writer.join().expect("all is written"));
}

#[test]
fn who_does_not_read_stops_who_writes_and_nothing_is_lost() {
    const BYTES: usize = 64 << 20;
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let (client, mut server) = joined(address(&mut forward), &listener);
    let all = pattern(5, BYTES);
    let writer = write_beside(&client, all.clone());
    // In small pieces: the writer is far ahead, and has to wait.
    let mut heard = Vec::with_capacity(BYTES);
    let mut piece = [0; 4096];
    while heard.len() < BYTES {
        let count = server.read(&mut piece).expect("bytes come");
        assert!(count > 0, "it ended after {} bytes", heard.len());
        heard.extend_from_slice(&piece[..count]);
    }
    assert!(heard == all);
    writer.join().expect("all is written");
    let kib = super::super::support::resident_kib(forward.id().try_into().expect("a process number"));
    assert!(kib < 32 << 10, "{kib} KiB: it has buffered what nobody had read");
}

#[test]
fn an_urgent_byte_passes_at_its_place_and_those_behind_it_too() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let (mut client, mut server) = joined(address(&mut forward), &listener);
    let (before, behind) = (pattern(6, 300_000), pattern(7, 300_000));
    let expected = [&before[..], b"!", &behind].concat();
    let writer = thread::spawn(move || {
        client.write_all(&before).expect("bytes are taken");
        rustix::net::send(&client, b"!", SendFlags::OOB).expect("an urgent byte is taken");
        client.write_all(&behind).expect("bytes are taken");
    });
    assert!(rest(&mut server) == expected);
    writer.join().expect("all is written");
}

#[test]
fn hundred_connections_at_once_each_have_their_own_bytes() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let address = address(&mut forward);
    let mut pairs: Vec<_> = (0..100).map(|_| joined(address, &listener)).collect();
    for (number, (client, server)) in pairs.iter_mut().enumerate() {
        say(client, server, &format!("question {number}"));
    }
    for (number, (client, server)) in pairs.iter_mut().enumerate().rev() {
        say(server, client, &format!("answer {number}"));
    }
}

#[test]
fn many_rules_stand_beside_each_other() {
    let targets: Vec<_> = (0..30).map(|_| listener()).collect();
    let words: Vec<&str> = targets.iter().flat_map(|(_, target)| ["127.0.0.1:0", target]).collect();
    let mut forward = forward(&words);
    for (listener, _) in &targets {
        let (mut client, mut server) = joined(address(&mut forward), listener);
        say(&mut client, &mut server, "to mine");
    }
}

#[test]
fn datagrams_of_several_senders_come_back_to_each() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
    let target = format!("{}/udp", server.local_addr().expect("a bound socket has a name"));
    let mut forward = forward(&["-v", "0", &target]);
    let address = address(&mut forward);
    server.set_read_timeout(Some(PATIENCE)).expect("a time is taken");
    let senders: Vec<UdpSocket> = (0..5)
        .map(|_| {
            let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
            sender.connect(address).expect("a peer is taken");
            sender.set_read_timeout(Some(PATIENCE)).expect("a time is taken");
            sender
        })
        .collect();
    let mut buffer = [0; 2048];
    for round in 0..3 {
        for (number, sender) in senders.iter().enumerate() {
            let question = format!("{number} in round {round}").repeat(round * 40);
            sender.send(question.as_bytes()).expect("a datagram is sent");
            let (count, from) = server.recv_from(&mut buffer).expect("a datagram comes");
            assert_eq!(&buffer[..count], question.as_bytes());
            server.send_to(&[b"re: ", &buffer[..count]].concat(), from).expect("an answer is sent");
        }
        for (number, sender) in senders.iter().enumerate() {
            let count = sender.recv(&mut buffer).expect("an answer comes");
            let expected = format!("re: {}", format!("{number} in round {round}").repeat(round * 40));
            assert_eq!(&buffer[..count], expected.as_bytes());
        }
    }
    forward.signal(rustix::process::Signal::TERM);
    let finished = forward.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(
        finished.stderr.contains(" 5 in all, 15 datagrams and ") && finished.stderr.contains(", 15 and ")
    );
}

#[test]
fn what_passed_is_told_when_it_is_asked_for() {
    let (listener, target) = listener();
    echo(listener);
    let mut forward = forward(&["--json", "0", &target]);
    let mut client = patient(TcpStream::connect(address(&mut forward)).expect("the port listens"));
    client.write_all(b"twelve bytes").expect("bytes are taken");
    client.read_exact(&mut [0; 12]).expect("bytes come back");
    forward.signal(rustix::process::Signal::USR1);
    let line = forward.line("{");
    for part in ["\"now\":1", "\"total\":1", "\"bytes_there\":12", "\"bytes_back\":12", &target] {
        assert!(line.contains(part), "{line}");
    }
}
