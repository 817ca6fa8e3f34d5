//! The doors for waiting.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use libc::{epoll_event, fd_set, nfds_t, pollfd, timespec, timeval};

use super::{Patience, as_timeval, duration, duration_us};
use super::{epoll_create, epoll_ctl, epoll_wait, poll, select};
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
        let asked = |asker: &MaybeUninit<pollfd>| {
            let asker = asker.as_ptr();
            // SAFETY: as above; `revents` alone may hold nothing yet.
            let (number, events) = unsafe { ((*asker).fd, (*asker).events) };
            (number, u32::from(events.cast_unsigned()))
        };
        let askers: Vec<(i32, u32)> = list.iter().map(asked).collect();
        let mut ready = 0;
        for (asker, events) in list.iter_mut().zip(poll(&askers, timeout_ms)) {
            let told = u16::try_from(events).unwrap_or(0).cast_signed();
            // SAFETY: as above.
            unsafe { (*asker.as_mut_ptr()).revents = told };
            ready += i64::from(events != 0);
        }
        Ok(ready)
    })
}

/// select(2), of ieum's sockets alone. A set has 1024 places, which here are the numbers from IEUM_FIRST on:
/// IEUM_FD_SET and its like count from there, and so does `places`, one more than the last that is asked for. What is
/// left of the time is written back.
///
/// # Safety
///
/// Each set leads to one or is NULL, and so does `timeout`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_select(
    places: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    answer(|| {
        let places = usize::try_from(places).ok().filter(|places| *places <= libc::FD_SETSIZE);
        let places = places.ok_or_else(|| error(libc::EINVAL))?;
        // SAFETY: as above.
        let time = unsafe { timeout.as_ref() }.map(duration_us).transpose()?;
        let patience = time.map(|time| Patience::of(time, moment()));
        let sets = [read, write, except];
        let wanted: Vec<(usize, [bool; 3])> = (0..places)
            .map(|place| {
                // SAFETY: as above; a place is below the number of those in a set.
                (place, sets.map(|set| !set.is_null() && unsafe { libc::FD_ISSET(index(place), set) }))
            })
            .filter(|(_, sets)| sets.contains(&true))
            .collect();
        let found = select(&wanted, time)?;
        if let Some(patience) = patience {
            // SAFETY: as above: there is a time where there was one.
            unsafe { timeout.write(as_timeval(patience.left(moment()))) };
        }
        let mut ready = 0;
        for set in sets.into_iter().filter(|set| !set.is_null()) {
            // SAFETY: as above.
            unsafe { libc::FD_ZERO(set) };
        }
        for (place, is_ready) in found {
            for (set, _) in sets.into_iter().zip(is_ready).filter(|(_, is_ready)| *is_ready) {
                // SAFETY: as above; who is ready was in the set.
                unsafe { libc::FD_SET(index(place), set) };
                ready += 1;
            }
        }
        Ok(ready)
    })
}

/// A place as libc counts it.
fn index(place: usize) -> c_int {
    c_int::try_from(place).unwrap_or(0)
}

/// epoll_create1(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_epoll_create1(flags: c_int) -> c_int {
    answer(|| match flags & !libc::EPOLL_CLOEXEC {
        0 => epoll_create(),
        _ => Err(error(libc::EINVAL)),
    })
}

/// epoll_ctl(2), of ieum's sockets alone; EPERM for anything else, another epoll among them.
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

/// A descriptor of the kernel's that is readable while ieum_epoll_wait() may have something to tell: for a loop that
/// waits for the kernel's descriptors as well. To be closed with close(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_epoll_descriptor(epoll: c_int) -> c_int {
    answer(|| Ok(table::get(epoll)?.epoll()?.descriptor()?.into_raw_fd().into()))
}

/// How long the machine has been running: a clock that only goes on.
pub(crate) fn moment() -> Duration {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one `timespec`, and cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    duration(&now).unwrap_or_default()
}
