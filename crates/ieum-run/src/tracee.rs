//! Whose descriptor: from a thread and a number to a socket, and to a momentary copy of it.
//!
//! A socket is known by its inode, which dup, fork and SCM_RIGHTS keep. A copy is taken with pidfd_getfd, checked
//! against the inode, used and dropped within one call: a copy that stayed would hide the program's close.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::bounds::PIDFDS_MAX;
use crate::program::family;

/// PIDFD_THREAD (Linux 6.9): a pidfd of a thread that is not the leader of its group.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(0o200);

/// A descriptor of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) thread: i32,
    pub(crate) descriptor: i32,
}

/// The threads that called, each with its pidfd.
#[derive(Debug, Default)]
pub(crate) struct Tracees {
    pidfds: BTreeMap<i32, OwnedFd>,
}

impl Tracees {
    /// A copy of the descriptor at `place`, if it is the socket `inode`.
    pub(crate) fn copy(&mut self, place: Place, inode: u64) -> Result<OwnedFd, Errno> {
        let copy = match self.take(place) {
            Err(Errno::SRCH) => {
                // The pidfd kept is that of a dead thread whose number came back.
                self.pidfds.remove(&place.thread);
                self.take(place)?
            }
            other => other?,
        };
        let stat = rustix::fs::fstat(&copy)?;
        if stat.st_ino == inode { Ok(copy) } else { Err(Errno::BADF) }
    }

    fn take(&mut self, place: Place) -> Result<OwnedFd, Errno> {
        let pidfd = match self.pidfds.entry(place.thread) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(open(place.thread)?),
        };
        let copy = pidfd_getfd(&*pidfd, place.descriptor, PidfdGetfdFlags::empty());
        if self.pidfds.len() > PIDFDS_MAX {
            self.pidfds.clear();
        }
        copy
    }

    /// Looks through all processes of the program for the socket `inode`: slow, for when it is not where it was last
    /// seen.
    pub(crate) fn find(&mut self, inode: u64) -> Option<Place> {
        family::descendants().into_iter().find_map(|pid| {
            let thread = pid.as_raw_nonzero().get();
            let descriptors = std::fs::read_dir(format!("/proc/{thread}/fd")).ok()?;
            descriptors
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .map(|descriptor| Place { thread, descriptor })
                .find(|place| socket_inode(*place) == Some(inode))
        })
    }
}

fn open(thread: i32) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(thread).ok_or(Errno::SRCH)?;
    match pidfd_open(pid, PIDFD_THREAD) {
        Err(Errno::INVAL) => pidfd_open(leader(thread).ok_or(Errno::SRCH)?, PidfdFlags::empty()),
        other => other,
    }
}

/// The leader of a thread's group: threads of a group share one table of descriptors as a rule.
fn leader(thread: i32) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// The inode of the socket at `place`; `None` if there is none or it is not a socket.
pub(crate) fn socket_inode(place: Place) -> Option<u64> {
    let stat = rustix::fs::stat(format!("/proc/{}/fd/{}", place.thread, place.descriptor)).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::Socket).then_some(stat.st_ino)
}

/// Whether the descriptor at `place` closes on exec.
pub(crate) fn closes_on_exec(place: Place) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{}", place.thread, place.descriptor));
    info.ok()
        .and_then(|info| info.lines().find_map(|line| line.strip_prefix("flags:").map(str::to_owned)))
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & O_CLOEXEC != 0)
}
