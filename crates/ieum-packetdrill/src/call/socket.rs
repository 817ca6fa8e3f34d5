//! From `socket` to `close`: calls that make, shape and end sockets.

use std::net::SocketAddr;

use ieum_socket::{Errno, How};

use super::blocks;
use crate::placeholder;
use crate::shared::Shared;
use crate::state::State;
use crate::table::Kind;

impl Shared {
    pub(crate) fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
        self.call(|state, _| {
            state.used = true;
            let bits = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let make = |state: &mut State| {
                let id = state.machine.host.socket(domain, kind & !bits, protocol)?;
                if kind & !bits == libc::SOCK_STREAM {
                    let now = state.machine.now();
                    for (level, name, value) in &state.settings.socket_defaults {
                        // A default that a socket refuses would be refused by Linux as well.
                        let _ = state.machine.host.set_option(now, id, *level, *name, value);
                    }
                }
                hand_out(state, Kind::Socket(id), kind & libc::SOCK_NONBLOCK != 0)
            };
            Some(make(state))
        })
    }

    pub(crate) fn bind(&self, number: i32, address: Option<SocketAddr>) -> Result<(), Errno> {
        self.call(|state, _| {
            let bind = |state: &mut State| {
                let id = state.socket_at(number)?;
                let address = address.ok_or(Errno::EAFNOSUPPORT)?;
                state.adopt(address.ip());
                state.machine.host.bind(id, address)
            };
            Some(bind(state))
        })
    }

    pub(crate) fn listen(&self, number: i32, backlog: i32) -> Result<(), Errno> {
        self.call(|state, _| {
            let id = state.socket_at(number);
            Some(id.and_then(|id| state.machine.host.listen(id, backlog)))
        })
    }

    /// The new socket's number, and its peer.
    pub(crate) fn accept(&self, number: i32) -> Result<(i32, SocketAddr), Errno> {
        self.call(|state, wait| {
            let now = state.machine.now();
            let accepted = match state.socket_at(number).and_then(|id| Ok((id, blocks(state, number)?))) {
                Ok((id, blocks)) => state.machine.host.accept_waiting(now, id, blocks, wait)?,
                Err(errno) => Err(errno),
            };
            Some(accepted.and_then(|(id, peer)| Ok((hand_out(state, Kind::Socket(id), false)?, peer))))
        })
    }

    /// `None`: the connection is dissolved.
    pub(crate) fn connect(&self, number: i32, address: Option<SocketAddr>) -> Result<(), Errno> {
        self.call(|state, wait| {
            let now = state.machine.now();
            match state.socket_at(number).and_then(|id| Ok((id, blocks(state, number)?))) {
                Ok((id, blocks)) => state.machine.host.connect_waiting(now, id, address, blocks, wait),
                Err(errno) => Some(Err(errno)),
            }
        })
    }

    pub(crate) fn close(&self, number: i32) -> Result<(), Errno> {
        self.call(|state, _| {
            let closed = state.table.close(number);
            Some(closed.map(|kind| {
                state.drop_kind(kind);
                placeholder::close(number);
            }))
        })
    }

    pub(crate) fn shutdown(&self, number: i32, how: i32) -> Result<(), Errno> {
        self.call(|state, _| {
            let shutdown = |state: &mut State| {
                let id = state.socket_at(number)?;
                let how = match how {
                    libc::SHUT_RD => How::Read,
                    libc::SHUT_WR => How::Write,
                    libc::SHUT_RDWR => How::Both,
                    _ => return Err(Errno::EINVAL),
                };
                state.machine.host.shutdown(state.machine.now(), id, how)
            };
            Some(shutdown(state))
        })
    }

    /// `fcntl`, of which only what concerns O_NONBLOCK and copies means something.
    pub(crate) fn fcntl(&self, number: i32, command: i32, argument: i32) -> Result<i32, Errno> {
        self.call(|state, _| {
            let fcntl = |state: &mut State| {
                let open = state.table.get_mut(number)?;
                match command {
                    libc::F_GETFL => Ok(libc::O_RDWR | if open.nonblocking { libc::O_NONBLOCK } else { 0 }),
                    libc::F_SETFL => {
                        open.nonblocking = argument & libc::O_NONBLOCK != 0;
                        Ok(0)
                    }
                    libc::F_GETFD | libc::F_SETFD => Ok(0),
                    libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
                        let copy = placeholder::new()?;
                        let before = state.table.duplicate(number, copy)?;
                        state.drop_kind(before);
                        Ok(copy)
                    }
                    _ => Err(Errno::EINVAL),
                }
            };
            Some(fcntl(state))
        })
    }

    /// `ioctl`, of which only the lengths of queues and the urgent mark mean something.
    pub(crate) fn ioctl(&self, number: i32, request: u64) -> Result<i32, Errno> {
        self.call(|state, _| {
            Some(state.socket_at(number).and_then(|id| state.machine.host.ioctl(id, request)))
        })
    }
}

/// Gives a number to something new.
pub(super) fn hand_out(state: &mut State, kind: Kind, nonblocking: bool) -> Result<i32, Errno> {
    let number = placeholder::new()?;
    let before = state.table.add(number, kind, nonblocking);
    state.drop_kind(before);
    Ok(number)
}
