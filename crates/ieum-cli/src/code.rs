//! Exit codes, as env(1), nohup(1) and shells have them.

use std::process::ExitCode;

use clap::error::ErrorKind;
use ieum_engine::complain;

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
        let typed: Vec<_> = std::env::args_os().skip(1).take(2).collect();
        let help = help_about(&typed.iter().filter_map(|word| word.to_str()).collect::<Vec<_>>());
        complain(&format!("{} ({help} says more)", what_is_wrong(&error.to_string())));
    }
    Code::Own
}

/// What says more about a command line that begins with the words `typed`.
fn help_about(typed: &[&str]) -> &'static str {
    match typed {
        ["run", ..] => "ieum run --help",
        ["ss", ..] => "ieum ss --help",
        ["forward", ..] => "ieum forward --help",
        ["drill", ..] => "ieum drill --help",
        ["lab", "sim", ..] => "ieum lab sim --help",
        ["lab", "flow", ..] => "ieum lab flow --help",
        ["lab", "table", ..] => "ieum lab table --help",
        ["lab", ..] => "ieum lab --help",
        ["tour", ..] => "ieum tour --help",
        _ => "ieum --help",
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
        assert_eq!(help_about(&["run", "-x"]), "ieum run --help");
        assert_eq!(help_about(&["lab", "sim"]), "ieum lab sim --help");
        assert_eq!([help_about(&["frob"]), help_about(&[])], ["ieum --help"; 2]);
    }

    #[test]
    fn a_usage_error_becomes_one_line() {
        let text = "error: the following were not given:\n  <PROGRAM>...\n\nUsage: ieum run";
        assert_eq!(what_is_wrong(text), "the following were not given: <PROGRAM>...");
    }
}
