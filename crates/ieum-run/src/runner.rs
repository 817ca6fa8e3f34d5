//! The room: a program, its sockets, and the host behind them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ieum_engine::{Interest, Notice, Ready, Room, Turn};
use ieum_socket::Host;
use ieum_stack::{LinkId, RouteTarget};
use ieum_wire::{Cidr, Instant, Packet};

use crate::bounds::{AWAKE_CHECK, HELD_CHECK, ROUNDS_PER_FRAME_MAX, SWEEP_AFTER};
use crate::carrier::Probe;
use crate::carrier::joint::Joint;
use crate::control::owner::Desk;
use crate::held::Held;
use crate::late::Late;
use crate::name::Names;
use crate::namespace::Namespace;
use crate::program::family::Family;
use crate::program::filter::DatagramCalls;
use crate::program::{ExitStatus, Program, SpawnError, spawn};
use crate::route::RouteSockets;
use crate::socket::{Carrier, Connecting, Sockets};
use crate::tracee::Tracees;
use crate::tree::{OWN, TreeId, Trees};

/// A running program and the host that serves its sockets.
pub struct Runner {
    pub(crate) host: Host,
    pub(crate) trees: Trees,
    pub(crate) desk: Option<Desk>,
    pub(crate) tracees: Tracees,
    pub(crate) names: Names,
    pub(crate) joint: Joint,
    pub(crate) probe: Probe,
    pub(crate) sockets: Sockets,
    pub(crate) routes: RouteSockets,
    /// Where the datagram sockets are made, unless carriers stand for them.
    pub(crate) namespace: Option<Namespace>,
    /// Its ports of UDP that others were told of, each with the word whether `::` means IPv6 alone.
    pub(crate) namespace_ports: BTreeMap<SocketAddr, bool>,
    pub(crate) held: Held,
    pub(crate) late: Late,
    /// The call that is served, by its tree and number, and the inode of the socket that it names.
    pub(crate) asked: Option<(TreeId, u64, Option<u64>)>,
    /// Sockets whose share of the last turn did not suffice: work for the next.
    pub(crate) more: BTreeSet<u64>,
    /// Listeners whose program's accept queue was full when a connection was offered to it.
    pub(crate) full_listeners: BTreeSet<u64>,
    /// Makes names that follow each other differ.
    pub(crate) serial: u64,
    pub(crate) timers: Timers,
    pub(crate) notices: VecDeque<Notice>,
    /// Frames that came up while a call was served.
    pub(crate) outgoing: VecDeque<(LinkId, Packet)>,
    /// The sockets of this host are being let talk.
    pub(crate) is_talking: bool,
    /// The call that has waited long enough, while it is served for the last time.
    pub(crate) out_of_time: Option<(TreeId, u64)>,
    family: Family,
    /// No process is left, and every socket was closed for that.
    is_over: bool,
    /// The others know that nothing more comes from this host.
    has_told_end: bool,
    /// The host had more to say than one turn could hear: work for the next.
    is_restless: bool,
}

/// The named timers of this room.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Timers {
    /// Offer connections again to a full accept queue.
    pub(crate) accept_retry_at: Option<Instant>,
    /// Look for sockets that were closed without a sign.
    pub(crate) sweep_at: Option<Instant>,
    /// Look for held connects whose caller was interrupted.
    pub(crate) held_check_at: Option<Instant>,
    /// Look again at callers that did not sleep.
    pub(crate) awake_check_at: Option<Instant>,
}

/// What a key of the engine stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The listener of a tree's filter.
    Calls(TreeId),
    Signals,
    /// Who wants to talk to the host.
    Desk,
    /// Who talks to it.
    Talker(u64),
    /// Our end of a socket's carrier.
    Carrier(u64),
    /// The monitor of a datagram socket.
    Monitor(u64),
    /// Our end of a socket that asks for interfaces.
    Route(u64),
}

/// How many kinds of sources there are, and a few more.
const KINDS: u64 = 8;

impl Source {
    pub(crate) fn key(self) -> u64 {
        match self {
            Source::Carrier(number) => number * KINDS,
            Source::Monitor(number) => number * KINDS + 1,
            Source::Calls(tree) => tree * KINDS + 2,
            Source::Talker(number) => number * KINDS + 3,
            Source::Desk => 4,
            Source::Signals => 5,
            Source::Route(number) => number * KINDS + 6,
        }
    }

    fn of(key: u64) -> Source {
        let number = key / KINDS;
        match key % KINDS {
            0 => Source::Carrier(number),
            1 => Source::Monitor(number),
            2 => Source::Calls(number),
            3 => Source::Talker(number),
            4 => Source::Desk,
            6 => Source::Route(number),
            _ => Source::Signals,
        }
    }
}

/// A carrier is told of each change once.
pub(crate) const EDGES: Interest = Interest { read: true, write: true, edge: true };
/// Of our ends where nothing but the end of the other is waited for.
pub(crate) const ENDS: Interest = Interest { read: false, write: false, edge: true };
pub(crate) const LEVEL: Interest = Interest { read: true, write: false, edge: false };

impl Runner {
    /// Starts `program` with its sockets served by `host`. The calling thread's mask of signals changes: they come to
    /// the runner from now on.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says what a person should be told, and each kind has its exit code.
    pub fn spawn(host: Host, program: Program) -> Result<Runner, SpawnError> {
        Runner::spawn_with(host, program, None)
    }

    /// The same with datagram sockets of a namespace of the host's, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Runner::spawn`].
    pub fn spawn_with(
        host: Host,
        program: Program,
        namespace: Option<Namespace>,
    ) -> Result<Runner, SpawnError> {
        let own = |error: std::io::Error| SpawnError::Own("cannot prepare the program's sockets", error);
        let names = Names::new().map_err(own)?;
        let joint = Joint::new(&names).map_err(|error| own(error.into()))?;
        let (family, listener) =
            Family::new(spawn::spawn(&program, DatagramCalls::with(namespace.is_some()))?);
        Ok(Runner {
            host,
            trees: Trees::of_own(listener),
            desk: None,
            tracees: Tracees::default(),
            names,
            joint,
            probe: Probe::default(),
            sockets: Sockets::default(),
            routes: RouteSockets::default(),
            namespace,
            namespace_ports: BTreeMap::new(),
            held: Held::default(),
            late: Late::default(),
            asked: None,
            more: BTreeSet::new(),
            full_listeners: BTreeSet::new(),
            serial: 0,
            timers: Timers::default(),
            notices: VecDeque::new(),
            outgoing: VecDeque::new(),
            is_talking: false,
            out_of_time: None,
            family,
            is_over: false,
            has_told_end: false,
            is_restless: false,
        })
    }

    /// How the first process ended; 125 while it runs.
    pub fn exit_status(&self) -> ExitStatus {
        self.family.exit_status()
    }

    /// The host, to look at.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What the host dropped, by reason: its stack, and the kernel where it has the datagrams.
    pub fn drops(&mut self) -> Vec<(&'static str, u64)> {
        let mut drops = self.host.stack().drops();
        for (reason, count) in self.namespace.as_mut().map(Namespace::drops).unwrap_or_default() {
            match drops.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += count,
                None => drops.push((reason, count)),
            }
        }
        drops
    }

    /// The host, to change its network.
    pub fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Something may be closed, or has been, that only a sweep finds; or somebody waits for a descriptor.
    pub(crate) fn sweep_later(&mut self, now: Instant) {
        self.timers.sweep_at.get_or_insert(now + SWEEP_AFTER);
    }

    /// Something has more to do than one turn's share.
    fn has_work(&self) -> bool {
        self.is_restless || !self.more.is_empty()
    }

    fn on_calls(&mut self, turn: &Turn<'_>, tree: TreeId, ready: Ready) {
        if ready.read {
            self.take_calls(turn, tree);
        } else if let Some(listener) = self.trees.fd(tree).filter(|_| ready.hangup) {
            // Nobody is left behind the filter.
            turn.unwatch(listener);
        }
    }

    fn on_signals(&mut self, turn: &Turn<'_>) {
        if self.family.on_signals(turn.now) {
            self.sweep_later(turn.now);
        }
        self.notice_end(turn);
        if self.family.is_asked_to_go() {
            self.dismiss_guests(turn);
        }
    }

    /// Once no process is left, nobody holds a socket any more. Guests outlive the host's own program.
    pub(crate) fn notice_end(&mut self, turn: &Turn<'_>) {
        if !self.family.is_gone() || self.is_over {
            return;
        }
        self.is_over = !self.is_needed();
        if self.is_over {
            self.close_all(turn);
        } else if self.trees.fd(OWN).is_some() {
            self.trees.remove(OWN);
            self.close_unheld(turn, OWN);
            self.sweep(turn);
        }
    }

    fn on_room_deadline(&mut self, turn: &Turn<'_>) {
        let now = turn.now;
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.timers.accept_retry_at) {
            self.deliver_to_full(turn);
        }
        if due(&mut self.timers.sweep_at) {
            self.sweep(turn);
            self.sweep_namespace();
            self.on_callers(turn);
            if self.serves() || !self.namespace_ports.is_empty() {
                self.sweep_later(now);
            }
        }
        if due(&mut self.timers.held_check_at) {
            self.check_held_connects(turn);
        }
        if due(&mut self.timers.awake_check_at) {
            self.retry_awake(turn);
        }
        self.expire_held(turn);
        self.family.on_deadline(now);
        self.notice_end(turn);
        self.is_restless = false;
    }

    /// A host on one of our links can be reached from now on, or no more: then nobody waits for its answers.
    fn on_neighbor(&mut self, now: Instant, link: LinkId, address: IpAddr, present: bool) {
        let (stack, network) = (self.host.stack_mut(), Cidr::host(address));
        if present {
            stack.add_route(network, RouteTarget::Link(link), None);
        } else {
            stack.tcp_fail_remote(now, address);
            stack.remove_route(network);
        }
    }

    /// Held connects are looked at while there are any.
    pub(crate) fn check_held_later(&mut self, now: Instant) {
        self.timers.held_check_at.get_or_insert(now + HELD_CHECK);
    }

    /// Callers that do not sleep are looked at again.
    pub(crate) fn check_awake_later(&mut self, now: Instant) {
        self.timers.awake_check_at.get_or_insert(now + AWAKE_CHECK);
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("family", &self.family)
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}

impl Room for Runner {
    fn start(&mut self, turn: &Turn<'_>) -> std::io::Result<()> {
        if let Some(listener) = self.trees.fd(OWN) {
            turn.watch(listener, Source::Calls(OWN).key(), LEVEL)?;
        }
        if let Some(desk) = &self.desk {
            desk.start(turn)?;
        }
        turn.watch(self.family.signals(), Source::Signals.key(), LEVEL)
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
        match Source::of(key) {
            Source::Calls(tree) => self.on_calls(turn, tree, ready),
            Source::Desk => self.on_callers(turn),
            Source::Talker(number) => self.on_talker(turn, number),
            Source::Signals => self.on_signals(turn),
            Source::Route(number) => self.on_route_carrier(turn, number, ready),
            Source::Carrier(number) | Source::Monitor(number) => self.on_carrier(turn, number, ready),
        }
    }

    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
        self.host.on_frame(turn.now, link, frame);
    }

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        if self.host.deadline().is_some_and(|at| at <= turn.now) {
            self.host.on_deadline(turn.now);
        }
        self.on_room_deadline(turn);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.has_work() {
            return Some(Instant::ZERO);
        }
        let Timers { accept_retry_at, sweep_at, held_check_at, awake_check_at } = self.timers;
        let own = [accept_retry_at, sweep_at, held_check_at, awake_check_at, self.held.deadline()];
        [self.host.deadline(), self.family.deadline()].into_iter().chain(own).flatten().min()
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        self.on_host_events(turn);
        for number in std::mem::take(&mut self.more) {
            match self.routes.get(number) {
                Some(_) => self.on_more_requests(turn, number),
                None => self.step(turn, number),
            }
        }
        self.on_host_events(turn);
        self.hang_up_on_unreachable(turn);
    }

    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        if let Some(frame) = self.outgoing.pop_front() {
            return Some(frame);
        }
        for _ in 0..ROUNDS_PER_FRAME_MAX {
            if let Some(frame) = self.host.poll_frame(turn.now) {
                return Some(frame);
            }
            // What sockets of this host say to each other moves while frames are asked for, and no frame tells of it.
            if !self.on_host_events(turn) {
                return None;
            }
        }
        self.is_restless = true;
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        let told = self.notices.pop_front();
        if told.is_none() {
            // Those that were told have acted, and the sockets of this host have heard of each other.
            self.answer_late();
        }
        told.or_else(|| {
            let is_news = self.is_over && !self.has_told_end && !self.is_unfinished();
            if is_news {
                self.has_told_end = true;
                // Whoever wants the host's name may have it.
                self.desk = None;
            }
            is_news.then_some(Notice::HostEnded)
        })
    }

    /// Neighbours come and go on the host's links. Names are answered and ports published by others.
    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice) {
        match notice {
            Notice::Neighbor { link, addresses, present } => {
                addresses.into_iter().for_each(|address| self.on_neighbor(turn.now, link, address, present));
            }
            Notice::LinkDown { link } => self.host.stack_mut().link_down(turn.now, link),
            Notice::Serving { .. } | Notice::Name { .. } | Notice::HostEnded => {}
        }
    }

    fn is_unfinished(&self) -> bool {
        let draining = |carrier: &Carrier| match carrier {
            Carrier::Stream(stream) => stream.is_draining(),
            Carrier::Fresh
            | Carrier::Connecting(Connecting::Held | Connecting::Filled { .. })
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(_)
            | Carrier::Datagram(_) => false,
        };
        let waits = !self.outgoing.is_empty() || self.host.unfinished() > 0;
        waits || self.sockets.iter().any(|(_, socket)| draining(&socket.carrier))
    }

    /// No process of its own is left. What still has to be delivered the engine waits for, within its bound.
    fn is_finished(&self) -> bool {
        self.family.is_gone()
    }

    /// Programs that others have started run on this host.
    fn is_needed(&self) -> bool {
        self.desk.as_ref().is_some_and(Desk::has_guests)
    }
}
