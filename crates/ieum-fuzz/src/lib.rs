//! Entry points for fuzzers: functions from bytes to nothing, which panic when a bug is found.
//!
//! `fuzz/` beside the workspace wraps each of them for libFuzzer, and `scripts/fuzz` runs those; under `cargo test` the
//! same functions run with the fixed inputs of `corpus/` and with some made from a seed.
//!
//! - [`packets`]: packets into a live host.
//! - [`segments`]: a peer that says anything on a live connection.
//! - [`adversary`]: two hosts that talk, and an adversary on the wire between them.
//! - [`calls`]: a program's calls, addresses as it writes them.
//! - [`control`], [`frames`]: what other processes say.
#![forbid(unsafe_code)]

mod adversary;
mod calls;
mod ends;
mod packets;
mod segments;
mod words;

pub use adversary::adversary;
pub use calls::calls;
pub use packets::packets;
pub use segments::segments;
pub use words::{control, frames};
