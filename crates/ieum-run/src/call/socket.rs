//! socket(2).

use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::Turn;
use ieum_socket::{Errno, Kind, SocketId};
use rustix::net::{SocketFlags, SocketType};

use crate::carrier::{self, datagram::Datagram};
use crate::name::Bearer;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, Socket, host_errno};
use crate::sys::number as n;

impl Runner {
    pub(crate) fn call_socket(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let (domain, kind, protocol) = (call.int(0), call.int(1), call.int(2));
        let flags = n::SOCK_NONBLOCK | n::SOCK_CLOEXEC;
        if self.tracees.is_hidden(call.thread) {
            return Err(Errno(rustix::io::Errno::PERM.raw_os_error()));
        }
        if let Some(served) = self.call_socket_in_namespace(call) {
            return served;
        }
        if domain == n::AF_NETLINK {
            return self.call_route_socket(turn, call);
        }
        let host = self.host.socket(domain, kind & !flags, protocol)?;
        self.sweep_later(turn.now);
        let served =
            self.give_socket(call, host, domain, kind & n::SOCK_NONBLOCK != 0, kind & n::SOCK_CLOEXEC != 0);
        if served.is_err() {
            self.host.close(turn.now, host);
        }
        served
    }

    fn give_socket(
        &mut self,
        call: &Call,
        host: SocketId,
        domain: i32,
        nonblocking: bool,
        close_on_exec: bool,
    ) -> Served {
        let kind = self.host.kind(host).ok_or(Errno::EBADF)?;
        let (unix_kind, carrier) = match kind {
            Kind::Stream => (SocketType::STREAM, Carrier::Fresh),
            Kind::Datagram => (SocketType::DGRAM, Carrier::Datagram(Datagram::default())),
        };
        let name = self.names.name(Bearer::Program(self.sockets.next_number(), 0)).map_err(host_errno)?;
        let (program_end, inode) = make(unix_kind, nonblocking, &name).map_err(host_errno)?;
        let descriptor =
            self.trees.reply_with(call, program_end.as_fd(), close_on_exec).map_err(host_errno)?;
        self.sockets.insert(Socket {
            host,
            domain,
            kind,
            inode: Some(inode),
            name: Some(name),
            place: Some(call.place(descriptor)),
            accepted_from: None,
            listener: None,
            carrier,
            shows_error: false,
            shut_unconnected: false,
            error: None,
            given_back: Vec::new(),
        });
        Ok(Answer::Answered)
    }
}

/// A new S and its inode.
pub(super) fn make(
    kind: SocketType,
    nonblocking: bool,
    name: &rustix::net::SocketAddrUnix,
) -> Result<(OwnedFd, u64), rustix::io::Errno> {
    let flags = if nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
    let program_end = carrier::named(kind, flags, name)?;
    if kind == SocketType::DGRAM {
        // So that a receive can tell what we sent from what a stranger did.
        rustix::net::sockopt::set_socket_passcred(&program_end, true)?;
    }
    let inode = rustix::fs::fstat(&program_end)?.st_ino;
    Ok((program_end, inode))
}
