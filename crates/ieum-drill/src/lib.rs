//! Scripts in packetdrill's language, run against a host in virtual time.
//!
//! A script says what a program calls, what a peer sends, and what the host must then answer and send, to the
//! microsecond if it likes. [`Drill`] runs scripts against [`ieum_socket::Host`]: the same code that serves programs,
//! driven through the same doors, without a clock, a device or a thread of its own. An hour of a script takes as
//! long as what happens in it.
//!
//! # Theory of operation
//!
//! `script` reads a text into a tree. `run` goes through its events: it lets time pass (`machine`), makes calls
//! (`call`), gives the host packets and compares what comes out (`packet`, `run/verify`). Shell commands run for what
//! they ask of Linux, not for what they do (`shell`); what they ask for is looked up in one table (`settings`). Code in
//! `%{ }%` is kept with what it looks at, and judged at the end (`python`).
//!
//! A script ends in one of three ways ([`Outcome`]). It *passed* when everything was as it says. It is *unsupported*
//! when it needs something that is not there, which is named: a call, an option, a flag, a kind of packet; or when it
//! asked for something missing by a sysctl, or shows it in its packets (`wants`), and then failed. Otherwise it *failed*,
//! and the report says where, what was expected and what was seen. A script that asks for something missing and passes
//! without it passed. Nothing here knows any script.
//!
//! What the original does to real kernels and this does not: the connection left at the end is not reset, for the host
//! goes with the script; options about devices, other machines and shared objects are refused by name.
//!
//! # Invariants
//!
//! 1. The same script and options give the same report: the host's seed is fixed, and time is counted, not read.
//! 2. Nothing of the machine is changed, and no packet leaves the process.
//! 3. What is not understood is an error with its place, or unsupported by name; never passed over.
#![forbid(unsafe_code)]

mod call;
mod config;
mod counters;
mod drill;
mod machine;
mod packet;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a grammar asks whether a word is this or that; whatever else it is makes no difference"
)]
mod python;
mod report;
mod run;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a grammar asks whether a word is this or that; whatever else it is makes no difference"
)]
mod script;
mod settings;
mod shell;
mod stop;
mod symbols;
mod wants;

pub use config::{Link, OPTIONS, OptionName, Options};
pub use counters::of as counters;
pub use drill::{Drill, scripts_below};
pub use machine::{Machine, Sniffed, Wire};
pub use report::{Outcome, Report, Summary};
pub use script::{ParseError, Place, Script};
pub use settings::{Settings, names as sysctl_names, table as sysctls};
pub use shell::NSTAT;
