//! The hosts of an experiment at work.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ieum_stack::{
    BindRequest, ConnectionId, EcnMode, Event, LinkConfig, ListenerId, RouteTarget, Stack, StackConfig,
    TcpSettings,
};
use ieum_wire::{Cidr, Instant};
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::outcome::{Fared, Outcome};
use super::watched::Watched;
use super::{Discipline, Experiment};
use crate::chain::{Chain, Element, Queue, Red, Wobble};
use crate::fault::{Fault, Faults};
use crate::node::NodeId;
use crate::pair::{CLIENT, Pair, SERVER};
use crate::pattern::Pattern;
use crate::series::{Sample, Series};
use crate::world::World;

/// How often the course of a flow is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Buffers, in bytes: no flow is to be held up by them before a window of 4,000 segments.
const BUFFER_BYTES: u32 = 6 << 20;

/// How many bytes are written or read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A full frame, in bytes.
const FRAME_BYTES: u64 = 1500;

/// Where the receiver listens.
const PORT: u16 = 5001;

/// One flow.
struct Flow {
    begins: Instant,
    id: Option<ConnectionId>,
    port: u16,
    far: Option<ConnectionId>,
    sent: u64,
    received: u64,
    /// Sum and count of the round trips seen.
    rtts: (Duration, u32),
}

impl Flow {
    fn new(begins: Instant) -> Flow {
        Flow { begins, id: None, port: 0, far: None, sent: 0, received: 0, rtts: (Duration::ZERO, 0) }
    }

    /// What it sends, so that no flow's bytes could be taken for another's.
    fn pattern(&self) -> Pattern {
        Pattern::new(u64::from(self.port))
    }
}

/// The experiment under way.
struct Scene {
    world: World<Watched>,
    sender: NodeId,
    receiver: NodeId,
    listener: ListenerId,
    settings: TcpSettings,
    flows: Vec<Flow>,
    /// Which flow a connection of the sender's, and of the receiver's, is of.
    near: BTreeMap<ConnectionId, usize>,
    far: BTreeMap<ConnectionId, usize>,
    look_at: Instant,
    series: Option<(usize, Series)>,
}

pub(super) fn run(experiment: &Experiment) -> Outcome {
    let mut scene = Scene::new(experiment);
    let end = Instant::ZERO + experiment.duration;
    scene.flows.iter().for_each(|flow| scene.world.wake_at(flow.begins));
    scene.world.wake_at(end);
    // The world is driven step by step, so that the flows are looked at between two events.
    let mut going = true;
    while going && scene.world.now() < end {
        scene.pump();
        going = scene.world.step();
    }
    scene.pump();
    scene.world.check();
    scene.outcome(end)
}

impl Scene {
    fn new(experiment: &Experiment) -> Scene {
        let mut world = World::new(experiment.seed);
        world.check_every(0);
        let mut dice = ChaCha12Rng::seed_from_u64(!experiment.seed);
        let ecn = if experiment.discipline == Discipline::Marks { EcnMode::Offer } else { EcnMode::Off };
        let [(sender, near_link), (receiver, far_link)] = [CLIENT, SERVER].map(|address| {
            let mut stack = Stack::new(StackConfig { tcp_ecn: ecn, ..StackConfig::new(world.seed()) });
            let link = stack.add_link(LinkConfig::in_process());
            stack.add_address(link, Cidr::new(IpAddr::from(address), 24).expect("24 bits are less than 32"));
            stack.add_route(Cidr::ALL_IP4, RouteTarget::Link(link), None);
            (world.add(Watched::new(stack)), link)
        });
        let there = bottleneck(experiment, &mut dice);
        let back = Chain::new(vec![Element::Wobble(way_back(experiment, &mut dice))]);
        world.join_by((sender, near_link), (receiver, far_link), there, back);
        let settings = TcpSettings {
            send_buffer_bytes: BUFFER_BYTES,
            recv_buffer_bytes: BUFFER_BYTES,
            congestion: experiment.congestion,
            ..TcpSettings::default()
        };
        let listener = listen(&mut world.node_mut(receiver).stack, settings);
        let spread = if experiment.flows > 1 { experiment.spread } else { Duration::ZERO };
        let spread_us = u64::try_from(spread.as_micros()).unwrap_or(u64::MAX).max(1);
        let flows =
            (0..experiment.flows).map(|_| Flow::new(Instant::from_micros(dice.next_u64() % spread_us)));
        Scene {
            world,
            sender,
            receiver,
            listener,
            settings,
            flows: flows.collect(),
            near: BTreeMap::new(),
            far: BTreeMap::new(),
            look_at: Instant::ZERO,
            series: experiment.series_of.map(|flow| (flow, Series::default())),
        }
    }

    /// Everybody does what can be done now.
    fn pump(&mut self) {
        let now = self.world.now();
        if now >= self.look_at {
            self.begin(now);
            self.look(now);
            self.look_at = now + LOOK_EVERY;
            self.world.wake_at(self.look_at);
        }
        while let Some(event) = self.world.node_mut(self.sender).stack.poll_event() {
            if let Event::Connection(id) = event
                && let Some(flow) = self.near.get(&id)
            {
                self.send(now, *flow, id);
            }
        }
        while let Some(event) = self.world.node_mut(self.receiver).stack.poll_event() {
            match event {
                Event::Acceptable(_) => self.accept(now),
                Event::Connection(id) => {
                    if let Some(flow) = self.far.get(&id) {
                        self.receive(now, *flow, id);
                    }
                }
                Event::Request(_) | Event::Udp(_) | Event::Ping(_) | Event::Raw(_) | Event::AnyDatagram => {}
            }
        }
    }

    /// Flows whose time has come connect.
    fn begin(&mut self, now: Instant) {
        let stack = &mut self.world.node_mut(self.sender).stack;
        for (index, flow) in self.flows.iter_mut().enumerate() {
            if flow.id.is_some() || flow.begins > now {
                continue;
            }
            flow.begins = now;
            let id = stack.tcp_connect(now, None, Pair::server_at(PORT), self.settings);
            let id = id.expect("the sender has a route and free ports");
            flow.port = stack.tcp_status(id).map_or(0, |status| status.local.port());
            flow.id = Some(id);
            self.near.insert(id, index);
        }
    }

    fn accept(&mut self, now: Instant) {
        while let Some(id) = self.world.node_mut(self.receiver).stack.tcp_accept(self.listener) {
            let status = self.world.node(self.receiver).stack.tcp_status(id);
            let port = status.map_or(0, |status| status.remote.port());
            let flow = self.flows.iter().position(|flow| flow.port == port);
            let flow = flow.expect("who connects is one of the flows");
            self.flows[flow].far = Some(id);
            self.far.insert(id, flow);
            self.receive(now, flow, id);
        }
    }

    fn send(&mut self, now: Instant, flow: usize, id: ConnectionId) {
        let (flow, stack) = (&mut self.flows[flow], &mut self.world.node_mut(self.sender).stack);
        loop {
            let mut filled = 0;
            for mut chunk in stack.tcp_send_space(id, CHUNK_BYTES) {
                flow.pattern().fill(flow.sent + to_u64(filled), &mut chunk);
                filled += chunk.len();
            }
            stack.tcp_commit(now, id, filled);
            flow.sent += to_u64(filled);
            if filled == 0 {
                return;
            }
        }
    }

    fn receive(&mut self, now: Instant, flow: usize, id: ConnectionId) {
        let (flow, stack) = (&mut self.flows[flow], &mut self.world.node_mut(self.receiver).stack);
        loop {
            let mut count = 0;
            for chunk in stack.tcp_recv_chunks(id) {
                let differs = flow.pattern().differs(flow.received + to_u64(count), &chunk);
                assert_eq!(differs, None, "a byte is not the one that was sent");
                count += chunk.len();
            }
            stack.tcp_consume(now, id, count);
            flow.received += to_u64(count);
            if count == 0 {
                return;
            }
        }
    }

    /// How the flows stand now.
    fn look(&mut self, now: Instant) {
        for (index, flow) in self.flows.iter_mut().enumerate() {
            let stack = &self.world.node(self.sender).stack;
            let Some((_, info)) = flow.id.and_then(|id| stack.tcp_info(now, id)) else { continue };
            if let Some(rtt) = info.rtt {
                flow.rtts = (flow.rtts.0 + rtt, flow.rtts.1 + 1);
            }
            if let Some((_, series)) = self.series.as_mut().filter(|(wanted, _)| *wanted == index) {
                series.add(Sample::of(now, &info, flow.received));
            }
        }
    }

    fn outcome(self, end: Instant) -> Outcome {
        let sender = self.world.node(self.sender);
        let segment = |id| sender.stack.tcp_status(id).map_or(1, |status| u64::from(status.mss_bytes.max(1)));
        let fared = self.flows.iter().map(|flow| {
            let said = sender.said.get(&flow.port).copied().unwrap_or_default();
            let (sum, count) = flow.rtts;
            Fared {
                bytes: flow.received,
                duration: end.since(flow.begins),
                repeated_segments: said.repeated_bytes / flow.id.map_or(1, segment),
                rtt: sum.checked_div(count),
            }
        });
        let flows = fared.collect();
        let wire = self.world.chains().next().map(|(_, _, chain)| chain.tally()).unwrap_or_default();
        assert!(wire.is_conserved(), "every frame comes to one end");
        Outcome { flows, wire, series: self.series.map(|(_, series)| series) }
    }
}

fn bottleneck(experiment: &Experiment, dice: &mut ChaCha12Rng) -> Chain {
    let queue = u64::try_from(experiment.queue_bytes).unwrap_or(u64::MAX);
    let red = match experiment.discipline {
        Discipline::TailDrop => None,
        Discipline::Early | Discipline::Marks => {
            Some(Red::new(dice.next_u64(), queue / 4, queue / 4 * 3, 100_000))
        }
    };
    let faults = Faults {
        lose_ppm: experiment.lose_ppm,
        reorder_ppm: experiment.reorder_ppm,
        reorder_delay: experiment.rtt / 4,
        ..Faults::default()
    };
    Chain::new(vec![
        Element::Queue(Queue::new(Some(experiment.bytes_per_second), experiment.queue_bytes, red)),
        Element::Faults(Fault::new(faults, dice.next_u64())),
        Element::Delay(experiment.rtt / 2),
    ])
}

/// The way back takes up to a frame's time at the bottleneck longer, so that flows do not stay in step.
fn way_back(experiment: &Experiment, dice: &mut ChaCha12Rng) -> Wobble {
    let frame = Duration::from_micros(FRAME_BYTES * 1_000_000 / experiment.bytes_per_second);
    Wobble::new(dice.next_u64(), experiment.rtt / 2, frame)
}

fn listen(stack: &mut Stack, settings: TcpSettings) -> ListenerId {
    let request = BindRequest::new(IpAddr::from(SERVER), PORT);
    let binding = stack.tcp_bind(request).expect("a fresh stack has every port free");
    stack.tcp_listen(binding, 1024, false, settings).expect("nobody else listens there")
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
