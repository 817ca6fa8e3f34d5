//! What the machine's routes say, told inside: each test runs this file anew in a network namespace of its own, where
//! nothing can be sent to anybody.

use std::process::{Command, Stdio};

use ieum_stack::{Failure, State};
use ieum_wire::Unreachable;

use crate::connections::outcome;
use crate::inside::{bell, exit, play_with};

/// Set for the process in the namespace.
const IN_NAMESPACE: &str = "IEUM_TEST_IN_NAMESPACE";

/// An address for documentation (RFC 5737): nobody has it.
const SOMEBODY: &str = "192.0.2.7:80";

/// Another (RFC 3849).
const SOMEBODY6: &str = "[2001:db8::7]:80";

/// Runs `test` again, alone and in a namespace that `prepare` (words for a shell) has furnished. True in there, where
/// the test goes on. Where the machine allows no namespace it says so; for root under `CI` that is a failure.
pub(crate) fn in_a_namespace(test: &str, prepare: &str) -> bool {
    if std::env::var_os(IN_NAMESPACE).is_some() {
        return true;
    }
    let enter = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--map-root-user", "sh", "-c", script]);
        command
    };
    let furnished = enter(prepare).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !furnished.is_ok_and(|status| status.success()) {
        let advice = "`unshare --net` and `ip` are missing or forbidden, so this test proves nothing";
        let is_root = rustix::process::geteuid().is_root();
        assert!(!is_root || std::env::var_os("CI").is_none(), "{advice}");
        println!("{advice}");
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let again = format!("{prepare} && exec \"$0\" --exact {test}");
    let output = enter(&again).arg(program).env(IN_NAMESPACE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(" 1 passed"), "{said}");
    false
}

#[test]
fn a_machine_without_a_route_is_an_unreachable_network() {
    if in_a_namespace("nowhere::a_machine_without_a_route_is_an_unreachable_network", "true") {
        for somebody in [SOMEBODY, SOMEBODY6] {
            assert_eq!(outcome(somebody), Some(Failure::Unreachable(Unreachable::Network)));
        }
    }
}

#[test]
fn a_host_that_the_machine_cannot_reach_is_an_unreachable_host() {
    let test = "nowhere::a_host_that_the_machine_cannot_reach_is_an_unreachable_host";
    if in_a_namespace(
        test,
        "ip link set lo up && ip route add unreachable 192.0.2.0/24 && ip route add unreachable 2001:db8::/32",
    ) {
        for somebody in [SOMEBODY, SOMEBODY6] {
            assert_eq!(outcome(somebody), Some(Failure::Unreachable(Unreachable::Host)));
        }
    }
}

#[test]
fn a_neighbour_that_does_not_answer_is_an_unreachable_host() {
    // The kernel asks three times, a second apart, and only then the connect fails: the verdict comes late.
    let test = "nowhere::a_neighbour_that_does_not_answer_is_an_unreachable_host";
    let prepare = "ip link set lo up && ip link add here type veth peer name there && \
                   ip link set here up && ip link set there up && ip address add 192.0.2.1/24 dev here && \
                   ip address add 2001:db8::1/64 dev here nodad";
    if in_a_namespace(test, prepare) {
        for somebody in [SOMEBODY, SOMEBODY6] {
            assert_eq!(outcome(somebody), Some(Failure::Unreachable(Unreachable::Host)));
        }
    }
}

#[test]
fn a_destination_that_the_machine_forbids_is_prohibited() {
    let test = "nowhere::a_destination_that_the_machine_forbids_is_prohibited";
    if in_a_namespace(
        test,
        "ip link set lo up && ip route add prohibit 192.0.2.0/24 && ip route add prohibit 2001:db8::/32",
    ) {
        for somebody in [SOMEBODY, SOMEBODY6] {
            assert_eq!(outcome(somebody), Some(Failure::Unreachable(Unreachable::Prohibited)));
        }
    }
}

#[test]
fn a_refusal_of_the_machine_is_a_refusal_there_as_well() {
    let test = "nowhere::a_refusal_of_the_machine_is_a_refusal_there_as_well";
    // The kernel makes the route to an address of its own a moment after the address.
    let prepare = "ip link set lo up && ip address add 192.0.2.7/32 dev lo && \
                   ip address add 2001:db8::7/128 dev lo nodad && \
                   timeout 10 sh -c 'until ip -6 route get 2001:db8::7; do :; done'";
    if in_a_namespace(test, prepare) {
        for somebody in [SOMEBODY, SOMEBODY6] {
            assert_eq!(outcome(somebody), Some(Failure::Refused));
        }
    }
}

#[test]
fn a_machine_whose_ip6_is_switched_off_is_an_unreachable_network() {
    let test = "nowhere::a_machine_whose_ip6_is_switched_off_is_an_unreachable_network";
    let prepare = "ip link set lo up && sysctl -q -w net.ipv6.conf.all.disable_ipv6=1";
    if in_a_namespace(test, prepare) {
        for there in ["[fd77::1]:80", SOMEBODY6] {
            assert_eq!(outcome(there), Some(Failure::Unreachable(Unreachable::Network)), "{there}");
        }
        assert_eq!(outcome("10.77.0.1:80"), Some(Failure::Refused));
    }
}

#[test]
fn a_host_that_never_answers_is_silence_there_as_well() {
    // Somebody's link address is known, so SYNs go out and nobody takes them; the kernel gives up after one repetition,
    // three seconds. Inside, the SYN goes on being repeated, at 1, 3 and 7 seconds, and makes no second request.
    let test = "nowhere::a_host_that_never_answers_is_silence_there_as_well";
    let prepare = "ip link set lo up && ip link add here type veth peer name there && \
                   ip link set here up && ip link set there up && ip address add 192.0.2.1/24 dev here && \
                   ip neighbour add 192.0.2.7 lladdr 02:00:00:00:00:07 dev here && \
                   echo 1 >/proc/sys/net/ipv4/tcp_syn_retries";
    if !in_a_namespace(test, prepare) {
        return;
    }
    let (mut exit, (bell, _ring)) = (exit(&[]), bell());
    let mut id = None;
    play_with(&mut exit, bell, |scene| {
        let id = *id.get_or_insert_with(|| scene.connect(SOMEBODY.parse().unwrap()));
        let status = scene.status(id);
        assert_eq!((status.state, status.failure), (State::SynSent, None));
        scene.now.micros() > 6_000_000
    });
    assert_eq!(exit.counts(), [("the kernel's connect failed", 1)]);
}
