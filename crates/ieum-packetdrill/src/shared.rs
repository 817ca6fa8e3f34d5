//! One lock around everything, the passing of time, and waiting for it.
//!
//! A call is a question that is asked until it has an answer ([`Shared::call`]): it looks at what stands behind the lock
//! and says what the call returns, or that it has to wait. On the tool's first thread waiting is letting time pass. On
//! any other it is sleeping, and whoever lets time pass asks the sleepers again after everything that happened, and
//! goes on only when they sleep again or have left ([`Shared::settle`]).
//!
//! ```text
//! first thread                          second thread
//! usleep: step to the next deadline     blocked: asleep on `news`
//!   something happened: asked = true ─→ wakes, asks its question again
//!   waits on `rested`                ←─ no answer: sleeps again
//!   waits until /proc shows it asleep ←─ an answer: returns to the tool, which sleeps
//!   step to the next deadline …
//! ```
//!
//! Should the first thread wait for the second (a script whose next call stands behind one that blocks), it is asleep in
//! a futex and in no call of ours. The second then lets time pass itself, as far as the tool would wait in real time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ieum_drill::Sniffed;
use ieum_socket::{Errno, Progress, Wait};
use ieum_wire::Instant;

use crate::flags::Flags;
use crate::state::{State, Waiter};
use crate::thread::{self, Thread};

/// Everything, and who wants to know about it.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something happened: sleepers are to look.
    news: Condvar,
    /// A sleeper has looked.
    rested: Condvar,
    /// The thread that loaded us: the tool's own.
    first: Thread,
    /// It is in a call of ours.
    first_is_inside: AtomicBool,
}

/// What asking for the time costs, in virtual time: the tool asks until an event is due.
const QUESTION: Duration = Duration::from_micros(1);

/// Longest time that a packet, or a call on the first thread, is waited for, in virtual time: what no script waits for.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// How long the tool waits for its second thread before it goes on without it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a sleeper looks whether the first thread waits for it, in real time.
const GLANCE: Duration = Duration::from_millis(1);

type Guard<'a> = MutexGuard<'a, State>;

impl Shared {
    /// For the calling thread as the first.
    pub(crate) fn new(flags: Flags) -> Shared {
        Shared {
            state: Mutex::new(State::new(flags)),
            news: Condvar::new(),
            rested: Condvar::new(),
            first: thread::current(),
            first_is_inside: AtomicBool::new(false),
        }
    }

    /// Makes a call: asks `question` until it has an answer.
    pub(crate) fn call<T>(
        &self,
        mut question: impl FnMut(&mut State, &mut Wait) -> Progress<T>,
    ) -> Result<T, Errno> {
        let inside = self.enter();
        let mut wait = Wait::default();
        let mut state = self.lock(&inside);
        state.take_settings();
        let begun = state.machine.now();
        loop {
            let progress = question(&mut state, &mut wait);
            state.machine.settle();
            if let Some(answer) = progress {
                self.leave(state, &inside);
                return answer;
            }
            if !inside.is_first {
                state = self.sleep(state, wait.until);
                continue;
            }
            let until = wait.until.map_or(begun + FOR_EVER, |until| until.min(begun + FOR_EVER));
            if !can_happen(&state) && wait.until.is_none() || state.machine.now() >= begun + FOR_EVER {
                // The tool would wait for its own thread, and so for ever.
                return Err(Errno(libc::EDEADLK));
            }
            state = self.step(state, until);
        }
    }

    /// The time, a microsecond later than before.
    pub(crate) fn time(&self) -> Instant {
        let inside = self.enter();
        let state = self.lock(&inside);
        let to = state.machine.now() + QUESTION;
        self.pass(state, to).machine.now()
    }

    /// Lets time pass. Before that come those to rest whom the tool has held up until now: it has a lock of its own,
    /// which it gives back for as long as it sleeps.
    pub(crate) fn usleep(&self, duration: Duration) {
        let inside = self.enter();
        let others = self.lock(&inside).others.clone();
        wait_for_rest(others);
        let state = self.lock(&inside);
        let to = state.machine.now() + duration;
        drop(self.pass(state, to));
    }

    /// The next packet that the host sends; `None` if none will come.
    pub(crate) fn receive(&self) -> Option<Sniffed> {
        let inside = self.enter();
        let mut state = self.lock(&inside);
        let end = state.machine.now() + FOR_EVER;
        loop {
            if let Some(sniffed) = state.machine.sniffed.pop_front() {
                return Some(sniffed);
            }
            if !can_happen(&state) || state.machine.now() >= end {
                return None;
            }
            state = self.step(state, end);
        }
    }

    /// Lets time pass until `to`.
    fn pass<'a>(&'a self, mut state: Guard<'a>, to: Instant) -> Guard<'a> {
        while state.machine.now() < to {
            state = self.step(state, to);
        }
        state
    }

    /// Lets time pass until something happens, or until `to`.
    fn step<'a>(&'a self, mut state: Guard<'a>, to: Instant) -> Guard<'a> {
        let goal = state.waiters.iter().filter_map(|waiter| waiter.until).fold(to, Instant::min);
        state.machine.step(goal);
        self.settle(state)
    }

    /// Asks everybody again who waits, and goes on when they have come to rest.
    fn settle<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        let own = thread::current();
        state.waiters.iter_mut().for_each(|waiter| waiter.asked = waiter.thread != own);
        while state.waiters.iter().any(|waiter| waiter.asked) {
            self.news.notify_all();
            state = self.rested.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Who leaves does not wait for itself, and stays among those whom others wait for.
        let (leaving, itself): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.leaving).into_iter().partition(|thread| *thread != own);
        state.leaving = itself;
        if leaving.is_empty() {
            return state;
        }
        drop(state);
        wait_for_rest(leaving);
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until there is something to look at. What the caller looks at next is answered or waited for by
    /// [`Shared::call`], which comes back here or goes to [`Shared::leave`].
    fn sleep<'a>(&'a self, mut state: Guard<'a>, until: Option<Instant>) -> Guard<'a> {
        let own = thread::current();
        match state.waiters.iter_mut().find(|waiter| waiter.thread == own) {
            Some(waiter) => (waiter.until, waiter.asked) = (until, false),
            None => {
                state.waiters.push(Waiter { thread: own, until, asked: false });
                if !state.others.contains(&own) {
                    state.others.push(own);
                }
            }
        }
        self.rested.notify_all();
        // Seen twice: who is about to wake is still shown asleep for a moment.
        let mut seen = false;
        loop {
            let (again, glance) =
                self.news.wait_timeout(state, GLANCE).unwrap_or_else(PoisonError::into_inner);
            state = again;
            if state.waiters.iter().any(|waiter| waiter.thread == own && waiter.asked) {
                return state;
            }
            let waits = glance.timed_out()
                && !self.first_is_inside.load(Ordering::SeqCst)
                && thread::waits_for_a_thread(self.first);
            if waits && seen {
                let now = state.machine.now();
                let granted = *state.granted.get_or_insert(now + PATIENCE);
                if now < granted {
                    state.machine.step(until.map_or(granted, |until| until.min(granted)));
                    return state;
                }
            }
            seen = waits;
        }
    }

    /// The end of a call: others look at what it has changed.
    fn leave(&self, mut state: Guard<'_>, inside: &Inside<'_>) {
        state.show_counters();
        let own = thread::current();
        let waited = state.waiters.iter().any(|waiter| waiter.thread == own);
        state.waiters.retain(|waiter| waiter.thread != own);
        if waited && !inside.is_first {
            state.leaving.push(own);
            self.rested.notify_all();
        } else {
            drop(self.settle(state));
        }
    }

    fn enter(&self) -> Inside<'_> {
        let is_first = thread::current() == self.first;
        if is_first {
            self.first_is_inside.store(true, Ordering::SeqCst);
        }
        Inside { shared: self, is_first }
    }

    fn lock(&self, inside: &Inside<'_>) -> Guard<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.is_first {
            state.granted = None;
        }
        state
    }
}

/// Waits until all of these threads sleep, save for the calling one.
fn wait_for_rest(threads: Vec<Thread>) {
    let own = thread::current();
    for thread in threads.into_iter().filter(|thread| *thread != own) {
        while !thread::rests(thread) {
            std::thread::yield_now();
        }
    }
}

/// Will anything happen if time passes?
fn can_happen(state: &State) -> bool {
    state.machine.deadline().is_some() || state.waiters.iter().any(|waiter| waiter.until.is_some())
}

/// A thread is in a call of ours.
struct Inside<'a> {
    shared: &'a Shared,
    is_first: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.is_first {
            self.shared.first_is_inside.store(false, Ordering::SeqCst);
        }
    }
}
