//! From `socket` to `close`, and options.
//!
//! What is relied on: `userdata` is what [`crate::packetdrill_interface_init`] gave out and `free` has not been told yet; and
//! what `memory` says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_ulong, c_void};

use ieum_socket::sockaddr::encode;
use libc::{sockaddr, socklen_t};

use super::super::memory::sys::{bytes, fill_value, length, named};
use super::super::sys::{answer, nothing, shared};
use crate::shared::Shared;

pub(in crate::door) unsafe extern "C" fn socket(
    userdata: *mut c_void,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> c_int {
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.socket(domain, kind, protocol).map(i64::from))
}

pub(in crate::door) unsafe extern "C" fn bind(
    userdata: *mut c_void,
    number: c_int,
    at: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, address) = unsafe { (shared(userdata), named(at, len)) };
    nothing(address.and_then(|address| shared.bind(number, address)))
}

pub(in crate::door) unsafe extern "C" fn listen(
    userdata: *mut c_void,
    number: c_int,
    backlog: c_int,
) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.listen(number, backlog))
}

pub(in crate::door) unsafe extern "C" fn accept(
    userdata: *mut c_void,
    number: c_int,
    at: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as above.
    let accepted = unsafe { shared(userdata) }.accept(number);
    answer(accepted.map(|(number, peer)| {
        // SAFETY: as above.
        unsafe { fill_value(at.cast(), len, &encode(peer), true) };
        i64::from(number)
    }))
}

pub(in crate::door) unsafe extern "C" fn connect(
    userdata: *mut c_void,
    number: c_int,
    at: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, address) = unsafe { (shared(userdata), named(at, len)) };
    nothing(address.and_then(|address| shared.connect(number, address)))
}

pub(in crate::door) unsafe extern "C" fn close(userdata: *mut c_void, number: c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.close(number))
}

pub(in crate::door) unsafe extern "C" fn shutdown(userdata: *mut c_void, number: c_int, how: c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.shutdown(number, how))
}

pub(in crate::door) unsafe extern "C" fn fcntl(
    userdata: *mut c_void,
    number: c_int,
    command: c_int,
    argument: c_ulong,
) -> c_int {
    // An int, of whose upper half nothing is known.
    let [a, b, c, d, ..] = argument.to_le_bytes();
    let argument = i32::from_le_bytes([a, b, c, d]);
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.fcntl(number, command, argument).map(i64::from))
}

pub(in crate::door) unsafe extern "C" fn ioctl(
    userdata: *mut c_void,
    number: c_int,
    request: c_ulong,
    into: *mut c_int,
) -> c_int {
    // SAFETY: as above.
    let found = unsafe { shared(userdata) }.ioctl(number, request);
    answer(found.map(|found| {
        if !into.is_null() {
            // SAFETY: the requests that are known have an int to be written as their argument.
            unsafe { *into = found };
        }
        0
    }))
}

pub(in crate::door) unsafe extern "C" fn getsockopt(
    userdata: *mut c_void,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as above.
    unsafe { getsockopt_of(shared(userdata), number, level, name, value, len) }
}

/// getsockopt(2), answered by `shared`.
///
/// # Safety
///
/// `value` leads to as many bytes as `len` says.
pub(crate) unsafe fn getsockopt_of(
    shared: &Shared,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    nothing(shared.getsockopt(number, level, name).map(|found| {
        // SAFETY: the caller's.
        unsafe { fill_value(value, len, &found, false) };
    }))
}

pub(in crate::door) unsafe extern "C" fn setsockopt(
    userdata: *mut c_void,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, value) = unsafe { (shared(userdata), bytes(value, length(len))) };
    nothing(value.and_then(|value| shared.setsockopt(number, level, name, value)))
}
