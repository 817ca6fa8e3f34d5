//! A device between the engine and the kernel, in a network namespace of the test's own.
//!
//! Needs root and /dev/net/tun: without them the test says so and passes, except under `CI`, where it fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use ieum_device::Tun;
use ieum_device::tun::{TunConfig, TunKind};
use ieum_engine::{Clock, DeviceRoom, Engine, Notice, Ready, Room, Turn};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet, Protocol, ip};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// Datagrams that the kernel's sender gives to one call: more than the device's room reads in one turn.
const DATAGRAMS: usize = 120;

/// Counts the datagrams that come, and is finished with the last one.
struct Counter {
    datagrams: usize,
    gives_up_at: Option<Instant>,
    given_up: bool,
}

impl Room for Counter {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        self.gives_up_at = Some(turn.now + PATIENCE);
        // UDP_SEGMENT (103 of SOL_UDP): one call, one packet through the interface, and 120 datagrams.
        let sender = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                      s.setsockopt(17, 103, 100); s.sendto(b'x' * 12000, ('10.77.0.2', 9))";
        assert!(Command::new("python3").args(["-c", sender]).status()?.success());
        Ok(())
    }
    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}
    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, frame: Packet) {
        let parsed = ip::parse(frame.bytes()).unwrap();
        self.datagrams += usize::from(parsed.header.protocol == Protocol::Udp);
    }
    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.given_up = self.gives_up_at.is_some_and(|at| at <= turn.now);
    }
    fn deadline(&self) -> Option<Instant> {
        self.gives_up_at
    }
    fn settle(&mut self, _turn: &Turn<'_>) {}
    fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        None
    }
    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }
    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}
    fn is_unfinished(&self) -> bool {
        false
    }
    fn is_finished(&self) -> bool {
        self.given_up || self.datagrams == DATAGRAMS
    }
}

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
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    true
}

#[test]
fn datagrams_that_came_as_one_all_arrive_though_they_exceed_a_turns_share() {
    if !enter_own_namespace() {
        return;
    }
    // Router solicitations would wake the room in time: without IPv6 the datagrams are all there is.
    let _switched_off = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    let config = TunConfig { name: "tun0".into(), kind: TunKind::Tun, keep: false, offload: true };
    let mut tun = Tun::open(&config).unwrap();
    tun.set_up(1500, &["10.77.0.1/24".parse().unwrap()]).unwrap();
    let mut device = DeviceRoom::new(tun, LinkId::default(), |trouble| panic!("{trouble}"));
    let mut counter = Counter { datagrams: 0, gives_up_at: None, given_up: false };
    let mut engine = Engine::new(Clock::start(), |trouble| panic!("{trouble}")).unwrap();
    engine.join((0, LinkId::default()), (1, device.link()), None);
    engine.run(&mut [&mut counter, &mut device]).unwrap();
    assert_eq!(counter.datagrams, DATAGRAMS);
    assert_eq!(device.drops(), []);
}
