//! What every test needs: peers, files, running programs.
//!
//! - `peers`: which programs the machine has, and where.
//! - `fetched`: what curl fetches, by its checksum.
//! - `files`: folders that vanish, the programs of these tests, the large file.
//! - `running`: a program that runs, what it prints, how it ended.
//! - `runtime`: hosts that are found by name.
//! - `nginx`: its configuration.
//! - `tshark`: what it reads from a capture.
//! - `tables`: what a cell of a table in `docs/DIFFERENCES.md` stands for.
//! - `user`: an ordinary user, with a home.

mod fetched;
mod files;
mod nginx;
mod peers;
mod running;
mod runtime;
mod tables;
mod tshark;
mod user;

pub(crate) use fetched::{fetch_and_sum, fetched_sum};
pub(crate) use files::{Folder, compiled, compiled_for_the_library, go_compiled, payload, script, seeded};
pub(crate) use nginx::{nginx, nginx_with_workers};
pub(crate) use peers::{namespaces, path_of, peer, peers};
pub(crate) use running::{Finished, Running, free_port};
pub(crate) use runtime::{Runtime, descriptors_of, resident_kib, server_of};
pub(crate) use tables::each_of;
pub(crate) use tshark::{BROKEN, tshark};
pub(crate) use user::User;

/// The command line `ieum run FLAGS -- PROGRAM`.
pub(crate) fn ieum<'a>(flags: &[&'a str], program: &[&'a str]) -> Vec<&'a str> {
    [&[env!("CARGO_BIN_EXE_ieum"), "run"], with_way(flags), flags, &["--"], program].concat()
}

/// The way that datagrams are to take in runs whose flags do not say it, by the environment variable `IEUM_TEST_UDP`
/// (`carrier`): so that the same tests try both. Without it the command chooses.
pub(crate) fn with_way(flags: &[&str]) -> &'static [&'static str] {
    const SAYS: [&str; 3] = ["--udp", "--raw", "--in"];
    let is_asked = std::env::var_os("IEUM_TEST_UDP").is_some_and(|way| way == "carrier");
    if is_asked && !flags.iter().any(|flag| SAYS.contains(flag)) { &["--udp", "carrier"] } else { &[] }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
