//! One TCP stream between two stacks in this thread, without a device: what the stack itself costs.
//!
//! `cargo bench -p ieum-stack` prints Gbit/s for super-segments and for single frames of MTU 1500, without and with
//! many idle connections beside the busy one. A last line is the ratio that must not grow: idle connections cost
//! nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::net::{IpAddr, SocketAddr};
use std::time::Instant as Clock;

use ieum_stack::{BindRequest, ConnectionId, LinkConfig, LinkId, Stack, StackConfig, TcpSettings};
use ieum_wire::Instant;

/// Bytes moved for each figure.
const BYTES: usize = 2 << 30;
/// Round trips made for theirs.
const ROUNDS: u32 = 500_000;
/// Bytes a user writes and reads at once.
const CHUNK_BYTES: usize = 256 * 1024;

struct End {
    stack: Stack,
    link: LinkId,
}

fn end(number: u8, link: LinkConfig) -> End {
    let mut stack = Stack::new(StackConfig::new([number; 32]));
    let link = stack.add_link(link);
    stack.add_address(link, format!("10.77.0.{number}/24").parse().unwrap());
    End { stack, link }
}

fn exchange(now: Instant, ends: &mut [End; 2]) {
    let mut quiet = 0;
    while quiet < 2 {
        for from in [0, 1] {
            quiet += 1;
            while let Some((_, packet)) = ends[from].stack.poll_frame(now) {
                quiet = 0;
                let to = &mut ends[1 - from];
                to.stack.on_frame(now, to.link, packet);
            }
            while ends[from].stack.poll_event().is_some() {}
        }
    }
}

fn connect(now: Instant, ends: &mut [End; 2], port: u16, count: usize) -> Vec<(ConnectionId, ConnectionId)> {
    let request = BindRequest::new(IpAddr::from([10, 77, 0, 2]), port);
    let binding = ends[1].stack.tcp_bind(request).unwrap();
    let listener = ends[1].stack.tcp_listen(binding, 4096, false, TcpSettings::default()).unwrap();
    let remote = SocketAddr::from(([10, 77, 0, 2], port));
    (0..count)
        .map(|_| {
            let client = ends[0].stack.tcp_connect(now, None, remote, TcpSettings::default()).unwrap();
            exchange(now, ends);
            (client, ends[1].stack.tcp_accept(listener).unwrap())
        })
        .collect()
}

fn gbit_s(link: LinkConfig, idle: usize) -> f64 {
    let mut ends = [end(1, link), end(2, link)];
    let mut now = Instant::from_micros(1);
    let _idle = connect(now, &mut ends, 81, idle);
    let (client, server) = connect(now, &mut ends, 80, 1)[0];
    let data = vec![7; CHUNK_BYTES];
    let mut into = vec![0; CHUNK_BYTES];
    let mut received = 0;
    let begin = Clock::now();
    while received < BYTES {
        now += std::time::Duration::from_micros(10);
        ends[0].stack.tcp_send(now, client, &data);
        exchange(now, &mut ends);
        loop {
            let count = ends[1].stack.tcp_recv(now, server, &mut into, false);
            if count == 0 {
                break;
            }
            received += count;
        }
        ends[0].stack.on_deadline(now);
        ends[1].stack.on_deadline(now);
    }
    received as f64 * 8.0 / begin.elapsed().as_secs_f64() / 1e9
}

/// One byte there and back, and again: what a segment costs, and not its bytes.
fn round_trips_s(rounds: u32) -> f64 {
    let mut ends = [end(1, LinkConfig::in_process()), end(2, LinkConfig::in_process())];
    let mut now = Instant::from_micros(1);
    let (client, server) = connect(now, &mut ends, 80, 1)[0];
    let mut into = [0; 16];
    let begin = Clock::now();
    for _ in 0..rounds {
        for (from, id, peer) in [(0, client, server), (1, server, client)] {
            now += std::time::Duration::from_micros(10);
            assert_eq!(ends[from].stack.tcp_send(now, id, b"x"), 1, "there is room");
            exchange(now, &mut ends);
            let status = ends[1 - from].stack.tcp_status(peer).unwrap();
            assert_eq!(status.readable_bytes, 1, "it has arrived");
            assert_eq!(ends[1 - from].stack.tcp_recv(now, peer, &mut into, false), 1, "it is read");
            for end in &mut ends {
                end.stack.on_deadline(now);
            }
        }
    }
    f64::from(rounds) / begin.elapsed().as_secs_f64()
}

fn main() {
    println!("1-byte round trips                       {:6.0} thousand/s", round_trips_s(ROUNDS) / 1000.0);
    let whole = LinkConfig::in_process();
    let frames = LinkConfig { segmentation_offload: false, ..whole };
    let summed = LinkConfig { segmentation_offload: false, checksum_offload: false, ..whole };
    let alone = gbit_s(frames, 0);
    println!("super-segments, checksum deferred        {:6.1} Gbit/s", gbit_s(whole, 0));
    println!("frames of MTU 1500, checksum deferred    {alone:6.1} Gbit/s");
    println!("frames of MTU 1500, checksum computed    {:6.1} Gbit/s", gbit_s(summed, 0));
    let crowded = gbit_s(frames, 5000);
    println!("frames, beside 5,000 idle connections    {crowded:6.1} Gbit/s");
    println!("beside 5,000 idle : alone                {:6.2}", crowded / alone);
}
