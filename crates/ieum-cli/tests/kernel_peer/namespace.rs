//! A network namespace of a test's own, and the interfaces ieum makes in it.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::support::{Running, is_root, peers};

/// The flags of an interface that ieum makes.
pub(crate) type Flags = &'static [&'static str];

/// A TUN interface with whatever offloads the kernel grants.
pub(crate) const TUN: Flags = &["--tun", "ieum0"];
/// A TUN interface without offloads.
pub(crate) const TUN_PLAIN: Flags = &["--tun", "ieum0", "--no-offload"];
/// A TAP interface with whatever offloads the kernel grants.
pub(crate) const TAP: Flags = &["--tap", "ieum0"];
/// A TAP interface without offloads.
pub(crate) const TAP_PLAIN: Flags = &["--tap", "ieum0", "--no-offload"];

/// The host's addresses, and the kernel's as URLs have them.
pub(crate) const HOST4: &str = "10.77.0.2";
pub(crate) const HOST6: &str = "fd77::2";
pub(crate) const KERNEL4: &str = "10.77.0.1";
pub(crate) const KERNEL6: &str = "fd77::1";

/// Puts this test's thread, and all that it starts from now on, into a fresh network namespace whose loopback is up. False
/// when the machine does not allow it or has not all of `needed`; it has said so. For root under `CI` that is a failure.
pub(crate) fn enter_own(needed: &[&str]) -> bool {
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    if !is_root() || device.is_err() {
        let advice = "this test needs root and /dev/net/tun, so it proves nothing here";
        assert!(!is_root() || std::env::var_os("CI").is_none(), "{advice}");
        println!("{advice}");
        return false;
    }
    if !peers(&["unshare", "ip", "sh"]) || !peers(needed) {
        return false;
    }
    let begin = "ip link set lo up && echo ready && read _";
    let mut holder = Running::start(&["unshare", "--net", "sh", "-c", begin]);
    holder.line("ready");
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id())).expect("a process has a namespace");
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("root may enter a namespace");
    true
}

/// Runs a command of a few words to its end, which must be a success; what it printed.
pub(crate) fn output(words: &str) -> String {
    Running::start(&words.split_whitespace().collect::<Vec<_>>()).finish().success()
}
