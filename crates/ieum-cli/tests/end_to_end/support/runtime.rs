//! A directory of control sockets of a test's own: hosts of other tests are not in it.

use std::fs;

use super::{Folder, Running, ieum, path_of, script};

/// The directory, and what runs by it.
pub(crate) struct Runtime {
    folder: Folder,
}

impl Runtime {
    /// One without hosts.
    pub(crate) fn new() -> Runtime {
        Runtime { folder: Folder::new() }
    }

    /// Starts `ieum run FLAGS -- PROGRAM`.
    pub(crate) fn run(&self, flags: &[&str], program: &[&str]) -> Running {
        self.start(&ieum(flags, program))
    }

    /// Starts `ieum run FLAGS -- python3 guest.py WORDS`.
    pub(crate) fn guest(&self, flags: &[&str], words: &[&str]) -> Running {
        let (python, guest) = (path_of("python3"), script("guest.py"));
        self.run(flags, &[&[python.as_str(), &guest], words].concat())
    }

    /// What `ieum ss FLAGS` prints.
    pub(crate) fn ss(&self, flags: &[&str]) -> String {
        self.start(&[&[env!("CARGO_BIN_EXE_ieum"), "ss"], flags].concat()).finish().success()
    }

    /// Starts any words that find each other here.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start_with(words, |command| command.env("XDG_RUNTIME_DIR", self.folder.path()))
    }
}

/// The process that serves, behind the front that `ieum run --name` or `--in` is: its only child.
pub(crate) fn server_of(front: &Running) -> i32 {
    let front = front.id();
    let children = fs::read_to_string(format!("/proc/{front}/task/{front}/children"));
    let children = children.expect("a process that runs has a list of children");
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("it has one child")
}

/// How many descriptors a process has; `None` where only root may look.
pub(crate) fn descriptors_of(process: i32) -> Option<usize> {
    fs::read_dir(format!("/proc/{process}/fd")).ok().map(Iterator::count)
}

/// The memory of a process that is in use, in KiB.
pub(crate) fn resident_kib(process: i32) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says how much");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}
