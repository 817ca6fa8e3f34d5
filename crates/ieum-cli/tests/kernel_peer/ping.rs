//! The kernel's ping, answered by the host itself.

use super::namespace::{Flags, HOST4, HOST6, TAP, TAP_PLAIN, TUN, TUN_PLAIN, enter_own, output};
use super::support::{Running, ieum};

/// A program that does nothing until it is ended.
const WAITING: [&str; 3] = ["sh", "-c", "echo ready; read _"];

fn all_answered(flags: Flags) {
    if !enter_own(&["ping"]) {
        return;
    }
    let mut host = Running::start(&ieum(flags, &WAITING));
    host.line("ready");
    for (family, address) in [("-4", HOST4), ("-6", HOST6)] {
        // 56 bytes, a full packet, and one in fragments each way.
        for bytes in ["56", "1400", "8000"] {
            let said = output(&format!("ping {family} -n -c 3 -i 0.002 -w 30 -s {bytes} {address}"));
            assert!(said.contains(" received, 0% packet loss"), "{bytes} bytes: {said}");
        }
    }
}

#[test]
fn pings_are_answered_over_tun() {
    all_answered(TUN);
}

#[test]
fn pings_are_answered_over_tun_without_offloads() {
    all_answered(TUN_PLAIN);
}

#[test]
fn pings_are_answered_over_tap() {
    all_answered(TAP);
}

#[test]
fn pings_are_answered_over_tap_without_offloads() {
    all_answered(TAP_PLAIN);
}
