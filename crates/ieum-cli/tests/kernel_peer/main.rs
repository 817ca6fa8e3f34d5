//! The machine's kernel as the peer of programs on ieum, over `--tun` and `--tap`.
//!
//! Each test enters a network namespace of its own, in which ieum makes its interface; nothing reaches the machine's
//! network. This needs root and /dev/net/tun: without them a test says so and passes, except under `CI`, where it fails.
//!
//! What 1 GiB each way crosses (`gigabyte`), so that each kind of interface, each family and each direction is tried with
//! and without offloads:
//!
//! | interface | offloads | kernel fetches from ieum | ieum fetches from the kernel |
//! |---|---|---|---|
//! | TUN | as granted | IPv4 | IPv6 |
//! | TUN | none | IPv6 | IPv4 |
//! | TAP | as granted | IPv6 | IPv4 |
//! | TAP | none | IPv4 | IPv6 |
//!
//! All of it at MTU 1500. `faults` moves 32 MiB each way over a link that loses and reorders 1 % of its frames in each
//! direction; `wire` reads what the kernel's tcpdump saw; `iperf`, `ping`, `datagrams` and `interface` tell by their names.
#![allow(clippy::disallowed_methods, reason = "real programs run in real time: each wait has a deadline")]

mod datagrams;
mod faults;
mod gigabyte;
mod http;
mod interface;
mod iperf;
mod namespace;
mod ping;
#[path = "../end_to_end/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with end_to_end, which uses all of it")]
mod support;
mod wire;
