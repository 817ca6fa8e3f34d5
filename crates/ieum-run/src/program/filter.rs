//! The filter in front of every system call of the program.
//!
//! The rules, in the order they are asked:
//!
//! 1. A foreign architecture (32-bit programs, x32): ENOSYS. Their numbers and structures are not served.
//! 2. `socket`: AF_INET and AF_INET6 are ours, and so is NETLINK_ROUTE, which tells of interfaces; AF_UNIX, AF_ALG and what of
//!    AF_NETLINK is not about networks (audit, devices that come and go, …) are the kernel's. Every other family is refused
//!    (AF_PACKET with EPERM, as an unprivileged program sees it): some carry packets past the host (AF_PACKET, AF_SMC, AF_RXRPC,
//!    AF_TIPC). So are the other protocols of AF_NETLINK: they tell of the machine's sockets, filters and devices, and let root
//!    change them.
//! 3. Control calls are notified: ours is told from the kernel's by the descriptor, which a filter cannot look into.
//! 4. Data calls are native, save where an address is asked for or given: AF_UNIX would show through. Where datagram sockets
//!    are the kernel's ([`DatagramCalls::Native`]) all are native but those with a few flags. MSG_FASTOPEN is
//!    refused: it would connect a TCP socket of the machine, which came from elsewhere, past Landlock's hook.
//! 5. `io_uring_…`: ENOSYS, since a ring makes sockets without asking anybody.
//! 6. `prctl(PR_SET_DUMPABLE, 0)`: done in word only. We answer calls by reading the caller's memory, and the kernel keeps
//!    that of a process which is not dumpable from its own user, which we are.
//! 7. What types into a terminal (TIOCSTI, TIOCLINUX) is refused: the shell outside would read it as its user's word.

use ieum_socket::INTERFACE_REQUESTS;

use crate::bpf::{Assembler, bits};
use crate::sys::FilterInstruction;
use crate::sys::number as n;

const ENOSYS: u32 = 38;
const EPERM: u32 = 1;
const EPROTONOSUPPORT: u32 = 93;
const EOPNOTSUPP: u32 = 95;
const EAFNOSUPPORT: u32 = 97;
/// SO_RCVTIMEO, SO_SNDTIMEO and their forms with 64-bit seconds, which S itself answers; their numbers are the same on every
/// served machine.
const NATIVE_TIMEOUTS: [u32; 4] = [20, 21, 66, 67];
/// NETLINK_USERSOCK, NETLINK_SELINUX, NETLINK_AUDIT, NETLINK_CONNECTOR, NETLINK_KOBJECT_UEVENT, NETLINK_CRYPTO: processes among
/// themselves, and what the kernel tells of itself and not of networks.
const NETLINK_OF_NO_NETWORK: [u32; 6] = [2, 7, 9, 11, 15, 21];
/// TIOCSTI and TIOCLINUX; the same on every served machine.
const TYPING: [u32; 2] = [0x5412, 0x541c];

/// SIOCGSKNS: a descriptor for the network namespace of a socket. Linux gives it to administrators of the namespace,
/// which the user of the program is where the kernel has the datagrams.
const SIOCGSKNS: u32 = 0x894c;

/// Who serves the calls that move datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DatagramCalls {
    /// We, by carriers: those with an address are notified.
    Notified,
    /// The kernel, by sockets of the host's namespace.
    Native,
}

impl DatagramCalls {
    /// Those of a host that has a namespace, or has none.
    pub(crate) fn with(namespace: bool) -> DatagramCalls {
        if namespace { DatagramCalls::Native } else { DatagramCalls::Notified }
    }
}

/// The filter.
pub(crate) fn filter(datagrams: DatagramCalls) -> Vec<FilterInstruction> {
    let mut a = Assembler::of_this_machine();
    match datagrams {
        DatagramCalls::Notified => data_calls(&mut a),
        DatagramCalls::Native => native_data_calls(&mut a),
    }
    control_calls(&mut a);
    for call in [n::SYS_io_uring_setup, n::SYS_io_uring_enter, n::SYS_io_uring_register] {
        a.on_call(call, |a| a.refuse(ENOSYS));
    }
    a.on_call(n::SYS_prctl, |a| {
        a.load_argument(0);
        a.if_not_equal(bits(n::PR_SET_DUMPABLE), n::SECCOMP_RET_ALLOW);
        a.load_argument(1);
        a.if_not_equal(0, n::SECCOMP_RET_ALLOW);
        // No error: the call returns 0.
        a.ret(n::SECCOMP_RET_ERRNO);
    });
    a.on_call(n::SYS_seccomp, |a| {
        // A listener inside a listener is refused by the kernel; we are asked so that somebody says why.
        a.load_argument(1);
        let new_listener = u32::try_from(n::SECCOMP_FILTER_FLAG_NEW_LISTENER).unwrap_or(0);
        a.if_any_bit(new_listener, n::SECCOMP_RET_USER_NOTIF);
        a.ret(n::SECCOMP_RET_ALLOW);
    });
    a.ret(n::SECCOMP_RET_ALLOW);
    a.code
}

fn data_calls(a: &mut Assembler) {
    for (call, refused, asked) in [
        // An urgent byte is sent natively, but its stream has to look for it from then on. That more is to follow AF_UNIX
        // would not tell us.
        (n::SYS_sendto, n::MSG_FASTOPEN, n::MSG_OOB | n::MSG_MORE),
        (n::SYS_recvfrom, 0, n::MSG_TRUNC | n::MSG_OOB | n::MSG_ERRQUEUE),
    ] {
        a.on_call(call, |a| {
            a.load_argument(3);
            a.if_any_bit(bits(refused), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
            a.if_any_bit(bits(asked), n::SECCOMP_RET_USER_NOTIF);
            // The address pointer, both halves.
            a.load_argument(4);
            a.if_not_equal(0, n::SECCOMP_RET_USER_NOTIF);
            a.load_argument_high(4);
            a.if_not_equal(0, n::SECCOMP_RET_USER_NOTIF);
            a.ret(n::SECCOMP_RET_ALLOW);
        });
    }
    for (call, flags_at) in [(n::SYS_sendmsg, 2), (n::SYS_sendmmsg, 3)] {
        a.on_call(call, |a| {
            a.load_argument(flags_at);
            a.if_any_bit(bits(n::MSG_FASTOPEN), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
            a.ret(n::SECCOMP_RET_USER_NOTIF);
        });
    }
    for call in [n::SYS_recvmsg, n::SYS_recvmmsg] {
        a.on_call(call, |a| a.ret(n::SECCOMP_RET_USER_NOTIF));
    }
}

/// Where the kernel has the datagrams, flags decide: those that mean something else to a stream than to its carrier. Asked
/// about is also sendto with an address as long as netlink's: so it is answered when it returns.
fn native_data_calls(a: &mut Assembler) {
    const ASKED: i32 = n::MSG_TRUNC | n::MSG_OOB | n::MSG_ERRQUEUE;
    /// sizeof struct sockaddr_nl; those of IP have 16 bytes or more.
    const NETLINK_ADDRESS_BYTES: u32 = 12;
    a.on_call(n::SYS_sendto, |a| {
        a.load_argument(3);
        a.if_any_bit(bits(n::MSG_FASTOPEN), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
        a.if_any_bit(bits(n::MSG_OOB | n::MSG_MORE), n::SECCOMP_RET_USER_NOTIF);
        a.load_argument(5);
        a.if_equal(NETLINK_ADDRESS_BYTES, n::SECCOMP_RET_USER_NOTIF);
        a.ret(n::SECCOMP_RET_ALLOW);
    });
    for (call, flags_at, refused, asked) in [
        (n::SYS_sendmsg, 2, n::MSG_FASTOPEN, n::MSG_OOB | n::MSG_MORE),
        (n::SYS_sendmmsg, 3, n::MSG_FASTOPEN, n::MSG_OOB),
        (n::SYS_recvfrom, 3, 0, ASKED),
        (n::SYS_recvmsg, 2, 0, ASKED),
        (n::SYS_recvmmsg, 3, 0, ASKED),
    ] {
        a.on_call(call, |a| {
            a.load_argument(flags_at);
            a.if_any_bit(bits(refused), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
            a.if_any_bit(bits(asked), n::SECCOMP_RET_USER_NOTIF);
            a.ret(n::SECCOMP_RET_ALLOW);
        });
    }
}

fn control_calls(a: &mut Assembler) {
    a.on_call(n::SYS_socket, |a| {
        a.load_argument(0);
        for family in [n::AF_INET, n::AF_INET6] {
            a.if_equal(bits(family), n::SECCOMP_RET_USER_NOTIF);
        }
        for family in [n::AF_UNIX, n::AF_ALG] {
            a.if_equal(bits(family), n::SECCOMP_RET_ALLOW);
        }
        a.on_word(bits(n::AF_NETLINK), |a| {
            a.load_argument(2);
            a.if_equal(bits(n::NETLINK_ROUTE), n::SECCOMP_RET_USER_NOTIF);
            for protocol in NETLINK_OF_NO_NETWORK {
                a.if_equal(protocol, n::SECCOMP_RET_ALLOW);
            }
            a.refuse(EPROTONOSUPPORT);
        });
        a.if_equal(bits(n::AF_PACKET), n::SECCOMP_RET_ERRNO | EPERM);
        a.refuse(EAFNOSUPPORT);
    });
    a.on_call(n::SYS_socketpair, |a| {
        // For the internet families the kernel itself says that there are no pairs.
        a.load_argument(0);
        for family in [n::AF_UNIX, n::AF_INET, n::AF_INET6] {
            a.if_equal(bits(family), n::SECCOMP_RET_ALLOW);
        }
        a.refuse(EAFNOSUPPORT);
    });
    for call in [
        n::SYS_bind,
        n::SYS_listen,
        n::SYS_accept,
        n::SYS_accept4,
        n::SYS_connect,
        n::SYS_getsockname,
        n::SYS_getpeername,
        n::SYS_shutdown,
    ] {
        a.on_call(call, |a| a.ret(n::SECCOMP_RET_USER_NOTIF));
    }
    a.on_call(n::SYS_setsockopt, |a| a.ret(n::SECCOMP_RET_USER_NOTIF));
    a.on_call(n::SYS_getsockopt, |a| {
        a.load_argument(1);
        a.if_not_equal(bits(n::SOL_SOCKET), n::SECCOMP_RET_USER_NOTIF);
        a.load_argument(2);
        for name in NATIVE_TIMEOUTS {
            a.if_equal(name, n::SECCOMP_RET_ALLOW);
        }
        a.ret(n::SECCOMP_RET_USER_NOTIF);
    });
    a.on_call(n::SYS_ioctl, |a| {
        a.load_argument(1);
        for request in [n::TIOCOUTQ, n::SIOCOUTQNSD, n::SIOCATMARK] {
            a.if_equal(u32::try_from(request).unwrap_or(0), n::SECCOMP_RET_USER_NOTIF);
        }
        a.if_equal(SIOCGSKNS, n::SECCOMP_RET_ERRNO | EPERM);
        for request in TYPING {
            a.if_equal(request, n::SECCOMP_RET_ERRNO | EPERM);
        }
        for requests in INTERFACE_REQUESTS {
            a.if_within(*requests.start(), *requests.end(), n::SECCOMP_RET_USER_NOTIF);
        }
        a.ret(n::SECCOMP_RET_ALLOW);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf;

    /// Runs the filter over one call, as the kernel would.
    fn verdict(call: i64, arguments: [u64; 6]) -> u32 {
        verdict_of(&filter(DatagramCalls::Notified), call, arguments)
    }

    fn verdict_of(code: &[FilterInstruction], call: i64, arguments: [u64; 6]) -> u32 {
        let (mut at, mut word) = (0, 0);
        loop {
            let i = code[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { i.jt } else { i.jf });
            match i.code {
                bpf::LOAD => word = load(i.k, call, arguments),
                bpf::EQUAL => at += jump(word == i.k),
                bpf::GREATER_OR_EQUAL => at += jump(word >= i.k),
                bpf::ANY_BIT => at += jump(word & i.k != 0),
                bpf::RETURN => return i.k,
                other => panic!("unknown instruction {other}"),
            }
        }
    }

    fn load(offset: u32, call: i64, arguments: [u64; 6]) -> u32 {
        match offset {
            bpf::OFFSET_CALL => u32::try_from(call).unwrap(),
            bpf::OFFSET_ARCH => n::AUDIT_ARCH,
            _ => {
                let index = usize::try_from((offset - bpf::OFFSET_ARGUMENTS) / 8).unwrap();
                let shift = if (offset - bpf::OFFSET_ARGUMENTS).is_multiple_of(8) { 0 } else { 32 };
                u32::try_from(arguments[index] >> shift & 0xffff_ffff).unwrap()
            }
        }
    }

    fn family(family: i32) -> u32 {
        verdict(n::SYS_socket, [u64::from(bits(family)), 1, 0, 0, 0, 0])
    }

    #[test]
    fn internet_sockets_are_ours_and_unix_sockets_the_kernels() {
        assert_eq!(family(n::AF_INET), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(family(n::AF_INET6), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(family(n::AF_UNIX), n::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn no_other_family_reaches_the_kernel() {
        assert_eq!(family(n::AF_PACKET), n::SECCOMP_RET_ERRNO | EPERM);
        assert_eq!(family(43), n::SECCOMP_RET_ERRNO | EAFNOSUPPORT, "AF_SMC");
    }

    #[test]
    fn sending_without_an_address_is_native() {
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, 0, 0x1000, 16]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, 0, 0x1_0000_0000, 16]), n::SECCOMP_RET_USER_NOTIF);
    }

    #[test]
    fn where_the_kernel_has_the_datagrams_their_calls_are_native() {
        let code = filter(DatagramCalls::Native);
        let verdict = |call, arguments| verdict_of(&code, call, arguments);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, 0, 0x1000, 16]), n::SECCOMP_RET_ALLOW);
        assert_eq!(verdict(n::SYS_recvfrom, [3, 1, 1, 0, 0x1000, 0x2000]), n::SECCOMP_RET_ALLOW);
        for call in [n::SYS_sendmsg, n::SYS_sendmmsg, n::SYS_recvmsg, n::SYS_recvmmsg] {
            assert_eq!(verdict(call, [3, 0x1000, 0, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
        }
        // What is for netlink.
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, 0, 0x1000, 12]), n::SECCOMP_RET_USER_NOTIF);
        let flags = |flags: i32| u64::from(bits(flags));
        assert_eq!(
            verdict(n::SYS_recvmsg, [3, 1, flags(n::MSG_ERRQUEUE), 0, 0, 0]),
            n::SECCOMP_RET_USER_NOTIF
        );
        assert_eq!(verdict(n::SYS_sendmsg, [3, 1, flags(n::MSG_OOB), 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        let refused = n::SECCOMP_RET_ERRNO | EOPNOTSUPP;
        assert_eq!(verdict(n::SYS_sendmsg, [3, 1, flags(n::MSG_FASTOPEN), 0, 0, 0]), refused);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, flags(n::MSG_FASTOPEN), 1, 16]), refused);
        assert_eq!(verdict(n::SYS_bind, [3, 1, 16, 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
    }

    #[test]
    fn reading_and_writing_are_never_asked_about() {
        for call in [0, 1] {
            assert_eq!(verdict(call, [0; 6]), n::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn netlink_leads_to_no_network_of_the_machine() {
        let netlink = |protocol: i32| {
            verdict(n::SYS_socket, [u64::from(bits(n::AF_NETLINK)), 3, u64::from(bits(protocol)), 0, 0, 0])
        };
        assert_eq!(netlink(n::NETLINK_ROUTE), n::SECCOMP_RET_USER_NOTIF);
        for (protocol, name) in [(4, "SOCK_DIAG"), (6, "XFRM"), (12, "NETFILTER"), (16, "GENERIC")] {
            assert_eq!(netlink(protocol), n::SECCOMP_RET_ERRNO | EPROTONOSUPPORT, "{name}");
        }
        for (protocol, name) in [(9, "AUDIT"), (15, "KOBJECT_UEVENT")] {
            assert_eq!(netlink(protocol), n::SECCOMP_RET_ALLOW, "{name}");
        }
    }

    #[test]
    fn pairs_are_af_unix_s_alone() {
        assert_eq!(verdict(n::SYS_socketpair, [1, 1, 0, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
        assert_eq!(verdict(n::SYS_socketpair, [30, 1, 0, 0, 0, 0]), n::SECCOMP_RET_ERRNO | EAFNOSUPPORT);
    }

    #[test]
    fn a_program_stays_readable_and_is_told_that_it_is_not() {
        let dumpable = |value| verdict(n::SYS_prctl, [4, value, 0, 0, 0, 0]);
        assert_eq!(dumpable(0), n::SECCOMP_RET_ERRNO);
        assert_eq!(dumpable(1), n::SECCOMP_RET_ALLOW);
        assert_eq!(verdict(n::SYS_prctl, [38, 0, 0, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn urgent_bytes_and_their_mark_are_ours_to_tell_of() {
        let flags = u64::from(bits(n::MSG_OOB));
        assert_eq!(verdict(n::SYS_recvfrom, [3, 1, 1, flags, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, flags, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict(n::SYS_recvfrom, [3, 1, 1, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
        assert_eq!(verdict(n::SYS_ioctl, [3, n::SIOCATMARK, 0, 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
    }

    #[test]
    fn that_more_follows_is_told_to_us() {
        let flags = u64::from(bits(n::MSG_MORE));
        let native = filter(DatagramCalls::Native);
        assert_eq!(verdict(n::SYS_sendto, [3, 1, 1, flags, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict_of(&native, n::SYS_sendto, [3, 1, 1, flags, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict_of(&native, n::SYS_sendmsg, [3, 1, flags, 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
        assert_eq!(verdict_of(&native, n::SYS_sendto, [3, 1, 1, 0, 0, 0]), n::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn interfaces_are_asked_for_on_every_descriptor() {
        let asked = |request: u64| verdict(n::SYS_ioctl, [3, request, 0, 0, 0, 0]);
        for request in [0x890b, 0x8910, 0x8912, 0x8927, 0x8933, 0x8946, 0x89ff, 0x8b01] {
            assert_eq!(asked(request), n::SECCOMP_RET_USER_NOTIF);
        }
        for request in [0x890a, 0x890d, 0x890f, 0x8a00, 0x8c00, 0x541b] {
            assert_eq!(asked(request), n::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn nothing_is_typed_into_a_terminal() {
        for request in TYPING {
            let asked = verdict(n::SYS_ioctl, [0, u64::MAX << 32 | u64::from(request), 0, 0, 0, 0]);
            assert_eq!(asked, n::SECCOMP_RET_ERRNO | EPERM);
        }
        assert_eq!(verdict(n::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0]), n::SECCOMP_RET_ALLOW, "TCGETS");
    }

    #[test]
    fn no_call_connects_by_sending() {
        let flags = u64::from(bits(n::MSG_FASTOPEN | n::MSG_DONTWAIT));
        for call in [n::SYS_sendto, n::SYS_sendmmsg] {
            assert_eq!(verdict(call, [3, 1, 1, flags, 1, 16]), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
        }
        assert_eq!(verdict(n::SYS_sendmsg, [3, 1, flags, 0, 0, 0]), n::SECCOMP_RET_ERRNO | EOPNOTSUPP);
    }

    #[test]
    fn rings_are_refused() {
        for call in [n::SYS_io_uring_setup, n::SYS_io_uring_enter, n::SYS_io_uring_register] {
            assert_eq!(verdict(call, [0; 6]), n::SECCOMP_RET_ERRNO | ENOSYS);
        }
    }

    #[test]
    fn timeouts_are_native_options() {
        for (name, action) in [
            (20, n::SECCOMP_RET_ALLOW),
            (n::SO_SNDBUF, n::SECCOMP_RET_USER_NOTIF),
            (n::SO_ERROR, n::SECCOMP_RET_USER_NOTIF),
            (libc::SO_KEEPALIVE, n::SECCOMP_RET_USER_NOTIF),
        ] {
            let arguments = [3, u64::from(bits(n::SOL_SOCKET)), u64::from(bits(name)), 0, 0, 0];
            assert_eq!(verdict(n::SYS_getsockopt, arguments), action);
        }
        assert_eq!(verdict(n::SYS_setsockopt, [3, 6, 20, 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
    }
}
