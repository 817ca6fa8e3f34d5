//! The exit between a host and real sockets of the machine's loopback, driven by the engine.
#![allow(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for other code")]

mod connections;
mod datagrams;
mod inside;
mod names;
mod nowhere;
mod published;
