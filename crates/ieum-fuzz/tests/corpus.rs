//! Every entry, with the inputs that once were interesting, and with inputs from seeds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

/// Inputs made from seeds, per entry, on each run.
const SEEDED: u64 = 2000;

/// All files of `corpus/NAME` with their names, in the order of these.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has inputs", folder.display());
    files.into_iter().map(|file| (file.display().to_string(), std::fs::read(file).unwrap())).collect()
}

/// Bytes that depend on the seed alone (xorshift).
fn seeded(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = usize::try_from(next() % 600).unwrap();
    (0..length).map(|_| next().to_le_bytes()[3]).collect()
}

fn run(name: &str, entry: impl Fn(&[u8])) {
    let seeded = (0..SEEDED).map(|seed| (format!("seed {seed}"), seeded(seed)));
    for (origin, input) in corpus(name).into_iter().chain(seeded) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| entry(&input)));
        assert!(outcome.is_ok(), "{name}: {origin}");
    }
}

#[test]
fn no_packet_breaks_a_live_host() {
    run("packets", ieum_fuzz::packets);
}

#[test]
fn no_segment_breaks_a_live_connection() {
    run("segments", ieum_fuzz::segments);
}

#[test]
fn no_adversary_makes_two_hosts_lose_or_invent_a_byte() {
    run("adversary", ieum_fuzz::adversary);
}

#[test]
fn no_calls_break_a_host() {
    run("calls", ieum_fuzz::calls);
}

#[test]
fn no_control_message_is_misread() {
    run("control", ieum_fuzz::control);
}

#[test]
fn no_frame_of_a_net_is_misread() {
    run("frames", ieum_fuzz::frames);
}
