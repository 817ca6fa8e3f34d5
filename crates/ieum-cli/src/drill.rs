//! `ieum drill`: scripts in packetdrill's language, run against a host in virtual time.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args as Arguments;
use ieum_drill::{Drill, Options, Outcome, Report, Summary};

use crate::Failure;
use crate::code::Code;

/// `ieum drill`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
Options without a description here are packetdrill's; a script can set them too, and what is typed wins. A script passes,
fails, or is unsupported, which names what is missing. The exit code is 0 when none failed, 1 when one did.

Examples:
  ieum drill handshake.pkt
  ieum drill -v --ip_version ipv6 -D CC=reno scripts/
  ieum drill --sysctls")]
pub(crate) struct Typed {
    /// Scripts, and directories of which every *.pkt is run
    #[arg(value_name = "SCRIPT", required_unless_present = "sysctls")]
    scripts: Vec<PathBuf>,

    /// Show what the sysctls mean that scripts set
    #[arg(long)]
    sysctls: bool,

    /// Show each event; and what came of scripts that want something missing
    #[arg(short, long)]
    verbose: bool,

    /// A name that means something else in scripts
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    defines: Vec<String>,

    /// ipv4, ipv4-mapped-ipv6 or ipv6 [default: ipv4]
    #[arg(long = "ip_version", value_name = "VERSION", help_heading = "Of packetdrill")]
    ip_version: Option<String>,

    /// The host's address [default: 192.168.0.1 or fd3d:fa7b:d17d::1]
    #[arg(long = "local_ip", value_name = "ADDR", help_heading = "Of packetdrill")]
    local_ip: Option<String>,

    /// The peer's address [default: 192.0.2.1 or 2001:db8::1]
    #[arg(long = "remote_ip", value_name = "ADDR", help_heading = "Of packetdrill")]
    remote_ip: Option<String>,

    /// The link's MTU [default: 1500]
    #[arg(long, value_name = "BYTES", help_heading = "Of packetdrill")]
    mtu: Option<String>,

    /// The size of the parts of super-segments that come in
    #[arg(long, value_name = "BYTES", help_heading = "Of packetdrill")]
    mss: Option<String>,

    /// How far off anything may be [default: 4000]
    #[arg(long = "tolerance_usecs", value_name = "US", help_heading = "Of packetdrill")]
    tolerance_usecs: Option<String>,

    /// The same, of the time since the event before [default: 12.5]
    #[arg(long = "tolerance_percent", value_name = "PERCENT", help_heading = "Of packetdrill")]
    tolerance_percent: Option<String>,

    /// Kinds of errors that only warn: packet, syscall
    #[arg(long = "non_fatal", value_name = "KINDS", help_heading = "Of packetdrill")]
    non_fatal: Option<String>,

    /// Any other option of packetdrill's, as NAME or NAME=VALUE
    #[arg(short = 'o', long = "option", value_name = "NAME[=VALUE]", help_heading = "Of packetdrill")]
    others: Vec<String>,
}

impl Typed {
    fn options(&self) -> Options {
        let mut options = Options::default();
        let values = [
            ("ip_version", &self.ip_version),
            ("local_ip", &self.local_ip),
            ("remote_ip", &self.remote_ip),
            ("mtu", &self.mtu),
            ("mss", &self.mss),
            ("tolerance_usecs", &self.tolerance_usecs),
            ("tolerance_percent", &self.tolerance_percent),
            ("non_fatal", &self.non_fatal),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                options.push(name, Some(value));
            }
        }
        self.defines.iter().for_each(|define| options.push("define", Some(define)));
        for other in &self.others {
            let (name, value) =
                other.split_once('=').map_or((other.as_str(), None), |(name, value)| (name, Some(value)));
            options.push(name.trim_start_matches('-'), value);
        }
        if self.verbose {
            options.push("verbose", None);
        }
        options
    }
}

/// Runs what was asked for.
pub(crate) fn drill(typed: &Typed) -> Result<Code, Failure> {
    if typed.sysctls {
        return print(&ieum_drill::sysctls()).map(|()| Code::Program(0));
    }
    let mut paths = Vec::new();
    for path in &typed.scripts {
        let below = ieum_drill::scripts_below(path);
        paths.extend(below.map_err(|error| Failure::own(format!("{}: {error}", path.display())))?);
    }
    let drill =
        Drill::new(typed.options()).map_err(|error| Failure::own(format!("no place to work in: {error}")))?;
    let reports = drill.run_all(&paths);
    let mut summary = Summary::default();
    let mut text = String::new();
    for report in &reports {
        summary.count(report);
        text += &told(report, typed.verbose, reports.len() > 1);
    }
    if reports.len() != 1 {
        text += &format!("{summary}\n");
    }
    print(&text)?;
    Ok(Code::Program(u8::from(!summary.is_clean())))
}

/// What is said of one script: nothing of one that passed, unless there are many.
fn told(report: &Report, verbose: bool, many: bool) -> String {
    let Report { path, outcome, said } = report;
    let mut text: String = said.iter().map(|line| format!("{line}\n")).collect();
    match outcome {
        Outcome::Passed if many => text += &format!("pass {path}\n"),
        Outcome::Passed => {}
        Outcome::Failed(report) if many => text += &format!("FAIL {path}\n{report}\n"),
        Outcome::Failed(report) => text += &format!("{report}\n"),
        Outcome::Unsupported { missing, failure } => {
            text += &format!("unsupported {path}: {}\n", missing.join("; "));
            if let (true, Some(failure)) = (verbose || !many, failure) {
                text += &format!("{failure}\n");
            }
        }
    }
    text
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::own(format!("cannot write: {error}")))
        }
        // A reader that has gone away has seen enough.
        Ok(()) | Err(_) => Ok(()),
    }
}
