//! Why a script does not go on.

/// A script's early end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// What was seen is not what the script says; the whole report.
    Failed(String),
    /// It needs something that is not there, by name.
    Unsupported(String),
}

impl Stop {
    pub(crate) fn failed(sentence: impl Into<String>) -> Stop {
        Stop::Failed(sentence.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Stop {
        Stop::Unsupported(what.into())
    }

    /// Says more about a failure; what is unsupported is named by itself.
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> Stop {
        match self {
            Stop::Failed(sentence) => Stop::Failed(change(sentence)),
            Stop::Unsupported(what) => Stop::Unsupported(what),
        }
    }
}
