//! Ports that lead to other addresses, of the machine and of hosts.
//!
//! # Theory of operation
//!
//! A [`Rule`] listens at one address and leads to another, for connections or for datagrams. Both ends are sockets of
//! one process, and all that happens between them is done by one piece of code, the *forwarder*: it accepts, reaches the
//! target, and moves bytes, ends and resets both ways.
//!
//! ```text
//!   client ⇄ socket ⇄ [pipe] ⇄ socket ⇄ target
//! ```
//!
//! Where both addresses are the machine's, that is the first process ([`Conductor`]). Where one is in a host, it is a
//! [`Worker`]: a program that runs on that host as any other does (`ieum run --in NAME`), so that the sockets it makes are
//! the host's. What it needs of the machine's, the first process makes and hands to it.
//!
//! ```text
//!   first process ── channel: rules, listening and connected sockets of the machine → ── worker, on host NAME
//!                    ← what is to be reached in the machine, what passed, the end
//! ```
//!
//! A forward into a host so lives as long as the command that asked for it, the host needs no way out and knows nothing
//! of it, and its ports are given back by the same code that gives back those of every program that ends.
//!
//! # Invariants
//!
//! 1. No byte is read from one side before all that was read before it was written to the other: a direction buffers one
//!    pipe at most, and who does not read stops who writes.
//! 2. An end is passed on after every byte before it; a reset after every byte before it was acknowledged, or
//!    five seconds have passed (`RESET_WITHIN`).
//! 3. A connection whose target cannot be reached is reset, and never ended.
//! 4. A rule that stays, whatever becomes of others, keeps its sockets and its connections; one that goes closes its
//!    sockets, and its connections go on.
//! 5. Every source is edge-triggered and read until it says that it is empty; its key never comes again.
//!
//! # Files
//!
//! `spot` and `rule` (what is typed), `config` (what is in a file), `watch` (when it changes), `conductor` (the first
//! process: its `rules` and `workers`), `signals`, `office` (a worker, seen from there), `words` (what they say to each
//! other), `worker`; `forwarder` (rules and what passes), `listen`, `dial` (reaching a target), `streams` and `direction`
//! (connections), `datagrams`; `counts`; `key` (names of sources); `bounds`: every bound.
#![forbid(unsafe_code)]

mod bounds;
mod conductor;
mod config;
mod counts;
mod datagrams;
mod dial;
mod direction;
mod forwarder;
mod key;
mod listen;
mod office;
mod rule;
mod signals;
mod spot;
mod streams;
mod watch;
mod words;
mod worker;

pub use bounds::{DRAIN_DEFAULT, DRAIN_SECONDS_MAX, RULES_MAX};
pub use conductor::{Conductor, End, Wish};
pub use rule::{Rule, RuleError};
pub use spot::{Spot, SpotError};
pub use worker::Worker;
