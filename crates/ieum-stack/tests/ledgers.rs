//! The ledgers of `docs/rfc`: what each RFC asks for, whether it is done, and the test that shows it.
//!
//! Every test that a ledger names must exist, what is not done must say why, and the page `docs/RFC.md` must be what the
//! ledgers make of it: `IEUM_WRITE_RFC=1 cargo test -p ieum-stack --test ledgers` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One file: an RFC, or a draft.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    rfc: Option<u16>,
    draft: Option<String>,
    title: String,
    rule: Vec<Rule>,
}

/// One thing that it asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    section: String,
    level: Level,
    text: String,
    state: State,
    #[serde(default)]
    why: String,
    #[serde(default)]
    tests: Vec<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "MAY")]
    May,
    /// Prose that demands without the word.
    #[serde(rename = "says")]
    Says,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum State {
    Done,
    Declined,
    Missing,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All ledgers, by their name and number.
fn ledgers() -> Vec<(String, Ledger)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("docs/rfc"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut ledgers: Vec<(String, Ledger)> = files
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let ledger: Ledger = toml::from_str(&std::fs::read_to_string(path).unwrap())
                .unwrap_or_else(|error| panic!("docs/rfc/{name}.toml: {error}"));
            (name, ledger)
        })
        .collect();
    ledgers.sort_by_key(|(name, ledger)| (ledger.rfc.unwrap_or(u16::MAX), name.clone()));
    ledgers
}

/// Is there such a test? A path to a script, or `path.rs: function` of a function that is a test.
fn exists(test: &str) -> bool {
    let Some((path, function)) = test.split_once(": ") else {
        return root().join(test).is_file();
    };
    let Ok(text) = std::fs::read_to_string(root().join(path)) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    lines.iter().enumerate().any(|(at, line)| {
        line.starts_with(&head)
            // Attributes stand before it, in a #[test] or in proptest's block.
            && lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).any(|line| *line == "#[test]")
    })
}

/// What is wrong with one rule.
fn wrong(rule: &Rule) -> Vec<String> {
    let mut wrong = Vec::new();
    if rule.text.trim().is_empty() || rule.section.trim().is_empty() {
        wrong.push("says nothing".to_owned());
    }
    if rule.state == State::Done && rule.tests.is_empty() {
        wrong.push("is done, and no test shows it".to_owned());
    }
    if rule.state != State::Done && rule.why.trim().is_empty() {
        wrong.push("is not done, and does not say why".to_owned());
    }
    wrong.extend(rule.tests.iter().filter(|test| !exists(test)).map(|test| format!("names no test: {test}")));
    wrong
}

/// The page that the ledgers make.
fn page(ledgers: &[(String, Ledger)]) -> String {
    let mut page = String::from(
        "# What the RFCs ask for\n\nMade from the ledgers in `docs/rfc` by `IEUM_WRITE_RFC=1 cargo test -p ieum-stack --test ledgers`; do not edit by\nhand. A test checks that every test named here exists, and that this page is what the ledgers say.\n\n| RFC | title | rules | done | declined | missing |\n|---|---|---|---|---|---|\n",
    );
    for (_, ledger) in ledgers {
        let count = |state| ledger.rule.iter().filter(|rule| rule.state == state).count();
        let (done, declined, missing) = (count(State::Done), count(State::Declined), count(State::Missing));
        let (id, title) = (id(ledger), &ledger.title);
        writeln!(page, "| {id} | {title} | {} | {done} | {declined} | {missing} |", ledger.rule.len())
            .unwrap();
    }
    for (name, ledger) in ledgers {
        writeln!(page, "\n## {}: {}\n\n`docs/rfc/{name}.toml`\n", id(ledger), ledger.title).unwrap();
        writeln!(page, "| section | level | what | state | shown by, or why not |\n|---|---|---|---|---|")
            .unwrap();
        for rule in &ledger.rule {
            let shown = rule.tests.iter().map(|test| format!("`{}`", short(test)));
            let why = (!rule.why.is_empty()).then(|| rule.why.clone());
            let shown: Vec<String> = why.into_iter().chain(shown).collect();
            let level = match rule.level {
                Level::Must => "MUST",
                Level::Should => "SHOULD",
                Level::May => "MAY",
                Level::Says => "says",
            };
            let state = format!("{:?}", rule.state).to_lowercase();
            let cell = |text: &str| text.replace('|', "\\|");
            writeln!(
                page,
                "| {} | {level} | {} | {state} | {} |",
                rule.section,
                cell(&rule.text),
                cell(&shown.join("; "))
            )
            .unwrap();
        }
    }
    page
}

fn id(ledger: &Ledger) -> String {
    match (ledger.rfc, &ledger.draft) {
        (Some(number), None) => format!("RFC {number}"),
        (None, Some(draft)) => draft.clone(),
        (Some(_), Some(_)) | (None, None) => panic!("{}: either rfc or draft", ledger.title),
    }
}

/// A test's place without what all of them share.
fn short(test: &str) -> &str {
    test.strip_prefix("crates/").unwrap_or(test)
}

#[test]
fn every_rule_names_the_test_that_shows_it_or_says_why_there_is_none() {
    let mut wrongs = Vec::new();
    for (name, ledger) in ledgers() {
        assert!(!ledger.rule.is_empty(), "docs/rfc/{name}.toml has rules");
        for rule in &ledger.rule {
            wrongs.extend(
                wrong(rule)
                    .into_iter()
                    .map(|what| format!("docs/rfc/{name}.toml: §{} “{}” {what}", rule.section, rule.text)),
            );
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn the_page_is_what_the_ledgers_say() {
    let (page, path) = (page(&ledgers()), root().join("docs/RFC.md"));
    if std::env::var_os("IEUM_WRITE_RFC").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/RFC.md is not what the ledgers say: IEUM_WRITE_RFC=1 cargo test -p ieum-stack --test ledgers"
    );
}
