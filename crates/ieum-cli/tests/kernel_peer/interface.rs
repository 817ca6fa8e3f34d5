//! The interface itself: made and gone again, kept, refused, deleted; and what does not go together with it.

use super::http::{fetched_by_ieum, fetched_by_kernel, server_on_ieum, server_on_kernel, sum_of};
use super::namespace::{HOST4, HOST6, KERNEL4, KERNEL6, TAP, TUN, enter_own, output};
use super::support::{Folder, Running, ieum, path_of, peer, script};

/// A program that does nothing until it is told to end.
const WAITING: [&str; 3] = ["sh", "-c", "echo ready; read _"];

/// What ieum says when it can do nothing, after its exit code was looked at.
fn refusal(flags: &[&str]) -> String {
    let finished = Running::start(&ieum(flags, &["true"])).finish();
    assert_eq!(finished.code, 125, "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    finished.stderr
}

fn says(flags: &[&str], what: &str) {
    let said = refusal(flags);
    assert!(said.contains(what), "{said}");
}

#[test]
fn an_interface_is_up_with_the_gateways_addresses_while_the_program_runs() {
    if !enter_own(&["ip"]) {
        return;
    }
    for flags in [TUN, TAP] {
        let flags = [flags, &["--mtu", "4000", "--address", "10.9.0.2/16", "--gateway", "10.9.0.9"]].concat();
        let mut host = Running::start(&ieum(&flags, &WAITING));
        host.line("ready");
        let link = output("ip -oneline link show dev ieum0");
        assert!(link.contains(",UP") && link.contains("mtu 4000 "), "{link}");
        let addresses = output("ip -oneline address show dev ieum0");
        assert!(addresses.contains("inet 10.9.0.9/16 "), "{addresses}");
        assert!(addresses.contains("inet6 fd77::1/64 "), "{addresses}");
        assert!(!addresses.contains("tentative") || !addresses.contains("fd77::1/64 scope global tentative"));
        host.tell("");
        assert_eq!(host.finish().code, 0);
        assert!(!output("ip -oneline link").contains("ieum0"), "it goes with ieum");
    }
}

fn kept_and_used(kind: &str) {
    if !enter_own(&["ip", "nginx", "curl", "sha256sum"]) {
        return;
    }
    output(&format!("ip tuntap add kept0 mode {kind}"));
    output("ip address add 10.77.0.1/24 dev kept0");
    output("ip link set kept0 mtu 1300 up");
    let of = |word: &'static str| {
        let link = output("ip -oneline link show dev kept0");
        link.split_whitespace().skip_while(|found| *found != word).nth(1).map(str::to_owned)
    };
    // fe80:: comes and goes with whoever has the interface open.
    let address = || output("ip -oneline -4 address show dev kept0");
    let before = (of("mtu"), of("qlen"), address());
    let folder = Folder::new();
    let root = folder.path().display().to_string();
    let sum = sum_of(&folder.write("payload", &"what was sent arrives\n".repeat(1000)));
    let _nginx = server_on_kernel(&folder, &root, KERNEL4);
    let flags = [&format!("--{kind}"), "kept0,keep"];
    assert_eq!(fetched_by_ieum(&flags, KERNEL4, "payload"), sum);
    assert_eq!((of("mtu"), of("qlen"), address()), before);
}

#[test]
fn a_tun_interface_that_is_kept_is_used_as_it_is() {
    kept_and_used("tun");
}

#[test]
fn a_tap_interface_that_is_kept_is_used_as_it_is() {
    kept_and_used("tap");
}

/// A small file crosses an interface made with `flags`, both ways.
fn a_file_crosses(flags: &[&str], host: &str, kernel: &str) {
    let folder = Folder::new();
    let root = folder.path().display().to_string();
    let sum = sum_of(&folder.write("payload", &"what was sent arrives\n".repeat(10_000)));
    let on_ieum = server_on_ieum(flags, &folder, &root, host);
    assert_eq!(fetched_by_kernel(host, "payload"), sum);
    drop(on_ieum);
    let _on_kernel = server_on_kernel(&folder, &root, kernel);
    assert_eq!(fetched_by_ieum(flags, kernel, "payload"), sum);
}

#[test]
fn any_mtu_carries_a_file() {
    if !enter_own(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    for offload in [&[][..], &["--no-offload"]] {
        let with = |mtu, more: &[&'static str]| [TUN, &["--mtu", mtu], offload, more].concat();
        a_file_crosses(&with("576", &["--no-ipv6"]), HOST4, KERNEL4);
        a_file_crosses(&with("1280", &[]), HOST6, KERNEL6);
        a_file_crosses(&with("65535", &[]), HOST6, KERNEL6);
        a_file_crosses(&with("65535", &[]), HOST4, KERNEL4);
    }
}

#[test]
fn where_the_kernel_has_no_ipv6_ieum_says_so_and_goes_on_with_ipv4() {
    if !enter_own(&["nginx", "curl", "sha256sum", "sysctl"]) {
        return;
    }
    output("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
    a_file_crosses(TUN, HOST4, KERNEL4);
    let finished = Running::start(&ieum(TUN, &["true"])).finish();
    assert_eq!(finished.code, 0);
    assert_eq!(finished.stderr, "ieum: ieum0 has no fd77::1/64: this machine has IPv6 switched off\n");
}

#[test]
fn what_cannot_be_had_is_refused_with_one_line_that_says_what_to_do() {
    if !enter_own(&["ip"]) {
        return;
    }
    output("ip tuntap add there0 mode tap");
    says(&["--tun", "there0"], "there is an interface there0 already: give another name, or `there0,keep`");
    says(&["--tun", "there0,keep"], "the interface there0 is no tun interface");
    says(&["--tun", "lo,keep"], "the interface lo is no tun interface");
    says(&["--tun", "absent0,keep"], "no interface absent0 to keep: `ip tuntap add absent0 mode tun`");
    says(&["--tun", "a/b"], "`a/b` cannot be an interface's name");
    says(&["--tun", "tun0,kep"], "`kep` is not `keep`");
    let mut user = Running::start(&ieum(&["--tap", "there0,keep"], &WAITING));
    user.line("ready");
    says(&["--tap", "there0,keep"], "there0 is in use by another process");
}

#[test]
fn an_ordinary_user_is_told_what_an_interface_needs() {
    if !enter_own(&["ip", "setpriv"]) {
        return;
    }
    let as_user = |words: &[&str]| {
        let user = ["setpriv", "--reuid=65534", "--clear-groups"];
        let program = Folder::new();
        let ieum = program.file("ieum");
        // Where all may read. Not copied by this process: what it has open for writing, others of its tests hand to their
        // children, and nobody can execute it meanwhile (ETXTBSY).
        Running::start(&["cp", env!("CARGO_BIN_EXE_ieum"), &ieum]).finish().success();
        Running::start(&[&user[..], &[&ieum, "run"], words, &["--", "true"]].concat()).finish()
    };
    let refused = as_user(&["--tun", "ieum0"]);
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("this needs CAP_NET_ADMIN (root)"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--tun ieum0,keep"), "{}", refused.stderr);
}

#[test]
fn an_ordinary_user_uses_the_interface_that_root_has_made_for_it_and_no_other() {
    if !enter_own(&["ip", "setpriv", "ping", "mknod"]) {
        return;
    }
    output("ip tuntap add mine0 mode tun user 65534");
    output("ip address add 10.77.0.1/24 dev mine0");
    output("ip link set mine0 up");
    output("ip tuntap add other0 mode tun user 65533");
    let folder = Folder::new();
    let program = folder.file("ieum");
    output(&format!("cp {} {program}", env!("CARGO_BIN_EXE_ieum")));
    output(&format!("chmod -R a+rX {}", folder.path().display()));
    // A driver as most systems have it, which everybody may open; and as some have it.
    let as_user = |mode: &str, words: &[&str], asked: &[&str]| {
        let driver = format!(
            "mount -t tmpfs none /dev/net && chmod 755 /dev/net && mknod /dev/net/tun c 10 200 \
             && chmod {mode} /dev/net/tun && exec setpriv --reuid=65534 --clear-groups \"$@\""
        );
        let user = ["unshare", "--mount", "sh", "-ec", &driver, "sh"];
        Running::start(&[&user[..], &[&program, "run"], words, &["--"], asked].concat()).finish()
    };
    let pinged = as_user("666", &["--tun", "mine0,keep"], &["ping", "-n", "-c", "1", "-w", "30", KERNEL4]);
    assert!(pinged.success().contains(" 0% packet loss"));
    for (mode, name, sentence) in [
        ("666", "other0,keep", "no right to use the interface other0: it belongs to another user"),
        ("600", "mine0,keep", "no right to open /dev/net/tun, which is needed to use the interface mine0"),
        ("600", "new0", "no right to make the interface new0: this needs CAP_NET_ADMIN (root)"),
        ("666", "new0", "no right to make the interface new0: this needs CAP_NET_ADMIN (root)"),
    ] {
        let refused = as_user(mode, &["--tun", name], &["true"]);
        assert_eq!(refused.code, 125, "{}", refused.stderr);
        assert!(refused.stderr.contains(sentence), "{}", refused.stderr);
    }
}

#[test]
fn an_interface_that_is_kept_and_down_is_said_to_be() {
    if !enter_own(&["ip"]) {
        return;
    }
    output("ip tuntap add kept0 mode tun");
    let flags = ["--tun", "kept0,keep"];
    let finished = Running::start(&ieum(&flags, &["true"])).finish();
    assert_eq!(
        finished.stderr,
        "ieum: the interface kept0 is down, and nothing crosses it before `ip link set kept0 up`\n"
    );
    assert_eq!(finished.code, 0);
    output("ip link set kept0 up");
    assert_eq!(Running::start(&ieum(&flags, &["true"])).finish().stderr, "");
}

#[test]
fn an_interface_that_is_deleted_is_a_link_that_leads_nowhere() {
    if !enter_own(&["ip", "python3"]) {
        return;
    }
    let (python, program) = (path_of("python3"), script("connect_and_tell.py"));
    let mut host = Running::start(&ieum(TUN, &[&python, &program, "10.77.0.1", "9"]));
    host.line("ready");
    output("ip link delete ieum0");
    host.error_line("ieum: the interface ieum0 is gone");
    host.tell("");
    let said = host.line("");
    assert!(said.contains("unreachable") || said.contains("down"), "{said}");
    assert_eq!(host.finish().code, 0);
}

#[test]
fn a_capture_of_a_tap_interface_has_its_frames() {
    if !enter_own(&["ping", "tshark"]) {
        return;
    }
    let folder = Folder::new();
    let file = folder.file("link.pcapng");
    let mut host = Running::start(&ieum(&[TAP, &["--capture", &file]].concat(), &WAITING));
    host.line("ready");
    output(&format!("ping -n -c 1 -w 30 {HOST4}"));
    host.tell("");
    assert_eq!(host.finish().code, 0);
    let said = output(&format!("tshark -n -r {file} -Y arp||icmp -T fields -e frame.protocols"));
    assert!(said.contains("eth:ethertype:arp") && said.contains("eth:ethertype:ip:icmp"), "{said}");
}

#[test]
fn what_belongs_to_an_exit_is_refused_beside_an_interface() {
    // Nothing is opened before these are refused: no namespace and no right is needed.
    if !peer("true") {
        return;
    }
    says(&["--tun", "ieum0", "-p", "8080:80"], "this machine reaches the host's ports at 10.77.0.2 directly");
    says(&["--tap", "ieum0", "--no-exit"], "with --tap there is no exit");
    says(&["--tun", "ieum0", "--host", "a=10.0.0.1"], "with --tun there is none");
    says(&["--tun", "ieum0", "--tap", "ieum1"], "cannot be used with");
    says(&["--mtu", "1400"], "give --tun NAME or --tap NAME too");
    says(&["--no-offload"], "give --tun NAME or --tap NAME too");
    says(&["--fault", "loss=0.01"], "give --tun NAME or --tap NAME too");
    says(&["--tun", "ieum0", "--fault", "loss=2"], "`loss=2` is none of");
    says(
        &["--tun", "ieum0", "--mtu", "67", "--no-ipv6"],
        "an MTU of 67 bytes is not possible: take 68 to 65535",
    );
    says(&["--tap", "ieum0", "--mtu", "65522"], "take 68 to 65521");
    says(&["--tun", "ieum0", "--mtu", "1279"], "IPv6 needs an MTU of 1280 bytes");
    says(&["--tun", "ieum0,keep", "--mtu", "1400"], "`ip link set ieum0 mtu 1400` does, before");
}
