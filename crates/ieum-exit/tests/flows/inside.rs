//! The host inside: a stack and a script that is asked to go on whenever something has happened.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ieum_engine::{Clock, Engine, Interest, Notice, Ready, Room, Turn};
use ieum_exit::{Ends, Exit, ExitConfig, Publish, Resolvers};
use ieum_stack::{
    BindRequest, ConnectionId, LinkConfig, LinkId, ListenerId, RouteTarget, Stack, StackConfig, Status,
    TcpRules, TcpSettings,
};
use ieum_wire::{Cidr, Instant, Packet};

/// How the machine's loopback is called in one family, and the ends of the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// The machine's loopback.
    pub(crate) machine: IpAddr,
    /// The exit, which stands for it.
    pub(crate) exit: IpAddr,
    /// The host.
    pub(crate) host: IpAddr,
}

/// The families that this machine has.
pub(crate) fn families() -> impl Iterator<Item = Family> {
    let all = [["127.0.0.1", "10.77.0.1", "10.77.0.2"], ["::1", "fd77::1", "fd77::2"]];
    let families = all.map(|addresses| addresses.map(|text| text.parse().unwrap()));
    let has = |family: &Family| TcpListener::bind((family.machine, 0)).is_ok();
    families.into_iter().map(|[machine, exit, host]| Family { machine, exit, host }).filter(has)
}

/// No script takes longer, unless something waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a script sees.
pub(crate) struct Scene<'a> {
    pub(crate) now: Instant,
    pub(crate) stack: &'a mut Stack,
    pub(crate) notices: &'a mut Vec<Notice>,
    /// Whoever held the other end of the bell has dropped it: a thread of the test has done its work.
    pub(crate) rung: bool,
}

impl Scene<'_> {
    pub(crate) fn connect(&mut self, to: SocketAddr) -> ConnectionId {
        self.stack.tcp_connect(self.now, None, to, TcpSettings::default()).unwrap()
    }

    pub(crate) fn status(&self, id: ConnectionId) -> Status {
        self.stack.tcp_status(id).unwrap()
    }

    /// Listens, and says so to the other rooms.
    pub(crate) fn listen(&mut self, port: u16) -> ListenerId {
        let binding = self.stack.tcp_bind(request(port)).unwrap();
        self.serving(false, port, true);
        self.stack.tcp_listen(binding, 16, false, TcpSettings::default()).unwrap()
    }

    pub(crate) fn serving(&mut self, datagram: bool, port: u16, serving: bool) {
        let address = SocketAddr::new(ANY, port);
        self.notices.push(Notice::Serving { datagram, address, v6_only: false, serving });
    }

    /// Says that streams are served at this address, or no more.
    pub(crate) fn serving_at(&mut self, address: SocketAddr, v6_only: bool, serving: bool) {
        self.notices.push(Notice::Serving { datagram: false, address, v6_only, serving });
    }
}

/// Every address of both families.
const ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Every address, that port.
pub(crate) fn request(port: u16) -> BindRequest {
    BindRequest::new(ANY, port)
}

/// The room: goes on with its script until that is true.
struct Inside<S> {
    stack: Stack,
    notices: Vec<Notice>,
    script: S,
    bell: UnixStream,
    rung: bool,
    is_done: bool,
}

impl<S: FnMut(&mut Scene<'_>) -> bool> Room for Inside<S> {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.bell.as_fd(), 0, Interest { read: true, write: false, edge: true })
    }
    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, ready: Ready) {
        self.rung |= ready.read_hangup;
    }
    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
        self.stack.on_frame(turn.now, link, frame);
        self.stack.check();
    }
    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.stack.on_deadline(turn.now);
        assert!(turn.now.since(Instant::ZERO) < PATIENCE, "the script waits for ever");
    }
    fn deadline(&self) -> Option<Instant> {
        self.stack.deadline().into_iter().chain([Instant::ZERO + PATIENCE]).min()
    }
    fn settle(&mut self, turn: &Turn<'_>) {
        while self.stack.poll_event().is_some() {}
        let (stack, notices) = (&mut self.stack, &mut self.notices);
        let mut scene = Scene { now: turn.now, stack, notices, rung: self.rung };
        self.is_done = self.is_done || (self.script)(&mut scene);
    }
    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        self.stack.poll_frame(turn.now)
    }
    fn poll_notice(&mut self) -> Option<Notice> {
        (!self.notices.is_empty()).then(|| self.notices.remove(0))
    }
    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}
    fn is_unfinished(&self) -> bool {
        self.stack.tcp_unfinished() > 0
    }
    fn is_finished(&self) -> bool {
        self.is_done
    }
}

fn ends(own: &str, host: &str) -> Ends {
    Ends { own: own.parse().unwrap(), host: host.parse().unwrap() }
}

/// An exit that publishes `ports`, and lets 127.0.0.53:53 through.
pub(crate) fn exit(ports: &[&str]) -> Exit {
    Exit::new(ExitConfig {
        seed: [2; 32],
        tcp_timestamps: true,
        ip4: Some(ends("10.77.0.1/24", "10.77.0.2")),
        ip6: Some(ends("fd77::1/64", "fd77::2")),
        outbound: true,
        resolvers: Resolvers::of(["127.0.0.53".parse().unwrap()]),
        names: vec!["db.example=10.77.0.1".parse().unwrap()],
        publish: ports.iter().map(|port| port.parse::<Publish>().unwrap()).collect(),
    })
    .unwrap()
}

/// A bell and what rings it when it is dropped.
pub(crate) fn bell() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// Plays a script to its end against an exit; a bell makes it look up.
pub(crate) fn play_with(exit: &mut Exit, bell: UnixStream, script: impl FnMut(&mut Scene<'_>) -> bool) {
    let mut stack = Stack::new(StackConfig::new([1; 32]));
    // As the hosts of programs: an exit is told of ends of which Linux would say nothing.
    stack.tcp_set_rules(TcpRules { resets_silent_ends: true, ..stack.tcp_rules() });
    let link = stack.add_link(LinkConfig::in_process());
    stack.add_address(link, "10.77.0.2/24".parse().unwrap());
    stack.add_address(link, "fd77::2/64".parse().unwrap());
    stack.add_route(Cidr::ALL_IP4, RouteTarget::Link(link), None);
    stack.add_route(Cidr::ALL_IP6, RouteTarget::Link(link), None);
    for port in [53, 54] {
        stack.add_loopback_exception(SocketAddr::from(([127, 0, 0, 53], port)), link);
    }
    let mut inside = Inside { stack, notices: Vec::new(), script, bell, rung: false, is_done: false };
    let mut engine = Engine::new(Clock::start(), |trouble| panic!("{trouble}")).unwrap();
    engine.join((0, link), (1, exit.link()), None);
    engine.run(&mut [&mut inside, exit]).unwrap();
}

/// Plays a script to its end against an exit that publishes nothing.
pub(crate) fn play(script: impl FnMut(&mut Scene<'_>) -> bool) {
    let (bell, _ring) = bell();
    play_with(&mut exit(&[]), bell, script);
}
