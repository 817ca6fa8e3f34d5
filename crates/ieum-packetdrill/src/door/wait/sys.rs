//! Waiting: `poll` and `epoll`.
//!
//! What is relied on: `userdata` is what [`crate::packetdrill_interface_init`] gave out and `free` has not been told yet; and
//! what `memory` says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_void};
use std::slice;

use ieum_socket::Errno;
use libc::{epoll_event, nfds_t, pollfd};

use super::super::sys::{answer, nothing, shared};

pub(in crate::door) unsafe extern "C" fn poll(
    userdata: *mut c_void,
    at: *mut pollfd,
    waits: nfds_t,
    timeout_ms: c_int,
) -> c_int {
    let waits = usize::try_from(waits).map_err(|_| Errno::EINVAL);
    answer(waits.and_then(|waits| {
        if at.is_null() && waits > 0 {
            return Err(Errno::EFAULT);
        }
        // SAFETY: as above; nobody else has the list while the call lasts.
        let list = if waits == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(at, waits) } };
        let askers: Vec<(i32, u32)> =
            list.iter().map(|asker| (asker.fd, asker.events.cast_unsigned().into())).collect();
        // SAFETY: as above.
        let found = unsafe { shared(userdata) }.poll(&askers, timeout_ms)?;
        let mut ready = 0;
        for (asker, events) in list.iter_mut().zip(found) {
            asker.revents = u16::try_from(events).unwrap_or(0).cast_signed();
            ready += i64::from(events != 0);
        }
        Ok(ready)
    }))
}

pub(in crate::door) unsafe extern "C" fn epoll_create(userdata: *mut c_void, size: c_int) -> c_int {
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.epoll_create(size).map(i64::from))
}

pub(in crate::door) unsafe extern "C" fn epoll_ctl(
    userdata: *mut c_void,
    epoll: c_int,
    operation: c_int,
    number: c_int,
    event: *mut epoll_event,
) -> c_int {
    let event = if event.is_null() {
        None
    } else {
        // SAFETY: as above.
        let event = unsafe { event.read_unaligned() };
        Some((event.events, event.u64))
    };
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.epoll_ctl(epoll, operation, number, event))
}

pub(in crate::door) unsafe extern "C" fn epoll_wait(
    userdata: *mut c_void,
    epoll: c_int,
    into: *mut epoll_event,
    most: c_int,
    timeout_ms: c_int,
) -> c_int {
    let Some(most) = usize::try_from(most).ok().filter(|most| *most > 0 && !into.is_null()) else {
        return nothing(Err(Errno::EINVAL));
    };
    // SAFETY: as above.
    let found = unsafe { shared(userdata) }.epoll_wait(epoll, most, timeout_ms);
    let ready = found.map(|found| {
        for (at, (events, data)) in found.iter().take(most).enumerate() {
            // SAFETY: as above: room for `most`.
            unsafe { into.add(at).write_unaligned(epoll_event { events: *events, u64: *data }) };
        }
        i64::try_from(found.len()).unwrap_or(i64::MAX)
    });
    answer(ready)
}
