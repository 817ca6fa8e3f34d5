//! `ieum lab`: worlds from a seed and experiments with flows, in virtual time.
//!
//! Files: `seeds` (what can be typed for seeds), `sim` (worlds), `flow` (one experiment), `table` (many).

mod flow;
mod seeds;
mod sim;
mod table;

use std::io::{self, Write};
use std::path::Path;

use clap::{Args as Arguments, Subcommand};

use crate::Failure;
use crate::code::Code;

/// `ieum lab`.
#[derive(Arguments, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Typed {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Run worlds of which a seed decides everything, and check all that must hold in them
    Sim(sim::Typed),
    /// Send flows through one bottleneck and tell how they fared
    Flow(flow::Typed),
    /// Table how each algorithm of congestion control fares at several rates of loss
    Table(table::Typed),
}

/// Does what was asked for.
pub(crate) fn lab(typed: &Typed) -> Result<Code, Failure> {
    match &typed.what {
        What::Sim(typed) => sim::sim(typed),
        What::Flow(typed) => flow::flow(typed),
        What::Table(typed) => table::table(typed),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::own(format!("cannot write: {error}")))
        }
        // A reader that has gone away has seen enough.
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::own(format!("{}: {error}", path.display())))
}
