//! The calls on sockets of NETLINK_ROUTE (netlink(7)).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Ready, Turn};
use ieum_socket::Errno;
use rustix::net::sockopt::{Timeout, socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use super::message::{Header, MULTI_BYTES, MULTI_LEN};
use crate::address;
use crate::bounds::{MESSAGES_MAX, ROUTE_REQUEST_BYTES_MAX, ROUTE_REQUESTS_PER_TURN_MAX};
use crate::carrier;
use crate::notification::Call;
use crate::route::RouteSocket;
use crate::route::answer::{self, Manner, answers};
use crate::runner::{EDGES, Runner, Source};
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::host_errno;
use crate::sys::number as n;
use crate::tracee;

/// NETLINK_ADD_MEMBERSHIP and NETLINK_DROP_MEMBERSHIP, with the number of a group.
const ADD_MEMBERSHIP: i32 = 1;
const DROP_MEMBERSHIP: i32 = 2;
/// The last group of rtnetlink (RTNLGRP_MAX) that has room in two words.
const GROUP_MAX: u32 = 39;

/// sizeof struct sockaddr_nl.
const ADDRESS_BYTES: usize = 12;
/// The highest option of SOL_NETLINK.
const OPTION_MAX: i32 = 12;
/// NETLINK_LIST_MEMBERSHIPS, which tells and is not set.
const LIST_MEMBERSHIPS: i32 = 9;

impl Runner {
    /// socket(2).
    pub(super) fn call_route_socket(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let (kind, flags) = (call.int(1) & !(n::SOCK_NONBLOCK | n::SOCK_CLOEXEC), call.int(1));
        if kind != n::SOCK_RAW && kind != n::SOCK_DGRAM {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        let (own_end, program_end) = match self.namespace.as_mut() {
            Some(namespace) => namespace.messages()?,
            None => socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(host_errno)?,
        };
        prepare(&own_end, &program_end, flags & n::SOCK_NONBLOCK != 0).map_err(host_errno)?;
        let inode = rustix::fs::fstat(&program_end).map_err(host_errno)?.st_ino;
        let close_on_exec = flags & n::SOCK_CLOEXEC != 0;
        let descriptor =
            self.trees.reply_with(call, program_end.as_fd(), close_on_exec).map_err(host_errno)?;
        let number = self.routes.insert(RouteSocket {
            own_end,
            inode,
            place: call.place(descriptor),
            kind,
            port: 0,
            groups: 0,
            options: BTreeMap::new(),
        });
        let watched = self
            .routes
            .get(number)
            .map(|socket| turn.watch(socket.own_end.as_fd(), Source::Route(number).key(), EDGES));
        if matches!(watched, Some(Err(_))) {
            // Out of watches: the program sees that the other end is gone.
            self.routes.remove(number);
        }
        Ok(Answer::Answered)
    }

    /// The socket of this kind that descriptor argument 0 names, if it does.
    pub(crate) fn identify_route(&mut self, call: &Call) -> Option<u64> {
        if self.routes.is_empty() || call.number == n::SYS_socket {
            return None;
        }
        let place = call.place(call.int(0));
        let inode = self.inode_asked(call)?;
        let number = self.routes.by_inode(inode)?;
        self.routes.get_mut(number)?.place = place;
        Some(number)
    }

    /// P changed: a request was written, or S was closed.
    pub(crate) fn on_route_carrier(&mut self, turn: &Turn<'_>, number: u64, ready: Ready) {
        self.answer_written(number, ready.hangup);
        self.retry_held(turn, number);
        if ready.hangup {
            self.routes.remove(number);
        }
    }

    /// There was more to answer than one turn's share.
    pub(crate) fn on_more_requests(&mut self, turn: &Turn<'_>, number: u64) {
        self.answer_written(number, false);
        self.retry_held(turn, number);
    }

    /// Any other call.
    pub(crate) fn serve_route(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        match call.number {
            n::SYS_bind => self.route_bind(call, number),
            n::SYS_getsockname => self.route_name(call, number),
            n::SYS_getpeername => self.tell_address(call, 0, 0),
            // Everything is sent to the kernel as it is.
            n::SYS_connect => self.read_address(call, call.word(1), call.int(2)).map(|_| Answer::Value(0)),
            n::SYS_getsockopt => self.route_option(call, number),
            n::SYS_setsockopt => self.set_route_option(call, number),
            n::SYS_sendto => {
                let mut header = Header::of_buffer(call.word(1), call.size(2));
                (header.name, header.name_len) = (call.word(4), call.int(5));
                self.route_send(call, number, &header).map(value_of)
            }
            n::SYS_sendmsg => {
                let header = Header::read(&self.memory(call), call.word(1)).map_err(host_errno)?;
                self.route_send(call, number, &header).map(value_of)
            }
            n::SYS_recvfrom => self.route_recvfrom(turn, call, number),
            n::SYS_recvmsg => {
                let flags = call.int(2);
                let received = self.route_message(call, number, call.word(1), flags);
                self.answer_received(turn, number, flags, received)
            }
            n::SYS_sendmmsg | n::SYS_recvmmsg => self.route_messages(turn, call, number),
            n::SYS_ioctl => self.call_ioctl(turn, call),
            n::SYS_listen | n::SYS_accept | n::SYS_accept4 | n::SYS_shutdown => Err(Errno::EOPNOTSUPP),
            _ => Ok(Answer::Continue),
        }
    }

    /// Answers what the program wrote natively.
    fn answer_written(&mut self, number: u64, is_closed: bool) {
        for _ in 0..ROUTE_REQUESTS_PER_TURN_MAX {
            let Some(socket) = self.routes.get(number) else { return };
            let mut buffer = vec![0; ROUTE_REQUEST_BYTES_MAX];
            let Ok((count, _)) = recv(&socket.own_end, &mut buffer[..], RecvFlags::DONTWAIT) else { return };
            // Nothing is a message too, until S is closed: then it is the end of file.
            if count == 0 && is_closed {
                return;
            }
            self.answer_request(number, &buffer[..count]);
        }
        if !is_closed {
            self.more.insert(number);
        }
    }

    /// Puts the answers to what was asked into S's queue.
    fn answer_request(&mut self, number: u64, written: &[u8]) {
        self.bind_route_by_itself(number);
        let Some(socket) = self.routes.get(number) else { return };
        let is_on = |option: i32| socket.options.get(&option).is_some_and(|value| *value != 0);
        let manner = Manner {
            port: socket.port,
            is_strict: is_on(answer::STRICT),
            has_short_errors: is_on(answer::SHORT_ERRORS),
        };
        for datagram in answers(&self.host, written, manner) {
            // A reader that lets its queue fill up loses answers, as with the kernel.
            let _ = send(&socket.own_end, &datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }

    fn bind_route_by_itself(&mut self, number: u64) {
        let Some(socket) = self.routes.get(number) else { return };
        if socket.port == 0 {
            let thread = socket.place.thread;
            let leader = tracee::leader(thread).map_or(thread, |leader| leader.as_raw_nonzero().get());
            let port = self.routes.free_port(leader.unsigned_abs());
            if let Some(socket) = self.routes.get_mut(number) {
                socket.port = port;
            }
        }
    }

    fn route_bind(&mut self, call: &Call, number: u64) -> Served {
        let (port, groups) = self.read_address(call, call.word(1), call.int(2))?;
        let socket = self.routes.get(number).ok_or(Errno::EBADF)?;
        if socket.port != 0 && port != socket.port {
            return Err(Errno::EINVAL);
        }
        if port != 0 && port != socket.port && self.routes.is_port_taken(port) {
            return Err(Errno::EADDRINUSE);
        }
        if let Some(socket) = self.routes.get_mut(number) {
            socket.groups = groups;
            if port != 0 {
                socket.port = port;
            }
        }
        self.bind_route_by_itself(number);
        Ok(Answer::Value(0))
    }

    fn route_name(&mut self, call: &Call, number: u64) -> Served {
        let socket = self.routes.get(number).ok_or(Errno::EBADF)?;
        self.tell_address(call, socket.port, socket.groups)
    }

    /// Reads a struct sockaddr_nl: port and groups.
    fn read_address(&self, call: &Call, pointer: u64, len: i32) -> Result<(u32, u32), Errno> {
        if usize::try_from(len).is_ok_and(|len| len < ADDRESS_BYTES) || len < 0 {
            return Err(Errno::EINVAL);
        }
        let bytes: [u8; ADDRESS_BYTES] = self.memory(call).read_array(pointer).map_err(host_errno)?;
        let [f0, f1, _, _, p0, p1, p2, p3, g0, g1, g2, g3] = bytes;
        if i32::from(u16::from_ne_bytes([f0, f1])) != n::AF_NETLINK {
            return Err(Errno::EINVAL);
        }
        Ok((u32::from_ne_bytes([p0, p1, p2, p3]), u32::from_ne_bytes([g0, g1, g2, g3])))
    }

    fn tell_address(&self, call: &Call, port: u32, groups: u32) -> Served {
        let bytes = sockaddr(port, groups);
        address::write(&self.memory(call), call.word(1), call.word(2), &bytes).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    /// What is sent, wherever it is addressed to: only the kernel would listen.
    fn route_send(&mut self, call: &Call, number: u64, header: &Header) -> Result<usize, Errno> {
        if header.name != 0 {
            let (port, groups) = self.read_address(call, header.name, header.name_len)?;
            if groups != 0 {
                return Err(Errno(rustix::io::Errno::PERM.raw_os_error()));
            }
            if port != 0 {
                return Err(Errno::ECONNREFUSED);
            }
        }
        let written = header.gather(&self.memory(call), ROUTE_REQUEST_BYTES_MAX).map_err(host_errno)?;
        // What was written natively before goes first.
        self.answer_written(number, false);
        self.answer_request(number, &written);
        Ok(written.len())
    }

    fn route_recvfrom(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        let flags = call.int(3);
        let header = Header::of_buffer(call.word(1), call.size(2));
        let received = self.route_take(call, number, &header, flags).and_then(|(value, _)| {
            if call.word(4) != 0 {
                let memory = self.memory(call);
                address::write(&memory, call.word(4), call.word(5), &sockaddr(0, 0)).map_err(host_errno)?;
            }
            Ok(value)
        });
        self.answer_received(turn, number, flags, received)
    }

    /// One message for the header at `at`; what recvmsg returns.
    fn route_message(&mut self, call: &Call, number: u64, at: u64, flags: i32) -> Result<usize, Errno> {
        let header = Header::read(&self.memory(call), at).map_err(host_errno)?;
        let (value, is_cut) = self.route_take(call, number, &header, flags)?;
        let told = if is_cut { n::MSG_TRUNC } else { 0 };
        header.tell(&self.memory(call), &sockaddr(0, 0), &[], told).map_err(host_errno)?;
        Ok(value)
    }

    /// Takes the next answer out of S's queue: what the call returns, and whether some of it had no room.
    fn route_take(
        &mut self,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Result<(usize, bool), Errno> {
        self.answer_written(number, false);
        let copy = self.copy_route(number)?;
        let peek = if flags & n::MSG_PEEK != 0 { RecvFlags::PEEK } else { RecvFlags::empty() };
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let (count, _) = recv(&copy, &mut buffer[..], peek | RecvFlags::DONTWAIT).map_err(host_errno)?;
        let shown = header.scatter(&self.memory(call), &buffer[..count]).map_err(host_errno)?;
        Ok((if flags & n::MSG_TRUNC != 0 { count } else { shown }, shown < count))
    }

    /// A blocking receiver waits for somebody else's request to be answered.
    fn answer_received(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        flags: i32,
        received: Result<usize, Errno>,
    ) -> Served {
        match received {
            Err(Errno::EAGAIN) if flags & (n::MSG_DONTWAIT | n::MSG_ERRQUEUE) == 0 => {
                let copy = self.copy_route(number)?;
                if is_nonblocking(&copy) {
                    return Err(Errno::EAGAIN);
                }
                let patience = socket_timeout(&copy, Timeout::Recv).ok().flatten();
                Ok(Answer::Wait { socket: number, deadline: patience.map(|patience| turn.now + patience) })
            }
            other => other.map(value_of),
        }
    }

    /// sendmmsg(2) and recvmmsg(2).
    fn route_messages(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        let (count, flags) = (u64::from(call.int(2).unsigned_abs()).min(MESSAGES_MAX), call.int(3));
        for index in 0..count {
            let at = call.word(1).wrapping_add(index * MULTI_BYTES);
            let moved = if call.number == n::SYS_recvmmsg {
                self.route_message(call, number, at, flags)
            } else {
                Header::read(&self.memory(call), at)
                    .map_err(host_errno)
                    .and_then(|header| self.route_send(call, number, &header))
            };
            match moved {
                Ok(len) => {
                    let len = i32::try_from(len).unwrap_or(i32::MAX);
                    self.memory(call).write_int(at.wrapping_add(MULTI_LEN), len).map_err(host_errno)?;
                }
                Err(_) if index > 0 => return Ok(Answer::Value(i64::try_from(index).unwrap_or(0))),
                Err(errno) => return self.answer_received(turn, number, flags, Err(errno)),
            }
        }
        Ok(Answer::Value(i64::try_from(count).unwrap_or(0)))
    }

    fn route_option(&mut self, call: &Call, number: u64) -> Served {
        let socket = self.routes.get(number).ok_or(Errno::EBADF)?;
        let value = match (call.int(1), call.int(2)) {
            (n::SOL_SOCKET, n::SO_DOMAIN) => n::AF_NETLINK,
            (n::SOL_SOCKET, n::SO_TYPE) => socket.kind,
            (n::SOL_SOCKET, n::SO_PROTOCOL) => n::NETLINK_ROUTE,
            // All else is the same of an AF_UNIX socket.
            (n::SOL_SOCKET, _) => return Ok(Answer::Continue),
            (n::SOL_NETLINK, LIST_MEMBERSHIPS) => return self.route_memberships(call, socket.groups),
            (n::SOL_NETLINK, name) if (1..=OPTION_MAX).contains(&name) => {
                i32::from(socket.options.get(&name).is_some_and(|value| *value != 0))
            }
            _ => return Err(Errno::ENOPROTOOPT),
        };
        let memory = self.memory(call);
        let room = usize::try_from(memory.read_int(call.word(4)).map_err(host_errno)?);
        let room = room.map_err(|_| Errno::EINVAL)?;
        let bytes = value.to_ne_bytes();
        memory.write(call.word(3), bytes.get(..room).unwrap_or(&bytes)).map_err(host_errno)?;
        let told = i32::try_from(bytes.len().min(room)).map_err(|_| Errno::EINVAL)?;
        memory.write_int(call.word(4), told).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    /// A bit for each group, in words of 32, as many as there is room for; told is how many there are.
    fn route_memberships(&self, call: &Call, groups: u32) -> Served {
        let memory = self.memory(call);
        let room = usize::try_from(memory.read_int(call.word(4)).map_err(host_errno)?);
        let room = room.map_err(|_| Errno::EINVAL)?;
        // Who never was in a group has none to show.
        let words = if groups == 0 { Vec::new() } else { vec![groups, 0] };
        let shown = words.iter().take(room / 4).flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        memory.write(call.word(3), &shown).map_err(host_errno)?;
        let all = i32::try_from(words.len() * 4).map_err(|_| Errno::EINVAL)?;
        memory.write_int(call.word(4), all).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    fn set_route_option(&mut self, call: &Call, number: u64) -> Served {
        match (call.int(1), call.int(2)) {
            (n::SOL_SOCKET, _) => Ok(Answer::Continue),
            (n::SOL_NETLINK, name) if (1..=OPTION_MAX).contains(&name) && name != LIST_MEMBERSHIPS => {
                // What is shorter than an int switches off.
                let value = if call.int(4).cast_unsigned() < 4 {
                    0
                } else {
                    self.memory(call).read_int(call.word(3)).map_err(host_errno)?
                };
                let socket = self.routes.get_mut(number).ok_or(Errno::EBADF)?;
                if matches!(name, ADD_MEMBERSHIP | DROP_MEMBERSHIP) {
                    let group = u32::try_from(value).ok().filter(|group| (1..=GROUP_MAX).contains(group));
                    let group = group.ok_or(Errno::EINVAL)?;
                    // Those beyond the first word are as silent as these, and not shown.
                    let bit = 1_u32.checked_shl(group - 1).unwrap_or(0);
                    socket.groups =
                        if name == ADD_MEMBERSHIP { socket.groups | bit } else { socket.groups & !bit };
                } else {
                    socket.options.insert(name, value);
                }
                Ok(Answer::Value(0))
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// A momentary copy of S.
    fn copy_route(&mut self, number: u64) -> Result<OwnedFd, Errno> {
        let socket = self.routes.get(number).ok_or(Errno::EBADF)?;
        self.tracees.copy(&self.trees, socket.place, Some(socket.inode)).map_err(host_errno)
    }
}

fn prepare(own_end: &OwnedFd, program_end: &OwnedFd, nonblocking: bool) -> Result<(), rustix::io::Errno> {
    carrier::keep_some_free(program_end)?;
    carrier::widen(own_end);
    rustix::io::ioctl_fionbio(own_end, true)?;
    rustix::io::ioctl_fionbio(program_end, nonblocking)
}

/// struct sockaddr_nl.
fn sockaddr(port: u32, groups: u32) -> Vec<u8> {
    let mut bytes = u16::try_from(n::AF_NETLINK).unwrap_or(0).to_ne_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(port.to_ne_bytes());
    bytes.extend(groups.to_ne_bytes());
    bytes
}

fn value_of(count: usize) -> Answer {
    Answer::Value(i64::try_from(count).unwrap_or(i64::MAX))
}
