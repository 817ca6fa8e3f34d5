//! `ieum run`: what was typed, composed into a host, its exit, the link between them, and the program.

use std::fs::File;
use std::path::Path;

use ieum_device::Capture;
use ieum_engine::{Clock, DeviceRoom, Engine, Room, complain};
use ieum_exit::{Exit, Resolvers};
use ieum_net::NetRoom;
use ieum_run::program::front::{self, Back};
use ieum_run::{Program, Runner, SpawnError};
use ieum_stack::{LinkConfig, LinkId};

use crate::Failure;
use crate::args::Run;
use crate::code::Code;
use crate::datagrams;
use crate::desk::Desk;
use crate::exit::exit;
use crate::host::{Addresses, host};
use crate::net;
use crate::tun;
use crate::within;

/// Where the machine's resolvers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Runs a program to its end; the code is the program's.
pub(crate) fn run(run: Run) -> Result<Code, Failure> {
    if let Some(name) = run.within.clone() {
        return within::run(run, &name);
    }
    let addresses = Addresses::of(&run)?;
    // Where others may rely on the host or its net, it must be able to outlive its program.
    let parts = run.name.is_some() || run.net.is_some();
    let back = parts.then(front::split).transpose().map_err(cannot_go_on)?;
    let datagrams = datagrams::choose(&run)?;
    let desk = Desk::open(&run)?;
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
    let (namespace, mut shadows) = datagrams.settle(&mut host, net.as_ref().map(|(link, _)| *link))?;
    let mut exit = exit(&run, &addresses, resolvers)?;
    let mut device = tun.map(|tun| tun::room(&run, tun, host_link));
    let program = Program { argv: run.program.clone() };
    let mut runner = Runner::spawn_with(host, program, namespace).map_err(spawn_failure)?;
    back.as_ref().map(Back::stand_apart).transpose().map_err(cannot_go_on)?;
    if let Some(desk) = desk {
        desk.serve(&mut runner);
    }

    let net_capture = capture.as_ref().filter(|_| net.is_some()).map(|capture| capture.another("net"));
    let net_capture = net_capture.transpose().map_err(cannot_go_on)?;
    let mut engine = Engine::new(clock, complain).map_err(cannot_go_on)?;
    let far_link = exit.as_ref().map(Exit::link).or_else(|| device.as_ref().map(DeviceRoom::link));
    if let Some(far_link) = far_link {
        engine.join((0, host_link), (1, far_link), capture);
    }
    let mut next = 1 + usize::from(far_link.is_some());
    if let Some((net_link, room)) = &net {
        engine.join((0, *net_link), (next, room.link()), net_capture);
        next += 1;
    }
    for (place, (link, room)) in (next..).zip(&shadows) {
        engine.join((0, *link), (place, room.link()), None);
    }
    ieum_run::confine().map_err(cannot_go_on)?;
    engine
        .run(&mut rooms(&mut runner, &mut exit, &mut device, &mut net, &mut shadows))
        .map_err(cannot_go_on)?;
    if run.verbose {
        tell("the host dropped", &runner.drops());
        if let Some(exit) = &exit {
            tell("the exit dropped", &exit.drops());
            tell("the exit counted", &exit.counts());
        }
        if let Some(device) = &device {
            tell("the interface dropped", &device.drops());
        }
        for (_, shadow) in &shadows {
            tell("the namespace's interface dropped", &shadow.drops());
        }
        if let Some((_, net)) = &net {
            tell("the net dropped", &net.counts());
        }
    }
    let code = runner.exit_status().code();
    let mut rooms = rooms(&mut runner, &mut exit, &mut device, &mut net, &mut shadows);
    if let Some(back) = back.filter(|_| rooms.iter().any(|room| room.is_needed())) {
        back.release(code).map_err(cannot_go_on)?;
        engine.run_while_needed(&mut rooms).map_err(cannot_go_on)?;
    }
    drop(rooms);
    // Before the runner, with whom the namespace's helper ends: so it has them still, and what the kernel does at their end it
    // waits for, not the caller of this command.
    drop(shadows);
    Ok(Code::Program(code))
}

/// The rooms of a run, each in its place: the program's first, then what is at the other end of its host's link, then its
/// net, then its namespace.
fn rooms<'a>(
    runner: &'a mut Runner,
    exit: &'a mut Option<Exit>,
    device: &'a mut Option<DeviceRoom>,
    net: &'a mut Option<(LinkId, NetRoom)>,
    shadows: &'a mut [(LinkId, DeviceRoom)],
) -> Vec<&'a mut dyn Room> {
    let mut rooms: Vec<&mut dyn Room> = vec![runner];
    if let Some(exit) = exit {
        rooms.push(exit);
    } else if let Some(device) = device {
        rooms.push(device);
    }
    if let Some((_, net)) = net {
        rooms.push(net.as_room());
    }
    rooms.extend(shadows.iter_mut().map(|(_, room)| room as &mut dyn Room));
    rooms
}

fn capture(path: &Path, clock: &Clock, ethernet: bool) -> Result<Capture, Failure> {
    let begin = if ethernet { Capture::of_ethernet } else { Capture::new };
    File::create(path)
        .and_then(|file| begin(file, clock.origin_of_day()))
        .map_err(|error| Failure::own(format!("cannot write the capture {}: {error}", path.display())))
}

pub(crate) fn cannot_go_on(error: std::io::Error) -> Failure {
    Failure::own(format!("the run cannot go on: {error}"))
}

pub(crate) fn spawn_failure(error: SpawnError) -> Failure {
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
