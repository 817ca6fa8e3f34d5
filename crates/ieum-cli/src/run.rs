//! `ieum run`: what was typed, composed into a host, its exit, the link between them, and the program.

use std::fs::File;
use std::path::Path;

use ieum_device::Capture;
use ieum_engine::{Clock, Engine, Room};
use ieum_exit::Resolvers;
use ieum_run::{Program, Runner, SpawnError};
use ieum_stack::LinkConfig;

use crate::Failure;
use crate::args::Run;
use crate::code::{Code, complain};
use crate::exit::exit;
use crate::host::{Addresses, host};
use crate::net;
use crate::tun;

/// Where the machine's resolvers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Runs a program to its end; the code is the program's.
pub(crate) fn run(run: Run) -> Result<Code, Failure> {
    let addresses = Addresses::of(&run)?;
    let seat = net::enter(&run, &addresses)?;
    let addresses = seat.as_ref().map_or(Ok(addresses), net::addresses)?;
    tun::check(&run)?;
    let resolvers = Resolvers::read(RESOLV_CONF);
    let clock = Clock::start();
    let capture = run.capture.as_deref().map(|path| capture(path, &clock, run.tap.is_some())).transpose()?;
    let tun = tun::open(&run, &addresses)?;
    let link = tun.as_ref().map_or_else(|| Ok(LinkConfig::in_process()), tun::link)?;
    let (mut host, host_link) = host(&run, link, &addresses, &resolvers)?;
    let mut net = seat.map(|seat| {
        let link = net::link(&mut host, &addresses);
        (link, seat.into_room(link))
    });
    let mut exit = exit(&run, &addresses, resolvers)?;
    let mut device = tun.map(|tun| tun::room(&run, tun, host_link));
    let program = Program { argv: run.program.clone() };
    let mut runner = Runner::spawn(host, program).map_err(spawn_failure)?;

    let net_capture = capture.as_ref().filter(|_| net.is_some()).map(|capture| capture.another("net"));
    let net_capture = net_capture.transpose().map_err(cannot_go_on)?;
    let mut engine = Engine::new(clock, complain).map_err(cannot_go_on)?;
    let mut rooms: Vec<&mut dyn Room> = vec![&mut runner];
    if let Some(exit) = &mut exit {
        engine.join((0, host_link), (1, exit.link()), capture);
        rooms.push(exit);
    } else if let Some(device) = &mut device {
        engine.join((0, host_link), (1, device.link()), capture);
        rooms.push(device);
    }
    if let Some((net_link, room)) = &mut net {
        engine.join((0, *net_link), (rooms.len(), room.link()), net_capture);
        rooms.push(room.as_room());
    }
    ieum_run::confine().map_err(cannot_go_on)?;
    engine.run(&mut rooms).map_err(cannot_go_on)?;
    if run.verbose {
        tell("the host dropped", &runner.host().stack().drops());
        if let Some(exit) = &exit {
            tell("the exit dropped", &exit.drops());
            tell("the exit counted", &exit.counts());
        }
        if let Some(device) = &device {
            tell("the interface dropped", &device.drops());
        }
        if let Some((_, net)) = &net {
            tell("the net dropped", &net.counts());
        }
    }
    Ok(Code::Program(runner.exit_status().code()))
}

fn capture(path: &Path, clock: &Clock, ethernet: bool) -> Result<Capture, Failure> {
    let begin = if ethernet { Capture::of_ethernet } else { Capture::new };
    File::create(path)
        .and_then(|file| begin(file, clock.origin_of_day()))
        .map_err(|error| Failure::own(format!("cannot write the capture {}: {error}", path.display())))
}

fn cannot_go_on(error: std::io::Error) -> Failure {
    Failure::own(format!("the run cannot go on: {error}"))
}

fn spawn_failure(error: SpawnError) -> Failure {
    let code = match &error {
        SpawnError::NotFound(..) => Code::NotFound,
        SpawnError::CannotExecute(..) => Code::CannotExecute,
        SpawnError::Own(..) => Code::Own,
    };
    Failure { code, sentence: error.to_string() }
}

fn tell(what: &str, counts: &[(&'static str, u64)]) {
    for (reason, count) in counts {
        complain(&format!("{what} {count}: {reason}"));
    }
}
