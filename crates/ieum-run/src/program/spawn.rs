//! How a program starts: a child puts itself behind the filter, hands the filter's listener to its parent and becomes
//! the program.
//!
//! The listener goes by `pidfd_getfd`: the child tells the number through a pipe and waits until it was taken. Sending
//! the descriptor would need a system call that the filter stops. A second use of the pipe: exec closes it, so its end
//! says that the program runs, and a report before the end says why it does not.
//!
//! Where the kernel has it (Linux 6.7), the child enters a Landlock domain as well: a kernel's socket that comes from
//! somewhere else (inherited, received) can be neither bound nor connected, and no process outside can be traced into
//! making one, ieum among them.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use ieum_engine::complain;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_getfd, pidfd_open,
    set_child_subreaper, setrlimit,
};

use super::filter::{DatagramCalls, filter};
use super::sys::{self as child, Report};
use super::{Program, SpawnError};
use crate::sys::{self, number as n};

/// The signals that ieum does not die of but hands on or acts upon.
pub(super) const SIGNALS: [i32; 7] =
    [n::SIGCHLD, n::SIGTERM, n::SIGHUP, n::SIGINT, n::SIGQUIT, n::SIGUSR1, n::SIGUSR2];

/// A program that runs, and what its supervisor needs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) first: Pid,
    pub(crate) first_pidfd: OwnedFd,
    pub(crate) listener: OwnedFd,
    pub(crate) signals: OwnedFd,
}

/// Starts `program` behind the filter for `datagrams`.
pub(crate) fn spawn(program: &Program, datagrams: DatagramCalls) -> Result<Started, SpawnError> {
    let argv = arguments(program)?;
    let name = argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    set_child_subreaper(Some(getpid())).map_err(own("cannot become the reaper of the program's children"))?;
    argv.first().inspect(|name| super::privilege::warn_if_withheld(name.as_bytes()));
    let open_files_before = raise_open_files();
    let (signals, signals_before) = sys::signal_descriptor(&SIGNALS).map_err(own("cannot take signals"))?;
    let (report, child_report) = pipe_with(PipeFlags::CLOEXEC).map_err(own("cannot make a pipe"))?;
    let (child_go, go) = pipe_with(PipeFlags::CLOEXEC).map_err(own("cannot make a pipe"))?;
    let domain = child::network_domain();
    let first = child::fork(&child::Child {
        argv: &argv,
        filter: &filter(datagrams),
        domain: domain.as_ref().map(AsFd::as_fd),
        report: child_report.as_fd(),
        go: child_go.as_fd(),
        signals_before,
        open_files_before,
    })
    .map_err(own("cannot fork"))?;
    drop((child_report, child_go, domain));
    let first_pidfd =
        pidfd_open(first, PidfdFlags::empty()).map_err(own("cannot watch the program (pidfd_open)"))?;
    let listener = take_listener(&report, &first_pidfd).inspect_err(|_| reap(first))?;
    // Older kernels wake the supervisor on any core: slower, nothing else.
    let _ = sys::wake_synchronously(listener.as_fd());
    rustix::io::write(&go, b"g").map_err(own("the program's process is gone"))?;
    match Report::read(&report).map_err(own("cannot hear of the program's start"))? {
        None => {
            // A shell gives the terminal to others, and one with `stty tostop` would stop us for a message (termios(3)).
            sys::ignore_signal(n::SIGTTOU);
            Ok(Started { first, first_pidfd, listener, signals })
        }
        Some(Report::ExecRefused(number)) => {
            reap(first);
            Err(exec_refused(name, number))
        }
        Some(Report::Listener(_) | Report::FilterRefused(_) | Report::DomainRefused(_)) => {
            reap(first);
            Err(own("unexpected report of the program's process")(Errno::PROTO))
        }
    }
}

fn arguments(program: &Program) -> Result<Vec<CString>, SpawnError> {
    let argv: Result<Vec<CString>, _> =
        program.argv.iter().map(|argument| CString::new(argument.clone().into_vec())).collect();
    let argv = argv.map_err(|_| own("an argument has a zero byte in it")(Errno::INVAL))?;
    match argv.first() {
        None => Err(own("no program was named")(Errno::INVAL)),
        Some(name) if name.is_empty() => Err(SpawnError::NotFound("''".to_owned())),
        Some(_) => Ok(argv),
    }
}

/// Takes the filter's listener out of the child.
fn take_listener(report: &OwnedFd, child: &OwnedFd) -> Result<OwnedFd, SpawnError> {
    let next = || Report::read(report).map_err(own("cannot hear of the program's start"));
    let mut said = next()?;
    if let Some(Report::DomainRefused(number)) = said {
        let reason = Errno::from_raw_os_error(number);
        complain(&format!(
            "the kernel refuses the program's Landlock domain ({reason}): TCP sockets of the machine that it inherits or \
             receives are not kept from it"
        ));
        said = next()?;
    }
    match said {
        Some(Report::Listener(number)) => pidfd_getfd(child, number, PidfdGetfdFlags::empty())
            .map_err(own("cannot take the filter's listener (pidfd_getfd)")),
        Some(Report::FilterRefused(number)) => Err(filter_refused(Errno::from_raw_os_error(number))),
        Some(Report::ExecRefused(_) | Report::DomainRefused(_)) | None => {
            Err(own("the program's process ended before it began")(Errno::CHILD))
        }
    }
}

fn filter_refused(error: Errno) -> SpawnError {
    match error {
        Errno::BUSY => own(
            "the kernel allows one seccomp listener and this shell already has one (ieum inside ieum?)",
        )(error),
        Errno::MFILE | Errno::NFILE => {
            own("no descriptor is left for the filter's listener (ulimit -n)")(error)
        }
        _ => {
            own("the kernel refused the seccomp filter (user notification and Linux 5.14 are needed)")(error)
        }
    }
}

fn exec_refused(name: String, number: i32) -> SpawnError {
    match Errno::from_raw_os_error(number) {
        Errno::NOENT | Errno::NOTDIR => SpawnError::NotFound(name),
        // A directory of PATH that may not be searched is no program that may not be executed.
        Errno::ACCESS if !name.contains('/') && !is_in_path(&name) => SpawnError::NotFound(name),
        error => SpawnError::CannotExecute(name, error.into()),
    }
}

fn is_in_path(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|place| place.join(name).exists()))
}

/// Every socket of the program costs us a descriptor as well, so the soft limit of ours is raised to the hard one;
/// returns the limit that the program shall inherit.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok()?;
    current
}

fn reap(child: Pid) {
    let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
    let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
}

fn own(sentence: &'static str) -> impl FnOnce(Errno) -> SpawnError {
    move |error| SpawnError::Own(sentence, io::Error::from(error))
}
