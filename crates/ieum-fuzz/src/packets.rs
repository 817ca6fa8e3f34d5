//! Packets into a live host.
//!
//! The victim is a [`Host`] with a listener, an established connection and a datagram socket in each family; its peer
//! is another. The input is a list of [`Step`]s: packets that are forged (with right checksums, near the live
//! connections' numbers, so that they get far), changed copies of what was really sent, raw bytes, fragments; calls of
//! the victim's programs; and time.
//!
//! What must hold: no step panics, every invariant after each step, and each packet is accepted or dropped once. After
//! the last one the sockets are closed and time passes until nothing is left to happen: then no connection remains.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ieum_socket::{How, SocketId};
use ieum_wire::{
    ChecksumState, Gso, GsoKind, Instant, Packet, Protocol, SeqNumber, icmp4, icmp6, segmentation, tcp, udp,
};

use crate::ends::{DATAGRAM, End, PEER_4, PEER_6, STREAM, VICTIM_4, VICTIM_6, packet};

/// One thing that happens to the victim.
#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Bytes as they are.
    Raw(&'a [u8]),
    /// A TCP segment of the live connection, or of another pair of ports.
    Segment(Segment<'a>),
    /// A datagram, whole or to be cut into fragments.
    Datagram { six: bool, port: Port, fragments: Option<u8>, payload: &'a [u8] },
    /// A fragment by itself.
    Fragment { six: bool, identification: u8, offset_words: u16, more: bool, protocol: u8, payload: &'a [u8] },
    /// An ICMP message; errors quote what the victim sent last.
    Icmp { six: bool, kind: u8, code: u8, word: u32, quotes: bool, data: &'a [u8] },
    /// What the peer sent last, with a byte changed, its checksum mended or not.
    Changed { at: u16, xor: u8, mended: bool },
    /// The peer answers for real, or what it says is lost.
    Deliver { lost: bool },
    /// Time passes.
    Wait { milliseconds: u32 },
    /// The victim's programs call.
    Call(Call),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Port {
    Client,
    Server,
    Names,
    Other(u16),
}

/// A segment, by its distance from where the connection stands.
#[derive(Arbitrary, Debug)]
struct Segment<'a> {
    six: bool,
    source: Port,
    destination: Port,
    seq: i16,
    far: bool,
    ack: i16,
    flags: u8,
    window: u16,
    urgent: u16,
    options: &'a [u8],
    payload: &'a [u8],
    super_size: Option<u16>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Call {
    Send(u16),
    Recv(u16),
    Shutdown(u8),
    Accept,
    Connect { six: bool, port: Port },
    Close(u8),
    Option { level: u8, name: u8, value: i32 },
}

/// Steps of one input beyond which nothing new is learnt.
const STEPS_MAX: usize = 200;

/// Runs one input to its end.
///
/// # Panics
///
/// When the victim breaks an invariant: that is what a fuzzer looks for.
pub fn packets(input: &[u8]) {
    let mut scene = Scene::new();
    let mut input = Unstructured::new(input);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        scene.step(step);
        scene.check();
    }
    scene.end();
}

struct Scene {
    now: Instant,
    peer: End,
    victim: End,
    client_port: u16,
    listeners: Vec<SocketId>,
}

const SERVER_PORT: u16 = 80;
const NAMES_PORT: u16 = 53;

impl Scene {
    fn new() -> Scene {
        let mut scene = Scene {
            now: Instant::from_micros(1_000_000),
            peer: End::new(1, PEER_4, PEER_6),
            victim: End::new(2, VICTIM_4, VICTIM_6),
            client_port: 0,
            listeners: Vec::new(),
        };
        for six in [false, true] {
            let (any, to) = (unspecified(six), victim(six));
            for (kind, port) in [(STREAM, SERVER_PORT), (DATAGRAM, NAMES_PORT)] {
                let id = scene.victim.open(six, kind);
                let reuse = scene.victim.host.set_option(scene.now, id, 41, 26, &1i32.to_ne_bytes());
                // IPV6_V6ONLY, which a socket of IPv4 does not know.
                debug_assert_eq!(reuse.is_ok(), six);
                scene.victim.host.bind(id, SocketAddr::new(any, port)).expect("the port is free");
                if kind == STREAM {
                    scene.victim.host.listen(id, 4).expect("it is bound");
                    scene.listeners.push(id);
                } else {
                    scene.victim.sockets.push(id);
                }
            }
            let id = scene.peer.open(six, STREAM);
            let remote = SocketAddr::new(to, SERVER_PORT);
            scene.peer.host.connect(scene.now, id, Some(remote)).expect("a route leads there");
            scene.peer.sockets.push(id);
            if !six {
                scene.client_port = scene.peer.host.local_address(id).map_or(0, |local| local.port());
            }
        }
        for _ in 0..4 {
            scene.deliver(false);
        }
        scene.accept();
        scene
    }

    fn check(&self) {
        self.victim.host.check();
        self.victim.host.stack().check();
    }

    fn deliver(&mut self, lost: bool) {
        for frame in self.victim.poll(self.now) {
            self.peer.host.on_frame(self.now, self.peer.link, frame);
        }
        for frame in self.peer.poll(self.now) {
            if !lost {
                self.give(frame);
            }
        }
    }

    fn give(&mut self, frame: Packet) {
        self.victim.host.on_frame(self.now, self.victim.link, frame);
    }

    fn accept(&mut self) {
        for listener in &self.listeners {
            while let Ok((id, _)) = self.victim.host.accept(*listener) {
                self.victim.sockets.push(id);
            }
        }
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Raw(bytes) => self.give(Packet::from_wire(&bytes[..bytes.len().min(2000)])),
            Step::Segment(segment) => self.segment(&segment),
            Step::Datagram { six, port, fragments, payload } => self.datagram(six, port, fragments, payload),
            Step::Fragment { six, identification, offset_words, more, protocol, payload } => {
                let payload = &payload[..payload.len().min(1400)];
                let place = (u32::from(identification), offset_words << 3, more);
                let packet = packet(six, Protocol::from(protocol), payload, Some(place));
                self.give(packet);
            }
            Step::Icmp { six, kind, code, word, quotes, data } => {
                self.icmp(six, [kind, code], word, quotes, data)
            }
            Step::Changed { at, xor, mended } => self.changed(at, xor, mended),
            Step::Deliver { lost } => self.deliver(lost),
            Step::Wait { milliseconds } => {
                self.wait(Duration::from_millis(u64::from(milliseconds % 200_000)))
            }
            Step::Call(call) => self.call(call),
        }
        // What the victim says to forged packets goes nowhere.
        self.victim.poll(self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.victim.host.on_deadline(self.now);
        self.peer.host.on_deadline(self.now);
    }

    fn port(&self, port: Port) -> u16 {
        match port {
            Port::Client => self.client_port,
            Port::Server => SERVER_PORT,
            Port::Names => NAMES_PORT,
            Port::Other(port) => port,
        }
    }

    fn segment(&mut self, forged: &Segment<'_>) {
        // Where the connection stands: what the peer said last, if that was a segment.
        let real = self.peer.last.as_ref().and_then(|packet| {
            let parsed = ieum_wire::ip::parse(packet.bytes()).ok()?;
            let segment = packet.bytes().get(parsed.header_bytes..parsed.total_bytes)?;
            tcp::Header::parse(segment).ok().map(|(header, _)| header)
        });
        let (seq, ack) =
            real.map_or((SeqNumber::new(0), SeqNumber::new(0)), |header| (header.seq, header.ack));
        let distance = |from: SeqNumber, by: i16| {
            let by = i32::from(by).cast_unsigned();
            from + if forged.far { by << 16 } else { by }
        };
        let bit = |number: u8| forged.flags >> number & 1 != 0;
        let header = tcp::Header {
            source_port: self.port(forged.source),
            destination_port: self.port(forged.destination),
            seq: distance(seq, forged.seq),
            ack: distance(ack, forged.ack),
            flags: tcp::Flags {
                fin: bit(0),
                syn: bit(1),
                rst: bit(2),
                psh: bit(3),
                ack: bit(4),
                ..tcp::Flags::default()
            },
            window: forged.window,
            urgent: forged.urgent,
            options: tcp::Options::default(),
        };
        let mut bytes = [0; tcp::HEADER_BYTES_MAX];
        let length = header.emit(&mut bytes);
        let mut segment = bytes[..length].to_vec();
        let options = &forged.options[..forged.options.len().min(40) & !3];
        segment.extend(options);
        // The data offset counts the options that were put behind.
        let words = u8::try_from(segment.len() / 4).unwrap_or(15).min(15);
        segment[12] = words << 4 | segment[12] & 0xf;
        segment.extend(&forged.payload[..forged.payload.len().min(60_000)]);
        let mut packet = packet(forged.six, Protocol::Tcp, &segment, None);
        packet.gso = forged.super_size.map(|size_bytes| Gso { kind: GsoKind::Tcp, size_bytes });
        self.give(packet);
    }

    fn datagram(&mut self, six: bool, port: Port, fragments: Option<u8>, payload: &[u8]) {
        let payload = &payload[..payload.len().min(60_000)];
        let length = u16::try_from(udp::HEADER_BYTES + payload.len()).expect("it is shorter than 65,535");
        let header = udp::Header { source_port: 1000, destination_port: self.port(port) }.emit(length);
        let mut packet = packet(six, Protocol::Udp, &[header.as_slice(), payload].concat(), None);
        let Some(words) = fragments else { return self.give(packet) };
        let kind = GsoKind::Fragments { identification: words.into() };
        packet.gso = Some(Gso { kind, size_bytes: u16::from(words) * 8 + 8 });
        let mut parts = Vec::new();
        segmentation::cut(&packet, |part| parts.push(part));
        parts.into_iter().for_each(|part| self.give(part));
    }

    fn icmp(&mut self, six: bool, [kind, code]: [u8; 2], word: u32, quotes: bool, data: &[u8]) {
        let quoted = self.victim.last.as_ref().filter(|_| quotes).map_or(&[][..], Packet::bytes);
        let mut message = vec![kind, code, 0, 0];
        message.extend(word.to_be_bytes());
        message.extend(&quoted[..quoted.len().min(100)]);
        message.extend(&data[..data.len().min(1200)]);
        let (protocol, sum) = if six {
            let pseudo = |length| {
                ieum_wire::checksum::pseudo_header(PEER_6.into(), VICTIM_6.into(), Protocol::Icmp6, length)
            };
            (Protocol::Icmp6, pseudo(message.len()))
        } else {
            (Protocol::Icmp4, ieum_wire::checksum::Sum::new())
        };
        let checksum = sum.plus(&message).finish();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        // The parsers agree with these bytes, or the entry would only try checksums.
        debug_assert!(six || icmp4::Message::parse(&message).is_ok());
        debug_assert!(!six || icmp6::Message::parse(&message, PEER_6.into(), VICTIM_6.into()).is_ok());
        self.give(packet(six, protocol, &message, None));
    }

    fn changed(&mut self, at: u16, xor: u8, mended: bool) {
        let Some(real) = &self.peer.last else { return };
        let mut changed = real.clone();
        let length = changed.len().max(1);
        if let Some(byte) = changed.bytes_mut().get_mut(usize::from(at) % length) {
            *byte ^= xor;
        }
        changed.checksum = if mended { ChecksumState::Deferred } else { ChecksumState::Present };
        segmentation::finish_checksum(&mut changed);
        self.give(changed);
    }

    fn call(&mut self, call: Call) {
        let (now, host) = (self.now, &mut self.victim.host);
        let id = self.victim.sockets.last().copied();
        match (call, id) {
            (Call::Send(count), Some(id)) => {
                let _ = host.send(now, id, &vec![7; usize::from(count)]);
            }
            (Call::Recv(count), Some(id)) => {
                let _ = host.recv(now, id, &mut vec![0; usize::from(count)], count % 2 == 0);
            }
            (Call::Shutdown(how), Some(id)) => {
                let hows = [How::Read, How::Write, How::Both];
                let _ = host.shutdown(now, id, hows[usize::from(how) % hows.len()]);
            }
            (Call::Accept, _) => self.accept(),
            (Call::Connect { six, port }, _) => {
                let remote =
                    SocketAddr::new(if six { PEER_6.into() } else { PEER_4.into() }, self.port(port));
                let id = self.victim.open(six, STREAM);
                let _ = self.victim.host.connect(now, id, Some(remote));
                self.victim.sockets.push(id);
            }
            (Call::Close(at), Some(_)) => {
                let at = usize::from(at) % self.victim.sockets.len();
                let id = self.victim.sockets.swap_remove(at);
                host.close(now, id);
            }
            (Call::Option { level, name, value }, Some(id)) => {
                let _ = host.set_option(now, id, level.into(), name.into(), &value.to_ne_bytes());
                let _ = host.option(id, level.into(), name.into());
            }
            (
                Call::Send(_) | Call::Recv(_) | Call::Shutdown(_) | Call::Close(_) | Call::Option { .. },
                None,
            ) => {}
        }
    }

    /// All sockets are closed and nobody answers any more: everything ends by itself.
    fn end(mut self) {
        for id in std::mem::take(&mut self.victim.sockets) {
            self.victim.host.close(self.now, id);
        }
        for id in std::mem::take(&mut self.listeners) {
            self.victim.host.close(self.now, id);
        }
        self.victim.poll(self.now);
        for _ in 0..10_000 {
            let Some(next) = self.victim.host.deadline() else {
                assert_eq!(self.victim.host.unfinished(), 0, "what nobody answers is given up");
                return;
            };
            self.now = self.now.max(next);
            self.victim.host.on_deadline(self.now);
            self.victim.poll(self.now);
            self.check();
        }
        panic!("the victim never comes to rest");
    }
}

fn unspecified(six: bool) -> IpAddr {
    if six { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) }
}

fn victim(six: bool) -> IpAddr {
    if six { VICTIM_6.into() } else { VICTIM_4.into() }
}
