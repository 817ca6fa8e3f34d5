//! `ieum forward`: ports that lead to other addresses.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Arguments;
use ieum_control::Name;
use ieum_engine::{Clock, Engine, complain};
use ieum_forward::{Conductor, DRAIN_DEFAULT, DRAIN_SECONDS_MAX, End, Rule, Wish, Worker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failure;
use crate::code::Code;

/// `ieum forward`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
The first of each pair is where connections come to, the second where they lead. Without an address the first is
127.0.0.1 and ::1, and so is the second. Names are looked up for each connection; ports may be names of services (http)
and ranges. @HOST is a host that runs under `ieum run --name HOST`.

SIGTERM and SIGINT end it: what is there may come to its end, for --drain seconds or until the second signal. SIGUSR1
says what passed, SIGHUP reads the file again.

Examples:
  ieum forward 8080 10.0.0.5:80 5353/udp 10.0.0.5:53
  ieum forward 0.0.0.0:8000-8010 127.0.0.1:9000-9010
  ieum forward --in web 8080 80                    from this machine's port 8080 to port 80 of the host web
  ieum forward 5432@web 5432                       from port 5432 of the host web to this machine's
  ieum forward --config forward.toml               which has: [[forward]] from = \"8080\" to = \"10.0.0.5:80\"")]
pub(crate) struct Typed {
    /// From where, to where, from where, to where …: `[ADDR:]PORT[/udp][@HOST]` each, addresses of IPv6 in brackets; from
    /// port 0 takes a free one
    #[arg(value_name = "FROM TO")]
    pairs: Vec<String>,

    /// The second of each pair is in the host NAME, where neither says otherwise with @
    #[arg(long = "in", value_name = "NAME")]
    within: Option<Name>,

    /// Rules from a TOML file, which is read again when it changes: `[[forward]]` with from, to and perhaps protocol =
    /// "udp" and in = "NAME"
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How long connections may go on after the first SIGTERM or SIGINT
    #[arg(long, value_name = "SECONDS", default_value_t = DRAIN_DEFAULT.as_secs(),
        value_parser = clap::value_parser!(u64).range(..=DRAIN_SECONDS_MAX))]
    drain: u64,

    /// Say what passed as JSON on standard output, a line for each rule: at the end and on SIGUSR1
    #[arg(long)]
    json: bool,

    /// Say at the end what passed
    #[arg(short, long)]
    verbose: bool,

    /// Be the worker in that host
    #[arg(long, hide = true, value_name = "NAME", exclusive = true)]
    worker: Option<Name>,
}

/// Forwards until it is ended.
pub(crate) fn forward(typed: Typed) -> Result<Code, Failure> {
    raise_open_files();
    if let Some(home) = typed.worker {
        return work(home);
    }
    let rules = Rule::pairs(&typed.pairs, typed.within.as_ref());
    let mut conductor = Conductor::new(Wish {
        rules: rules.map_err(|error| Failure::own(error.to_string()))?,
        config: typed.config,
        drain: Duration::from_secs(typed.drain),
        verbose: typed.verbose,
        json: typed.json,
    })
    .map_err(Failure::own)?;
    let mut engine = Engine::new(Clock::start(), complain).map_err(cannot_go_on)?;
    let confined = if conductor.may_start_programs() {
        ieum_run::confine_but_for_programs()
    } else {
        ieum_run::confine()
    };
    confined.map_err(cannot_go_on)?;
    engine.run(&mut [&mut conductor]).map_err(cannot_go_on)?;
    match conductor.end() {
        End::Drained => Ok(Code::Program(0)),
        End::Cut(1) => Err(Failure::own("1 connection was cut")),
        End::Cut(count) => Err(Failure::own(format!("{count} connections were cut"))),
        End::Failed(sentence) => Err(Failure::own(sentence)),
    }
}

/// The other process, on a host: what it is told comes over standard input.
fn work(home: Name) -> Result<Code, Failure> {
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3);
    let channel = channel.map_err(|error| cannot_go_on(error.into()))?;
    let mut worker = Worker::new(home, channel).map_err(cannot_go_on)?;
    let mut engine = Engine::new(Clock::start(), complain).map_err(cannot_go_on)?;
    engine.run(&mut [&mut worker]).map_err(cannot_go_on)?;
    Ok(Code::Program(0))
}

/// Each connection costs two descriptors and more, so the soft limit is raised to the hard one.
fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused there are fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn cannot_go_on(error: std::io::Error) -> Failure {
    Failure::own(format!("cannot go on forwarding: {error}"))
}
