//! Runs a program on a host of its own, with nothing around it: `alone PROGRAM [ARGUMENT]...`
//!
//! Its 127.0.0.1 is private, every port is free, and everything outside is unreachable. What it would tell of its ports
//! to those who publish them is written on standard error where the environment has `ALONE_TELLS`.
#![expect(clippy::print_stderr, reason = "an example may end when nobody reads what it says")]

use std::process::ExitCode;

use ieum_engine::{Clock, Engine, Notice, Ready, Room, Turn};
use ieum_run::{Program, Runner, SpawnError};
use ieum_socket::{Host, HostConfig};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

/// A room that only hears what the runner tells.
struct Hearer {
    tells: bool,
}

impl Room for Hearer {
    fn start(&mut self, _turn: &Turn<'_>) -> std::io::Result<()> {
        Ok(())
    }
    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}
    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, _frame: Packet) {}
    fn on_deadline(&mut self, _turn: &Turn<'_>) {}
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn settle(&mut self, _turn: &Turn<'_>) {}
    fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        None
    }
    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }
    fn on_notice(&mut self, _turn: &Turn<'_>, notice: Notice) {
        let Notice::Serving { datagram, address, serving, .. } = notice else { return };
        if self.tells {
            let kind = if datagram { "udp" } else { "tcp" };
            eprintln!("{} {kind} {address}", if serving { "serves" } else { "ceases" });
        }
    }
    fn is_unfinished(&self) -> bool {
        false
    }
}

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
    let mut hearer = Hearer { tells: std::env::var_os("ALONE_TELLS").is_some() };
    let ran = Engine::new(Clock::start(), |trouble| eprintln!("alone: {trouble}"))
        .and_then(|mut engine| engine.run(&mut [&mut runner, &mut hearer]));
    if let Err(error) = ran {
        eprintln!("alone: {error}");
        return ExitCode::from(125);
    }
    ExitCode::from(runner.exit_status().code())
}
