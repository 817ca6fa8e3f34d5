//! Memory of the tool's: what lies there, and what is put there.
//!
//! A pointer that is not NULL leads to as many bytes as its length says, for as long as the call lasts. `SAFETY: as
//! above` means that.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::{ptr, slice};

use ieum_socket::Errno;
use libc::{iovec, sockaddr, socklen_t};

/// A length of C's.
pub(in crate::door) fn length(length: socklen_t) -> usize {
    usize::try_from(length).unwrap_or(0)
}

/// Bytes of the caller's; NULL is a bad address unless it is for none.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn bytes<'a>(at: *const c_void, length: usize) -> Result<&'a [u8], Errno> {
    match (at.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Errno::EFAULT),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts(at.cast(), length) }),
    }
}

/// A list of the caller's.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn list<'a, T>(at: *const T, count: usize) -> Result<&'a [T], Errno> {
    match (at.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Errno::EFAULT),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts(at, count) }),
    }
}

/// Bytes for the caller.
///
/// # Safety
///
/// As above; `room` bytes can be written there unless it is NULL.
pub(in crate::door) unsafe fn fill(at: *mut c_void, room: usize, from: &[u8]) {
    if !at.is_null() {
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), at.cast::<u8>(), from.len().min(room)) };
    }
}

/// A value for the caller, cut to the room that it says it has; then it is told how long the value is.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn fill_value(
    at: *mut c_void,
    room: *mut socklen_t,
    from: &[u8],
    told_whole: bool,
) {
    if room.is_null() {
        return;
    }
    // SAFETY: as above.
    unsafe {
        let had = length(*room);
        fill(at, had, from);
        let told = if told_whole { from.len() } else { from.len().min(had) };
        *room = socklen_t::try_from(told).unwrap_or(socklen_t::MAX);
    }
}

/// An address of the caller's; `None` for AF_UNSPEC.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn named(
    at: *const sockaddr,
    len: socklen_t,
) -> Result<Option<SocketAddr>, Errno> {
    // SAFETY: as above.
    ieum_socket::sockaddr::decode(unsafe { bytes(at.cast(), length(len)) }?)
}

/// Buffers of `readv`, `writev` and messages.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn gather(buffers: &[iovec]) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    for buffer in buffers {
        // SAFETY: as above.
        all.extend(unsafe { bytes(buffer.iov_base, buffer.iov_len) }?);
    }
    Ok(all)
}

/// The other way round.
///
/// # Safety
///
/// As above.
pub(in crate::door) unsafe fn scatter(buffers: &[iovec], mut from: &[u8]) {
    for buffer in buffers {
        let (here, rest) = from.split_at(from.len().min(buffer.iov_len));
        // SAFETY: as above.
        unsafe { fill(buffer.iov_base, buffer.iov_len, here) };
        from = rest;
    }
}
