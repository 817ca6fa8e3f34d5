//! The middle of a path: carries packets between two TUN interfaces as a link of a given rate, round trip and loss would.
//!
//! ```text
//!  near interface ══ rate, tail-drop queue, loss by a seed, half the round trip ══▶ far interface
//!                 ◀════════════ half the round trip, and up to a frame's time more ═══
//! ```
//!
//! `scripts/compare-paths` puts it between two kernels, or two hosts of ieum, and asks what gets through: both meet the
//! same link, which is that of `ieum lab flow`, made of the same parts (`ieum-lab/src/chain`), but in real time.
//!
//! Invariants:
//!
//! 1. Which data segments are lost depends on the seed and on the number of the data segment alone: other packets draw no lot.
//! 2. Packets of one direction stay in their order.
//!
//! It ends when its standard input does, and prints what became of the packets as one line of JSON.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Parser;
use ieum_device::Tun;
use ieum_device::tun::{TunConfig, TunKind};
use ieum_engine::Clock;
use ieum_lab::chain::{Chain, Element, Queue, Wobble};
use ieum_lab::fault::{Fault, Faults};
use ieum_wire::{Instant, Packet, Protocol, ip, tcp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Packets read from one interface before the other has its turn: several times what the link carries in a [`TICK`].
const BURST_PACKETS: usize = 64;

/// How often the interfaces are looked at while something is under way, as a network card that collects a few frames for one
/// interrupt does: several such links are to fit on one processor.
const TICK: Duration = Duration::from_micros(250);

/// A full frame, in bytes.
const FRAME_BYTES: u64 = 1500;

/// A link between two interfaces that are there already, each in its network namespace.
#[derive(Parser)]
struct Typed {
    /// Process in whose network namespace the interface of the sender's side is
    near: u32,

    /// The same for the receiver's side
    far: u32,

    /// The interfaces' name
    #[arg(long, default_value = "wire0")]
    interface: String,

    /// Mbit/s from near to far; the way back has no bottleneck
    #[arg(long, default_value_t = 100)]
    rate: u32,

    /// Round trip without queue, in milliseconds
    #[arg(long, default_value_t = 50)]
    rtt: u32,

    /// Data segments lost of a million
    #[arg(long, default_value_t = 0)]
    lose_ppm: u32,

    /// Decides which
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Packets on their way to an interface, in the order in which they arrive.
#[derive(Default)]
struct UnderWay {
    packets: VecDeque<(Instant, Packet)>,
    /// Packets that the interface did not take.
    refused: u64,
}

impl UnderWay {
    /// Hands on what has arrived by `now`.
    fn deliver(&mut self, now: Instant, tun: &Tun) -> io::Result<()> {
        while self.packets.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, mut packet)) = self.packets.pop_front() else { break };
            match tun.write(&mut packet) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.refused += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The link at work.
struct Link {
    queue: Queue,
    loss: Fault,
    half: Duration,
    back: Chain,
    to_far: UnderWay,
    to_near: UnderWay,
    /// Data segments that left the queue.
    data: u64,
    lost: u64,
    /// What found the queue full.
    full: u64,
}

impl Link {
    fn new(typed: &Typed) -> Link {
        let bytes_per_second = NonZeroU64::new(u64::from(typed.rate) * 125_000).unwrap_or(NonZeroU64::MIN);
        let rtt = Duration::from_millis(typed.rtt.into());
        // One bandwidth-delay product.
        let queue_bytes = bytes_per_second.get() * u64::from(typed.rtt) / 1000;
        let frame = Duration::from_micros(FRAME_BYTES * 1_000_000 / bytes_per_second);
        let faults = Faults { lose_ppm: typed.lose_ppm, ..Faults::default() };
        let queue_bytes = usize::try_from(queue_bytes).unwrap_or(usize::MAX);
        Link {
            queue: Queue::new(Some(bytes_per_second), queue_bytes, None),
            loss: Fault::new(faults, typed.seed),
            half: rtt / 2,
            back: Chain::new(vec![Element::Wobble(Wobble::new(!typed.seed, rtt / 2, frame))]),
            to_far: UnderWay::default(),
            to_near: UnderWay::default(),
            data: 0,
            lost: 0,
            full: 0,
        }
    }

    /// A packet from the sender's side.
    fn there(&mut self, now: Instant, mut packet: Packet) {
        let Ok(passed) = self.queue.pass(now, &mut packet) else {
            self.full += 1;
            return;
        };
        let at = passed.left + self.half;
        if !has_data(&packet) {
            self.to_far.packets.push_back((at, packet));
            return;
        }
        self.data += 1;
        let through = self.loss.pass(packet);
        self.lost += u64::from(through.is_empty());
        self.to_far.packets.extend(through.into_iter().map(|(delay, packet)| (at + delay, packet)));
    }

    /// A packet from the receiver's side.
    fn back(&mut self, now: Instant, packet: Packet) {
        self.back.pass(now, packet, |at, packet| self.to_near.packets.push_back((at, packet)));
    }

    /// Is something under way?
    fn is_busy(&self) -> bool {
        !(self.to_far.packets.is_empty() && self.to_near.packets.is_empty())
    }
}

/// Is it a TCP segment with payload?
fn has_data(packet: &Packet) -> bool {
    let Ok(parsed) = ip::parse(packet.bytes()) else { return false };
    let segment = packet.bytes().get(parsed.header_bytes..parsed.total_bytes);
    let is_tcp = parsed.header.protocol == Protocol::Tcp;
    segment
        .filter(|_| is_tcp)
        .and_then(|segment| tcp::Header::parse(segment).ok())
        .is_some_and(|(_, data)| !data.is_empty())
}

/// The interface of that name in a process's network namespace.
fn open(process: u32, name: &str) -> Result<Tun, Box<dyn Error>> {
    let namespace = File::open(format!("/proc/{process}/ns/net"))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let config = TunConfig { name: name.to_owned(), kind: TunKind::Tun, keep: true, offload: false };
    Ok(Tun::open(&config)?)
}

/// Waits for the next tick, or for a packet when nothing is under way; says whether standard input has ended.
fn wait(near: &Tun, far: &Tun, longest: Option<Duration>) -> Result<bool, Box<dyn Error>> {
    let stdin = io::stdin();
    let [near, far] = [near, far].map(|tun| PollFd::new(tun, PollFlags::IN));
    let mut waited = [PollFd::new(&stdin, PollFlags::IN), near, far];
    let (waited, timeout) = match longest {
        Some(longest) => (&mut waited[..1], Some(Timespec::try_from(longest)?)),
        None => (&mut waited[..], None),
    };
    match poll(waited, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!waited[0].revents().is_empty()),
        Err(error) => Err(error.into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let typed = Typed::parse();
    let (mut near, mut far) = (open(typed.near, &typed.interface)?, open(typed.far, &typed.interface)?);
    let mut link = Link::new(&typed);
    let clock = Clock::start();
    println!("ready");
    let (mut ended, mut tick) = (false, clock.now());
    let mut late = Duration::ZERO;
    while !ended {
        for _ in 0..BURST_PACKETS {
            let Some(packet) = near.read()? else { break };
            link.there(clock.now(), packet);
        }
        for _ in 0..BURST_PACKETS {
            let Some(packet) = far.read()? else { break };
            link.back(clock.now(), packet);
        }
        let now = clock.now();
        link.to_far.deliver(now, &far)?;
        link.to_near.deliver(now, &near)?;
        tick = (tick + TICK).max(now);
        let is_busy = link.is_busy();
        ended = wait(&near, &far, is_busy.then(|| tick.since(clock.now())))?;
        late = late.max(if is_busy { clock.now().since(tick) } else { Duration::ZERO });
    }
    println!(
        r#"{{"data": {}, "lost": {}, "full": {}, "refused": {}, "late_us": {}}}"#,
        link.data,
        link.lost,
        link.full,
        link.to_far.refused + link.to_near.refused,
        late.as_micros()
    );
    Ok(())
}
