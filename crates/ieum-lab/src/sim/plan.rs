//! What a world is made of, and what is going to happen in it: all that its seed decides before it begins.
//!
//! Small worlds: some hundred thousand bytes in all, so that thousands of them are run in a minute; rare things are made
//! frequent instead.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use ieum_stack::{CongestionName, EcnMode};
use ieum_wire::Instant;

use super::dice::Dice;
use crate::exchange::Doors;
use crate::fault::Faults;

/// A world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its hosts.
    pub hosts: Vec<HostPlan>,
    /// A wire for each two of them.
    pub wires: Vec<WirePlan>,
    /// Conversations over TCP.
    pub streams: Vec<StreamPlan>,
    /// Datagrams over UDP.
    pub datagrams: Vec<DatagramPlan>,
    /// Cut wires and hosts that are switched off, in the order of their times; all is mended before `calm_at`.
    pub troubles: Vec<(Instant, Trouble)>,
    /// From here on nothing goes wrong any more, and everything has to come to its end.
    pub calm_at: Instant,
}

/// What a host's TCP offers.
#[derive(Clone, Copy, Debug)]
pub struct HostPlan {
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Marks instead of drops (RFC 3168).
    pub ecn: EcnMode,
    /// Data on SYNs (RFC 7413), in the bits of Linux's `tcp_fastopen`.
    pub fast_open: u32,
}

/// A wire.
#[derive(Clone, Debug)]
pub struct WirePlan {
    /// The two hosts.
    pub ends: [usize; 2],
    /// The largest packet, in bytes. Below 1280 it has no IPv6.
    pub mtu_bytes: u32,
    /// Its frames are Ethernet's: neighbours are asked for.
    pub ethernet: bool,
    /// The hosts hand super-segments to their end of it.
    pub offloads: bool,
    /// From the first host to the second, and back.
    pub ways: [WayPlan; 2],
}

/// One direction of a wire.
#[derive(Clone, Copy, Debug)]
pub struct WayPlan {
    /// How long a frame takes.
    pub latency: Duration,
    /// Bytes in a second; `None`: no end of them.
    pub bytes_per_second: Option<NonZeroU64>,
    /// What its queue holds.
    pub queue_bytes: usize,
    /// The queue lets senders know early (RED).
    pub red: bool,
    /// Losses in bursts: how likely a bad time begins, ends, and loses a frame (parts of a million).
    pub bursts: Option<(u32, u32, u32)>,
    /// Faults by chance.
    pub faults: Faults,
}

/// In which family two hosts talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
    /// IPv4 from a socket of IPv6.
    Mapped,
}

impl Family {
    /// An address as a socket of that family has to write it.
    pub(super) fn written(self, address: SocketAddr) -> SocketAddr {
        match (self, address) {
            (Family::Mapped, SocketAddr::V4(address)) => {
                SocketAddr::from((address.ip().to_ipv6_mapped(), address.port()))
            }
            (Family::Mapped | Family::Ip4 | Family::Ip6, address) => address,
        }
    }
}

/// A conversation over TCP.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// The host that connects, and the one that listens.
    pub ends: [usize; 2],
    /// By which family.
    pub family: Family,
    /// When it begins.
    pub begins: Instant,
    /// The client's first bytes go with its SYN, where both hosts have that.
    pub fast_open: bool,
    /// What each of them does.
    pub sides: [SidePlan; 2],
}

/// What one side of a conversation does.
#[derive(Clone, Copy, Debug)]
pub struct SidePlan {
    /// Bytes to send.
    pub bytes: u64,
    /// By which doors.
    pub doors: Doors,
    /// Bytes written, and read, in one call.
    pub chunk_bytes: [usize; 2],
    /// The time between two such calls.
    pub pause: [Duration; 2],
    /// Reads nothing before this time of its life.
    pub reads_after: Duration,
    /// Breaks the connection off after so many bytes received.
    pub breaks_after: Option<u64>,
    /// Closes as soon as it has sent everything, when nothing will come.
    pub closes_early: bool,
    /// TCP_NODELAY.
    pub no_delay: bool,
    /// SO_SNDBUF and SO_RCVBUF, in bytes.
    pub buffers: [Option<i32>; 2],
    /// TCP_MAXSEG, in bytes.
    pub mss: Option<i32>,
    /// TCP_CONGESTION.
    pub congestion: CongestionName,
    /// The byte that it sends as urgent (MSG_OOB).
    pub urgent_at: Option<u64>,
    /// It reads the other's where that stands (SO_OOBINLINE), not by itself.
    pub urgent_inline: bool,
}

/// Datagrams over UDP.
#[derive(Clone, Copy, Debug)]
pub struct DatagramPlan {
    /// From and to which host.
    pub ends: [usize; 2],
    /// By which family.
    pub family: Family,
    /// When the first is sent.
    pub begins: Instant,
    /// How many.
    pub count: u32,
    /// Bytes of each, 8 at least.
    pub bytes: usize,
    /// The time between two.
    pub pause: Duration,
    /// The receiver sends each back.
    pub echoed: bool,
}

/// Something that happens to a part of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A wire is cut, in one direction or both.
    Cut {
        /// Which.
        wire: usize,
        /// There, and back.
        ways: [bool; 2],
    },
    /// It is whole again.
    Mend(usize),
    /// A host is switched off.
    Off(usize),
    /// It is switched on, and knows nothing.
    On(usize),
}

/// How long the shortest and the longest time of trouble last.
const TROUBLE: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(15)];

/// The least time-out of a retransmission, round trips apart (RFC 6298 §2.4, as Linux has it).
const RTO_FLOOR: Duration = ms(200);

/// What hosts do with data on SYNs: only clients send it, servers take it from who has a cookie, or from everybody.
const FAST_OPEN: [u32; 3] = [0x1, 0x1 | 0x2 | 0x400, 0x1 | 0x2 | 0x4 | 0x200 | 0x400];

/// IPv6's least MTU (RFC 8200 §5).
pub(super) const IP6_MTU_BYTES_MIN: u32 = 1280;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Plan {
    /// The world of a seed.
    pub fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed);
        let mut hosts: Vec<_> =
            (0..dice.one_of(&[2, 2, 2, 2, 3, 4])).map(|_| HostPlan::new(&mut dice)).collect();
        let pairs = (0..hosts.len()).flat_map(|one| (0..one).map(move |other| [other, one]));
        let wires: Vec<_> = pairs.map(|ends| WirePlan::new(&mut dice, ends)).collect();
        let calm_at = Instant::ZERO + dice.between(TROUBLE[0], TROUBLE[1]);
        let streams = 1 + dice.below(5);
        let mut streams: Vec<_> = (0..streams).map(|_| StreamPlan::new(&mut dice, &wires, calm_at)).collect();
        let datagrams = dice.below(4);
        let datagrams = (0..datagrams).map(|_| DatagramPlan::new(&mut dice, &wires, calm_at)).collect();
        let troubles = troubles(&mut dice, hosts.len(), wires.len(), calm_at);
        // Last, so that all else stays what it was for a seed that failed once.
        hosts.iter_mut().for_each(|host| host.fast_open = dice.one_of(&FAST_OPEN));
        streams.iter_mut().for_each(|stream| stream.grow_rarer_traits(&mut dice));
        Plan { hosts, wires, streams, datagrams, troubles, calm_at }
    }

    /// How long it takes when nothing goes wrong: all pauses, windows that are waited for, and the bytes at the slowest rate,
    /// several times, since what was under way to a host that is switched off is sent again.
    pub(super) fn takes(&self) -> Duration {
        let latency =
            self.wires.iter().flat_map(|wire| wire.ways).map(|way| way.latency).max().unwrap_or_default();
        let wait = RTO_FLOOR + 4 * latency;
        let sides = self
            .streams
            .iter()
            .flat_map(|stream| [(stream.sides[0], stream.sides[1]), (stream.sides[1], stream.sides[0])]);
        let pauses = sides
            .map(|(side, other)| 2 * side.takes(other.bytes) + wait * side.windows(other.bytes))
            .sum::<Duration>();
        let bytes: u64 = self.streams.iter().flat_map(|stream| stream.sides).map(|side| side.bytes).sum();
        let rates = self.wires.iter().flat_map(|wire| wire.ways).filter_map(|way| way.bytes_per_second);
        let slowest = rates.min().map_or(u64::MAX, NonZeroU64::get);
        pauses + Duration::from_secs(4 * bytes / slowest)
    }

    /// The wire between two hosts.
    pub(super) fn wire_between(&self, ends: [usize; 2]) -> Option<usize> {
        self.wires.iter().position(|wire| wire.ends == ends || wire.ends == [ends[1], ends[0]])
    }
}

impl HostPlan {
    fn new(dice: &mut Dice) -> HostPlan {
        HostPlan {
            timestamps: dice.percent(75),
            sack: dice.percent(80),
            ecn: dice.one_of(&[EcnMode::Off, EcnMode::Accept, EcnMode::Offer]),
            fast_open: FAST_OPEN[0],
        }
    }
}

impl WirePlan {
    fn new(dice: &mut Dice, ends: [usize; 2]) -> WirePlan {
        let way = WayPlan::new(dice);
        let back = if dice.percent(70) { way } else { WayPlan::new(dice) };
        let mut wire = WirePlan {
            ends,
            mtu_bytes: dice.one_of(&[576, 1280, 1500, 1500, 1500, 9000]),
            ethernet: dice.percent(25),
            offloads: dice.percent(50),
            ways: [way, back],
        };
        if wire.ethernet {
            // Every frame of Ethernet has a checksum of its own; ARP relies on it.
            wire.ways.iter_mut().for_each(|way| way.faults.corrupt_ppm = 0);
            // Three questions for a neighbour are asked, a second each (RFC 4861 §10): no queue may take longer, or drop
            // them one after the other.
            for way in &mut wire.ways {
                way.red = false;
                let half_a_second = way.bytes_per_second.map_or(u64::MAX, |rate| rate.get() / 2);
                way.queue_bytes = way.queue_bytes.min(usize::try_from(half_a_second).unwrap_or(usize::MAX));
            }
        }
        // A queue of one frame loses the second of each two, for ever: without timestamps that crawls, rightly.
        let frame_bytes = usize::try_from(wire.mtu_bytes).unwrap_or(usize::MAX / 8);
        for way in &mut wire.ways {
            way.queue_bytes = way.queue_bytes.max(4 * frame_bytes);
        }
        wire
    }
}

impl WayPlan {
    fn new(dice: &mut Dice) -> WayPlan {
        let is_good = dice.percent(20);
        let mut likely = |choices: &[u32]| if is_good { 0 } else { dice.one_of(choices) };
        let faults = Faults {
            lose_ppm: likely(&[0, 0, 1000, 10_000, 30_000, 100_000, 300_000]),
            duplicate_ppm: likely(&[0, 0, 0, 1000, 10_000, 100_000]),
            reorder_ppm: likely(&[0, 0, 0, 1000, 30_000, 200_000]),
            corrupt_ppm: likely(&[0, 0, 0, 0, 1000, 30_000]),
            reorder_delay: ms(likely(&[1, 10, 100]).into()),
            jitter: ms(likely(&[0, 0, 0, 1, 20]).into()),
        };
        let bursts = (!is_good && dice.percent(20)).then(|| {
            (
                dice.one_of(&[1000, 10_000]),
                dice.one_of(&[30_000, 300_000]),
                dice.one_of(&[500_000, 1_000_000]),
            )
        });
        WayPlan {
            latency: Duration::from_micros(dice.one_of(&[10, 500, 5_000, 5_000, 20_000, 100_000])),
            bytes_per_second: NonZeroU64::new(dice.one_of(&[0, 50_000, 1_250_000, 12_500_000])),
            queue_bytes: dice.one_of(&[10_000, 50_000, 500_000]),
            red: dice.percent(25),
            bursts,
            faults,
        }
    }
}

/// Two hosts and how they can talk, with the MTU between them.
fn talkers(dice: &mut Dice, wires: &[WirePlan]) -> ([usize; 2], Family, u32) {
    let wire = &wires[dice.index(wires.len())];
    let [one, other] = wire.ends;
    let ends = if dice.percent(50) { [one, other] } else { [other, one] };
    let families: &[_] = if wire.mtu_bytes < IP6_MTU_BYTES_MIN {
        &[Family::Ip4, Family::Mapped]
    } else {
        &[Family::Ip4, Family::Ip6, Family::Ip6, Family::Mapped]
    };
    (ends, dice.one_of(families), wire.mtu_bytes)
}

impl StreamPlan {
    fn new(dice: &mut Dice, wires: &[WirePlan], calm_at: Instant) -> StreamPlan {
        let (ends, family, _) = talkers(dice, wires);
        let mut sides = [SidePlan::new(dice), SidePlan::new(dice)];
        // Who is the first to close may do so early only when nothing comes back.
        for at in [0, 1] {
            sides[at].closes_early &= sides[1 - at].bytes == 0;
        }
        StreamPlan { ends, family, begins: dice.before(calm_at), fast_open: false, sides }
    }

    /// Data on the SYN, and urgent data.
    fn grow_rarer_traits(&mut self, dice: &mut Dice) {
        for side in &mut self.sides {
            side.urgent_at = (side.bytes > 0 && dice.percent(15)).then(|| dice.below(side.bytes));
            side.urgent_inline = dice.percent(50);
        }
        let [client, _] = &self.sides;
        self.fast_open = dice.percent(25) && client.bytes > 0 && client.urgent_at != Some(0);
    }
}

impl SidePlan {
    fn new(dice: &mut Dice) -> SidePlan {
        let chunk_bytes =
            [[10, 1000, 8192, 65_536], [100, 4096, 65_536, 65_536]].map(|sizes| dice.one_of(&sizes));
        let most = dice.one_of(&[0, 1, 1460, 10_000, 30_000, 100_000]);
        // Small pieces of much would take long to tell.
        let most = if chunk_bytes[0] < 100 { most.min(2000) } else { most };
        SidePlan {
            bytes: most + if most > 1 { dice.below(3000) } else { 0 },
            doors: dice.one_of(&[Doors::Copying, Doors::InPlace]),
            chunk_bytes,
            pause: [[0, 0, 0, 1, 30], [0, 0, 0, 2, 50]].map(|pauses| ms(dice.one_of(&pauses))),
            reads_after: ms(dice.one_of(&[0, 0, 0, 300, 5000])),
            breaks_after: dice.percent(8).then(|| dice.below(30_000)),
            closes_early: dice.percent(50),
            no_delay: dice.percent(50),
            buffers: [
                dice.one_of(&[None, None, Some(1000), Some(8000), Some(200_000)]),
                dice.one_of(&[None, None, Some(1000), Some(8000), Some(200_000)]),
            ],
            mss: dice.percent(10).then(|| dice.one_of(&[88, 536, 1000])),
            congestion: dice.one_of(&CongestionName::ALL),
            urgent_at: None,
            urgent_inline: false,
        }
    }
}

impl SidePlan {
    /// The pauses of its writes and of its reads.
    fn takes(&self, awaited: u64) -> Duration {
        let calls = |bytes: u64, chunk: usize| {
            let chunk = u64::try_from(chunk).unwrap_or(u64::MAX).max(1);
            u32::try_from(bytes.div_ceil(chunk)).unwrap_or(u32::MAX)
        };
        let [write, read] = self.chunk_bytes;
        self.reads_after + self.pause[0] * calls(self.bytes, write) + self.pause[1] * calls(awaited, read)
    }

    /// How many windows of a small buffer `awaited` bytes take. One that stays a byte smaller than a segment, and than half of
    /// the largest, is used only when a time-out is over (RFC 9293 §3.8.6.2.1 rule 4).
    fn windows(&self, awaited: u64) -> u32 {
        let window = self.buffers[1].map_or(u64::MAX, |bytes| u64::from(bytes.unsigned_abs() / 2).max(1));
        u32::try_from(awaited.div_ceil(window)).unwrap_or(u32::MAX)
    }
}

impl DatagramPlan {
    fn new(dice: &mut Dice, wires: &[WirePlan], calm_at: Instant) -> DatagramPlan {
        let (ends, family, mtu_bytes) = talkers(dice, wires);
        let corrupts = wires.iter().any(|wire| wire.ways.iter().any(|way| way.faults.corrupt_ppm > 0));
        // Two flipped bits in two fragments of one datagram can hide each other from its checksum: where bits are
        // flipped, each datagram is one frame.
        let whole = usize::try_from(mtu_bytes).unwrap_or(576) - 48;
        let bytes = dice.one_of(&[8, 100, 1000, whole, 3000, 20_000]);
        DatagramPlan {
            ends,
            family,
            begins: dice.before(calm_at),
            count: dice.one_of(&[1, 5, 20]),
            bytes: if corrupts { bytes.min(whole) } else { bytes },
            pause: ms(dice.one_of(&[0, 1, 50, 700])),
            echoed: dice.percent(50),
        }
    }
}

/// What goes wrong, and when: each wire is cut, and each host switched off, once at most.
fn troubles(dice: &mut Dice, hosts: usize, wires: usize, calm_at: Instant) -> Vec<(Instant, Trouble)> {
    let mut troubles = Vec::new();
    let mut span = |dice: &mut Dice, begin: Trouble, end: Trouble| {
        let mut times = [dice.before(calm_at), dice.before(calm_at)];
        times.sort_unstable();
        troubles.push((times[0], begin));
        troubles.push((times[1], end));
    };
    for wire in 0..wires {
        if dice.percent(25) {
            let ways = dice.one_of(&[[true, true], [true, false], [false, true]]);
            span(dice, Trouble::Cut { wire, ways }, Trouble::Mend(wire));
        }
    }
    for host in 0..hosts {
        if dice.percent(12) {
            span(dice, Trouble::Off(host), Trouble::On(host));
        }
    }
    // A stable sort: what begins and ends at once does so in this order.
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().enumerate() {
            let HostPlan { timestamps, sack, ecn, fast_open } = host;
            writeln!(
                f,
                "host {number}: timestamps {timestamps}, sack {sack}, ecn {ecn:?}, fast open {fast_open:#x}"
            )?;
        }
        for (number, wire) in self.wires.iter().enumerate() {
            let WirePlan { ends: [one, other], mtu_bytes, ethernet, offloads, ways } = wire;
            let medium = if *ethernet { "Ethernet" } else { "IP" };
            writeln!(f, "wire {number}: {one} - {other}, {medium}, mtu {mtu_bytes}, offloads {offloads}")?;
            writeln!(f, "  {one} > {other}: {}", ways[0])?;
            writeln!(f, "  {other} > {one}: {}", ways[1])?;
        }
        for (number, stream) in self.streams.iter().enumerate() {
            let StreamPlan { ends: [client, server], family, begins, fast_open, sides } = stream;
            let with_data = if *fast_open { ", data on its SYN" } else { "" };
            writeln!(
                f,
                "stream {number}: {client} > {server}, {family:?}, at {}{with_data}",
                Seconds(*begins)
            )?;
            for (host, side) in stream.ends.iter().zip(sides) {
                writeln!(f, "  {host}: {side}")?;
            }
        }
        for (number, datagrams) in self.datagrams.iter().enumerate() {
            let DatagramPlan { ends: [from, to], family, begins, count, bytes, pause, echoed } = datagrams;
            let begins = Seconds(*begins);
            writeln!(
                f,
                "datagrams {number}: {from} > {to}, {family:?}, at {begins}, {count} of {bytes} bytes every {pause:?}, \
                 echoed {echoed}"
            )?;
        }
        for (at, trouble) in &self.troubles {
            writeln!(f, "at {}: {trouble:?}", Seconds(*at))?;
        }
        writeln!(f, "at {}: all is well", Seconds(self.calm_at))
    }
}

impl fmt::Display for WayPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WayPlan { latency, bytes_per_second, queue_bytes, red, bursts, faults } = self;
        write!(f, "{latency:?}")?;
        if let Some(rate) = bytes_per_second {
            let early = if *red { ", RED" } else { "" };
            write!(f, ", {rate} bytes/s with a queue of {queue_bytes}{early}")?;
        }
        if let Some((begin, end, lose)) = bursts {
            write!(f, ", bursts {begin}/{end}/{lose} ppm")?;
        }
        let Faults { lose_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm, reorder_delay, jitter } = faults;
        for (name, ppm) in [("loses", lose_ppm), ("doubles", duplicate_ppm), ("corrupts", corrupt_ppm)] {
            if *ppm > 0 {
                write!(f, ", {name} {ppm} ppm")?;
            }
        }
        if *reorder_ppm > 0 {
            write!(f, ", reorders {reorder_ppm} ppm by {reorder_delay:?}")?;
        }
        if !jitter.is_zero() {
            write!(f, ", jitter {jitter:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SidePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SidePlan { bytes, doors, chunk_bytes, pause, reads_after, .. } = self;
        write!(f, "{bytes} bytes, {doors:?}, by {chunk_bytes:?} every {pause:?}")?;
        if !reads_after.is_zero() {
            write!(f, ", reads after {reads_after:?}")?;
        }
        if let Some(after) = self.breaks_after {
            write!(f, ", breaks off after {after}")?;
        }
        if let Some(at) = self.urgent_at {
            write!(f, ", byte {at} urgent")?;
        }
        for (is_so, name) in [
            (self.closes_early, "closes early"),
            (self.no_delay, "no delay"),
            (self.urgent_inline, "urgent inline"),
        ] {
            if is_so {
                write!(f, ", {name}")?;
            }
        }
        for (name, value) in [("sndbuf", self.buffers[0]), ("rcvbuf", self.buffers[1]), ("maxseg", self.mss)]
        {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        write!(f, ", {}", self.congestion.as_str())
    }
}

/// A moment as people read it.
struct Seconds(Instant);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.micros();
        write!(f, "{}.{:06} s", us / 1_000_000, us % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_over_before_the_calm_and_every_talk_has_a_wire() {
        for seed in 0..500 {
            let plan = Plan::new(seed);
            assert!(plan.troubles.iter().all(|(at, _)| *at < plan.calm_at));
            assert!(plan.troubles.is_sorted_by_key(|(at, _)| *at));
            for stream in &plan.streams {
                let wire = &plan.wires[plan.wire_between(stream.ends).unwrap()];
                assert!(stream.family != Family::Ip6 || wire.mtu_bytes >= IP6_MTU_BYTES_MIN);
            }
            assert_eq!(plan.to_string(), Plan::new(seed).to_string());
        }
    }
}
