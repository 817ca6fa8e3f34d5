//! Calls that wait for something: blocking accept, connect, recvfrom and sendto; and those whose callers do not sleep
//! yet, of which something is to be said that cannot be said twice.
//!
//! A held call is served again, from its beginning, whenever something happened to its socket: a call is written once,
//! non-blocking. A thread has one call at a time, so a new call of a thread says that its held one was interrupted.

use ieum_wire::Instant;

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
}

/// All held calls, oldest first: whoever waits longest is served first. As many as threads that wait.
#[derive(Debug, Default)]
pub(crate) struct Held {
    calls: Vec<HeldCall>,
    /// Those of recvmmsg that have some of their messages.
    pub(crate) gathering: Vec<Gathering>,
}

impl Held {
    pub(crate) fn push(&mut self, held: HeldCall) {
        self.calls.push(held);
    }

    /// The thread does something else now, and this is what it waited for.
    pub(crate) fn forget(&mut self, thread: i32) -> Option<HeldCall> {
        let at = self.calls.iter().position(|held| held.call.thread == thread)?;
        Some(self.calls.remove(at))
    }

    /// The tree's calls are answered no more.
    pub(crate) fn forget_tree(&mut self, tree: TreeId) {
        self.calls.retain(|held| held.call.tree != tree);
    }

    /// Takes out the calls that wait for `socket`.
    pub(crate) fn take(&mut self, socket: u64) -> Vec<HeldCall> {
        self.calls.extract_if(.., |held| held.socket == socket).collect()
    }

    /// Takes out the calls whose callers did not sleep.
    pub(crate) fn take_awake(&mut self) -> Vec<HeldCall> {
        self.calls.extract_if(.., |held| held.is_awake).collect()
    }

    /// Takes out the calls whose time is over.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<HeldCall> {
        self.calls.extract_if(.., |held| held.deadline.is_some_and(|deadline| deadline <= now)).collect()
    }

    /// When the next call's time is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.calls.iter().filter_map(|held| held.deadline).min()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &HeldCall> {
        self.calls.iter()
    }

    pub(crate) fn waits_for(&self, socket: u64) -> bool {
        self.calls.iter().any(|held| held.socket == socket)
    }
}
