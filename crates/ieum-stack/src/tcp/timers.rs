//! Who wants to be woken when.
//!
//! A connection stands here at most once, under a time that is not later than the one it wants: acknowledgements move
//! its timers to the right all the time, and that costs nothing until the old time comes.

use std::collections::BTreeSet;

use ieum_wire::Instant;

use super::{ConnectionId, HalfOpenId};

/// Who is woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Sleeper {
    Connection(ConnectionId),
    HalfOpen(HalfOpenId),
}

/// The waiting ones, by time.
#[derive(Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, Sleeper)>,
}

impl Timers {
    /// `sleeper`, known under `at`, wants to be woken at `wanted`.
    pub(super) fn want(&mut self, sleeper: Sleeper, at: &mut Option<Instant>, wanted: Option<Instant>) {
        let Some(wanted) = wanted else { return };
        match *at {
            Some(known) if known <= wanted => return,
            Some(known) => {
                self.queue.remove(&(known, sleeper));
            }
            None => {}
        }
        *at = Some(wanted);
        self.queue.insert((wanted, sleeper));
    }

    /// It is gone.
    pub(super) fn forget(&mut self, sleeper: Sleeper, at: Option<Instant>) {
        if let Some(at) = at {
            self.queue.remove(&(at, sleeper));
        }
    }

    /// The next whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Sleeper> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        self.queue.pop_first().map(|(_, sleeper)| sleeper)
    }

    /// The earliest time.
    pub(super) fn first(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }
}
