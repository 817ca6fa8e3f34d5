//! `ieum lab flow`: one experiment.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Arguments, ValueEnum};
use ieum_lab::flow::{Discipline, Experiment, Outcome};
use ieum_lab::plot;
use ieum_stack::CongestionName;
use serde_json::json;

use crate::Failure;
use crate::code::Code;

/// `ieum lab flow`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
Examples:
  ieum lab flow --loss 0.1
  ieum lab flow --flows 10 --duration 30
  ieum lab flow --loss 1 --congestion reno --plot reno.svg")]
pub(super) struct Typed {
    /// The bottleneck's rate, in Mbit/s
    #[arg(long, value_name = "MBITS", default_value_t = 100.0, value_parser = rate)]
    rate: f64,

    /// The round trip, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    rtt: u32,

    /// Frames lost, of a hundred
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    loss: f64,

    /// Frames that leave their order, of a hundred
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    reorder: f64,

    /// What the bottleneck's queue holds, in bytes [default: rate times round trip]
    #[arg(long, value_name = "BYTES")]
    queue: Option<usize>,

    /// How the queue drops
    #[arg(long, value_enum, default_value_t = Drops::Tail)]
    drops: Drops,

    /// How many flows
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    flows: u16,

    /// In how many milliseconds they begin, each at a moment of its own
    #[arg(long, value_name = "MS", default_value_t = 50)]
    spread: u32,

    /// The algorithm of congestion control
    #[arg(long, value_name = "NAME", default_value = "cubic", value_parser = congestion)]
    congestion: CongestionName,

    /// How long it lasts, in seconds of virtual time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: u32,

    /// Decides all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Draw the course of a flow to this file: windows, what is in flight, round trips, bytes
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// Which flow to draw
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "plot")]
    flow: u16,

    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Drops {
    /// What does not fit
    Tail,
    /// Early, by chance, the more the longer the queue (RED)
    Red,
    /// The same, but marks in the place of drops: both hosts speak ECN
    Marks,
}

/// Runs it.
pub(super) fn flow(typed: &Typed) -> Result<Code, Failure> {
    if typed.flow >= typed.flows {
        return Err(Failure::own(format!("there are {} flows, the first is --flow 0", typed.flows)));
    }
    let experiment = experiment(typed);
    let outcome = experiment.run();
    if let (Some(path), Some(series)) = (&typed.plot, &outcome.series) {
        super::write(path, &plot::svg(&title(typed), series))?;
    }
    super::print(&if typed.json { json(&outcome) } else { told(&outcome) })?;
    Ok(Code::Program(0))
}

fn experiment(typed: &Typed) -> Experiment {
    let experiment = Experiment {
        flows: typed.flows.into(),
        congestion: typed.congestion,
        bytes_per_second: NonZeroU64::new(count(typed.rate * 125_000.0)).unwrap_or(NonZeroU64::MIN),
        rtt: Duration::from_millis(typed.rtt.into()),
        discipline: match typed.drops {
            Drops::Tail => Discipline::TailDrop,
            Drops::Red => Discipline::Early,
            Drops::Marks => Discipline::Marks,
        },
        lose_ppm: ppm(typed.loss),
        reorder_ppm: ppm(typed.reorder),
        duration: Duration::from_secs(typed.duration.into()),
        spread: Duration::from_millis(typed.spread.into()),
        series_of: typed.plot.as_ref().map(|_| typed.flow.into()),
        ..Experiment::new(typed.seed)
    };
    // A queue of less than a frame would let nothing through.
    let queue_bytes = typed.queue.unwrap_or_else(|| experiment.product_bytes()).max(1500);
    Experiment { queue_bytes, ..experiment }
}

fn title(typed: &Typed) -> String {
    let Typed { rate, rtt, loss, flows, congestion, .. } = typed;
    let name = congestion.as_str();
    format!("{name}: {flows} through {rate} Mbit/s, {rtt} ms, {loss} % lost; flow {}", typed.flow)
}

fn told(outcome: &Outcome) -> String {
    let mut text = String::from("flow   Mbit/s   repeated   mean rtt\n");
    for (number, flow) in outcome.flows.iter().enumerate() {
        let rtt_ms = flow.rtt.unwrap_or_default().as_secs_f64() * 1e3;
        let (mbits, repeated) = (flow.mbits(), flow.repeated_segments);
        text += &format!("{number:>4} {mbits:>8.2} {repeated:>10} {rtt_ms:>7.1} ms\n");
    }
    let (all, jain) = (outcome.mbits(), outcome.jain());
    text + &format!("all: {all:.2} Mbit/s; fairness (Jain) {jain:.4}\n{}\n", lost(outcome))
}

fn lost(outcome: &Outcome) -> String {
    use ieum_lab::chain::Cause;
    let wire = outcome.wire;
    let causes = Cause::ALL.iter().filter(|cause| wire.lost_by(**cause) > 0);
    let causes: Vec<_> = causes.map(|cause| format!("{} {}", wire.lost_by(*cause), cause.name())).collect();
    let lost =
        if causes.is_empty() { "none lost".to_owned() } else { format!("lost: {}", causes.join(", ")) };
    format!("{} frames, {} marked, {lost}", wire.entered, wire.marked)
}

fn json(outcome: &Outcome) -> String {
    let flows = outcome.flows.iter().map(|flow| {
        json!({
            "mbits": flow.mbits(),
            "bytes": flow.bytes,
            "repeated_segments": flow.repeated_segments,
            "rtt_ms": flow.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
        })
    });
    let wire = outcome.wire;
    let lost: u64 = wire.lost.iter().sum();
    let all = json!({
        "flows": flows.collect::<Vec<_>>(),
        "mbits": outcome.mbits(),
        "jain": outcome.jain(),
        "frames": wire.entered,
        "marked": wire.marked,
        "lost": lost,
    });
    format!("{all:#}\n")
}

pub(super) fn congestion(text: &str) -> Result<CongestionName, String> {
    let named = CongestionName::ALL.into_iter().find(|name| name.as_str() == text);
    let all = CongestionName::ALL.map(CongestionName::as_str).join(", ");
    named.ok_or_else(|| format!("`{text}` is none of {all}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=100_000.0).contains(rate));
    rate.ok_or_else(|| "a rate is 0.01 to 100000 Mbit/s".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "a part of a hundred is 0 to 100".to_owned())
}

/// Of a million, for a part of a hundred.
pub(super) fn ppm(percent: f64) -> u32 {
    u32::try_from(count(percent * 10_000.0)).unwrap_or(1_000_000)
}

/// A whole number near one that is not negative.
fn count(number: f64) -> u64 {
    // Through a duration, which rounds and has the bounds; its unit means nothing here.
    u64::try_from(Duration::from_secs_f64(number.clamp(0.0, 1e15) / 1e6).as_micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_hundred_become_parts_of_a_million_without_an_error() {
        assert_eq!([0.0, 0.01, 0.1, 1.0, 3.0, 100.0].map(ppm), [0, 100, 1000, 10_000, 30_000, 1_000_000]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        assert!(congestion("vegas").unwrap_err().contains("cubic"));
        assert!(percent("101").is_err() && percent("x").is_err() && rate("0").is_err());
    }
}
