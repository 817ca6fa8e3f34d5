//! Worlds from a seed, in virtual time.
//!
//! A [`World`] holds hosts and the wires between them. Nothing in it waits: time jumps to the next thing that happens,
//! a frame that arrives or a host's deadline. All chance comes from the world's seed, so the same seed gives the same
//! bytes at the same microseconds, and a failure is named by its seed.
//!
//! - [`world`]: hosts, wires and virtual time; [`node`]: what a host of it can do.
//! - [`wire`]: one wire: latency, rate and faults.
//! - [`fault`]: frames lost, duplicated, reordered, corrupted and delayed; it is `ieum-device`'s, for real links too.
//! - [`capture`]: what was put on the wires, and when.
//! - [`pattern`]: bytes that know their place, so that a receiver can check them.
//! - [`pair`]: the smallest world.
//! - [`exchange`]: a TCP connection on which both sides send and check, with its liveness bound.
#![forbid(unsafe_code)]

pub mod capture;
pub mod exchange;
pub mod node;
pub mod pair;
pub mod pattern;
pub mod wire;
pub mod world;

pub use capture::{Capture, Record};
pub use exchange::{Doors, Exchange};
pub use ieum_device::fault;
pub use ieum_device::fault::{Fault, Faults};
pub use node::{Node, NodeId};
pub use pair::Pair;
pub use pattern::Pattern;
pub use wire::Wire;
pub use world::{Stuck, World};
