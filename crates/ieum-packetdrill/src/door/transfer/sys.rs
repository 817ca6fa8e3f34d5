//! Reading and writing, in all their forms.
//!
//! What is relied on: `userdata` is what [`crate::packetdrill_interface_init`] gave out and `free` has not been told yet; and
//! what `memory` says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use ieum_socket::sockaddr::encode;
use ieum_socket::{Control, Errno};
use libc::{cmsghdr, iovec, msghdr, off64_t, sockaddr, socklen_t};

use super::super::memory::sys::{bytes, fill, fill_value, gather, list, named, scatter};
use super::super::sys::{count, nothing, shared};
use crate::call::transfer::{Read, Room};
use crate::shared::Shared;

/// Reads into buffers; what was read besides their bytes.
///
/// # Safety
///
/// As above.
unsafe fn read_into(shared: &Shared, number: c_int, buffers: &[iovec], flags: c_int) -> Result<Read, Errno> {
    let bytes = buffers.iter().map(|buffer| buffer.iov_len).sum();
    let into = buffers.iter().all(|buffer| !buffer.iov_base.is_null() || buffer.iov_len == 0);
    let read = shared.read(number, Room { bytes, flags, into })?;
    // SAFETY: as above.
    unsafe { scatter(buffers, &read.received.bytes) };
    Ok(read)
}

pub(in crate::door) unsafe extern "C" fn read(
    userdata: *mut c_void,
    number: c_int,
    into: *mut c_void,
    len: usize,
) -> isize {
    // SAFETY: as above.
    unsafe { recv(userdata, number, into, len, 0) }
}

pub(in crate::door) unsafe extern "C" fn readv(
    userdata: *mut c_void,
    number: c_int,
    buffers: *const iovec,
    buffers_count: c_int,
) -> isize {
    let buffers_count = usize::try_from(buffers_count).map_err(|_| Errno::EINVAL);
    count(buffers_count.and_then(|buffers_count| {
        // SAFETY: as above.
        let read = unsafe { read_into(shared(userdata), number, list(buffers, buffers_count)?, 0) }?;
        Ok(read.answer)
    }))
}

pub(in crate::door) unsafe extern "C" fn recv(
    userdata: *mut c_void,
    number: c_int,
    into: *mut c_void,
    len: usize,
    flags: c_int,
) -> isize {
    let buffer = iovec { iov_base: into, iov_len: len };
    // SAFETY: as above.
    count(unsafe { read_into(shared(userdata), number, &[buffer], flags) }.map(|read| read.answer))
}

pub(in crate::door) unsafe extern "C" fn recvfrom(
    userdata: *mut c_void,
    number: c_int,
    into: *mut c_void,
    len: usize,
    flags: c_int,
    at: *mut sockaddr,
    at_len: *mut socklen_t,
) -> isize {
    let buffer = iovec { iov_base: into, iov_len: len };
    // SAFETY: as above.
    let read = unsafe { read_into(shared(userdata), number, &[buffer], flags) };
    count(read.map(|read| {
        let source = read.received.source.map(encode).unwrap_or_default();
        // SAFETY: as above.
        unsafe { fill_value(at.cast(), at_len, &source, true) };
        read.answer
    }))
}

pub(in crate::door) unsafe extern "C" fn recvmsg(
    userdata: *mut c_void,
    number: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> isize {
    if message.is_null() {
        return count(Err(Errno::EFAULT));
    }
    // SAFETY: as above; nobody else has the message while the call lasts.
    let message = unsafe { &mut *message };
    // SAFETY: as above.
    let buffers = unsafe { list(message.msg_iov, message.msg_iovlen) };
    // SAFETY: as above.
    let read = buffers.and_then(|buffers| unsafe { read_into(shared(userdata), number, buffers, flags) });
    count(read.map(|read| {
        let source = read.received.source.map(encode).unwrap_or_default();
        // SAFETY: as above.
        unsafe { fill_value(message.msg_name, &raw mut message.msg_namelen, &source, true) };
        message.msg_flags = read.received.flags;
        // SAFETY: as above.
        unsafe { tell_control(message, &read.received.control) };
        read.answer
    }))
}

/// Control messages, as many as there is room for.
///
/// # Safety
///
/// As above.
unsafe fn tell_control(message: &mut msghdr, control: &[Control]) {
    let room = message.msg_controllen;
    let mut used = 0;
    for told in control {
        let Ok(bytes) = c_uint::try_from(told.data.len()) else { continue };
        // SAFETY: as above: as many control bytes as the message says can be written, and no header is written before it
        // was seen that it fits in with its data.
        unsafe {
            let needed = libc::CMSG_SPACE(bytes) as usize;
            if message.msg_control.is_null() || room - used < needed {
                message.msg_flags |= libc::MSG_CTRUNC;
                break;
            }
            let place = message.msg_control.cast::<u8>().add(used).cast::<cmsghdr>();
            let header = cmsghdr {
                cmsg_len: libc::CMSG_LEN(bytes) as usize,
                cmsg_level: told.level,
                cmsg_type: told.kind,
            };
            place.write_unaligned(header);
            fill(libc::CMSG_DATA(place).cast(), told.data.len(), &told.data);
            used += needed;
        }
    }
    message.msg_controllen = used;
}

pub(in crate::door) unsafe extern "C" fn write(
    userdata: *mut c_void,
    number: c_int,
    from: *const c_void,
    len: usize,
) -> isize {
    // SAFETY: as above.
    unsafe { sendto(userdata, number, from, len, 0, ptr::null(), 0) }
}

pub(in crate::door) unsafe extern "C" fn writev(
    userdata: *mut c_void,
    number: c_int,
    buffers: *const iovec,
    buffers_count: c_int,
) -> isize {
    let buffers_count = usize::try_from(buffers_count).map_err(|_| Errno::EINVAL);
    count(buffers_count.and_then(|buffers_count| {
        // SAFETY: as above.
        let bytes = unsafe { list(buffers, buffers_count).and_then(|buffers| gather(buffers)) };
        let bytes = bytes.as_deref().map_err(|errno| *errno);
        // SAFETY: as above.
        unsafe { shared(userdata) }.write(number, bytes, 0, None)
    }))
}

pub(in crate::door) unsafe extern "C" fn send(
    userdata: *mut c_void,
    number: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: as above.
    unsafe { sendto(userdata, number, from, len, flags, ptr::null(), 0) }
}

pub(in crate::door) unsafe extern "C" fn sendto(
    userdata: *mut c_void,
    number: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
    at: *const sockaddr,
    at_len: socklen_t,
) -> isize {
    // SAFETY: as above.
    let to = if at.is_null() { Ok(None) } else { unsafe { named(at, at_len) } };
    count(to.and_then(|to| {
        // SAFETY: as above.
        let (shared, bytes) = unsafe { (shared(userdata), bytes(from, len)) };
        shared.write(number, bytes, flags, to)
    }))
}

pub(in crate::door) unsafe extern "C" fn sendmsg(
    userdata: *mut c_void,
    number: c_int,
    message: *const msghdr,
    flags: c_int,
) -> isize {
    if message.is_null() {
        return count(Err(Errno::EFAULT));
    }
    // SAFETY: as above.
    let message = unsafe { &*message };
    let to = if message.msg_name.is_null() {
        Ok(None)
    } else {
        // SAFETY: as above.
        unsafe { named(message.msg_name.cast(), message.msg_namelen) }
    };
    count(to.and_then(|to| {
        // SAFETY: as above.
        let bytes = unsafe { list(message.msg_iov, message.msg_iovlen).and_then(|buffers| gather(buffers)) };
        let bytes = bytes.as_deref().map_err(|errno| *errno);
        // SAFETY: as above.
        unsafe { shared(userdata) }.write(number, bytes, flags, to)
    }))
}

pub(in crate::door) unsafe extern "C" fn pipe(userdata: *mut c_void, into: *mut c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.pipe().map(|[reader, writer]| {
        // SAFETY: as above: room for two.
        unsafe {
            into.write(reader);
            into.add(1).write(writer);
        }
    }))
}

/// The offsets, which neither pipes nor sockets have, are not looked at: the tool hands over ones that mean nothing.
pub(in crate::door) unsafe extern "C" fn splice(
    userdata: *mut c_void,
    from: c_int,
    _from_at: *mut off64_t,
    to: c_int,
    _to_at: *mut off64_t,
    len: usize,
    flags: c_uint,
) -> isize {
    // SAFETY: as above.
    count(unsafe { shared(userdata) }.splice(from, to, len, flags))
}
