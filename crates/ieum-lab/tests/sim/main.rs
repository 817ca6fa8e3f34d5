//! Worlds of which a seed decides everything: fresh ones each time, and those that failed once.
//!
//! What fails is replayed by `ieum lab sim SEED`; its seed goes into `failed-seeds`, with a line of what it found.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod sys;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use ieum_lab::sim::{self, Outcome, Watch};

/// How many fresh worlds are run each time.
const FRESH: u64 = 2000;

const WATCH: Watch = Watch { allocated_bytes: Some(sys::allocated_bytes), ..Watch::NOTHING };

/// Runs worlds, as many at once as there are processors, and returns those that failed.
fn failures(seeds: &[u64]) -> Vec<Outcome> {
    let next = AtomicU64::new(0);
    let run = || {
        let next = || seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()).copied();
        let outcomes = std::iter::from_fn(|| Some(sim::run(next()?, &WATCH)));
        outcomes.filter(|outcome| outcome.failure.is_some()).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn assert_none(failures: &[Outcome]) {
    let told = |outcome: &Outcome| {
        let reason = outcome.failure.as_deref().unwrap_or_default();
        format!("seed {}: {reason}\n  replay: ieum lab sim {}\n", outcome.seed, outcome.seed)
    };
    let all: String = failures.iter().map(told).collect();
    assert!(failures.is_empty(), "{} worlds failed\n{all}", failures.len());
}

#[test]
fn fresh_worlds_come_to_their_end_with_nothing_lost_and_nothing_left() {
    // The standard library's hashes are keyed by chance: no two runs see the same worlds.
    let first = RandomState::new().build_hasher().finish() >> 32;
    println!("seeds {first} to {}", first + FRESH - 1);
    assert_none(&failures(&(first..first + FRESH).collect::<Vec<_>>()));
}

#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    let lines = include_str!("../../failed-seeds").lines();
    let seeds = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    let seeds: Vec<u64> =
        seeds.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert_none(&failures(&seeds));
}

#[test]
fn the_same_seed_gives_the_same_world_whoever_watches() {
    for seed in 0..20 {
        let watched = Watch { history_lines: 100, series_of: Some(0), ..WATCH };
        let [one, other] = [sim::run(seed, &WATCH), sim::run(seed, &watched)];
        assert_eq!(
            (one.digest, one.events, one.arrived),
            (other.digest, other.events, other.arrived),
            "seed {seed}"
        );
    }
}
