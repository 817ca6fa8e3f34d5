//! Whether a process that calls stands behind more seccomp filters than we did when we took our name.
//!
//! A program under `ieum run` has its user's id, and would be let in for that: it could have itself put on a host with an
//! exit, though its own was given none. It has one filter more than the shell that ieum was started from, and can never
//! shed it; a shell in a container has as many as ieum, which was started there too.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::sys;

/// Whether the process at the other end, whose number is `pid`, stands behind no more than `filters` seccomp filters.
///
/// A number may have passed from a program under `ieum run`, which left its connection to a child of its, to a process
/// outside: so who has ended since it called is nobody. Before Linux 6.5 the number is believed.
pub(crate) fn is_outside(caller: BorrowedFd<'_>, pid: u32, filters: u32) -> bool {
    let process = match sys::peer_process(caller) {
        Ok(process) => Some(process),
        Err(Errno::NOPROTOOPT) => None,
        Err(_) => return false,
    };
    let is_outside = filters_of(&pid.to_string()).is_some_and(|its| its <= filters);
    is_outside && process.is_none_or(|process| is_alive(&process))
}

/// Whether a process has not ended, and so still has its number.
fn is_alive(process: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&Timespec::default())) == Ok(0)
}

/// The number of seccomp filters in front of the system calls of a process (`self` for our own), as far as the kernel
/// tells.
pub(crate) fn filters_of(process: &str) -> Option<u32> {
    filters_in(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn filters_in(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_filters_is_read_from_a_process_s_status() {
        assert_eq!(filters_in("Name:\tsh\nSeccomp:\t2\nSeccomp_filters:\t3\nCpus_allowed:\tff\n"), Some(3));
        assert_eq!(filters_in("Name:\tSeccomp_filters\nSeccomp:\t2\n"), None);
        assert!(filters_of("self").is_some());
        assert_eq!(filters_of("0"), None);
    }
}
