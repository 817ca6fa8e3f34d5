//! The doors for messages.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_uint};
use std::mem::MaybeUninit;
use std::{io, ptr};

use ieum::sockets::Control;
use ieum::sockets::sockaddr::encode;
use libc::{cmsghdr, iovec, mmsghdr, msghdr, timespec};

use super::{CONTROL_BYTES_MAX, MESSAGES_MAX, nothing_more};
use crate::answer::{answer, count, error};
use crate::memory::sys::{BUFFERS_MAX, buffers, fill_value, gather, list, list_mut, named};
use crate::transfer::sys::receive_into;
use crate::transfer::{Asked, send};
use crate::wait::sys::moment;
use crate::wait::{Patience, as_timespec, duration};

/// recvmsg(2).
///
/// # Safety
///
/// What the message has leads to as much as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_recvmsg(number: c_int, message: *mut msghdr, flags: c_int) -> isize {
    count(|| {
        // SAFETY: as above; nobody else has the message while the call lasts.
        let message = unsafe { list_mut(message, 1) }?.as_mut_ptr().cast();
        // SAFETY: as above.
        unsafe { receive(Asked { number, flags }, message) }
    })
}

/// recvmmsg(2). Once there is one message, an error ends the call, and is the next one's.
///
/// # Safety
///
/// `messages` leads to `messages_count` of their kind, what each has to as much as it says, and `timeout` to one or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_recvmmsg(
    number: c_int,
    messages: *mut mmsghdr,
    messages_count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    answer(|| {
        // SAFETY: as above; nobody else has them while the call lasts.
        let (messages, mut timeout) = unsafe { (many(messages, messages_count)?, timeout.as_mut()) };
        // As on Linux it is asked after each message, and wakes nobody.
        let patience = timeout.as_deref().map(duration).transpose()?.map(|time| Patience::of(time, moment()));
        let mut done = 0;
        for message in messages {
            let flags = match done {
                0 => flags & !libc::MSG_WAITFORONE,
                _ if flags & libc::MSG_WAITFORONE != 0 => flags & !libc::MSG_WAITFORONE | libc::MSG_DONTWAIT,
                _ => flags,
            };
            if done > 0 && nothing_more(number)? {
                break;
            }
            // SAFETY: as above.
            match unsafe { receive(Asked { number, flags }, header_of(message)) } {
                // SAFETY: as above.
                Ok(bytes) => unsafe { tell_length(message, bytes) },
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            done += 1;
            if let (Some(patience), Some(timeout)) = (patience, timeout.as_deref_mut()) {
                let left = patience.left(moment());
                *timeout = as_timespec(left);
                if left.is_zero() {
                    break;
                }
            }
        }
        Ok(done)
    })
}

/// sendmsg(2). Control messages that are sent along: IP_PKTINFO, IP_TTL, IP_TOS, IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS and
/// UDP_SEGMENT, of datagrams.
///
/// # Safety
///
/// What the message has leads to as much as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_sendmsg(number: c_int, message: *const msghdr, flags: c_int) -> isize {
    count(|| {
        // SAFETY: as above.
        let message = unsafe { list_mut(message.cast_mut(), 1) }?.as_ptr().cast();
        // SAFETY: as above.
        unsafe { transmit(number, message, flags) }
    })
}

/// sendmmsg(2). Once one message is sent, an error ends the call.
///
/// # Safety
///
/// `messages` leads to `messages_count` of their kind, and what each has to as much as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_sendmmsg(
    number: c_int,
    messages: *mut mmsghdr,
    messages_count: c_uint,
    flags: c_int,
) -> c_int {
    answer(|| {
        let mut done = 0;
        // SAFETY: as above; nobody else has them while the call lasts.
        for message in unsafe { many(messages, messages_count) }? {
            // SAFETY: as above.
            match unsafe { transmit(number, header_of(message), flags) } {
                // SAFETY: as above.
                Ok(bytes) => unsafe { tell_length(message, bytes) },
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            done += 1;
        }
        Ok(done)
    })
}

/// Messages of one call; those beyond the bound wait for another.
///
/// # Safety
///
/// As above.
unsafe fn many<'a>(messages: *mut mmsghdr, count: c_uint) -> io::Result<&'a mut [MaybeUninit<mmsghdr>]> {
    let count = usize::try_from(count).unwrap_or(MESSAGES_MAX).min(MESSAGES_MAX);
    // SAFETY: as above.
    unsafe { list_mut(messages, count) }
}

/// One of many, without its length.
fn header_of(message: &mut MaybeUninit<mmsghdr>) -> *mut msghdr {
    let message = message.as_mut_ptr();
    // SAFETY: only where it stands is asked.
    unsafe { &raw mut (*message).msg_hdr }
}

/// # Safety
///
/// As above.
unsafe fn tell_length(message: &mut MaybeUninit<mmsghdr>, bytes: usize) {
    let bytes = c_uint::try_from(bytes).unwrap_or(c_uint::MAX);
    // SAFETY: as above.
    unsafe { (*message.as_mut_ptr()).msg_len = bytes };
}

/// Reads one message, of which C need not have written the flags.
///
/// # Safety
///
/// As above.
unsafe fn receive(asked: Asked, message: *mut msghdr) -> io::Result<usize> {
    // SAFETY: as above.
    let into = unsafe { pieces(message) }?;
    // SAFETY: as above.
    let (answer, received) = unsafe { receive_into(asked, into) }?;
    let source = received.source.map(encode).unwrap_or_default();
    // SAFETY: as above.
    unsafe {
        match (*message).msg_name {
            name if name.is_null() => (*message).msg_namelen = 0,
            name => fill_value(name, &raw mut (*message).msg_namelen, &source, true)?,
        }
        (*message).msg_flags = received.flags;
        // All of it is written now.
        tell_control(&mut *message, &received.control);
    }
    Ok(answer)
}

/// Sends one message.
///
/// # Safety
///
/// As above.
unsafe fn transmit(number: c_int, message: *const msghdr, flags: c_int) -> io::Result<usize> {
    // SAFETY: as above.
    let (name, name_len, control, control_len) = unsafe {
        ((*message).msg_name, (*message).msg_namelen, (*message).msg_control, (*message).msg_controllen)
    };
    // SAFETY: as above.
    let pieces = unsafe { pieces(message) }?;
    // SAFETY: as above.
    let to = (!name.is_null()).then(|| unsafe { named(name.cast(), name_len) });
    if control_len > CONTROL_BYTES_MAX {
        return Err(error(libc::ENOBUFS));
    }
    // SAFETY: as above.
    let (control, bytes) = unsafe { (list(control.cast::<u8>(), control_len)?, gather(pieces)?) };
    send(number, Ok(&bytes), flags, to, control)
}

/// The buffers of a message.
///
/// # Safety
///
/// As above.
unsafe fn pieces<'a>(message: *const msghdr) -> io::Result<&'a [iovec]> {
    // SAFETY: as above.
    let (at, count, name, name_len) =
        unsafe { ((*message).msg_iov, (*message).msg_iovlen, (*message).msg_name, (*message).msg_namelen) };
    if !name.is_null() && name_len > i32::MAX.unsigned_abs() {
        return Err(error(libc::EINVAL));
    }
    if count > BUFFERS_MAX {
        return Err(error(libc::EMSGSIZE));
    }
    // SAFETY: as above.
    unsafe { buffers(at, count) }
}

/// Control messages, as many as there is room for; the last one cut (cmsg(3)).
///
/// # Safety
///
/// As above.
unsafe fn tell_control(message: &mut msghdr, control: &[Control]) {
    let (room, mut used) = (message.msg_controllen, 0);
    for told in control {
        let Ok(bytes) = c_uint::try_from(told.data.len()) else { continue };
        // SAFETY: they only count.
        let (whole, needed) = unsafe { (libc::CMSG_LEN(bytes) as usize, libc::CMSG_SPACE(bytes) as usize) };
        let length = whole.min(room - used);
        if length < whole {
            message.msg_flags |= libc::MSG_CTRUNC;
        }
        if message.msg_control.is_null() || length < size_of::<cmsghdr>() {
            continue;
        }
        // SAFETY: as above: as many control bytes as the message says can be written; `length` of them are left, in which
        // a header has room, and what is copied is as much shorter than the data as `length` is than the whole.
        unsafe {
            let place = message.msg_control.cast::<u8>().add(used).cast::<cmsghdr>();
            place.write_unaligned(cmsghdr { cmsg_len: length, cmsg_level: told.level, cmsg_type: told.kind });
            let copied = told.data.len().saturating_sub(whole - length);
            ptr::copy_nonoverlapping(told.data.as_ptr(), libc::CMSG_DATA(place), copied);
        }
        used = room.min(used + needed);
    }
    message.msg_controllen = used;
}
