//! The differences that `docs/DIFFERENCES.md` lists.

use super::state::Condition;
use super::support::each_of;

/// A kind of difference: call, what Linux says, what ieum says.
pub(crate) type Kind = (String, String, String);

/// A difference that is known.
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) state: Condition,
    /// Its row, which may have more of them.
    pub(crate) row: String,
    /// Sockets are in different states from then on, so that what comes after is not compared.
    pub(crate) parts: bool,
    /// It depends on what is in time: few of the occasions show it.
    pub(crate) seldom: bool,
}

/// The rows of the tables in `docs/DIFFERENCES.md`, below the headings; of streams alone where the kernel has the datagrams.
pub(crate) fn known(headings: &[&str], of_streams_alone: bool) -> Vec<Known> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/DIFFERENCES.md");
    let page = std::fs::read_to_string(path).expect("docs/DIFFERENCES.md is there");
    let is_meant = |section: &&str| section.lines().next().is_some_and(|heading| headings.contains(&heading));
    let sections = page.split("\n## ").filter(is_meant);
    let rows = sections.flat_map(str::lines).filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let mut cells =
            row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
        let mut next = || cells.next().expect("a row has call, state, Linux, ieum and reason");
        let (call, mut state) = (next(), Condition::of(&next()));
        if of_streams_alone {
            state = state.of_streams_alone();
        }
        let (linux, ieum, reason) = (next(), next(), next());
        let (parts, seldom) = (reason.contains('†'), reason.contains('‡'));
        let mut kinds = Vec::new();
        for call in each_of(&call) {
            for linux in each_of(&linux) {
                kinds.extend(each_of(&ieum).map(|ieum| (call.clone(), linux.clone(), ieum)));
            }
        }
        let row = row.to_owned();
        kinds.into_iter().map(move |kind| Known {
            kind,
            state: state.clone(),
            row: row.clone(),
            parts,
            seldom,
        })
    })
    .collect()
}
