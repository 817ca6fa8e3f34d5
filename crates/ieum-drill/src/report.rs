//! How scripts ended: one by one, and all together.

use std::collections::BTreeMap;
use std::fmt;

/// How one script ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As it says.
    Passed,
    /// Not as it says; the whole report.
    Failed(String),
    /// It needs what is not there: by name, and what came of it, should it have been run all the same.
    Unsupported {
        /// What is missing.
        missing: Vec<String>,
        /// The report of the failure that it led to.
        failure: Option<String>,
    },
}

/// One script's end.
#[derive(Clone, Debug)]
pub struct Report {
    /// The script's file.
    pub path: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What `--verbose` shows, and warnings, line by line.
    pub said: Vec<String>,
}

/// The ends of many scripts.
#[derive(Clone, Default, Debug)]
pub struct Summary {
    passed: usize,
    failed: usize,
    unsupported: usize,
    /// How many scripts wanted each missing thing.
    reasons: BTreeMap<String, usize>,
}

impl Summary {
    /// Counts one.
    pub fn count(&mut self, report: &Report) {
        match &report.outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Unsupported { missing, .. } => {
                self.unsupported += 1;
                for reason in missing {
                    *self.reasons.entry(reason.clone()).or_default() += 1;
                }
            }
        }
    }

    /// Did none fail?
    pub fn is_clean(&self) -> bool {
        self.failed == 0
    }

    /// Scripts that want what is missing.
    pub fn unsupported(&self) -> usize {
        self.unsupported
    }

    /// Scripts counted.
    pub fn total(&self) -> usize {
        self.passed + self.failed + self.unsupported
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { passed, failed, unsupported, reasons } = self;
        write!(f, "{passed} passed, {failed} failed, {unsupported} unsupported")?;
        let mut reasons: Vec<_> = reasons.iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), *reason));
        reasons.into_iter().try_for_each(|(reason, count)| write!(f, "\n  {count:4}  {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_what_was_missing_most_often_first() {
        let mut summary = Summary::default();
        let unsupported = |missing: &[&str]| Outcome::Unsupported {
            missing: missing.iter().map(|name| (*name).to_owned()).collect(),
            failure: None,
        };
        let outcomes =
            [Outcome::Passed, Outcome::Failed("x".to_owned()), unsupported(&["a", "b"]), unsupported(&["b"])];
        for outcome in outcomes {
            summary.count(&Report { path: "a.pkt".to_owned(), outcome, said: Vec::new() });
        }
        assert_eq!(summary.to_string(), "1 passed, 1 failed, 2 unsupported\n     2  b\n     1  a");
        assert!(!summary.is_clean() && summary.total() == 4);
    }
}
