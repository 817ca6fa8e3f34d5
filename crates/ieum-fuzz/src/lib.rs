//! Entry points for fuzzers: functions from bytes to nothing, which panic when a bug is found.
//!
//! `fuzz/` beside the workspace wraps each of them for libFuzzer, and `scripts/fuzz` runs those; under `cargo test` the
//! same functions run with the fixed inputs of `corpus/` and with some made from a seed.
//!
//! - [`packets`]: packets into a live host.
#![forbid(unsafe_code)]

mod packets;

pub use packets::packets;
