//! Worlds from a seed, in virtual time.
//!
//! A [`World`] holds hosts and the wires between them. Nothing in it waits: time jumps to the next thing that happens,
//! a frame that arrives or a host's deadline. All chance comes from the world's seed, so the same seed gives the same
//! bytes at the same microseconds, and a failure is named by its seed.
//!
//! - [`world`]: hosts, wires and virtual time; [`node`]: what a host of it can do.
//! - [`wire`]: one wire as it is asked for: latency, rate and faults; [`chain`]: one direction of it at work.
//! - [`fault`]: frames lost, duplicated, reordered, corrupted and delayed; it is `ieum-device`'s, for real links too.
//! - [`capture`]: what was put on the wires, and when.
//! - [`pattern`]: bytes that know their place, so that a receiver can check them.
//! - [`pair`]: the smallest world.
//! - [`exchange`]: a TCP connection on which both sides send and check, with its liveness bound.
//! - [`sim`]: worlds of which a seed decides everything, with checkers. [`trace`]: what happened last, in words.
//! - [`flow`]: experiments with flows through a bottleneck; [`series`] and [`plot`]: the course of one, and its picture.
#![forbid(unsafe_code)]

pub mod capture;
pub mod chain;
pub mod exchange;
pub mod flow;
pub mod node;
pub mod pair;
pub mod pattern;
pub mod plot;
pub mod series;
pub mod sim;
pub mod trace;
pub mod wire;
pub mod world;

pub use capture::{Capture, Record};
pub use chain::Chain;
pub use exchange::{Doors, Exchange};
pub use ieum_device::fault;
pub use ieum_device::fault::{Fault, Faults};
pub use node::{Node, NodeId};
pub use pair::Pair;
pub use pattern::Pattern;
pub use trace::Trace;
pub use wire::Wire;
pub use world::{Stuck, World};
