//! Real programs under the real command, each test a sentence of what a person may rely on.
//!
//! The programs are in `../programs` (Python, C, sh) or come from the distribution; `scripts/install-test-peers.sh`
//! installs those. A test whose peer is missing says so and passes, except under `CI`, where it fails.
//!
//! 1. Nothing waits for a while: tests wait for a line, a connection, a process's end, each with a deadline.
//! 2. Ports are free ones, on the machine's loopback or in a network namespace of the test's own.
//! 3. What a test starts, it ends, by its id: [`support::Running`] does so when it is dropped.
#![allow(clippy::disallowed_methods, reason = "real programs run in real time: each wait has a deadline")]

mod capture;
mod crowds;
mod datagrams;
mod escape;
mod exit_codes;
mod exit_mirrors;
mod forward;
mod gigabyte;
mod given_names;
mod handed_on;
mod interfaces;
mod languages;
mod many_clients;
mod names;
mod nets;
mod nginx_workers;
mod no_exit;
mod parity;
mod pings;
mod published_ports;
mod raw_sockets;
mod refusals;
mod several_programs;
mod ss;
mod ssh;
mod storm;
mod support;
