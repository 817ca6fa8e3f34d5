//! Waiting: `poll` and `epoll`.

pub mod sys;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ieum::net::{Epoll, Socket};
use ieum::sockets::numbers::POLLNVAL;

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
    // Linux's word for what cannot be watched.
    let socket = watched.socket().map_err(|_| error(libc::EPERM))?;
    epoll.control(operation, number, socket, event)
}

/// Events and data of at most `most` sockets.
fn epoll_wait(epoll: i32, most: usize, timeout_ms: i32) -> io::Result<Vec<(u32, u64)>> {
    Ok(table::get(epoll)?.epoll()?.wait(most, patience(timeout_ms)))
}

/// So many milliseconds; for ever if negative.
fn patience(timeout_ms: i32) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}
