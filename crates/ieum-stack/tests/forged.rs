//! Forged segments, random calls and faults, by seed: every invariant holds after each step, and once everybody has
//! closed, nothing is left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_stack::{ConnectionId, Event, Keepalive, ListenerId, Refusal, TcpSettings};
use ieum_wire::{ChecksumState, Packet, Protocol, ip4, tcp};
use tcp_pair::{Pair, pattern};

/// Seeds tried on every run; more with `IEUM_SEEDS=FROM..TO`.
const SEEDS: std::ops::Range<u64> = 0..300;
const STEPS: usize = 120;

/// A small generator (xorshift): what it draws depends on the seed alone.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn size(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    fn small(&mut self, limit: u32) -> u32 {
        u32::try_from(self.below(limit.into())).unwrap()
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Two ends, the connections they hold, and the dice.
struct Play {
    pair: Pair,
    dice: Dice,
    listener: ListenerId,
    held: [Vec<ConnectionId>; 2],
    data: Vec<u8>,
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut dice = Dice::new(seed);
        let mut pair = Pair::new(dice.one_in(2));
        let listener = pair.listen(1, 80, 3, dice.one_in(4));
        let client = pair.connect(0, 80);
        Play { pair, dice, listener, held: [vec![client], vec![]], data: pattern(300_000) }
    }

    fn step(&mut self) {
        let end = self.dice.size(2);
        let id = self.held[end].last().copied();
        match (self.dice.below(12), id) {
            (0, _) => self.held[1].extend(self.pair.ends[1].stack.tcp_accept(self.listener)),
            (1, Some(id)) => {
                let count = self.dice.size(self.data.len());
                self.pair.send(end, id, &self.data[..count]);
            }
            (2, Some(id)) => {
                let mut into = vec![0; self.dice.size(100_000)];
                let now = self.pair.now;
                self.pair.ends[end].stack.tcp_recv(now, id, &mut into, false);
            }
            (3, Some(id)) => self.change(end, id),
            (4, _) => {
                let time = Duration::from_micros(self.dice.below(3_000_000));
                self.pair.run(time);
            }
            (5, _) => {
                let (of_five, mut dice) = (self.dice.below(5), Dice::new(self.dice.below(1000)));
                self.pair.lose = Box::new(move |_, _| dice.below(5) < of_five);
            }
            (6, _) => self.pair.run(Duration::from_millis(2)),
            (7, _) if self.dice.one_in(4) => {
                let client = self.pair.connect(0, 80);
                self.held[0].push(client);
            }
            (8, _) => self.answer_requests(),
            (9.., _) => self.forge(),
            _ => {}
        }
        for end in &self.pair.ends {
            end.stack.check();
        }
    }

    fn change(&mut self, end: usize, id: ConnectionId) {
        let now = self.pair.now;
        let stack = &mut self.pair.ends[end].stack;
        let dice = &mut self.dice;
        match dice.below(6) {
            0 => stack.tcp_finish(now, id),
            1 => {
                stack.tcp_close(now, id);
                self.held[end].pop();
            }
            2 if dice.one_in(3) => {
                stack.tcp_abort(now, id);
                self.held[end].pop();
            }
            _ => {
                let keepalive = Keepalive {
                    idle: Duration::from_secs(dice.below(3)),
                    interval: Duration::from_millis(1 + dice.below(3000)),
                    probes: dice.small(5),
                };
                let settings = TcpSettings {
                    no_delay: dice.one_in(2),
                    cork: dice.one_in(3),
                    send_buffer_bytes: dice.small(100_000),
                    recv_buffer_bytes: dice.small(2_000_000),
                    keepalive: dice.one_in(2).then_some(keepalive),
                    user_timeout: dice.one_in(4).then(|| Duration::from_millis(dice.below(5000))),
                    ..TcpSettings::default()
                };
                stack.tcp_configure(now, id, settings);
            }
        }
    }

    fn answer_requests(&mut self) {
        for event in std::mem::take(&mut self.pair.ends[1].events) {
            let Event::Request(id) = event else { continue };
            let stack = &mut self.pair.ends[1].stack;
            match self.dice.below(3) {
                0 => stack.tcp_accept_request(id),
                1 => stack.tcp_refuse_request(id, Refusal::Reset),
                _ => stack.tcp_refuse_request(id, Refusal::Silence),
            }
        }
    }

    /// One of the last segments, with everything in it changed a little or much, goes in once more.
    fn forge(&mut self) {
        let recent = self.pair.crossed.len().min(20);
        if recent == 0 {
            return;
        }
        let dice = &mut self.dice;
        let (_, from, original) = &self.pair.crossed[self.pair.crossed.len() - 1 - dice.size(recent)];
        let from = *from;
        let ip = ip4::Header::parse(original.bytes()).unwrap().header;
        let (mut header, _) = tcp_pair::segment(original);
        header.seq += jitter(dice);
        header.ack += jitter(dice);
        header.flags = tcp::Flags {
            fin: dice.one_in(4),
            syn: dice.one_in(8),
            rst: dice.one_in(12),
            psh: false,
            ack: !dice.one_in(8),
            urg: dice.one_in(8),
            ece: false,
            cwr: false,
            ae: false,
        };
        header.window = u16::try_from([0, dice.below(100), dice.below(65_536)][dice.size(3)]).unwrap();
        if dice.one_in(4) {
            header.options = tcp::Options::default();
        }
        let count = [0, dice.size(20), dice.size(60_000)][dice.size(3)];
        let packet = packet(&ip, &header, &self.data[..count]);
        self.pair.inject(1 - from, packet);
    }

    /// Everybody closes and nothing is lost any more: in two hours nothing is left to wait for.
    fn end(mut self) -> Result<(), String> {
        self.pair.lose = Box::new(|_, _| false);
        let now = self.pair.now;
        self.pair.ends[1].stack.tcp_close_listener(now, self.listener);
        for (end, held) in self.held.iter().enumerate() {
            for id in held {
                self.pair.ends[end].stack.tcp_close(now, *id);
            }
        }
        self.pair.run(Duration::from_secs(7200));
        let left = self.pair.ends.each_ref().map(|end| (end.stack.tcp_unfinished(), end.stack.deadline()));
        if left == [(0, None), (0, None)] { Ok(()) } else { Err(format!("left behind: {left:?}")) }
    }
}

fn jitter(dice: &mut Dice) -> u32 {
    let near = dice.small(70_000);
    [0, dice.small(3), near, near.wrapping_neg(), dice.small(u32::MAX)][dice.size(5)]
}

fn packet(ip: &ip4::Header, header: &tcp::Header, data: &[u8]) -> Packet {
    let mut bytes = [0; tcp::HEADER_BYTES_MAX];
    let length = header.emit(&mut bytes);
    let total = u16::try_from(ip4::HEADER_BYTES + length + data.len()).unwrap();
    let mut packet = Packet::new();
    packet.extend(&ip4::Header { protocol: Protocol::Tcp, ..*ip }.emit(total));
    packet.extend(&bytes[..length]);
    packet.extend(data);
    packet.checksum = ChecksumState::Deferred;
    packet
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("IEUM_SEEDS") else { return SEEDS };
    let (from, to) = range.split_once("..").expect("IEUM_SEEDS is FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn whatever_is_forged_the_stack_stays_whole_and_nothing_is_left() {
    for seed in seeds() {
        let play = std::panic::catch_unwind(|| {
            let mut play = Play::new(seed);
            (0..STEPS).for_each(|_| play.step());
            play.end()
        });
        match play {
            Ok(Ok(())) => {}
            Ok(Err(left)) => panic!("seed {seed}: {left}"),
            Err(_) => panic!("seed {seed}: see the panic above"),
        }
    }
}

#[test]
fn a_segment_for_nobody_is_reset_and_counted() {
    let mut pair = Pair::new(true);
    let ip = ip4::Header {
        source: [10, 77, 0, 1].into(),
        destination: [10, 77, 0, 2].into(),
        protocol: Protocol::Tcp,
        ttl: 64,
        tos: 0,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset_bytes: 0,
    };
    let header = tcp::Header {
        source_port: 1,
        destination_port: 2,
        seq: ieum_wire::SeqNumber::new(7),
        ack: ieum_wire::SeqNumber::new(9),
        flags: tcp::Flags::ACK,
        window: 0,
        urgent: 0,
        options: tcp::Options::default(),
    };
    pair.inject(1, packet(&ip, &header, b""));
    let (reset, _) = pair.segments(1)[0];
    assert!(reset.flags.rst && reset.seq == header.ack);
    assert_eq!(pair.ends[1].stack.drops(), [("tcp no connection", 1)]);
    let local = SocketAddr::new(IpAddr::from(ip.destination), 2);
    assert_eq!(local.port(), reset.source_port);
}
