//! What can be typed.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};
use ieum_exit::Publish;
use ieum_wire::Cidr;

/// Network sockets of their own for unmodified programs, in user space.
#[derive(Parser, Debug)]
#[command(name = "ieum", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What ieum can be asked to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a program on its own network host, without root
    Run(Run),
}

/// `ieum run`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
The program's sockets live in ieum: 127.0.0.1 is its own, every port is free. 10.77.0.1 is this machine's loopback,
other addresses are reached through this machine. ieum ends with the program's exit code; 125, 126 and 127 are
ieum's own failure, a program that cannot be executed, and one that is not found.

Examples:
  ieum run -- curl -sS http://10.77.0.1:8000/
  ieum run -p 8080:80 -- python3 -m http.server 80
  ieum run --capture web.pcapng -- curl -sS http://10.77.0.1:8000/")]
pub(crate) struct Run {
    /// Publish a port of the program on this machine: on 127.0.0.1 unless ADDR is given; port 0 takes a free one
    #[arg(short = 'p', long = "publish", value_name = "[ADDR:]PORT:PORT[/udp]")]
    pub(crate) published: Vec<Publish>,

    /// Write what crosses the host's link to a pcapng file
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,

    /// Give the host no way out: every other address is unreachable (published ports still lead in)
    #[arg(long)]
    pub(crate) no_exit: bool,

    /// The host's address and network
    #[arg(long, value_name = "ADDR/PREFIX", default_value = "10.77.0.2/24")]
    pub(crate) address: Cidr,

    /// The exit's address in that network, which stands for this machine
    #[arg(long, value_name = "ADDR", default_value = "10.77.0.1")]
    pub(crate) gateway: IpAddr,

    /// Offer no TCP timestamps, so that a full segment carries 1460 bytes
    #[arg(long)]
    pub(crate) no_timestamps: bool,

    /// Say at the end what was dropped, and why
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_programs_own_flags_are_the_programs() {
        let args =
            Args::parse_from(["ieum", "run", "-p", "8080:80", "--", "python3", "-m", "http.server", "-p"]);
        let Command::Run(run) = args.command;
        assert_eq!(run.program, ["python3", "-m", "http.server", "-p"]);
        assert_eq!(run.published.len(), 1);
    }
}
