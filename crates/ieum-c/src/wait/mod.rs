//! Waiting: `poll`, `select` and `epoll`.

pub mod sys;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ieum::net::{Epoll, Socket};
use ieum::sockets::numbers::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI};

use libc::{timespec, timeval};

use crate::IEUM_FIRST;
use crate::answer::error;
use crate::table::{self, Open};

/// What is ready of what is waited for: pairs of a number and events; a negative number is passed over.
fn poll(askers: &[(i32, u32)], timeout_ms: i32) -> Vec<u32> {
    let opens: Vec<Option<Arc<Open>>> = askers.iter().map(|(number, _)| table::get(*number).ok()).collect();
    let socket_of = |open: &'_ Option<Arc<Open>>| -> Option<Socket> {
        open.as_ref().and_then(|open| open.socket().ok().cloned())
    };
    let sockets: Vec<Option<Socket>> = opens.iter().map(socket_of).collect();
    let none = |(number, socket): (i32, &Option<Socket>)| number >= 0 && socket.is_none();
    let is_known_at_once = askers.iter().zip(&sockets).any(|((number, _), socket)| none((*number, socket)));
    let timeout = if is_known_at_once { Some(Duration::ZERO) } else { patience(timeout_ms) };
    let asked: Vec<(&Socket, u32)> = askers
        .iter()
        .zip(&sockets)
        .filter_map(|((_, events), socket)| Some((socket.as_ref()?, *events)))
        .collect();
    let mut found = ieum::net::poll(&asked, timeout).into_iter();
    let tell = |((number, _), socket): (&(i32, u32), &Option<Socket>)| match socket {
        Some(_) => found.next().unwrap_or(0),
        None if *number < 0 => 0,
        None => POLLNVAL,
    };
    askers.iter().zip(&sockets).map(tell).collect()
}

fn epoll_create() -> io::Result<i64> {
    table::add(Open::Epoll(Epoll::new()))
}

fn epoll_ctl(epoll: i32, operation: i32, number: i32, event: Option<(u32, u64)>) -> io::Result<()> {
    let (watched, open) = (table::get(number)?, table::get(epoll)?);
    let epoll = open.epoll()?;
    let socket = match &*watched {
        Open::Socket(socket) => socket,
        Open::Epoll(_) => {
            return Err(cannot(
                "an epoll cannot watch another: what ieum_epoll_descriptor gives, one of the kernel's can",
            ));
        }
        // Linux's word for what cannot be watched.
        Open::Network(_) | Open::Link(_) | Open::Host(_) => return Err(error(libc::EPERM)),
    };
    epoll.control(operation, number, socket, event)
}

/// Events and data of at most `most` sockets.
fn epoll_wait(epoll: i32, most: usize, timeout_ms: i32) -> io::Result<Vec<(u32, u64)>> {
    Ok(table::get(epoll)?.epoll()?.wait(most, patience(timeout_ms)))
}

/// What cannot be, in words: EPERM.
fn cannot(sentence: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, sentence)
}

/// What select(2) means by readable, writable and exceptional.
const SELECTED: [u32; 3] = [POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI];

/// Which of the sockets that are in one of the three sets are ready for that; in order of their places.
fn select(wanted: &[(usize, [bool; 3])], timeout: Option<Duration>) -> io::Result<Vec<(usize, [bool; 3])>> {
    let opens =
        wanted.iter().map(|(place, _)| table::get(number_at(*place))).collect::<io::Result<Vec<_>>>()?;
    let sockets = opens.iter().map(|open| open.socket().map_err(|_| error(libc::EBADF)));
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    let asked: Vec<(&Socket, u32)> = sockets
        .into_iter()
        .zip(wanted)
        .map(|(socket, (_, sets))| {
            let chosen = SELECTED.iter().zip(sets).filter(|(_, is_in)| **is_in);
            (socket, chosen.fold(0, |events, (some, _)| events | some))
        })
        .collect();
    let found = ieum::net::poll_exactly(&asked, timeout);
    let told = wanted.iter().zip(found).map(|((place, sets), events)| {
        (*place, [0, 1, 2].map(|set: usize| sets[set] && events & SELECTED[set] != 0))
    });
    Ok(told.collect())
}

/// The number that has that place in a set.
fn number_at(place: usize) -> i32 {
    i32::try_from(place).map_or(-1, |place| place.saturating_add(IEUM_FIRST))
}

/// How long a call goes on that says afterwards how much of its time is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// On the clock that only goes on.
    until: Duration,
}

impl Patience {
    pub(crate) fn of(time: Duration, now: Duration) -> Patience {
        Patience { until: now.saturating_add(time) }
    }

    pub(crate) fn left(self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }
}

/// A time of C's.
///
/// # Errors
///
/// EINVAL for what is none.
pub(crate) fn duration(time: &timespec) -> io::Result<Duration> {
    let nanos = u32::try_from(time.tv_nsec).ok().filter(|nanos| *nanos < 1_000_000_000);
    let seconds = u64::try_from(time.tv_sec).ok();
    seconds
        .zip(nanos)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos))
        .ok_or_else(|| error(libc::EINVAL))
}

/// The same of select(2), where more than a second may stand among the microseconds.
fn duration_us(time: &timeval) -> io::Result<Duration> {
    let part = |part: i64| u64::try_from(part).map_err(|_| error(libc::EINVAL));
    Ok(Duration::from_secs(part(time.tv_sec)?).saturating_add(Duration::from_micros(part(time.tv_usec)?)))
}

pub(crate) fn as_timespec(time: Duration) -> timespec {
    let tv_sec = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

fn as_timeval(time: Duration) -> timeval {
    let tv_sec = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    timeval { tv_sec, tv_usec: time.subsec_micros().into() }
}

/// So many milliseconds; for ever if negative.
fn patience(timeout_ms: i32) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}
