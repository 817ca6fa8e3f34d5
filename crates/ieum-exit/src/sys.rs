//! What rustix has no word for; all unsafe code of this crate is here.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Has the kernel tell a datagram socket of every ICMP error about what it sent (IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7)).
/// Without it only a refused port is told, and an unreachable host is silence. Each error stays in a queue until it is read
/// (MSG_ERRQUEUE).
pub(crate) fn hear_all_errors(socket: BorrowedFd<'_>, is_ip6: bool) -> Result<(), Errno> {
    let (level, name) =
        if is_ip6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    let on: libc::c_int = 1;
    // An int has four bytes wherever Linux runs.
    const LEN: libc::socklen_t = 4;
    // SAFETY: `socket` is open for as long as it is borrowed, and the kernel reads four bytes at a place that lives
    // until the call returns.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), LEN) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// What a socket was given to send and its peer has not acknowledged.
pub(crate) fn queued_bytes(socket: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: TIOCOUTQ takes a pointer to an int that lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
