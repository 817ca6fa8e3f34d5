//! Flows through one bottleneck: they fill it, and share it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use ieum_lab::flow::{Discipline, Experiment};
use ieum_stack::CongestionName;

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

/// Several flows of CUBIC that begin together, for a minute.
fn cubic(flows: usize) -> Experiment {
    Experiment { flows, congestion: CongestionName::Cubic, ..Experiment::new(1) }
}

#[test]
fn two_flows_of_cubic_share_a_bottleneck_fairly() {
    let outcome = cubic(2).run();
    assert!(outcome.jain() >= 0.95, "{}: {:?}", outcome.jain(), outcome.flows);
    assert!(outcome.mbits() > 90.0, "{}", outcome.mbits());
}

#[test]
fn ten_flows_of_cubic_share_a_bottleneck_fairly() {
    let outcome = cubic(10).run();
    assert!(outcome.jain() >= 0.95, "{}: {:?}", outcome.jain(), outcome.flows);
    assert!(outcome.mbits() > 90.0, "{}", outcome.mbits());
}
