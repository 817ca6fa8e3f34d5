//! Nothing waits for ever, and nobody is given up too early.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::time::Duration;

use ieum_stack::{BindRequest, Failure, Keepalive, State, TcpRules, TcpSettings};
use tcp_pair::{Pair, pattern};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn keepalive_asks_before_it_gives_up_however_late_it_was_switched_on() {
    let mut pair = Pair::new(true);
    let (client, _) = pair.established();
    pair.run(100 * SECOND);
    let keepalive = Keepalive { idle: 5 * SECOND, interval: SECOND, probes: 3 };
    let settings = TcpSettings { keepalive: Some(keepalive), ..TcpSettings::default() };
    pair.ends[0].stack.tcp_configure(pair.now, client, settings);
    pair.run(100 * SECOND);
    assert_eq!(pair.status(0, client).state, State::Established);
}

#[test]
fn a_cork_that_is_never_pulled_holds_for_a_moment_only() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let settings = TcpSettings { cork: true, ..TcpSettings::default() };
    pair.ends[0].stack.tcp_configure(pair.now, client, settings);
    pair.send(0, client, b"a few");
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.recv(1, server), b"");
    pair.run(SECOND / 2);
    assert_eq!(pair.recv(1, server), b"a few");
}

#[test]
fn every_peer_of_a_closed_listener_is_reset_however_many_there_are() {
    let mut pair = Pair::new(true);
    let listener = pair.listen(1, 80, 2000, false);
    let clients: Vec<_> = (0..1000).map(|_| pair.connect(0, 80)).collect();
    pair.run(SECOND);
    assert_eq!(pair.ends[1].stack.tcp_accept_queue_len(listener), 1000);
    pair.ends[1].stack.tcp_close_listener(pair.now, listener);
    pair.run(SECOND);
    let reset = clients.iter().filter(|id| pair.status(0, **id).failure == Some(Failure::Reset)).count();
    assert_eq!(reset, 1000);
}

#[test]
fn a_closed_connection_does_not_wait_for_a_window_for_ever() {
    let mut pair = Pair::new(true);
    let (client, _server) = pair.established();
    let data = pattern(4_000_000);
    let mut sent = 0;
    for _ in 0..100 {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(Duration::from_millis(3));
    }
    pair.ends[0].stack.tcp_close(pair.now, client);
    assert_eq!(pair.ends[0].stack.tcp_unfinished(), 1);
    pair.run(3600 * SECOND);
    assert_eq!(pair.ends[0].stack.tcp_unfinished(), 0);
}

#[test]
fn an_end_that_took_long_to_deliver_still_gets_its_minute() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let data = pattern(4_000_000);
    let mut sent = 0;
    for _ in 0..100 {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(Duration::from_millis(3));
    }
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(90 * SECOND);
    let mut received = 0;
    while !pair.status(1, server).peer_finished {
        received += pair.recv(1, server).len();
        pair.run(SECOND / 100);
    }
    loop {
        let count = pair.recv(1, server).len();
        received += count;
        if count == 0 {
            break;
        }
    }
    assert_eq!(received, sent);
    pair.run(30 * SECOND);
    pair.ends[1].stack.tcp_finish(pair.now, server);
    pair.run(SECOND);
    assert_eq!(pair.status(1, server).failure, None);
}

#[test]
fn a_half_that_nobody_will_answer_is_ended_after_a_minute() {
    let mut pair = Pair::new(true);
    pair.ends[0].stack.tcp_set_rules(TcpRules { resets_silent_ends: true, ..TcpRules::default() });
    let (client, server) = pair.established();
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(59 * SECOND);
    assert_eq!(pair.status(1, server).state, State::CloseWait);
    pair.run(2 * SECOND);
    assert_eq!(pair.status(1, server).failure, Some(Failure::Reset));
}

#[test]
fn like_linux_a_half_is_forgotten_after_a_minute_without_a_word() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(100 * SECOND);
    assert_eq!((pair.status(1, server).state, pair.status(1, server).failure), (State::CloseWait, None));
    assert_eq!(pair.ends[0].stack.tcp_connections().count(), 0);
}

#[test]
fn one_connection_too_many_that_nobody_holds_is_reset() {
    let mut pair = Pair::new(true);
    pair.ends[0].stack.tcp_set_rules(TcpRules { orphans_max: 1, ..TcpRules::default() });
    let listener = pair.listen(1, 80, 5, false);
    let clients = [pair.connect(0, 80), pair.connect(0, 80)];
    pair.run(SECOND);
    let servers = [(); 2].map(|()| pair.ends[1].stack.tcp_accept(listener).unwrap());
    clients.iter().for_each(|client| pair.ends[0].stack.tcp_close(pair.now, *client));
    pair.run(SECOND);
    let failures = servers.map(|server| pair.status(1, server).failure);
    assert_eq!(failures, [None, Some(Failure::Reset)]);
}

#[test]
fn a_connect_that_is_given_up_takes_its_request_back() {
    let mut pair = Pair::new(true);
    pair.ends[0].stack.tcp_set_rules(TcpRules { resets_silent_ends: true, ..TcpRules::default() });
    pair.listen(1, 80, 5, true);
    let client = pair.connect(0, 80);
    pair.run(SECOND / 2);
    let Some(ieum_stack::Event::Request(request)) = pair.ends[1].events.pop() else { panic!("a request") };
    assert!(pair.ends[1].stack.request(request).is_some());
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(SECOND / 2);
    assert_eq!(pair.ends[1].stack.request(request), None);
}

#[test]
fn a_server_that_shares_its_port_may_start_again_beside_its_old_connections() {
    let mut pair = Pair::new(true);
    let address = "0.0.0.0".parse().unwrap();
    let request = BindRequest { reuse_port: true, ..BindRequest::new(address, 80) };
    let stack = &mut pair.ends[1].stack;
    let binding = stack.tcp_bind(request).unwrap();
    let listener = stack.tcp_listen(binding, 5, false, TcpSettings::default()).unwrap();
    pair.connect(0, 80);
    pair.run(SECOND);
    let stack = &mut pair.ends[1].stack;
    assert!(stack.tcp_accept(listener).is_some());
    stack.tcp_close_listener(pair.now, listener);
    stack.tcp_unbind(binding);
    assert!(stack.tcp_bind(BindRequest { reuse_port: false, ..request }).is_err());
    assert!(stack.tcp_bind(request).is_ok());
}

#[test]
fn after_a_long_silence_the_window_begins_anew() {
    let mut pair = Pair::new(false);
    let (client, server) = pair.established();
    let data = pattern(900_000);
    let mut sent = 0;
    for _ in 0..100 {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(SECOND / 100);
        pair.recv(1, server);
    }
    assert!(sent == data.len() && pair.info(0, client).cwnd > 70);
    pair.run(600 * SECOND);
    let before = pair.crossed.len();
    pair.send(0, client, &pattern(900_000));
    pair.step(pair.now + Duration::from_micros(1));
    let burst: usize =
        pair.crossed[before..].iter().filter(|it| it.1 == 0).map(|it| tcp_pair::segment(&it.2).1).sum();
    assert_eq!(burst, 10 * 1460);
}

/// RFC 7323 §5.5: after 25 days the peer's clock of milliseconds has gone round by half, and would seem to run backwards.
#[test]
fn after_weeks_of_silence_the_last_timestamp_means_nothing() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(1, server, b"before");
    pair.run(SECOND);
    assert_eq!(pair.recv(0, client), b"before");
    pair.run(25 * 24 * 3600 * SECOND);
    pair.send(1, server, b"after");
    pair.run(SECOND);
    assert_eq!(pair.recv(0, client), b"after");
}
