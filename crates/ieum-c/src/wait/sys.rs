//! The doors for waiting.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::c_int;
use std::os::fd::IntoRawFd;

use libc::{epoll_event, nfds_t, pollfd};

use super::{epoll_create, epoll_ctl, epoll_wait, poll};
use crate::answer::{answer, error, nothing};
use crate::memory::sys::list_mut;
use crate::table;

/// poll(2), of ieum's sockets alone: any other number is POLLNVAL.
///
/// # Safety
///
/// `list` leads to `count` of its kind or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_poll(list: *mut pollfd, count: nfds_t, timeout_ms: c_int) -> c_int {
    answer(|| {
        let count = usize::try_from(count).map_err(|_| error(libc::EINVAL))?;
        // SAFETY: as above; nobody else has the list while the call lasts.
        let list = unsafe { list_mut(list, count) }?;
        let askers: Vec<(i32, u32)> =
            list.iter().map(|asker| (asker.fd, asker.events.cast_unsigned().into())).collect();
        let mut ready = 0;
        for (asker, events) in list.iter_mut().zip(poll(&askers, timeout_ms)) {
            asker.revents = u16::try_from(events).unwrap_or(0).cast_signed();
            ready += i64::from(events != 0);
        }
        Ok(ready)
    })
}

/// epoll_create1(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_epoll_create1(flags: c_int) -> c_int {
    answer(|| match flags & !libc::EPOLL_CLOEXEC {
        0 => epoll_create(),
        _ => Err(error(libc::EINVAL)),
    })
}

/// epoll_ctl(2), of ieum's sockets alone.
///
/// # Safety
///
/// `event` leads to one or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_epoll_ctl(
    epoll: c_int,
    operation: c_int,
    number: c_int,
    event: *mut epoll_event,
) -> c_int {
    nothing(|| {
        let event = if event.is_null() {
            None
        } else {
            // SAFETY: as above.
            let event = unsafe { event.read_unaligned() };
            Some((event.events, event.u64))
        };
        epoll_ctl(epoll, operation, number, event)
    })
}

/// epoll_wait(2).
///
/// # Safety
///
/// `into` leads to room for `most` events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_epoll_wait(
    epoll: c_int,
    into: *mut epoll_event,
    most: c_int,
    timeout_ms: c_int,
) -> c_int {
    answer(|| {
        let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or_else(|| error(libc::EINVAL))?;
        if into.is_null() {
            return Err(error(libc::EFAULT));
        }
        let found = epoll_wait(epoll, most, timeout_ms)?;
        for (at, (events, data)) in found.iter().take(most).enumerate() {
            // SAFETY: as above: room for `most`.
            unsafe { into.add(at).write_unaligned(epoll_event { events: *events, u64: *data }) };
        }
        Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
    })
}

/// A descriptor of the kernel's that is readable while ieum_epoll_wait() may have something to tell: for a loop that waits for the
/// kernel's descriptors as well. To be closed with close(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_epoll_descriptor(epoll: c_int) -> c_int {
    answer(|| Ok(table::get(epoll)?.epoll()?.descriptor()?.into_raw_fd().into()))
}
