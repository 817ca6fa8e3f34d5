//! Hosts, wires and virtual time.
//!
//! Invariants: time never goes back; what happens at the same microsecond happens in the order in which it was caused;
//! a frame on a wire arrives at exactly one host, at its time, or was lost for good when it was sent.

use std::collections::{BTreeMap, BTreeSet};

use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet, segmentation};
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use crate::capture::Capture;
use crate::chain::Chain;
use crate::fault::Faults;
use crate::node::{Node, NodeId};
use crate::trace::Trace;
use crate::wire::Wire;

/// Why a world did not come to the end that was awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Stuck {
    /// Nothing will ever happen any more.
    #[error("at {0:?} everybody waits for ever")]
    Quiet(Instant),
    /// Much happens, but not what was awaited, within the time that was given.
    #[error("at {0:?} the time that was given is over")]
    Late(Instant),
}

/// A frame under way.
#[derive(Debug)]
struct Flight {
    to: NodeId,
    link: LinkId,
    frame: Packet,
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Next {
    /// The first frame under way arrives.
    Arrival,
    /// A host's deadline comes.
    Deadline(NodeId),
    /// A user wanted to be asked again.
    Alarm,
}

/// One end of a wire and what it leads to.
#[derive(Debug)]
struct Port {
    from: (NodeId, LinkId),
    to: (NodeId, LinkId),
    chain: Chain,
}

/// Hosts joined by wires, in virtual time.
#[derive(Debug)]
pub struct World<N> {
    now: Instant,
    chance: ChaCha12Rng,
    nodes: Vec<N>,
    ports: Vec<Port>,
    /// By time, then by the order in which they were sent.
    flights: BTreeMap<(Instant, u64), Flight>,
    sent: u64,
    /// When users want to be asked again.
    alarms: BTreeSet<Instant>,
    /// Frames that arrived at each host.
    delivered: Vec<u64>,
    capture: Option<Capture>,
    /// What happened last, in words.
    trace: Option<Trace>,
    events: u64,
    /// How many events lie between two checks of all invariants.
    events_per_check: u64,
    /// Events in a row at the same moment.
    events_at_once: u32,
}

/// Events at one moment beyond which time is said to stand still: a flight of the largest window, several times.
const EVENTS_AT_ONCE_MAX: u32 = 1_000_000;

/// How many events lie between two checks of all invariants, unless somebody wants it otherwise: a check walks all
/// connections.
const EVENTS_PER_CHECK: u64 = 64;

impl<N: Node> World<N> {
    /// An empty world at time zero.
    pub fn new(seed: u64) -> World<N> {
        World {
            now: Instant::ZERO,
            chance: ChaCha12Rng::seed_from_u64(seed),
            nodes: Vec::new(),
            ports: Vec::new(),
            flights: BTreeMap::new(),
            sent: 0,
            alarms: BTreeSet::new(),
            delivered: Vec::new(),
            capture: None,
            trace: None,
            events: 0,
            events_per_check: EVENTS_PER_CHECK,
            events_at_once: 0,
        }
    }

    /// A seed for a host of this world.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.chance.fill_bytes(&mut seed);
        seed
    }

    /// Adds a host.
    pub fn add(&mut self, node: N) -> NodeId {
        self.nodes.push(node);
        self.delivered.push(0);
        NodeId(self.nodes.len() - 1)
    }

    /// Joins two links of two hosts by a wire.
    pub fn join(&mut self, one: (NodeId, LinkId), other: (NodeId, LinkId), wire: &Wire) {
        let [there, back] = [(); 2].map(|()| wire.chain(self.chance.next_u64()));
        self.join_by(one, other, there, back);
    }

    /// Joins two links of two hosts by a chain for each direction.
    pub fn join_by(&mut self, one: (NodeId, LinkId), other: (NodeId, LinkId), there: Chain, back: Chain) {
        self.ports.push(Port { from: one, to: other, chain: there });
        self.ports.push(Port { from: other, to: one, chain: back });
    }

    /// The chains of all wires, each with the hosts it leads from and to, in the order in which they were made.
    pub fn chains(&self) -> impl Iterator<Item = (NodeId, NodeId, &Chain)> {
        self.ports.iter().map(|port| (port.from.0, port.to.0, &port.chain))
    }

    /// The same, to change them.
    pub fn chains_mut(&mut self) -> impl Iterator<Item = (NodeId, NodeId, &mut Chain)> {
        self.ports.iter_mut().map(|port| (port.from.0, port.to.0, &mut port.chain))
    }

    /// Frames on their way to a host.
    pub fn under_way(&self, to: NodeId) -> u64 {
        self.flights.values().map(|flight| u64::from(flight.to == to)).sum()
    }

    /// All invariants are checked after every so many events; 0: only at the end of a run.
    pub fn check_every(&mut self, events: u64) {
        self.events_per_check = events;
    }

    /// From now on the last `lines` of what happens are kept in words.
    pub fn trace(&mut self, lines: usize) {
        self.trace = Some(Trace::new(lines));
    }

    /// A line of one's own among them; made only where somebody wants it.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.add(self.now, what());
        }
    }

    /// What was traced.
    pub fn traced(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// All wires have these faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        for port in &mut self.ports {
            port.chain.set_faults(faults);
        }
    }

    /// Records everything put on a wire from now on.
    pub fn record(&mut self) {
        self.capture = Some(Capture::default());
    }

    /// What was recorded.
    pub fn capture(&self) -> Option<&Capture> {
        self.capture.as_ref()
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Something happens at `at`, if only that [`World::run`] asks its user again: for users who sleep.
    pub fn wake_at(&mut self, at: Instant) {
        self.alarms.insert(at.max(self.now));
    }

    /// Frames delivered and deadlines kept so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Frames that arrived at a host, for comparing with what it says became of them.
    ///
    /// # Panics
    ///
    /// When it is of another world.
    pub fn delivered(&self, id: NodeId) -> u64 {
        self.delivered[id.0]
    }

    /// A host.
    ///
    /// # Panics
    ///
    /// When it is of another world.
    pub fn node(&self, id: NodeId) -> &N {
        &self.nodes[id.0]
    }

    /// A host, to call its doors.
    ///
    /// # Panics
    ///
    /// When it is of another world.
    pub fn node_mut(&mut self, id: NodeId) -> &mut N {
        &mut self.nodes[id.0]
    }

    /// Lets events happen until `done` says so. It is asked after each and may call hosts.
    ///
    /// # Errors
    ///
    /// [`Stuck`] when nothing more happens, or the virtual time `until` has come.
    pub fn run(&mut self, until: Instant, mut done: impl FnMut(&mut World<N>) -> bool) -> Result<(), Stuck> {
        loop {
            if done(self) {
                self.check();
                return Ok(());
            }
            if !self.step() {
                return Err(Stuck::Quiet(self.now));
            }
            if self.now > until {
                return Err(Stuck::Late(self.now));
            }
        }
    }

    /// Lets everything happen until nothing does any more.
    ///
    /// # Errors
    ///
    /// [`Stuck::Late`] when something still happens after `until`.
    pub fn settle(&mut self, until: Instant) -> Result<(), Stuck> {
        match self.run(until, |_| false) {
            Ok(()) | Err(Stuck::Quiet(_)) => {
                self.check();
                Ok(())
            }
            Err(late @ Stuck::Late(_)) => Err(late),
        }
    }

    /// The next thing happens: everybody sends what is owed, then one frame arrives, one deadline comes or one alarm
    /// goes off. `false`: nothing will ever happen by itself.
    pub fn step(&mut self) -> bool {
        self.transmit();
        let Some((at, next)) = self.next() else { return false };
        self.advance(at);
        match next {
            Next::Arrival => {
                if let Some((_, flight)) = self.flights.pop_first() {
                    self.delivered[flight.to.0] += 1;
                    if let Some(trace) = &mut self.trace {
                        trace.arrived(self.now, flight.to, &flight.frame);
                    }
                    self.nodes[flight.to.0].on_frame(self.now, flight.link, flight.frame);
                }
            }
            Next::Deadline(id) => {
                self.note(|| format!("host {} has a deadline", id.0));
                self.nodes[id.0].on_deadline(self.now);
            }
            Next::Alarm => {
                self.alarms.pop_first();
            }
        }
        self.events += 1;
        // Zero divides nothing but itself.
        if self.events.is_multiple_of(self.events_per_check) {
            self.check();
        }
        true
    }

    /// What happens next, and when. Of what happens at once a frame comes first: it had been under way before.
    fn next(&self) -> Option<(Instant, Next)> {
        let arrival = self.flights.first_key_value().map(|((at, _), _)| (*at, Next::Arrival));
        let alarm = self.alarms.first().map(|at| (*at, Next::Alarm));
        let nodes = self.nodes.iter().enumerate();
        let deadlines = nodes.filter_map(|(at, node)| Some((node.deadline()?, Next::Deadline(NodeId(at)))));
        arrival.into_iter().chain(deadlines).chain(alarm).min()
    }

    /// Every host asserts its invariants.
    pub fn check(&self) {
        self.nodes.iter().for_each(N::check);
    }

    fn advance(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.events_at_once = 0;
        }
        self.events_at_once += 1;
        assert!(self.events_at_once < EVENTS_AT_ONCE_MAX, "time stands still at {:?}", self.now);
    }

    /// Everybody sends what is owed.
    fn transmit(&mut self) {
        for at in 0..self.nodes.len() {
            while let Some((link, packet)) = self.nodes[at].poll_frame(self.now) {
                self.put((NodeId(at), link), &packet);
            }
        }
    }

    /// A packet leaves a host, cut into frames. A link that leads nowhere swallows it.
    fn put(&mut self, from: (NodeId, LinkId), packet: &Packet) {
        let World { now, ports, flights, sent, capture, trace, .. } = self;
        let Some(port) = ports.iter_mut().find(|port| port.from == from) else { return };
        let (to, link) = port.to;
        segmentation::cut(packet, |frame| {
            if let Some(capture) = capture {
                capture.add(*now, from.0, frame.bytes());
            }
            let told = trace.as_ref().map(|_| (frame.clone(), port.chain.tally()));
            port.chain.pass(*now, frame, |at, frame| {
                *sent += 1;
                flights.insert((at, *sent), Flight { to, link, frame });
            });
            if let (Some(trace), Some((frame, before))) = (trace.as_mut(), told) {
                trace.sent(*now, (from.0, to), &frame, (before, port.chain.tally()));
            }
        });
    }
}
