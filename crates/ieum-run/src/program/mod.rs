//! The program: how it starts behind the filter, what its signals are, how it and what it left behind ends.

pub(crate) mod family;
pub(crate) mod filter;
pub mod front;
mod privilege;
pub(crate) mod spawn;
#[allow(unsafe_code, reason = "one of the three files of this crate with unsafe code")]
pub(crate) mod sys;

use std::ffi::OsString;

/// What to run: a name, looked up in `PATH` as a shell does, and its arguments. Standard streams, environment and
/// directory are inherited.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name first, then the arguments.
    pub argv: Vec<OsString>,
}

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Nothing has that name: the command exits with 127.
    #[error("{0}: not found")]
    NotFound(String),
    /// It is there but cannot be executed: the command exits with 126.
    #[error("{0}: cannot execute: {1}")]
    CannotExecute(String, std::io::Error),
    /// The machine refused what serving a program needs: the command exits with 125.
    #[error("{0}: {1}")]
    Own(&'static str, std::io::Error),
}

/// How the first process of a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitStatus(u8);

impl ExitStatus {
    /// Of a program about which nothing is known yet.
    pub(crate) const UNKNOWN: ExitStatus = ExitStatus(125);

    pub(crate) fn exited(code: i32) -> ExitStatus {
        ExitStatus(u8::try_from(code & 0xff).unwrap_or(u8::MAX))
    }

    pub(crate) fn killed(signal: i32) -> ExitStatus {
        ExitStatus(u8::try_from(signal & 0x7f).map_or(u8::MAX, |signal| 128 | signal))
    }

    /// The exit code, or 128 and the number of the signal that ended it, as a shell says it.
    pub fn code(self) -> u8 {
        self.0
    }
}
