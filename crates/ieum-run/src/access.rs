//! The way to a tree's memory and descriptors.
//!
//! The kernel lets a process look into another one of its user, unless Yama's `ptrace_scope` is 1 (Ubuntu's default):
//! then only an ancestor may. The owner of a host is no ancestor of its guests, so there the process that started the
//! guest looks for it:
//!
//! ```text
//!   owner ── Wish: read, write, copy a descriptor ──▶ guest's ieum ── process_vm_readv, pidfd_getfd ──▶ program
//!         ◀─ Granted ────────────────────────────────
//! ```
//!
//! The owner waits for the answer, for a bounded time: whoever does not answer is given up with its tree. The guest's ieum
//! looks into processes below itself alone: whoever has put itself in an owner's place learns nothing of others.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};

use ieum_control::{Channel, ChannelError, Received};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::bounds::{ACCESS_ANSWERS_WITHIN, ACCESS_BYTES_MAX, GENERATIONS_MAX};
use crate::{sys, tracee};

/// How a tree's memory and descriptors are reached.
#[derive(Debug)]
pub(crate) enum Access {
    /// By the kernel's own calls.
    Direct,
    /// By asking the process that started the tree.
    Through(Through),
}

/// A process that looks for us.
#[derive(Debug)]
pub(crate) struct Through {
    channel: Channel,
    /// It did not answer in time, or nothing that makes sense.
    gone: Cell<bool>,
}

/// What the owner asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Wish {
    /// Memory.
    Read {
        /// Whose.
        thread: i32,
        /// From where.
        address: u64,
        /// How many bytes, 8192 at most.
        len: usize,
    },
    /// Memory is to become this.
    Write {
        /// Whose.
        thread: i32,
        /// From where.
        address: u64,
        /// 8192 bytes at most.
        bytes: Vec<u8>,
    },
    /// A copy of a descriptor.
    Copy {
        /// Whose.
        thread: i32,
        /// Its number there.
        descriptor: i32,
    },
}

/// What the guest's ieum answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Granted {
    /// The bytes that could be read.
    Bytes(Vec<u8>),
    /// How many bytes could be written.
    Count(usize),
    /// The copy comes with this.
    Descriptor,
    /// The kernel's errno.
    Refused(i32),
}

impl Access {
    /// The way to a guest whose first process is `first`: direct where the kernel allows it, which the look at an
    /// address that nothing can have tells: EFAULT where looking is allowed.
    pub(crate) fn to_guest(first: i32, channel: Channel, wants_to_be_asked: bool) -> Access {
        let is_allowed = sys::read_memory(first, u64::MAX - 4095, &mut [0]) == Err(Errno::FAULT);
        if is_allowed && !wants_to_be_asked {
            Access::Direct
        } else {
            Access::Through(Through { channel, gone: Cell::new(false) })
        }
    }

    /// Reads memory; how many bytes could be read.
    pub(crate) fn read(&self, thread: i32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Access::Direct => sys::read_memory(thread, address, into),
            Access::Through(through) => through.read(thread, address, into),
        }
    }

    /// Writes memory; how many bytes could be written.
    pub(crate) fn write(&self, thread: i32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Access::Direct => sys::write_memory(thread, address, bytes),
            Access::Through(through) => through.write(thread, address, bytes),
        }
    }

    /// Nobody answers any more: the tree is to be given up.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Access::Through(through) if through.gone.get())
    }
}

impl Through {
    /// A copy of a descriptor.
    pub(crate) fn copy(&self, thread: i32, descriptor: i32) -> Result<OwnedFd, Errno> {
        match self.ask(&Wish::Copy { thread, descriptor })? {
            (Granted::Descriptor, Some(copy)) => Ok(copy),
            other => Err(self.give_up_or_refused(&other.0)),
        }
    }

    fn read(&self, thread: i32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        for piece in into.chunks_mut(ACCESS_BYTES_MAX) {
            let address = address.wrapping_add(u64::try_from(done).map_err(|_| Errno::FAULT)?);
            let bytes = match self.ask(&Wish::Read { thread, address, len: piece.len() })? {
                (Granted::Bytes(bytes), _) if bytes.len() <= piece.len() => bytes,
                other if done == 0 => return Err(self.give_up_or_refused(&other.0)),
                _ => break,
            };
            for (to, from) in piece.iter_mut().zip(&bytes) {
                *to = *from;
            }
            done += bytes.len();
            if bytes.len() < piece.len() {
                break;
            }
        }
        Ok(done)
    }

    fn write(&self, thread: i32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let mut done = 0;
        for piece in bytes.chunks(ACCESS_BYTES_MAX) {
            let address = address.wrapping_add(u64::try_from(done).map_err(|_| Errno::FAULT)?);
            let count = match self.ask(&Wish::Write { thread, address, bytes: piece.to_vec() })? {
                (Granted::Count(count), _) if count <= piece.len() => count,
                other if done == 0 => return Err(self.give_up_or_refused(&other.0)),
                _ => break,
            };
            done += count;
            if count < piece.len() {
                break;
            }
        }
        Ok(done)
    }

    fn ask(&self, wish: &Wish) -> Result<(Granted, Option<OwnedFd>), Errno> {
        if self.gone.get() {
            return Err(Errno::SRCH);
        }
        let answer = self
            .channel
            .send(wish, &[])
            .and_then(|()| self.channel.receive_within::<Granted>(ACCESS_ANSWERS_WITHIN));
        match answer {
            Ok(Received::Message(granted, descriptors)) => Ok((granted, descriptors.into_iter().next())),
            Ok(Received::Nothing | Received::End) | Err(_) => {
                self.gone.set(true);
                Err(Errno::SRCH)
            }
        }
    }

    fn give_up_or_refused(&self, granted: &Granted) -> Errno {
        match granted {
            Granted::Refused(number) if (1..4096).contains(number) => Errno::from_raw_os_error(*number),
            Granted::Refused(_) | Granted::Bytes(_) | Granted::Count(_) | Granted::Descriptor => {
                // An answer to another question: nothing it says can be relied on.
                self.gone.set(true);
                Errno::SRCH
            }
        }
    }
}

/// The guest's side: answers one wish. An error: the owner is gone, or makes no sense.
pub(crate) fn answer(channel: &Channel, wish: &Wish) -> Result<(), ChannelError> {
    match grant(wish) {
        Ok((granted, None)) => channel.send(&granted, &[]),
        Ok((granted, Some(copy))) => channel.send(&granted, &[copy.as_fd()]),
        Err(errno) => channel.send(&Granted::Refused(errno.raw_os_error()), &[]),
    }
}

fn grant(wish: &Wish) -> Result<(Granted, Option<OwnedFd>), Errno> {
    let (Wish::Read { thread, .. } | Wish::Write { thread, .. } | Wish::Copy { thread, .. }) = wish;
    if !is_below_us(*thread) {
        return Err(Errno::PERM);
    }
    match wish {
        Wish::Read { thread, address, len } => {
            let mut bytes = vec![0; (*len).min(ACCESS_BYTES_MAX)];
            let count = sys::read_memory(*thread, *address, &mut bytes)?;
            bytes.truncate(count);
            Ok((Granted::Bytes(bytes), None))
        }
        Wish::Write { thread, address, bytes } => {
            Ok((Granted::Count(sys::write_memory(*thread, *address, bytes)?), None))
        }
        Wish::Copy { thread, descriptor } => {
            let process = tracee::open(*thread)?;
            let copy = pidfd_getfd(process, *descriptor, PidfdGetfdFlags::empty())?;
            Ok((Granted::Descriptor, Some(copy)))
        }
    }
}

/// Whether a thread is of a process that descends from this one.
fn is_below_us(thread: i32) -> bool {
    let own = getpid().as_raw_nonzero().get();
    let mut at = thread;
    for _ in 0..GENERATIONS_MAX {
        at = match parent(at) {
            Some(parent) if parent == own => return true,
            // Number 1 and the kernel's own are nobody's children.
            Some(parent) if parent > 1 => parent,
            // One on the way has ended, and its children are somebody else's now.
            None if at != thread => thread,
            Some(_) | None => return false,
        };
    }
    false
}

/// The process that a thread's process is the child of.
fn parent(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Whether a process of that number lives.
pub(crate) fn is_process(number: i32) -> Option<Pid> {
    let pid = Pid::from_raw(number).filter(|_| number > 0)?;
    pidfd_open(pid, PidfdFlags::empty()).is_ok().then_some(pid)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What the look at an address that nothing can have says: EFAULT where looking is allowed.
    fn look(thread: u32) -> Errno {
        let thread = i32::try_from(thread).unwrap();
        grant(&Wish::Read { thread, address: u64::MAX - 4095, len: 1 }).unwrap_err()
    }

    #[test]
    fn only_processes_below_are_looked_into() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(look(child.id()), Errno::FAULT);
        child.kill().unwrap();
        child.wait().unwrap();
        for stranger in [std::process::id(), std::os::unix::process::parent_id(), 1] {
            assert_eq!(look(stranger), Errno::PERM);
            let thread = i32::try_from(stranger).unwrap();
            assert_eq!(grant(&Wish::Copy { thread, descriptor: 0 }).unwrap_err(), Errno::PERM);
        }
    }
}
