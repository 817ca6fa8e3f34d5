//! The world of a seed at work, and what is checked in it.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ieum_wire::Instant;

use super::datagrams::Datagrams;
use super::dice::Dice;
use super::machine::Machine;
use super::plan::{Family, Plan, Trouble};
use super::stream::{Stream, Weather, told};
use super::{Outcome, Watch, build};
use crate::chain::Tally;
use crate::node::NodeId;
use crate::series::{Sample, Series};
use crate::world::{Stuck, World};

/// After how many events frames are counted anew: it is dear, and a frame that is missing stays missing.
const EVENTS_PER_COUNT: u64 = 256;

/// Events of a world beyond which it is said to be busy without end: the longest need a tenth.
const EVENTS_MAX: u64 = 3_000_000;

/// How long everything has to come to its end in the calm, beyond what the plan itself takes: time-outs that have doubled in
/// the trouble, and an idle connection's question to a peer that is gone.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long everything has to come to rest when all sockets are closed: TIME-WAIT, FIN-WAIT-2 and reassembly last a minute
/// each; orphans are asked for longer.
const REST: Duration = Duration::from_secs(400);

/// How long a datagram may take in the calm, with the questions for neighbours.
const PROBE_TIME: Duration = Duration::from_secs(60);

/// How long packets may wait for a neighbour that does not answer.
const PARKED: Duration = Duration::from_secs(5);

/// After how long what a host says is under way at the latest: the clock's step.
const MOMENT: Duration = Duration::from_micros(1);

/// How often the course of a conversation is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What tables may have grown by, in bytes for each host: they keep their room.
const GROWN_BYTES_MAX: i64 = 64 * 1024;

/// Ports of streams and of datagrams begin here.
const STREAM_PORT: u16 = 1000;
const DATAGRAM_PORT: u16 = 2000;

pub(super) struct Scene {
    seed: u64,
    plan: Plan,
    watch: Watch,
    world: World<Machine>,
    nodes: Vec<NodeId>,
    /// What each host takes when it is new, in bytes.
    fresh_bytes: Vec<i64>,
    streams: Vec<(Stream, Weather)>,
    datagrams: Vec<Datagrams>,
    /// Troubles that have come so far.
    troubles: usize,
    is_calm: bool,
    /// Which hosts have told something.
    told: Vec<bool>,
    series: Option<Series>,
    look_at: Instant,
}

impl Scene {
    pub(super) fn new(seed: u64, watch: &Watch) -> Scene {
        let plan = Plan::new(seed);
        let mut world = World::new(!seed);
        world.check_every(1);
        if watch.history_lines > 0 {
            world.trace(watch.history_lines);
        }
        let allocated = || watch.allocated_bytes.map_or(0, |count| count());
        let (mut nodes, mut fresh_bytes, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for host in 0..plan.hosts.len() {
            let seed = world.seed();
            let before = allocated();
            let (host, its_links) = build::host(&plan, host, seed);
            fresh_bytes.push(allocated() - before);
            nodes.push(world.add(Machine::new(host)));
            links.push(its_links);
        }
        let mut dice = Dice::new(seed.rotate_left(32));
        for (number, wire) in plan.wires.iter().enumerate() {
            let [there, back] = wire.ways.map(|way| build::chain(&way, &mut dice));
            let [one, other] = wire.ends.map(|host| (nodes[host], links[host][&number]));
            world.join_by(one, other, there, back);
        }
        Scene {
            seed,
            watch: *watch,
            world,
            fresh_bytes,
            streams: Vec::new(),
            datagrams: Vec::new(),
            troubles: 0,
            is_calm: false,
            told: vec![true; nodes.len()],
            nodes,
            series: watch.series_of.map(|_| Series::default()),
            look_at: Instant::ZERO,
            plan,
        }
    }

    /// Everything that happens in it.
    ///
    /// # Panics
    ///
    /// When something is not as it has to be.
    pub(super) fn play(&mut self) {
        self.begin();
        let calm_at = self.plan.calm_at;
        let trouble = self.go_on(calm_at, |scene| scene.is_calm);
        assert_eq!(trouble, Ok(()), "the calm comes");
        let until = self.world.now() + PATIENCE + self.plan.takes();
        let calm = self.go_on(until, |scene| {
            let streams = scene.streams.iter().all(|(stream, _)| stream.is_done());
            streams && scene.datagrams.iter().all(Datagrams::is_done)
        });
        assert_eq!(calm, Ok(()), "in the calm everything comes to its end");
        self.probe();
        self.rest();
    }

    /// Sockets are made, and what has its time is written down.
    fn begin(&mut self) {
        let now = self.world.now();
        for (number, stream) in self.plan.streams.clone().into_iter().enumerate() {
            let address = self.address(stream.ends, stream.family, STREAM_PORT, number);
            let wire = self.plan.wire_between(stream.ends).map(|wire| &self.plan.wires[wire]);
            let wire = wire.expect("there is a wire between each two hosts");
            let corrupts = wire.ways.iter().any(|way| way.faults.corrupt_ppm > 0);
            let weather = Weather { calm_at: self.plan.calm_at, ethernet: wire.ethernet, corrupts };
            let ends = stream.ends.map(|host| self.nodes[host]);
            self.world.wake_at(stream.begins);
            let mut stream = Stream::new(number, stream, ends, address);
            stream.listen(now, self.world.node_mut(ends[1]));
            self.streams.push((stream, weather));
        }
        for (number, plan) in self.plan.datagrams.clone().into_iter().enumerate() {
            let address = self.address(plan.ends, plan.family, DATAGRAM_PORT, number);
            let wire = self.plan.wire_between(plan.ends).map(|wire| &self.plan.wires[wire]);
            let wire = wire.expect("there is a wire between each two hosts");
            let doubles = wire.ways.iter().any(|way| way.faults.duplicate_ppm > 0);
            let probe_bytes = usize::try_from(wire.mtu_bytes).unwrap_or(576) - 48;
            let ends = plan.ends.map(|host| self.nodes[host]);
            self.world.wake_at(plan.begins);
            let mut datagrams = Datagrams::new(number, plan, (ends, address), doubles, probe_bytes);
            for (end, node) in ends.into_iter().enumerate() {
                datagrams.open(end, self.world.node_mut(node));
            }
            self.datagrams.push(datagrams);
        }
        for (at, _) in &self.plan.troubles {
            self.world.wake_at(*at);
        }
        self.world.wake_at(self.plan.calm_at);
    }

    /// Where the second of two hosts is reached by the first.
    fn address(&self, ends: [usize; 2], family: Family, first_port: u16, number: usize) -> SocketAddr {
        let wire = self.plan.wire_between(ends).expect("there is a wire between each two hosts");
        let end = usize::from(self.plan.wires[wire].ends[1] == ends[1]);
        let [ip4, ip6] = build::addresses(wire, end);
        let ip: IpAddr = if family == Family::Ip6 { ip6 } else { ip4 };
        SocketAddr::new(ip, first_port + u16::try_from(number).unwrap_or(0))
    }

    /// Lets things happen until `done` says so, or it is later than `until`.
    fn go_on(&mut self, until: Instant, done: impl Fn(&mut Scene) -> bool) -> Result<(), Stuck> {
        loop {
            self.turn();
            if done(self) {
                self.count_frames();
                return Ok(());
            }
            if !self.world.step() {
                return Err(Stuck::Quiet(self.world.now()));
            }
            if self.world.now() > until {
                return Err(Stuck::Late(self.world.now()));
            }
            assert!(self.world.events() < EVENTS_MAX, "busy without end");
            if self.world.events().is_multiple_of(EVENTS_PER_COUNT) {
                self.count_frames();
            }
        }
    }

    /// Between two events everybody does what can be done.
    fn turn(&mut self) {
        self.trouble();
        loop {
            for (node, is_told) in self.nodes.iter().zip(&mut self.told) {
                if let Some(host) = self.world.node_mut(*node).host_mut() {
                    *is_told |= told(host);
                }
            }
            for (stream, weather) in &mut self.streams {
                stream.pump(&mut self.world, &self.told, *weather);
            }
            for datagrams in &mut self.datagrams {
                datagrams.pump(&mut self.world, &self.told);
            }
            // What they did may have told others of the same host something.
            if !self.told.iter().any(|told| *told) {
                break;
            }
            self.told.fill(false);
        }
        self.look();
    }

    /// What goes wrong now, or is mended.
    fn trouble(&mut self) {
        let now = self.world.now();
        while let Some((at, trouble)) = self.plan.troubles.get(self.troubles).copied()
            && at <= now
        {
            self.troubles += 1;
            self.world.note(|| format!("{trouble:?}"));
            match trouble {
                Trouble::Cut { wire, ways } => self.cut(wire, ways),
                Trouble::Mend(wire) => self.cut(wire, [false, false]),
                Trouble::Off(host) => {
                    self.world.node_mut(self.nodes[host]).switch_off();
                    self.told[host] = true;
                }
                Trouble::On(host) => self.switch_on(host),
            }
        }
        if !self.is_calm && now >= self.plan.calm_at {
            self.is_calm = true;
            self.world.note(|| "all is well".to_owned());
            self.world.chains_mut().for_each(|(_, _, chain)| chain.calm());
        }
    }

    fn cut(&mut self, wire: usize, ways: [bool; 2]) {
        for (way, (_, _, chain)) in self.world.chains_mut().skip(2 * wire).take(2).enumerate() {
            chain.set_cut(ways[way]);
        }
    }

    /// A host comes back, as another.
    fn switch_on(&mut self, host: usize) {
        let (now, node) = (self.world.now(), self.nodes[host]);
        let seed = self.world.seed();
        let (made, _) = build::host(&self.plan, host, seed);
        self.world.node_mut(node).switch_on(made);
        self.told[host] = true;
        for (stream, _) in self.streams.iter_mut().filter(|(stream, _)| stream.server() == node) {
            stream.listen(now, self.world.node_mut(node));
        }
        for datagrams in &mut self.datagrams {
            datagrams.reopen(node, self.world.node_mut(node));
        }
    }

    /// In the calm each datagram arrives, when it is alone on its way: nothing else is in a queue, and none is long on
    /// average.
    fn probe(&mut self) {
        let parked_until = self.world.now() + PARKED;
        self.world.wake_at(parked_until);
        let empty_since = Cell::new(None);
        let is_empty = |scene: &mut Scene| {
            let now = scene.world.now();
            let mut nodes = scene.nodes.iter();
            let is_empty = now >= parked_until && nodes.all(|node| scene.world.under_way(*node) == 0);
            // What hosts say at this moment is under way a moment later.
            let before = empty_since.replace(is_empty.then_some(now));
            if is_empty && before.is_none() {
                scene.world.wake_at(now + MOMENT);
            }
            is_empty && before.is_some_and(|before| before < now)
        };
        let emptied = self.go_on(parked_until + PROBE_TIME, is_empty);
        assert_eq!(emptied, Ok(()), "the wires come to rest");
        self.world.chains_mut().for_each(|(_, _, chain)| chain.end_early_drops());
        for number in 0..self.datagrams.len() {
            let until = self.world.now() + PROBE_TIME;
            let probed = self.go_on(until, |scene| scene.datagrams[number].probe(&mut scene.world));
            assert_eq!(probed, Ok(()), "in the calm each datagram arrives");
        }
    }

    /// All sockets are closed, and nothing is left.
    fn rest(&mut self) {
        let now = self.world.now();
        self.world.note(|| "all sockets are closed".to_owned());
        for (stream, _) in &mut self.streams {
            let server = stream.server();
            stream.close(now, self.world.node_mut(server));
        }
        for datagrams in &mut self.datagrams {
            for (end, node) in datagrams.ends().into_iter().enumerate() {
                datagrams.close(now, end, self.world.node_mut(node));
            }
        }
        let rest = self.go_on(now + REST, |_| false);
        assert!(matches!(rest, Err(Stuck::Quiet(_))), "everything comes to rest: {rest:?}");
        self.count_frames();
        for (number, node) in self.nodes.iter().enumerate() {
            assert_eq!(self.world.under_way(*node), 0, "nothing is under way");
            let host = self.world.node(*node).host().expect("in the end each host is there");
            let sockets = host.sockets();
            assert!(sockets.is_empty(), "sockets are left at host {number}: {sockets:?}");
            assert_eq!(host.unfinished(), 0, "host {number} owes nobody anything");
        }
        self.weigh();
    }

    /// Memory is back where it was: a host takes no more than when it was new.
    fn weigh(&mut self) {
        let Some(allocated) = self.watch.allocated_bytes else { return };
        for (number, (node, fresh)) in self.nodes.iter().zip(&self.fresh_bytes).enumerate() {
            let before = allocated();
            self.world.node_mut(*node).switch_off();
            let bytes = before - allocated();
            let grown = bytes - fresh;
            assert!(grown <= GROWN_BYTES_MAX, "host {number} keeps {grown} bytes more than when it was new");
        }
    }

    /// Every frame is somewhere, and nowhere twice.
    fn count_frames(&self) {
        let mut handed_on = vec![0; self.nodes.len()];
        for (from, to, chain) in self.world.chains() {
            let tally = chain.tally();
            assert!(
                tally.is_conserved(),
                "frames from {} to {} are lost without a cause: {tally:?}",
                from.0,
                to.0
            );
            handed_on[to.0] += tally.handed_on;
        }
        for node in &self.nodes {
            let (machine, number) = (self.world.node(*node), node.0);
            let (delivered, under_way) = (self.world.delivered(*node), self.world.under_way(*node));
            assert_eq!(handed_on[number], delivered + under_way, "what left a wire reaches host {number}");
            let tally = machine.tally();
            assert_eq!(delivered, tally.received + machine.missed(), "host {number} hears what reaches it");
            assert_eq!(tally.received, tally.accepted + tally.dropped, "host {number} accepts or drops it");
        }
    }

    /// The course of the conversation that is to be drawn.
    fn look(&mut self) {
        let now = self.world.now();
        let (Some(series), Some(number)) = (&mut self.series, self.watch.series_of) else { return };
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        if let Some((side, delivered)) = self.streams.get(number).and_then(|(stream, _)| stream.course())
            && let Some((_, info)) = side.info(&self.world)
        {
            series.add(Sample::of(now, &info, delivered));
        }
    }

    /// What came of it.
    pub(super) fn outcome(mut self, failure: Option<String>) -> Outcome {
        // A host that has panicked may do so again when it is asked.
        let state = failure.is_some().then(|| catch_unwind(AssertUnwindSafe(|| self.told())));
        let failure = failure.map(|failure| match state {
            Some(Ok(state)) => format!("{failure}\n{state}"),
            Some(Err(_)) | None => failure,
        });
        let mut wires = Tally::default();
        let (mut frames, mut digest) = (0, 0u64);
        for (_, _, chain) in self.world.chains() {
            let tally = chain.tally();
            frames += tally.entered;
            wires = wires.plus(tally);
        }
        for node in &self.nodes {
            digest = digest.rotate_left(1) ^ self.world.node(*node).digest();
        }
        let history = self.world.traced().map(|trace| {
            let (forgotten, lines) = trace.lines();
            (forgotten, lines.map(str::to_owned).collect())
        });
        Outcome {
            seed: self.seed,
            failure,
            lasted: self.world.now().since(Instant::ZERO),
            events: self.world.events(),
            frames,
            wires,
            arrived: (
                self.streams.iter().map(|(stream, _)| stream.received()).sum(),
                self.datagrams.iter().map(Datagrams::arrived).sum(),
            ),
            digest,
            history: history.unwrap_or_default(),
            series: self.series.take(),
        }
    }

    /// How everything stands.
    fn told(&self) -> String {
        let streams = self.streams.iter().map(|(stream, _)| stream.told(&self.world));
        let datagrams = self.datagrams.iter().map(Datagrams::told);
        let hosts = self.nodes.iter().map(|node| {
            let drops = self.world.node(*node).host().map(|host| host.stack().drops());
            format!("host {}: dropped {drops:?}", node.0)
        });
        streams.chain(datagrams).chain(hosts).collect::<Vec<_>>().join("\n")
    }
}
