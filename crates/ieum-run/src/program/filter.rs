//! The filter in front of every system call of the program, and the small assembler it is written with.
//!
//! The rules, in the order they are asked:
//!
//! 1. A foreign architecture (32-bit programs, x32): ENOSYS. Their numbers and structures are not served.
//! 2. `socket`: AF_INET and AF_INET6 are ours; AF_UNIX, AF_NETLINK and AF_ALG are the kernel's. Every other family is
//!    refused (AF_PACKET with EPERM, as an unprivileged program sees it): some carry packets past the host
//!    (AF_PACKET, AF_SMC, AF_RXRPC, AF_TIPC).
//! 3. Control calls are notified: ours is told from the kernel's by the descriptor, which a filter cannot look into.
//! 4. Data calls are native, save where an address is asked for or given: AF_UNIX would show through.
//! 5. `io_uring_setup`: ENOSYS, since a ring makes sockets without asking anybody.

use crate::sys::FilterInstruction;
use crate::sys::number as n;

/// Classic BPF, as much of it as a filter needs: load a word of seccomp_data, compare, return.
mod bpf {
    pub(super) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    pub(super) const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    pub(super) const GREATER_OR_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    pub(super) const ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    pub(super) const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    pub(super) const OFFSET_CALL: u32 = 0;
    pub(super) const OFFSET_ARCH: u32 = 4;
    pub(super) const OFFSET_ARGUMENTS: u32 = 16;
}

const ENOSYS: u32 = 38;
const EPERM: u32 = 1;
const EAFNOSUPPORT: u32 = 97;
/// SO_RCVTIMEO, SO_SNDTIMEO and their forms with 64-bit seconds; their numbers are the same on every served machine.
const NATIVE_TIMEOUTS: [u32; 4] = [20, 21, 66, 67];
/// The bit that marks a call of the x32 kind.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// Instructions in the making. Every method appends; a block ends by returning.
#[derive(Default)]
struct Assembler {
    code: Vec<FilterInstruction>,
}

impl Assembler {
    fn push(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.code.push(FilterInstruction { code, jt, jf, k });
    }

    fn ret(&mut self, action: u32) {
        self.push(bpf::RETURN, action, 0, 0);
    }

    fn refuse(&mut self, errno: u32) {
        self.ret(n::SECCOMP_RET_ERRNO | errno);
    }

    fn load(&mut self, offset: u32) {
        self.push(bpf::LOAD, offset, 0, 0);
    }

    /// The lower half of argument `index`; little-endian machines only, which both served ones are.
    fn load_argument(&mut self, index: u32) {
        self.load(bpf::OFFSET_ARGUMENTS + 8 * index);
    }

    fn load_argument_high(&mut self, index: u32) {
        self.load(bpf::OFFSET_ARGUMENTS + 8 * index + 4);
    }

    /// Returns `action` if the loaded word is `value`.
    fn if_equal(&mut self, value: u32, action: u32) {
        self.push(bpf::EQUAL, value, 0, 1);
        self.ret(action);
    }

    /// Returns `action` if the loaded word is not `value`.
    fn if_not_equal(&mut self, value: u32, action: u32) {
        self.push(bpf::EQUAL, value, 1, 0);
        self.ret(action);
    }

    /// Returns `action` if the loaded word has a bit of `mask`.
    fn if_any_bit(&mut self, mask: u32, action: u32) {
        self.push(bpf::ANY_BIT, mask, 0, 1);
        self.ret(action);
    }

    /// What is done with system call `number`: `block` must return on every path.
    fn on_call(&mut self, number: i64, block: impl FnOnce(&mut Assembler)) {
        let mut inner = Assembler::default();
        block(&mut inner);
        let number = u32::try_from(number).expect("numbers of system calls are small and positive");
        let skip = u8::try_from(inner.code.len()).expect("a block is shorter than a jump reaches");
        self.push(bpf::EQUAL, number, 0, skip);
        self.code.append(&mut inner.code);
    }
}

fn bits(value: i32) -> u32 {
    value.cast_unsigned()
}

/// The filter.
pub(crate) fn filter() -> Vec<FilterInstruction> {
    let mut a = Assembler::default();
    a.load(bpf::OFFSET_ARCH);
    a.if_not_equal(n::AUDIT_ARCH, n::SECCOMP_RET_ERRNO | ENOSYS);
    a.load(bpf::OFFSET_CALL);
    #[cfg(target_arch = "x86_64")]
    {
        a.push(bpf::GREATER_OR_EQUAL, X32_BIT, 0, 1);
        a.refuse(ENOSYS);
    }
    data_calls(&mut a);
    control_calls(&mut a);
    a.on_call(n::SYS_io_uring_setup, |a| a.refuse(ENOSYS));
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
    for (call, flags) in [(n::SYS_sendto, n::MSG_FASTOPEN), (n::SYS_recvfrom, n::MSG_TRUNC)] {
        a.on_call(call, |a| {
            a.load_argument(3);
            a.if_any_bit(bits(flags), n::SECCOMP_RET_USER_NOTIF);
            // The address pointer, both halves.
            a.load_argument(4);
            a.if_not_equal(0, n::SECCOMP_RET_USER_NOTIF);
            a.load_argument_high(4);
            a.if_not_equal(0, n::SECCOMP_RET_USER_NOTIF);
            a.ret(n::SECCOMP_RET_ALLOW);
        });
    }
    for call in [n::SYS_sendmsg, n::SYS_recvmsg, n::SYS_sendmmsg, n::SYS_recvmmsg] {
        a.on_call(call, |a| a.ret(n::SECCOMP_RET_USER_NOTIF));
    }
}

fn control_calls(a: &mut Assembler) {
    a.on_call(n::SYS_socket, |a| {
        a.load_argument(0);
        for family in [n::AF_INET, n::AF_INET6] {
            a.if_equal(bits(family), n::SECCOMP_RET_USER_NOTIF);
        }
        for family in [n::AF_UNIX, n::AF_NETLINK, n::AF_ALG] {
            a.if_equal(bits(family), n::SECCOMP_RET_ALLOW);
        }
        a.if_equal(bits(n::AF_PACKET), n::SECCOMP_RET_ERRNO | EPERM);
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
    for call in [n::SYS_getsockopt, n::SYS_setsockopt] {
        a.on_call(call, |a| {
            a.load_argument(1);
            a.if_not_equal(bits(n::SOL_SOCKET), n::SECCOMP_RET_USER_NOTIF);
            a.load_argument(2);
            for name in [n::SO_RCVBUF, n::SO_SNDBUF] {
                a.if_equal(bits(name), n::SECCOMP_RET_ALLOW);
            }
            for name in NATIVE_TIMEOUTS {
                a.if_equal(name, n::SECCOMP_RET_ALLOW);
            }
            a.ret(n::SECCOMP_RET_USER_NOTIF);
        });
    }
    a.on_call(n::SYS_ioctl, |a| {
        a.load_argument(1);
        a.if_equal(u32::try_from(n::TIOCOUTQ).unwrap_or(0), n::SECCOMP_RET_USER_NOTIF);
        a.ret(n::SECCOMP_RET_ALLOW);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter over one call, as the kernel would.
    fn verdict(call: i64, arguments: [u64; 6]) -> u32 {
        let code = filter();
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
    fn reading_and_writing_are_never_asked_about() {
        for call in [0, 1] {
            assert_eq!(verdict(call, [0; 6]), n::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn rings_are_refused() {
        assert_eq!(verdict(n::SYS_io_uring_setup, [0; 6]), n::SECCOMP_RET_ERRNO | ENOSYS);
    }

    #[test]
    fn buffer_sizes_and_timeouts_are_native_options() {
        for (name, action) in [
            (20, n::SECCOMP_RET_ALLOW),
            (n::SO_RCVBUF, n::SECCOMP_RET_ALLOW),
            (n::SO_ERROR, n::SECCOMP_RET_USER_NOTIF),
            (libc::SO_KEEPALIVE, n::SECCOMP_RET_USER_NOTIF),
        ] {
            let arguments = [3, u64::from(bits(n::SOL_SOCKET)), u64::from(bits(name)), 0, 0, 0];
            assert_eq!(verdict(n::SYS_getsockopt, arguments), action);
        }
        assert_eq!(verdict(n::SYS_setsockopt, [3, 6, 20, 0, 0, 0]), n::SECCOMP_RET_USER_NOTIF);
    }
}
