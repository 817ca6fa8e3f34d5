//! `poll(2)`: waiting for any of several sockets, of any hosts.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use ieum_engine::Clock;

use super::Socket;
use crate::network::until;
use crate::room::Way;
use crate::socket::{Parking, new_key};

/// What poll(2) tells of each socket: of the events that were asked for, and POLLERR and POLLHUP ([`crate::sockets::numbers`]).
/// Waits until there is something of one of them at least, or until the time is over (`None`: never).
pub fn poll(askers: &[(&Socket, u32)], timeout: Option<Duration>) -> Vec<u32> {
    let ready = |(socket, events): &(&Socket, u32)| socket.readiness().events() & told(*events);
    let found: Vec<u32> = askers.iter().map(ready).collect();
    if timeout == Some(Duration::ZERO) || found.iter().any(|events| *events != 0) {
        return found;
    }
    let (clock, parker) = (Clock::start(), Parking::begin());
    let end = timeout.map(|timeout| clock.now() + timeout);
    let watching = Watching { askers, key: new_key() };
    loop {
        let found: Vec<u32> = askers
            .iter()
            .map(|(socket, events)| {
                let waker = Waker::from(Arc::clone(&parker.0));
                socket.0.watch(Way::Events(told(*events)), watching.key, waker) & told(*events)
            })
            .collect();
        let now = clock.now();
        if found.iter().any(|events| *events != 0) || end.is_some_and(|end| end <= now) {
            return found;
        }
        parker.0.park(end.map(|end| until(now, end)));
    }
}

/// What is asked for, and what is told unasked.
fn told(events: u32) -> u32 {
    events | ieum_socket::UNASKED
}

/// Those at whom somebody waits, until they are forgotten.
struct Watching<'a> {
    askers: &'a [(&'a Socket, u32)],
    key: u64,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        for (socket, _) in self.askers {
            socket.0.unwatch(self.key);
        }
    }
}
