//! How connections carry bytes and how they end.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{STREAM, World, at, events, poll, read};
use ieum_socket::numbers::{SO_LINGER, SO_RCVLOWAT, SO_SNDBUF, SOL_SOCKET};
use ieum_socket::{Connect, Errno, Event, Host, How, SocketId};
use ieum_wire::Instant;

/// SO_LINGER with 0 seconds: closing resets.
fn linger_not(host: &mut Host, now: Instant, id: SocketId) {
    host.set_option(now, id, SOL_SOCKET, SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
}

#[test]
fn bytes_go_both_ways_and_can_be_peeked_at() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.a.send(world.now, client, b"to server"), Ok(9));
    assert_eq!(world.b.send(world.now, server, b"to client"), Ok(9));
    world.settle();
    assert_eq!(events(&mut world.b), [Event::Readiness(server)]);
    assert_eq!(poll(&world.b, server), "IN|OUT");
    let mut into = [0; 4];
    assert_eq!(world.b.recv(world.now, server, &mut into, true), Ok(4));
    assert_eq!(&into, b"to s");
    assert_eq!(read(&mut world.b, world.now, server, 100), Ok(b"to server".to_vec()));
    assert_eq!(read(&mut world.b, world.now, server, 100), Err(Errno::EAGAIN));
    assert_eq!(read(&mut world.a, world.now, client, 2), Ok(b"to".to_vec()));
    assert_eq!(read(&mut world.a, world.now, client, 100), Ok(b" client".to_vec()));
    assert_eq!(world.a.send(world.now, client, b""), Ok(0));
}

#[test]
fn the_doors_without_a_copy_carry_the_same_bytes() {
    let mut world = World::new();
    let (client, server) = world.pair();
    let mut space = world.a.send_space(client, 6);
    let mut bytes = b"joint!".iter();
    for byte in space.iter_mut().flat_map(|chunk| chunk.iter_mut()) {
        *byte = *bytes.next().expect("no more space than asked for");
    }
    drop(space);
    world.a.commit(world.now, client, 5);
    world.settle();
    let chunks = world.b.recv_chunks(server);
    assert_eq!(chunks.iter().flat_map(|chunk| chunk.iter().copied()).collect::<Vec<_>>(), b"joint");
    world.b.consume(world.now, server, 2);
    assert_eq!(read(&mut world.b, world.now, server, 9), Ok(b"int".to_vec()));
    world.a.shutdown(world.now, client, How::Write).unwrap();
    assert!(world.a.send_space(client, 6).is_empty());
}

#[test]
fn a_full_buffer_says_eagain_and_wakes_when_it_drains() {
    let mut world = World::new();
    let (client, server) = world.pair();
    world.a.set_option(world.now, client, SOL_SOCKET, SO_SNDBUF, &20_000_i32.to_ne_bytes()).unwrap();
    let block = vec![7; 10_000];
    let mut sent = 0;
    loop {
        match world.a.send(world.now, client, &block) {
            Ok(count) => sent += count,
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                break;
            }
        }
        assert!(sent < 10_000_000, "a buffer has an end");
    }
    assert_eq!(poll(&world.a, client), "");
    let mut received = 0;
    for _ in 0..1000 {
        world.pass(Duration::from_millis(100));
        match read(&mut world.b, world.now, server, 65_536) {
            Ok(bytes) => received += bytes.len(),
            Err(errno) => assert_eq!(errno, Errno::EAGAIN),
        }
        if received == sent {
            break;
        }
    }
    assert_eq!(received, sent);
    assert!(events(&mut world.a).contains(&Event::Readiness(client)));
    assert_eq!(poll(&world.a, client), "OUT");
}

#[test]
fn a_half_closed_connection_still_carries_the_other_half() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.a.shutdown(world.now, client, How::Write), Ok(()));
    world.settle();
    assert_eq!(poll(&world.a, client), "OUT");
    assert_eq!(poll(&world.b, server), "IN|OUT|RDHUP");
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
    assert_eq!(read(&mut world.b, world.now, server, 1), Ok(vec![]));
    assert_eq!(world.b.send(world.now, server, b"late"), Ok(4));
    world.settle();
    assert_eq!(read(&mut world.a, world.now, client, 9), Ok(b"late".to_vec()));
    assert_eq!(world.b.shutdown(world.now, server, How::Write), Ok(()));
    world.pass(Duration::from_secs(1));
    for (host, id) in [(&mut world.a, client), (&mut world.b, server)] {
        assert_eq!(poll(host, id), "IN|OUT|HUP|RDHUP");
        assert_eq!(host.remote_address(id), Err(Errno::ENOTCONN));
        assert!(host.local_address(id).is_ok_and(|local| local.port() != 0));
        assert_eq!(read(host, world.now, id, 1), Ok(vec![]));
        assert_eq!(host.shutdown(world.now, id, How::Write), Err(Errno::ENOTCONN));
        assert_eq!(host.connect(world.now, id, Some(at("10.0.0.2:9"))), Err(Errno::EISCONN));
    }
    world.pass(Duration::from_secs(300));
    assert_eq!(poll(&world.a, client), "IN|OUT|HUP|RDHUP");
}

#[test]
fn shutting_reading_down_is_an_end_of_file_that_late_bytes_still_pass() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.a.shutdown(world.now, client, How::Read), Ok(()));
    assert_eq!(poll(&world.a, client), "IN|OUT|RDHUP");
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(vec![]));
    assert_eq!(world.b.send(world.now, server, b"zz"), Ok(2));
    world.settle();
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(b"z".to_vec()));
    assert_eq!(read(&mut world.a, world.now, client, 5), Ok(b"z".to_vec()));
    assert_eq!(read(&mut world.a, world.now, client, 5), Ok(vec![]));
}

#[test]
fn after_a_reset_queued_bytes_come_first_then_the_error_once_then_the_end() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.b.send(world.now, server, b"hello"), Ok(5));
    world.settle();
    linger_not(&mut world.b, world.now, server);
    world.b.close(world.now, server);
    world.settle();
    assert_eq!(poll(&world.a, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(world.a.remote_address(client), Err(Errno::ENOTCONN));
    assert_eq!(read(&mut world.a, world.now, client, 100), Ok(b"hello".to_vec()));
    assert_eq!(read(&mut world.a, world.now, client, 100), Err(Errno::ECONNRESET));
    assert_eq!(read(&mut world.a, world.now, client, 100), Ok(vec![]));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
    assert_eq!(poll(&world.a, client), "IN|OUT|HUP|RDHUP");
    assert_eq!(world.a.shutdown(world.now, client, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:9"))), Err(Errno::EISCONN));
}

#[test]
fn a_write_after_a_reset_says_so_once_and_then_epipe() {
    let mut world = World::new();
    let (client, server) = world.pair();
    world.b.abort(world.now, server);
    world.settle();
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::ECONNRESET));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(vec![]));
}

#[test]
fn a_reset_after_the_peers_end_concerns_only_writing() {
    let mut world = World::new();
    let (client, server) = world.pair();
    world.b.shutdown(world.now, server, How::Write).unwrap();
    world.settle();
    assert_eq!(poll(&world.a, client), "IN|OUT|RDHUP");
    world.b.abort(world.now, server);
    world.settle();
    assert_eq!(poll(&world.a, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(world.a.error(client), Some(Errno::EPIPE));
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(vec![]));
    assert_eq!(world.a.send(world.now, client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn closing_with_unread_bytes_resets() {
    let mut world = World::new();
    let (client, server) = world.pair();
    assert_eq!(world.a.send(world.now, client, b"unread"), Ok(6));
    world.settle();
    world.b.close(world.now, server);
    world.settle();
    assert_eq!(poll(&world.a, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::ECONNRESET));
}

#[test]
fn closing_sends_what_is_queued_and_then_the_end() {
    let mut world = World::new();
    let (client, server) = world.pair();
    let bytes: Vec<u8> = (0..40_000_u32).map(|at| at.to_be_bytes()[3]).collect();
    assert_eq!(world.a.send(world.now, client, &bytes), Ok(bytes.len()));
    world.a.close(world.now, client);
    assert!(world.a.unfinished() > 0);
    let mut received = Vec::new();
    for _ in 0..1000 {
        world.pass(Duration::from_millis(50));
        match read(&mut world.b, world.now, server, 4000) {
            Ok(more) if more.is_empty() => break,
            Ok(more) => received.extend(more),
            Err(errno) => assert_eq!(errno, Errno::EAGAIN),
        }
    }
    assert!(received == bytes, "all bytes arrive in order");
    world.b.close(world.now, server);
    world.pass(Duration::from_secs(1));
    assert_eq!((world.a.unfinished(), world.b.unfinished()), (0, 0));
}

#[test]
fn a_connection_reset_before_it_is_accepted_is_given_out_and_tells() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let client = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    let from = world.a.local_address(client);
    world.a.abort(world.now, client);
    world.settle();
    assert_eq!(poll(&world.b, listener), "IN");
    let (server, address) = world.b.accept(listener).unwrap();
    assert_eq!(Ok(address), from);
    assert_eq!(poll(&world.b, server), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(read(&mut world.b, world.now, server, 1), Err(Errno::ECONNRESET));
}

#[test]
fn closing_a_listener_resets_who_was_not_accepted() {
    let mut world = World::new();
    let listener = world.listener("10.0.0.2:80");
    let client = world.a.socket(2, STREAM, 0).unwrap();
    assert_eq!(world.a.connect(world.now, client, Some(at("10.0.0.2:80"))), Ok(Connect::InProgress));
    world.settle();
    world.b.close(world.now, listener);
    world.settle();
    assert_eq!(world.a.error(client), Some(Errno::ECONNRESET));
}

#[test]
fn readable_means_the_low_water_mark() {
    let mut world = World::new();
    let (client, server) = world.pair();
    world.b.set_option(world.now, server, SOL_SOCKET, SO_RCVLOWAT, &4_i32.to_ne_bytes()).unwrap();
    world.a.send(world.now, client, b"abc").unwrap();
    world.settle();
    assert_eq!(poll(&world.b, server), "OUT");
    world.a.send(world.now, client, b"d").unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(poll(&world.b, server), "IN|OUT");
}

#[test]
fn a_vanished_peer_is_a_time_out() {
    let mut world = World::new();
    let (client, _) = world.pair();
    // TCP_USER_TIMEOUT, so that the test need not wait for fifteen retransmissions.
    world.a.set_option(world.now, client, 6, 18, &5000_i32.to_ne_bytes()).unwrap();
    world.cut = true;
    assert_eq!(world.a.send(world.now, client, b"anybody?"), Ok(8));
    world.pass(Duration::from_secs(120));
    assert_eq!(poll(&world.a, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(read(&mut world.a, world.now, client, 1), Err(Errno::ETIMEDOUT));
    assert_eq!(read(&mut world.a, world.now, client, 1), Ok(vec![]));
}
