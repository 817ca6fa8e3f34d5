//! TCP through the public doors: two stacks, a link, virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::time::Duration;

use ieum_stack::{Event, Failure, Refusal, State, TcpSettings};
use ieum_wire::Unreachable;
use tcp_pair::{Pair, pattern};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handshake_takes_three_segments_and_tells_both_ends() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    assert_eq!(pair.status(0, client).state, State::Established);
    assert_eq!(pair.status(1, server).state, State::Established);
    assert_eq!(pair.status(0, client).local, pair.status(1, server).remote);
    assert_eq!(pair.crossed.len(), 3);
    assert!(pair.ends[0].events.contains(&Event::Connection(client)));
}

#[test]
fn megabytes_arrive_in_order_both_ways_at_once() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let data = pattern(5_000_000);
    let mut sent = [0, 0];
    let mut received = [Vec::new(), Vec::new()];
    for _ in 0..2000 {
        for (at, id) in [(0, client), (1, server)] {
            sent[at] += pair.send(at, id, &data[sent[at]..]);
            let bytes = pair.recv(at, id);
            received[at].extend(bytes);
        }
        pair.run(Duration::from_millis(1));
        if received.iter().all(|bytes| bytes.len() == data.len()) {
            break;
        }
    }
    assert!(received[0] == data && received[1] == data, "{} and {}", received[0].len(), received[1].len());
}

#[test]
fn five_thousand_bytes_written_at_once_are_one_super_segment_of_1460() {
    let mut pair = Pair::new(false);
    let (client, _) = pair.established();
    assert_eq!(pair.send(0, client, &pattern(5000)), 5000);
    pair.run(SECOND);
    let with_data: Vec<_> = pair
        .crossed
        .iter()
        .filter(|(_, from, packet)| *from == 0 && tcp_pair::segment(packet).1 > 0)
        .collect();
    assert_eq!(with_data.len(), 1);
    let mut sizes = Vec::new();
    ieum_wire::segmentation::cut(&with_data[0].2, |part| sizes.push(tcp_pair::segment(&part).1));
    assert_eq!(sizes, [1460, 1460, 1460, 620]);
}

#[test]
fn a_closed_port_refuses() {
    let mut pair = Pair::new(true);
    let client = pair.connect(0, 81);
    pair.run(SECOND);
    let status = pair.status(0, client);
    assert_eq!((status.state, status.failure), (State::Closed, Some(Failure::Refused)));
}

#[test]
fn each_end_closes_its_own_direction() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(0, client, b"last words");
    pair.ends[0].stack.tcp_finish(pair.now, client);
    pair.run(SECOND);
    assert_eq!(pair.status(0, client).state, State::FinWait2);
    assert_eq!(pair.status(1, server).state, State::CloseWait);
    assert!(pair.status(1, server).peer_finished);
    assert_eq!(pair.recv(1, server), b"last words");
    pair.send(1, server, b"answer");
    pair.ends[1].stack.tcp_finish(pair.now, server);
    pair.run(SECOND);
    assert_eq!(pair.recv(0, client), b"answer");
    assert_eq!(pair.status(1, server).state, State::Closed);
    assert_eq!(pair.status(0, client).failure, None);
    // The port is free again only after TIME-WAIT: 60 s.
    assert!(pair.ends[0].stack.deadline().is_some());
    pair.run(Duration::from_secs(61));
    assert!(pair.ends[0].stack.deadline().is_none());
}

#[test]
fn both_may_close_at_once() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.ends[0].stack.tcp_finish(pair.now, client);
    pair.ends[1].stack.tcp_finish(pair.now, server);
    pair.run(SECOND);
    for (at, id) in [(0, client), (1, server)] {
        let status = pair.status(at, id);
        assert_eq!((status.state, status.failure, status.peer_finished), (State::Closed, None, true));
    }
}

#[test]
fn both_may_open_at_once() {
    let mut pair = Pair::new(true);
    let addresses = [pair.ends[0].address, pair.ends[1].address];
    let ids = [0, 1].map(|at: usize| {
        let request = ieum_stack::BindRequest::new(addresses[at], 4000);
        let binding = pair.ends[at].stack.tcp_bind(request).unwrap();
        let remote = std::net::SocketAddr::new(addresses[1 - at], 4000);
        pair.ends[at].stack.tcp_connect(pair.now, Some(binding), remote, TcpSettings::default()).unwrap()
    });
    pair.run(SECOND);
    assert_eq!(ids.map(|id| id).len(), 2);
    assert_eq!(pair.status(0, ids[0]).state, State::Established);
    assert_eq!(pair.status(1, ids[1]).state, State::Established);
    pair.send(0, ids[0], b"hello");
    pair.run(SECOND);
    assert_eq!(pair.recv(1, ids[1]), b"hello");
}

#[test]
fn an_aborted_connection_resets_its_peer() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(0, client, b"read me first");
    pair.run(SECOND);
    pair.ends[0].stack.tcp_abort(pair.now, client);
    pair.run(SECOND);
    assert_eq!(pair.status(1, server).failure, Some(Failure::Reset));
    assert_eq!(pair.recv(1, server), b"read me first");
    assert!(pair.ends[0].stack.tcp_status(client).is_none());
}

#[test]
fn closing_with_unread_data_resets() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(0, client, b"nobody reads this");
    pair.run(SECOND);
    pair.ends[1].stack.tcp_close(pair.now, server);
    pair.run(SECOND);
    assert_eq!(pair.status(0, client).failure, Some(Failure::Reset));
}

#[test]
fn a_closed_window_is_probed_and_opens_again() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let data = pattern(4_000_000);
    let mut sent = pair.send(0, client, &data);
    // Nobody reads for half an hour: the peer is asked ever more rarely, and nothing fails.
    for _ in 0..30 {
        pair.run(Duration::from_secs(60));
        sent += pair.send(0, client, &data[sent..]);
    }
    assert_eq!(pair.status(0, client).failure, None);
    let mut received = Vec::new();
    for _ in 0..10_000 {
        sent += pair.send(0, client, &data[sent..]);
        received.extend(pair.recv(1, server));
        if received.len() == data.len() {
            break;
        }
        pair.run(Duration::from_millis(100));
    }
    assert!(received == data);
}

#[test]
fn a_lost_segment_is_sent_again_and_the_order_kept() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let mut left = 1;
    pair.lose = Box::new(move |from, packet| {
        let lost = from == 0 && tcp_pair::segment(packet).1 > 0 && left > 0;
        left -= usize::from(lost);
        lost
    });
    pair.send(0, client, b"first");
    pair.run(Duration::from_millis(5));
    pair.send(0, client, &pattern(20_000));
    pair.run(5 * SECOND);
    let received = pair.recv(1, server);
    assert_eq!((&received[..5], received.len()), (&b"first"[..], 20_005));
    assert!(received[5..] == pattern(20_000));
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    let mut pair = Pair::new(true);
    pair.lose = Box::new(|_, _| true);
    let client = pair.connect(0, 80);
    pair.run(Duration::from_secs(130));
    assert_eq!(pair.status(0, client).state, State::SynSent);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.status(0, client).failure, Some(Failure::TimedOut));
    assert_eq!(pair.crossed.len(), 11, "one SYN, four repetitions a second apart, and six with backoff");
}

#[test]
fn a_held_request_waits_for_its_verdict() {
    let verdicts = [
        (None, None),
        (Some(Refusal::Reset), Some(Failure::Refused)),
        (Some(Refusal::Unreachable(Unreachable::Host)), Some(Failure::Unreachable(Unreachable::Host))),
        (Some(Refusal::Silence), Some(Failure::TimedOut)),
    ];
    for (refusal, failure) in verdicts {
        let mut pair = Pair::new(true);
        let listener = pair.listen(1, 80, 5, true);
        let client = pair.connect(0, 80);
        // The SYN is repeated meanwhile; it stays one request.
        pair.run(Duration::from_secs(10));
        let requests: Vec<_> = pair.ends[1]
            .events
            .iter()
            .filter_map(|event| if let Event::Request(id) = event { Some(*id) } else { None })
            .collect();
        assert_eq!(requests.len(), 1);
        assert_eq!(pair.ends[1].stack.request(requests[0]).map(|it| it.listener), Some(listener));
        assert_eq!(pair.status(0, client).state, State::SynSent);
        match refusal {
            None => pair.ends[1].stack.tcp_accept_request(requests[0]),
            Some(refusal) => pair.ends[1].stack.tcp_refuse_request(requests[0], refusal),
        }
        pair.run(Duration::from_secs(130));
        assert_eq!(pair.status(0, client).failure, failure);
        assert_eq!(pair.ends[1].stack.tcp_accept(listener).is_some(), failure.is_none());
    }
}

#[test]
fn a_full_accept_queue_keeps_the_rest_waiting_until_there_is_room() {
    let mut pair = Pair::new(true);
    let listener = pair.listen(1, 80, 1, false);
    let clients: Vec<_> = (0..4).map(|_| pair.connect(0, 80)).collect();
    pair.run(SECOND / 2);
    assert_eq!(pair.ends[1].stack.tcp_accept_queue_len(listener), 2, "a backlog of 1 holds 2, as on Linux");
    let mut accepted = 0;
    for _ in 0..100 {
        accepted += usize::from(pair.ends[1].stack.tcp_accept(listener).is_some());
        pair.run(SECOND);
    }
    assert_eq!(accepted, 4);
    for client in clients {
        assert_eq!(pair.status(0, client).state, State::Established);
    }
}

#[test]
fn a_host_talks_to_itself() {
    let mut pair = Pair::new(true);
    let listener = pair.listen(0, 80, 5, false);
    let remote = "127.0.0.1:80".parse().unwrap();
    let client = pair.ends[0].stack.tcp_connect(pair.now, None, remote, TcpSettings::default()).unwrap();
    pair.run(SECOND);
    let server = pair.ends[0].stack.tcp_accept(listener).unwrap();
    pair.send(0, client, b"to myself");
    pair.run(SECOND);
    assert_eq!(pair.recv(0, server), b"to myself");
    assert!(pair.crossed.is_empty(), "nothing left the host");
}

#[test]
fn an_idle_connection_owes_nothing_and_has_no_timer() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(0, client, &pattern(100_000));
    pair.run(SECOND);
    while !pair.recv(1, server).is_empty() {
        pair.run(SECOND);
    }
    pair.run(SECOND);
    assert_eq!(pair.ends[0].stack.deadline(), None);
    assert_eq!(pair.ends[1].stack.deadline(), None);
}

#[test]
fn a_silent_peer_is_asked_and_given_up_with_keepalive() {
    let mut pair = Pair::new(true);
    let (client, _) = pair.established();
    let keepalive = ieum_stack::Keepalive { idle: 10 * SECOND, interval: SECOND, probes: 3 };
    let settings = TcpSettings { keepalive: Some(keepalive), ..TcpSettings::default() };
    pair.ends[0].stack.tcp_configure(pair.now, client, settings);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.status(0, client).failure, None, "a peer that answers is kept");
    pair.lose = Box::new(|_, _| true);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.status(0, client).failure, Some(Failure::TimedOut));
}

#[test]
fn the_peers_end_of_life_does_not_hang_the_stack() {
    let mut pair = Pair::new(true);
    let (client, _) = pair.established();
    pair.lose = Box::new(|_, _| true);
    pair.send(0, client, b"into the void");
    pair.ends[0].stack.tcp_close(pair.now, client);
    assert_eq!(pair.ends[0].stack.tcp_unfinished(), 1);
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.ends[0].stack.tcp_unfinished(), 0);
    assert_eq!(pair.ends[0].stack.deadline(), None);
}

#[test]
fn an_excepted_loopback_endpoint_is_reached_over_its_link_and_its_refusals_come_back() {
    let mut pair = Pair::with(|config| config.accept_any_destination = true);
    let stub = "127.0.0.53:53".parse().unwrap();
    let link = pair.ends[0].link;
    pair.ends[0].stack.add_loopback_exception(stub, link);
    pair.ends[1].stack.tcp_listen_any(TcpSettings::default());
    for (refusal, failure) in [
        (Refusal::Unreachable(Unreachable::Port), Failure::Unreachable(Unreachable::Port)),
        (Refusal::Reset, Failure::Refused),
    ] {
        let client = pair.ends[0].stack.tcp_connect(pair.now, None, stub, TcpSettings::default()).unwrap();
        pair.run(SECOND / 2);
        let Some(Event::Request(request)) = pair.ends[1].events.pop() else {
            panic!("the SYN crossed the link")
        };
        assert_eq!(pair.ends[1].stack.request(request).map(|it| it.local), Some(stub));
        pair.ends[1].stack.tcp_refuse_request(request, refusal);
        pair.run(SECOND / 2);
        assert_eq!(pair.status(0, client).failure, Some(failure));
    }
    assert_eq!(pair.ends[0].stack.drops(), []);
}

#[test]
fn a_whole_short_connection_drops_nothing() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    pair.send(0, client, b"question");
    pair.run(SECOND);
    assert_eq!(pair.recv(1, server), b"question");
    pair.send(1, server, b"answer");
    pair.ends[1].stack.tcp_close(pair.now, server);
    pair.run(SECOND);
    assert_eq!(pair.recv(0, client), b"answer");
    pair.ends[0].stack.tcp_close(pair.now, client);
    pair.run(SECOND);
    assert_eq!((pair.ends[0].stack.drops(), pair.ends[1].stack.drops()), (vec![], vec![]));
}

#[test]
fn an_end_behind_a_closed_window_arrives_once_everything_was_read() {
    let mut pair = Pair::new(true);
    let (client, server) = pair.established();
    let data = pattern(4_000_000);
    let mut sent = 0;
    for _ in 0..100 {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(Duration::from_millis(3));
    }
    pair.ends[0].stack.tcp_finish(pair.now, client);
    let mut received = Vec::new();
    let begin = pair.now;
    while !pair.status(1, server).peer_finished || received.len() < sent {
        received.extend(pair.recv(1, server));
        pair.run(Duration::from_millis(1));
        assert!(pair.now.since(begin) < Duration::from_secs(2), "{} of {sent}", received.len());
    }
    assert!(received == data[..sent]);
}
