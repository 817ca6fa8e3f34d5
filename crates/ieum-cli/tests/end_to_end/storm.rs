//! Calls with arguments by chance, and signals in the middle of calls: whoever makes them, they come back, and ieum lives on.

use super::support::{Folder, Running, compiled, ieum, peer};

/// Seeds of every run, and how many calls each makes; `scripts/fuzz calls` tries fresh ones.
const SEEDS: [u64; 7] = [1, 15, 34, 38, 41, 111, 2026];
const CALLS: &str = "10000";

#[test]
fn a_storm_of_calls_by_chance_harms_nobody() {
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let storm = compiled("storm", &folder);
    for seed in SEEDS {
        // Without an exit: whatever address chance makes, nothing leaves.
        let printed =
            Running::start(&ieum(&["--no-exit"], &[&storm, &seed.to_string(), CALLS])).finish().success();
        assert!(printed.starts_with("done "), "seed {seed}: {printed}");
    }
}

#[test]
fn a_storm_of_signals_costs_no_datagrams() {
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let interrupted = compiled("interrupted", &folder);
    for calls in ["datagrams", "messages"] {
        let run = ieum(&["--no-exit", "--udp", "carrier"], &[&interrupted, calls, "5000"]);
        let printed = Running::start(&run).finish().success();
        assert!(
            printed.starts_with("5000 exchanges, ") && printed.ends_with(" 0 breaks\n"),
            "{calls}: {printed}"
        );
    }
}
