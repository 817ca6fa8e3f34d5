//! The command `ieum`.
//!
//! `args` is what can be typed; `run` what `ieum run` makes of it, from a `host`, its `exit` or `tun`, the `net` it is
//! in and the program; `desk` is where other processes find the host, `within` a program on another's host, `ss` the
//! view of all sockets; `forward` ports that lead elsewhere; `drill` scripts and `lab` worlds in virtual time, `tour`
//! the socket explained by running it; `seed` what nobody can guess; `code` how it ends.
#![forbid(unsafe_code)]

mod args;
mod code;
mod datagrams;
mod desk;
mod drill;
mod exit;
mod forward;
mod host;
mod lab;
mod net;
mod run;
mod seed;
mod ss;
mod tour;
mod tun;
mod within;

use std::process::ExitCode;

use clap::Parser;

use ieum_engine::complain;

use crate::args::{Args, Command};
use crate::code::Code;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return code::of_usage(&error).into(),
    };
    let code = match args.command {
        Command::Run(run) => run::run(*run),
        Command::Ss(ss) => ss::ss(&ss),
        Command::Forward(typed) => forward::forward(typed),
        Command::Drill(typed) => drill::drill(&typed),
        Command::Lab(typed) => lab::lab(&typed),
        Command::Tour(typed) => tour::tour(&typed),
    };
    code.unwrap_or_else(|failure| {
        complain(&failure.sentence);
        failure.code
    })
    .into()
}

/// Why a command could not do its work.
struct Failure {
    code: Code,
    /// What is wrong and what to do, in one line.
    sentence: String,
}

impl Failure {
    /// A failure of ieum itself.
    fn own(sentence: impl Into<String>) -> Failure {
        Failure { code: Code::Own, sentence: sentence.into() }
    }
}
