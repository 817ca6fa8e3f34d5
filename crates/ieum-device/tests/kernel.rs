//! A TAP interface and the kernel behind it, frame by frame, in a network namespace of the test's own.
//!
//! Needs root and /dev/net/tun: without them the test says so and passes, except under `CI`, where it fails. What whole
//! hosts do over such interfaces is tried by `ieum-cli`'s `kernel_peer`.
#![allow(clippy::disallowed_methods, reason = "the kernel answers in real time: each wait has a deadline")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ieum_device::Tun;
use ieum_device::tun::{TunConfig, TunKind};
use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Packet, Protocol, ip};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// No wait is longer: what has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

fn enter_own_namespace() -> bool {
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || device.is_err() {
        let advice = "this test needs root and /dev/net/tun, so it proves nothing here";
        assert!(!is_root || std::env::var_os("CI").is_none(), "{advice}");
        println!("{advice}");
        return false;
    }
    let mut holder = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo ready && read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("standard output is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a pipe can be read");
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id())).expect("a process has a namespace");
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("root may enter a namespace");
    drop(holder.stdin.take());
    holder.wait().expect("a child can be waited for");
    true
}

/// The next frame that `wanted` accepts; others are passed over.
fn next(tun: &mut Tun, wanted: impl Fn(&Packet) -> bool) -> Packet {
    let deadline = Instant::now() + PATIENCE;
    loop {
        while let Some(packet) = tun.read().expect("an interface can be read") {
            if wanted(&packet) {
                return packet;
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "still waiting for a frame");
        let timeout = Timespec::try_from(left).expect("a short while is a time");
        poll(&mut [PollFd::new(&*tun, PollFlags::IN)], Some(&timeout)).expect("poll waits");
    }
}

fn is_echo_to(packet: &Packet, host: IpAddr) -> bool {
    ip::parse(packet.bytes()).is_ok_and(|parsed| {
        parsed.header.destination == host
            && matches!(parsed.header.protocol, Protocol::Icmp4)
            && packet.bytes().get(parsed.header_bytes) == Some(&8)
    })
}

#[test]
fn frames_of_a_tap_interface_have_their_header_beside_them_both_ways() {
    if !enter_own_namespace() {
        return;
    }
    for offload in [true, false] {
        let config = TunConfig { name: "tap0".into(), kind: TunKind::Tap, keep: false, offload };
        let mut tap = Tun::open(&config).expect("root may make an interface");
        let addresses = ["10.77.0.1/24".parse().unwrap(), "fd77::1/64".parse().unwrap()];
        assert_eq!(tap.set_up(1500, &addresses).expect("the interface is set up"), []);
        let neighbour = ["neighbour", "add", "10.77.0.2", "lladdr", "02:00:00:00:00:02", "dev", "tap0"];
        assert!(Command::new("ip").args(neighbour).status().expect("ip starts").success());

        let ping = Command::new("ping")
            .args(["-n", "-c", "1", "-w", "30", "10.77.0.2"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("ping starts");
        let mut echo = next(&mut tap, |packet| is_echo_to(packet, "10.77.0.2".parse().unwrap()));
        let header = echo.ethernet.expect("a frame has a header");
        assert_eq!((header.destination, header.ethertype), (OURS, EtherType::Ip4));

        // The answer: addresses exchanged, which leaves the header's checksum, and type 8 become 0.
        let bytes = echo.bytes_mut();
        let (source, destination) = (bytes[12..16].to_vec(), bytes[16..20].to_vec());
        bytes[12..16].copy_from_slice(&destination);
        bytes[16..20].copy_from_slice(&source);
        bytes[20] = 0;
        let sum = u16::from_be_bytes([bytes[22], bytes[23]]);
        let (sum, carry) = sum.overflowing_add(0x0800);
        bytes[22..24].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
        echo.ethernet = Some(Header { destination: header.source, source: OURS, ..header });
        assert!(tap.takes(&echo));
        tap.write(&mut echo).expect("an interface that is up takes a frame");
        let said = ping.wait_with_output().expect("ping ends");
        assert!(String::from_utf8_lossy(&said.stdout).contains(" 1 received"), "offload: {offload}");

        echo.ethernet = None;
        assert!(tap.write(&mut echo).is_err(), "a frame without a header is none");
        assert_eq!(tap.malformed(), 0);
    }
}
