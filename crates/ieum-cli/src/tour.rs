//! `ieum tour`: the socket explained by running it.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::{Args as Arguments, ValueEnum};
use ieum_tour::{Language, Tour, farewell, prompt, welcome};

use crate::Failure;
use crate::code::Code;

/// Decides the numbers of the tour: with the same seed everyone sees the same ones and can talk about them.
const SEED: u64 = 1;

/// `ieum tour`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
Nothing leaves this machine and nothing is needed: the hosts of the tour live in this process, in virtual time.

Examples:
  ieum tour --step
  ieum tour --lang ko | less
  ieum tour --json | jq '.[] | .step'")]
pub(crate) struct Typed {
    /// In English or Korean [default: as LC_ALL, LC_MESSAGES or LANG say]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,

    /// Wait for Enter after each step; q quits
    #[arg(long, conflicts_with = "json")]
    step: bool,

    /// The facts of all steps as a JSON array, without their explanation
    #[arg(long)]
    json: bool,
}

/// What can be typed for a language.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Lang {
    /// English
    En,
    /// 한국어
    Ko,
}

impl Lang {
    fn language(self) -> Language {
        match self {
            Lang::En => Language::English,
            Lang::Ko => Language::Korean,
        }
    }
}

/// Goes through the tour.
pub(crate) fn tour(typed: &Typed) -> Result<Code, Failure> {
    let tour = Tour::new(SEED).map_err(|surprise| Failure::own(format!("the tour broke off: {surprise}")))?;
    let language = typed.lang.map_or_else(language_of_environment, Lang::language);
    let shown = if typed.json { show_json(&tour) } else { show(&tour, language, typed.step) };
    match shown {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::own(format!("cannot write: {error}")))
        }
        // A reader that has gone away has seen enough.
        Ok(()) | Err(_) => Ok(Code::Program(0)),
    }
}

fn show_json(tour: &Tour) -> io::Result<()> {
    let text = serde_json::to_string_pretty(&tour.json())?;
    writeln!(io::stdout().lock(), "{text}")
}

fn show(tour: &Tour, language: Language, by_steps: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut reader = by_steps.then(|| io::stdin().lock());
    write!(out, "{}", welcome(language))?;
    for (number, page) in tour.pages(language).into_iter().enumerate() {
        if let Some(input) = reader.as_mut().filter(|_| number > 0) {
            write!(out, "\n{}", prompt(language))?;
            out.flush()?;
            match answer(input)? {
                Answer::GoOn => {}
                Answer::Quit => return Ok(()),
                // Nobody is there who could press a key.
                Answer::Nobody => reader = None,
            }
            if !io::stdin().is_terminal() {
                writeln!(out)?;
            }
        }
        write!(out, "\n{page}")?;
    }
    write!(out, "\n{}", farewell(language))
}

/// What a reader answers between two steps.
enum Answer {
    GoOn,
    Quit,
    /// The end of the input.
    Nobody,
}

fn answer(input: &mut impl BufRead) -> io::Result<Answer> {
    let mut line = Vec::new();
    let count = input.read_until(b'\n', &mut line)?;
    Ok(match line.trim_ascii() {
        b"q" | b"Q" => Answer::Quit,
        _ if count == 0 => Answer::Nobody,
        _ => Answer::GoOn,
    })
}

/// As setlocale(3) finds the language of messages: the first of these variables that says something.
fn language_of_environment() -> Language {
    let said = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(std::env::var_os);
    let locale = said.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    Language::of_locale(&locale.to_string_lossy())
}
