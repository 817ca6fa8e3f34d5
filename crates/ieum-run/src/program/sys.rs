//! The child that becomes the program: fork, its life behind the filter until exec, and what it reports meanwhile. Beside
//! `crate::sys` the only unsafe code of this crate.
//!
//! A child between fork and exec calls nothing that is not async-signal-safe, so all that it needs is made before the fork
//! ([`Child`]), and nothing here allocates after it.

use std::ffi::{CString, c_char};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::process::Pid;

use crate::sys::{FilterInstruction, check, filter_program, last_error};

/// What the child tells its parent before it becomes the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// The filter stands; the number of its listener in the child's table.
    Listener(i32),
    /// The filter was refused.
    FilterRefused(i32),
    /// The program could not be executed.
    ExecRefused(i32),
    /// The Landlock domain could not be entered. The filter holds without it.
    DomainRefused(i32),
}

const REPORT_BYTES: usize = 8;

impl Report {
    fn encode(self) -> [u8; REPORT_BYTES] {
        let (kind, value) = match self {
            Report::Listener(number) => (1i32, number),
            Report::FilterRefused(number) => (2, number),
            Report::ExecRefused(number) => (3, number),
            Report::DomainRefused(number) => (4, number),
        };
        let mut bytes = [0; REPORT_BYTES];
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        bytes[4..].copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    /// The next report of the pipe; `None` at its end, which is the program's beginning.
    pub(crate) fn read(pipe: impl AsFd) -> rustix::io::Result<Option<Report>> {
        let mut bytes = [0u8; REPORT_BYTES];
        let count = rustix::io::retry_on_intr(|| rustix::io::read(&pipe, &mut bytes))?;
        if count != REPORT_BYTES {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h] = bytes;
        let value = i32::from_ne_bytes([e, f, g, h]);
        Ok(match i32::from_ne_bytes([a, b, c, d]) {
            1 => Some(Report::Listener(value)),
            2 => Some(Report::FilterRefused(value)),
            3 => Some(Report::ExecRefused(value)),
            4 => Some(Report::DomainRefused(value)),
            _ => None,
        })
    }
}

/// What a Landlock domain handles (linux/landlock.h); without rules, all that is handled is denied.
#[repr(C)]
struct LandlockRuleset {
    handled_access_fs: u64,
    handled_access_net: u64,
}

/// A Landlock domain, to be entered by the program, that denies bind and connect to TCP sockets of the kernel. Whoever is
/// in a domain can also trace, read and take descriptors of no process outside of it. `None` before Linux 6.7, and where
/// Landlock is not compiled in or switched off.
///
/// The crate for Landlock enters domains with calls that a child between fork and exec must not make.
pub(crate) fn network_domain() -> Option<OwnedFd> {
    const BIND_TCP_AND_CONNECT_TCP: u64 = 3;
    let ruleset = LandlockRuleset { handled_access_fs: 0, handled_access_net: BIND_TCP_AND_CONNECT_TCP };
    // SAFETY: the kernel only reads `ruleset`, whose size is told.
    let number = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size_of::<LandlockRuleset>(), 0)
    };
    let number = RawFd::try_from(number).ok().filter(|number| *number >= 0)?;
    // SAFETY: the descriptor was just made, and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// All that a child needs between fork and exec, made before the fork since the child must not allocate.
pub(crate) struct Child<'a> {
    pub(crate) argv: &'a [CString],
    pub(crate) filter: &'a [FilterInstruction],
    /// The Landlock domain it enters, where the kernel has them.
    pub(crate) domain: Option<BorrowedFd<'a>>,
    /// Where the child reports; closed by exec.
    pub(crate) report: BorrowedFd<'a>,
    /// Where the child waits until the parent has taken the listener.
    pub(crate) go: BorrowedFd<'a>,
    /// The signals that were held back before ours.
    pub(crate) signals_before: libc::sigset_t,
    /// The soft limit of open files that the program inherits, when ours was raised.
    pub(crate) open_files_before: Option<u64>,
}

/// Forks a process that goes on from here, as its parent does: `None` in the child. EBUSY when there are threads, whose locks
/// a child would find held for ever.
pub(crate) fn fork_alone() -> rustix::io::Result<Option<Pid>> {
    if std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count) != 1 {
        return Err(Errno::BUSY);
    }
    // SAFETY: no other thread is there, so that nothing is half-done in the child's copy of memory.
    Ok(Pid::from_raw(check(unsafe { libc::fork() })?))
}

/// Forks a child that puts itself behind the filter and then becomes the program.
pub(crate) fn fork(child: &Child<'_>) -> rustix::io::Result<Pid> {
    let mut argv: Vec<*const c_char> = child.argv.iter().map(|argument| argument.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: the child calls only `become_program`, which allocates nothing, takes no lock and never returns.
    let pid = check(unsafe { libc::fork() })?;
    match Pid::from_raw(pid) {
        Some(pid) => Ok(pid),
        None => become_program(child, &argv),
    }
}

/// The child's life between fork and exec: async-signal-safe calls only.
fn become_program(child: &Child<'_>, argv: &[*const c_char]) -> ! {
    let report = child.report.as_raw_fd();
    restore_inheritance(child);
    let number = match install_filter(child.filter) {
        Ok(number) => number,
        Err(error) => leave(report, Report::FilterRefused(error.raw_os_error())),
    };
    if let Some(domain) = child.domain {
        // A program in sixteen domains already can enter no more.
        // SAFETY: the call takes a descriptor and a number.
        let entered = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, domain.as_raw_fd(), 0) };
        if entered < 0 {
            tell(report, Report::DomainRefused(last_error().raw_os_error()));
        }
    }
    tell(report, Report::Listener(number));
    let mut go = [0u8; 1];
    // SAFETY: one byte is read into a buffer of one byte; the listener's number is ours to close; `argv` is a
    // null-terminated array of C strings that outlive the call.
    unsafe {
        if libc::read(child.go.as_raw_fd(), go.as_mut_ptr().cast(), 1) != 1 {
            libc::_exit(125);
        }
        libc::close(number);
        libc::execvp(argv[0], argv.as_ptr());
    }
    leave(report, Report::ExecRefused(last_error().raw_os_error()))
}

/// What SIGPIPE meant when this process began. Rust's runtime has it ignored before `main`, and programs count on what they were
/// started with: systemd has it ignored.
static PIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

#[used]
// SAFETY: the section is an array of such functions, which are called once before `main`, and before Rust's runtime begins;
// this one calls nothing that needs it.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look_at_pipe;

extern "C" fn look_at_pipe() {
    // SAFETY: a sigaction is plain integers and lives through the call, which only fills it.
    let was_ignored = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    };
    PIPE_WAS_IGNORED.store(was_ignored, Ordering::Relaxed);
}

/// What the program inherits is what ieum inherited: its signal mask, SIGPIPE's meaning and the limit of open files.
fn restore_inheritance(child: &Child<'_>) {
    // SAFETY: all pointers are to locals or to `child`, which outlive the calls.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const child.signals_before, std::ptr::null_mut());
        let pipe = if PIPE_WAS_IGNORED.load(Ordering::Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL };
        libc::signal(libc::SIGPIPE, pipe);
        if let Some(soft) = child.open_files_before {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
            limit.rlim_cur = soft;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// The calling process and all its descendants are filtered from now on; the number of the listener.
fn install_filter(filter: &[FilterInstruction]) -> rustix::io::Result<RawFd> {
    let program = filter_program(filter)?;
    // SAFETY: prctl takes integers; seccomp only reads `program` and the instructions it points to.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        let number = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        );
        i32::try_from(number).ok().filter(|number| *number >= 0).ok_or_else(last_error)
    }
}

fn tell(pipe: RawFd, report: Report) {
    let bytes = report.encode();
    // SAFETY: `bytes` lives through the call, which only reads it.
    unsafe { libc::write(pipe, bytes.as_ptr().cast(), bytes.len()) };
}

fn leave(pipe: RawFd, report: Report) -> ! {
    tell(pipe, report);
    // SAFETY: ends the child without running the parent's destructors, as it must.
    unsafe { libc::_exit(125) }
}
