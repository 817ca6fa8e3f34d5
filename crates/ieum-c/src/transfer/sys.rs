//! The doors for reading and writing.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_void};
use std::{io, ptr};

use ieum::sockets::Received;
use ieum::sockets::sockaddr::encode;
use libc::{iovec, sockaddr, socklen_t};

use super::{Asked, READ_BYTES_MAX, nothing_of, send};
use crate::answer::{count, error};
use crate::memory::sys::{buffers, fill, fill_value, gather, list, named, scatter};

/// Flags that change nothing about how bytes come into one buffer.
const PLAIN: c_int = libc::MSG_PEEK | libc::MSG_NOSIGNAL | libc::MSG_CMSG_CLOEXEC;

/// read(2).
///
/// # Safety
///
/// `into` leads to `len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_read(number: c_int, into: *mut c_void, len: usize) -> isize {
    match len {
        // As on Linux, where recv would wait for something.
        0 => count(|| nothing_of(number)),
        // SAFETY: as above.
        _ => unsafe { ieum_recv(number, into, len, 0) },
    }
}

/// readv(2).
///
/// # Safety
///
/// `into` leads to `into_count` buffers, each as long as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_readv(number: c_int, into: *const iovec, into_count: c_int) -> isize {
    count(|| {
        let into_count = usize::try_from(into_count).map_err(|_| error(libc::EINVAL))?;
        // SAFETY: as above.
        let into = unsafe { buffers(into, into_count) }?;
        if into.iter().all(|buffer| buffer.iov_len == 0) {
            return nothing_of(number);
        }
        // SAFETY: as above.
        Ok(unsafe { receive_into(Asked { number, flags: 0 }, into) }?.0)
    })
}

/// recv(2).
///
/// # Safety
///
/// `into` leads to `len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_recv(number: c_int, into: *mut c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: as above.
    unsafe { ieum_recvfrom(number, into, len, flags, ptr::null_mut(), ptr::null_mut()) }
}

/// recvfrom(2).
///
/// # Safety
///
/// `into` leads to `len` bytes or is NULL, and `address` to as many as `address_len` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_recvfrom(
    number: c_int,
    into: *mut c_void,
    len: usize,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> isize {
    count(|| {
        let asked = Asked { number, flags };
        let (answer, source) = if flags & !PLAIN == 0 && !into.is_null() && len <= READ_BYTES_MAX {
            // SAFETY: as above: no more than was asked for.
            asked.read(len, |bytes| unsafe { fill(into.cast(), bytes) })?
        } else {
            let buffer = iovec { iov_base: into, iov_len: len };
            // SAFETY: as above.
            let (answer, received) = unsafe { receive_into(asked, &[buffer]) }?;
            (answer, received.source)
        };
        if !address.is_null() {
            let source = source.map(encode).unwrap_or_default();
            // SAFETY: as above.
            unsafe { fill_value(address.cast(), address_len, &source, true) }?;
        }
        Ok(answer)
    })
}

/// write(2).
///
/// # Safety
///
/// `from` leads to `len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_write(number: c_int, from: *const c_void, len: usize) -> isize {
    // SAFETY: as above.
    unsafe { ieum_sendto(number, from, len, 0, ptr::null(), 0) }
}

/// writev(2).
///
/// # Safety
///
/// `from` leads to `from_count` buffers, each as long as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_writev(number: c_int, from: *const iovec, from_count: c_int) -> isize {
    count(|| {
        let from_count = usize::try_from(from_count).map_err(|_| error(libc::EINVAL))?;
        // SAFETY: as above.
        let bytes = unsafe { gather(buffers(from, from_count)?) }?;
        send(number, Ok(&bytes), 0, None, &[])
    })
}

/// send(2).
///
/// # Safety
///
/// `from` leads to `len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_send(number: c_int, from: *const c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: as above.
    unsafe { ieum_sendto(number, from, len, flags, ptr::null(), 0) }
}

/// sendto(2).
///
/// # Safety
///
/// `from` leads to `len` bytes or is NULL, and `address` to `address_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_sendto(
    number: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> isize {
    count(|| {
        // SAFETY: as above.
        let to = (!address.is_null()).then(|| unsafe { named(address, address_len) });
        // SAFETY: as above.
        send(number, unsafe { list(from.cast(), len) }, flags, to, &[])
    })
}

/// Reads into buffers; what the call returns, and what was read besides their bytes.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn receive_into(asked: Asked, into: &[iovec]) -> io::Result<(usize, Received)> {
    let room = into.iter().fold(0_usize, |room, buffer| room.saturating_add(buffer.iov_len));
    let has_room = into.iter().all(|buffer| !buffer.iov_base.is_null() || buffer.iov_len == 0);
    let (answer, received) = asked.receive(room, has_room)?;
    // SAFETY: as above.
    unsafe { scatter(into, &received.bytes) }?;
    Ok((answer, received))
}
