//! What every test needs: peers, files, running programs.
//!
//! - `peers`: which programs the machine has, and where.
//! - `files`: folders that vanish, the programs of these tests, the large file.
//! - `running`: a program that runs, what it prints, how it ended.
//! - `runtime`: hosts that are found by name.
//! - `nginx`: its configuration.
//! - `user`: an ordinary user, with a home.

mod files;
mod nginx;
mod peers;
mod running;
mod runtime;
mod user;

pub(crate) use files::{Folder, compiled, go_compiled, payload, script, seeded};
pub(crate) use nginx::{nginx, nginx_with_workers};
pub(crate) use peers::{namespaces, path_of, peer, peers};
pub(crate) use running::{Finished, Running, free_port};
pub(crate) use runtime::{Runtime, descriptors_of, resident_kib, server_of};
pub(crate) use user::User;

/// The command line `ieum run FLAGS -- PROGRAM`.
pub(crate) fn ieum<'a>(flags: &[&'a str], program: &[&'a str]) -> Vec<&'a str> {
    [&[env!("CARGO_BIN_EXE_ieum"), "run"], flags, &["--"], program].concat()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
