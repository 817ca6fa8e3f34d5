//! System calls of and about sockets of the namespace, and those of the helper's beginning, for which rustix has no safe
//! word.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use crate::sys::{check, last_error};

/// The longest address the kernel tells (sizeof struct sockaddr_storage).
const ADDRESS_BYTES_MAX: usize = 128;

/// The number of the network namespace that a socket belongs to (SO_NETNS_COOKIE).
pub(crate) fn namespace_cookie(socket: BorrowedFd<'_>) -> rustix::io::Result<u64> {
    let value = get_option(socket, (libc::SOL_SOCKET, libc::SO_NETNS_COOKIE), &[], size_of::<u64>())?;
    Ok(u64::from_ne_bytes(value.try_into().map_err(|_| Errno::INVAL)?))
}

/// socket(2) with any family, kind and protocol.
pub(super) fn socket((family, kind, protocol): (i32, i32, i32)) -> rustix::io::Result<OwnedFd> {
    // SAFETY: the call takes integers.
    let number = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the descriptor was just made, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A new user namespace, in which this process may do everything, and a new network namespace of that.
pub(super) fn enter_new_namespaces() -> rustix::io::Result<()> {
    // SAFETY: the call takes an integer; the table of descriptors stays shared as it is.
    check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) }).map(drop)
}

/// One more network namespace of the user namespace that this process is in.
pub(super) fn enter_new_network_namespace() -> rustix::io::Result<()> {
    // SAFETY: the call takes an integer; the table of descriptors stays shared as it is.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Closes every descriptor but that one, which gets number 3, and lets the standard ones lead nowhere.
pub(super) fn keep_only(kept: OwnedFd) -> rustix::io::Result<OwnedFd> {
    const KEPT_AT: RawFd = 3;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    if null.as_raw_fd() == KEPT_AT {
        drop(null);
    } else {
        // The range below closes it.
        std::mem::forget(null);
    }
    let number = kept.as_raw_fd();
    if number != KEPT_AT {
        // SAFETY: the call takes integers; whatever was 3 in this process, which has just begun, is used no more.
        check(unsafe { libc::dup3(number, KEPT_AT, libc::O_CLOEXEC) })?;
    }
    std::mem::forget(kept);
    // SAFETY: the call takes integers; nothing in this process, which has just begun, uses a descriptor above 3 any more,
    // and those owners that exist are never dropped, since it ends by `leave`.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, KEPT_AT + 1, u32::MAX, 0) };
    if closed < 0 {
        return Err(last_error());
    }
    // SAFETY: the number is open, and its owners above were forgotten.
    Ok(unsafe { OwnedFd::from_raw_fd(KEPT_AT) })
}

/// Ends this process, and nothing that its memory holds is told of it.
pub(super) fn leave() -> ! {
    // SAFETY: the call takes an integer.
    unsafe { libc::_exit(0) }
}

/// bind(2) or connect(2), as `call` says, with an address as a program wrote it.
pub(crate) fn with_address(
    socket: BorrowedFd<'_>,
    call: AddressCall,
    address: &[u8],
) -> rustix::io::Result<()> {
    let len = libc::socklen_t::try_from(address.len()).map_err(|_| Errno::INVAL)?;
    let (number, address) = (socket.as_raw_fd(), address.as_ptr().cast());
    // SAFETY: the kernel reads `len` bytes at `address`, borrowed for the call, and nothing else.
    check(unsafe {
        match call {
            AddressCall::Bind => libc::bind(number, address, len),
            AddressCall::Connect => libc::connect(number, address, len),
        }
    })
    .map(drop)
}

/// A call that takes an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AddressCall {
    Bind,
    Connect,
}

/// getsockname(2), or getpeername(2) of the `peer`: the address as the kernel writes it.
pub(crate) fn address(socket: BorrowedFd<'_>, peer: bool) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = [0u8; ADDRESS_BYTES_MAX];
    let mut len = libc::socklen_t::try_from(bytes.len()).map_err(|_| Errno::INVAL)?;
    let (number, at) = (socket.as_raw_fd(), bytes.as_mut_ptr().cast());
    // SAFETY: the kernel writes at most `len` bytes at `at`, which is as long, and how many there are into `len`.
    check(unsafe {
        match peer {
            false => libc::getsockname(number, at, &raw mut len),
            true => libc::getpeername(number, at, &raw mut len),
        }
    })?;
    let len = usize::try_from(len).map_err(|_| Errno::INVAL)?;
    Ok(bytes.get(..len).unwrap_or(&bytes).to_vec())
}

/// getsockopt(2) with room for so many bytes, of which the first are given. Only for options whose values hold no
/// pointers.
pub(crate) fn get_option(
    socket: BorrowedFd<'_>,
    (level, name): (i32, i32),
    given: &[u8],
    room: usize,
) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; room.max(given.len())];
    bytes[..given.len()].copy_from_slice(given);
    let mut len = libc::socklen_t::try_from(room).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads and writes at most `len` bytes of `bytes`, which is as long, and how many into `len`.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, bytes.as_mut_ptr().cast(), &raw mut len)
    })?;
    bytes.truncate(usize::try_from(len).map_err(|_| Errno::INVAL)?);
    Ok(bytes)
}

/// setsockopt(2). Only for options whose values hold neither pointers nor descriptors.
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    (level, name): (i32, i32),
    value: &[u8],
) -> rustix::io::Result<()> {
    let len = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads at most `len` bytes of `value`, borrowed for the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), len) }).map(drop)
}

/// setsockopt(2) with a program for packets (SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF): instructions as C has them, which the
/// kernel looks through before it takes them.
pub(crate) fn attach_filter(socket: BorrowedFd<'_>, name: i32, program: &[u8]) -> rustix::io::Result<()> {
    let instructions: Vec<libc::sock_filter> = program
        .as_chunks::<FILTER_INSTRUCTION_BYTES>()
        .0
        .iter()
        .map(|[c0, c1, jt, jf, k0, k1, k2, k3]| libc::sock_filter {
            code: u16::from_ne_bytes([*c0, *c1]),
            jt: *jt,
            jf: *jf,
            k: u32::from_ne_bytes([*k0, *k1, *k2, *k3]),
        })
        .collect();
    let len = libc::c_ushort::try_from(instructions.len()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: instructions.as_ptr().cast_mut() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads a sock_fprog, and of its instructions as many as there are; both live through the call, and
    // nothing is written.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const program).cast(), size)
    })
    .map(drop)
}

/// sizeof struct sock_filter.
pub(crate) const FILTER_INSTRUCTION_BYTES: usize = 8;

/// shutdown(2) and listen(2), whose second argument is a number.
pub(crate) fn with_number(socket: BorrowedFd<'_>, call: NumberCall, number: i32) -> rustix::io::Result<()> {
    // SAFETY: the calls take integers.
    check(unsafe {
        match call {
            NumberCall::Shutdown => libc::shutdown(socket.as_raw_fd(), number),
            NumberCall::Listen => libc::listen(socket.as_raw_fd(), number),
        }
    })
    .map(drop)
}

/// A call that takes a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NumberCall {
    Shutdown,
    Listen,
}

/// An ioctl(2) that answers an int: SIOCOUTQ and its like.
pub(crate) fn int_of_request(socket: BorrowedFd<'_>, request: u64) -> rustix::io::Result<i32> {
    let mut answer: libc::c_int = 0;
    // SAFETY: the requests that come here (SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK) write an int, which lives through the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut answer) })?;
    Ok(answer)
}
