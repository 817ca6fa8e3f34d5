//! Rules from a file that changes.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use super::super::support::{Folder, Running, free_port, namespaces};
use super::{address, forward, joined, listener, say, words};

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
fn a_link_on_the_way_that_leads_elsewhere_is_a_changed_file() {
    // As Kubernetes shows a ConfigMap: the file is a link through another one, which is swapped.
    let (folder, place) = (Folder::new(), place());
    let ((one, one_at), (two, two_at)) = (listener(), listener());
    for (version, target) in [("v1", &one_at), ("v2", &two_at)] {
        fs::create_dir(folder.file(version)).expect("a folder is made");
        folder.write(&format!("{version}/forward.toml"), &rule(&place, target));
    }
    let (path, data) = (folder.file("forward.toml"), folder.file("..data"));
    symlink("v1", &data).expect("a link is made");
    symlink("..data/forward.toml", &path).expect("a link is made");
    let mut forward = forward(&["--config", &path]);
    assert_eq!(address(&mut forward), at(&place));
    let (mut client, mut server) = joined(at(&place), &one);
    symlink("v2", folder.file("..fresh")).expect("a link is made");
    fs::rename(folder.file("..fresh"), &data).expect("a link gets another's name");
    assert_eq!(forward.error_line("ieum: forwarding "), format!("ieum: forwarding {place} → {two_at}"));
    let (mut newer, mut newer_server) = joined(at(&place), &two);
    say(&mut newer, &mut newer_server, "to the second");
    say(&mut client, &mut server, "to the first still");
    // The folder that came is watched as the first was.
    folder.write("v2/forward.toml", &rule(&place, &one_at));
    assert_eq!(forward.error_line("ieum: forwarding "), format!("ieum: forwarding {place} → {one_at}"));
}

#[test]
fn a_file_behind_a_link_is_edited_where_it_is() {
    let (folder, elsewhere, place) = (Folder::new(), Folder::new(), place());
    let ((_one, one_at), (two, two_at)) = (listener(), listener());
    let real = elsewhere.write("real.toml", &rule(&place, &one_at));
    let path = folder.file("forward.toml");
    symlink(&real, &path).expect("a link is made");
    let mut forward = forward(&["--config", &path]);
    assert_eq!(address(&mut forward), at(&place));
    fs::write(&real, rule(&place, &two_at)).expect("a file is written");
    assert_eq!(forward.error_line("ieum: forwarding "), format!("ieum: forwarding {place} → {two_at}"));
    let (mut client, mut server) = joined(at(&place), &two);
    say(&mut client, &mut server, "to the second");
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

#[test]
fn ports_are_named_as_etc_services_does_in_words_and_in_a_file() {
    // What matters is that the machine lets a test have an /etc/services of its own.
    if namespaces().is_none() {
        return;
    }
    let (folder, from, (listener, target)) = (Folder::new(), free_port(), listener());
    let target = at(&target).port();
    let services = format!("own-from {from}/tcp\nown-to {target}/tcp also-to\nown-udp {target}/udp\n");
    let services = folder.write("services", &services);
    let enter = "mount --bind \"$1\" /etc/services && shift && exec \"$@\"";
    let start = |given: &[&str]| {
        let before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", enter, "sh", &services];
        Running::start(&[&before[..], &words(given)].concat())
    };
    let path = folder.write("forward.toml", &rule("127.0.0.1:own-from", "127.0.0.1:also-to"));
    for given in [&["127.0.0.1:own-from", "127.0.0.1:own-to"][..], &["--config", &path]] {
        let mut forward = start(given);
        assert_eq!(address(&mut forward), SocketAddr::from(([127, 0, 0, 1], from)));
        let (mut client, mut server) = joined(SocketAddr::from(([127, 0, 0, 1], from)), &listener);
        say(&mut client, &mut server, "by names");
        drop((client, server));
        forward.signal(Signal::TERM);
        assert_eq!(forward.finish().code, 0, "{given:?}");
    }

    // A service of the other protocol is none.
    let path = folder.write("forward.toml", &rule("127.0.0.1:own-from", "127.0.0.1:own-udp"));
    for (given, name) in [
        (&["127.0.0.1:own-udp", "127.0.0.1:own-to"][..], "own-udp"),
        (&["127.0.0.1:own-from/udp", "127.0.0.1:own-udp"], "own-from"),
        (&["--config", &path], "own-udp"),
    ] {
        let finished = start(given).finish();
        assert_eq!(finished.code, 125, "{given:?}: {finished:?}");
        let said = format!(
            "\"{name}\" is not a port (a number, a range like 8000-8010, or a name in /etc/services)"
        );
        assert!(finished.stderr.contains(&said) && finished.stderr.lines().count() == 1, "{finished:?}");
    }
}
