//! What both sides returned, call by call, against what is listed; and how often each row was seen.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::call::Call;
use super::known::{Kind, Known};
use super::state::States;

/// What is seldom shows on one of so many occasions at most, or as often as this.
const SELDOM_SHARE: usize = 5;
const SELDOM_SURE: usize = 5;
/// Of all calls so many are compared at least. Of the usual ones 89 are, since datagrams of the kernel's leave streams
/// to AF_UNIX.
const COMPARED_PERCENT: usize = 80;
/// Of all sequences so far.
pub(crate) struct Comparison<'a> {
    known: &'a [Known],
    /// Are many sequences wanted? Then of what is not listed one of each kind is told, and the others are looked at.
    goes_on: bool,
    played: usize,
    calls: usize,
    compared: usize,
    /// How often a row could have been seen that is seldom, and how often each row was.
    occasions: BTreeMap<&'a str, usize>,
    seen: BTreeMap<&'a str, usize>,
    not_listed: BTreeMap<Kind, String>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(known: &'a [Known], goes_on: bool) -> Comparison<'a> {
        Comparison {
            known,
            goes_on,
            played: 0,
            calls: 0,
            compared: 0,
            occasions: BTreeMap::new(),
            seen: BTreeMap::new(),
            not_listed: BTreeMap::new(),
        }
    }

    /// Sequences so far.
    pub(crate) fn played(&self) -> usize {
        self.played
    }

    /// One sequence, with what Linux and ieum returned. Fails at what is not listed, unless it goes on.
    pub(crate) fn hear(&mut self, calls: &[Call], linux: &[String], ieum: &[String]) -> TestCaseResult {
        self.played += 1;
        self.calls += calls.len();
        let mut states = States::default();
        for (index, call) in calls.iter().enumerate() {
            let words = states.of(call);
            states.after(call, &linux[index]);
            self.compared += 1;
            let (of_linux, of_ieum) = (kind(call, &linux[index]), kind(call, &ieum[index]));
            let is_here = |known: &&Known| known.kind.0 == call.name() && known.state.holds(&words);
            let could_differ = self.known.iter().filter(|known| known.seldom && known.kind.1 == of_linux);
            let rows: BTreeSet<&str> = could_differ.filter(is_here).map(|known| known.row.as_str()).collect();
            for row in rows {
                *self.occasions.entry(row).or_default() += 1;
            }
            if linux[index] == ieum[index] {
                continue;
            }
            let row = (call.name().to_owned(), of_linux, of_ieum);
            let Some(listed) = self.known.iter().filter(is_here).find(|known| known.kind == row) else {
                let said = || {
                    let what = format!("Linux {}, ieum {}", linux[index], ieum[index]);
                    format!("call {index}, {call:?} on {words:?}: {what}\n{}", told(calls, linux, ieum))
                };
                if !self.goes_on {
                    return Err(TestCaseError::fail(said()));
                }
                self.not_listed.entry(row).or_insert_with(said);
                break;
            };
            *self.seen.entry(&listed.row).or_default() += 1;
            if listed.parts {
                break;
            }
        }
        Ok(())
    }

    /// Tells what was seen; all of it must be as it is listed.
    pub(crate) fn judge(self) {
        let Comparison { known, played, calls, compared, .. } = self;
        println!("{compared} of {calls} calls compared");
        println!("{played} sequences; how often each row of docs/DIFFERENCES.md was seen:");
        let count = |of: &BTreeMap<&str, usize>, row: &str| of.get(row).copied().unwrap_or(0);
        let rows: BTreeSet<(&str, bool)> =
            known.iter().map(|known| (known.row.as_str(), known.seldom)).collect();
        let mut too_often = Vec::new();
        for (row, seldom) in rows {
            let (seen, occasions) = (count(&self.seen, row), count(&self.occasions, row));
            println!("{seen} {row}");
            if seldom && seen > SELDOM_SURE + occasions / SELDOM_SHARE {
                too_often.push(format!("{seen} of {occasions} occasions: {row}"));
            }
        }
        let not_listed: Vec<&str> = self.not_listed.values().map(String::as_str).collect();
        assert!(not_listed.is_empty(), "{played} sequences, not listed:\n{}", not_listed.join("\n"));
        assert!(compared * 100 >= calls * COMPARED_PERCENT, "too much lies behind rows with †");
        assert!(too_often.is_empty(), "not seldom:\n{}", too_often.join("\n"));
    }
}

/// What the table says of a result: of bytes and of counts of them only that there were some.
fn kind(call: &Call, told: &str) -> String {
    let counts = ["recv", "recvfrom", "send", "sendto", "FIONREAD"].contains(&call.name());
    let is_some = counts && told.starts_with(|first: char| first.is_ascii_digit()) && told != "0";
    match is_some {
        true if told.ends_with(" from ? 0") => "some from ?".to_owned(),
        true => "some".to_owned(),
        false => told.to_owned(),
    }
}

fn told(calls: &[Call], expected: &[String], got: &[String]) -> String {
    let lines = calls.iter().zip(expected).zip(got).enumerate();
    lines.map(|(index, ((call, linux), ieum))| format!("{index}: {call:?}: {linux} | {ieum}\n")).collect()
}
