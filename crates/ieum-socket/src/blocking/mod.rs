//! Calls as a program makes them whose descriptor blocks.
//!
//! A call of [`Host`] never waits; this is what Linux adds to it when the descriptor has no O_NONBLOCK and the call no
//! MSG_DONTWAIT: when a call goes on waiting, how much of its work it must have done before it answers, and when it has
//! waited long enough. Here nothing waits either. A call is asked again after whatever happened, with its [`Wait`] to
//! remember how far it came, until it has an answer:
//!
//! ```text
//! let mut wait = Wait::default();
//! loop {
//!     match host.recv_waiting(now, id, &call, &mut wait, &mut received) {
//!         Some(answer) => return answer,
//!         None => …                         // sleep until something happens, or until wait.until
//!     }
//! }
//! ```
//!
//! Files: `open` (`connect`, `accept`), `recv` and `send` in all their forms, `linger` (`close`).

mod linger;
mod open;
mod recv;
mod send;

use std::time::Duration;

use ieum_wire::Instant;

use crate::host::Host;
use crate::numbers::SO_RCVTIMEO;
use crate::{Errno, SocketId};

pub use recv::{Reading, Received};
pub use send::Writing;

/// What a call answers, or `None` when it has to wait.
pub type Progress<T> = Option<Result<T, Errno>>;

/// What a call that waits remembers.
#[derive(Clone, Copy, Default, Debug)]
pub struct Wait {
    /// It has been asked before.
    pub begun: bool,
    /// Bytes moved so far.
    pub moved: usize,
    /// When it gives up.
    pub until: Option<Instant>,
    /// It has sent a SYN with data, or without, and waits for the answer.
    connects: bool,
    /// What a connect says that has waited long enough.
    late: Option<Errno>,
}

impl Wait {
    /// Of a call that gives up then, whatever its socket's options say.
    pub fn no_longer_than(until: Instant) -> Wait {
        Wait { until: Some(until), ..Wait::default() }
    }

    /// Does a call that finds nothing answer so, because it does not block or has waited long enough?
    pub fn gives_up(&self, now: Instant, blocks: bool) -> bool {
        !blocks || self.until.is_some_and(|until| until <= now)
    }

    /// The same for calls that say themselves how long they wait (`poll`, `epoll_wait`): so many milliseconds, for ever if
    /// negative.
    pub fn timed_out(&mut self, now: Instant, timeout_ms: i32) -> bool {
        let Ok(timeout_ms) = u64::try_from(timeout_ms) else { return false };
        *self.until.get_or_insert_with(|| now + Duration::from_millis(timeout_ms)) <= now
    }

    /// What a call answers that found nothing: EAGAIN, or that it waits.
    pub fn or_again<T>(&self, now: Instant, blocks: bool) -> Progress<T> {
        self.gives_up(now, blocks).then_some(Err(Errno::EAGAIN))
    }
}

impl Host {
    /// The first time a call waits: until when, says the socket (SO_RCVTIMEO, SO_SNDTIMEO).
    fn begin_waiting(&mut self, now: Instant, id: SocketId, option: i32, wait: &mut Wait) {
        if wait.until.is_some() {
            return;
        }
        let time = if option == SO_RCVTIMEO { self.recv_time(id) } else { self.send_time(id) };
        wait.until = time.map(|time| now + time);
    }

    /// How long calls on a socket wait for what comes (SO_RCVTIMEO), connections too; `None`: for ever.
    pub fn recv_time(&self, id: SocketId) -> Option<Duration> {
        self.descriptions.get(id).and_then(|description| description.options.recv_time())
    }

    /// How long calls on a socket wait for room, or for a peer's answer (SO_SNDTIMEO); `None`: for ever.
    pub fn send_time(&self, id: SocketId) -> Option<Duration> {
        self.descriptions.get(id).and_then(|description| description.options.send_time())
    }
}
