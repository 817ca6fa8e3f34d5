//! A host of a net, driven by an engine in a thread of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ieum_control::{Directory, Kind, Name};
use ieum_engine::{Clock, Engine, Notice, Ready, Room, Turn};
use ieum_net::{Place, Plan, Seat, Wish};
use ieum_stack::{LinkConfig, LinkId, RouteTarget, Stack, StackConfig};
use ieum_wire::{Cidr, Instant, Packet, Unreachable};

/// How often a host looks at what its test wants of it.
const LOOK: Duration = Duration::from_millis(2);

/// A folder for control sockets, gone when dropped.
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) directory: Directory,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ieum-net-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        Folder { directory: Directory::at(path.clone()).unwrap(), path }
    }

    /// The path of the net's control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path(Kind::Net, &net())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// What a host does: called in each of its turns, until it answers that it has done it.
pub(crate) type Deed = Box<dyn FnMut(&mut Inside, Instant) -> bool + Send>;

/// What a deed sees of its host.
pub(crate) struct Inside {
    pub(crate) stack: Stack,
    /// What the host calls the net's link.
    pub(crate) link: LinkId,
    pub(crate) place: Place,
    /// Names, as the others were told.
    pub(crate) names: Vec<(String, Vec<IpAddr>)>,
    /// Sent as they are, past the stack.
    pub(crate) forged: Vec<Packet>,
    /// The net's link leads nowhere any more.
    pub(crate) is_down: bool,
}

impl Inside {
    /// The address of a host that has come by now.
    pub(crate) fn find(&self, name: &str) -> Option<IpAddr> {
        self.names
            .iter()
            .find(|(other, _)| other == name)
            .and_then(|(_, addresses)| addresses.first().copied())
    }
}

struct TestHost {
    inside: Inside,
    deed: Deed,
    stop: Arc<Stop>,
    is_done: bool,
    has_told_end: bool,
    looks_at: Instant,
}

/// What a test wants of a host's thread.
#[derive(Default)]
struct Stop {
    /// It may leave when its deed is done.
    leave: AtomicBool,
    /// Its process goes on as long as it is needed.
    stays: AtomicBool,
    /// It is to leave at once, whatever it has under way.
    die: AtomicBool,
}

impl Room for TestHost {
    fn start(&mut self, _turn: &Turn<'_>) -> io::Result<()> {
        Ok(())
    }
    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}
    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
        self.inside.stack.on_frame(turn.now, link, frame);
    }
    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.inside.stack.on_deadline(turn.now);
        self.looks_at = turn.now + LOOK;
    }
    fn deadline(&self) -> Option<Instant> {
        self.inside.stack.deadline().into_iter().chain([self.looks_at]).min()
    }
    fn settle(&mut self, turn: &Turn<'_>) {
        while self.inside.stack.poll_event().is_some() {}
        // Programs of a real host do nothing before the first turn has ended either: the host knows of all by then.
        if !self.is_done && !self.inside.names.is_empty() {
            self.is_done = (self.deed)(&mut self.inside, turn.now);
        }
        self.inside.stack.check();
    }
    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        let link = self.inside.link;
        let forged = self.inside.forged.pop().map(|packet| (link, packet));
        forged.or_else(|| self.inside.stack.poll_frame(turn.now))
    }
    fn poll_notice(&mut self) -> Option<Notice> {
        let is_news = self.is_finished() && !self.is_unfinished() && !self.has_told_end;
        self.has_told_end |= is_news;
        is_news.then_some(Notice::HostEnded)
    }
    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice) {
        let inside = &mut self.inside;
        match notice {
            Notice::Neighbor { link, addresses, present } => {
                for address in addresses {
                    if present {
                        inside.stack.add_route(Cidr::host(address), RouteTarget::Link(link), None);
                    } else {
                        inside.stack.tcp_fail_remote(turn.now, address);
                        inside.stack.remove_route(Cidr::host(address));
                    }
                }
            }
            Notice::LinkDown { link } => {
                inside.stack.link_down(turn.now, link);
                inside.is_down = true;
            }
            Notice::Name { name, addresses } => {
                inside.names.retain(|(other, _)| *other != name);
                if !addresses.is_empty() {
                    inside.names.push((name, addresses));
                }
            }
            Notice::Serving { .. } | Notice::HostEnded => {}
        }
    }
    fn is_unfinished(&self) -> bool {
        self.inside.stack.tcp_unfinished() > 0 && !self.stop.die.load(Ordering::Acquire)
    }
    fn is_finished(&self) -> bool {
        self.is_done && self.stop.leave.load(Ordering::Acquire) || self.stop.die.load(Ordering::Acquire)
    }
}

/// A host that runs.
pub(crate) struct Running {
    pub(crate) place: Place,
    stop: Arc<Stop>,
    thread: JoinHandle<Vec<(&'static str, u64)>>,
}

impl Running {
    /// A host enters the net of `folder` and begins to do its deed.
    pub(crate) fn start(folder: &Folder, name: &str, deed: Deed) -> Running {
        let (directory, name) = (folder.directory.clone(), name.parse::<Name>().unwrap());
        let stop = Arc::new(Stop::default());
        let (tell, told) = std::sync::mpsc::channel();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let wish = Wish { name: Some(name), addresses: Vec::new() };
            let seat = Seat::take(&directory, &net(), &wish, plan()).unwrap();
            tell.send(seat.place().clone()).unwrap();
            run(seat, deed, stopped)
        });
        Running { place: told.recv_timeout(Duration::from_secs(30)).unwrap(), stop, thread }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.place.addresses[0].address()
    }

    /// Waits until the deed is done, lets the host leave, and says what its net room has counted.
    pub(crate) fn finish(self) -> Vec<(&'static str, u64)> {
        self.stop.leave.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }

    /// The same, but its process goes on as long as it is needed: the answer comes when it is not any more.
    pub(crate) fn end_of_program(self) -> JoinHandle<Vec<(&'static str, u64)>> {
        self.stop.stays.store(true, Ordering::Release);
        self.stop.leave.store(true, Ordering::Release);
        self.thread
    }

    /// Takes the host away as a SIGKILL would: nothing is said, its sockets are closed.
    pub(crate) fn kill(self) {
        self.stop.die.store(true, Ordering::Release);
        self.thread.join().unwrap();
    }
}

fn run(seat: Seat, deed: Deed, stop: Arc<Stop>) -> Vec<(&'static str, u64)> {
    let place = seat.place().clone();
    let last = place.addresses[0].address().to_string().bytes().last().unwrap();
    let mut stack = Stack::new(StackConfig::new([last; 32]));
    let link = stack.add_link(LinkConfig::in_process());
    for own in &place.addresses {
        stack.add_address(link, *own);
        stack.add_route(*own, RouteTarget::Unreachable(Unreachable::Host), None);
        if let Some(broadcast) = own.broadcast() {
            stack.add_route(Cidr::host(broadcast.into()), RouteTarget::Link(link), None);
        }
    }
    let mut net = seat.into_room(link);
    let inside = Inside { stack, link, place, names: Vec::new(), forged: Vec::new(), is_down: false };
    let mut host =
        TestHost { inside, deed, stop, is_done: false, has_told_end: false, looks_at: Instant::ZERO };
    let mut engine = Engine::new(Clock::start(), |trouble| panic!("{trouble}")).unwrap();
    engine.join((0, link), (1, net.link()), None);
    let stop = Arc::clone(&host.stop);
    engine.run(&mut [&mut host, net.as_room()]).unwrap();
    if stop.stays.load(Ordering::Acquire) {
        engine.run_while_needed(&mut [&mut host, net.as_room()]).unwrap();
    }
    net.counts()
}

pub(crate) fn net() -> Name {
    "lab".parse().unwrap()
}

pub(crate) fn plan() -> Plan {
    let gateways = ["10.77.0.1".parse().unwrap(), "fd77::1".parse().unwrap()];
    Plan::new("10.77.0.2/24".parse().unwrap(), "fd77::2/64".parse().unwrap(), gateways).unwrap()
}

/// Nothing to do: the host is there until it is let go.
pub(crate) fn idle() -> Deed {
    Box::new(|_, _| true)
}

/// An address and a port.
pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}
