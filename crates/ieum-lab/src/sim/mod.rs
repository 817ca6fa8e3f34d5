//! Worlds from a seed, with checkers: `ieum lab sim`.
//!
//! A seed decides what a world is made of ([`Plan`]): hosts, a wire between each two of them with what goes wrong on it, what
//! their sockets say to each other, wires that are cut and hosts that are switched off. The world then runs in virtual
//! time, in three parts: *trouble*, with all of that; *calm*, in which nothing goes wrong any more and everything has to
//! come to its end; and *rest*, when all sockets are closed and nothing may be left.
//!
//! What is checked:
//!
//! 1. Bytes of a stream arrive as they were sent, in order, and its end after the last; datagrams whole or not at all.
//! 2. No connection fails without a reason that the world gave it (`stream`).
//! 3. Once faults cease everything comes to its end within a time computed from the plan (`scene`). A side is only
//!    asked when its host has told something, so an event that is forgotten shows.
//! 4. Frames are conserved, wire by wire and host by host: what was sent was delivered, or lost for one of the named
//!    causes, or is under way; what was delivered was accepted, or dropped for one reason, or came to a host that was off.
//! 5. Each host's own invariants hold after every event.
//! 6. In the end no socket, no connection, no timer and no memory is left.
//!
//! A panic is a failure like all others. The same seed gives the same world, event for event: [`Outcome::digest`] is a
//! sum over all that was sent, and when. A failing seed is run again with its history kept.
//!
//! Files: [`plan`] (what a seed decides, from `dice`), `build` (hosts and wires), `machine` (a host that can be
//! switched off), `stream` and `side` (conversations over TCP), `datagrams`, `scene` (the world at work, and what is
//! checked).

mod build;
mod datagrams;
mod dice;
mod machine;
pub mod plan;
mod scene;
mod side;
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use self::scene::Scene;
use crate::series::Series;

pub use self::plan::Plan;

/// How a world is watched. None of it changes what happens in it.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The last lines of its history that are kept.
    pub history_lines: usize,
    /// The conversation whose course is kept.
    pub series_of: Option<usize>,
    /// Bytes that this thread has allocated and not given back, when somebody counts them.
    pub allocated_bytes: Option<fn() -> i64>,
}

impl Watch {
    /// Nothing is kept.
    pub const NOTHING: Watch = Watch { history_lines: 0, series_of: None, allocated_bytes: None };
}

/// What came of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Why it failed, in a sentence or several.
    pub failure: Option<String>,
    /// How long it lasted, in its own time.
    pub lasted: Duration,
    /// Frames that arrived, deadlines and alarms.
    pub events: u64,
    /// Frames given to wires.
    pub frames: u64,
    /// Frames lost, marked and doubled on them.
    pub wires: crate::chain::Tally,
    /// Bytes of streams that reached their readers, and datagrams that did.
    pub arrived: (u64, u64),
    /// A sum over everything that was sent, and when.
    pub digest: u64,
    /// How many lines of its history came before those kept, and those.
    pub history: (u64, Vec<String>),
    /// The course of the conversation that was asked for.
    pub series: Option<Series>,
}

/// Runs the world of a seed.
pub fn run(seed: u64, watch: &Watch) -> Outcome {
    // A plan or a scene that cannot be made is a failure of that seed too.
    let made = catch_unwind(|| Scene::new(seed, watch));
    let mut scene = match made {
        Ok(scene) => scene,
        Err(panic) => return Outcome::unmade(seed, said(&*panic)),
    };
    // The scene is only looked at after a panic, for what had happened by then.
    let played = catch_unwind(AssertUnwindSafe(|| scene.play()));
    let failure = played.map_err(|panic| said(&*panic)).err();
    scene.outcome(failure)
}

impl Outcome {
    fn unmade(seed: u64, failure: String) -> Outcome {
        Outcome {
            seed,
            failure: Some(failure),
            lasted: Duration::ZERO,
            events: 0,
            frames: 0,
            wires: crate::chain::Tally::default(),
            arrived: (0, 0),
            digest: 0,
            history: (0, Vec::new()),
            series: None,
        }
    }
}

/// What a panic says.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word").to_owned()
}
