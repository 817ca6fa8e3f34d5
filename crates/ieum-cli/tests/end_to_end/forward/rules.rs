//! Rules from a file that changes.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use rustix::process::Signal;

use super::super::support::{Folder, Running, free_port};
use super::{address, forward, joined, listener, say};

/// A rule as it is written.
fn rule(from: &str, to: &str) -> String {
    format!("[[forward]]\nfrom = \"{from}\"\nto = \"{to}\"\n")
}

/// Replaces a file as editors do: another one gets its name.
fn replace(path: &str, text: &str) {
    let fresh = format!("{path}.new");
    fs::write(&fresh, text).expect("a file is written");
    fs::rename(&fresh, path).expect("a file gets its name");
}

/// A fixed address on which nobody listens.
fn place() -> String {
    format!("127.0.0.1:{}", free_port())
}

fn at(place: &str) -> SocketAddr {
    place.parse().expect("an address")
}

/// A target, and `ieum forward` from a file with one rule that leads there.
fn with_one_rule(folder: &Folder, place: &str) -> (TcpListener, String, Running) {
    let (listener, target) = listener();
    let path = folder.write("forward.toml", &rule(place, &target));
    let mut forward = forward(&["--config", &path]);
    assert_eq!(address(&mut forward), at(place));
    (listener, target, forward)
}

#[test]
fn a_changed_file_moves_rules_and_drops_no_connection() {
    let folder = Folder::new();
    let (stays, goes, comes) = (place(), place(), place());
    let ((one, one_at), (two, two_at)) = (listener(), listener());
    let path = folder.write("forward.toml", &(rule(&stays, &one_at) + &rule(&goes, &one_at)));
    let mut forward = forward(&["--config", &path]);
    for expected in [&stays, &goes] {
        assert_eq!(address(&mut forward), at(expected));
    }
    let mut before = [joined(at(&stays), &one), joined(at(&goes), &one)];

    replace(&path, &(rule(&stays, &one_at) + &rule(&comes, &two_at)));
    forward.error_line(&format!("ieum: no more forwarding {goes} "));
    assert_eq!(address(&mut forward), at(&comes));
    forward.refused(at(&goes));
    let (mut client, mut server) = joined(at(&comes), &two);
    say(&mut client, &mut server, "through the new one");
    let (mut client, mut server) = joined(at(&stays), &one);
    say(&mut client, &mut server, "through the one that stayed");
    for (client, server) in &mut before {
        say(client, server, "from before");
        say(server, client, "and back");
    }

    // What passed a rule that is no more is told all the same.
    drop(before);
    let told = format!("ieum: {goes} → {one_at}: ");
    let is_over = |line: &str| line.starts_with(&format!("{told}0 connections now, 1 in all, "));
    let mut line = String::new();
    while !is_over(&line) {
        forward.signal(Signal::USR1);
        line = forward.error_line(&told);
    }
}

#[test]
fn a_rule_that_leads_elsewhere_keeps_its_port_and_its_connections() {
    let (folder, place) = (Folder::new(), place());
    let (one, _, mut forward) = with_one_rule(&folder, &place);
    let (mut client, mut server) = joined(at(&place), &one);
    let (two, two_at) = listener();
    fs::write(folder.file("forward.toml"), rule(&place, &two_at)).expect("a file is written");
    assert_eq!(forward.error_line("ieum: forwarding "), format!("ieum: forwarding {place} → {two_at}"));
    let (mut newer, mut newer_server) = joined(at(&place), &two);
    say(&mut newer, &mut newer_server, "to the second");
    say(&mut client, &mut server, "to the first still");
}

#[test]
fn a_bad_file_is_told_with_its_line_and_the_rules_before_it_stay() {
    let (folder, place) = (Folder::new(), place());
    let (listener, target, mut forward) = with_one_rule(&folder, &place);
    let path = folder.file("forward.toml");
    for (text, said) in [
        (rule(&place, &target) + "[[forward]]\nfrom = \"x\"\n", ":4: missing field `to`"),
        (rule(&place, "nowhere"), ":1: \"nowhere\" is not a port"),
        ("from = 1\n".to_owned(), ":1: unknown field `from`"),
    ] {
        replace(&path, &text);
        let line = forward.error_line(&format!("ieum: {path}"));
        assert!(line.contains(said) && line.ends_with("; the rules before it stay"), "{line}");
        let (mut client, mut server) = joined(at(&place), &listener);
        say(&mut client, &mut server, "as before");
    }
    // One rule that cannot be does not keep the others from it.
    let (taken, taken_at) = super::listener();
    let free = self::place();
    replace(&path, &(rule(&place, &target) + &rule(&taken_at, &target) + &rule(&free, &target)));
    forward.error_line(&format!("ieum: port {taken_at} is in use"));
    assert_eq!(address(&mut forward), at(&free));
    drop(taken);
}

#[test]
fn a_file_that_is_wrong_at_the_start_is_an_error() {
    let folder = Folder::new();
    let path = folder.write("forward.toml", "[[forward]]\nfrom = 8080\nto = 70000\n");
    let finished = forward(&["--config", &path]).finish();
    assert_eq!(finished.code, 125, "{finished:?}");
    assert!(finished.stderr.starts_with(&format!("ieum: {path}:3: expected a port")), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}
