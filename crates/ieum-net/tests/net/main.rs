//! Nets of several hosts, each with an engine in a thread of its own, over real sockets.
#![allow(
    clippy::disallowed_methods,
    reason = "threads and sockets live in real time: each wait has a deadline"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod host;
mod stranger;
mod talk;
