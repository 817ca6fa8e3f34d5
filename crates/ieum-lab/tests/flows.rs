//! Flows through one bottleneck: they fill it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use ieum_lab::flow::{Discipline, Experiment};

#[test]
fn a_flow_alone_fills_the_bottleneck_and_the_same_seed_gives_the_same_outcome() {
    let experiment = Experiment { duration: Duration::from_secs(20), lose_ppm: 100, ..Experiment::new(3) };
    let [one, other] = [experiment.run(), experiment.run()];
    assert_eq!(one.flows, other.flows);
    assert!(one.mbits() > 30.0 && one.mbits() < 100.0, "{}", one.mbits());
}

#[test]
fn marks_spare_a_flow_its_losses() {
    let marks = Experiment { discipline: Discipline::Marks, ..Experiment::new(4) };
    let outcome = Experiment { duration: Duration::from_secs(20), ..marks }.run();
    assert!(outcome.wire.marked > 0, "{:?}", outcome.wire);
    assert!(outcome.mbits() > 60.0, "{}", outcome.mbits());
}
