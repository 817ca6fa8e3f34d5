//! Notified calls: taken, answered, asked after.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::sys::{self, Reply};
use crate::tracee::Place;
use crate::tree::TreeId;

/// The descriptor through which the kernel tells of calls.
#[derive(Debug)]
pub(crate) struct Notifier {
    listener: OwnedFd,
}

/// One call of one thread, which waits for its answer. Its arguments are copies of registers: the caller cannot change
/// them any more, unlike what they point to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The tree it comes from.
    pub(crate) tree: TreeId,
    pub(crate) id: u64,
    pub(crate) thread: i32,
    pub(crate) number: i64,
    arguments: [u64; 6],
}

impl Call {
    /// Whether `other` comes from the same thread.
    pub(crate) fn is_of_thread_of(&self, other: &Call) -> bool {
        (self.tree, self.thread) == (other.tree, other.thread)
    }

    /// Whether `later`, of the same thread, is this call once more.
    pub(crate) fn repeats(&self, later: &Call) -> bool {
        (self.number, self.arguments) == (later.number, later.arguments)
    }

    /// Descriptor `number` of the caller.
    pub(crate) fn place(&self, number: i32) -> Place {
        Place { tree: self.tree, thread: self.thread, descriptor: number }
    }

    /// Argument `index` as an int, as the kernel reads it: the lower half.
    pub(crate) fn int(&self, index: usize) -> i32 {
        let [a, b, c, d, ..] = self.word(index).to_le_bytes();
        i32::from_le_bytes([a, b, c, d])
    }

    /// Argument `index` as an address or a size.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.arguments.get(index).copied().unwrap_or(0)
    }

    /// Argument `index` as a size.
    pub(crate) fn size(&self, index: usize) -> usize {
        usize::try_from(self.word(index)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
impl Call {
    /// Call `number` of a thread of the program's own tree, with the first argument `first`.
    pub(crate) fn for_test(thread: i32, number: i64, first: u64) -> Call {
        Call { tree: crate::tree::OWN, id: 0, thread, number, arguments: [first, 0, 0, 0, 0, 0] }
    }
}

impl Notifier {
    pub(crate) fn new(listener: OwnedFd) -> Notifier {
        Notifier { listener }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The next call, if one waits. `tree` is whose listener this is.
    pub(crate) fn next(&self, tree: TreeId) -> Option<Call> {
        // Receiving would sleep if none waits. One that polls readable may vanish before it is taken, but never makes
        // receiving sleep: the kernel then says ENOENT, and we ask again.
        for _ in 0..16 {
            let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
            let polled = poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 }));
            if polled.is_err() || !fds[0].revents().contains(PollFlags::IN) {
                return None;
            }
            match sys::receive_notification(self.fd()) {
                Ok(raw) => {
                    let sys::RawNotification { id, thread, call, arguments } = raw;
                    return Some(Call { tree, id, thread, number: call, arguments });
                }
                Err(Errno::NOENT | Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Whether the caller still waits: asked after its memory was read and before it is believed.
    pub(crate) fn is_valid(&self, call: &Call) -> bool {
        sys::notification_is_valid(self.fd(), call.id)
    }

    /// Answers. An error means that nobody waits for it any more.
    pub(crate) fn reply(&self, call: &Call, reply: Reply) -> rustix::io::Result<()> {
        sys::send_reply(self.fd(), call.id, reply)
    }

    /// Gives the caller a descriptor, whose number answers the call.
    pub(crate) fn reply_with(
        &self,
        call: &Call,
        fd: BorrowedFd<'_>,
        close_on_exec: bool,
    ) -> rustix::io::Result<i32> {
        sys::add_descriptor_and_reply(self.fd(), call.id, fd, close_on_exec)
    }

    /// Puts `fd` in the place of the caller's descriptor `number`.
    pub(crate) fn replace(
        &self,
        call: &Call,
        fd: BorrowedFd<'_>,
        number: i32,
        close_on_exec: bool,
    ) -> rustix::io::Result<()> {
        let number = u32::try_from(number).map_err(|_| Errno::BADF)?;
        sys::replace_descriptor(self.fd(), call.id, fd, number, close_on_exec).map(drop)
    }
}
