//! Control calls on sockets of the host's namespace: made by us, on a momentary copy, with arguments that were read once.
//!
//! As the owner of the namespace we may do there what a program may not do anywhere: so options are set and asked for
//! only where they are among those that are served here ([`is_served`]), with the rules of an ordinary user
//! ([`is_privileged`]). Their values hold neither pointers nor descriptors, which would be ours; what a program for
//! packets points to is read first.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ieum_engine::{Notice, Turn};
use ieum_socket::{Errno, is_about_interfaces};
use rustix::fs::OFlags;

use crate::address;
use crate::bounds::OPTION_BYTES_MAX;
use crate::namespace::sys::{self, AddressCall, NumberCall};
use crate::namespace::{Listed, Make};
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;

/// The longest address that the kernel looks at (sizeof struct sockaddr_storage).
const ADDRESS_BYTES_MAX: usize = 128;

/// sizeof struct sock_fprog.
const FILTER_BYTES: usize = 16;
/// Instructions of a program for packets (BPF_MAXINSNS).
const FILTER_INSTRUCTIONS_MAX: usize = 4096;

impl Runner {
    /// A copy of descriptor argument 0, if it is a socket of the namespace.
    pub(crate) fn identify_in_namespace(&mut self, call: &Call) -> Option<OwnedFd> {
        if self.namespace.is_none() || call.number == n::SYS_socket || call.number == n::SYS_seccomp {
            return None;
        }
        let place = call.place(call.int(0));
        // The host's own sockets are most of those that are asked about.
        let inode = self.inode_asked(call)?;
        if self.sockets.by_inode(inode).is_some() {
            return None;
        }
        let copy = self.tracees.copy(&self.trees, place, Some(inode)).ok()?;
        self.namespace.as_ref()?.has(&copy).then_some(copy)
    }

    /// A new socket of the namespace, if it has a part in what was asked for.
    pub(crate) fn call_socket_in_namespace(&mut self, call: &Call) -> Option<Served> {
        let (domain, kind, protocol) = (call.int(0), call.int(1), call.int(2));
        let flags = n::SOCK_NONBLOCK | n::SOCK_CLOEXEC;
        let namespace = self.namespace.as_mut()?;
        let make = Make::of_call(domain, kind & !flags, protocol)?;
        let socket = match namespace.take(make) {
            Ok(socket) => socket,
            Err(errno) => return Some(Err(errno)),
        };
        let given = match kind & n::SOCK_NONBLOCK {
            0 => Ok(()),
            _ => rustix::fs::fcntl_setfl(&socket, OFlags::NONBLOCK),
        };
        let given =
            given.and_then(|()| self.trees.reply_with(call, socket.as_fd(), kind & n::SOCK_CLOEXEC != 0));
        Some(given.map(|_| Answer::Answered).map_err(host_errno))
    }

    pub(crate) fn serve_in_namespace(&mut self, turn: &Turn<'_>, call: &Call, socket: &OwnedFd) -> Served {
        let fd = socket.as_fd();
        match call.number {
            n::SYS_bind => self.address_call(turn, call, fd, AddressCall::Bind),
            n::SYS_connect => self.address_call(turn, call, fd, AddressCall::Connect),
            n::SYS_listen => number_call(fd, NumberCall::Listen, call.int(1)),
            n::SYS_shutdown => number_call(fd, NumberCall::Shutdown, call.int(1)),
            n::SYS_accept | n::SYS_accept4 => Err(Errno::EOPNOTSUPP),
            n::SYS_getsockname => self.name_call(call, fd, false),
            n::SYS_getpeername => self.name_call(call, fd, true),
            n::SYS_getsockopt => self.get_option_call(call, fd),
            n::SYS_setsockopt => self.set_option_call(call, fd),
            n::SYS_ioctl => self.ioctl_call(call, fd),
            // Only the namespace's own datagrams are meant by these, whatever their arguments become.
            _ => Ok(Answer::Continue),
        }
    }

    fn address_call(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        socket: BorrowedFd<'_>,
        which: AddressCall,
    ) -> Served {
        let len = usize::try_from(call.int(2)).ok().filter(|len| *len <= ADDRESS_BYTES_MAX);
        let address = self.memory(call).read(call.word(1), len.ok_or(Errno::EINVAL)?).map_err(host_errno)?;
        sys::with_address(socket, which, &address).map_err(host_errno)?;
        self.tell_of_port(turn, socket);
        Ok(Answer::Value(0))
    }

    fn name_call(&self, call: &Call, socket: BorrowedFd<'_>, peer: bool) -> Served {
        let name = sys::address(socket, peer).map_err(host_errno)?;
        address::write(&self.memory(call), call.word(1), call.word(2), &name).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    fn get_option_call(&self, call: &Call, socket: BorrowedFd<'_>) -> Served {
        let option = (call.int(1), call.int(2));
        let memory = self.memory(call);
        let room = memory.read_int(call.word(4)).map_err(host_errno)?;
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?.min(OPTION_BYTES_MAX);
        if !is_served(option) {
            return Err(not_served(socket, option.0));
        }
        // Some are asked with something given: which group, say. What cannot be read is not given.
        let given = memory.read(call.word(3), room).unwrap_or_default();
        let value = sys::get_option(socket, option, &given, room).map_err(host_errno)?;
        memory.write(call.word(3), &value).map_err(host_errno)?;
        let len = i32::try_from(value.len()).map_err(|_| Errno::EINVAL)?;
        memory.write_int(call.word(4), len).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    fn set_option_call(&self, call: &Call, socket: BorrowedFd<'_>) -> Served {
        let option = (call.int(1), call.int(2));
        let len = usize::try_from(call.int(4)).map_err(|_| Errno::EINVAL)?.min(OPTION_BYTES_MAX);
        if option.0 == n::SOL_SOCKET
            && matches!(option.1, libc::SO_ATTACH_FILTER | libc::SO_ATTACH_REUSEPORT_CBPF)
        {
            return self.attach_filter_call(call, socket, option.1, len);
        }
        if !is_served(option) {
            return Err(Errno::ENOPROTOOPT);
        }
        let value = self.memory(call).read(call.word(3), len).map_err(host_errno)?;
        if is_privileged(option, &value) {
            return Err(Errno::EPERM);
        }
        sys::set_option(socket, option, &value).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    /// A program for packets: its instructions are read once, and hold no pointers.
    fn attach_filter_call(&self, call: &Call, socket: BorrowedFd<'_>, name: i32, len: usize) -> Served {
        let memory = self.memory(call);
        // struct sock_fprog: how many instructions, and where.
        let [l0, l1, _, _, _, _, _, _, pointer @ ..] =
            memory.read_array::<FILTER_BYTES>(call.word(3)).map_err(host_errno)?;
        let count = usize::from(u16::from_ne_bytes([l0, l1]));
        if len != FILTER_BYTES || !(1..=FILTER_INSTRUCTIONS_MAX).contains(&count) {
            return Err(Errno::EINVAL);
        }
        let bytes = count * sys::FILTER_INSTRUCTION_BYTES;
        let program = memory.read(u64::from_ne_bytes(pointer), bytes).map_err(host_errno)?;
        sys::attach_filter(socket, name, &program).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    fn ioctl_call(&self, call: &Call, socket: BorrowedFd<'_>) -> Served {
        let request = call.int(1).cast_unsigned();
        if is_about_interfaces(request) {
            return self.call_interface(call, request, domain(socket));
        }
        let answer = sys::int_of_request(socket, u64::from(request)).map_err(host_errno)?;
        self.memory(call).write_int(call.word(2), answer).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    // Published ports

    /// A socket of the namespace may have a port from now on: others are told, once for each.
    fn tell_of_port(&mut self, turn: &Turn<'_>, socket: BorrowedFd<'_>) {
        let protocol = sys::get_option(socket, (n::SOL_SOCKET, n::SO_PROTOCOL), &[], 4).ok();
        if protocol != Some(n::IPPROTO_UDP.to_ne_bytes().to_vec()) {
            return;
        }
        let name = sys::address(socket, false).ok().and_then(|name| address::of_kernel(&name));
        let Some(local) = name.filter(|local| local.port() != 0) else { return };
        let v6_only = sys::get_option(socket, (n::IPPROTO_IPV6, libc::IPV6_V6ONLY), &[], 4);
        let v6_only = v6_only.is_ok_and(|value| value.first() == Some(&1));
        if self.namespace_ports.insert(local, v6_only).is_none() {
            self.notices.push_back(Notice::Serving {
                datagram: true,
                address: local,
                v6_only,
                serving: true,
            });
        }
        self.sweep_later(turn.now);
    }

    /// Ports of the namespace that nobody has any more.
    pub(crate) fn sweep_namespace(&mut self) {
        if self.namespace_ports.is_empty() {
            return;
        }
        let listed = self.namespace_sockets();
        let lives = |local: &SocketAddr| {
            listed.iter().any(|one| matches!(one.make, Make::Udp4 | Make::Udp6) && one.local == *local)
        };
        let gone: Vec<(SocketAddr, bool)> = self
            .namespace_ports
            .iter()
            .filter(|(local, _)| !lives(local))
            .map(|(local, v6_only)| (*local, *v6_only))
            .collect();
        for (address, v6_only) in gone {
            self.namespace_ports.remove(&address);
            self.notices.push_back(Notice::Serving { datagram: true, address, v6_only, serving: false });
        }
    }

    /// All sockets of the namespace that have a port.
    pub(crate) fn namespace_sockets(&mut self) -> Vec<Listed> {
        self.namespace.as_mut().map(crate::namespace::Namespace::sockets).unwrap_or_default()
    }
}

fn domain(socket: BorrowedFd<'_>) -> Option<i32> {
    let domain = sys::get_option(socket, (n::SOL_SOCKET, n::SO_DOMAIN), &[], 4).ok()?;
    domain.try_into().ok().map(i32::from_ne_bytes)
}

fn number_call(socket: BorrowedFd<'_>, which: NumberCall, number: i32) -> Served {
    sys::with_number(socket, which, number).map_err(host_errno)?;
    Ok(Answer::Value(0))
}

/// What getsockopt(2) says of an option that is not served. The two families differ about levels that a socket does not have.
fn not_served(socket: BorrowedFd<'_>, level: i32) -> Errno {
    let is_known = matches!(level, n::SOL_SOCKET | libc::IPPROTO_IP | n::IPPROTO_UDP | libc::IPPROTO_UDPLITE);
    if !is_known && domain(socket) == Some(n::AF_INET) { Errno::EOPNOTSUPP } else { Errno::ENOPROTOOPT }
}

/// Options whose values are numbers, names and addresses.
fn is_served((level, name): (i32, i32)) -> bool {
    match level {
        libc::SOL_SOCKET => matches!(
            name,
            libc::SO_DEBUG
                | libc::SO_REUSEADDR
                | libc::SO_TYPE
                | libc::SO_ERROR
                | libc::SO_DONTROUTE
                | libc::SO_BROADCAST
                | libc::SO_SNDBUF
                | libc::SO_RCVBUF
                | libc::SO_SNDBUFFORCE
                | libc::SO_RCVBUFFORCE
                | libc::SO_KEEPALIVE
                | libc::SO_OOBINLINE
                | libc::SO_NO_CHECK
                | libc::SO_PRIORITY
                | libc::SO_LINGER
                | libc::SO_REUSEPORT
                | libc::SO_PASSCRED
                | libc::SO_PEERCRED
                | libc::SO_RCVLOWAT
                | libc::SO_SNDLOWAT
                | libc::SO_BINDTODEVICE
                | libc::SO_DETACH_FILTER
                | libc::SO_DETACH_REUSEPORT_BPF
                | libc::SO_LOCK_FILTER
                | libc::SO_TIMESTAMP
                | libc::SO_TIMESTAMPNS
                | libc::SO_TIMESTAMP_NEW
                | libc::SO_TIMESTAMPNS_NEW
                | libc::SO_TIMESTAMPING
                | libc::SO_ACCEPTCONN
                | libc::SO_MARK
                | libc::SO_PROTOCOL
                | libc::SO_DOMAIN
                | libc::SO_RXQ_OVFL
                | libc::SO_PEEK_OFF
                | libc::SO_SELECT_ERR_QUEUE
                | libc::SO_BUSY_POLL
                | libc::SO_INCOMING_CPU
                | libc::SO_MEMINFO
                | libc::SO_INCOMING_NAPI_ID
                | libc::SO_COOKIE
                | libc::SO_BINDTOIFINDEX
                | libc::SO_PREFER_BUSY_POLL
                | libc::SO_RCVTIMEO
                | libc::SO_SNDTIMEO
        ),
        // Not IP_OPTIONS, IPSEC's policies and netfilter's tables (64 on).
        libc::IPPROTO_IP => matches!(name, 1..=3 | 5..=15 | 18..=25 | 32..=52),
        // Not flow labels, headers of extension, IPSEC's policies and netfilter's tables.
        libc::IPPROTO_IPV6 => {
            matches!(name, 1 | 2 | 7 | 8 | 16..=21 | 23..=30 | 36 | 42..=53 | 56 | 58 | 60..=62 | 66..=78)
        }
        // UDP knows the options of UDP-Lite, and the other way round.
        libc::IPPROTO_UDP | libc::IPPROTO_UDPLITE => {
            matches!(name, libc::UDP_CORK | 10 | 11 | 101 | 102 | libc::UDP_SEGMENT | libc::UDP_GRO)
        }
        _ => false,
    }
}

/// What an ordinary user may not set.
fn is_privileged(option: (i32, i32), value: &[u8]) -> bool {
    /// An anycast address to listen to (`linux/in6.h`).
    const IPV6_JOIN_ANYCAST: i32 = 27;
    /// The highest priority that everybody may give (socket(7)).
    const PRIORITY_MAX: i32 = 6;
    let number = value.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    match option {
        (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE | libc::SO_RCVBUFFORCE | libc::SO_MARK)
        | (libc::IPPROTO_IPV6, IPV6_JOIN_ANYCAST) => true,
        (libc::SOL_SOCKET, libc::SO_DEBUG | libc::SO_BUSY_POLL | libc::SO_PREFER_BUSY_POLL)
        | (libc::IPPROTO_IP, libc::IP_TRANSPARENT)
        | (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT) => number != 0,
        (libc::SOL_SOCKET, libc::SO_PRIORITY) => !(0..=PRIORITY_MAX).contains(&number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_hold_pointers_or_descriptors_are_not_served() {
        for name in [
            libc::SO_ATTACH_FILTER,
            libc::SO_ATTACH_BPF,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            libc::SO_ATTACH_REUSEPORT_EBPF,
        ] {
            assert!(!is_served((libc::SOL_SOCKET, name)), "{name}");
        }
        // IPT_SO_SET_REPLACE and its like, IP_XFRM_POLICY.
        for name in [16, 17, 64, 65, 66, 96, 128] {
            assert!(!is_served((libc::IPPROTO_IP, name)), "{name}");
        }
        for name in [34, 35, 54, 55, 57, 59, 64, 65, 80, 96] {
            assert!(!is_served((libc::IPPROTO_IPV6, name)), "{name}");
        }
        assert!(is_served((libc::IPPROTO_IP, libc::IP_PKTINFO)));
    }

    #[test]
    fn what_an_ordinary_user_may_not_is_refused() {
        let is_privileged = |level, name, value: i32| is_privileged((level, name), &value.to_ne_bytes());
        assert!(is_privileged(libc::SOL_SOCKET, libc::SO_MARK, 0));
        assert!(is_privileged(libc::IPPROTO_IPV6, 27, 0), "IPV6_JOIN_ANYCAST");
        assert!(is_privileged(libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1));
        assert!(!is_privileged(libc::IPPROTO_IP, libc::IP_TRANSPARENT, 0));
        assert!(is_privileged(libc::SOL_SOCKET, libc::SO_PRIORITY, 7));
        assert!(!is_privileged(libc::SOL_SOCKET, libc::SO_PRIORITY, 6));
        assert!(!is_privileged(libc::SOL_SOCKET, libc::SO_RCVBUF, 1));
    }
}
