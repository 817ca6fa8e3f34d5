//! What passed a rule, and what did not.

use serde::{Deserialize, Serialize};

/// The counts of one rule, since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    /// Connections that are open, those whose target is not reached yet among them; associations of datagrams.
    pub(crate) now: u64,
    /// Connections that came; associations.
    pub(crate) total: u64,
    /// Connections whose target refused, could not be reached, or had no name; datagrams that came back as refused.
    pub(crate) refused: u64,
    /// Connections that ended by a reset of either side.
    pub(crate) reset: u64,
    /// Bytes to the target.
    pub(crate) bytes_there: u64,
    /// Bytes from the target.
    pub(crate) bytes_back: u64,
    /// Datagrams to the target.
    pub(crate) datagrams_there: u64,
    /// Datagrams from the target.
    pub(crate) datagrams_back: u64,
    /// Datagrams that a bound, or the kernel, did not let pass.
    pub(crate) datagrams_dropped: u64,
    /// Connections that had to wait, since no descriptor or no more flows were to be had.
    pub(crate) shortages: u64,
}

impl Counts {
    /// In words, for one line.
    pub(crate) fn sentence(&self, datagrams: bool) -> String {
        let Counts { now, total, refused, reset, bytes_there, bytes_back, shortages, .. } = self;
        let mut words = if datagrams {
            format!(
                "{now} senders now, {total} in all, {} datagrams and {bytes_there} bytes there, {} and {bytes_back} back",
                self.datagrams_there, self.datagrams_back
            )
        } else {
            format!("{now} connections now, {total} in all, {bytes_there} bytes there, {bytes_back} back")
        };
        let rare = [
            (*refused, "refused"),
            (*reset, "reset"),
            (self.datagrams_dropped, "datagrams dropped"),
            (*shortages, "times short of descriptors"),
        ];
        for (count, what) in rare.into_iter().filter(|(count, _)| *count > 0) {
            words += &format!(", {count} {what}");
        }
        words
    }
}
