//! Exit codes, as env(1), nohup(1) and shells have them.

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// How ieum ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Code {
    /// With the program's own code, or 128 + the signal that killed it.
    Program(u8),
    /// 125: ieum itself could not do its work.
    Own,
    /// 126: the program was found and cannot be executed.
    CannotExecute,
    /// 127: there is no such program.
    NotFound,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(match code {
            Code::Program(code) => code,
            Code::Own => 125,
            Code::CannotExecute => 126,
            Code::NotFound => 127,
        })
    }
}

/// One line on standard error.
pub(crate) fn complain(sentence: &str) {
    eprintln!("ieum: {sentence}");
}

/// Help and version were asked for, or something wrong was typed: the latter is a failure of ieum's, never to be
/// taken for the program's own exit code 2.
pub(crate) fn of_usage(error: &clap::Error) -> Code {
    let kind = error.kind();
    if kind == ErrorKind::DisplayHelp || kind == ErrorKind::DisplayVersion {
        // A reader that has gone away has seen enough.
        let _ = error.print();
        return Code::Program(0);
    }
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
    } else {
        let typed = std::env::args_os().nth(1);
        let help = help_about(typed.as_deref());
        complain(&format!("{} ({help} says more)", what_is_wrong(&error.to_string())));
    }
    Code::Own
}

/// What says more about a command line that begins with the word `typed`.
fn help_about(typed: Option<&OsStr>) -> &'static str {
    match typed.and_then(OsStr::to_str) {
        Some("run") => "ieum run --help",
        Some("ss") => "ieum ss --help",
        Some("forward") => "ieum forward --help",
        Some("drill") => "ieum drill --help",
        Some("lab") => "ieum lab --help",
        Some("tour") => "ieum tour --help",
        Some(_) | None => "ieum --help",
    }
}

/// The first paragraph of a usage error, in one line: what follows repeats the usage.
fn what_is_wrong(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().map(str::trim);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_mistaken_is_shown_the_help_of_what_was_typed() {
        let help = |typed: &str| help_about(Some(OsStr::new(typed)));
        assert_eq!([help("run"), help("ss")], ["ieum run --help", "ieum ss --help"]);
        assert_eq!([help("frob"), help_about(None)], ["ieum --help"; 2]);
    }

    #[test]
    fn a_usage_error_becomes_one_line() {
        let text = "error: the following were not given:\n  <PROGRAM>...\n\nUsage: ieum run";
        assert_eq!(what_is_wrong(text), "the following were not given: <PROGRAM>...");
    }
}
