//! Two hosts that talk, and an adversary on the wire between them.
//!
//! Both sides write bytes that know their place, read, finish and wait; the input says what becomes of each frame: it
//! arrives now or later, twice or never, marked by ECN, or with a lie in its TCP header (numbers acknowledged, windows,
//! SACK blocks, timestamps; nothing that would change what the payload is or where it belongs).
//!
//! What must hold: every invariant after each step; what is read is always a beginning of what was written; and where
//! nobody lied, once the adversary is gone everything written arrives.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ieum_socket::{How, SocketId};
use ieum_wire::{ChecksumState, Instant, Packet, Protocol, segmentation};

use crate::ends::{End, PEER_4, PEER_6, STREAM, VICTIM_4, VICTIM_6};

/// One thing that happens; `side` and `from` are ends by their number.
#[derive(Arbitrary, Debug)]
enum Step {
    Write {
        side: bool,
        count: u16,
    },
    Read {
        side: bool,
        count: u16,
    },
    Finish {
        side: bool,
    },
    /// A frame under way arrives: the first, or a later one before it.
    Pass {
        from: bool,
        at: u8,
    },
    Lose {
        from: bool,
        at: u8,
    },
    Copy {
        from: bool,
        at: u8,
    },
    /// Congestion is experienced (RFC 3168 §5).
    Mark {
        from: bool,
        at: u8,
    },
    Lie {
        from: bool,
        at: u8,
        byte: u8,
        xor: u8,
    },
    /// All that is under way arrives.
    PassAll,
    Wait {
        milliseconds: u16,
    },
    Option {
        side: bool,
        which: u8,
        value: u8,
    },
}

/// Steps of one input beyond which nothing new is learnt.
const STEPS_MAX: usize = 400;

/// How long the adversary may keep the ends waiting: shorter than anybody would wait before giving up.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How long everything written may take to arrive once nobody hinders it: time-outs back off to two minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Frames under way in one direction beyond which the adversary loses those that come.
const UNDER_WAY_MAX: usize = 512;

const PORT: u16 = 80;

/// Runs one input to its end.
///
/// # Panics
///
/// When an invariant breaks, or what is read is not what was written: that is what a fuzzer looks for.
pub fn adversary(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok(six) = bool::arbitrary(&mut input) else { return };
    let mut scene = Scene::new(six);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        scene.step(&step);
        scene.collect();
        scene.check();
    }
    scene.end();
}

/// One side: its host, its end of the connection, and how far it came.
struct Side {
    end: End,
    socket: Option<SocketId>,
    listener: Option<SocketId>,
    written: usize,
    read: usize,
    /// What it sent that has not arrived or been lost.
    under_way: VecDeque<Packet>,
}

struct Scene {
    now: Instant,
    sides: [Side; 2],
    waited: Duration,
    lied: bool,
}

/// The byte at a place in what a side writes.
fn byte_at(side: usize, place: usize) -> u8 {
    let [low, middle, ..] = (place.wrapping_mul(0x9e37) ^ (place >> 8) ^ side).to_le_bytes();
    low ^ middle
}

impl Side {
    fn new(end: End) -> Side {
        Side { end, socket: None, listener: None, written: 0, read: 0, under_way: VecDeque::new() }
    }
}

impl Scene {
    fn new(six: bool) -> Scene {
        let mut client = Side::new(End::new(1, PEER_4, PEER_6));
        let mut server = Side::new(End::new(2, VICTIM_4, VICTIM_6));
        let now = Instant::from_micros(1_000_000);
        let address = if six { IpAddr::from(VICTIM_6) } else { IpAddr::from(VICTIM_4) };
        let listener = server.end.open(six, STREAM);
        server.end.host.bind(listener, SocketAddr::new(address, PORT)).expect("the port is free");
        server.end.host.listen(listener, 4).expect("it is bound");
        server.listener = Some(listener);
        let socket = client.end.open(six, STREAM);
        client
            .end
            .host
            .connect(now, socket, Some(SocketAddr::new(address, PORT)))
            .expect("a route leads there");
        client.socket = Some(socket);
        let mut scene = Scene { now, sides: [client, server], waited: Duration::ZERO, lied: false };
        scene.collect();
        scene
    }

    fn check(&self) {
        for side in &self.sides {
            side.end.host.check();
            side.end.host.stack().check();
        }
    }

    /// What the hosts have to say goes under way; who was connected to is accepted.
    fn collect(&mut self) {
        for side in &mut self.sides {
            for packet in side.end.poll(self.now) {
                // An adversary sees frames of the wire's size.
                segmentation::cut(&packet, |frame| {
                    if side.under_way.len() < UNDER_WAY_MAX {
                        side.under_way.push_back(frame);
                    }
                });
            }
            if let (None, Some(listener)) = (side.socket, side.listener) {
                side.socket = side.end.host.accept(listener).ok().map(|(id, _)| id);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write { side, count } => self.write(side.into(), count.into()),
            Step::Read { side, count } => self.read(side.into(), count.into()),
            Step::Finish { side } => self.finish(side.into()),
            Step::Pass { from, at } => {
                if let Some(frame) = self.take(from.into(), at) {
                    self.give(from.into(), frame);
                }
            }
            Step::Lose { from, at } => drop(self.take(from.into(), at)),
            Step::Copy { from, at } => {
                if let Some(frame) = self.frame(from.into(), at).map(|frame| frame.clone()) {
                    self.give(from.into(), frame);
                }
            }
            Step::Mark { from, at } => {
                if let Some(frame) = self.frame(from.into(), at) {
                    ieum_lab::chain::mark::congestion(frame);
                }
            }
            Step::Lie { from, at, byte, xor } => self.lie(from.into(), at, byte, xor),
            Step::PassAll => self.pass_all(),
            Step::Wait { milliseconds } => self.wait(Duration::from_millis(milliseconds.into())),
            Step::Option { side, which, value } => self.option(side.into(), which, value),
        }
    }

    fn write(&mut self, side: usize, count: usize) {
        let (now, side_number) = (self.now, side);
        let side = &mut self.sides[side];
        let Some(socket) = side.socket else { return };
        let bytes: Vec<u8> =
            (side.written..side.written + count).map(|place| byte_at(side_number, place)).collect();
        if let Ok(taken) = side.end.host.send(now, socket, &bytes) {
            side.written += taken;
        }
    }

    fn read(&mut self, side: usize, count: usize) {
        let now = self.now;
        let from = 1 - side;
        let written = self.sides[from].written;
        let side = &mut self.sides[side];
        let Some(socket) = side.socket else { return };
        let mut into = vec![0; count];
        let Ok(taken) = side.end.host.recv(now, socket, &mut into, false) else { return };
        for byte in &into[..taken] {
            assert!(side.read < written, "more is read than was written");
            assert_eq!(*byte, byte_at(from, side.read), "the byte at {} of what was written", side.read);
            side.read += 1;
        }
    }

    fn finish(&mut self, side: usize) {
        // Who finishes while it connects gives up connecting, as on Linux.
        if self.sides.iter().any(|side| side.socket.is_none()) {
            return;
        }
        if let Some(socket) = self.sides[side].socket {
            let _ = self.sides[side].end.host.shutdown(self.now, socket, How::Write);
        }
    }

    fn frame(&mut self, from: usize, at: u8) -> Option<&mut Packet> {
        let under_way = &mut self.sides[from].under_way;
        let count = under_way.len();
        under_way.get_mut(usize::from(at) % count.max(1))
    }

    fn take(&mut self, from: usize, at: u8) -> Option<Packet> {
        let under_way = &mut self.sides[from].under_way;
        let count = under_way.len();
        under_way.remove(usize::from(at) % count.max(1))
    }

    fn give(&mut self, from: usize, frame: Packet) {
        let end = &mut self.sides[1 - from].end;
        end.host.on_frame(self.now, end.link, frame);
    }

    fn pass_all(&mut self) {
        for from in 0..2 {
            for frame in std::mem::take(&mut self.sides[from].under_way) {
                self.give(from, frame);
            }
        }
    }

    /// Changes a byte of the TCP header, and mends the checksum.
    fn lie(&mut self, from: usize, at: u8, byte: u8, xor: u8) {
        let Some(frame) = self.frame(from, at) else { return };
        let Ok(parsed) = ieum_wire::ip::parse(frame.bytes()) else { return };
        let (begins, ends) = (parsed.header_bytes, parsed.total_bytes);
        if parsed.header.protocol != Protocol::Tcp || ends < begins + 20 {
            return;
        }
        let header_bytes = usize::from(frame.bytes()[begins + 12] >> 4) * 4;
        // From the number acknowledged on; ports and the sequence number say where the payload belongs.
        let place = 8 + usize::from(byte) % header_bytes.saturating_sub(8).max(1);
        let lie = match place {
            // The data offset says what the payload is; reserved bits say nothing yet.
            12 => return,
            // SYN moves the payload, and URG takes a byte out of it.
            13 => xor & !0x22,
            _ => xor,
        };
        if let Some(told) = frame.bytes_mut().get_mut(begins + place) {
            *told ^= lie;
        }
        frame.checksum = ChecksumState::Deferred;
        segmentation::finish_checksum(frame);
        self.lied = true;
    }

    fn wait(&mut self, time: Duration) {
        let time = time.min(WAIT_MAX.saturating_sub(self.waited));
        self.waited += time;
        let until = self.now + time;
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            self.pass_time(next);
        }
        self.pass_time(until);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.sides.iter().filter_map(|side| side.end.host.deadline()).min()
    }

    fn pass_time(&mut self, to: Instant) {
        self.now = self.now.max(to);
        for side in &mut self.sides {
            side.end.host.on_deadline(self.now);
        }
        self.collect();
    }

    /// Options that change how segments are made, and none that makes a side give up sooner.
    fn option(&mut self, side: usize, which: u8, value: u8) {
        const SOL_SOCKET: i32 = 1;
        const SO_SNDBUF: i32 = 7;
        const SO_RCVBUF: i32 = 8;
        const TCP: i32 = 6;
        const NODELAY: i32 = 1;
        const CORK: i32 = 3;
        let (name, value) = match which % 4 {
            0 => ((TCP, NODELAY), i32::from(value & 1)),
            1 => ((TCP, CORK), i32::from(value & 1)),
            2 => ((SOL_SOCKET, SO_RCVBUF), i32::from(value) << 9),
            _ => ((SOL_SOCKET, SO_SNDBUF), i32::from(value) << 9),
        };
        if let Some(socket) = self.sides[side].socket {
            let _ =
                self.sides[side].end.host.set_option(self.now, socket, name.0, name.1, &value.to_ne_bytes());
        }
    }

    /// The adversary is gone. Where nobody lied, what was written arrives; then all sockets are closed.
    fn end(mut self) {
        let until = self.now + PATIENCE;
        while !self.lied && !self.is_complete() {
            self.pass_all();
            self.collect();
            for side in 0..2 {
                self.finish(side);
                self.read(side, 1 << 20);
            }
            self.collect();
            if self.sides.iter().all(|side| side.under_way.is_empty()) && !self.is_complete() {
                let next = self.next_deadline();
                assert!(next.is_some_and(|next| next <= until), "what was written arrives");
                self.pass_time(next.unwrap_or(until));
            }
            self.check();
        }
        for side in &mut self.sides {
            for id in side.socket.take().into_iter().chain(side.listener.take()) {
                side.end.host.close(self.now, id);
            }
        }
        self.collect();
        self.check();
    }

    fn is_complete(&self) -> bool {
        self.sides.iter().all(|side| side.socket.is_some())
            && self.sides[0].read == self.sides[1].written
            && self.sides[1].read == self.sides[0].written
    }
}
