//! Memory of C's: what lies there, and what is put there.
//!
//! A pointer that is not NULL leads to as many bytes as its length says, for as long as the call lasts, and nobody else
//! writes there meanwhile. What a call reads C has written; what it only fills may hold nothing yet, so that it is a
//! [`MaybeUninit`] here and never looked at. `SAFETY: as above` means that.

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::{io, ptr, slice};

use ieum::sockets::sockaddr::ADDRESS_BYTES_MAX;
use libc::{iovec, sockaddr, socklen_t};

use crate::answer::error;

/// The most buffers of one call (UIO_MAXIOV of Linux).
pub(crate) const BUFFERS_MAX: usize = 1024;

/// A length of C's.
pub(crate) fn length(length: socklen_t) -> usize {
    usize::try_from(length).unwrap_or(0)
}

/// A list of the caller's; NULL is a bad address unless it is for none.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn list<'a, T>(at: *const T, count: usize) -> io::Result<&'a [T]> {
    match (at.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(error(libc::EFAULT)),
        (false, _) if is_too_long::<T>(count) => Err(error(libc::EINVAL)),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts(at, count) }),
    }
}

/// The same to be filled, wholly or in part.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn list_mut<'a, T>(at: *mut T, count: usize) -> io::Result<&'a mut [MaybeUninit<T>]> {
    match (at.is_null(), count) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(error(libc::EFAULT)),
        (false, _) if is_too_long::<T>(count) => Err(error(libc::EINVAL)),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts_mut(at.cast(), count) }),
    }
}

/// Puts bytes where there is room for as many; NULL is a bad address unless there are none.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn fill(at: *mut u8, from: &[u8]) -> io::Result<()> {
    // SAFETY: as above.
    let into = unsafe { list_mut(at, from.len()) }?;
    // SAFETY: both are as long, and what is ours is not C's.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), into.as_mut_ptr().cast(), from.len()) };
    Ok(())
}

/// No memory is longer than half of all addresses: that was a negative number.
fn is_too_long<T>(count: usize) -> bool {
    count.checked_mul(size_of::<T>()).is_none_or(|bytes| isize::try_from(bytes).is_err())
}

/// A string of the caller's.
///
/// # Safety
///
/// As above; it ends with a NUL.
pub(crate) unsafe fn text<'a>(at: *const c_char) -> io::Result<&'a str> {
    if at.is_null() {
        return Err(error(libc::EFAULT));
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(at) }.to_str().map_err(|_| error(libc::EINVAL))
}

/// A value for the caller, cut to the room that it says it has; then it is told how long the value is: `told_whole`, though
/// it was cut.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn fill_value(
    at: *mut c_void,
    room: *mut socklen_t,
    from: &[u8],
    told_whole: bool,
) -> io::Result<()> {
    if room.is_null() {
        return Err(error(libc::EFAULT));
    }
    // SAFETY: as above. A number need not stand where numbers do.
    let had = unsafe { room.read_unaligned() };
    if i32::try_from(had).is_err() {
        return Err(error(libc::EINVAL));
    }
    let put = from.len().min(length(had));
    if at.is_null() && put > 0 {
        return Err(error(libc::EFAULT));
    }
    let told = if told_whole { from.len() } else { put };
    // SAFETY: as above.
    unsafe {
        ptr::copy_nonoverlapping(from.as_ptr(), at.cast::<u8>(), put);
        room.write_unaligned(socklen_t::try_from(told).unwrap_or(socklen_t::MAX));
    }
    Ok(())
}

/// The bytes of an address of the caller's.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn named<'a>(at: *const sockaddr, len: socklen_t) -> io::Result<&'a [u8]> {
    if length(len) > ADDRESS_BYTES_MAX {
        return Err(error(libc::EINVAL));
    }
    // SAFETY: as above.
    unsafe { list(at.cast::<u8>(), length(len)) }
}

/// The buffers of `readv`, `writev` and messages.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn buffers<'a>(at: *const iovec, count: usize) -> io::Result<&'a [iovec]> {
    if count > BUFFERS_MAX {
        return Err(error(libc::EINVAL));
    }
    // SAFETY: as above.
    unsafe { list(at, count) }
}

/// The bytes in buffers.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn gather(buffers: &[iovec]) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    for buffer in buffers {
        // SAFETY: as above.
        all.extend(unsafe { list(buffer.iov_base.cast::<u8>(), buffer.iov_len) }?);
    }
    Ok(all)
}

/// The other way round.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn scatter(buffers: &[iovec], mut from: &[u8]) -> io::Result<()> {
    for buffer in buffers {
        let (here, rest) = from.split_at(from.len().min(buffer.iov_len));
        // SAFETY: as above.
        unsafe { fill(buffer.iov_base.cast(), here) }?;
        from = rest;
    }
    Ok(())
}
