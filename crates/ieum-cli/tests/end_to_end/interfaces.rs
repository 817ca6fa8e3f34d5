//! Programs that ask for interfaces are told of their host's own; the parity programs compare every fact with Linux's.

use super::support::{Running, Runtime, ieum, peer};

#[test]
fn ip_shows_the_host_s_addresses_and_routes_on_a_net() {
    if !peer("ip") {
        return;
    }
    let here = Runtime::new();
    let addresses = here.run(&["--net", "lab", "--name", "web"], &["ip", "-o", "address"]).finish().success();
    for expected in
        ["lo    inet 127.0.0.1/8 ", "eth1    inet 10.77.0.2/24 brd 10.77.0.255 ", "eth1    inet6 fd77::2/64 "]
    {
        assert!(addresses.contains(expected), "{addresses}");
    }
    let interfaces = here.run(&[], &["ip", "-o", "link"]).finish().success();
    assert_eq!(interfaces.lines().count(), 2, "{interfaces}");
    let way = here.run(&[], &["ip", "route", "get", "192.0.2.9"]).finish().success();
    assert!(way.contains("via 10.77.0.1 dev eth0") && way.contains("src 10.77.0.2"), "{way}");
}

#[test]
fn a_program_changes_no_interface_though_root_runs_it() {
    if !peer("ip") {
        return;
    }
    for words in [
        ["ip", "link", "set", "lo", "mtu", "65000"].as_slice(),
        ["ip", "address", "add", "127.9.9.9/32", "dev", "lo"].as_slice(),
        ["ip", "route", "add", "unreachable", "198.51.100.0/24"].as_slice(),
    ] {
        let refused = Running::start(&ieum(&["--no-exit"], words)).finish();
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("Operation not permitted"), "{}", refused.stderr);
    }
}

#[test]
fn node_lists_the_host_s_interfaces() {
    if !peer("node") {
        return;
    }
    let words = [
        "node",
        "-p",
        "Object.entries(require('os').networkInterfaces()).flatMap(([n, a]) => a.map(one => n + ' ' + one.cidr)).join()",
    ];
    let listed = Running::start(&ieum(&[], &words)).finish().success();
    assert_eq!(listed.trim(), "lo 127.0.0.1/8,lo ::1/128,eth0 10.77.0.2/24,eth0 fd77::2/64");
}

#[test]
fn requests_that_are_written_one_after_the_other_are_all_answered() {
    if !peer("python3") {
        return;
    }
    // 200 times a request for interface 1, more than one turn's share, an empty message among them; each has one answer.
    let program = "import os, socket, struct
asks = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
answers = 0
for number in range(200):
    request = struct.pack('=IHHII BxHiII', 32, 18, 1, number, 0, 0, 0, 1, 0, 0)
    os.write(asks.fileno(), request)
    if number == 100:
        asks.send(b'')
    if number % 50 == 49:
        for _ in range(50):
            answers += asks.recv(65536)[4:6] == struct.pack('=H', 16)
print(answers, 'answers')";
    let said = Running::start(&ieum(&["--no-exit"], &["python3", "-c", program])).finish().success();
    assert_eq!(said, "200 answers\n");
}

#[test]
fn root_has_no_netlink_that_leads_to_the_machine() {
    if !peer("python3") {
        return;
    }
    let program = "import errno, socket
for protocol in (4, 6, 12, 16):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        print(protocol, 'there')
    except OSError as error:
        print(protocol, errno.errorcode[error.errno])";
    let said = Running::start(&ieum(&["--no-exit"], &["python3", "-c", program])).finish().success();
    assert_eq!(said, "4 EPROTONOSUPPORT\n6 EPROTONOSUPPORT\n12 EPROTONOSUPPORT\n16 EPROTONOSUPPORT\n");
}
