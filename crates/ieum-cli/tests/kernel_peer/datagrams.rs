//! UDP between the kernel and a program on ieum: alone, many as one, and in fragments.

use super::namespace::{Flags, HOST4, HOST6, TAP, TUN, TUN_PLAIN, enter_own};
use super::support::{Running, ieum, path_of, script};

/// The kernel sends 40 datagrams in one call (UDP_SEGMENT) and one of 20,000 bytes; all come back.
fn all_come_back(flags: Flags, host: &str) {
    if !enter_own(&["python3"]) {
        return;
    }
    let (python, program) = (path_of("python3"), script("datagrams_as_one.py"));
    let mut echo = Running::start(&ieum(flags, &[&python, &program, "echo", host, "41"]));
    echo.line("ready");
    let said = Running::start(&[&python, &program, "send", host, "40"]).finish().success();
    assert_eq!(said, "40 datagrams of 1000 and one of 20000 came back\n");
    echo.finish().success();
}

#[test]
fn datagrams_sent_as_one_arrive_one_by_one_over_tun() {
    all_come_back(TUN, HOST4);
}

#[test]
fn datagrams_sent_as_one_arrive_one_by_one_over_tun_without_offloads() {
    all_come_back(TUN_PLAIN, HOST6);
}

#[test]
fn datagrams_sent_as_one_arrive_one_by_one_over_tap() {
    all_come_back(TAP, HOST6);
}
