//! The same programs on Linux's sockets and on ieum's: every printed line equal, save those that
//! `docs/DIFFERENCES.md` lists, and those must differ exactly as it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::datagrams::gives_namespaces;
use super::support::{Folder, Running, compiled, ieum, namespaces, peer};

/// A network like that of `ieum run --no-exit`: loopback, and a link on which nobody else is. An ordinary user's namespace
/// knows one group alone.
const SAME_NETWORK: &str = "ip link set lo up && ip link add eth0 type veth peer name eth1 \
    && ip address add 10.77.0.2/24 dev eth0 && ip address add fd77::2/64 dev eth0 nodad \
    && { echo '0 2147483647' || echo '0 0'; } 2>/dev/null >/proc/sys/net/ipv4/ping_group_range \
    && echo 100 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms \
    && ip link set eth0 up && ip link set eth1 up && exec \"$@\"";

/// Outcome by name of line.
type Lines = BTreeMap<String, String>;

fn lines(printed: &str) -> Lines {
    let mut found = Lines::new();
    for line in printed.lines() {
        let (name, outcome) = line.split_once(": ").unwrap_or_else(|| panic!("not `name: outcome`: {line}"));
        let before = found.insert(name.to_owned(), outcome.to_owned());
        assert!(before.is_none(), "two lines are called {name}");
    }
    found
}

/// The rows of `program`'s table in `docs/DIFFERENCES.md`: name, then what Linux and ieum say. A table belongs to the
/// program that was last named before it.
///
/// `by_namespace`: where the kernel has the datagrams, rows about these do not hold, and the section about that has others.
fn listed(program: &str, by_namespace: bool) -> BTreeMap<String, (String, String)> {
    const OF_NAMESPACE: &str = "## With `ieum run --udp namespace`";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DIFFERENCES.md");
    let text = fs::read_to_string(path).expect("docs/DIFFERENCES.md is there");
    let mut found = BTreeMap::new();
    let (mut of, mut is_of_namespace) = ("", false);
    for row in text.lines() {
        if row.starts_with("## ") {
            of = "";
            is_of_namespace = row == OF_NAMESPACE;
        }
        if let Some((_, rest)) = row.split_once("`crates/ieum-cli/tests/programs/") {
            of = rest.split('`').next().unwrap_or_default();
        }
        if of != program || !row.starts_with("| `") || is_of_namespace && !by_namespace {
            continue;
        }
        let cells: Vec<&str> =
            row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        assert_eq!(cells.len(), 4, "a row has name, Linux, ieum and reason: {row}");
        if by_namespace && cells[0].starts_with("datagram") {
            continue;
        }
        let plain = |cell: &str| cell.replace("\\|", "|");
        found.insert(cells[0].to_owned(), (plain(cells[1]), plain(cells[2])));
    }
    found
}

#[test]
fn one_program_sees_the_same_on_linux_and_on_ieum() {
    sees_the_same("parity", &["--no-exit", "--udp", "carrier"]);
}

#[test]
fn one_program_sees_the_same_where_the_kernel_has_the_datagrams() {
    if gives_namespaces() {
        sees_the_same("parity", &["--no-exit", "--udp", "namespace"]);
    }
}

#[test]
fn another_program_sees_the_same_on_linux_and_on_ieum() {
    // As the other side is: root of its namespace.
    sees_the_same("parity2", &["--no-exit", "--raw"]);
}

fn sees_the_same(name: &str, flags: &[&str]) {
    let Some(namespaces) = namespaces() else { return };
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let program = compiled(name, &folder);
    let native = [&namespaces[..], &["sh", "-ec", SAME_NETWORK, "sh", &program]].concat();
    let linux = lines(&Running::start(&native).finish().success());
    let under_ieum = Running::start(&ieum(flags, &[&program])).finish();
    let ours = lines(&under_ieum.stdout);

    let mut listed = listed(name, flags.contains(&"namespace"));
    let mut wrong = Vec::new();
    for (name, expected) in &linux {
        let got = ours.get(name).map_or("nothing", String::as_str);
        match (listed.remove(name), got == expected) {
            (None, true) => {}
            (None, false) => wrong.push(format!("{name}: Linux {expected}, ieum {got}")),
            (Some(_), true) => wrong.push(format!("{name}: listed as different, but both say {expected}")),
            (Some(row), false) if row == (expected.clone(), got.to_owned()) => {}
            (Some(row), false) => {
                wrong.push(format!("{name}: Linux {expected}, ieum {got}, listed as {row:?}"))
            }
        }
    }
    wrong.extend(listed.keys().map(|name| format!("{name}: listed, but no line is called so")));
    let count = linux.len();
    assert!(
        wrong.is_empty(),
        "{} of {count} lines:\n{}\n{}",
        wrong.len(),
        wrong.join("\n"),
        under_ieum.stderr
    );
    assert_eq!(under_ieum.code, 0, "{}", under_ieum.stderr);
}
