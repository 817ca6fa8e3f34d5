//! `ieum lab table`: each algorithm at several rates of loss, many runs each, as the table in docs/LAB.md.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args as Arguments;
use ieum_lab::flow::{Experiment, median};
use ieum_stack::CongestionName;

use super::flow::ppm;
use crate::Failure;
use crate::code::Code;

/// `ieum lab table`.
#[derive(Arguments, Debug)]
pub(super) struct Typed {
    /// Runs of each, with the seeds from 1 on; the table has their medians
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,

    /// How long each run lasts, in seconds of virtual time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: u32,

    /// How many runs at once [default: as many as there are processors]
    #[arg(long, short, value_name = "NUMBER")]
    jobs: Option<usize>,
}

/// Frames lost, of a hundred.
const LOSSES: [f64; 5] = [0.0, 0.01, 0.1, 1.0, 3.0];

/// What one run gave: Mbit/s, the round trip in milliseconds, segments sent again.
type Run = (f64, f64, u64);

/// Runs all and prints the table.
pub(super) fn table(typed: &Typed) -> Result<Code, Failure> {
    let runs = u64::from(typed.runs);
    let points: Vec<_> = CongestionName::ALL
        .into_iter()
        .flat_map(|congestion| LOSSES.map(|loss| (congestion, loss)))
        .flat_map(|(congestion, loss)| (1..=runs).map(move |seed| (congestion, loss, seed)))
        .collect();
    let fared = all(typed, &points);
    let mut text = format!(
        "100 Mbit/s, 50 ms, a queue of 625,000 bytes, {} s, medians of {runs}.\n\n\
         | congestion control | loss | Mbit/s | mean RTT | segments repeated |\n|---|---:|---:|---:|---:|\n",
        typed.duration
    );
    let of_one = usize::from(typed.runs);
    for (point, fared) in points.chunks(of_one).zip(fared.chunks(of_one)) {
        let Some((congestion, loss, _)) = point.first() else { continue };
        let mbits = median(&fared.iter().map(|run| run.0).collect::<Vec<_>>());
        let rtt_ms = median(&fared.iter().map(|run| run.1).collect::<Vec<_>>());
        let mut repeated: Vec<_> = fared.iter().map(|run| run.2).collect();
        repeated.sort_unstable();
        let (name, repeated) = (congestion.as_str(), repeated[repeated.len() / 2]);
        text += &format!("| {name} | {loss} % | {mbits:.2} | {rtt_ms:.1} ms | {repeated} |\n");
    }
    super::print(&text)?;
    Ok(Code::Program(0))
}

/// What each gave, several at once, in their order.
fn all(typed: &Typed, points: &[(CongestionName, f64, u64)]) -> Vec<Run> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = mpsc::channel();
    let turn = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..typed.jobs.unwrap_or(processors).max(1) {
            let (sender, turn) = (sender.clone(), &turn);
            scope.spawn(move || {
                loop {
                    let number = turn.fetch_add(1, Ordering::Relaxed);
                    let Some((congestion, loss, seed)) = points.get(number).copied() else { return };
                    let outcome = Experiment {
                        congestion,
                        lose_ppm: ppm(loss),
                        duration: Duration::from_secs(typed.duration.into()),
                        ..Experiment::new(seed)
                    }
                    .run();
                    let fared = (outcome.mbits(), outcome.rtt_ms(), outcome.repeated_segments());
                    // Nobody is there to hear it only when the table is given up.
                    let _ = sender.send((number, fared));
                }
            });
        }
        drop(sender);
        let mut fared: Vec<(usize, Run)> = receiver.into_iter().collect();
        fared.sort_by_key(|(number, _)| *number);
        fared.into_iter().map(|(_, run)| run).collect()
    })
}
