//! Connections that do whatever users do, over wires that do whatever wires do.
//!
//! Each seed chooses MTU, offloads, timestamps, buffers and faults, and for each connection how much each side sends,
//! when it ends its direction, how greedily it reads and whether it breaks off. Whatever happens: bytes that arrive
//! are the ones sent, in order; who breaks off harms nobody else; all others get everything; in the end nothing is left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use ieum_lab::{Faults, NodeId, Pair, Pattern, Wire, World};
use ieum_stack::{
    BindRequest, ConnectionId, Event, Keepalive, LinkConfig, ListenerId, Stack, State, TcpSettings,
};
use ieum_wire::Instant;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// What one side of a connection is going to do.
struct Plan {
    node: NodeId,
    id: ConnectionId,
    outgoing: Pattern,
    incoming: Pattern,
    to_send: u64,
    sent: u64,
    received: u64,
    /// Breaks off with a RST after so many bytes received.
    aborts_after: Option<u64>,
    /// Reads nothing before this time.
    reads_at: Instant,
    /// Bytes read in one call.
    gulp: usize,
    finished: bool,
    over: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Everything sent, everything received, closed.
    Whole,
    /// It broke off, or the peer did.
    Broken,
}

/// A reader reads so often at most: the greediest 13 MB/s, the slowest 20 kB/s.
const GULP_EVERY: Duration = Duration::from_millis(5);

struct Dice(ChaCha12Rng);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

fn settings(dice: &mut Dice) -> TcpSettings {
    TcpSettings {
        no_delay: dice.below(2) == 0,
        send_buffer_bytes: dice.one_of(&[2048, 5000, 65_536, 1 << 20]),
        // Small ones stay small.
        send_buffer_bytes_max: 0,
        recv_buffer_bytes: dice.one_of(&[2048, 5000, 65_536, 1 << 20]),
        // The RST of a peer that breaks off may be lost: only asking tells who has nothing to send.
        keepalive: Some(Keepalive {
            idle: Duration::from_secs(30),
            interval: Duration::from_secs(5),
            probes: 9,
        }),
        ..TcpSettings::default()
    }
}

fn plan(dice: &mut Dice, node: NodeId, id: ConnectionId, key: u64, now: Instant) -> Plan {
    let to_send = dice.one_of(&[0, 1, 1460, 10_000, 200_000]) + dice.below(3000);
    Plan {
        node,
        id,
        outgoing: Pattern::new(key),
        incoming: Pattern::new(!key),
        to_send,
        sent: 0,
        received: 0,
        aborts_after: (dice.below(8) == 0).then(|| dice.below(50_000)),
        reads_at: now + Duration::from_millis(dice.one_of(&[0, 0, 0, 300, 5000])),
        gulp: dice.one_of(&[100, 4096, 65_536]),
        finished: false,
        over: None,
    }
}

impl Plan {
    /// Does what can be done now.
    fn pump(&mut self, world: &mut World<Stack>) {
        if world.now() < self.reads_at {
            world.wake_at(self.reads_at);
        }
        if self.over.is_some() {
            return;
        }
        let now = world.now();
        let stack = world.node_mut(self.node);
        let status = stack.tcp_status(self.id).unwrap();
        if self.aborts_after.is_some_and(|after| self.received >= after) {
            stack.tcp_abort(now, self.id);
            self.over = Some(End::Broken);
            return;
        }
        while self.sent < self.to_send {
            let mut bytes = [0; 3000];
            let count = usize::try_from(self.to_send - self.sent).unwrap().min(bytes.len());
            self.outgoing.fill(self.sent, &mut bytes[..count]);
            let taken = stack.tcp_send(now, self.id, &bytes[..count]);
            self.sent += taken as u64;
            if taken == 0 {
                break;
            }
        }
        // Who ends a connection that is not yet there gives it up (RFC 9293 §3.10.4).
        let connected = status.state != State::SynSent && status.failure.is_none();
        if self.sent == self.to_send && !self.finished && connected {
            stack.tcp_finish(now, self.id);
            self.finished = true;
        }
        if now >= self.reads_at && status.readable_bytes > 0 {
            let mut bytes = vec![0; self.gulp];
            let count = stack.tcp_recv(now, self.id, &mut bytes, false);
            assert_eq!(self.incoming.differs(self.received, &bytes[..count]), None, "a wrong byte");
            self.received += count as u64;
            self.reads_at = now + GULP_EVERY;
            world.wake_at(self.reads_at);
        }
        let stack = world.node_mut(self.node);
        let status = stack.tcp_status(self.id).unwrap();
        if status.readable_bytes == 0 {
            if status.failure.is_some() {
                stack.tcp_close(now, self.id);
                self.over = Some(End::Broken);
            } else if status.peer_finished && self.finished {
                stack.tcp_close(now, self.id);
                self.over = Some(End::Whole);
            }
        }
    }
}

fn listen(world: &mut World<Stack>, pair: &Pair, settings: TcpSettings) -> ListenerId {
    let address = Pair::server_at(80);
    let request = BindRequest::new(address.ip(), address.port());
    let server = world.node_mut(pair.server);
    let binding = server.tcp_bind(request).unwrap();
    server.tcp_listen(binding, 5, false, settings).unwrap()
}

/// The world of one seed, and what both sides of each connection plan, by the client's address.
struct Scene {
    seed: u64,
    dice: Dice,
    world: World<Stack>,
    pair: Pair,
    listener: ListenerId,
    clients: BTreeMap<SocketAddr, Plan>,
    servers: BTreeMap<SocketAddr, Plan>,
}

/// How many connections are opened.
const CONNECTIONS: usize = 8;

impl Scene {
    fn new(seed: u64) -> Scene {
        let mut dice = Dice(ChaCha12Rng::seed_from_u64(seed));
        let faults = Faults {
            corrupt_ppm: dice.one_of(&[0, 10_000]),
            jitter: Duration::from_millis(dice.one_of(&[0, 2])),
            ..Faults::percent(dice.one_of(&[0, 1, 5]))
        };
        let wire = Wire {
            latency: Duration::from_micros(dice.one_of(&[10, 2000, 50_000])),
            bytes_per_second: NonZeroU64::new(dice.one_of(&[0, 1_000_000])),
            faults,
        };
        let mtu_bytes = dice.one_of(&[296, 576, 1500, 9000]);
        let link =
            dice.one_of(&[LinkConfig { mtu_bytes, ..LinkConfig::in_process() }, LinkConfig::wire(mtu_bytes)]);
        let (mut world, pair) = Pair::with_links(seed, &wire, dice.below(2) == 0, link);
        let settings = settings(&mut dice);
        let listener = listen(&mut world, &pair, settings);
        let (clients, servers) = (BTreeMap::new(), BTreeMap::new());
        Scene { seed, dice, world, pair, listener, clients, servers }
    }

    /// Clients connect, each at its own time in the first two seconds.
    fn connect(&mut self) {
        let begin: Vec<Instant> =
            (0..CONNECTIONS).map(|_| Instant::ZERO + Duration::from_millis(self.dice.below(2000))).collect();
        for at in begin {
            // A quiet world is as good as one that has come to that time.
            let _ = self.world.run(at, |world| world.now() >= at);
            let (now, settings) = (self.world.now(), settings(&mut self.dice));
            let stack = self.world.node_mut(self.pair.client);
            let id = stack.tcp_connect(now, None, Pair::server_at(80), settings).unwrap();
            let local = stack.tcp_status(id).unwrap().local;
            let plan = plan(&mut self.dice, self.pair.client, id, u64::from(local.port()), now);
            self.clients.insert(local, plan);
        }
    }

    /// Everybody does what he plans until all is over.
    fn play(&mut self) {
        let Scene { seed, dice, world, pair, listener, clients, servers } = self;
        let until = world.now() + Duration::from_secs(3000);
        let over = world.run(until, |world| {
            while world.node_mut(pair.client).poll_event().is_some() {}
            while let Some(event) = world.node_mut(pair.server).poll_event() {
                if event == Event::Acceptable(*listener) {
                    let now = world.now();
                    let stack = world.node_mut(pair.server);
                    while let Some(id) = stack.tcp_accept(*listener) {
                        let remote = stack.tcp_status(id).unwrap().remote;
                        let mut plan = plan(dice, pair.server, id, !u64::from(remote.port()), now);
                        plan.incoming = Pattern::new(u64::from(remote.port()));
                        servers.insert(remote, plan);
                    }
                }
            }
            clients.values_mut().chain(servers.values_mut()).for_each(|plan: &mut Plan| plan.pump(world));
            let mut all = clients.values().chain(servers.values());
            all.all(|plan| plan.over.is_some())
        });
        let tell = |plan: &Plan| {
            let status = world.node(plan.node).tcp_status(plan.id);
            let Plan { over, sent, to_send, received, .. } = plan;
            format!("{over:?}: sent {sent} of {to_send}, received {received}, {status:?}")
        };
        let open = clients.values().chain(servers.values()).filter(|plan| plan.over.is_none());
        assert_eq!(over, Ok(()), "seed {seed}: {:#?}", open.map(tell).collect::<Vec<_>>());
    }

    /// Only who breaks off, or whose peer does, misses anything.
    fn judge(&self) {
        let seed = self.seed;
        for (local, client) in &self.clients {
            let Some(server) = self.servers.get(local) else {
                assert!(client.aborts_after.is_some(), "seed {seed}: {local} ended without its other side");
                continue;
            };
            if client.aborts_after.is_some() || server.aborts_after.is_some() {
                continue;
            }
            let ends = (client.over, server.over);
            assert_eq!(ends, (Some(End::Whole), Some(End::Whole)), "seed {seed}: {local}");
            let received = (server.received, client.received);
            assert_eq!((client.sent, server.sent), received, "seed {seed}: {local}");
        }
    }

    /// Once the wire is good again, everything comes to rest and nothing is left.
    fn end(self) {
        let Scene { seed, mut world, pair, .. } = self;
        world.set_faults(Faults::default());
        let until = world.now() + Duration::from_secs(2000);
        world.settle(until).unwrap_or_else(|stuck| panic!("seed {seed}: {stuck} after the end"));
        for node in [pair.client, pair.server] {
            assert_eq!(world.node(node).tcp_unfinished(), 0, "seed {seed}: something is left over");
            world.node(node).check();
        }
    }
}

#[test]
fn whatever_users_and_wires_do_bytes_arrive_or_the_connection_says_why() {
    for seed in 0..300 {
        let mut scene = Scene::new(seed);
        scene.connect();
        scene.play();
        scene.judge();
        scene.end();
    }
}
