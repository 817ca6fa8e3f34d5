//! Code in scripts: assertions about TCP_INFO.
//!
//! The original writes all code of a script into one Python program, each piece after the values that it looks at, and
//! runs it at the end. Here the same program is read by an evaluator of the little that assertions need: assignments,
//! `assert` with a message, `print`, arithmetic, comparison chains and string formatting. What it does not read is given to
//! `python3`, should there be one; else it is named.
//!
//! Files: `info` (names of TCP_INFO's fields and constants), `lexer`, `parser` (statements and expressions), `eval`.

mod eval;
mod info;
mod lexer;
mod parser;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::stop::Stop;
use eval::{Namespace, Raised};

/// A piece of code and what it looks at.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    /// Where it stands in the script.
    pub(crate) line: u32,
    pub(crate) text: String,
    /// `struct tcp_info` at its time.
    pub(crate) info: Vec<u8>,
    /// What SO_MEMINFO says at its time: nine numbers.
    pub(crate) memory: Vec<u8>,
}

/// Runs all code of a script in order, in one namespace.
pub(crate) fn judge(path: &str, fragments: &[Fragment]) -> Result<(), Stop> {
    let mut programs = Vec::new();
    for fragment in fragments {
        match parser::program(&fragment.text) {
            Ok(program) => programs.push((fragment, program)),
            Err(what) => return by_interpreter(path, fragments, &what),
        }
    }
    let mut names = Namespace::default();
    for (fragment, program) in programs {
        names.extend(info::variables(&fragment.info));
        names.extend(info::memory(&fragment.memory));
        match names.run(&program) {
            Ok(()) => {}
            Err(Raised::Foreign(what)) => return by_interpreter(path, fragments, &what),
            Err(Raised::Name(name)) if info::is_field(&name) => {
                return Err(Stop::unsupported(format!("TCP_INFO's {name}")));
            }
            Err(Raised::Name(name)) => {
                return Err(failure(path, fragment, &format!("NameError: name '{name}' is not defined")));
            }
            Err(Raised::Assertion(message)) => {
                let message = message.map_or(String::new(), |message| format!(": {message}"));
                return Err(failure(path, fragment, &format!("AssertionError{message}")));
            }
            Err(Raised::Error(error)) => return Err(failure(path, fragment, &error)),
        }
    }
    Ok(())
}

fn failure(path: &str, fragment: &Fragment, error: &str) -> Stop {
    let Fragment { line, text, .. } = fragment;
    let code: String = text.trim().lines().map(|line| format!("    {}\n", line.trim_end())).collect();
    Stop::failed(format!("{path}:{line}: error in Python code\n{code}{error}"))
}

/// Lets `python3` run the program, should there be one.
fn by_interpreter(path: &str, fragments: &[Fragment], what: &str) -> Result<(), Stop> {
    let mut program = String::new();
    for fragment in fragments {
        for (name, value) in info::variables(&fragment.info).into_iter().chain(info::memory(&fragment.memory))
        {
            // Writing into a string cannot fail.
            let _ = writeln!(program, "{name} = {value}");
        }
        let _ = writeln!(program, "_line = {}\n{}\n", fragment.line, fragment.text);
    }
    let child = Command::new("python3")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return Err(Stop::unsupported(format!("Python: {what}"))) };
    if let Some(mut input) = child.stdin.take() {
        // An interpreter that stops to read says why in its status.
        let _ = input.write_all(program.as_bytes());
    }
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(Stop::failed(format!(
                "{path}: error executing code: 'python3' returned {}\n{error}",
                output.status
            )))
        }
        Err(error) => Err(Stop::failed(format!("{path}: error executing code: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pieces: &[&str]) -> Result<(), Stop> {
        let mut info = vec![0; 104];
        info[80] = 10; // tcpi_snd_cwnd
        let fragment = |text: &&str| Fragment {
            line: 7,
            text: (*text).to_owned(),
            info: info.clone(),
            memory: Vec::new(),
        };
        judge("a.pkt", &pieces.iter().map(fragment).collect::<Vec<_>>())
    }

    #[test]
    fn assertions_look_at_the_socket() {
        assert_eq!(run(&["assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd"]), Ok(()));
        assert_eq!(
            run(&["cwnd = 9; print(cwnd)", "cwnd += 1\nassert cwnd == tcpi_snd_cwnd # so far\n"]),
            Ok(())
        );
        assert_eq!(
            run(&["assert 5 <= tcpi_snd_cwnd <= 10 and not tcpi_lost, \\\n 'lost %d' % tcpi_lost"]),
            Ok(())
        );
        assert_eq!(run(&["assert (tcpi_options & TCPI_OPT_SACK) == 0"]), Ok(()));
    }

    #[test]
    fn a_false_assertion_is_told_with_its_code_and_message() {
        assert_eq!(
            run(&["assert tcpi_snd_cwnd == 11, 'cwnd=%d of %s' % (tcpi_snd_cwnd, 'a')"]),
            Err(Stop::failed(
                "a.pkt:7: error in Python code\n    assert tcpi_snd_cwnd == 11, 'cwnd=%d of %s' % (tcpi_snd_cwnd, 'a')\n\
                 AssertionError: cwnd=10 of a"
            ))
        );
        assert!(
            matches!(run(&["assert False"]), Err(Stop::Failed(text)) if text.ends_with("\nAssertionError"))
        );
        assert!(matches!(run(&["assert nothing"]), Err(Stop::Failed(text)) if text.contains("NameError")));
    }

    #[test]
    fn fields_that_the_host_does_not_tell_are_named() {
        assert_eq!(run(&["assert tcpi_delivered == 1"]), Err(Stop::unsupported("TCP_INFO's tcpi_delivered")));
    }
}
