//! `ieum run --in NAME`: a program on a host that another process owns.

use ieum_control::{Directory, Name};
use ieum_engine::{Clock, Engine, complain};
use ieum_run::Program;
use ieum_run::control::Entrance;
use ieum_run::program::front;

use crate::Failure;
use crate::args::Run;
use crate::code::Code;
use crate::run::{cannot_go_on, spawn_failure};

/// Runs a program on the host `name` to its end; the code is the program's.
pub(crate) fn run(run: Run, name: &Name) -> Result<Code, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::own(error.to_string());
    let back = front::split().map_err(cannot_go_on)?;
    let directory = Directory::of_user().map_err(|error| failed(&error))?;
    let entrance = Entrance::find(&directory, name, run.attends).map_err(|error| failed(&error))?;
    let program = Program { argv: run.program };
    let mut guest = entrance.spawn(&program, run.through).map_err(spawn_failure)?;
    back.stand_apart().map_err(cannot_go_on)?;
    ieum_run::confine().map_err(cannot_go_on)?;
    let mut engine = Engine::new(Clock::start(), complain).map_err(cannot_go_on)?;
    engine.run(&mut [&mut guest]).map_err(cannot_go_on)?;
    Ok(Code::Program(guest.exit_status().code()))
}
