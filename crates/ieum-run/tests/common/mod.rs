//! What the tests of this crate share: the example that runs a program on a host of its own.

use std::path::PathBuf;
use std::process::Command;

/// A command that runs what is added to it on a host of its own.
pub(crate) fn alone() -> Command {
    let tests = std::env::current_exe().expect("a test knows its own file");
    let built =
        tests.parent().and_then(|deps| deps.parent()).expect("tests are built into target/PROFILE/deps");
    let alone: PathBuf = built.join("examples").join("alone");
    assert!(alone.exists(), "{} is built with the tests (cargo test --examples)", alone.display());
    Command::new(alone)
}
