//! Commands of scripts that would ask, or tell, the machine's kernel what only the host knows.
//!
//! Most of what commands do to a namespace can be read there afterwards ([`crate::sysctls`], [`crate::device`]). Two
//! cannot: `nstat` shows the kernel's counters, and `ip tcp_metrics flush` makes the kernel forget what it has learnt of
//! peers. So for as long as the tool runs a private directory stands in front of its PATH, with an `nstat` that shows
//! what the host has counted, the one of `ieum drill`, and an `ip` that writes down that something is to be forgotten and
//! then is the real one.

mod sys;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ieum_drill::NSTAT;
use tempfile::TempDir;

/// `ip`, which notes what is to be forgotten.
const IP: &str = r#"#!/bin/sh
case "$*" in
*tcp_metrics*flush* | *tcp_metrics*del*) : > "${0%/*}/forget" ;;
esac
PATH=${PATH#"${0%/*}:"} exec ip "$@"
"#;

/// The directory with the commands, if there is one.
#[derive(Default)]
pub(crate) struct StandIns {
    directory: Option<TempDir>,
    /// The counters as `nstat` finds them.
    shown: String,
}

impl StandIns {
    /// Puts the commands in front of the PATH. Without a place for them scripts find those of the machine.
    pub(crate) fn new() -> StandIns {
        let made = TempDir::with_prefix("ieum-packetdrill-").and_then(|directory| {
            fill(directory.path())?;
            Ok(directory)
        });
        let directory = made.ok();
        if let Some(directory) = &directory {
            sys::put_in_front(directory.path());
            *LEFT.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory.path().to_owned());
            sys::at_exit(remove_what_is_left);
        }
        StandIns { directory, shown: String::new() }
    }

    /// Shows `nstat` what the host has counted.
    pub(crate) fn show(&mut self, counters: &[(&'static str, u64)]) {
        let Some(directory) = &self.directory else { return };
        let text: String = counters.iter().map(|(name, count)| format!("{name} {count}\n")).collect();
        if text != self.shown && fs::write(directory.path().join(COUNTERS), &text).is_ok() {
            self.shown = text;
        }
    }

    /// Was it said, since this was asked last, that what was learnt of peers is to be forgotten?
    pub(crate) fn forget_paths(&self) -> bool {
        let directory = self.directory.as_ref();
        directory.is_some_and(|directory| fs::remove_file(directory.path().join("forget")).is_ok())
    }
}

/// The directory last made: a tool whose script fails ends without saying so.
static LEFT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes the directory if it is still there.
extern "C" fn remove_what_is_left() {
    if let Some(directory) = LEFT.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // It may be gone already.
        let _ = fs::remove_dir_all(directory);
    }
}

/// The file that `nstat` reads.
const COUNTERS: &str = "counters";

/// Writes the commands into their directory.
fn fill(directory: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o755);
    for (name, text) in [("nstat", NSTAT), ("ip", IP)] {
        options.open(directory.join(name))?.write_all(text.as_bytes())?;
    }
    fs::write(directory.join(COUNTERS), "")?;
    fs::write(directory.join(COUNTERS).with_extension("before"), "")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a command with the stand-ins in front of its own PATH.
    fn run(directory: &Path, command: &str) -> bool {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.display());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).env("PATH", path).env("IEUM_DRILL_RECORD", "/dev/null");
        shell.env("IEUM_DRILL_COUNTERS", directory.join(COUNTERS)).status().unwrap().success()
    }

    #[test]
    fn what_is_counted_is_shown_and_what_is_to_be_forgotten_is_told() {
        let directory = TempDir::new().unwrap();
        fill(directory.path()).unwrap();
        let path = directory.path().to_owned();
        let mut stand_ins = StandIns { directory: Some(directory), shown: String::new() };
        stand_ins.show(&[("UdpNoPorts", 3)]);
        assert!(run(&path, "nstat | grep -q 'UdpNoPorts  *3 '"));
        assert!(!stand_ins.forget_paths());
        run(&path, "ip tcp_metrics flush all 2> /dev/null");
        assert!(stand_ins.forget_paths() && !stand_ins.forget_paths());
    }
}
