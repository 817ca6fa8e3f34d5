//! Opening early, opening without room, and opening again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::net::SocketAddr;
use std::time::Duration;

use ieum_stack::{
    BindRequest, ConnectError, ConnectionId, FastOpenMode, ListenerId, State, SynCookies, TcpRules,
    TcpSettings, TimeWaitReuse,
};
use tcp_pair::{Pair, pattern};

const SECOND: Duration = Duration::from_secs(1);

/// Both ends speak Fast Open; end 1 has a listener with room for so many early connections.
fn fast(queue: u32) -> (Pair, ListenerId) {
    let mut pair = Pair::new(true);
    let fast_open = FastOpenMode { client: true, server: true, ..FastOpenMode::from_bits(0) };
    for end in &mut pair.ends {
        end.stack.tcp_set_rules(TcpRules { fast_open, ..TcpRules::default() });
    }
    let listener = pair.listen(1, 80, 8, false);
    let settings = TcpSettings { fast_open_queue: queue, ..TcpSettings::default() };
    pair.ends[1].stack.tcp_configure_listener(listener, settings);
    (pair, listener)
}

fn connect_with(pair: &mut Pair, data: &[u8]) -> (ConnectionId, usize) {
    let remote = SocketAddr::new(pair.ends[1].address, 80);
    let settings = TcpSettings::default();
    pair.ends[0].stack.tcp_connect_with_data(pair.now, None, remote, settings, data).unwrap()
}

#[test]
fn with_a_cookie_data_arrives_with_the_syn() {
    let (mut pair, listener) = fast(4);
    let (_, count) = connect_with(&mut pair, &pattern(5000));
    assert_eq!(count, 0, "no cookie is known yet");
    pair.run(SECOND);
    assert!(pair.ends[1].stack.tcp_accept(listener).is_some());

    let (client, count) = connect_with(&mut pair, &pattern(5000));
    assert!((1000..1500).contains(&count));
    pair.run(tcp_pair::DELAY);
    let server = pair.ends[1].stack.tcp_accept(listener).expect("half a round trip is enough");
    assert_eq!(pair.recv(1, server), pattern(count));
    pair.send(1, server, b"an answer");
    pair.run(tcp_pair::DELAY);
    assert_eq!(pair.recv(0, client), b"an answer");
    assert!(pair.info(0, client).syn_data && pair.info(1, server).syn_data);
}

#[test]
fn data_that_was_lost_with_its_syn_arrives_all_the_same() {
    let (mut pair, listener) = fast(4);
    connect_with(&mut pair, b"");
    pair.run(SECOND);
    assert!(pair.ends[1].stack.tcp_accept(listener).is_some());
    let mut lost = false;
    pair.lose = Box::new(move |from, _| from == 0 && !std::mem::replace(&mut lost, true));
    let (client, count) = connect_with(&mut pair, b"lost at first");
    assert_eq!(count, 13);
    pair.run(2 * SECOND);
    let server = pair.ends[1].stack.tcp_accept(listener).unwrap();
    assert_eq!(pair.recv(1, server), b"lost at first");
    assert!(!pair.info(0, client).syn_data);
}

#[test]
fn early_connections_are_bounded_and_so_are_those_that_were_reset() {
    let (mut pair, listener) = fast(1);
    connect_with(&mut pair, b"");
    pair.run(SECOND);
    assert!(pair.ends[1].stack.tcp_accept(listener).is_some());
    // The answer to the SYN-ACK is a RST: its sender never asked for anything.
    let (client, _) = connect_with(&mut pair, b"first");
    pair.run(tcp_pair::DELAY);
    pair.ends[0].stack.tcp_set_rules(TcpRules { resets_silent_ends: true, ..pair.ends[0].stack.tcp_rules() });
    pair.ends[0].stack.tcp_abort(pair.now, client);
    pair.run(SECOND);
    let (second, count) = connect_with(&mut pair, b"second");
    assert_eq!(count, 6);
    pair.run(SECOND);
    assert!(!pair.info(0, second).syn_data, "there is no room for a minute");
    pair.run(60 * SECOND);
    let (third, _) = connect_with(&mut pair, b"third");
    pair.run(SECOND);
    assert!(pair.info(0, third).syn_data);
}

#[test]
fn a_deferred_connect_sends_nothing_before_it_is_written_to() {
    let (mut pair, listener) = fast(4);
    connect_with(&mut pair, b"");
    pair.run(SECOND);
    assert!(pair.ends[1].stack.tcp_accept(listener).is_some());
    let remote = SocketAddr::new(pair.ends[1].address, 80);
    let before = pair.crossed.len();
    let stack = &mut pair.ends[0].stack;
    let (client, deferred) =
        stack.tcp_connect_deferred(pair.now, None, remote, TcpSettings::default()).unwrap();
    assert!(deferred);
    pair.run(SECOND);
    assert_eq!((pair.crossed.len(), pair.status(0, client).state), (before, State::SynSent));
    assert_eq!(pair.send(0, client, b"now"), 3);
    pair.run(SECOND);
    let server = pair.ends[1].stack.tcp_accept(listener).unwrap();
    assert_eq!(pair.recv(1, server), b"now");
}

/// A listener whose SYN queue is full of a peer that never answers: the acknowledgements of the first are lost.
fn flooded(syn_cookies: SynCookies) -> (Pair, ListenerId) {
    let mut pair = Pair::new(true);
    pair.ends[1].stack.tcp_set_rules(TcpRules { syn_cookies, ..TcpRules::default() });
    let listener = pair.listen(1, 80, 0, false);
    pair.lose = Box::new(|from, _| from == 1);
    pair.connect(0, 80);
    pair.run(Duration::from_millis(5));
    pair.lose = Box::new(|_, _| false);
    (pair, listener)
}

#[test]
fn a_full_syn_queue_answers_by_cookies_and_the_connection_is_whole() {
    let (mut pair, listener) = flooded(SynCookies::WhenFull);
    let client = pair.connect(0, 80);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.status(0, client).state, State::Established);
    let server = pair.ends[1].stack.tcp_accept(listener).unwrap();
    let data = pattern(300_000);
    let mut sent = 0;
    let mut received = Vec::new();
    while received.len() < data.len() {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(Duration::from_millis(20));
        received.extend(pair.recv(1, server));
    }
    assert!(received == data);
}

#[test]
fn without_cookies_a_full_syn_queue_drops_and_counts() {
    let (mut pair, listener) = flooded(SynCookies::Never);
    let client = pair.connect(0, 80);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.status(0, client).state, State::SynSent);
    assert!(pair.ends[1].stack.tcp_accept(listener).is_none());
    assert!(pair.ends[1].stack.drops().contains(&("tcp syn queue full", 1)));
}

/// A connection from port 4000 that its client closed first and that is in TIME-WAIT there.
fn waited(reuse: TimeWaitReuse) -> (Pair, impl Fn(&mut Pair) -> Result<ConnectionId, ConnectError>) {
    let mut pair = Pair::new(true);
    pair.ends[0].stack.tcp_set_rules(TcpRules { time_wait_reuse: reuse, ..TcpRules::default() });
    let listener = pair.listen(1, 80, 5, false);
    let address = pair.ends[0].address;
    let request = BindRequest { reuse_address: true, ..BindRequest::new(address, 4000) };
    let binding = pair.ends[0].stack.tcp_bind(request).unwrap();
    let connect = move |pair: &mut Pair| {
        let remote = SocketAddr::new(pair.ends[1].address, 80);
        pair.ends[0].stack.tcp_connect(pair.now, Some(binding), remote, TcpSettings::default())
    };
    let client = connect(&mut pair).unwrap();
    pair.run(SECOND / 10);
    let server = pair.ends[1].stack.tcp_accept(listener).unwrap();
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(SECOND / 10);
    pair.ends[1].stack.tcp_close(pair.now, server);
    pair.run(SECOND / 10);
    (pair, connect)
}

#[test]
fn our_time_wait_gives_way_to_a_new_connection_after_a_second() {
    let (mut pair, connect) = waited(TimeWaitReuse::Always);
    assert_eq!(connect(&mut pair), Err(ConnectError::InUse));
    pair.run(2 * SECOND);
    let client = connect(&mut pair).unwrap();
    pair.run(SECOND / 10);
    assert_eq!(pair.status(0, client).state, State::Established);
}

#[test]
fn elsewhere_time_wait_keeps_its_place() {
    let (mut pair, connect) = waited(TimeWaitReuse::Loopback);
    pair.run(2 * SECOND);
    assert_eq!(connect(&mut pair), Err(ConnectError::InUse));
}
