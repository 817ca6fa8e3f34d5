//! Networks, links and hosts.

pub mod sys;

use std::io;
use std::sync::{MutexGuard, PoisonError};

use ieum::{Host, HostBuilder, Link, Network};

use crate::answer::error;
use crate::table::{self, HostState, Open};

fn network_new() -> io::Result<i64> {
    table::add(Open::Network(Network::new()?))
}

fn link_new(network: i32, mtu_bytes: u32) -> io::Result<i64> {
    let open = table::get(network)?;
    let Open::Network(network) = &*open else { return Err(error(libc::EINVAL)) };
    table::add(Open::Link(match mtu_bytes {
        0 => network.link(),
        // RFC 791: every link carries packets of 68 bytes; and none is larger than 65,535.
        68..=65_535 => {
            network.link_like(ieum::stack::LinkConfig { mtu_bytes, ..ieum::stack::LinkConfig::in_process() })
        }
        _ => return Err(error(libc::EINVAL)),
    }))
}

fn host_new(network: i32) -> io::Result<i64> {
    let open = table::get(network)?;
    let Open::Network(network) = &*open else { return Err(error(libc::EINVAL)) };
    table::add(Open::Host(HostState::Planned(Box::new(network.host())).into()))
}

fn host_default() -> io::Result<i64> {
    table::add(Open::Host(HostState::Running(Host::of_process()?).into()))
}

/// Chooses something of a host that was not started.
fn plan(host: i32, choose: impl FnOnce(HostBuilder) -> HostBuilder) -> io::Result<()> {
    let open = table::get(host)?;
    let mut state = state_of(&open)?;
    *state = match std::mem::replace(&mut *state, HostState::Failed) {
        HostState::Planned(builder) => HostState::Planned(Box::new(choose(*builder))),
        other @ (HostState::Failed | HostState::Running(_)) => {
            *state = other;
            return Err(error(libc::EBUSY));
        }
    };
    Ok(())
}

/// Chooses one of its links and the address there.
fn host_address(host: i32, link: i32, address: &str) -> io::Result<()> {
    let link = link_of(link)?;
    plan(host, |builder| builder.address(&link, address))
}

/// Makes it.
fn host_start(host: i32) -> io::Result<()> {
    let open = table::get(host)?;
    let mut state = state_of(&open)?;
    match std::mem::replace(&mut *state, HostState::Failed) {
        HostState::Planned(builder) => *state = HostState::Running(builder.build()?),
        HostState::Running(host) => {
            *state = HostState::Running(host);
            return Err(error(libc::EALREADY));
        }
        HostState::Failed => return Err(error(libc::EINVAL)),
    }
    Ok(())
}

/// A host that was started.
pub(crate) fn running(host: i32) -> io::Result<Host> {
    let open = table::get(host)?;
    match &*state_of(&open)? {
        HostState::Running(host) => Ok(host.clone()),
        HostState::Planned(_) | HostState::Failed => Err(error(libc::EINVAL)),
    }
}

fn state_of(open: &Open) -> io::Result<MutexGuard<'_, HostState>> {
    match open {
        Open::Host(state) => Ok(state.lock().unwrap_or_else(PoisonError::into_inner)),
        Open::Network(_) | Open::Link(_) | Open::Socket(_) | Open::Epoll(_) => Err(error(libc::EINVAL)),
    }
}

fn link_of(link: i32) -> io::Result<Link> {
    match &*table::get(link)? {
        Open::Link(link) => Ok(link.clone()),
        Open::Network(_) | Open::Host(_) | Open::Socket(_) | Open::Epoll(_) => Err(error(libc::EINVAL)),
    }
}
