//! Hosts and the links between them, under one lock; and the thread that sleeps for them.

mod join;
mod leave;
mod link;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use ieum_engine::{Clock, DeviceRoom, Notice, Poller, Room, Sleeper, Told, Turn};
use ieum_stack::{LinkConfig, LinkId};
use ieum_wire::{Instant, Packet};

use crate::bell::Bell;
use crate::bounds::{LINGER, MTU_BYTES_MAX, TURNS_PER_CALL_MAX};
use crate::host::HostBuilder;
use crate::outlet::OutletRoom;
use crate::room::HostRoom;
use crate::segment::{End, Segment, To};

pub use link::Link;

/// Hosts of this process, and the links between them.
///
/// A handle: clones are the same network. It has one lock and one thread, which sleeps until a timer or a descriptor of
/// the machine wants something. Hosts that are to work at the same time on several cores belong to networks of their
/// own.
///
/// It lives as long as a handle of it, of one of its hosts or of one of their sockets does, and after that until what closed
/// connections have left is delivered, 60 s at most. Like any thread it ends with the process: who wants the last bytes to
/// arrive before `main` returns reads until the peer has closed.
#[derive(Clone)]
pub struct Network(Arc<Handle>);

/// What users hold: the network is told when nobody does any more.
struct Handle(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    bell: Bell,
    /// The thread has handed on what it was told, and somebody had left.
    heard: Condvar,
}

/// All that is under the lock.
///
/// Invariants:
///
/// 1. Whoever has been touched is in `busy`, until his turn: nobody else's turn is of any use, and a network of a thousand hosts
///    costs a call no more than one of two.
/// 2. `deadlines` has what each room said at its last turn.
/// 3. No waker is called, cloned or dropped under the lock: all of that is other people's code, which may call us.
pub(crate) struct Inner {
    poller: Poller,
    clock: Clock,
    /// Their places are their numbers: a host that has left keeps its own.
    dwellers: Vec<Dweller>,
    /// Places of others that have left.
    spare_places: Vec<usize>,
    pub(crate) segments: Vec<Segment>,
    /// Links that nobody holds and no host is on.
    spare_segments: Vec<usize>,
    /// Who waits for descriptors of the machine, by the numbers of the poller. 0 is the bell's; who has left is nobody.
    sources: Vec<Option<usize>>,
    /// Numbers of the poller that nobody has.
    spare_sources: Vec<u8>,
    /// The same of those who have left since the thread handed on what it was told.
    retired_sources: Vec<u8>,
    /// The network's own thread.
    thread: Option<ThreadId>,
    busy: VecDeque<usize>,
    deadlines: BTreeSet<(Instant, usize)>,
    sleep: Sleep,
    /// Wakers to be called when the lock is free again.
    woken: Vec<Waker>,
    /// Wakers to be dropped then.
    spent: Vec<Waker>,
    /// Who has left, to be dropped then: an outlet may hold wakers, and the machine takes its time to delete an interface.
    left: Vec<Inhabitant>,
    /// Nobody holds the network any more.
    is_left: bool,
    /// Its thread has ended before its time.
    is_broken: bool,
}

/// Somebody who lives in a network.
struct Dweller {
    room: Inhabitant,
    /// Its number at the poller.
    source: u8,
    /// Where each of its links leads.
    links: Vec<(LinkId, usize)>,
    /// A host's exit.
    exit: Option<usize>,
    is_busy: bool,
    /// What stands in `deadlines`.
    deadline: Option<Instant>,
}

enum Inhabitant {
    Host(Box<HostRoom>),
    /// The end of a link for packets.
    Outlet(Box<OutletRoom>),
    /// A device at the end of a link.
    Device(Box<DeviceRoom>),
    /// An exit.
    Other(Box<dyn Room + Send>),
    /// Whoever it was has left.
    Nobody,
}

/// What the network's own thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sleep {
    /// It looks at everything before it sleeps again.
    Awake,
    /// It sleeps until then, or until a source is ready.
    Until(Option<Instant>),
}

impl Network {
    /// A network without hosts.
    ///
    /// # Errors
    ///
    /// When the machine gives no descriptors or no thread.
    pub fn new() -> io::Result<Network> {
        let (poller, bell) = (Poller::new()?, Bell::new()?);
        bell.watch(&poller.turn(Instant::ZERO, 0))?;
        let watched = poller.clone();
        let inner = Inner {
            poller,
            clock: Clock::start(),
            dwellers: Vec::new(),
            spare_places: Vec::new(),
            segments: Vec::new(),
            spare_segments: Vec::new(),
            sources: vec![None],
            spare_sources: Vec::new(),
            retired_sources: Vec::new(),
            thread: None,
            busy: VecDeque::new(),
            deadlines: BTreeSet::new(),
            sleep: Sleep::Awake,
            woken: Vec::new(),
            spent: Vec::new(),
            left: Vec::new(),
            is_left: false,
            is_broken: false,
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), bell, heard: Condvar::new() });
        let sleepless = Arc::clone(&shared);
        thread::Builder::new().name("ieum".to_owned()).spawn(move || sleepless.run(&watched))?;
        Ok(Network(Arc::new(Handle(shared))))
    }

    /// Chooses what another host of it is to be.
    pub fn host(&self) -> HostBuilder {
        HostBuilder::of(self.clone())
    }

    /// Another link, with an MTU of 1500 bytes. Super-segments cross it whole, and checksums, which nothing could harm
    /// on the way, are not computed.
    pub fn link(&self) -> Link {
        self.link_like(LinkConfig::in_process())
    }

    /// Another link of which the choice is yours. An MTU above 65,535 bytes is that: no packet of IP is longer (RFC 791 §3.1).
    pub fn link_like(&self, config: LinkConfig) -> Link {
        let config = LinkConfig { mtu_bytes: config.mtu_bytes.min(MTU_BYTES_MAX), ..config };
        let number = self.lock().new_segment(config, true);
        Link::of(self, number)
    }

    /// Are the two handles of one network?
    pub(crate) fn is(&self, other: &Network) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// One call on a host, and everything that follows at once: the packets it causes cross, their receivers answer, and
    /// whoever waited for that is woken.
    pub(crate) fn with<T>(&self, number: usize, call: impl FnOnce(Instant, &mut HostRoom) -> T) -> T {
        let mut inner = self.lock();
        let now = inner.clock.now();
        let value = call(now, inner.host(number));
        inner.touch(number);
        self.0.0.settle(inner);
        value
    }

    /// The same for a question, after which nothing follows.
    pub(crate) fn look<T>(&self, number: usize, question: impl FnOnce(Instant, &mut HostRoom) -> T) -> T {
        let mut inner = self.lock();
        let now = inner.clock.now();
        question(now, inner.host(number))
    }

    /// [`Network::with`] for the end of a link.
    pub(crate) fn with_outlet(&self, number: usize, call: impl FnOnce(&mut OutletRoom)) {
        let mut inner = self.lock();
        if let Some(Inhabitant::Outlet(outlet)) =
            inner.dwellers.get_mut(number).map(|dweller| &mut dweller.room)
        {
            call(outlet);
            inner.touch(number);
        }
        self.0.0.settle(inner);
    }

    /// Is this the thread by which everything comes that others wait for? It calls their wakers, and drops them.
    pub(crate) fn is_own_thread(&self) -> bool {
        self.lock().thread == Some(thread::current().id())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.0.lock()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().is_left = true;
        self.0.bell.ring();
    }
}

impl Shared {
    /// A call that panicked has broken an assertion of its own host, which will say so again; the others are as they were.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything moves that can; then the lock is given back, and whoever is to be told of anything is.
    fn settle(&self, mut inner: MutexGuard<'_, Inner>) {
        let due = inner.settle();
        // A thread that would sleep too long is told of it.
        let oversleeps = matches!(inner.sleep, Sleep::Until(until) if is_sooner(due, until));
        if oversleeps {
            inner.sleep = Sleep::Awake;
        }
        Shared::unlock(inner);
        if oversleeps {
            self.bell.ring();
        }
    }

    fn unlock(mut inner: MutexGuard<'_, Inner>) {
        let (woken, spent) = (std::mem::take(&mut inner.woken), std::mem::take(&mut inner.spent));
        let left = std::mem::take(&mut inner.left);
        drop(inner);
        wake_all(woken);
        drop((spent, left));
    }

    /// The network's thread, to its end. Should it break an assertion, whoever waits for what it was to bring is told so.
    fn run(&self, poller: &Poller) {
        if catch_unwind(AssertUnwindSafe(|| self.sleep(poller))).is_ok() {
            return;
        }
        let mut inner = self.lock();
        inner.break_down();
        Shared::unlock(inner);
    }

    fn sleep(&self, poller: &Poller) {
        let (mut sleeper, mut told, mut left_at) = (Sleeper::new(poller), Vec::new(), None);
        loop {
            let mut inner = self.lock();
            inner.thread = Some(thread::current().id());
            inner.hand_on(&self.bell, &told);
            if inner.recall_sources() {
                self.heard.notify_all();
            }
            let mut due = inner.settle();
            let now = inner.clock.now();
            if inner.is_left {
                let end = *left_at.get_or_insert(now) + LINGER;
                if now >= end || !inner.is_unfinished() {
                    return;
                }
                due = Some(due.map_or(end, |due| due.min(end)));
            }
            inner.sleep = Sleep::Until(due);
            // Other people's code has panicked, and said so; what is the network's is whole, and others need it.
            let _ = catch_unwind(AssertUnwindSafe(|| Shared::unlock(inner)));
            if sleeper.wait(due.map(|due| due.since(now)), &mut told).is_err() {
                // Its descriptor lives as long as it does: there is no such error.
                return;
            }
        }
    }
}

impl Inner {
    /// The thread has ended.
    fn break_down(&mut self) {
        self.is_broken = true;
        let Inner { dwellers, woken, spent, .. } = self;
        for dweller in dwellers {
            match &mut dweller.room {
                Inhabitant::Host(host) => {
                    host.break_down();
                    host.hand_over(woken, spent);
                }
                Inhabitant::Outlet(outlet) => {
                    outlet.break_down();
                    outlet.hand_over(woken);
                }
                Inhabitant::Device(_) | Inhabitant::Other(_) | Inhabitant::Nobody => {}
            }
        }
    }

    pub(crate) fn host(&mut self, number: usize) -> &mut HostRoom {
        match self.dwellers.get_mut(number).map(|dweller| &mut dweller.room) {
            Some(Inhabitant::Host(host)) => host,
            Some(
                Inhabitant::Outlet(_) | Inhabitant::Device(_) | Inhabitant::Other(_) | Inhabitant::Nobody,
            )
            | None => {
                unreachable!("a host's handle has the number of a host")
            }
        }
    }

    /// Something happened to a room: it is to have its turn.
    pub(crate) fn touch(&mut self, number: usize) {
        let dweller = &mut self.dwellers[number];
        if !dweller.is_busy {
            dweller.is_busy = true;
            self.busy.push_back(number);
        }
    }

    /// What the thread has heard, and whose deadlines have come.
    fn hand_on(&mut self, bell: &Bell, told: &[Told]) {
        let now = self.clock.now();
        for (source, key, ready) in told {
            if *source == 0 {
                bell.hear();
            } else if let Some(number) = self.sources.get(usize::from(*source)).copied().flatten() {
                let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, number);
                room.on_ready(&turn, *key, *ready);
                self.touch(number);
            }
        }
        while let Some((deadline, number)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.dwellers[number].deadline = None;
            let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, number);
            room.on_deadline(&turn);
            self.touch(number);
        }
    }

    /// All who have been touched have their turns, and whom they touch, until all are quiet. When something will happen without
    /// anybody's call.
    fn settle(&mut self) -> Option<Instant> {
        for _ in 0..TURNS_PER_CALL_MAX {
            let Some(number) = self.busy.pop_front() else {
                return self.deadlines.first().map(|(deadline, _)| *deadline);
            };
            self.dwellers[number].is_busy = false;
            self.turn(number);
        }
        Some(Instant::ZERO)
    }

    /// The turn of one room: it looks at its events; what it then wants to send crosses its link at once.
    fn turn(&mut self, number: usize) {
        let now = self.clock.now();
        let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, number);
        room.settle(&turn);
        loop {
            let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, number);
            let Some((link, frame)) = room.poll_frame(&turn) else { break };
            self.cross(now, (number, link), frame);
        }
        self.tell(now, number);
        let Inner { dwellers, deadlines, woken, spent, .. } = self;
        let dweller = &mut dwellers[number];
        match &mut dweller.room {
            Inhabitant::Host(host) => host.hand_over(woken, spent),
            Inhabitant::Outlet(outlet) => outlet.hand_over(woken),
            Inhabitant::Device(_) | Inhabitant::Other(_) | Inhabitant::Nobody => {}
        }
        let deadline = dweller.room().deadline();
        if deadline != dweller.deadline {
            dweller.deadline.inspect(|before| {
                deadlines.remove(&(*before, number));
            });
            deadlines.extend(deadline.map(|deadline| (deadline, number)));
            dweller.deadline = deadline;
        }
    }

    /// A packet crosses its link.
    fn cross(&mut self, now: Instant, from: End, frame: Packet) {
        let Some(segment) = self.segment(from) else { return };
        match self.segments[segment].way(from, &frame) {
            To::Nobody => {}
            To::Absent => {
                if let Inhabitant::Host(host) = &mut self.dwellers[from.0].room {
                    host.host.on_silence(now, &frame);
                    self.touch(from.0);
                }
            }
            To::One(end) => self.arrive(now, end, frame),
            To::Others => {
                let others: Vec<End> = self.segments[segment].others(from).collect();
                for end in others {
                    self.arrive(now, end, frame.clone());
                }
            }
        }
    }

    fn arrive(&mut self, now: Instant, (number, link): End, frame: Packet) {
        let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, number);
        room.on_frame(&turn, link, frame);
        self.touch(number);
    }

    /// What a room has to tell those on its links.
    fn tell(&mut self, now: Instant, number: usize) {
        while let Some(notice) = self.dwellers[number].room().poll_notice() {
            let links = self.dwellers[number].links.iter();
            let ends: Vec<End> =
                links.flat_map(|(link, segment)| self.segments[*segment].others((number, *link))).collect();
            for (other, link) in ends {
                let mut notice = notice.clone();
                if let Notice::LinkDown { link: gone } = &mut notice {
                    // Each has a name of its own for the link.
                    *gone = link;
                }
                let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, other);
                room.on_notice(&turn, notice);
                self.touch(other);
            }
        }
    }

    fn segment(&self, (number, link): End) -> Option<usize> {
        self.dwellers[number].links.iter().find(|(name, _)| *name == link).map(|(_, segment)| *segment)
    }

    fn is_unfinished(&self) -> bool {
        !self.busy.is_empty()
            || self.dwellers.iter().any(|dweller| match &dweller.room {
                Inhabitant::Host(host) => host.is_unfinished(),
                Inhabitant::Outlet(outlet) => outlet.is_unfinished(),
                Inhabitant::Device(device) => device.is_unfinished(),
                Inhabitant::Other(room) => room.is_unfinished(),
                Inhabitant::Nobody => false,
            })
    }
}

impl Dweller {
    fn room(&mut self) -> &mut dyn Room {
        match &mut self.room {
            Inhabitant::Host(host) => &mut **host,
            Inhabitant::Outlet(outlet) => &mut **outlet,
            Inhabitant::Device(device) => &mut **device,
            Inhabitant::Other(room) => &mut **room,
            Inhabitant::Nobody => unreachable!("nothing names the place of who has left"),
        }
    }
}

/// A room, and its turn.
fn turn_of<'a>(
    dwellers: &'a mut [Dweller],
    poller: &'a Poller,
    now: Instant,
    number: usize,
) -> (&'a mut dyn Room, Turn<'a>) {
    let dweller = &mut dwellers[number];
    let turn = poller.turn(now, dweller.source);
    (dweller.room(), turn)
}

/// Wakes them all, although one may panic: those behind it would wait for ever. The first panic goes on when all are woken.
fn wake_all(woken: Vec<Waker>) {
    let mut panicked = None;
    for waker in woken {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panicked.get_or_insert(payload);
        }
    }
    if let Some(payload) = panicked {
        resume_unwind(payload);
    }
}

/// Is the first before the second? None is never.
fn is_sooner(due: Option<Instant>, until: Option<Instant>) -> bool {
    due.is_some_and(|due| until.is_none_or(|until| due < until))
}

/// How long until then, for who sleeps.
pub(crate) fn until(now: Instant, then: Instant) -> Duration {
    // The clock counts whole microseconds: without one more a sleeper would wake too early and turn in vain.
    then.since(now) + Duration::from_micros(1)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::{Context, Poll};

    use ieum_engine::Ready;
    use ieum_socket::Errno;

    use super::*;

    /// Breaks an assertion at its first deadline, which the network's thread alone keeps.
    struct Breaks(mpsc::Receiver<()>);

    impl Room for Breaks {
        fn start(&mut self, _turn: &Turn<'_>) -> io::Result<()> {
            Ok(())
        }
        fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}
        fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, _frame: Packet) {}
        fn on_deadline(&mut self, _turn: &Turn<'_>) {
            assert!(self.0.try_recv().is_err(), "this is a test's own panic");
        }
        fn deadline(&self) -> Option<Instant> {
            Some(Instant::ZERO)
        }
        fn settle(&mut self, _turn: &Turn<'_>) {}
        fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
            None
        }
        fn poll_notice(&mut self) -> Option<Notice> {
            None
        }
        fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}
        fn is_unfinished(&self) -> bool {
            false
        }
    }

    #[test]
    fn who_waits_is_told_when_the_networks_thread_has_ended() {
        let network = Network::new().unwrap();
        let host = network.host().build().unwrap();
        let listener = host.listen("127.0.0.1:80").unwrap();
        let waiting = thread::spawn(move || (listener.accept().map(drop).unwrap_err(), listener));
        let (_link, outlet) = network.outlet_link(1500).unwrap();
        let carrying = thread::spawn(move || (outlet.recv().unwrap_err(), outlet));
        let (end, heard) = mpsc::channel();
        network.lock().add_exit(Box::new(Breaks(heard))).unwrap();
        network.with(0, |_, _| {});
        host.until_waiters(1);
        end.send(()).unwrap();
        let (error, listener) = waiting.join().unwrap();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTRECOVERABLE.0));
        assert!(listener.accept().is_err(), "nor does anybody wait who comes later");
        let (error, outlet) = carrying.join().unwrap();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTRECOVERABLE.0));
        assert!(outlet.recv().is_err() && network.outlet_link(1500).unwrap().1.recv().is_err());
        let asked = outlet.poll_recv(&Context::from_waker(Waker::noop()));
        assert!(matches!(asked, Poll::Ready(Err(_))));
        assert!(network.host().build().unwrap().udp("127.0.0.1:1").unwrap().recv(&mut [0]).is_err());
    }
}
