//! Sequences of socket calls by chance: up to forty calls on six sockets of two hosts, made on Linux's sockets, on the
//! library's and on those of programs under `ieum run`. What every call returns must be the same, save what
//! `docs/DIFFERENCES.md` lists; a sequence that differs is shrunk.
//!
//! `IEUM_SEQUENCES=50000 cargo test -p ieum-cli --test sequences -- --nocapture` makes as many, from fresh seeds, and
//! says of each kind of difference that is not listed one sequence that shows it; otherwise sequences are the same
//! every time.
#![allow(clippy::disallowed_methods, reason = "real programs run in real time: each wait has a deadline")]

mod call;
mod comparison;
mod known;
mod library;
mod players;
mod state;
#[path = "../end_to_end/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with end_to_end, which uses all of it")]
mod support;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use call::{Call, PORTS, sequences};
use comparison::Comparison;
use known::known;
use library::Library;
use players::Players;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{Folder, compiled, is_root, peers};

/// Sequences of a usual run.
const SEQUENCES: u32 = 500;
/// Sequences that two players play: fresh ones then, since a test's program has a time in which to end.
const SEQUENCES_PER_PLAYERS: usize = 100;
/// Players are made anew after so long at the latest, far within the time that a test gives a program (`support`).
const PLAYERS_LAST: Duration = Duration::from_secs(40);
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

/// Plays the same on both sides.
fn compare<Ours: Plays>(headings: &[&str]) {
    if !is_root() || !peers(&["gcc", "unshare", "nsenter", "ip", "ping", "taskset"]) {
        let advice = "this test needs root and namespaces, so it proves nothing here";
        assert!(!is_root() || std::env::var_os("CI").is_none(), "{advice}");
        return println!("{advice}");
    }
    let folder = Folder::new();
    let program = compiled("player", &folder);
    let known = known(headings, headings.contains(&BY_KERNEL));
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
    let comparison = RefCell::new(Comparison::new(&known, wanted.is_some()));
    let outcome = runner.run(&sequences(), |calls| {
        let number = comparison.borrow().played();
        let is_late = made.borrow().elapsed() > PLAYERS_LAST;
        if is_late || number % SEQUENCES_PER_PLAYERS == SEQUENCES_PER_PLAYERS - 1 {
            made.replace(Instant::now());
            sides.replace((Native::fresh(&program), Ours::fresh(&program)));
        }
        let slice = PORTS + 1;
        let turn = u16::try_from(number % usize::from((PORTS_BEFORE - FIRST_PORT) / slice)).expect("few");
        let base = FIRST_PORT + turn * slice;
        let (native, ours) = &mut *sides.borrow_mut();
        let (linux, ieum) = (native.play(&calls, base), ours.play(&calls, base));
        let plain =
            |told: Vec<String>| -> Vec<String> { told.iter().map(|told| plain(told, base)).collect() };
        comparison.borrow_mut().hear(&calls, &plain(linux), &plain(ieum))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    comparison.into_inner().judge();
}

/// What was returned, with a sequence's own ports as 1, 2 and 3.
fn plain(told: &str, base: u16) -> String {
    (1..=PORTS).fold(told.to_owned(), |text, port| {
        let own = format!(" {}", base + port);
        if text.ends_with(&own) { format!("{} {port}", text.trim_end_matches(&own)) } else { text }
    })
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
