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
    wait(askers, timeout, told, |events| Way::Events(told(events)))
}

/// The same of the events that were asked for alone: POLLERR and POLLHUP too are waited for and told only where they
/// are among them, as select(2) has it.
pub fn poll_exactly(askers: &[(&Socket, u32)], timeout: Option<Duration>) -> Vec<u32> {
    wait(askers, timeout, |events| events, |_| Way::Change)
}

/// Waits for what `told` says of the events that were asked for; `way` says what is worth looking again.
fn wait(
    askers: &[(&Socket, u32)],
    timeout: Option<Duration>,
    told: impl Fn(u32) -> u32,
    way: impl Fn(u32) -> Way,
) -> Vec<u32> {
    let ready = |(socket, events): &(&Socket, u32)| socket.readiness().events() & told(*events);
    let found: Vec<u32> = askers.iter().map(ready).collect();
    if timeout == Some(Duration::ZERO) || found.iter().any(|events| *events != 0) {
        return found;
    }
    let (clock, parker) = (Clock::start(), Parking::begin());
    let end = timeout.map(|timeout| clock.now() + timeout);
    // Each asker has a key of its own: the same socket may be asked for twice, for different events.
    let watching = Watching { keyed: askers.iter().map(|(socket, _)| (*socket, new_key())).collect() };
    loop {
        let found: Vec<u32> = askers
            .iter()
            .zip(&watching.keyed)
            .map(|((socket, events), (_, key))| {
                let waker = Waker::from(Arc::clone(&parker.0));
                socket.0.watch(way(*events), *key, waker) & told(*events)
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
    keyed: Vec<(&'a Socket, u64)>,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        for (socket, key) in &self.keyed {
            socket.0.unwatch(*key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use ieum_socket::numbers::{POLLIN, POLLPRI};

    use super::*;
    use crate::Network;

    #[test]
    fn the_same_socket_may_be_asked_for_twice_in_one_call() {
        let host = Network::new().unwrap().host().build().unwrap();
        let [one, other] = [1, 2].map(|port| host.udp(("127.0.0.1", port)).unwrap());
        let asked = Socket::from(&one);
        let waiting = thread::spawn(move || poll(&[(&asked, POLLIN), (&asked, POLLPRI)], None));
        host.until_waiters(2);
        other.send_to(b"x", "127.0.0.1:1").unwrap();
        assert_eq!(waiting.join().unwrap(), [POLLIN, 0]);
        host.until_waiters(0);
        drop(one);
    }

    #[test]
    fn what_comes_in_one_of_several_networks_wakes_who_waits_for_any() {
        let hosts = [0; 2].map(|_| Network::new().unwrap().host().build().unwrap());
        let sockets = hosts.each_ref().map(|host| host.udp("127.0.0.1:1").unwrap());
        for (number, host) in hosts.iter().enumerate() {
            let asked = sockets.each_ref().map(Socket::from);
            let waiting = thread::spawn(move || poll(&[(&asked[0], POLLIN), (&asked[1], POLLIN)], None));
            hosts.iter().for_each(|host| host.until_waiters(1));
            host.udp("127.0.0.1:0").unwrap().send_to(b"x", "127.0.0.1:1").unwrap();
            let told: Vec<u32> = (0..2).map(|other| if other == number { POLLIN } else { 0 }).collect();
            assert_eq!(waiting.join().unwrap(), told);
            sockets[number].recv(&mut [0]).unwrap();
        }
    }
}
