//! BBR through one bottleneck of 100 Mbit/s and 50 ms, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ieum_lab::flow::{Experiment, median};
use ieum_stack::CongestionName;

/// Of 100 Mbit/s headers leave 96.5; the pace is 1 % below the path's rate.
fn bbr() -> Experiment {
    Experiment { congestion: CongestionName::Bbr, duration: Duration::from_secs(20), ..Experiment::new(7) }
}

#[test]
fn it_fills_a_path_that_loses_up_to_three_in_a_hundred() {
    for (lose_ppm, mbits_min) in [(0, 90.0), (1000, 90.0), (10_000, 88.0), (30_000, 84.0)] {
        // One flow may meet a round in which chance takes twice as many, and takes that for congestion.
        let runs: Vec<f64> =
            (1..=5).map(|seed| Experiment { lose_ppm, seed, ..bbr() }.run().mbits()).collect();
        let mbits = median(&runs);
        assert!(mbits > mbits_min, "{mbits:.1} Mbit/s with {lose_ppm} ppm lost");
    }
}

#[test]
fn beyond_six_in_a_hundred_it_takes_losses_for_congestion() {
    let outcome = Experiment { lose_ppm: 80_000, ..bbr() }.run();
    assert!(outcome.mbits() < 50.0, "{:.1} Mbit/s", outcome.mbits());
}

#[test]
fn it_keeps_the_queue_short() {
    let mut experiment = bbr();
    experiment.queue_bytes *= 4;
    let outcome = experiment.run();
    assert!(outcome.mbits() > 90.0, "{:.1} Mbit/s", outcome.mbits());
    assert!(outcome.rtt_ms() < 58.0, "{:.1} ms of 50", outcome.rtt_ms());
}

#[test]
fn a_queue_of_an_eighth_is_enough() {
    let mut experiment = bbr();
    experiment.queue_bytes /= 8;
    assert!(experiment.run().mbits() > 88.0);
}

#[test]
fn two_flows_share_a_path() {
    let outcome = Experiment { flows: 2, duration: Duration::from_secs(60), ..bbr() }.run();
    assert!(outcome.mbits() > 91.0, "{:.1} Mbit/s", outcome.mbits());
    assert!(outcome.jain() > 0.95, "{:.3}", outcome.jain());
}
