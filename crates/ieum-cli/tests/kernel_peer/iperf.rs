//! iperf3, each side in each role, both directions.

use super::namespace::{Flags, HOST4, HOST6, KERNEL4, KERNEL6, TAP, TUN, enter_own};
use super::support::{Running, ieum, path_of};

/// The server for one test, telling when it listens.
const SERVER: [&str; 4] = ["--server", "--one-off", "--forceflush", "--interval=0"];

/// What a client measures, beyond whom it asks.
const CLIENT: [&str; 3] = ["--bytes=64M", "--interval=0", "--client"];

fn iperf<'a>(path: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&[path], words].concat()
}

/// `direction` is iperf3's word, or nothing for from client to server.
fn kernel_asks(flags: Flags, host: &str, direction: &[&str]) {
    let path = path_of("iperf3");
    let mut server = Running::start(&ieum(flags, &iperf(&path, &SERVER)));
    server.line("Server listening on 5201");
    let client = Running::start(&[&iperf(&path, &CLIENT), &[host][..], direction].concat()).finish();
    assert!(client.success().contains("receiver"));
    server.finish().success();
}

fn ieum_asks(flags: Flags, kernel: &str, direction: &[&str]) {
    let path = path_of("iperf3");
    let mut server = Running::start(&iperf(&path, &SERVER));
    server.line("Server listening on 5201");
    let words = [&iperf(&path, &CLIENT), &[kernel][..], direction].concat();
    assert!(Running::start(&ieum(flags, &words)).finish().success().contains("receiver"));
    server.finish().success();
}

fn both_roles(flags: Flags, host: &str, kernel: &str) {
    if !enter_own(&["iperf3"]) {
        return;
    }
    for direction in [&[][..], &["--reverse"]] {
        kernel_asks(flags, host, direction);
        ieum_asks(flags, kernel, direction);
    }
}

#[test]
fn iperf3_in_both_roles_over_tun() {
    both_roles(TUN, HOST4, KERNEL4);
}

#[test]
fn iperf3_in_both_roles_over_tap_and_ipv6() {
    both_roles(TAP, HOST6, KERNEL6);
}
