//! Many bytes both ways over a wire that misbehaves: nothing is lost, changed or out of order, and nobody waits for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use ieum_lab::{Capture, Doors, Exchange, Faults, Pair, Wire};
use ieum_wire::Instant;

const MIB: u64 = 1024 * 1024;

/// 100 Mbit/s, 10 ms there and back.
fn wire(faults: Faults) -> Wire {
    Wire { latency: Duration::from_millis(5), bytes_per_second: NonZeroU64::new(12_500_000), faults }
}

/// Three in four talk by IPv4, the rest by IPv6.
fn server_at(seed: u64) -> SocketAddr {
    if seed % 4 == 3 { Pair::server_6_at(80) } else { Pair::server_at(80) }
}

/// Moves `bytes` each way; the world must come to its end within `within` of virtual time, and then to rest with
/// nothing left over.
fn exchange(
    seed: u64,
    bytes: u64,
    wire: &Wire,
    within: Duration,
    record: bool,
) -> (Instant, Option<Capture>) {
    let (mut world, pair) = Pair::hosts(seed, wire, seed.is_multiple_of(2));
    if record {
        world.record();
    }
    let doors = if seed % 4 < 2 { Doors::Copying } else { Doors::InPlace };
    let (client, server) = (pair.client, pair.server);
    let mut exchange = Exchange::begin(&mut world, client, server, server_at(seed), bytes, doors);
    let outcome = world.run(Instant::ZERO + within, |world| exchange.pump(world));
    if let Err(stuck) = outcome {
        panic!(
            "seed {seed}: {stuck}; {} bytes arrived; {:#?}; drops {:?}",
            exchange.received(),
            exchange.status(&world),
            [client, server].map(|node| world.node(node).stack().drops()),
        );
    }
    let end = world.now();
    // Faults cease; what is still under way, TIME-WAIT included, comes to its end.
    world.set_faults(Faults::default());
    world
        .settle(end + Duration::from_secs(200))
        .unwrap_or_else(|stuck| panic!("seed {seed}: {stuck} after closing"));
    for node in [client, server] {
        assert_eq!(world.node(node).unfinished(), 0, "seed {seed}: connections are left over");
        let tally = world.node(node).stack().tally();
        assert_eq!(tally.received, world.delivered(node), "seed {seed}: a frame is not accounted for");
        assert_eq!(tally.received, tally.accepted + tally.dropped, "seed {seed}: a frame has no judgement");
    }
    (end, world.capture().cloned())
}

#[test]
fn eight_mebibytes_each_way_survive_loss_duplication_and_reordering() {
    let mut slowest = (Duration::ZERO, 0);
    for seed in 0..100 {
        let (end, _) = exchange(seed, 8 * MIB, &wire(Faults::percent(1)), Duration::from_secs(30), false);
        slowest = slowest.max((end.since(Instant::ZERO), seed));
    }
    println!("the slowest of 100 seeds took {:?} (seed {})", slowest.0, slowest.1);
}

#[test]
fn a_mebibyte_survives_every_fault_at_once() {
    let faults = Faults { corrupt_ppm: 20_000, jitter: Duration::from_millis(3), ..Faults::percent(5) };
    for seed in 0..20 {
        exchange(seed, MIB, &wire(faults), Duration::from_secs(600), false);
    }
}

#[test]
fn without_faults_the_wire_is_used_to_its_rate() {
    // 32 MiB there, the same back at the same time: 100 Mbit/s would take 2.7 s without any header.
    let (end, _) = exchange(1, 32 * MIB, &wire(Faults::default()), Duration::from_secs(4), false);
    assert!(end.since(Instant::ZERO) > Duration::from_millis(2684));
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let run = |seed| exchange(seed, 2 * MIB, &wire(Faults::percent(1)), Duration::from_secs(60), true);
    let (first, second, other) = (run(7), run(7), run(9));
    assert!(first.1.as_ref().is_some_and(|capture| capture.records().len() > 2000));
    assert!(first == second, "the same seed gave two different captures");
    assert!(first != other, "two seeds gave the same capture");
}
