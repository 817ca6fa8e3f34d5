//! `ieum lab sim`: worlds of which a seed decides everything.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args as Arguments;
use ieum_lab::chain::{Cause, Tally};
use ieum_lab::plot;
use ieum_lab::sim::{self, Outcome, Plan, Watch};
use serde_json::json;

use super::seeds::Seeds;
use crate::Failure;
use crate::code::Code;

/// `ieum lab sim`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
A world is two to four hosts, wires between them that lose, double, reorder, delay and corrupt frames, are cut and have
queues, hosts that are switched off, and conversations over TCP and UDP. In the end every byte has to have arrived in its
order, every frame is accounted for, and nothing is left. The same seed gives the same world, event for event. The exit
code is 0 when no world failed, 1 when one did; a failing one is shown with what it is made of and its last events.

Examples:
  ieum lab sim 7
  ieum lab sim 1..50 1000
  ieum lab sim 7 --history=100
  ieum lab sim 7 --plot flow.svg --flow 0")]
pub(super) struct Typed {
    /// A seed, or a range with both its ends: 1..50
    #[arg(value_name = "SEED", required = true)]
    seeds: Vec<Seeds>,

    /// Show what each world is made of, and its last events
    #[arg(long, value_name = "LINES", num_args = 0..=1, default_missing_value = "200", require_equals = true)]
    history: Option<usize>,

    /// Draw the course of a conversation of the one world to this file: windows, what is in flight, round trips, bytes
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// Which conversation to draw
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "plot")]
    flow: usize,

    /// The sum as JSON
    #[arg(long)]
    json: bool,

    /// How many worlds are run at once [default: as many as there are processors]
    #[arg(long, short, value_name = "NUMBER")]
    jobs: Option<usize>,
}

/// Lines of history shown of a failing world, unless it is said.
const HISTORY_LINES: usize = 200;

/// Failing worlds that are shown whole; of the others the seed and the reason.
const SHOWN_WHOLE: usize = 1;

thread_local! {
    /// Where this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// All worlds together.
#[derive(Default)]
struct Sum {
    worlds: u64,
    failed: Vec<(u64, String)>,
    lasted: Duration,
    events: u64,
    frames: u64,
    wires: Tally,
    bytes: u64,
    datagrams: u64,
}

/// Runs what was asked for.
pub(super) fn sim(typed: &Typed) -> Result<Code, Failure> {
    // A world's panic is told with its seed, not in the middle of others.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        PANICKED_AT.with(|last| *last.borrow_mut() = at);
    }));
    let done = run(typed);
    std::panic::set_hook(before);
    done
}

fn run(typed: &Typed) -> Result<Code, Failure> {
    if let Some(path) = &typed.plot {
        draw(typed, path)?;
    }
    let mut sum = Sum::default();
    let shows = typed.history.is_some();
    let watch = Watch { history_lines: typed.history.unwrap_or(0), ..Watch::NOTHING };
    let mut printed = Ok(());
    each(typed, &watch, |outcome| {
        let text = match &outcome.failure {
            Some(reason) if sum.failed.len() < SHOWN_WHOLE || shows => told_failure(&outcome, reason, typed),
            Some(reason) => format!("seed {}: {}\n", outcome.seed, first_line(reason)),
            None if shows => told_history(&outcome),
            None => String::new(),
        };
        sum.add(&outcome);
        if printed.is_ok() && !(typed.json && outcome.failure.is_none()) {
            printed = if typed.json { Ok(()) } else { super::print(&text) };
        }
    });
    printed?;
    // They have ended in any order.
    sum.failed.sort_unstable();
    super::print(&if typed.json { sum.json() } else { sum.told() })?;
    Ok(Code::Program(u8::from(!sum.failed.is_empty())))
}

/// Runs each world, several at once, and gives what came of it to `then`, as they end.
fn each(typed: &Typed, watch: &Watch, mut then: impl FnMut(Outcome)) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let seeds: Vec<_> = typed.seeds.iter().map(|seeds| seeds.0.clone()).collect();
    let jobs = typed.jobs.unwrap_or(processors).max(1);
    let (sender, receiver) = mpsc::sync_channel(jobs);
    let turn = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, seeds, turn) = (sender.clone(), seeds.clone(), &turn);
            scope.spawn(move || {
                let mut all = seeds.into_iter().flatten();
                let mut passed = 0;
                loop {
                    // The seed whose turn it is, of all in their order.
                    let next = turn.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = all.nth(next - passed) else { return };
                    passed = next + 1;
                    let mut outcome = sim::run(seed, watch);
                    add_place(&mut outcome);
                    if sender.send(outcome).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(&mut then);
    });
}

/// Where a panic was belongs to what it said.
fn add_place(outcome: &mut Outcome) {
    if let Some(failure) = &mut outcome.failure {
        let end = failure.find('\n').unwrap_or(failure.len());
        failure.insert_str(end, &PANICKED_AT.with(RefCell::take));
    }
}

fn told_failure(outcome: &Outcome, reason: &str, typed: &Typed) -> String {
    let seed = outcome.seed;
    let lines = typed.history.unwrap_or(HISTORY_LINES);
    // The same world once more, with its history kept.
    let again = sim::run(seed, &Watch { history_lines: lines, ..Watch::NOTHING });
    let differs = if again.digest == outcome.digest { "" } else { "(the second time it went otherwise!)\n" };
    format!("{}seed {seed}: FAILED: {reason}\n{differs}", told_history(&again))
}

fn told_history(outcome: &Outcome) -> String {
    let Outcome { seed, history: (before, lines), .. } = outcome;
    let plan = std::panic::catch_unwind(|| Plan::new(*seed).to_string());
    let mut text = format!("seed {seed}:\n{}", plan.unwrap_or_else(|_| "no plan can be made\n".to_owned()));
    if *before > 0 {
        text += &format!("({before} lines before these)\n");
    }
    for line in lines {
        text += &format!("{line}\n");
    }
    text
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn draw(typed: &Typed, path: &std::path::Path) -> Result<(), Failure> {
    let [Seeds(range)] = typed.seeds.as_slice() else {
        return Err(Failure::own("--plot draws one world: give one seed"));
    };
    if range.start() != range.end() {
        return Err(Failure::own("--plot draws one world: give one seed"));
    }
    let (seed, flow) = (*range.start(), typed.flow);
    let streams = Plan::new(seed).streams.len();
    if flow >= streams {
        return Err(Failure::own(format!("world {seed} has {streams} conversations, the first is --flow 0")));
    }
    let outcome = sim::run(seed, &Watch { series_of: Some(flow), ..Watch::NOTHING });
    let series = outcome.series.unwrap_or_default();
    super::write(path, &plot::svg(&format!("ieum lab sim {seed}, conversation {flow}"), &series))
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.worlds += 1;
        if let Some(failure) = &outcome.failure {
            self.failed.push((outcome.seed, failure.clone()));
        }
        self.lasted += outcome.lasted;
        self.events += outcome.events;
        self.frames += outcome.frames;
        self.wires = self.wires.plus(outcome.wires);
        self.bytes += outcome.arrived.0;
        self.datagrams += outcome.arrived.1;
    }

    fn told(&self) -> String {
        let Sum { worlds, failed, events, frames, wires, bytes, datagrams, lasted } = self;
        let lost = Cause::ALL.map(|cause| format!("{} {}", wires.lost_by(cause), cause.name())).join(", ");
        let seconds = lasted.as_secs();
        let mut text = format!(
            "{worlds} worlds, {} failed; {events} events in {seconds} s of their time\n\
             {bytes} bytes of streams and {datagrams} datagrams arrived, in {frames} frames: {} doubled, {} marked; lost: {lost}\n",
            failed.len(),
            wires.doubled,
            wires.marked
        );
        if !failed.is_empty() {
            let seeds: Vec<_> = failed.iter().map(|(seed, _)| seed.to_string()).collect();
            text += &format!("failed, replay with: ieum lab sim {}\n", seeds.join(" "));
        }
        text
    }

    fn json(&self) -> String {
        let lost: serde_json::Map<_, _> = Cause::ALL
            .iter()
            .map(|cause| (cause.name().to_owned(), json!(self.wires.lost_by(*cause))))
            .collect();
        let failed: Vec<_> =
            self.failed.iter().map(|(seed, reason)| json!({ "seed": seed, "failure": reason })).collect();
        let sum = json!({
            "worlds": self.worlds,
            "failed": failed,
            "events": self.events,
            "virtual_seconds": self.lasted.as_secs(),
            "stream_bytes": self.bytes,
            "datagrams": self.datagrams,
            "frames": self.frames,
            "doubled": self.wires.doubled,
            "marked": self.wires.marked,
            "lost": lost,
        });
        format!("{sum:#}\n")
    }
}
