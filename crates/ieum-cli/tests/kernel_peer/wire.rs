//! What the kernel's tcpdump saw of ieum's TCP, read by tshark.
//!
//! Without offloads every frame that crosses is as it would be on a wire: no checksum may be wrong, and no segment may
//! hold a byte that its receiver had not room for. The capture is taken where the kernel hands packets to the interface
//! and takes them from it, so each side's promise is in it before the segment that uses it.

use std::collections::HashMap;
use std::path::Path;

use rustix::process::Signal;

use super::http::{fetched_by_ieum, fetched_by_kernel, server_on_ieum, server_on_kernel};
use super::namespace::{HOST4, HOST6, KERNEL4, KERNEL6, enter_own, output};
use super::support::{BROKEN, Folder, Running, seeded, tshark};

/// Bytes each way: many windows, and not more packets than tshark reads in a few seconds.
const BYTES: u64 = 12 << 20;

/// What waits for tcpdump in the kernel at most: all of it, lest the capture have holes.
const BUFFER_KIB: &str = "131072";

/// What tshark reads of each segment.
const FIELDS: [&str; 7] = [
    "tcp.stream",
    "tcp.srcport",
    "tcp.flags.ack",
    "tcp.seq_raw",
    "tcp.len",
    "tcp.ack_raw",
    "tcp.window_size",
];

/// The right edge of the window that one side of a connection last promised, as far as it ever reached.
type Edges = HashMap<(String, String), u32>;

/// Is `one` before `other`, as sequence numbers go?
fn before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

/// The segments that hold a byte beyond what their receiver had promised to take; and how many there were in all.
fn outside_the_window(lines: &[String]) -> (Vec<&String>, usize) {
    // For each stream, by the port of who may send: up to where.
    let mut edges = Edges::new();
    let mut ports: HashMap<String, Vec<String>> = HashMap::new();
    let (mut outside, mut with_bytes) = (Vec::new(), 0);
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let [stream, port, ack, seq, len, acked, window] = fields[..] else {
            panic!("not seven fields: {line}")
        };
        let number = |text: &str| text.parse::<u32>().expect("a number of a header");
        let known = ports.entry(stream.to_owned()).or_default();
        if !known.iter().any(|other| other == port) {
            known.push(port.to_owned());
        }
        let (seq, len) = (number(seq), number(len));
        let is = |flag: &str| flag == "1" || flag == "True";
        if len > 0 {
            with_bytes += 1;
            let edge = edges.get(&(stream.to_owned(), port.to_owned()));
            if edge.is_none_or(|edge| before(*edge, seq.wrapping_add(len))) {
                outside.push(line);
            }
        }
        if !is(ack) {
            continue;
        }
        // As tshark tells it, scaled; that of a SYN never is.
        let promised = number(acked).wrapping_add(number(window));
        let peer = known.iter().find(|other| *other != port).cloned();
        if let Some(peer) = peer {
            let edge = edges.entry((stream.to_owned(), peer)).or_insert(promised);
            if before(*edge, promised) {
                *edge = promised;
            }
        }
    }
    (outside, with_bytes)
}

/// nginx on the one side, curl on the other, both ways over an interface that root has made; the capture's file.
fn captured(folder: &Folder, kind: &str, host: &str, kernel: &str) -> String {
    output(&format!("ip tuntap add ieum0 mode {kind}"));
    output("ip address add 10.77.0.1/24 dev ieum0");
    output("ip address add fd77::1/64 dev ieum0 nodad");
    output("ip link set ieum0 up");
    let (root, file) = (folder.path().display().to_string(), folder.file("kernel.pcap"));
    seeded(Path::new(&folder.file("payload")), BYTES).expect("a file is written");
    let words = ["tcpdump", "-i", "ieum0", "-n", "-s", "0", "-B", BUFFER_KIB, "-Z", "root", "-w", &file];
    let mut tcpdump = Running::start(&words);
    tcpdump.error_line("tcpdump: listening on ieum0");

    let flags = [&format!("--{kind}"), "ieum0,keep", "--no-offload"];
    let on_ieum = server_on_ieum(&flags, folder, &root, host);
    let by_kernel = fetched_by_kernel(host, "payload");
    drop(on_ieum);
    let _on_kernel = server_on_kernel(folder, &root, kernel);
    assert_eq!(by_kernel, fetched_by_ieum(&flags, kernel, "payload"));

    tcpdump.signal(Signal::TERM);
    let said = tcpdump.finish();
    assert!(said.stderr.contains("0 packets dropped by kernel"), "{}", said.stderr);
    file
}

fn every_frame_is_in_order(kind: &str, host: &str, kernel: &str) {
    if !enter_own(&["nginx", "curl", "tcpdump", "tshark"]) {
        return;
    }
    let folder = Folder::new();
    let file = captured(&folder, kind, host, kernel);
    // Linux writes 0xffff for a TCP checksum of 0 (CSUM_MANGLED_0), which UDP alone must: one segment of 65,536 has it.
    let by_kernel = format!("ip.src == {KERNEL4} || ipv6.src == {KERNEL6}");
    let broken = format!("({BROKEN}) && !(tcp.checksum.ffff && ({by_kernel}))");
    assert_eq!(tshark(&file, &broken, &["frame.number", "_ws.col.Info"]), Vec::<String>::new());
    let too_large = "ip.len > 1500 || ipv6.plen > 1460";
    assert_eq!(tshark(&file, too_large, &["frame.number"]), Vec::<String>::new());

    let segments = tshark(&file, "tcp", &FIELDS);
    let (outside, with_bytes) = outside_the_window(&segments);
    assert!(outside.is_empty(), "{} segments, these outside: {outside:?}", segments.len());
    // What was captured is what was meant to be: both transfers.
    let frames_min = usize::try_from(2 * BYTES / 1460).expect("a small number");
    assert!(with_bytes >= frames_min, "only {with_bytes} segments with bytes");
}

#[test]
fn the_kernel_sees_no_bad_checksum_and_nothing_outside_the_window_over_tun() {
    every_frame_is_in_order("tun", HOST4, KERNEL6);
}

#[test]
fn the_kernel_sees_no_bad_checksum_and_nothing_outside_the_window_over_tap() {
    every_frame_is_in_order("tap", HOST6, KERNEL4);
}
