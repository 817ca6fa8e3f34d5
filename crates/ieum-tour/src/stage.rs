//! Where the tour is played: hosts on one link in virtual time, each with one program and its descriptors.
//!
//! Everything that happens is written down as it happens: calls when they are made, packets when they are put on the link,
//! states when they are found changed. What is told later is read from there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ieum_lab::chain::{Chain, Element};
use ieum_lab::{NodeId, World};
use ieum_socket::{DescriptorTable, Host, Protocol, SocketId, SocketView};
use ieum_stack::{LinkConfig, RouteTarget, StackConfig};
use ieum_wire::{Cidr, Instant};

use crate::event::{Event, Ms, StateChange, What};
use crate::frame::Reader;
use crate::surprise::Surprise;
use crate::switch::{Loss, Station, Switch};
use crate::table::{Row, Table};

/// From one host to another.
const LATENCY: Duration = Duration::from_millis(10);

/// The longest that a step waits for something: beyond it nothing will come. The longest wait of TCP here, TIME-WAIT,
/// is a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// Descriptors of a program at most (RLIMIT_NOFILE), as login shells have it.
const DESCRIPTORS_MAX: usize = 1024;

/// A host of the stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Who(usize);

/// What a descriptor refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Open {
    /// A standard stream.
    Terminal(&'static str),
    /// A socket that is just being made.
    Reserved,
    /// A socket.
    Socket(SocketId),
}

struct Dweller {
    name: &'static str,
    node: NodeId,
    address: IpAddr,
    descriptors: DescriptorTable<Open>,
}

/// Hosts on one link.
pub(crate) struct Stage {
    world: World<Station>,
    switch: NodeId,
    dwellers: Vec<Dweller>,
    /// What happened since it was last asked for.
    events: Vec<Event>,
    reader: Reader,
    /// Of each end of a connection the state that was last seen.
    states: BTreeMap<(Who, SocketAddr, SocketAddr), &'static str>,
}

impl Stage {
    /// A link without hosts.
    pub(crate) fn new(seed: u64) -> Stage {
        let mut world = World::new(seed);
        let switch = world.add(Station::Switch(Box::default()));
        let (events, reader, states) = (Vec::new(), Reader::default(), BTreeMap::new());
        Stage { world, switch, dwellers: Vec::new(), events, reader, states }
    }

    /// Another host, with a program that has its standard streams and nothing else.
    pub(crate) fn host(&mut self, name: &'static str) -> Who {
        self.host_like(name, |_| {})
    }

    /// The same with something of its stack chosen. No host offers timestamps, so that a full segment has the textbook's
    /// number of bytes.
    pub(crate) fn host_like(&mut self, name: &'static str, choose: impl FnOnce(&mut StackConfig)) -> Who {
        let mut config = StackConfig { tcp_timestamps: false, ..StackConfig::new(self.world.seed()) };
        choose(&mut config);
        let number = u8::try_from(self.dwellers.len() + 1).expect("there are few hosts on a stage");
        let address = IpAddr::from(Ipv4Addr::new(10, 0, 0, number));
        let mut host = Host::with_stack(config, false);
        let link = host.stack_mut().add_link(LinkConfig::wire(1500));
        let own = Cidr::new(address, 24).expect("the prefix is shorter than the address");
        host.stack_mut().add_address(link, own);
        host.stack_mut().add_route(Cidr::ALL_IP4, RouteTarget::Link(link), None);
        let node = self.world.add(Station::Host(Box::new(host)));
        let port = self.switch_mut().add_port(address);
        let (there, back) = (Chain::new(Vec::new()), Chain::new(vec![Element::Delay(LATENCY)]));
        self.world.join_by((node, link), (self.switch, port), there, back);
        let mut descriptors = DescriptorTable::new(DESCRIPTORS_MAX);
        for stream in ["stdin", "stdout", "stderr"] {
            descriptors.insert(Open::Terminal(stream)).expect("the table is empty");
        }
        self.dwellers.push(Dweller { name, node, address, descriptors });
        Who(self.dwellers.len() - 1)
    }

    /// Its name.
    pub(crate) fn name(&self, who: Who) -> &'static str {
        self.dwellers[who.0].name
    }

    /// Its address with a port.
    pub(crate) fn at(&self, who: Who, port: u16) -> SocketAddr {
        SocketAddr::new(self.dwellers[who.0].address, port)
    }

    /// The ports that it chooses from for who names none, first and last.
    pub(crate) fn ephemeral_ports(&self, who: Who) -> [u16; 2] {
        let range = self.inside(who).stack().ephemeral_ports();
        [*range.start(), *range.end()]
    }

    /// Its descriptors.
    pub(crate) fn descriptors(&mut self, who: Who) -> &mut DescriptorTable<Open> {
        &mut self.dwellers[who.0].descriptors
    }

    /// The host itself, to ask it.
    pub(crate) fn inside(&self, who: Who) -> &Host {
        match self.world.node(self.dwellers[who.0].node) {
            Station::Host(host) => host,
            Station::Switch(_) => unreachable!("a host's name is a host's"),
        }
    }

    /// The host itself, to call it.
    pub(crate) fn inside_mut(&mut self, who: Who) -> &mut Host {
        match self.world.node_mut(self.dwellers[who.0].node) {
            Station::Host(host) => host,
            Station::Switch(_) => unreachable!("a host's name is a host's"),
        }
    }

    fn switch_mut(&mut self) -> &mut Switch {
        match self.world.node_mut(self.switch) {
            Station::Switch(switch) => switch,
            Station::Host(_) => unreachable!("the switch's name is the switch's"),
        }
    }

    /// Of the packets with payload that this host sends from now on the one after so many is lost.
    pub(crate) fn lose(&mut self, who: Who, after: u32) {
        let from = self.dwellers[who.0].address;
        self.switch_mut().lose(Loss { from, after });
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.world.now()
    }

    /// What happened since this was last asked, its times counted from the first of it.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        let begin = events.first().map(|event| event.at_ms).unwrap_or_default();
        events.iter_mut().for_each(|event| event.at_ms = event.at_ms.since(begin));
        events
    }

    /// What happened so far.
    pub(crate) fn events(&mut self) -> &mut [Event] {
        &mut self.events
    }

    /// Something happened now.
    pub(crate) fn add(&mut self, what: What) {
        let at_ms = Ms(self.now().micros());
        self.events.push(Event { at_ms, what });
    }

    /// The next thing happens. `false`: nothing ever will by itself.
    pub(crate) fn step(&mut self) -> bool {
        let happened = self.world.step();
        self.look();
        happened
    }

    /// Lets things happen until `ask` has an answer; it is asked after each.
    pub(crate) fn until<T>(
        &mut self,
        what: &'static str,
        mut ask: impl FnMut(&mut Stage) -> Option<T>,
    ) -> Result<T, Surprise> {
        let end = self.now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return Ok(answer);
            }
            if !self.step() || self.now() > end {
                return Err(Surprise::Stuck(what));
            }
        }
    }

    /// Time passes, and everything happens that falls into it.
    pub(crate) fn rest(&mut self, time: Duration) {
        let end = self.now() + time;
        self.world.wake_at(end);
        while self.now() < end && self.step() {}
    }

    /// Looks at the link and at all connections, and writes down what is new.
    pub(crate) fn look(&mut self) {
        for crossing in self.switch_mut().take_crossed() {
            let names = |address| self.dwellers.iter().find(|dweller| dweller.address == address);
            let read = self
                .reader
                .read(&crossing.bytes, crossing.lost, |address| names(address).map(|dweller| dweller.name));
            if let Some(frame) = read {
                self.events.push(Event { at_ms: Ms(crossing.at.micros()), what: What::Frame(frame) });
            }
        }
        for (key, state) in self.changed_states() {
            let (who, local, remote) = key;
            let host = self.name(who);
            self.add(What::State(StateChange {
                host,
                local: local.to_string(),
                remote: remote.to_string(),
                state,
            }));
        }
    }

    /// The ends of connections whose state is another one than when this was last asked.
    fn changed_states(&mut self) -> Vec<((Who, SocketAddr, SocketAddr), &'static str)> {
        let mut now = BTreeMap::new();
        for who in (0..self.dwellers.len()).map(Who) {
            let sockets = self.inside(who).sockets().into_iter();
            for socket in sockets.filter(|socket| socket.make.protocol == Protocol::Tcp) {
                if let Some(remote) = socket.remote {
                    now.insert((who, socket.local, remote), socket.state);
                }
            }
        }
        let gone = self.states.keys().filter(|key| !now.contains_key(*key)).map(|key| (*key, "CLOSED"));
        let new = now.iter().filter(|(key, state)| self.states.get(*key) != Some(*state));
        let changed = gone.chain(new.map(|(key, state)| (*key, *state))).collect();
        self.states = now;
        changed
    }

    /// A program's descriptors, and the connections of its host without one.
    pub(crate) fn table(&self, who: Who) -> Table {
        let sockets = self.inside(who).sockets();
        let of = |id| sockets.iter().find(|socket| socket.id == Some(id));
        let rows = self.dwellers[who.0].descriptors.iter().filter_map(|(fd, open)| match open {
            Open::Terminal(stream) => Some(Row::terminal(fd, stream)),
            Open::Socket(id) => Some(Row { fd: Some(fd), ..Row::of(of(id)?) }),
            Open::Reserved => None,
        });
        let orphans = sockets.iter().filter(|socket| socket.id.is_none()).map(Row::of);
        Table { host: self.name(who), rows: rows.collect(), without_descriptor: orphans.collect() }
    }

    /// Every host and the link assert their invariants.
    pub(crate) fn check(&self) {
        self.world.check();
    }
}

impl Row {
    fn terminal(fd: usize, stream: &'static str) -> Row {
        let (local, remote) = (None, None);
        Row { fd: Some(fd), kind: "terminal", state: stream, local, remote, recv_queue: 0, send_queue: 0 }
    }

    fn of(socket: &SocketView) -> Row {
        Row {
            fd: None,
            kind: socket.make.name(),
            state: socket.state,
            local: Some(socket.local.to_string()),
            remote: socket.remote.map(|remote| remote.to_string()),
            recv_queue: socket.recv_queue,
            send_queue: socket.send_queue,
        }
    }
}
