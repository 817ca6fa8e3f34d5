//! Whose descriptor: from a thread and a number to a socket, and to a momentary copy of it.
//!
//! A socket is known by its inode, which dup, fork and SCM_RIGHTS keep. A copy is taken with pidfd_getfd, checked
//! against the inode, used and dropped within one call: a copy that stayed would hide the program's close.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use ieum_engine::complain;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::access::Access;
use crate::bounds::PIDFDS_MAX;
use crate::tree::{TreeId, Trees};

/// PIDFD_THREAD (Linux 6.9): a pidfd of a thread that is not the leader of its group.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(0o200);

/// A descriptor of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) tree: TreeId,
    pub(crate) thread: i32,
    pub(crate) descriptor: i32,
}

/// The threads that called, each with its pidfd.
#[derive(Debug, Default)]
pub(crate) struct Tracees {
    pidfds: BTreeMap<i32, OwnedFd>,
    /// Those of whom was said that they cannot be served.
    hidden: BTreeSet<i32>,
}

impl Tracees {
    /// A copy of the descriptor at `place`, if it is the socket `inode`, or whatever it is.
    pub(crate) fn copy(&mut self, trees: &Trees, place: Place, inode: Option<u64>) -> Result<OwnedFd, Errno> {
        let access = trees.access(place.tree)?;
        let copy = match self.take(access, place) {
            Err(Errno::SRCH) => {
                // The pidfd kept is that of a dead thread whose number came back.
                self.pidfds.remove(&place.thread);
                self.take(access, place)?
            }
            other => other?,
        };
        let Some(inode) = inode else { return Ok(copy) };
        // Of what is no socket nothing is asked that its file system would answer.
        rustix::net::sockopt::socket_type(&copy)?;
        if rustix::fs::fstat(&copy)?.st_ino == inode { Ok(copy) } else { Err(Errno::BADF) }
    }

    fn take(&mut self, access: &Access, place: Place) -> Result<OwnedFd, Errno> {
        if let Access::Through(through) = access {
            return through.copy(place.thread, place.descriptor);
        }
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

    /// Whether the kernel keeps the memory and the descriptors of `thread` from us, so that its sockets cannot be served:
    /// its user may execute its file but not read it. Says so, once for each.
    pub(crate) fn is_hidden(&mut self, thread: i32) -> bool {
        let looked = rustix::fs::readlink(format!("/proc/{thread}/fd/0"), Vec::new());
        let is_hidden = matches!(looked, Err(Errno::ACCESS | Errno::PERM));
        if is_hidden && self.hidden.insert(thread) {
            // A program chooses its name: a terminal must not obey it.
            let name = std::fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
            let name = name.trim_end().replace(char::is_control, "?");
            complain(&format!(
                "process {thread} ({name}) gets no sockets: its memory is closed to its own user (is its file not readable?)"
            ));
        }
        if self.hidden.len() > PIDFDS_MAX {
            self.hidden.clear();
        }
        is_hidden
    }

    /// Looks through all processes of the program for the socket `inode`: slow, for when it is not where it was last
    /// seen.
    pub(crate) fn find(&mut self, trees: &Trees, inode: u64) -> Option<Place> {
        trees
            .processes()
            .flat_map(|(tree, pid)| descriptors(tree, pid))
            .find(|place| socket_inode(*place) == Some(inode))
    }

    /// Those of a tree that is no more may be among them.
    pub(crate) fn forget(&mut self) {
        self.pidfds.clear();
        self.hidden.clear();
    }
}

/// All descriptors of a process.
pub(crate) fn descriptors(tree: TreeId, pid: Pid) -> impl Iterator<Item = Place> {
    descriptors_of_thread(tree, pid.as_raw_nonzero().get())
}

/// All descriptors that a thread can name.
pub(crate) fn descriptors_of_thread(tree: TreeId, thread: i32) -> impl Iterator<Item = Place> {
    let entries = std::fs::read_dir(format!("/proc/{thread}/fd")).ok();
    let numbers =
        entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.map(move |descriptor| Place { tree, thread, descriptor })
}

/// A descriptor in an epoll set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// The set.
    pub(crate) epoll: Place,
    /// The number it was registered under.
    pub(crate) descriptor: i32,
    /// EPOLLIN … and what the program is told with them.
    pub(crate) events: u32,
    pub(crate) data: u64,
}

/// Where the sets of epoll that the process at `place` has know the socket `inode`.
pub(crate) fn watched(place: Place, inode: u64) -> Vec<Watched> {
    let mut found = Vec::new();
    for epoll in descriptors_of_thread(place.tree, place.thread) {
        let (thread, number) = (epoll.thread, epoll.descriptor);
        let is_epoll = std::fs::read_link(format!("/proc/{thread}/fd/{number}"))
            .is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]");
        if is_epoll && let Ok(info) = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{number}")) {
            found.extend(info.lines().filter_map(|line| watched_in(line, epoll, inode)));
        }
    }
    found
}

/// One line of an epoll set's fdinfo: `tfd: 5 events: 19 data: 5 pos:0 ino:1f2e sdev:9`, with spaces.
fn watched_in(line: &str, epoll: Place, inode: u64) -> Option<Watched> {
    let after = |key: &str| line.split_once(key)?.1.split_whitespace().next();
    if u64::from_str_radix(after("ino:")?, 16) != Ok(inode) {
        return None;
    }
    Some(Watched {
        epoll,
        descriptor: after("tfd:")?.parse().ok()?,
        events: u32::from_str_radix(after("events:")?, 16).ok()?,
        data: u64::from_str_radix(after("data:")?, 16).ok()?,
    })
}

/// A pidfd of a thread, or where there are none of threads, of its process.
pub(crate) fn open(thread: i32) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(thread).ok_or(Errno::SRCH)?;
    match pidfd_open(pid, PIDFD_THREAD) {
        Err(Errno::INVAL) => pidfd_open(leader(thread).ok_or(Errno::SRCH)?, PidfdFlags::empty()),
        other => other,
    }
}

/// The leader of a thread's group: threads of a group share one table of descriptors as a rule.
pub(crate) fn leader(thread: i32) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// The inode of the socket at `place`; `None` if there is none or it is not a socket. By its name in /proc, which the kernel
/// gives to sockets alone: stat(2) would ask the file system, which may be one of the program's own, or hang.
pub(crate) fn socket_inode(place: Place) -> Option<u64> {
    let name = std::fs::read_link(format!("/proc/{}/fd/{}", place.thread, place.descriptor)).ok()?;
    name.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_epoll_set_tells_what_is_registered() {
        let epoll = Place { tree: 0, thread: 1, descriptor: 4 };
        let line = "tfd:        5 events: 80000019 data:     7fff00000005  pos:0 ino:1f2e sdev:9";
        let watched = watched_in(line, epoll, 0x1f2e).unwrap();
        assert_eq!((watched.descriptor, watched.events, watched.data), (5, 0x8000_0019, 0x7fff_0000_0005));
        assert!(watched_in(line, epoll, 0x1f2f).is_none());
        assert!(watched_in("flags:\t02000002", epoll, 0x1f2e).is_none());
    }
}
