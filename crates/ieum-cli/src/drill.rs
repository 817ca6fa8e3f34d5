//! `ieum drill`: scripts in packetdrill's language, run against a host in virtual time.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args as Arguments, Command, FromArgMatches};
use ieum_drill::{Drill, OPTIONS, Options, Outcome, Report, Summary};
use ieum_exit::{PublishParseError, Transport, port_of};

use crate::Failure;
use crate::code::Code;

/// `ieum drill`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
Options without a description here are packetdrill's; a script can set them too, and what is typed wins. A script passes,
fails, or is unsupported, which names what is missing. The exit code is 0 when all passed, 1 when one failed, and 4 when
none failed but one is unsupported.

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

    /// One line a script: its end, its path and why, with tabs between them
    #[arg(long, conflicts_with = "verbose")]
    verdicts: bool,

    /// Show each event; and what came of scripts that want something missing
    #[arg(short, long, overrides_with = "verbose")]
    verbose: bool,

    /// A name that means something else in scripts
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    defines: Vec<String>,

    #[command(flatten)]
    others: Packetdrill,
}

impl Typed {
    fn options(&self) -> Options {
        let mut options = Options::default();
        self.others.0.iter().for_each(|(name, value)| options.push(name, value.as_deref()));
        self.defines.iter().for_each(|define| options.push("define", Some(define)));
        if self.verbose {
            options.push("verbose", None);
        }
        options
    }
}

/// The original's own options, which scripts have too: one table says them all.
#[derive(Debug)]
struct Packetdrill(Vec<(&'static str, Option<String>)>);

impl Arguments for Packetdrill {
    fn augment_args(command: Command) -> Command {
        OPTIONS.iter().fold(command, |command, option| {
            let argument = Arg::new(option.name).long(option.name).help(option.help);
            // As in the original the last one counts.
            let argument = argument.help_heading("Of packetdrill").overrides_with(option.name);
            command.arg(match option.value {
                Some("PORT") => argument.value_name("PORT").value_parser(port),
                Some(value) => argument.value_name(value),
                None => argument.action(ArgAction::SetTrue),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Packetdrill::augment_args(command)
    }
}

/// A port as it is typed, in the number that scripts know.
fn port(typed: &str) -> Result<String, String> {
    let port = port_of(typed, Transport::Tcp).filter(|port| *port > 0);
    let port = port.ok_or_else(|| PublishParseError::Port(typed.into()).to_string())?;
    Ok(port.to_string())
}

impl FromArgMatches for Packetdrill {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Packetdrill, clap::Error> {
        let given = OPTIONS.iter().filter_map(|option| match option.value {
            Some(_) => matches.get_one::<String>(option.name).map(|value| (option.name, Some(value.clone()))),
            None => matches.get_flag(option.name).then_some((option.name, None)),
        });
        Ok(Packetdrill(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Packetdrill::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs what was asked for.
pub(crate) fn drill(typed: &Typed) -> Result<Code, Failure> {
    if typed.sysctls {
        return print(&ieum_drill::sysctls()).map(|()| Code::Program(0));
    }
    let mut paths = Vec::new();
    for path in &typed.scripts {
        let below = ieum_drill::scripts_below(path)
            .map_err(|error| Failure::own(format!("{}: {error}", path.display())))?;
        if below.is_empty() {
            return Err(Failure::own(format!("{}: no *.pkt in this directory", path.display())));
        }
        paths.extend(below);
    }
    let drill =
        Drill::new(typed.options()).map_err(|error| Failure::own(format!("no place to work in: {error}")))?;
    let reports = drill.run_all(&paths);
    let mut summary = Summary::default();
    let mut text = String::new();
    for report in &reports {
        summary.count(report);
        text +=
            &if typed.verdicts { verdict(report) } else { told(report, typed.verbose, reports.len() > 1) };
    }
    if reports.len() != 1 && !typed.verdicts {
        text += &format!("{summary}\n");
    }
    print(&text)?;
    Ok(Code::Program(if !summary.is_clean() {
        1
    } else if summary.unsupported() > 0 {
        UNSUPPORTED
    } else {
        0
    }))
}

/// No script failed, but one needs what is not there: "skipped", as Linux's own tests say it.
const UNSUPPORTED: u8 = 4;

/// One script's end as one line.
fn verdict(report: &Report) -> String {
    let line = |text: &str| text.lines().next().unwrap_or("").replace('\t', " ");
    let (word, why) = match &report.outcome {
        Outcome::Passed => ("pass", String::new()),
        Outcome::Failed(failure) => ("FAIL", reason(failure)),
        Outcome::Unsupported { missing, failure } => {
            let failure =
                failure.as_deref().map_or(String::new(), |failure| format!("; {}", reason(failure)));
            ("unsupported", format!("{}{failure}", missing.join(", ")))
        }
    };
    format!("{word}\t{}\t{}\n", report.path, line(&why))
}

/// What a failure's report says first; of code that was false what it asserted.
fn reason(failure: &str) -> String {
    let mut lines = failure.lines();
    let first = lines.next().unwrap_or("");
    match lines.next_back() {
        Some(last) if first.ends_with("error in Python code") => format!("{first}: {last}"),
        Some(_) | None => first.to_owned(),
    }
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
