//! Broken packets of every kind, fed to a live stack: none makes it panic, each is counted, and what lives goes on.
//!
//! The corpus is what two stacks really said to each other: SYN and SYN-ACK with options, data, RST, a datagram, an
//! echo request and an ICMP error. Of each packet every shorter beginning and every single flipped bit is tried,
//! once as it is (some checksum must catch it, save where IPv6 has none: hop limit, traffic class, flow label) and once
//! with all checksums mended, so that every parser and every rule behind it sees the flaw itself. All of it in both
//! families.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_lab::pair::{CLIENT, CLIENT_6};
use ieum_lab::{NodeId, Pair, Wire, World};
use ieum_stack::{BindRequest, ConnectionId, Event, LinkId, ListenerId, Stack, TcpSettings, UdpId};
use ieum_wire::checksum::{Sum, pseudo_header};
use ieum_wire::{ChecksumState, Instant, Packet, Protocol, icmp4, icmp6, ip, ip4, ip6, segmentation, tcp};

/// Reasons that are not about received packets.
const SENT: [&str; 4] = ["icmp rate", "icmp unsent", "tcp reply queue full", "tcp no route"];

/// In which family they talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    Ip4,
    Ip6,
}

impl Family {
    fn server_at(self, port: u16) -> SocketAddr {
        match self {
            Family::Ip4 => Pair::server_at(port),
            Family::Ip6 => Pair::server_6_at(port),
        }
    }

    fn client_at(self, port: u16) -> SocketAddr {
        match self {
            Family::Ip4 => SocketAddr::from((CLIENT, port)),
            Family::Ip6 => SocketAddr::from((CLIENT_6, port)),
        }
    }
}

/// A server that listens on TCP 80 and UDP 53, and a client with two connections to it.
struct Scene {
    family: Family,
    world: World<Stack>,
    pair: Pair,
    listener: ListenerId,
    names: UdpId,
    /// Both ends of the connection that must live on.
    alive: (ConnectionId, ConnectionId),
    /// Both ends of the connection whose packets are broken.
    broken: (ConnectionId, ConnectionId),
}

impl Scene {
    fn new(family: Family) -> Scene {
        let (mut world, pair) = Pair::new(11, &Wire::clean(Duration::from_millis(1)), true);
        let server = world.node_mut(pair.server);
        let wish = |port| {
            let address = family.server_at(port);
            BindRequest::new(address.ip(), port)
        };
        let names = server.udp_bind(wish(53)).unwrap();
        let binding = server.tcp_bind(wish(80)).unwrap();
        let listener = server.tcp_listen(binding, 64, false, TcpSettings::default()).unwrap();
        world.record();
        let alive = connect(&mut world, &pair, family, listener);
        let broken = connect(&mut world, &pair, family, listener);
        Scene { family, world, pair, listener, names, alive, broken }
    }

    fn until(&self) -> Instant {
        self.world.now() + Duration::from_secs(5)
    }

    /// Lets everything under way arrive.
    fn rest(&mut self) {
        let until = self.until();
        let later = self.world.now() + Duration::from_millis(500);
        // Something may still be planned for later; only what happens soon matters here.
        let _ = self.world.run(until, |world| world.now() >= later);
    }

    /// The live connection and the UDP socket still do what they are for.
    fn assert_alive(&mut self) {
        let (near, far) = self.alive;
        let until = self.until();
        let now = self.world.now();
        let word = b"are you there?";
        assert_eq!(self.world.node_mut(self.pair.client).tcp_send(now, near, word), word.len());
        let server = self.pair.server;
        let arrived = |world: &World<Stack>| world.node(server).tcp_status(far).unwrap().readable_bytes;
        self.world.run(until, |world| arrived(world) == word.len()).unwrap();
        let mut answer = [0; 64];
        let now = self.world.now();
        let count = self.world.node_mut(server).tcp_recv(now, far, &mut answer, false);
        assert_eq!(&answer[..count], word);

        while self.world.node_mut(server).udp_recv(self.names).is_some() {}
        let client = self.world.node_mut(self.pair.client);
        let (from, to) = (self.family.client_at(6000), self.family.server_at(53));
        client.udp_send_from(now, from, to, b"name?").unwrap();
        self.world.run(until, |world| world.node(server).udp_peek(self.names).is_some()).unwrap();
    }

    /// Everything one host sent so far, each with its name in the corpus, the last of each kind only.
    fn corpus(&self, from: NodeId) -> Vec<(&'static str, Vec<u8>)> {
        let mut corpus: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for record in self.world.capture().unwrap().from(from) {
            let name = kind(&record.bytes);
            corpus.retain(|(other, _)| *other != name);
            corpus.push((name, record.bytes.clone()));
        }
        corpus
    }

    /// Gives `victim` one packet; what it answers leads nowhere. Returns what was counted.
    fn feed(&mut self, victim: NodeId, link: LinkId, packet: Packet) -> (u64, u64) {
        let now = self.world.now();
        let stack = self.world.node_mut(victim);
        let before = stack.tally();
        stack.on_frame(now, link, packet);
        while stack.poll_frame(now).is_some() {}
        while stack.poll_event().is_some() {}
        stack.check();
        let after = stack.tally();
        assert_eq!(after.received, before.received + 1);
        let reasons: u64 =
            stack.drops().iter().filter(|(name, _)| !SENT.contains(name)).map(|(_, count)| count).sum();
        assert_eq!(reasons, after.dropped, "each dropped packet has one reason");
        (after.accepted - before.accepted, after.dropped - before.dropped)
    }
}

fn connect(
    world: &mut World<Stack>,
    pair: &Pair,
    family: Family,
    listener: ListenerId,
) -> (ConnectionId, ConnectionId) {
    let now = world.now();
    let client = world.node_mut(pair.client);
    let near = client.tcp_connect(now, None, family.server_at(80), TcpSettings::default()).unwrap();
    let mut far = None;
    let until = now + Duration::from_secs(5);
    let accept = |world: &mut World<Stack>| {
        while let Some(event) = world.node_mut(pair.server).poll_event() {
            if event == Event::Acceptable(listener) {
                far = world.node_mut(pair.server).tcp_accept(listener);
            }
        }
        far.is_some()
    };
    world.run(until, accept).unwrap();
    (near, far.unwrap())
}

/// What kind of packet these bytes are.
fn kind(bytes: &[u8]) -> &'static str {
    let parsed = ip::parse(bytes).unwrap();
    let payload = &bytes[parsed.header_bytes..parsed.total_bytes];
    match parsed.header.protocol {
        Protocol::Udp => "datagram",
        Protocol::Icmp4
            if matches!(icmp4::Message::parse(payload), Ok(icmp4::Message::Unreachable { .. })) =>
        {
            "unreachable"
        }
        Protocol::Icmp6 if payload[0] == 1 => "unreachable",
        Protocol::Tcp => {
            let (header, data) = tcp::Header::parse(payload).unwrap();
            match header.flags {
                flags if flags.rst => "rst",
                flags if flags.syn && flags.ack => "syn-ack",
                flags if flags.syn => "syn",
                _ if data.is_empty() => "ack",
                _ => "data",
            }
        }
        Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => "other",
    }
}

/// The packet with its length and every checksum set right, as far as it has such fields.
fn mended(bytes: &[u8]) -> Packet {
    let mut bytes = bytes.to_vec();
    match ip::version(&bytes) {
        Some(4) => mend4(&mut bytes),
        Some(6) => mend6(&mut bytes),
        Some(_) | None => {}
    }
    let mut packet = Packet::from_wire(&bytes);
    packet.checksum = ChecksumState::Deferred;
    segmentation::finish_checksum(&mut packet);
    packet
}

fn mend4(bytes: &mut [u8]) {
    let header_bytes = bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    if header_bytes < 20 || bytes.len() < header_bytes {
        return;
    }
    let total = u16::try_from(bytes.len()).unwrap();
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    bytes[10..12].copy_from_slice(&[0, 0]);
    let checksum = Sum::new().plus(&bytes[..header_bytes]).finish();
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    if bytes[9] == Protocol::Icmp4.number() && bytes.len() >= header_bytes + 4 {
        let message = &mut bytes[header_bytes..];
        message[2..4].copy_from_slice(&[0, 0]);
        let checksum = Sum::new().plus(message).finish();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
}

fn mend6(bytes: &mut [u8]) {
    let Some(length) = bytes.len().checked_sub(ip6::HEADER_BYTES) else { return };
    bytes[4..6].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    if bytes[6] == Protocol::Icmp6.number() && length >= 4 {
        let header = ip6::Header::parse_alone(bytes).unwrap();
        let message = &mut bytes[ip6::HEADER_BYTES..];
        message[2..4].copy_from_slice(&[0, 0]);
        let pseudo = pseudo_header(header.source.into(), header.destination.into(), Protocol::Icmp6, length);
        let checksum = pseudo.plus(message).finish();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Does some checksum cover the bit in which this variant differs? RFC 8200 has none for the traffic class, the flow
/// label and the hop limit.
fn is_covered(family: Family, original: &[u8], variant: &[u8]) -> bool {
    let differs = |at: usize| variant.get(at) != original.get(at);
    let version = |bytes: &[u8]| bytes.first().map(|first| first >> 4);
    family == Family::Ip4
        || variant.len() < original.len()
        || version(original) != version(variant)
        || !(0..4).chain([7]).any(differs)
}

/// Every shorter beginning, and the whole with every single bit flipped.
fn variants(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let shorter = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    shorter.chain(flipped)
}

/// Lets both sides say everything that belongs into the corpus.
fn say_everything(scene: &mut Scene) {
    let now = scene.world.now();
    let (near, far) = scene.broken;
    let (client, server) = (scene.pair.client, scene.pair.server);
    scene.world.node_mut(client).tcp_send(now, near, b"twenty bytes of data");
    scene.world.node_mut(server).tcp_send(now, far, b"and twenty in answer");
    // Nobody has this port at the client: its ICMP error comes back to the server, and the other way round.
    let closed = scene.family.client_at(9);
    scene.world.node_mut(server).udp_send(now, scene.names, closed, b"lost").unwrap();
    let source = scene.family.client_at(6000);
    scene.world.node_mut(client).udp_send_from(now, source, scene.family.server_at(9), b"lost").unwrap();
    scene.rest();
    scene.world.node_mut(client).udp_send_from(now, source, scene.family.server_at(53), b"name?").unwrap();
    scene.rest();
}

/// An echo request from one host of the pair to the other.
fn echo_request(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let (identifier, sequence, data) = (1, 2, b"ping".as_slice());
    match (from, to) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let message = icmp4::Message::EchoRequest { identifier, sequence, data }.emit();
            let header = ip4::Header {
                source,
                destination,
                protocol: Protocol::Icmp4,
                ttl: 64,
                tos: 0,
                identification: 0,
                dont_fragment: false,
                more_fragments: false,
                fragment_offset_bytes: 0,
            };
            [header.emit(u16::try_from(20 + message.len()).unwrap()).as_slice(), &message].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let message =
                icmp6::Message::EchoRequest { identifier, sequence, data }.emit(source, destination);
            let header = ip6::Header {
                source,
                destination,
                protocol: Protocol::Icmp6,
                hop_limit: 64,
                traffic_class: 0,
                fragment: None,
            };
            [header.emit(message.len()).as_ref(), &message].concat()
        }
        _ => unreachable!("both are of one family"),
    }
}

/// What the client and the server said, without and with the client's RST for the broken connection.
fn corpora(scene: &mut Scene, with_reset: bool) -> [Vec<(&'static str, Vec<u8>)>; 2] {
    say_everything(scene);
    if with_reset {
        let (now, client) = (scene.world.now(), scene.pair.client);
        scene.world.node_mut(client).tcp_abort(now, scene.broken.0);
        scene.rest();
    }
    let (one, other) = (scene.family.client_at(0).ip(), scene.family.server_at(0).ip());
    let mut client = scene.corpus(scene.pair.client);
    client.push(("echo request", echo_request(one, other)));
    let mut server = scene.corpus(scene.pair.server);
    server.push(("echo request", echo_request(other, one)));
    [client, server]
}

fn names(corpus: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
    let mut names: Vec<_> = corpus.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

/// Feeds `mend`ed or raw variants of everything to both hosts, and tells of each raw one that it must be dropped.
fn torment(family: Family, mend: bool, with_reset: bool) {
    let mut scene = Scene::new(family);
    let [client, server] = corpora(&mut scene, with_reset);
    let mut expected = vec!["ack", "data", "datagram", "echo request", "rst", "syn", "unreachable"];
    expected.retain(|name| with_reset || *name != "rst");
    assert_eq!(names(&client), expected);
    assert_eq!(names(&server), ["ack", "data", "datagram", "echo request", "syn-ack", "unreachable"]);
    scene.assert_alive();
    let pair = scene.pair;
    let mut count = 0;
    for (victim, link, corpus) in
        [(pair.server, pair.server_link, client), (pair.client, pair.client_link, server)]
    {
        for (name, bytes) in corpus {
            for (number, variant) in variants(&bytes).enumerate() {
                count += 1;
                if mend {
                    scene.feed(victim, link, mended(&variant));
                } else {
                    let counted = scene.feed(victim, link, Packet::from_wire(&variant));
                    let dropped = counted == (0, 1) || !is_covered(family, &bytes, &variant);
                    assert!(dropped, "{family:?}: variant {number} of {name} was not dropped");
                }
            }
        }
    }
    assert!(count > 5000, "only {count} variants were tried");
    scene.assert_alive();
    // Whatever half-open things the mended ones left behind ends by itself, and a new connection is served.
    let later = scene.world.now() + Duration::from_secs(400);
    let _ = scene.world.run(later, |_| false);
    let Scene { world, pair, listener, .. } = &mut scene;
    while world.node_mut(pair.server).tcp_accept(*listener).is_some() {}
    connect(world, pair, family, *listener);
    scene.assert_alive();
}

#[test]
fn every_broken_packet_is_dropped_for_one_reason() {
    torment(Family::Ip4, false, false);
    torment(Family::Ip6, false, false);
}

#[test]
fn every_broken_packet_of_a_connection_that_is_gone_is_dropped_too() {
    torment(Family::Ip4, false, true);
    torment(Family::Ip6, false, true);
}

#[test]
fn no_flaw_behind_right_checksums_stops_the_stack() {
    torment(Family::Ip4, true, false);
    torment(Family::Ip6, true, false);
}

#[test]
fn no_flaw_behind_right_checksums_stops_the_stack_when_the_connection_is_gone() {
    torment(Family::Ip4, true, true);
    torment(Family::Ip6, true, true);
}

#[test]
fn the_corpus_itself_is_accepted() {
    for family in [Family::Ip4, Family::Ip6] {
        let mut scene = Scene::new(family);
        let [client, _] = corpora(&mut scene, false);
        let (server, link) = (scene.pair.server, scene.pair.server_link);
        for (name, bytes) in client {
            let counted = scene.feed(server, link, Packet::from_wire(&bytes));
            // What TCP has seen before it may rightly drop; the rest is as good the second time.
            let is_tcp = !["datagram", "echo request", "unreachable"].contains(&name);
            assert!(counted == (1, 0) || is_tcp, "{family:?}, {name}: {counted:?}");
        }
    }
}
