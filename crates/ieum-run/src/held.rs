//! Calls that wait for something: blocking accept, connect, recvfrom and sendto; and those whose callers do not sleep
//! yet, of which something is to be said that cannot be said twice.
//!
//! A held call is served again, from its beginning, whenever something happened to its socket: a call is written once,
//! non-blocking. A thread has one call at a time, so a new call of a thread says that its held one was interrupted.

use std::collections::{BTreeSet, HashMap};

use ieum_wire::Instant;

use crate::bounds::HELD_MAX;
use crate::call::receive_many::Gathering;
use crate::notification::Call;
use crate::tree::TreeId;

/// A call that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldCall {
    pub(crate) call: Call,
    /// The socket it waits for.
    pub(crate) socket: u64,
    /// When SO_RCVTIMEO or SO_SNDTIMEO ends it.
    pub(crate) deadline: Option<Instant>,
    /// It waits only for its caller to sleep.
    pub(crate) is_awake: bool,
    /// Its place in the line of those that wait: whoever waits longest is served first. `None`: it comes last.
    pub(crate) place: Option<u64>,
}

/// All held calls: as many as threads that wait.
#[derive(Debug, Default)]
pub(crate) struct Held {
    by_thread: HashMap<i32, HeldCall>,
    /// Socket, place and thread of each.
    lines: BTreeSet<(u64, u64, i32)>,
    deadlines: BTreeSet<(Instant, i32)>,
    last_place: u64,
    /// How many of them there are when those are looked for whose callers were killed, if that is more than [`HELD_MAX`].
    until_look: usize,
    /// Those of recvmmsg that have some of their messages.
    pub(crate) gathering: Vec<Gathering>,
}

impl Held {
    pub(crate) fn push(&mut self, mut held: HeldCall) {
        let thread = held.call.thread;
        self.forget(thread);
        let place = *held.place.get_or_insert_with(|| {
            self.last_place += 1;
            self.last_place
        });
        self.lines.insert((held.socket, place, thread));
        self.deadlines.extend(held.deadline.map(|deadline| (deadline, thread)));
        self.by_thread.insert(thread, held);
    }

    /// The thread does something else now, and this is what it waited for.
    pub(crate) fn forget(&mut self, thread: i32) -> Option<HeldCall> {
        let held = self.by_thread.remove(&thread)?;
        self.lines.remove(&(held.socket, held.place.unwrap_or_default(), thread));
        if let Some(deadline) = held.deadline {
            self.deadlines.remove(&(deadline, thread));
        }
        Some(held)
    }

    /// The tree's calls are answered no more.
    pub(crate) fn forget_tree(&mut self, tree: TreeId) {
        self.take_if(|held| held.call.tree == tree);
    }

    /// Drops calls whose callers were killed, when there are many: nothing tells of each.
    pub(crate) fn forget_gone(&mut self, is_valid: impl Fn(&Call) -> bool) {
        if self.by_thread.len() >= HELD_MAX.max(self.until_look) {
            self.take_if(|held| !is_valid(&held.call));
            // A look costs a system call for each that is left.
            self.until_look = 2 * self.by_thread.len();
        }
    }

    /// The first in the line for `socket` that is behind `place`.
    pub(crate) fn next(&self, socket: u64, place: u64) -> Option<HeldCall> {
        let behind = (socket, place.saturating_add(1), i32::MIN)..=(socket, u64::MAX, i32::MAX);
        let (_, _, thread) = self.lines.range(behind).next()?;
        self.by_thread.get(thread).copied()
    }

    /// Those that wait for `socket`, the longest first.
    pub(crate) fn line(&self, socket: u64) -> impl Iterator<Item = &HeldCall> {
        let line = self.lines.range((socket, 0, i32::MIN)..=(socket, u64::MAX, i32::MAX));
        line.filter_map(|(_, _, thread)| self.by_thread.get(thread))
    }

    /// Takes out the calls that wait for `socket`.
    pub(crate) fn take(&mut self, socket: u64) -> Vec<HeldCall> {
        let threads: Vec<i32> = self.line(socket).map(|held| held.call.thread).collect();
        threads.into_iter().filter_map(|thread| self.forget(thread)).collect()
    }

    /// Takes out the calls whose callers did not sleep.
    pub(crate) fn take_awake(&mut self) -> Vec<HeldCall> {
        self.take_if(|held| held.is_awake)
    }

    /// Takes out the calls whose time is over.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<HeldCall> {
        let threads: Vec<i32> = self.deadlines.range(..=(now, i32::MAX)).map(|(_, thread)| *thread).collect();
        threads.into_iter().filter_map(|thread| self.forget(thread)).collect()
    }

    /// When the next call's time is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn waits_for(&self, socket: u64) -> bool {
        self.line(socket).next().is_some()
    }

    /// Whether the call is held.
    pub(crate) fn holds(&self, call: &Call) -> bool {
        self.by_thread.get(&call.thread).is_some_and(|held| held.call.id == call.id)
    }

    fn take_if(&mut self, is_meant: impl Fn(&HeldCall) -> bool) -> Vec<HeldCall> {
        let mut taken: Vec<HeldCall> =
            self.by_thread.values().filter(|held| is_meant(held)).copied().collect();
        taken.sort_by_key(|held| held.place);
        for held in &taken {
            self.forget(held.call.thread);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::number as n;

    fn accept(thread: i32, socket: u64) -> HeldCall {
        let call = Call::for_test(thread, n::SYS_accept, 3);
        HeldCall { call, socket, deadline: None, is_awake: false, place: None }
    }

    fn threads(calls: &[HeldCall]) -> Vec<i32> {
        calls.iter().map(|held| held.call.thread).collect()
    }

    #[test]
    fn who_is_held_again_keeps_its_place() {
        let mut held = Held::default();
        for thread in [30, 10, 20] {
            held.push(accept(thread, 7));
        }
        let first = held.next(7, 0).unwrap();
        assert_eq!(first.call.thread, 30);
        held.forget(30);
        held.push(first);
        assert_eq!(held.next(7, first.place.unwrap()).unwrap().call.thread, 10);
        assert!(!held.waits_for(6) && !held.waits_for(8));
        assert_eq!(threads(&held.take(7)), [30, 10, 20]);
    }

    #[test]
    fn time_ends_calls_in_its_order() {
        let mut held = Held::default();
        let at = |us| Some(Instant::from_micros(us));
        held.push(HeldCall { deadline: at(9), ..accept(1, 7) });
        held.push(HeldCall { deadline: at(3), ..accept(2, 8) });
        held.push(accept(3, 8));
        assert_eq!(held.deadline(), at(3));
        assert_eq!(threads(&held.take_expired(Instant::from_micros(8))), [2]);
        assert_eq!(held.deadline(), at(9));
        assert_eq!(threads(&held.take(8)), [3]);
    }

    #[test]
    fn callers_that_were_killed_are_forgotten_once_there_are_many() {
        let mut held = Held::default();
        for thread in 1..=i32::try_from(HELD_MAX).unwrap() {
            held.forget_gone(|call| call.thread == 5);
            held.push(accept(thread, 7));
        }
        assert_eq!(held.line(7).count(), HELD_MAX);
        held.forget_gone(|call| call.thread == 5);
        assert_eq!(threads(&held.take(7)), [5]);
    }
}
