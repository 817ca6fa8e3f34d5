//! Answers that wait until what they say is so.
//!
//! When `listen` returns, a published port is open outside; when `connect` returns, a listener of the same host is readable;
//! when `shutdown` returns, a far end on the same host polls accordingly. So it is on Linux, whose loopback has done all
//! this before the call is over. The answers to such calls are kept until this room has nothing more to say.
//!
//! A caller that a signal interrupts meanwhile makes its call again, and is told what its first one was to be told.

use std::collections::VecDeque;

use crate::bounds::MISSED_MAX;
use crate::notification::Call;
use crate::sys::{Reply, number as n};
use crate::tree::TreeId;

/// Does the answer to this call say something of others?
pub(crate) fn is_late(call: &Call) -> bool {
    matches!(call.number, n::SYS_bind | n::SYS_listen | n::SYS_connect | n::SYS_shutdown)
}

/// Answers that were not given yet, and those whose caller was away.
#[derive(Debug, Default)]
pub(crate) struct Late {
    waiting: VecDeque<(Call, Reply)>,
    missed: VecDeque<(Call, Reply)>,
}

impl Late {
    pub(crate) fn push(&mut self, call: Call, reply: Reply) {
        self.waiting.push_back((call, reply));
    }

    /// The next answer to give.
    pub(crate) fn next(&mut self) -> Option<(Call, Reply)> {
        self.waiting.pop_front()
    }

    /// Nobody was there to hear it.
    pub(crate) fn missed(&mut self, call: Call, reply: Reply) {
        if self.missed.len() >= MISSED_MAX {
            self.missed.pop_front();
        }
        self.missed.push_back((call, reply));
    }

    /// A thread has one call at a time: with a new one an older is over. The older's answer, if this is the same again.
    pub(crate) fn repeated(&mut self, call: &Call) -> Option<Reply> {
        let [waiting, missed] = [&mut self.waiting, &mut self.missed].map(|answers| {
            let at = answers.iter().position(|(older, _)| older.is_of_thread_of(call))?;
            answers.remove(at)
        });
        waiting.or(missed).filter(|(older, _)| older.repeats(call)).map(|(_, reply)| reply)
    }

    /// The tree's calls are answered no more.
    pub(crate) fn forget_tree(&mut self, tree: TreeId) {
        self.waiting.retain(|(call, _)| call.tree != tree);
        self.missed.retain(|(call, _)| call.tree != tree);
    }
}
