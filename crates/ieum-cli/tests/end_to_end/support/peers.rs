//! Which programs the machine has, and where.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The distribution's own places first: a version manager's stand-ins are slow and closed to other users.
const PLACES: [&str; 6] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PLACES.iter().map(PathBuf::from).chain(others).map(|place| place.join(name)).find(|file| file.is_file())
}

/// Whether the machine has `name`. If not, says so; under `CI` that is a failure.
pub(crate) fn peer(name: &str) -> bool {
    find(name).is_some() || missing(name)
}

/// Whether the machine has all of `names`; see [`peer`].
pub(crate) fn peers(names: &[&str]) -> bool {
    names.iter().all(|name| peer(name))
}

fn missing(name: &str) -> bool {
    let advice =
        format!("`{name}` is missing, so this test proves nothing: see scripts/install-test-peers.sh");
    assert!(std::env::var_os("CI").is_none(), "{advice}");
    println!("{advice}");
    false
}

/// Where `name` is; ask [`peer`] first.
pub(crate) fn path_of(name: &str) -> String {
    let found = find(name).unwrap_or_else(|| panic!("{name} is not on this machine"));
    text(&found)
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> String {
    path.to_str().expect("paths of tests are UTF-8").to_owned()
}

/// The words that start a program in network and mount namespaces of its own, or `None` where the machine
/// forbids them (which for root under `CI` is a failure).
pub(crate) fn namespaces() -> Option<Vec<&'static str>> {
    let words = if super::is_root() {
        vec!["unshare", "--net", "--mount"]
    } else {
        vec!["unshare", "--net", "--mount", "--map-root-user"]
    };
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return peers(&["ip", "nsenter"]).then_some(words);
    }
    if super::is_root() {
        missing("unshare --net --mount");
    } else {
        println!("this machine gives ordinary users no namespaces, so this test proves nothing");
    }
    None
}
