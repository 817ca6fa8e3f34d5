//! What curl fetches, by its SHA-256.

use super::{Running, path_of};

/// A server that sends nothing for so long, in seconds, never will.
const SILENCE_S: u32 = 100;

/// A command line that prints the SHA-256 of what curl gets from `url`. How much it has by then curl says each second,
/// so that whoever waits sees that it goes on.
pub(crate) fn fetch_and_sum(url: &str) -> [String; 3] {
    let curl = path_of("curl");
    let line = format!("{curl} --fail --speed-limit 1 --speed-time {SILENCE_S} {url} | sha256sum");
    ["sh".into(), "-c".into(), line]
}

/// The SHA-256 of the whole of what such a command line fetched: curl has not complained.
pub(crate) fn fetched_sum(fetching: Running) -> String {
    let fetched = fetching.finish();
    assert!(!fetched.stderr.contains("curl:"), "{}", fetched.stderr);
    fetched.success().split_whitespace().next().unwrap_or_default().to_owned()
}
