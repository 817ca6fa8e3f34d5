//! `--host NAME=ADDR`, and names below `.ieum`: what ieum answers itself.

use super::names::Names;
use super::support::{Running, ieum, path_of, peers, script};

/// A name of both families, which means the machine's loopback, and another.
const GIVEN: [&str; 6] =
    ["--host", "DB.example=10.77.0.1", "--host", "db.example=fd77::1", "--host", "other.ieum=10.77.0.9"];

/// Resolvers that a machine may have: none, a stub, another's; of either family.
const RESOLV_CONFS: [&str; 4] =
    ["", "nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n", "nameserver ::1\nnameserver 127.0.0.1\n"];

#[test]
fn a_given_name_is_found_whatever_resolver_the_machine_has() {
    for resolv_conf in RESOLV_CONFS {
        let Some(names) = Names::start(resolv_conf) else { return };
        let ask = |program: &[&str]| names.ask_with(&GIVEN, program);
        let (python, lookup) = (path_of("python3"), script("lookup.py"));
        let printed = ask(&[&python, &lookup, "db.example", "Other.ieum", "ieum.test"]);
        let expected = "db.example 2 10.77.0.1\nOther.ieum 1 10.77.0.9\nieum.test 1 192.0.2.80\n";
        assert_eq!(printed, expected, "{resolv_conf:?}");
    }
}

#[test]
fn a_given_name_has_records_of_each_family_and_its_addresses_have_a_name() {
    let Some(names) = Names::start("nameserver 127.0.0.53\n") else { return };
    let dig = |words: &[&str]| {
        names.ask_with(&GIVEN, &[&["dig", "+short", "+tries=1", "+time=10"], words].concat())
    };
    for server in [None, Some("@10.77.0.1"), Some("@fd77::1")] {
        for transport in ["+notcp", "+tcp"] {
            let dig = |words: &[&str]| {
                let server: Vec<&str> = server.into_iter().collect();
                dig(&[&server[..], &[transport], words].concat())
            };
            assert_eq!(dig(&["db.example", "A"]), "10.77.0.1\n", "{server:?} {transport}");
            assert_eq!(dig(&["db.example", "AAAA"]), "fd77::1\n");
            assert_eq!(dig(&["db.example", "MX"]), "");
            assert_eq!(dig(&["-x", "10.77.0.1"]), "db.example.\n");
            assert_eq!(dig(&["-x", "fd77::1"]), "db.example.\n");
            // What is not ours comes from the machine's resolver.
            assert_eq!(dig(&["ieum.test", "A"]), "192.0.2.80\n");
        }
    }
    let long = names.ask_with(&GIVEN, &["dig", "+tries=1", "db.example", "MX"]);
    assert!(long.contains("status: NOERROR") && long.contains("ANSWER: 0"), "{long}");
}

#[test]
fn nobody_is_asked_for_names_below_ieum() {
    let Some(names) = Names::start("nameserver 127.0.0.53\n") else { return };
    for name in ["known.ieum", "nobody.lab.ieum"] {
        let printed = names.ask_with(&GIVEN, &["dig", "+tries=1", name, "A"]);
        assert!(printed.contains("status: NXDOMAIN"), "{printed}");
    }
}

/// An HTTP server in the namespace, on each of these addresses.
fn servers(names: &Names, addresses: &[&str]) -> Vec<Running> {
    let start = |address: &&str| {
        let python = path_of("python3");
        let mut server = names.enter(&[&python, "-u", "-m", "http.server", "--bind", address, "8000"]);
        server.line("Serving HTTP");
        server
    };
    addresses.iter().map(start).collect()
}

#[test]
fn curl_reaches_a_given_name_in_both_families() {
    if !peers(&["curl"]) {
        return;
    }
    let Some(names) = Names::start("") else { return };
    let _servers = servers(&names, &["127.0.0.1", "::1"]);
    for family in ["-4", "-6"] {
        let fetch = ["curl", "-sS", family, "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}\n"];
        let printed = names.ask_with(&GIVEN, &[&fetch[..], &["http://db.example:8000/"]].concat());
        assert_eq!(printed, if family == "-4" { "200 10.77.0.1\n" } else { "200 fd77::1\n" });
    }
}

#[test]
fn on_a_machine_without_ip6_programs_fall_back_to_ip4_at_once() {
    if !peers(&["curl", "sysctl"]) {
        return;
    }
    let without = "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1";
    let Some(names) = Names::start_after(without, "nameserver 127.0.0.53\n") else { return };
    let _servers = servers(&names, &["127.0.0.1"]);
    let fetch =
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}\n", "http://db.example:8000/"];
    assert_eq!(names.ask_with(&GIVEN, &fetch), "200 10.77.0.1\n");
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    let printed = names.ask_with(&[], &[&python, &program, "tcp:[fd77::1]:8000", "tcp:[2001:db8::1]:80"]);
    let expected = "tcp:[fd77::1]:8000 ENETUNREACH at once\ntcp:[2001:db8::1]:80 ENETUNREACH at once\n";
    assert_eq!(printed, expected);
}

#[test]
fn given_names_are_found_without_an_exit_and_nobody_else_is_asked() {
    for resolv_conf in RESOLV_CONFS {
        let Some(names) = Names::start(resolv_conf) else { return };
        let (python, lookup) = (path_of("python3"), script("lookup.py"));
        let flags = [&["--no-exit"], &GIVEN[..]].concat();
        let printed = names.ask_with(&flags, &[&python, &lookup, "db.example", "none.ieum", "ieum.test"]);
        let found = "db.example 2 10.77.0.1\nnone.ieum failed: no such name\nieum.test failed: ";
        assert!(printed.starts_with(found), "{resolv_conf:?}: {printed}");
        assert!(!printed.contains("ieum.test failed: no such name"), "{printed}");

        let printed = names.ask_with(&flags, &[&python, &script("outcomes.py"), "tcp:10.77.0.1:80"]);
        assert_eq!(printed, "tcp:10.77.0.1:80 EHOSTUNREACH at once\n");
    }
}

#[test]
fn what_is_no_name_is_an_error_that_says_so() {
    for (flag, sentence) in [
        ("db.example", "expected NAME=ADDR, as in db.example=10.77.0.1"),
        ("*.example=10.77.0.1", "\"*.example\" is not a host's name"),
        ("db.example=[::1]", "\"[::1]\" is not an IP address"),
    ] {
        let finished = Running::start(&ieum(&["--host", flag], &["true"])).finish();
        assert_eq!(finished.code, 125, "{finished:?}");
        assert!(finished.stderr.contains(sentence), "{finished:?}");
    }
}

#[test]
fn addresses_that_cannot_be_a_hosts_are_errors_that_say_so() {
    for (flags, sentence) in [
        (&["--address6", "10.77.0.2/24"][..], "--address6 takes an IPv6 address, and 10.77.0.2 is none"),
        (&["--address", "fd77::2/64"], "--address takes an IPv4 address, and fd77::2 is none"),
        (
            &["--address6", "fe80::2/64"],
            "--address6 fe80::2 cannot be a host's address: take one like fd77::2/64",
        ),
        (&["--address", "10.77.0.0/24"], "--address 10.77.0.0 stands for all hosts of a network /24"),
        (&["--address", "10.77.0.255/24"], "--address 10.77.0.255 stands for all hosts of a network /24"),
        (&["--gateway", "10.77.0.255"], "--gateway 10.77.0.255 stands for all hosts of a network /24"),
        (
            &["--address", "10.77.0.2"],
            "--address 10.77.0.2/32 has no network that the gateway could be in: give its prefix too, as in 10.77.0.2/24",
        ),
        (
            &["--gateway6", "fd78::1"],
            "the gateway fd78::1 must be another address of the host's network fd77::2/64",
        ),
        (
            &["--no-ipv6", "-p", "[::1]:0:80"],
            "cannot publish on [::1]:0: the host inside has no address of that family",
        ),
    ] {
        let finished = Running::start(&ieum(flags, &["true"])).finish();
        assert_eq!(finished.code, 125, "{finished:?}");
        assert!(finished.stderr.contains(sentence), "{finished:?}");
    }
}

#[test]
fn both_addresses_of_a_network_of_two_are_hosts() {
    for (address, gateway) in [("10.9.0.0/31", "10.9.0.1"), ("10.9.0.1/31", "10.9.0.0")] {
        let flags = ["--address", address, "--gateway", gateway];
        Running::start(&ieum(&flags, &["true"])).finish().success();
    }
}
