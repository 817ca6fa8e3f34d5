//! Calls in any order: whatever programs do, the invariants hold, and when all is closed nothing is left.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{DATAGRAM, STREAM, World, at, events};
use ieum_socket::{Event, Host, How, SocketId};
use ieum_wire::Instant;

/// A small generator (Marsaglia's xorshift), so that a seed names a run for ever.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What sockets are made for: family, kind and protocol.
const MAKES: [(i32, i32, i32); 8] = [
    (2, STREAM, 0),
    (2, STREAM, 0),
    (2, STREAM, 0),
    (2, DATAGRAM, 0),
    (10, STREAM, 0),
    (10, DATAGRAM, 0),
    (2, DATAGRAM, 1),
    (10, DATAGRAM, 58),
];

/// Those of IPv6 come half as often as those of IPv4.
const ADDRESSES: [&str; 16] = [
    "10.0.0.1:80",
    "10.0.0.2:80",
    "10.0.0.1:80",
    "10.0.0.2:80",
    "127.0.0.1:80",
    "0.0.0.0:80",
    "10.0.0.2:0",
    "127.0.0.1:0",
    "192.0.2.1:80",
    "255.255.255.255:80",
    "[::]:80",
    "[::1]:80",
    "[fd00::2]:80",
    "[fd00::1]:0",
    "[::ffff:10.0.0.2]:80",
    "[::ffff:0.0.0.0]:80",
];

/// Takes what waits, as a server does.
fn accept_all(host: &mut Host, sockets: &mut Vec<SocketId>) {
    let listening: Vec<SocketId> = sockets.iter().copied().filter(|id| host.is_listening(*id)).collect();
    for id in listening {
        sockets.extend(std::iter::from_fn(|| host.accept(id).ok()).map(|(accepted, _)| accepted));
    }
}

/// Something listens on port 80, unless somebody else has it.
fn listen_again(host: &mut Host, sockets: &mut Vec<SocketId>) {
    let id = host.socket(2, STREAM, 0).unwrap();
    let _ = host.bind(id, at("0.0.0.0:80"));
    host.listen(id, 5).unwrap();
    sockets.push(id);
}

/// One call on one socket of a host.
fn any_call(host: &mut Host, now: Instant, sockets: &mut Vec<SocketId>, chance: &mut Chance) {
    if sockets.len() < 2 || (sockets.len() < 12 && chance.below(8) == 0) {
        let (domain, kind, protocol) = chance.pick(&MAKES);
        sockets.push(host.socket(domain, kind, protocol).unwrap());
    }
    match chance.below(8) {
        0 => listen_again(host, sockets),
        1 | 2 => accept_all(host, sockets),
        _ => {}
    }
    let index = chance.below(sockets.len());
    let id = sockets[index];
    let address = at(chance.pick(&ADDRESSES));
    match chance.below(16) {
        0 => _ = host.bind(id, address),
        1 => _ = host.listen(id, 3),
        2 | 3 => {
            if let Ok((accepted, _)) = host.accept(id) {
                sockets.push(accepted);
            }
        }
        4 | 5 => _ = host.connect(now, id, Some(address)),
        6 => _ = host.connect(now, id, None),
        7 | 8 => _ = host.send(now, id, &[1; 3000]),
        9 => {
            // An echo request of one family or the other is a datagram like any other to UDP.
            let kind = chance.pick(&[8, 128]);
            _ = host.send_to(now, id, &[kind, 0, 0, 0, 0, 0, 0, 0, 1], Some(address));
        }
        10 | 11 => _ = host.recv(now, id, &mut [0; 2000], chance.below(2) == 0),
        12 => _ = host.shutdown(now, id, chance.pick(&[How::Read, How::Write, How::Both])),
        13 => _ = host.take_error(id),
        14 => {
            let (level, name) = chance.pick(&[(1, 2), (1, 7), (1, 8), (1, 9), (1, 15), (41, 26)]);
            _ = host.set_option(now, id, level, name, &[1, 0, 0, 0]);
        }
        _ => {
            sockets.swap_remove(index);
            if chance.below(4) == 0 { host.abort(now, id) } else { host.close(now, id) }
        }
    }
    if let Some(id) = sockets.get(index) {
        let _ = (host.readiness(*id), host.error(*id), host.local_address(*id), host.remote_address(*id));
    }
    assert!(host.sockets().iter().filter(|view| view.id.is_some()).count() >= sockets.len());
}

/// Answers held requests one way or the other.
fn answer_requests(host: &mut Host, chance: &mut Chance) {
    for event in events(host) {
        if let Event::Request(_, request) = event {
            if chance.below(3) == 0 { host.refuse_request(request) } else { host.accept_request(request) }
        }
    }
}

fn run(seed: u64) {
    let mut chance = Chance((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut world = World::with_requests(seed.is_multiple_of(2));
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let now = world.now;
        any_call(&mut world.a, now, &mut of_a, &mut chance);
        any_call(&mut world.b, now, &mut of_b, &mut chance);
        world.cut = chance.below(20) == 0;
        match chance.below(3) {
            0 => world.settle(),
            1 => world.pass(Duration::from_millis(50)),
            _ => {}
        }
        answer_requests(&mut world.b, &mut chance);
        events(&mut world.a);
        world.a.check();
        world.b.check();
    }
    world.cut = false;
    for id in of_a {
        world.a.close(world.now, id);
    }
    for id in of_b {
        world.b.close(world.now, id);
    }
    world.pass(Duration::from_secs(3600));
    assert_eq!((world.a.unfinished(), world.b.unfinished()), (0, 0), "seed {seed}: every connection ends");
    for host in [&mut world.a, &mut world.b] {
        host.check();
        assert!(host.sockets().is_empty(), "seed {seed}: nothing is left to show");
        let id = host.socket(10, STREAM, 0).unwrap();
        assert_eq!(host.bind(id, at("[::]:80")), Ok(()), "seed {seed}: every port is free again");
    }
}

#[test]
fn calls_in_any_order_leave_nothing_behind() {
    for seed in 0..200 {
        run(seed);
    }
}
