//! The same programs on Linux's sockets, under `ieum run` and on the library's: every printed line equal, save those that
//! `docs/DIFFERENCES.md` lists, and those must differ exactly as it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::datagrams::gives_namespaces;
use super::support::{Folder, Running, compiled, compiled_for_the_library, each_of, ieum, namespaces, peer};

/// A network like that of `ieum run --no-exit`: loopback, and a link on which nobody else is. An ordinary user's namespace
/// knows one group alone. How many datagrams of a second are refused is not bounded.
const SAME_NETWORK: &str = "ip link set lo up && ip link add eth0 type veth peer name eth1 \
    && ip address add 10.77.0.2/24 dev eth0 && ip address add fd77::2/64 dev eth0 nodad \
    && { echo '0 2147483647' || echo '0 0'; } 2>/dev/null >/proc/sys/net/ipv4/ping_group_range \
    && echo 0 >/proc/sys/net/ipv4/icmp_ratemask && echo >/proc/sys/net/ipv6/icmp/ratemask \
    && echo 100 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms \
    && ip link set eth0 up && ip link set eth1 up && exec \"$@\"";

/// Outcome by name of line.
type Lines = BTreeMap<String, String>;

/// Where a program's calls go that is compared with Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// To `ieum run`, with flags.
    Run(&'static [&'static str]),
    /// To the library, in the program's own memory.
    Library,
}

impl Way {
    /// Has the kernel the datagrams?
    fn is_by_namespace(self) -> bool {
        matches!(self, Way::Run(flags) if flags.contains(&"namespace"))
    }
}

/// What `docs/DIFFERENCES.md` says of one program in one way.
#[derive(Default, Debug)]
struct Listed {
    /// By the name of the line, what Linux and ieum say.
    different: BTreeMap<String, (String, String)>,
    /// Lines that are not printed at all; with `*` at one end for all that end or begin so.
    left_out: Vec<String>,
}

fn lines(printed: &str) -> Lines {
    let mut found = Lines::new();
    for line in printed.lines() {
        let (name, outcome) = line.split_once(": ").unwrap_or_else(|| panic!("not `name: outcome`: {line}"));
        let before = found.insert(name.to_owned(), outcome.to_owned());
        assert!(before.is_none(), "two lines are called {name}");
    }
    found
}

/// The rows of `program`'s tables in `docs/DIFFERENCES.md`. A table belongs to the program that was last named before
/// it, and to the library below a heading that says so; where the kernel has the datagrams, rows about these do not
/// hold, and the section about that has others.
fn listed(program: &str, way: Way) -> Listed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DIFFERENCES.md");
    let text = fs::read_to_string(path).expect("docs/DIFFERENCES.md is there");
    let mut found = Listed::default();
    let by_namespace = way.is_by_namespace();
    let (mut of, mut is_of_way) = ("", false);
    for row in text.lines() {
        if row.starts_with("## ") {
            is_of_way = match row {
                OF_NAMESPACE => by_namespace,
                _ => row.ends_with("on the library") == (way == Way::Library),
            };
            of = "";
        }
        if let Some((_, rest)) = row.split_once("`crates/ieum-cli/tests/programs/") {
            of = rest.split('`').next().unwrap_or_default();
        }
        if of != program || !is_of_way || !row.starts_with("| `") {
            continue;
        }
        let cells: Vec<String> = row
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().trim_matches('`').replace("\\|", "|"))
            .collect();
        match &cells[..] {
            [names, linux, ieum, _reason] => {
                for name in each_of(names).filter(|name| !by_namespace || !name.starts_with("datagram")) {
                    let before = found.different.insert(name, (linux.clone(), ieum.clone()));
                    assert!(before.is_none(), "a line is listed twice: {row}");
                }
            }
            [patterns, _reason] => found.left_out.extend(each_of(patterns)),
            _ => panic!("a row has name, Linux, ieum and reason, or lines and reason: {row}"),
        }
    }
    found
}

/// Below it are the rows that hold where the kernel has the datagrams, and where rows about these do not.
const OF_NAMESPACE: &str = "## Where the kernel has the datagrams";

/// Is a line called as the pattern says?
fn is_called(name: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (None, Some(beginning)) => name.starts_with(beginning),
        (None, None) => name == pattern,
    }
}

#[test]
fn one_program_sees_the_same_on_linux_and_on_ieum() {
    sees_the_same("parity", Way::Run(&["--no-exit", "--udp", "carrier"]));
}

#[test]
fn one_program_sees_the_same_where_the_kernel_has_the_datagrams() {
    if gives_namespaces() {
        sees_the_same("parity", Way::Run(&["--no-exit", "--udp", "namespace"]));
    }
}

#[test]
fn another_program_sees_the_same_where_the_kernel_has_the_datagrams() {
    if gives_namespaces() {
        let way = Way::Run(&["--no-exit", "--udp", "namespace"]);
        chapters_see_the_same("parity2", &["datagrams"], way);
    }
}

#[test]
fn another_program_sees_the_same_on_linux_and_on_ieum() {
    // As the other side is: root of its namespace.
    sees_the_same("parity2", Way::Run(&["--no-exit", "--raw"]));
}

#[test]
fn each_call_in_each_state_returns_the_same_on_linux_and_on_ieum() {
    sees_the_same("states", Way::Run(&["--no-exit", "--udp", "carrier"]));
}

#[test]
fn each_call_in_each_state_returns_the_same_where_the_kernel_has_the_datagrams() {
    if gives_namespaces() {
        sees_the_same("states", Way::Run(&["--no-exit", "--udp", "namespace"]));
    }
}

#[test]
fn each_call_in_each_state_returns_the_same_on_linux_and_on_the_library() {
    sees_the_same("states", Way::Library);
}

#[test]
fn one_program_sees_the_same_on_linux_and_on_the_library() {
    sees_the_same("parity", Way::Library);
}

#[test]
fn another_program_sees_the_same_on_linux_and_on_the_library() {
    sees_the_same("parity2", Way::Library);
}

fn sees_the_same(name: &str, way: Way) {
    chapters_see_the_same(name, &[], way);
}

fn chapters_see_the_same(name: &str, chapters: &[&str], way: Way) {
    let Some(namespaces) = namespaces() else { return };
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let program = compiled(name, &folder);
    let native = [&namespaces[..], &["sh", "-ec", SAME_NETWORK, "sh", &program], chapters].concat();
    let linux = lines(&Running::start(&native).finish().success());
    let ran = match way {
        Way::Run(flags) => Running::start(&ieum(flags, &[&[program.as_str()], chapters].concat())).finish(),
        // Cargo's library path would go before the program's own.
        Way::Library => Running::start_with(&[compiled_for_the_library(name, &folder)], |program| {
            program.env_remove("LD_LIBRARY_PATH")
        })
        .finish(),
    };
    let ours = lines(&ran.stdout);

    let name = &[&[name], chapters].concat().join(" ");
    let Listed { different: mut listed, left_out } = listed(name, way);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, expected) in &linux {
        let is_left_out = left_out.iter().any(|pattern| is_called(name, pattern));
        if is_left_out && !ours.contains_key(name) {
            continue;
        }
        compared += 1;
        let got = ours.get(name).map_or("nothing", String::as_str);
        match (listed.remove(name), got == expected) {
            (_, _) if is_left_out => wrong.push(format!("{name}: listed as left out, but it is printed")),
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
    let unused = left_out.iter().filter(|pattern| !linux.keys().any(|name| is_called(name, pattern)));
    wrong.extend(unused.map(|pattern| format!("{pattern}: listed as left out, but no line is called so")));
    let extra = ours.keys().filter(|name| !linux.contains_key(*name));
    wrong.extend(extra.map(|name| format!("{name}: not printed on Linux")));
    let count = linux.len();
    println!("{name}, {way:?}: {compared} of {count} lines compared");
    assert!(wrong.is_empty(), "{} of {count} lines:\n{}\n{}", wrong.len(), wrong.join("\n"), ran.stderr);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
