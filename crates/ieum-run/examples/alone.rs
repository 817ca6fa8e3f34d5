//! Runs a program on a host of its own, with nothing around it: `alone PROGRAM [ARGUMENT]...`
//!
//! Its 127.0.0.1 is private, every port is free, and everything outside is unreachable.

use std::process::ExitCode;

use ieum_engine::{Clock, Engine};
use ieum_run::{Program, Runner, SpawnError};
use ieum_socket::{Host, HostConfig};

fn main() -> ExitCode {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        return ExitCode::from(125);
    }
    let host = Host::new(HostConfig { seed, tcp_timestamps: true, hold_requests: true });
    let argv = std::env::args_os().skip(1).collect();
    let mut runner = match Runner::spawn(host, Program { argv }) {
        Ok(runner) => runner,
        Err(error) => {
            eprintln!("alone: {error}");
            return ExitCode::from(match error {
                SpawnError::NotFound(_) => 127,
                SpawnError::CannotExecute(..) => 126,
                SpawnError::Own(..) => 125,
            });
        }
    };
    let ran = Engine::new(Clock::start(), |trouble| eprintln!("alone: {trouble}"))
        .and_then(|mut engine| engine.run(&mut [&mut runner]));
    if let Err(error) = ran {
        eprintln!("alone: {error}");
        return ExitCode::from(125);
    }
    ExitCode::from(runner.exit_status().code())
}
