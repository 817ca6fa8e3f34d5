//! Entry points for fuzzers: functions from bytes to nothing, which panic when a bug is found.
//!
//! `fuzz/` beside the workspace wraps each of them for libFuzzer, and `scripts/fuzz` runs those; under `cargo test` the
//! same functions run with the fixed inputs of `corpus/` and with some made from a seed.
//!
//! - [`packets`]: packets into a live host.
//! - [`calls`]: a program's calls, addresses as it writes them.
//! - [`control`], [`frames`]: what other processes say.
#![forbid(unsafe_code)]

mod calls;
mod packets;
mod words;

pub use calls::calls;
pub use packets::packets;
pub use words::{control, frames};
