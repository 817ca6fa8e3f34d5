//! Shell commands of scripts, without an effect on the machine.
//!
//! A command runs under `/bin/sh` in its script's directory. In front of its PATH stands a private directory with
//! stand-ins for the commands by which scripts set up Linux (`sysctl`, `ip`, `tc` …): they write down what was asked
//! and do nothing. What was written down is read here ([`record`]).
//!
//! A command that is given words like `/proc/sys/net/ipv4/tcp_ecn=1` is taken for a setter of sysctls: `sysctl` stands in
//! for it. One that writes to `/proc/sys` by itself is refused, and so is one that reads what only
//! the machine's own kernel could tell.
//!
//! The command before the first event is the same for many scripts, and runs once for each directory.

mod record;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use record::Request;

use crate::stop::Stop;

/// What the stand-ins stand in for.
const STAND_INS: &[&str] = &[
    "arp",
    "conntrack",
    "ethtool",
    "ifconfig",
    "ip",
    "ip6tables",
    "iptables",
    "modprobe",
    "nft",
    "nstat",
    "rmmod",
    "route",
    "sleep",
    "ss",
    "sysctl",
    "tc",
];

/// A stand-in: its own name and its arguments, one record. The separators are characters nobody types.
const STAND_IN: &str = "#!/bin/sh
{ printf '%s' \"${0##*/}\"; for word; do printf '\\037%s' \"$word\"; done; printf '\\036'; } >> \"$IEUM_DRILL_RECORD\"
";

/// `nstat`: what was counted since it was asked last, or with -a since the beginning; -n shows nothing, -z zeros too, and
/// with -s what was last is not forgotten. What it was asked for is written down like all else.
pub const NSTAT: &str = r##"#!/bin/sh
{ printf '%s' "${0##*/}"; for word; do printf '\037%s' "$word"; done; printf '\036'; } >> "$IEUM_DRILL_RECORD"
all='' quiet='' zeros='' keep=''
for word; do
    case $word in
    -*) case $word in *a*) all=yes ;; esac
        case $word in *n*) quiet=yes ;; esac
        case $word in *z*) zeros=yes ;; esac
        case $word in *s*) keep=yes ;; esac ;;
    esac
done
if [ -z "$quiet" ]; then
    echo '#kernel'
    while read -r name count; do
        before=0
        while read -r other value; do [ "$other" != "$name" ] || before=$value; done < "$IEUM_DRILL_COUNTERS.before"
        [ -z "$all" ] || before=0
        count=$((count - before))
        [ "$count" = 0 ] && [ -z "$zeros" ] || printf '%-32s%-16s%6s\n' "$name" "$count" 0.0
    done < "$IEUM_DRILL_COUNTERS"
fi
[ -n "$keep" ] || cat "$IEUM_DRILL_COUNTERS" > "$IEUM_DRILL_COUNTERS.before"
"##;

/// What a script's host has counted, where its commands see it.
pub(crate) struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// Writes what was counted so far.
    pub(crate) fn write(&self, counters: &[(&'static str, u64)]) -> Result<(), Stop> {
        let text: String = counters.iter().map(|(name, count)| format!("{name} {count}\n")).collect();
        let written = fs::write(&self.path, text);
        written.map_err(|error| Stop::failed(format!("counters cannot be shown: {error}")))
    }

    fn before(&self) -> PathBuf {
        self.path.with_extension("before")
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Nobody reads them again; that they cannot be removed only costs their place until the end.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.before());
    }
}

/// What a command asked for, or why it did not run to its end.
type Asked = Result<Vec<Request>, Stop>;

/// Where commands run.
pub(crate) struct Shell {
    directory: tempfile::TempDir,
    /// Distinguishes the records of commands that run at the same time.
    count: AtomicU64,
    /// What commands asked for that ran before, by directory and text.
    prepared: Mutex<BTreeMap<(PathBuf, String), Asked>>,
}

impl Shell {
    /// A shell with its stand-ins.
    pub(crate) fn new() -> std::io::Result<Shell> {
        let directory = tempfile::Builder::new().prefix("ieum-drill-").tempdir()?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o755);
        for name in STAND_INS {
            let text = if *name == "nstat" { NSTAT } else { STAND_IN };
            options.open(directory.path().join(name))?.write_all(text.as_bytes())?;
        }
        Ok(Shell { directory, count: AtomicU64::new(0), prepared: Mutex::new(BTreeMap::new()) })
    }

    /// A place for the counters of one script's host.
    pub(crate) fn ledger(&self) -> Result<Ledger, Stop> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let ledger = Ledger { path: self.directory.path().join(format!("counters-{number}")) };
        let made = fs::write(&ledger.path, "").and_then(|()| fs::write(ledger.before(), ""));
        made.map(|()| ledger).map_err(|error| Stop::failed(format!("counters cannot be shown: {error}")))
    }

    /// Runs the command before the first event, or tells what it asked for when it ran in this directory before.
    pub(crate) fn prepare(&self, directory: &Path, command: &str) -> Asked {
        let key = (directory.to_owned(), command.to_owned());
        let lock = || self.prepared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let requests = self.ledger().and_then(|ledger| self.run(directory, command, &ledger));
        lock().insert(key, requests.clone());
        requests
    }

    /// Runs a command and tells what it asked for.
    pub(crate) fn run(&self, directory: &Path, command: &str, ledger: &Ledger) -> Asked {
        let command = &record::rewritten(command);
        if let Some(why) = refusal(directory, command) {
            return Err(Stop::unsupported(why));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let record = self.directory.path().join(format!("record-{number}"));
        let status = self.command(directory, command, &record, ledger).status();
        let written = fs::read_to_string(&record).unwrap_or_default();
        // Nobody reads it again; that it cannot be removed only costs its place until the end.
        let _ = fs::remove_file(&record);
        let requests = record::read(&written)?;
        match status {
            Ok(status) if status.success() => Ok(requests),
            // What a setter that was not run would have left behind.
            Ok(status) if status.code() == Some(127) && command.trim_start().starts_with("/tmp/") => {
                Ok(requests)
            }
            Ok(_) if requests.contains(&Request::Counters) => {
                Err(Stop::unsupported("a counter of Linux's that is not kept (nstat, ss)"))
            }
            Ok(status) => Err(Stop::failed(format!("non-zero status {}", status.code().unwrap_or(-1)))),
            Err(error) => Err(Stop::failed(format!("/bin/sh cannot be run: {error}"))),
        }
    }

    /// Runs the command after the last event. It undoes what was done to a machine: nothing was, so its end means
    /// nothing.
    pub(crate) fn clean_up(&self, directory: &Path, command: &str, ledger: &Ledger) {
        let _ = self.run(directory, command, ledger);
    }

    fn command(&self, directory: &Path, command: &str, record: &Path, ledger: &Ledger) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths = vec![self.directory.path().to_owned()];
        paths.extend(std::env::split_paths(&path));
        let mut child = Command::new("/bin/sh");
        child.arg("-c").arg(command).current_dir(directory);
        child.env("PATH", std::env::join_paths(paths).unwrap_or(path)).env("IEUM_DRILL_RECORD", record);
        child.env("IEUM_DRILL_COUNTERS", &ledger.path);
        child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        child
    }
}

/// Why a command is not run, should it reach for the machine's kernel itself.
fn refusal(directory: &Path, command: &str) -> Option<String> {
    let first = |part: &str| part.split_whitespace().next().map(|word| directory.join(word));
    let named = record::parts(command).into_iter().filter_map(first).filter(|path| is_small_script(path));
    let mut texts: Vec<String> = named.filter_map(|path| fs::read_to_string(path).ok()).collect();
    texts.push(command.to_owned());
    for text in &texts {
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in code {
            if line.contains("/proc/sys") {
                return Some("a command that uses /proc/sys itself".to_owned());
            }
            if line.contains("/sys/module") {
                return Some("a command that uses /sys/module itself".to_owned());
            }
            if line.contains("/proc/net") || line.contains("/sys/class/net") {
                return Some("a command that reads the machine's /proc/net or /sys".to_owned());
            }
        }
    }
    None
}

/// A file that somebody may execute and that is short enough to be read as a script.
fn is_small_script(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.len() < 65_536 && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str) -> Result<Vec<Request>, Stop> {
        let shell = Shell::new().unwrap();
        shell.run(Path::new("/"), command, &shell.ledger()?)
    }

    fn set(name: &str, value: &str) -> Request {
        Request::Set { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn what_a_command_asks_of_the_machine_is_written_down_and_not_done() {
        let requests = run("sysctl -q net.ipv4.tcp_rmem=\"1 2 3\" net.ipv4.tcp_sack=1; sleep 1.5").unwrap();
        assert_eq!(
            requests,
            [
                set("net.ipv4.tcp_rmem", "1 2 3"),
                set("net.ipv4.tcp_sack", "1"),
                Request::Sleep { us: 1_500_000 }
            ]
        );
    }

    #[test]
    fn words_that_are_settings_are_taken_without_running_their_command() {
        let requests = run(
            "sysctl a=1\n/no/such/setter /proc/sys/net/ipv4/tcp_ecn=2 \\\n  /proc/sys/net/ipv4/tcp_frto=0; sysctl b=1",
        );
        let expected =
            [set("a", "1"), set("net.ipv4.tcp_ecn", "2"), set("net.ipv4.tcp_frto", "0"), set("b", "1")]
                .to_vec();
        assert_eq!(requests, Ok(expected));
    }

    #[test]
    fn what_reaches_for_the_kernel_is_refused_by_name() {
        let why = |command| run(command).unwrap_err();
        assert_eq!(
            why("echo 1 > /proc/sys/net/ipv4/ip_forward"),
            Stop::unsupported("a command that uses /proc/sys itself")
        );
        assert!(matches!(why("cat /proc/net/tcp"), Stop::Unsupported(_)));
        assert_eq!(
            why("cat /sys/module/tcp_cubic/parameters/beta"),
            Stop::unsupported("a command that uses /sys/module itself")
        );
        assert_eq!(
            why("nstat | grep X"),
            Stop::unsupported("a counter of Linux's that is not kept (nstat, ss)")
        );
        assert_eq!(why("exit 3"), Stop::failed("non-zero status 3"));
        assert_eq!(run("nstat > /dev/null"), Ok(vec![Request::Counters]));
    }

    #[test]
    fn counters_are_shown_since_they_were_asked_for_last() {
        let shell = Shell::new().unwrap();
        let ledger = shell.ledger().unwrap();
        let run = |command: &str| shell.run(Path::new("/"), command, &ledger);
        ledger.write(&[("TcpExtBeyondWindow", 1), ("UdpNoPorts", 0)]).unwrap();
        assert!(run("nstat -s | grep TcpExtBeyondWindow | grep -q ' 1 '").is_ok());
        assert!(run("nstat -n").is_ok() && run("nstat | grep TcpExt").is_err());
        assert!(run("nstat -z | grep -q 'UdpNoPorts  *0 '").is_ok());
        ledger.write(&[("TcpExtBeyondWindow", 4), ("UdpNoPorts", 0)]).unwrap();
        assert!(run("nstat -a -s | grep -q 'Window  *4 '").is_ok());
        assert!(run("nstat | grep -q 'Window  *3 '").is_ok() && run("nstat | grep Window").is_err());
    }
}
