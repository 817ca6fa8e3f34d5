//! The program's processes: its first one, whose end is the program's, and what that one leaves behind.
//!
//! ieum is the subreaper of them all, so an orphan becomes its child and none gets away. When the first process ends,
//! the others get SIGTERM, and SIGKILL two seconds later, until none is left.
//!
//! Signals: what a process sends to ieum goes on to the first process. SIGINT and SIGQUIT from a terminal reach the whole
//! foreground group by themselves, so only those that a process sent are handed on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ieum_wire::Instant;
use rustix::process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open};

use super::ExitStatus;
use super::spawn::Started;
use crate::bounds::{KILL_AGAIN, TERM_TO_KILL};
use crate::sys::{self, Arrival, number as n};

/// The processes of one program.
#[derive(Debug)]
pub(crate) struct Family {
    first: Pid,
    first_pidfd: OwnedFd,
    signals: OwnedFd,
    stage: Stage,
    /// Somebody wants this process to end, now that its own program has.
    asked_to_go: bool,
}

/// RUNNING → TERMINATING when the first process ends → KILLING after two seconds; GONE when no child is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Running,
    Terminating { status: ExitStatus, kill_at: Instant },
    Killing { status: ExitStatus, again_at: Instant },
    Gone { status: ExitStatus },
}

impl Family {
    /// The family of a program that was just started, and its listener.
    pub(crate) fn new(started: Started) -> (Family, OwnedFd) {
        let Started { first, first_pidfd, listener, signals } = started;
        (Family { first, first_pidfd, signals, stage: Stage::Running, asked_to_go: false }, listener)
    }

    /// Readable when a signal waits.
    pub(crate) fn signals(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// The number of the first process.
    pub(crate) fn first(&self) -> i32 {
        self.first.as_raw_nonzero().get()
    }

    /// A signal came for which there is no process any more that could act upon it.
    pub(crate) fn is_asked_to_go(&self) -> bool {
        self.asked_to_go
    }

    /// No process is left.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone { .. })
    }

    /// How the first process ended.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        match self.stage {
            Stage::Running => ExitStatus::UNKNOWN,
            Stage::Terminating { status, .. } | Stage::Killing { status, .. } | Stage::Gone { status } => {
                status
            }
        }
    }

    /// When patience with descendants ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Terminating { kill_at, .. } => Some(kill_at),
            Stage::Killing { again_at, .. } => Some(again_at),
            Stage::Running | Stage::Gone { .. } => None,
        }
    }

    /// Hands signals on and reaps. True: some process ended.
    pub(crate) fn on_signals(&mut self, now: Instant) -> bool {
        let mut ended = false;
        while let Some(Arrival { signal, by_process }) = sys::next_signal(self.signals.as_fd()) {
            match signal {
                n::SIGCHLD => ended = true,
                n::SIGINT | n::SIGQUIT if !by_process => {}
                _ if self.is_gone() => self.asked_to_go = true,
                other => {
                    let _ = sys::signal_process(self.first_pidfd.as_fd(), other);
                }
            }
        }
        if ended {
            self.reap(now);
        }
        ended
    }

    /// Patience is over.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            signal_descendants(n::SIGKILL);
            self.stage = Stage::Killing { status: self.exit_status(), again_at: now + KILL_AGAIN };
            self.reap(now);
        }
    }

    fn reap(&mut self, now: Instant) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.first => {
                    let status = match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => ExitStatus::exited(code),
                        (None, Some(signal)) => ExitStatus::killed(signal),
                        (None, None) => continue,
                    };
                    self.stage = Stage::Terminating { status, kill_at: now + TERM_TO_KILL };
                    signal_descendants(n::SIGTERM);
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    // ECHILD: nobody is left.
                    self.stage = Stage::Gone { status: self.exit_status() };
                    return;
                }
            }
        }
    }
}

/// All processes below `root`, parents first.
pub(crate) fn descendants(root: Pid) -> Vec<Pid> {
    let mut found = children(root);
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children(pid));
        at += 1;
    }
    found
}

fn children(pid: Pid) -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())) else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(parse_pid).collect::<Vec<_>>())
        .collect()
}

fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

/// A number may have passed to a stranger between the listing and the signal: the process is taken by pidfd first and
/// then looked up once more below us.
fn signal_descendants(signal: i32) {
    let pidfds: Vec<(Pid, OwnedFd)> = descendants(getpid())
        .into_iter()
        .filter_map(|pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?)))
        .collect();
    let still_ours = descendants(getpid());
    for (pid, pidfd) in pidfds {
        if still_ours.contains(&pid) {
            let _ = sys::signal_process(pidfd.as_fd(), signal);
        }
    }
}
