//! Segments against a live connection.
//!
//! The victim's program writes and reads; its peer is the input, which knows the numbers of the connection as a peer
//! does: it acknowledges any part of what is in flight, once or again, selectively or with blocks that lie, echoes
//! timestamps of now or of before, opens and closes its window, says that congestion was experienced, sends data in and
//! out of order, again and overlapping, finishes, resets; and it says all that a little or far off, too.
//!
//! What must hold: every invariant after each step; each byte that the victim sends is the one that belongs at its
//! place and lies inside the window that was offered; each byte that it reads is the one that was sent for that place;
//! a window once promised is not taken back. After the last step the connection ends by itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ieum_socket::{How, SocketId};
use ieum_wire::{Instant, Packet, Protocol, SeqNumber, WindowScale, tcp};

use crate::ends::{End, PEER_4, PEER_6, STREAM, VICTIM_4, VICTIM_6, packet};

/// How the connection is made.
#[derive(Arbitrary, Debug)]
struct Opening {
    six: bool,
    mss: u16,
    window_scale: Option<u8>,
    sack: bool,
    timestamps: bool,
    ecn: bool,
    reno: bool,
    window: u16,
}

/// One thing that happens.
#[derive(Arbitrary, Debug)]
enum Step {
    /// An acknowledgement of a part of what is in flight, in 255ths, perhaps with blocks of it.
    Ack {
        upto: u8,
        blocks: [Option<(u8, u8)>; 3],
        window: Option<u16>,
        echo: Echo,
        ece: bool,
    },
    /// Data at its place, before it or behind it.
    Data {
        from: i16,
        count: u16,
        finish: bool,
        cwr: bool,
    },
    /// A segment that may be off in anything.
    Odd {
        seq: i32,
        ack: i32,
        flags: u8,
        window: u16,
        count: u8,
        block: Option<(i32, u16)>,
        echo: u32,
    },
    Write(u16),
    Read(u16),
    Wait {
        milliseconds: u16,
    },
    /// Until the victim has something to do.
    Deadline,
    Option {
        which: u8,
        value: u16,
    },
    Finish,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Echo {
    Last,
    First,
    None,
}

/// Steps of one input beyond which nothing new is learnt.
const STEPS_MAX: usize = 300;

const PORT: u16 = 80;

/// Where the peer's numbers begin: its bytes cross the end of the numbers soon.
const PEER_BEGINS: u32 = u32::MAX - 20_000;

/// Runs one input to its end.
///
/// # Panics
///
/// When the victim breaks an invariant: that is what a fuzzer looks for.
pub fn segments(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok(opening) = Opening::arbitrary(&mut input) else { return };
    let Some(mut scene) = Scene::new(&opening) else { return };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        scene.step(&step);
        scene.listen();
        scene.check();
    }
    scene.end();
}

/// The byte at a place of a stream.
fn byte_at(place: u32) -> u8 {
    let [low, middle, ..] = place.wrapping_mul(0x9e37_79b1).rotate_left(7).to_le_bytes();
    low ^ middle
}

/// How far a number lies behind the first one of a stream; far behind, where it lies before it.
fn place(number: SeqNumber, first: SeqNumber) -> u32 {
    number.value().wrapping_sub(first.value())
}

struct Scene {
    now: Instant,
    victim: End,
    socket: SocketId,
    six: bool,
    victim_port: u16,
    timestamps: bool,
    scale: u32,
    /// The victim's: where its bytes begin, the first that was not acknowledged, and the end of all that it sent.
    begins: SeqNumber,
    una: SeqNumber,
    sent: SeqNumber,
    written: u32,
    /// The furthest that the peer ever allowed.
    edge: SeqNumber,
    /// The peer's next byte, and how far the victim's program has read.
    next: SeqNumber,
    read: u32,
    /// Timestamps of the victim's: the first and the last one.
    clocks: (u32, u32),
    clock: u32,
    window: u16,
    /// The victim's scale, and the right edge it promised last.
    victim_scale: u32,
    promised: Option<SeqNumber>,
    /// Segments in order that the victim had no memory for, when it said so last.
    squeezed: u64,
}

impl Scene {
    /// The victim connects, and is answered.
    fn new(opening: &Opening) -> Option<Scene> {
        let now = Instant::from_micros(1_000_000);
        let mut victim = End::new(2, VICTIM_4, VICTIM_6);
        let socket = victim.open(opening.six, STREAM);
        if opening.reno {
            victim.host.set_option(now, socket, 6, 13, b"reno").expect("Reno is there");
        }
        let peer = if opening.six { IpAddr::from(PEER_6) } else { IpAddr::from(PEER_4) };
        victim.host.connect(now, socket, Some(SocketAddr::new(peer, PORT))).expect("a route leads there");
        let syn = victim.poll(now).pop()?;
        let (header, _) = parse(&syn)?;
        let clock = header.options.timestamps.map_or(0, |stamps| stamps.value);
        let scale = opening.window_scale.filter(|_| header.options.window_scale.is_some());
        let mut scene = Scene {
            now,
            victim,
            socket,
            six: opening.six,
            victim_port: header.source_port,
            timestamps: opening.timestamps,
            scale: scale.map_or(0, |scale| u32::from(scale.min(14))),
            begins: header.seq + 1,
            una: header.seq + 1,
            sent: header.seq + 1,
            written: 0,
            edge: header.seq + 1 + u32::from(opening.window),
            next: SeqNumber::new(PEER_BEGINS),
            read: 0,
            clocks: (clock, clock),
            clock: 1000,
            window: opening.window,
            victim_scale: 0,
            promised: None,
            squeezed: 0,
        };
        if let (Some(own), Some(_)) = (header.options.window_scale, scale) {
            scene.victim_scale = u32::from(own.shift());
        }
        let mut answer = scene.header(scene.una);
        answer.flags.syn = true;
        answer.flags.ece = opening.ecn;
        answer.options.mss = Some(opening.mss);
        answer.options.sack_permitted = opening.sack;
        answer.options.window_scale = scale.map(WindowScale::announced);
        scene.say(&answer, &[]);
        scene.next += 1;
        scene.listen();
        Some(scene)
    }

    fn check(&self) {
        self.victim.host.check();
        self.victim.host.stack().check();
    }

    /// A segment of the peer's without data, at its next place.
    fn header(&self, ack: SeqNumber) -> tcp::Header {
        tcp::Header {
            source_port: PORT,
            destination_port: self.victim_port,
            seq: self.next,
            ack,
            flags: tcp::Flags::ACK,
            window: self.window,
            urgent: 0,
            options: tcp::Options {
                timestamps: self
                    .timestamps
                    .then_some(tcp::Timestamps { value: self.clock, echo: self.clocks.1 }),
                ..tcp::Options::default()
            },
        }
    }

    fn say(&mut self, header: &tcp::Header, payload: &[u8]) {
        let mut bytes = [0; tcp::HEADER_BYTES_MAX];
        let length = header.emit(&mut bytes);
        let segment = [&bytes[..length], payload].concat();
        let packet = packet(self.six, Protocol::Tcp, &segment, None);
        // Who acknowledges what was never sent, or long ago, offers nothing.
        if header.flags.ack && place(header.ack, self.begins) <= place(self.sent, self.begins) {
            // The window of a SYN is not scaled (RFC 7323 §2.2).
            let scale = if header.flags.syn { 0 } else { self.scale };
            let edge = header.ack + (u32::from(header.window) << scale);
            self.edge = if edge.after(self.edge) { edge } else { self.edge };
        }
        self.victim.host.on_frame(self.now, self.victim.link, packet);
    }

    /// What the victim says is looked at.
    fn listen(&mut self) {
        for packet in self.victim.poll(self.now) {
            let Some((header, payload)) = parse(&packet) else { continue };
            if header.flags.rst || header.flags.syn {
                continue;
            }
            if let Some(stamps) = header.options.timestamps {
                self.clocks.1 = stamps.value;
            }
            for (at, byte) in (0u32..).zip(&payload) {
                let place = place(header.seq + at, self.begins);
                assert!(place < self.written, "a byte at {place} of {} was never written", self.written);
                assert_eq!(*byte, byte_at(place), "the byte at {place}");
            }
            let count = u32::try_from(payload.len()).expect("a packet is shorter than 64 KiB");
            let end = header.seq + count;
            assert!(!end.after(self.edge + 1), "{} bytes beyond the window", end.since(self.edge));
            self.sent = if end.after(self.sent) { end } else { self.sent };
            let squeezed = self.drops_for_memory();
            if header.window == 0 && squeezed > std::mem::replace(&mut self.squeezed, squeezed) {
                // As on Linux the peer is told to wait where bytes in order found no memory; the promise holds.
                continue;
            }
            let edge = header.ack + (u32::from(header.window) << self.victim_scale);
            if let Some(promised) = self.promised {
                assert!(!promised.after(edge), "{} promised bytes taken back", promised.since(edge));
            }
            self.promised = Some(edge);
        }
    }

    fn drops_for_memory(&self) -> u64 {
        let drops = self.victim.host.stack().drops();
        drops.iter().find(|(reason, _)| *reason == "tcp no memory").map_or(0, |(_, count)| *count)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ack { upto, blocks, window, echo, ece } => {
                self.acknowledge(upto, blocks, window, echo, ece)
            }
            Step::Data { from, count, finish, cwr } => self.data(from.into(), count, finish, cwr),
            Step::Odd { seq, ack, flags, window, count, block, echo } => {
                self.odd([seq, ack], flags, window, count, block, echo);
            }
            Step::Write(count) => self.write(count),
            Step::Read(count) => self.read(count),
            Step::Wait { milliseconds } => self.pass_time(Duration::from_millis(milliseconds.into())),
            Step::Deadline => {
                let next = self.victim.host.deadline().unwrap_or(self.now);
                self.pass_time(next.since(self.now));
            }
            Step::Option { which, value } => self.option(which, value),
            Step::Finish => {
                let _ = self.victim.host.shutdown(self.now, self.socket, How::Write);
            }
        }
    }

    /// A place in what is in flight, by 255ths of it.
    fn in_flight(&self, part: u8) -> SeqNumber {
        let flight = u64::from(self.sent.since(self.una)) * u64::from(part) / 255;
        self.una + u32::try_from(flight).unwrap_or(0)
    }

    fn acknowledge(
        &mut self,
        upto: u8,
        blocks: [Option<(u8, u8)>; 3],
        window: Option<u16>,
        echo: Echo,
        ece: bool,
    ) {
        self.window = window.unwrap_or(self.window);
        let ack = self.in_flight(upto);
        let mut header = self.header(ack);
        header.flags.ece = ece;
        for (begin, length) in blocks.into_iter().flatten() {
            let [begin, end] = [begin, begin.saturating_add(length)].map(|part| self.in_flight(part));
            header.options.sack.push(tcp::SackBlock { begin, end });
        }
        let echoed = match echo {
            Echo::Last => Some(self.clocks.1),
            Echo::First => Some(self.clocks.0),
            Echo::None => None,
        };
        header.options.timestamps =
            header.options.timestamps.and_then(|stamps| Some(tcp::Timestamps { echo: echoed?, ..stamps }));
        self.fit(&mut header);
        self.una = ack;
        self.say(&header, &[]);
    }

    /// Blocks beyond the room that timestamps leave are not said.
    fn fit(&self, header: &mut tcp::Header) {
        while header.options.len_bytes() > tcp::HEADER_BYTES_MAX - 20 {
            let blocks = header.options.sack;
            header.options.sack = tcp::SackBlocks::default();
            blocks.as_slice()[..blocks.as_slice().len() - 1]
                .iter()
                .for_each(|block| header.options.sack.push(*block));
        }
    }

    fn data(&mut self, from: i32, count: u16, finish: bool, cwr: bool) {
        let mut header = self.header(self.una);
        header.seq += from.cast_unsigned();
        header.flags.fin = finish;
        header.flags.cwr = cwr;
        let begin = place(header.seq, SeqNumber::new(PEER_BEGINS) + 1);
        let payload: Vec<u8> =
            (0..u32::from(count.min(1400))).map(|at| byte_at(begin.wrapping_add(at))).collect();
        self.say(&header, &payload);
        let end = header.seq + u32::try_from(payload.len()).unwrap_or(0);
        // What closes the gap moves the peer on; what lies ahead leaves it.
        if from <= 0 && end.after(self.next) {
            self.next = end;
        }
    }

    fn odd(
        &mut self,
        [seq, ack]: [i32; 2],
        flags: u8,
        window: u16,
        count: u8,
        block: Option<(i32, u16)>,
        echo: u32,
    ) {
        let mut header = self.header(self.una + ack.cast_unsigned());
        header.seq += seq.cast_unsigned();
        header.window = window;
        let bit = |number: u8| flags >> number & 1 != 0;
        header.flags = tcp::Flags {
            fin: bit(0),
            syn: bit(1),
            rst: bit(2) && bit(6),
            psh: bit(3),
            ack: !bit(4),
            ..tcp::Flags::default()
        };
        if let Some((begin, length)) = block {
            let begin = self.una + begin.cast_unsigned();
            header.options.sack.push(tcp::SackBlock { begin, end: begin + u32::from(length) });
        }
        if let Some(stamps) = &mut header.options.timestamps {
            stamps.echo = echo;
        }
        let begin = place(header.seq, SeqNumber::new(PEER_BEGINS) + 1);
        let payload: Vec<u8> = (0..u32::from(count)).map(|at| byte_at(begin.wrapping_add(at))).collect();
        self.say(&header, &payload);
    }

    fn write(&mut self, count: u16) {
        let bytes: Vec<u8> = (0..u32::from(count)).map(|at| byte_at(self.written + at)).collect();
        if let Ok(taken) = self.victim.host.send(self.now, self.socket, &bytes) {
            self.written += u32::try_from(taken).expect("no more is taken than was given");
        }
    }

    fn read(&mut self, count: u16) {
        let mut into = vec![0; usize::from(count)];
        let Ok(taken) = self.victim.host.recv(self.now, self.socket, &mut into, false) else { return };
        for byte in &into[..taken] {
            assert_eq!(*byte, byte_at(self.read), "the byte at {} of what was received", self.read);
            self.read += 1;
        }
    }

    fn pass_time(&mut self, time: Duration) {
        self.now += time;
        let milliseconds = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        self.clock = self.clock.wrapping_add(milliseconds);
        self.victim.host.on_deadline(self.now);
    }

    fn option(&mut self, which: u8, value: u16) {
        const TCP: i32 = 6;
        const SOCKET: i32 = 1;
        const OPTIONS: [(i32, i32); 8] =
            [(TCP, 1), (TCP, 3), (TCP, 12), (TCP, 18), (TCP, 4), (SOCKET, 7), (SOCKET, 8), (SOCKET, 9)];
        let (level, name) = OPTIONS[usize::from(which) % OPTIONS.len()];
        let _ =
            self.victim.host.set_option(self.now, self.socket, level, name, &i32::from(value).to_ne_bytes());
    }

    /// The peer is gone: what waits for it is given up.
    fn end(mut self) {
        self.victim.host.close(self.now, self.socket);
        self.listen();
        for _ in 0..10_000 {
            let Some(next) = self.victim.host.deadline() else {
                assert_eq!(self.victim.host.unfinished(), 0, "what nobody answers is given up");
                return;
            };
            self.now = self.now.max(next);
            self.victim.host.on_deadline(self.now);
            self.listen();
            self.check();
        }
        panic!("the victim never comes to rest");
    }
}

/// The segment in a packet, if it is one.
fn parse(packet: &Packet) -> Option<(tcp::Header, Vec<u8>)> {
    let parsed = ieum_wire::ip::parse(packet.bytes()).ok()?;
    if parsed.header.protocol != Protocol::Tcp {
        return None;
    }
    let segment = packet.bytes().get(parsed.header_bytes..parsed.total_bytes)?;
    let (header, payload) = tcp::Header::parse(segment).ok()?;
    Some((header, segment[payload].to_vec()))
}
