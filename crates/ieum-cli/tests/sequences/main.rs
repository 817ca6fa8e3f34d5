//! Sequences of socket calls by chance: up to forty calls on six sockets of two hosts, made on Linux's sockets, on the
//! library's and on those of programs under `ieum run`. What every call returns must be the same, save what
//! `docs/DIFFERENCES.md` lists; a sequence that differs is shrunk.
//!
//! `IEUM_SEQUENCES=50000 cargo test -p ieum-cli --test sequences -- --nocapture` makes as many, from fresh seeds, and says of each
//! kind of difference that is not listed one sequence that shows it; otherwise sequences are the same every time.
#![allow(clippy::disallowed_methods, reason = "real programs run in real time: each wait has a deadline")]

mod call;
mod library;
mod players;
mod state;
#[path = "../end_to_end/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with end_to_end, which uses all of it")]
mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use call::{Call, PORTS, sequences};
use library::Library;
use players::Players;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use state::{Condition, States};
use support::{Folder, compiled, each_of, is_root, peers};

/// Sequences of a usual run.
const SEQUENCES: u32 = 500;
/// Sequences that two players play: fresh ones then, since a test's program has a time in which to end.
const SEQUENCES_PER_PLAYERS: usize = 100;
/// Players are made anew after so long at the latest, far within the time that a test gives a program (`support`).
const PLAYERS_LAST: Duration = Duration::from_secs(40);
/// What is seldom shows on one of so many occasions at most, or as often as this.
const SELDOM_SHARE: usize = 5;
const SELDOM_SURE: usize = 5;
/// Of all calls so many are compared at least. Of the usual ones 89 are, since datagrams of the kernel's leave streams to AF_UNIX.
const COMPARED_PERCENT: usize = 80;
/// Where the ports of sequences begin, and how many sequences have ports of their own before they begin anew.
const FIRST_PORT: u16 = 1024;
const PORTS_BEFORE: u16 = 32_000;

/// Somebody who makes the calls of a sequence.
trait Plays {
    fn fresh(program: &str) -> Self;
    fn play(&mut self, calls: &[Call], base: u16) -> Vec<String>;
}

struct Native(Players);
/// On those of programs under `ieum run`: has the kernel the datagrams there?
struct OnIeum<const BY_KERNEL: bool>(Players);

impl Plays for Native {
    fn fresh(program: &str) -> Native {
        Native(Players::native(program))
    }

    fn play(&mut self, calls: &[Call], base: u16) -> Vec<String> {
        self.0.play(calls, base)
    }
}

impl<const BY_KERNEL: bool> Plays for OnIeum<BY_KERNEL> {
    fn fresh(program: &str) -> OnIeum<BY_KERNEL> {
        OnIeum(Players::on_ieum(program, if BY_KERNEL { "namespace" } else { "carrier" }))
    }

    fn play(&mut self, calls: &[Call], base: u16) -> Vec<String> {
        self.0.play(calls, base)
    }
}

impl Plays for Library {
    fn fresh(_program: &str) -> Library {
        Library::new()
    }

    fn play(&mut self, calls: &[Call], base: u16) -> Vec<String> {
        // Hosts of the library cost nothing: each sequence has its own.
        *self = Library::new();
        Library::play(self, calls, base)
    }
}

/// A kind of difference: call, what Linux says, what ieum says.
type Kind = (String, String, String);

/// A difference that is known.
struct Known {
    kind: Kind,
    state: Condition,
    /// Its row, which may have more of them.
    row: String,
    /// Sockets are in different states from then on, so that what comes after is not compared.
    parts: bool,
    /// It depends on what is in time: few of the occasions show it.
    seldom: bool,
}

/// The rows of the tables in `docs/DIFFERENCES.md`, below the headings.
fn known(headings: &[&str]) -> Vec<Known> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/DIFFERENCES.md");
    let page = std::fs::read_to_string(path).expect("docs/DIFFERENCES.md is there");
    let is_meant = |section: &&str| section.lines().next().is_some_and(|heading| headings.contains(&heading));
    let sections = page.split("\n## ").filter(is_meant);
    let rows = sections.flat_map(str::lines).filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let mut cells =
            row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
        let mut next = || cells.next().expect("a row has call, state, Linux, ieum and reason");
        let (call, mut state) = (next(), Condition::of(&next()));
        if headings.contains(&BY_KERNEL) {
            state = state.of_streams_alone();
        }
        let (linux, ieum, reason) = (next(), next(), next());
        let (parts, seldom) = (reason.contains('†'), reason.contains('‡'));
        let mut kinds = Vec::new();
        for call in each_of(&call) {
            for linux in each_of(&linux) {
                kinds.extend(each_of(&ieum).map(|ieum| (call.clone(), linux.clone(), ieum)));
            }
        }
        let row = row.to_owned();
        kinds.into_iter().map(move |kind| Known {
            kind,
            state: state.clone(),
            row: row.clone(),
            parts,
            seldom,
        })
    })
    .collect()
}

/// Plays the same on both sides.
fn compare<Ours: Plays>(headings: &[&str]) {
    if !is_root() || !peers(&["gcc", "unshare", "nsenter", "ip", "ping", "taskset"]) {
        let advice = "this test needs root and namespaces, so it proves nothing here";
        assert!(!is_root() || std::env::var_os("CI").is_none(), "{advice}");
        return println!("{advice}");
    }
    let folder = Folder::new();
    let program = compiled("player", &folder);
    let known = known(headings);
    let wanted = std::env::var("IEUM_SEQUENCES").ok().and_then(|count| count.parse().ok());
    let config = Config {
        cases: wanted.unwrap_or(SEQUENCES),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = match wanted {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let sides = RefCell::new((Native::fresh(&program), Ours::fresh(&program)));
    let made = RefCell::new(Instant::now());
    let played = RefCell::new(0usize);
    let used = RefCell::new(BTreeMap::new());
    let occasions = RefCell::new(BTreeMap::new());
    let found = RefCell::new(BTreeMap::new());
    let (made_calls, compared_calls) = (RefCell::new(0usize), RefCell::new(0usize));
    let outcome = runner.run(&sequences(), |calls| {
        let number = played.replace_with(|number| *number + 1);
        let is_late = made.borrow().elapsed() > PLAYERS_LAST;
        if is_late || number % SEQUENCES_PER_PLAYERS == SEQUENCES_PER_PLAYERS - 1 {
            made.replace(Instant::now());
            sides.replace((Native::fresh(&program), Ours::fresh(&program)));
        }
        let slice = PORTS + 1;
        let turn = u16::try_from(number % usize::from((PORTS_BEFORE - FIRST_PORT) / slice)).expect("few");
        let base = FIRST_PORT + turn * slice;
        let (native, ours) = &mut *sides.borrow_mut();
        let (expected, got) = (native.play(&calls, base), ours.play(&calls, base));
        let mut states = States::default();
        *made_calls.borrow_mut() += calls.len();
        for (index, call) in calls.iter().enumerate() {
            let (linux, ieum) = (plain(&expected[index], base), plain(&got[index], base));
            let words = states.of(call);
            states.after(call, &linux);
            *compared_calls.borrow_mut() += 1;
            let said = kind(call, &linux);
            let may_differ = |known: &&Known| {
                known.seldom
                    && known.kind.0 == call.name()
                    && known.kind.1 == said
                    && known.state.holds(&words)
            };
            for row in
                known.iter().filter(may_differ).map(|known| known.row.as_str()).collect::<BTreeSet<_>>()
            {
                *occasions.borrow_mut().entry(row).or_insert(0usize) += 1;
            }
            if linux == ieum {
                continue;
            }
            let row = (call.name().to_owned(), kind(call, &linux), kind(call, &ieum));
            let Some(listed) = known.iter().find(|known| known.kind == row && known.state.holds(&words))
            else {
                let said = || {
                    let calls = told(&calls, &expected, &got);
                    format!("call {index}, {call:?} on {words:?}: Linux {linux}, ieum {ieum}\n{calls}")
                };
                if wanted.is_none() {
                    return Err(TestCaseError::fail(said()));
                }
                // Many are wanted: one of its kind is told, and the others are looked at.
                found.borrow_mut().entry(row).or_insert_with(said);
                break;
            };
            *used.borrow_mut().entry(listed.row.as_str()).or_insert(0usize) += 1;
            if listed.parts {
                break;
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let found = found.into_inner();
    let said: Vec<&str> = found.values().map(String::as_str).collect();
    assert!(said.is_empty(), "{} sequences, not listed:\n{}", played.borrow(), said.join("\n"));
    let (made_calls, compared_calls) = (made_calls.into_inner(), compared_calls.into_inner());
    println!("{compared_calls} of {made_calls} calls compared");
    assert!(compared_calls * 100 >= made_calls * COMPARED_PERCENT, "too much lies behind rows with †");
    println!("{} sequences; how often each row of docs/DIFFERENCES.md was seen:", played.borrow());
    for known in known.iter().filter(|known| known.seldom) {
        let row = known.row.as_str();
        let seen = used.borrow().get(row).copied().unwrap_or(0);
        let occasions = occasions.borrow().get(row).copied().unwrap_or(0);
        assert!(seen <= SELDOM_SURE + occasions / SELDOM_SHARE, "{seen} of {occasions} occasions: {row}");
    }
    let rows: BTreeSet<&str> = known.iter().map(|known| known.row.as_str()).collect();
    for row in rows {
        println!("{} {row}", used.borrow().get(row).unwrap_or(&0));
    }
}

/// What was returned, with a sequence's own ports as 1, 2 and 3.
fn plain(told: &str, base: u16) -> String {
    (1..=PORTS).fold(told.to_owned(), |text, port| {
        let own = format!(" {}", base + port);
        if text.ends_with(&own) { format!("{} {port}", text.trim_end_matches(&own)) } else { text }
    })
}

/// What the table says of a result: of bytes and of counts of them only that there were some.
fn kind(call: &Call, told: &str) -> String {
    let counts = ["recv", "recvfrom", "send", "sendto", "FIONREAD"].contains(&call.name());
    let is_some = counts && told.starts_with(|first: char| first.is_ascii_digit()) && told != "0";
    match is_some {
        true if told.ends_with(" from ? 0") => "some from ?".to_owned(),
        true => "some".to_owned(),
        false => told.to_owned(),
    }
}

fn told(calls: &[Call], expected: &[String], got: &[String]) -> String {
    let lines = calls.iter().zip(expected).zip(got).enumerate();
    lines.map(|(index, ((call, linux), ieum))| format!("{index}: {call:?}: {linux} | {ieum}\n")).collect()
}

const IN_LIBRARY: &str = "Seen in sequences of calls, in the library";
const UNDER_RUN: &str = "Seen in sequences of calls, under ieum run";
/// Added to those under `ieum run`.
const BY_KERNEL: &str = "Seen in sequences of calls, where the kernel has the datagrams";

#[test]
fn sequences_of_calls_return_the_same_on_linux_and_in_the_library() {
    compare::<Library>(&[IN_LIBRARY]);
}

#[test]
fn sequences_of_calls_return_the_same_on_linux_and_under_ieum_run() {
    compare::<OnIeum<false>>(&[UNDER_RUN]);
}

#[test]
fn sequences_of_calls_return_the_same_where_the_kernel_has_the_datagrams() {
    compare::<OnIeum<true>>(&[UNDER_RUN, BY_KERNEL]);
}
