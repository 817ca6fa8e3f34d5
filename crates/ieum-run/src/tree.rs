//! The process trees whose calls a host serves: its own program, and guests that other ieum processes have started.
//!
//! A tree is the listener of its filter, through which its calls come and are answered, a way to its memory and
//! descriptors ([`Access`]), and the process below which its processes are. The owner of the host answers every tree
//! itself; the process that started a guest keeps what only an ancestor can do: signals, reaping, the exit code.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, getpid};

use crate::access::Access;
use crate::bounds::SLEEP_LOOKS_MAX;
use crate::notification::{Call, Notifier};
use crate::program::family;
use crate::serve::Answer;
use crate::sleep::{self, Caller, Look};
use crate::sys::Reply;

/// The number of a tree. No two of one run have the same.
pub(crate) type TreeId = u64;

/// The tree of the program that this process has started.
pub(crate) const OWN: TreeId = 0;

/// One tree.
#[derive(Debug)]
struct Tree {
    notifier: Notifier,
    access: Access,
    /// All of its processes are below this one.
    root: Pid,
}

/// What became of an answer that cannot be given twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Heard,
    /// Nobody waits for it any more.
    Gone,
    /// It was not given: the caller does not sleep.
    Awake,
}

impl Told {
    /// What becomes of the call, which is about socket `number`.
    pub(crate) fn answer(self, number: u64) -> Answer {
        match self {
            Told::Heard | Told::Gone => Answer::Answered,
            Told::Awake => Answer::WaitForSleep { socket: number },
        }
    }
}

/// All trees of one host.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    trees: BTreeMap<TreeId, Tree>,
    last: TreeId,
}

impl Trees {
    /// The tree that this process has started, and no guests.
    pub(crate) fn of_own(listener: OwnedFd) -> Trees {
        let own = Tree { notifier: Notifier::new(listener), access: Access::Direct, root: getpid() };
        Trees { trees: BTreeMap::from([(OWN, own)]), last: OWN }
    }

    /// A guest's tree, below process `root`.
    pub(crate) fn add(&mut self, listener: OwnedFd, access: Access, root: Pid) -> TreeId {
        self.last += 1;
        self.trees.insert(self.last, Tree { notifier: Notifier::new(listener), access, root });
        self.last
    }

    /// Its calls are answered no more: the kernel says ENOSYS to those that wait and those to come.
    pub(crate) fn remove(&mut self, tree: TreeId) {
        self.trees.remove(&tree);
    }

    /// The descriptor through which a tree's calls come.
    pub(crate) fn fd(&self, tree: TreeId) -> Option<BorrowedFd<'_>> {
        self.trees.get(&tree).map(|tree| tree.notifier.fd())
    }

    /// The next call of a tree, if one waits.
    pub(crate) fn next(&self, tree: TreeId) -> Option<Call> {
        self.trees.get(&tree)?.notifier.next(tree)
    }

    /// Whether the caller still waits: asked after its memory was read and before it is believed.
    pub(crate) fn is_valid(&self, call: &Call) -> bool {
        self.notifier(call).is_ok_and(|notifier| notifier.is_valid(call))
    }

    /// Answers. An error means that nobody waits for it any more.
    pub(crate) fn reply(&self, call: &Call, reply: Reply) -> rustix::io::Result<()> {
        self.notifier(call)?.reply(call, reply)
    }

    /// Looks whether the caller sleeps: asked right before an answer that cannot be given again.
    fn look_at(&self, call: &Call) -> Caller {
        for _ in 0..SLEEP_LOOKS_MAX {
            if let Some(look) = sleep::look_at(call.thread) {
                return Caller::Asleep(look);
            }
            if !self.is_valid(call) {
                return Caller::Gone;
            }
            std::thread::yield_now();
        }
        Caller::Awake
    }

    /// Whether the caller sleeps, before something is done for it that cannot be done twice. An error is what becomes
    /// of its call, which is about socket `number`.
    pub(crate) fn asleep(&self, call: &Call, number: u64) -> Result<Look, Answer> {
        match self.look_at(call) {
            Caller::Asleep(look) => Ok(look),
            Caller::Awake => Err(Answer::WaitForSleep { socket: number }),
            Caller::Gone => Err(Answer::Answered),
        }
    }

    /// Answers what cannot be said twice.
    pub(crate) fn tell(&self, call: &Call, reply: Reply) -> Told {
        match self.look_at(call) {
            Caller::Asleep(_look) if self.reply(call, reply).is_ok() => Told::Heard,
            Caller::Asleep(_) | Caller::Gone => Told::Gone,
            Caller::Awake => Told::Awake,
        }
    }

    /// Gives the caller a descriptor, whose number answers the call.
    pub(crate) fn reply_with(
        &self,
        call: &Call,
        fd: BorrowedFd<'_>,
        close_on_exec: bool,
    ) -> rustix::io::Result<i32> {
        self.notifier(call)?.reply_with(call, fd, close_on_exec)
    }

    /// Puts `fd` in the place of the caller's descriptor `number`.
    pub(crate) fn replace(
        &self,
        call: &Call,
        fd: BorrowedFd<'_>,
        number: i32,
        close_on_exec: bool,
    ) -> rustix::io::Result<()> {
        self.notifier(call)?.replace(call, fd, number, close_on_exec)
    }

    /// How a tree's memory and descriptors are reached.
    pub(crate) fn access(&self, tree: TreeId) -> Result<&Access, Errno> {
        self.trees.get(&tree).map(|tree| &tree.access).ok_or(Errno::SRCH)
    }

    /// A tree cannot be reached any more.
    pub(crate) fn is_unreachable(&self, tree: TreeId) -> bool {
        self.trees.get(&tree).is_some_and(|tree| tree.access.is_gone())
    }

    /// A tree that cannot be reached any more, if there is one.
    pub(crate) fn unreachable(&self) -> Option<TreeId> {
        self.trees.iter().find(|(_, tree)| tree.access.is_gone()).map(|(id, _)| *id)
    }

    /// Every process of every tree, parents first.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (TreeId, Pid)> {
        self.trees.iter().flat_map(|(id, tree)| {
            family::descendants(tree.root).into_iter().map(move |process| (*id, process))
        })
    }

    fn notifier(&self, call: &Call) -> Result<&Notifier, Errno> {
        self.trees.get(&call.tree).map(|tree| &tree.notifier).ok_or(Errno::NOENT)
    }
}
