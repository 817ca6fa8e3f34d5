//! The system calls for which rustix has no word, each a small function. Those that make the program's first
//! process are in `program/sys.rs`; nowhere else in this crate is unsafe code.
//!
//! Values that come from the kernel or from the program are plain integers and bytes; nothing here decides.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;

/// Numbers of system calls, options and flags that a filter or a decoder compares with.
pub(crate) mod number {
    pub(crate) use ieum_socket::numbers::{
        IP_MSFILTER, MCAST_MSFILTER, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW,
    };
    pub(crate) use libc::{
        AF_ALG, AF_BRIDGE, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, IPPROTO_IPV6,
        IPPROTO_TCP, IPPROTO_UDP, MSG_CTRUNC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_MORE,
        MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_WAITFORONE, NETLINK_ROUTE,
        PR_SET_DUMPABLE, RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE, RTM_GETRULE, RTM_NEWLINK,
        SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF,
        SHUT_RD, SHUT_RDWR, SHUT_WR, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGTERM, SIGTTOU,
        SIGUSR1, SIGUSR2, SO_DOMAIN, SO_ERROR, SO_OOBINLINE, SO_PROTOCOL, SO_RCVBUF, SO_RCVLOWAT,
        SO_RCVTIMEO, SO_SNDBUF, SO_SNDTIMEO, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TYPE, SOCK_CLOEXEC, SOCK_DGRAM,
        SOCK_NONBLOCK, SOCK_RAW, SOL_NETLINK, SOL_SOCKET, SYS_accept, SYS_accept4, SYS_bind, SYS_connect,
        SYS_getpeername, SYS_getsockname, SYS_getsockopt, SYS_io_uring_enter, SYS_io_uring_register,
        SYS_io_uring_setup, SYS_ioctl, SYS_listen, SYS_prctl, SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg,
        SYS_seccomp, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt, SYS_shutdown, SYS_socket,
        SYS_socketpair, TCP_INFO, TCP_INQ, TCP_NOTSENT_LOWAT, TIOCOUTQ,
    };
    // What ieum itself is not allowed.
    pub(crate) use libc::{
        SYS_acct, SYS_add_key, SYS_adjtimex, SYS_bpf, SYS_capset, SYS_chroot, SYS_clock_adjtime,
        SYS_clock_settime, SYS_delete_module, SYS_execve, SYS_execveat, SYS_fanotify_init, SYS_fchown,
        SYS_fchownat, SYS_finit_module, SYS_fsconfig, SYS_fsetxattr, SYS_fsmount, SYS_fsopen, SYS_fspick,
        SYS_init_module, SYS_kcmp, SYS_kexec_file_load, SYS_kexec_load, SYS_keyctl, SYS_lsetxattr,
        SYS_mknodat, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_open_by_handle_at, SYS_open_tree,
        SYS_perf_event_open, SYS_personality, SYS_pivot_root, SYS_process_madvise, SYS_process_mrelease,
        SYS_ptrace, SYS_quotactl, SYS_reboot, SYS_request_key, SYS_setdomainname, SYS_setfsgid, SYS_setfsuid,
        SYS_setgid, SYS_setgroups, SYS_sethostname, SYS_setns, SYS_setregid, SYS_setresgid, SYS_setresuid,
        SYS_setreuid, SYS_settimeofday, SYS_setuid, SYS_setxattr, SYS_swapoff, SYS_swapon, SYS_syslog,
        SYS_umount2, SYS_unshare, SYS_userfaultfd, SYS_vhangup,
    };
    #[cfg(target_arch = "x86_64")]
    pub(crate) use libc::{
        SYS_chown, SYS_ioperm, SYS_iopl, SYS_lchown, SYS_mknod, SYS_modify_ldt, SYS_uselib,
    };
    /// How much has not been sent yet? The same on all served machines.
    pub(crate) const SIOCOUTQNSD: libc::Ioctl = 0x894b;
    /// Is the next byte the urgent one? The same on all served machines.
    pub(crate) const SIOCATMARK: libc::Ioctl = 0x8905;
    /// The machine the filter lets through; every other one is refused.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const AUDIT_ARCH: u32 = 0xc000_003e;
    /// The machine the filter lets through; every other one is refused.
    #[cfg(target_arch = "aarch64")]
    pub(crate) const AUDIT_ARCH: u32 = 0xc000_00b7;
}

pub(crate) use libc::sock_filter as FilterInstruction;

/// What a signal descriptor tells of one signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The signal's number.
    pub(crate) signal: i32,
    /// A process sent it, not the kernel (a terminal's signals come from the kernel).
    pub(crate) by_process: bool,
}

/// One notified system call, as the kernel tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawNotification {
    pub(crate) id: u64,
    /// The calling thread.
    pub(crate) thread: i32,
    pub(crate) call: i64,
    pub(crate) arguments: [u64; 6],
}

pub(crate) fn check(result: libc::c_int) -> rustix::io::Result<libc::c_int> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

pub(crate) fn last_error() -> Errno {
    Errno::from_raw_os_error(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// Waits for nothing: the next notification, ENOENT when its caller is gone. Call it only when the descriptor polls
/// readable, or it waits.
pub(crate) fn receive_notification(listener: BorrowedFd<'_>) -> rustix::io::Result<RawNotification> {
    // SAFETY: the struct is plain integers, for which all zeroes is a value, and the kernel demands zeroes.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the request takes a pointer to a seccomp_notif that lives through the call.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification)
    })?;
    Ok(RawNotification {
        id: notification.id,
        thread: i32::try_from(notification.pid).map_err(|_| Errno::SRCH)?,
        call: i64::from(notification.data.nr),
        arguments: notification.data.args,
    })
}

/// How a notified call is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Value(i64),
    Error(i32),
    /// The kernel serves the call as if nobody had looked.
    Continue,
}

impl Reply {
    /// So many bytes.
    pub(crate) fn of_count(count: usize) -> Reply {
        Reply::Value(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// Answers a notified call. ENOENT: the caller was interrupted or killed.
pub(crate) fn send_reply(listener: BorrowedFd<'_>, id: u64, reply: Reply) -> rustix::io::Result<()> {
    let mut response = libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 0 };
    match reply {
        Reply::Value(value) => response.val = value,
        Reply::Error(number) => response.error = -number,
        Reply::Continue => response.flags = 1, // SECCOMP_USER_NOTIF_FLAG_CONTINUE
    }
    // SAFETY: the request takes a pointer to a seccomp_notif_resp that lives through the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) })
        .map(drop)
}

/// Whether the caller still waits for its answer.
pub(crate) fn notification_is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    let mut id = id;
    // SAFETY: the request takes a pointer to a u64 that lives through the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw mut id) == 0 }
}

/// Puts `fd` into the caller's table at the lowest free number and, in one step, answers the call with that number.
pub(crate) fn add_descriptor_and_reply(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> rustix::io::Result<i32> {
    add_descriptor(listener, id, fd, 2, 0, close_on_exec) // SECCOMP_ADDFD_FLAG_SEND
}

/// Puts `fd` into the caller's table in the place of `number`.
pub(crate) fn replace_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    number: u32,
    close_on_exec: bool,
) -> rustix::io::Result<i32> {
    add_descriptor(listener, id, fd, 1, number, close_on_exec) // SECCOMP_ADDFD_FLAG_SETFD
}

fn add_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    flags: u32,
    number: u32,
    close_on_exec: bool,
) -> rustix::io::Result<i32> {
    let mut request = libc::seccomp_notif_addfd {
        id,
        flags,
        srcfd: fd.as_raw_fd().cast_unsigned(),
        newfd: number,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
    };
    // SAFETY: the request takes a pointer to a seccomp_notif_addfd that lives through the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut request) })
}

/// Whether a descriptor is the listener of a filter: it knows of no call 0, and others know of no calls.
pub(crate) fn is_listener(fd: BorrowedFd<'_>) -> bool {
    let mut id = 0u64;
    // SAFETY: the request takes a pointer to a u64 that lives through the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw mut id) };
    result == 0 || last_error() == Errno::NOENT
}

/// Asks the kernel to wake the supervisor on the caller's core (Linux 6.6); EINVAL before.
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags: libc::c_ulong = 1; // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    // SAFETY: the request takes its flags by value.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) }).map(drop)
}

/// Reads the memory of another process; how many bytes could be read.
pub(crate) fn read_memory(thread: i32, address: u64, into: &mut [u8]) -> rustix::io::Result<usize> {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = remote_range(address, into.len())?;
    // SAFETY: `local` describes `into`, borrowed mutably for the whole call; the remote side is the kernel's to check.
    transferred(unsafe { libc::process_vm_readv(thread, &raw const local, 1, &raw const remote, 1, 0) })
}

/// Writes the memory of another process; how many bytes could be written.
pub(crate) fn write_memory(thread: i32, address: u64, bytes: &[u8]) -> rustix::io::Result<usize> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = remote_range(address, bytes.len())?;
    // SAFETY: the kernel only reads from `local`, which describes `bytes`, borrowed for the whole call.
    transferred(unsafe { libc::process_vm_writev(thread, &raw const local, 1, &raw const remote, 1, 0) })
}

fn remote_range(address: u64, len: usize) -> rustix::io::Result<libc::iovec> {
    let address = usize::try_from(address).map_err(|_| Errno::FAULT)?;
    Ok(libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: len })
}

fn transferred(result: isize) -> rustix::io::Result<usize> {
    usize::try_from(result).map_err(|_| last_error())
}

/// Registers the file of `fd` with `epoll` under the number `number`, which it has in another process's table. A set of
/// epoll knows a file together with its number, so for a moment it has that number here.
///
/// Whoever bears the number here has it back before this returns. Nothing else runs meanwhile: this process has one thread,
/// and its signals come through a descriptor.
pub(crate) fn watch_as(
    epoll: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
    number: RawFd,
    events: u32,
    data: u64,
) -> rustix::io::Result<()> {
    // SAFETY: asks for flags and for a copy at a free number; both fail with EBADF where nobody bears the number.
    let (flags, saved) =
        unsafe { (libc::fcntl(number, libc::F_GETFD), libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0)) };
    if saved < 0 && last_error() != Errno::BADF {
        return Err(last_error());
    }
    let epoll = if epoll.as_raw_fd() == number { saved } else { epoll.as_raw_fd() };
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the numbers are of descriptors that live through the calls, and `event` is a local; what `number` stood for
    // is kept in `saved` and put back below.
    let result = unsafe {
        match fd.as_raw_fd() == number || libc::dup3(fd.as_raw_fd(), number, libc::O_CLOEXEC) >= 0 {
            true => check(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, number, &raw mut event)),
            false => Err(last_error()),
        }
    };
    // SAFETY: gives `number` back to whom it belonged, or frees it; `saved` is this function's own.
    unsafe {
        if saved >= 0 {
            if fd.as_raw_fd() != number {
                libc::dup3(saved, number, if flags & libc::FD_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 });
            }
            libc::close(saved);
        } else {
            libc::close(number);
        }
    }
    result.map(drop)
}

/// The process that connected the far end of an AF_UNIX socket, as numbered here; 0 for one that has no number here.
/// (rustix's word for it has no 0.)
pub(crate) fn peer_process(fd: BorrowedFd<'_>) -> rustix::io::Result<i32> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the option is a ucred, which lives through the call and whose size `len` says.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    })?;
    Ok(credentials.pid)
}

/// One datagram of an AF_UNIX socket that has SO_PASSCRED.
#[derive(Debug)]
pub(crate) struct ReceivedDatagram {
    /// Its length; what did not fit into the buffer is gone.
    pub(crate) len: usize,
    /// The abstract name of the sending socket, without the zero in front; empty for another kind of name, or none.
    pub(crate) name: Vec<u8>,
    /// The process that sent it, as numbered here; 0 for one that has no number here, or is not known.
    pub(crate) process: i32,
    /// At which time of day the socket got it, if it has SO_TIMESTAMPNS.
    pub(crate) stamp: Option<Duration>,
}

/// Receives a datagram and who sent it, without waiting.
pub(crate) fn receive_datagram(
    fd: BorrowedFd<'_>,
    into: &mut [u8],
    peek: bool,
) -> rustix::io::Result<ReceivedDatagram> {
    // More than a ucred, a timespec and their headers need, in words so that it is aligned as headers must be.
    let mut control = [0u64; 16];
    // SAFETY: both structs are plain integers and pointers, for which all zeroes is a value.
    let (mut address, mut message): (libc::sockaddr_un, libc::msghdr) = unsafe { std::mem::zeroed() };
    let mut piece = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = libc::socklen_t::try_from(size_of_val(&address)).map_err(|_| Errno::INVAL)?;
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control);
    let peek = if peek { libc::MSG_PEEK } else { 0 };
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC | peek;
    // SAFETY: every pointer of `message` leads to a local, or to `into`, which live through the call.
    let len = transferred(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
    let path = usize::try_from(message.msg_namelen)
        .unwrap_or(0)
        .checked_sub(std::mem::offset_of!(libc::sockaddr_un, sun_path))
        .and_then(|len| address.sun_path.get(..len));
    let name = match path {
        Some([0, name @ ..]) => name.iter().map(|byte| u8::from_ne_bytes(byte.to_ne_bytes())).collect(),
        Some(_) | None => Vec::new(),
    };
    let (process, stamp) = told_of(&message);
    Ok(ReceivedDatagram { len, name, process, stamp })
}

/// What the control messages say: the sending process, and when the socket got it. Descriptors that came along are closed.
fn told_of(message: &libc::msghdr) -> (i32, Option<Duration>) {
    let (mut process, mut stamp) = (0, None);
    // SAFETY: recvmsg filled `message`, whose control buffer is still there; the macros stay within it, and a message of
    // these kinds holds a ucred, a timespec or whole descriptors, read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            let is_socket_level = (*header).cmsg_level == libc::SOL_SOCKET;
            if is_socket_level && (*header).cmsg_type == libc::SCM_CREDENTIALS {
                process = data.cast::<libc::ucred>().read_unaligned().pid;
            } else if is_socket_level && (*header).cmsg_type == libc::SO_TIMESTAMPNS {
                let at = data.cast::<libc::timespec>().read_unaligned();
                let (seconds, nanos) = (u64::try_from(at.tv_sec), u32::try_from(at.tv_nsec));
                stamp = seconds.ok().zip(nanos.ok()).map(|(seconds, nanos)| Duration::new(seconds, nanos));
            } else if is_socket_level && (*header).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*header).cmsg_len.saturating_sub(data.offset_from_unsigned(header.cast()));
                for index in 0..bytes / size_of::<RawFd>() {
                    let number = data.cast::<RawFd>().add(index).read_unaligned();
                    drop(OwnedFd::from_raw_fd(number));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    (process, stamp)
}

/// Bytes that wait unread in a socket.
pub(crate) fn unread_bytes(fd: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD takes a pointer to an int that lives through the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if result < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
}

/// What the kernel is charged for what was sent and the other end has not read: more than its bytes.
pub(crate) fn queued_bytes(fd: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: TIOCOUTQ takes a pointer to an int that lives through the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
}

/// Is the next byte of a socket one that was sent as urgent?
pub(crate) fn is_at_mark(fd: BorrowedFd<'_>) -> bool {
    let mut answer: libc::c_int = 0;
    // SAFETY: SIOCATMARK takes a pointer to an int that lives through the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), number::SIOCATMARK, &raw mut answer) };
    result == 0 && answer != 0
}

/// The signals of `signals` are held back from the calling thread and come through the descriptor instead.
/// Returns it together with the mask as it was.
pub(crate) fn signal_descriptor(signals: &[i32]) -> rustix::io::Result<(OwnedFd, libc::sigset_t)> {
    // SAFETY: a sigset_t is plain integers; both sets live through the calls, which only fill and read them.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, &raw mut before))?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))?;
        Ok((OwnedFd::from_raw_fd(fd), before))
    }
}

/// Whoever is told of `from` by signals is told of `to` (fcntl(2): F_SETOWN_EX, F_SETSIG). An owner that is gone is none.
pub(crate) fn pass_on_owner(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    let mut owner = [0 as libc::c_int; 2];
    // SAFETY: `owner` is laid out as `struct f_owner_ex`, a type and a number, and lives through the calls; the others take
    // integers.
    unsafe {
        if libc::fcntl(from, F_GETOWN_EX, owner.as_mut_ptr()) == 0 && owner[1] != 0 {
            libc::fcntl(to, F_SETOWN_EX, owner.as_ptr());
        }
        libc::fcntl(to, F_SETSIG, libc::fcntl(from, F_GETSIG));
    }
}

/// Commands of fcntl(2) that the C library's crate does not name (asm-generic/fcntl.h).
const F_SETSIG: libc::c_int = 10;
const F_GETSIG: libc::c_int = 11;
const F_SETOWN_EX: libc::c_int = 15;
const F_GETOWN_EX: libc::c_int = 16;

/// The signal does nothing to this process, and to those that it starts from now on.
pub(crate) fn ignore_signal(signal: i32) {
    // SAFETY: no handler is installed; a number that is no signal is refused.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// The calling thread's mask of signals is again what it was.
pub(crate) fn restore_signals(before: &libc::sigset_t) -> rustix::io::Result<()> {
    // SAFETY: the set lives through the call, which only reads it.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) }).map(drop)
}

/// The next signal of a signal descriptor, if one waits.
pub(crate) fn next_signal(fd: BorrowedFd<'_>) -> Option<Arrival> {
    // SAFETY: the struct is plain integers, for which all zeroes is a value.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let len = size_of::<libc::signalfd_siginfo>();
    // SAFETY: `info` is `len` bytes long and lives through the call.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), len) };
    if usize::try_from(read) != Ok(len) {
        return None;
    }
    Some(Arrival { signal: info.ssi_signo.cast_signed(), by_process: info.ssi_code <= 0 })
}

/// Sends a signal to the process behind a pidfd, which cannot be a stranger that took over its number.
pub(crate) fn signal_process(pidfd: BorrowedFd<'_>, signal: i32) -> rustix::io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call takes a descriptor and integers; a null siginfo is allowed.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// Sends a signal to one thread. Who asks knows that the thread lives: its call was just answered.
pub(crate) fn signal_thread(thread: i32, signal: i32) {
    // SAFETY: the call takes integers.
    unsafe { libc::syscall(libc::SYS_tkill, thread, signal) };
}

/// A filter as seccomp(2) takes it; it points to `filter`, which the kernel only reads.
pub(crate) fn filter_program(filter: &[FilterInstruction]) -> rustix::io::Result<libc::sock_fprog> {
    let len = u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?;
    Ok(libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() })
}

/// The calling process is filtered from now on, and so are its children to come. It must have given up new privileges.
pub(crate) fn refuse_from_now_on(filter: &[FilterInstruction]) -> rustix::io::Result<()> {
    let program = filter_program(filter)?;
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
    // SAFETY: seccomp only reads `program` and the instructions it points to.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    // A positive result is a thread that could not be filtered as well.
    if result == 0 { Ok(()) } else { Err(if result < 0 { last_error() } else { Errno::BUSY }) }
}
