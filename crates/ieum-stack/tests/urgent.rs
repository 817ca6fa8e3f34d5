//! Urgent data through the public doors (RFC 6093, as Linux reads it): which byte it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::time::Duration;

use ieum_stack::UrgentByte;
use tcp_pair::{Pair, pattern, segment};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_comes_from_behind_the_urgent_byte_does_not_bring_it() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let data = pattern(3000);
    let mut may_be_lost = true;
    // The third segment, which has the urgent byte that the two before it announce.
    pair.lose = Box::new(move |_, packet| {
        let (header, payload_bytes) = segment(packet);
        header.flags.urg && usize::from(header.urgent) == payload_bytes && std::mem::take(&mut may_be_lost)
    });
    assert_eq!(pair.ends[0].stack.tcp_send_urgent(pair.now, client, &data), data.len());
    pair.run(Duration::from_millis(2));
    pair.send(0, client, b"after");
    pair.run(Duration::from_millis(2));
    assert_eq!(pair.ends[1].stack.tcp_recv_urgent(server, true), UrgentByte::Awaited);
    pair.run(SECOND);
    assert_eq!(pair.ends[1].stack.tcp_recv_urgent(server, true), UrgentByte::Here(data[2999]));
    assert_eq!(pair.recv(1, server), data[..2999]);
    assert_eq!(pair.recv(1, server), b"after");
}

#[test]
fn an_urgent_byte_that_comes_next_is_passed_over_when_a_newer_one_is_announced() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.ends[0].stack.tcp_send_urgent(pair.now, client, b"abX");
    pair.run(SECOND);
    assert_eq!(pair.recv(1, server), b"ab");
    pair.ends[0].stack.tcp_send_urgent(pair.now, client, b"cdY");
    pair.run(SECOND);
    assert_eq!(pair.recv(1, server), b"cd");
    assert_eq!(pair.ends[1].stack.tcp_recv_urgent(server, false), UrgentByte::Here(b'Y'));
}

#[test]
fn an_older_urgent_byte_behind_others_becomes_one_of_them() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    for bytes in [b"abX", b"cdY"] {
        pair.ends[0].stack.tcp_send_urgent(pair.now, client, bytes);
        pair.run(SECOND);
    }
    assert_eq!(pair.recv(1, server), b"abXcd");
    assert_eq!(pair.ends[1].stack.tcp_recv_urgent(server, false), UrgentByte::Here(b'Y'));
}

#[test]
fn a_read_of_nothing_does_not_pass_the_urgent_byte() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.ends[0].stack.tcp_send_urgent(pair.now, client, b"X");
    pair.run(SECOND);
    assert_eq!(pair.ends[1].stack.tcp_recv(pair.now, server, &mut [], false), 0);
    assert!(pair.ends[1].stack.tcp_is_at_mark(server));
    pair.send(0, client, b"rest");
    pair.run(SECOND);
    assert_eq!(pair.recv(1, server), b"rest");
}
