//! Nets of several hosts, each with an engine in a thread of its own, over real sockets.
#![allow(clippy::disallowed_methods, reason = "threads and sockets live in real time: each wait has a deadline")]

mod host;
mod stranger;
mod talk;
