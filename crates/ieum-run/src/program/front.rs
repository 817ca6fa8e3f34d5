//! A process in front of the one that serves.
//!
//! A host with a name may have to go on when its own program has ended, for the guests that are still on it; and a guest's
//! memory must be within reach when its terminal's Ctrl-Z has stopped its whole process group. So where either can be, the
//! command parts in two before it begins:
//!
//! ```text
//!   shell ── front ── server ── program        front and program: the terminal's process group
//!                                              server: a group of its own
//! ```
//!
//! The front hands signals on to the server, which hands them on to the program, and ends with the server's exit code, or
//! with the one that the server tells when it goes on without a front. Who kills the front kills the server.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, pidfd_open, set_parent_process_death_signal,
    setpgid, waitpid,
};

use super::ExitStatus;
use super::spawn::SIGNALS;
use crate::confine::confine;
use crate::sys::{self, Arrival, number as n};

/// The serving process's word to its front.
#[derive(Debug)]
pub struct Back {
    front: OwnedFd,
}

/// Parts the process in two: returns in the one that serves. The front never returns from here. Call it before there is
/// any thread.
///
/// # Errors
///
/// The machine has no room for another process or pipe.
pub fn split() -> io::Result<Back> {
    let (told, front) = pipe_with(PipeFlags::CLOEXEC)?;
    let parent = getpid();
    // Before there is a server: its program may run, and somebody who knows that send a signal, sooner than the front gets
    // to its next line. It would die of it, and take the server along.
    let (signals, before) = sys::signal_descriptor(&SIGNALS)?;
    if let Some(server) = super::sys::fork_alone()? {
        drop(front);
        confine()?;
        let code = stand_in_front(server, &told, &signals).unwrap_or(ExitStatus::UNKNOWN);
        std::process::exit(i32::from(code.code()));
    }
    drop((told, signals));
    sys::restore_signals(&before)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // It was killed before it could be watched.
        std::process::exit(i32::from(ExitStatus::UNKNOWN.code()));
    }
    Ok(Back { front })
}

impl Back {
    /// Leaves the terminal's process group, which the program was started in: what stops the program does not stop us.
    ///
    /// # Errors
    ///
    /// Those of setpgid(2).
    pub fn stand_apart(&self) -> io::Result<()> {
        setpgid(None, None).map_err(io::Error::from)
    }

    /// Lets the front end with `code` and goes on without one, and without the terminal.
    ///
    /// # Errors
    ///
    /// There is no /dev/null, or the front is gone.
    pub fn release(self, code: u8) -> io::Result<()> {
        set_parent_process_death_signal(None)?;
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        rustix::io::write(&self.front, &[code])?;
        Ok(())
    }
}

/// The front's life: signals go to the server, and its end, or its word, is ours.
fn stand_in_front(server: Pid, told: &OwnedFd, signals: &OwnedFd) -> rustix::io::Result<ExitStatus> {
    let pidfd = pidfd_open(server, PidfdFlags::empty())?;
    loop {
        let mut fds = [PollFd::new(signals, PollFlags::IN), PollFd::new(told, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let has_word = !fds[1].revents().is_empty();
        while let Some(Arrival { signal, by_process }) = sys::next_signal(signals.as_fd()) {
            match signal {
                n::SIGCHLD => {}
                n::SIGINT | n::SIGQUIT if !by_process => {}
                other => drop(sys::signal_process(pidfd.as_fd(), other)),
            }
        }
        if has_word {
            return last_word(server, told);
        }
    }
}

fn last_word(server: Pid, told: &OwnedFd) -> rustix::io::Result<ExitStatus> {
    let mut code = [0];
    if rustix::io::read(told, &mut code)? == 1 {
        return Ok(ExitStatus::exited(i32::from(code[0])));
    }
    loop {
        let status = match waitpid(Some(server), WaitOptions::empty()) {
            Err(Errno::INTR) | Ok(None) => continue,
            Ok(Some((_, status))) => status,
            Err(error) => return Err(error),
        };
        return Ok(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ExitStatus::exited(code),
            (None, Some(signal)) => ExitStatus::killed(signal),
            (None, None) => continue,
        });
    }
}
