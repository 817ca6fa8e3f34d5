//! `ieum run`: what was typed, composed into a host, its exit, the link between them, and the program.

use std::fs::File;
use std::path::Path;

use ieum_device::Capture;
use ieum_engine::{Clock, Engine, Room};
use ieum_exit::resolv::loopback_resolvers;
use ieum_exit::{Exit, ExitConfig};
use ieum_run::{Program, Runner, SpawnError};
use ieum_socket::{Host, HostConfig};
use ieum_stack::{LinkConfig, LinkId, RouteTarget};
use ieum_wire::Cidr;
use ieum_wire::Unreachable;

use crate::Failure;
use crate::args::Run;
use crate::code::{Code, complain};

/// Where the machine's resolvers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Runs a program to its end; the code is the program's.
pub(crate) fn run(run: Run) -> Result<Code, Failure> {
    check_addresses(&run)?;
    let clock = Clock::start();
    let capture = run.capture.as_deref().map(|path| capture(path, &clock)).transpose()?;
    let (host, host_link) = host(&run)?;
    let mut exit = exit(&run)?;
    let program = Program { argv: run.program.clone() };
    let mut runner = Runner::spawn(host, program).map_err(spawn_failure)?;

    let mut engine = Engine::new(clock, complain).map_err(cannot_go_on)?;
    let mut rooms: Vec<&mut dyn Room> = vec![&mut runner];
    if let Some(exit) = &mut exit {
        engine.join((0, host_link), (1, exit.link()), capture);
        rooms.push(exit);
    }
    engine.run(&mut rooms).map_err(cannot_go_on)?;
    if run.verbose {
        tell("the host dropped", &runner.host().stack().drops());
        if let Some(exit) = &exit {
            tell("the exit dropped", &exit.drops());
            tell("the exit counted", &exit.counts());
        }
    }
    Ok(Code::Program(runner.exit_status().code()))
}

fn capture(path: &Path, clock: &Clock) -> Result<Capture, Failure> {
    File::create(path)
        .and_then(|file| Capture::new(file, clock.origin_of_day()))
        .map_err(|error| Failure::own(format!("cannot write the capture {}: {error}", path.display())))
}

fn cannot_go_on(error: std::io::Error) -> Failure {
    Failure::own(format!("the run cannot go on: {error}"))
}

/// The gateway must be another address of the host's own network.
fn check_addresses(run: &Run) -> Result<(), Failure> {
    let (own, gateway) = (run.address, run.gateway);
    if !own.address().is_ipv4() || !gateway.is_ipv4() {
        return Err(Failure::own(
            "only IPv4 addresses are served so far: give --address and --gateway as IPv4",
        ));
    }
    let loopback = own.address().is_loopback() || gateway.is_loopback();
    if loopback || own.address().is_unspecified() || own.address().is_multicast() {
        return Err(Failure::own(format!("{own} cannot be a host's address: take one like 10.77.0.2/24")));
    }
    if gateway == own.address() || !own.contains(gateway) {
        return Err(Failure::own(format!(
            "the gateway {gateway} must be another address of the host's network {own}: give both --address and --gateway"
        )));
    }
    Ok(())
}

/// The program's host: its address, and its routes.
fn host(run: &Run) -> Result<(Host, LinkId), Failure> {
    let mut host =
        Host::new(HostConfig { seed: seed()?, tcp_timestamps: !run.no_timestamps, hold_requests: true });
    let stack = host.stack_mut();
    let link = stack.add_link(LinkConfig::in_process());
    stack.add_address(link, run.address);
    if run.no_exit {
        // What Linux finds out about absent neighbours by ARP after three seconds is known here at once. The gateway
        // stays: peers of published ports appear under its address. All else has no route.
        stack.add_route(run.address, RouteTarget::Unreachable(Unreachable::Host), None);
        if !run.published.is_empty() {
            stack.add_route(Cidr::host(run.gateway), RouteTarget::Link(link), None);
        }
    } else {
        stack.add_route(Cidr::ALL_IP4, RouteTarget::Link(link), None);
        for resolver in loopback_resolvers(RESOLV_CONF) {
            stack.add_loopback_exception(resolver, link);
        }
    }
    Ok((host, link))
}

/// The other end of the link; `None` where nothing is to pass it.
fn exit(run: &Run) -> Result<Option<Exit>, Failure> {
    if run.no_exit && run.published.is_empty() {
        return Ok(None);
    }
    let exit = Exit::new(ExitConfig {
        seed: seed()?,
        tcp_timestamps: !run.no_timestamps,
        address: Cidr::new(run.gateway, run.address.prefix_bits()).unwrap_or_else(|| Cidr::host(run.gateway)),
        host: run.address.address(),
        outbound: !run.no_exit,
        loopback_exceptions: loopback_resolvers(RESOLV_CONF),
        publish: run.published.clone(),
    })
    .map_err(|error| Failure::own(error.to_string()))?;
    // A port that was left to us is not known otherwise.
    for (published, asked) in exit.published().zip(&run.published) {
        if asked.outside.port() == 0 {
            complain(&format!("published {published}"));
        }
    }
    Ok(Some(exit))
}

fn spawn_failure(error: SpawnError) -> Failure {
    let code = match &error {
        SpawnError::NotFound(..) => Code::NotFound,
        SpawnError::CannotExecute(..) => Code::CannotExecute,
        SpawnError::Own(..) => Code::Own,
    };
    Failure { code, sentence: error.to_string() }
}

/// 32 bytes that nobody can guess, from the system's generator.
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::own(format!("no random seed: {error}")))?;
    Ok(seed)
}

fn tell(what: &str, counts: &[(&'static str, u64)]) {
    for (reason, count) in counts {
        complain(&format!("{what} {count}: {reason}"));
    }
}
