//! A conversation over TCP: attempts, each with two sides, until one has come to the end that was planned.
//!
//! A connection may fail for a reason that the world gave it ([`Attempt::excuse`]): a host was switched off, its peer
//! breaks off, nobody answered the question for a neighbour. Then the client tries again. A failure without such a reason is a
//! fault of the stack.

use std::net::SocketAddr;

use ieum_socket::numbers::{IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOL_SOCKET};
use ieum_socket::{Errno, Host, SocketId};
use ieum_wire::Instant;

use super::machine::Machine;
use super::plan::{Family, StreamPlan};
use super::side::{self, End, Side};
use crate::node::NodeId;
use crate::world::World;

/// How long a client waits before it tries again.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_millis(200);

/// How many connections may wait at a listener: more than there ever are.
const BACKLOG: i32 = 8;

pub(super) const AF_INET: i32 = 2;
pub(super) const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;

/// The address family that a socket for such talk has.
pub(super) fn domain(family: Family) -> i32 {
    match family {
        Family::Ip4 => AF_INET,
        Family::Ip6 | Family::Mapped => AF_INET6,
    }
}

/// One try.
struct Attempt {
    began: Instant,
    /// The client's address, by which the server knows it.
    local: SocketAddr,
    /// The lives of both hosts when it began.
    lives: [u32; 2],
    client: Side,
    server: Option<Side>,
}

/// A conversation.
pub(super) struct Stream {
    number: usize,
    plan: StreamPlan,
    ends: [NodeId; 2],
    /// Where the server is reached.
    address: SocketAddr,
    /// The server's socket, and the life of its host.
    listener: Option<(SocketId, u32)>,
    attempts: Vec<Attempt>,
    next_attempt: Option<Instant>,
    done: bool,
}

/// What of the world excuses a failure.
#[derive(Clone, Copy)]
pub(super) struct Weather {
    /// All is well from here on.
    pub(super) calm_at: Instant,
    /// Neighbours are asked for on this wire.
    pub(super) ethernet: bool,
    /// Bits are flipped on it.
    pub(super) corrupts: bool,
}

/// For how long after the calm a question from before it may still go unanswered: three questions of a second each.
const ECHO_OF_TROUBLE: std::time::Duration = std::time::Duration::from_secs(5);

impl Stream {
    pub(super) fn new(number: usize, plan: StreamPlan, ends: [NodeId; 2], address: SocketAddr) -> Stream {
        let next_attempt = Some(plan.begins);
        Stream {
            number,
            plan,
            ends,
            address,
            listener: None,
            attempts: Vec::new(),
            next_attempt,
            done: false,
        }
    }

    /// The server listens. Again, after its host was switched on.
    pub(super) fn listen(&mut self, now: Instant, machine: &mut Machine) {
        let life = machine.lives();
        let Some(host) = machine.host_mut() else { return };
        let socket = host.socket(domain(self.plan.family), SOCK_STREAM, 0).expect("streams are served");
        side::configure(host, now, socket, &self.plan.sides[1]);
        let flags = [(SOL_SOCKET, SO_REUSEADDR, 1), (IPPROTO_IPV6, IPV6_V6ONLY, 0)];
        let flags = &flags[..if domain(self.plan.family) == AF_INET6 { 2 } else { 1 }];
        for (level, name, value) in flags {
            let set = host.set_option(now, socket, *level, *name, &i32::to_ne_bytes(*value));
            assert_eq!(set, Ok(()), "a fresh socket takes that");
        }
        let any = match self.plan.family {
            Family::Ip4 => SocketAddr::from(([0, 0, 0, 0], self.address.port())),
            Family::Ip6 | Family::Mapped => SocketAddr::from(([0u16; 8], self.address.port())),
        };
        assert_eq!(host.bind(socket, any), Ok(()), "nobody else has that port");
        assert_eq!(host.listen(socket, BACKLOG), Ok(()), "nobody else listens there");
        self.listener = Some((socket, life));
    }

    /// Everybody does what can be done now, those whose host was told something and those whose time has come.
    pub(super) fn pump(&mut self, world: &mut World<Machine>, told: &[bool], weather: Weather) {
        let now = world.now();
        if self.next_attempt.is_some_and(|at| at <= now) {
            self.next_attempt = None;
            self.begin(world);
        }
        if told[self.ends[1].0] {
            self.accept(world);
        }
        for attempt in &mut self.attempts {
            for side in std::iter::once(&mut attempt.client).chain(&mut attempt.server) {
                if told[side.node.0] || side.due.is_some_and(|due| due <= now) {
                    let before = side.end;
                    side.pump(world);
                    if side.end != before {
                        let (number, host, end) = (self.number, side.node.0, side.end);
                        world.note(|| format!("stream {number} at host {host}: {end:?}"));
                    }
                }
            }
        }
        self.judge(world, weather);
    }

    /// The host that listens.
    pub(super) fn server(&self) -> NodeId {
        self.ends[1]
    }

    /// Everything has come to its end.
    pub(super) fn is_done(&self) -> bool {
        let mut sides =
            self.attempts.iter().flat_map(|attempt| [Some(&attempt.client), attempt.server.as_ref()]);
        self.done && sides.all(|side| side.is_none_or(|side| side.end.is_some()))
    }

    /// The server ceases to listen.
    pub(super) fn close(&mut self, now: Instant, machine: &mut Machine) {
        if let Some((socket, life)) = self.listener.take()
            && let Some(host) = machine.host_of(life)
        {
            host.close(now, socket);
        }
    }

    /// The side whose course is drawn: the client of the last attempt; and what the server has read of it.
    pub(super) fn course(&self) -> Option<(&Side, u64)> {
        let attempt = self.attempts.last()?;
        Some((&attempt.client, attempt.server.as_ref().map_or(0, |server| server.received)))
    }

    /// Bytes that reached their readers.
    pub(super) fn received(&self) -> u64 {
        let sides = self.attempts.iter().flat_map(|attempt| [Some(&attempt.client), attempt.server.as_ref()]);
        sides.flatten().map(|side| side.received).sum()
    }

    /// How it stands, for a report.
    pub(super) fn told(&self, world: &World<Machine>) -> String {
        let side = |side: &Side| {
            let Side { sent, received, end, .. } = side;
            let info = side.info(world);
            format!("host {}: {end:?}, sent {sent}, received {received}, {info:?}", side.node.0)
        };
        let attempts = self.attempts.iter().map(|attempt| {
            let server = attempt.server.as_ref().map_or_else(|| "nobody accepted".to_owned(), side);
            format!(
                "\n  from {} at {:?}\n    {}\n    {server}",
                attempt.local,
                attempt.began,
                side(&attempt.client)
            )
        });
        format!("stream {}, done: {}{}", self.number, self.done, attempts.collect::<String>())
    }

    /// The client tries.
    fn begin(&mut self, world: &mut World<Machine>) {
        let (now, [client, server]) = (world.now(), self.ends);
        let lives = [world.node(client).lives(), world.node(server).lives()];
        let Some(host) = world.node_mut(client).host_mut() else {
            self.try_later(world);
            return;
        };
        let socket = host.socket(domain(self.plan.family), SOCK_STREAM, 0).expect("streams are served");
        side::configure(host, now, socket, &self.plan.sides[0]);
        let [plan, other] = self.plan.sides;
        let key = self.key(self.attempts.len());
        let mut client = Side::new(now, (client, lives[0], socket), plan, (key, !key), &other);
        let address = Some(self.plan.family.written(self.address));
        let connecting = if self.plan.fast_open {
            let bytes = client.first_bytes();
            host.send_fast_open(now, socket, &bytes, address).map(|count| client.sent_with_syn(count))
        } else {
            host.connect(now, socket, address).map(drop)
        };
        match connecting {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => panic!(
                "stream {}: the client has a route to the server, but connecting says {errno:?}",
                self.number
            ),
        }
        let local = plain(host.local_address(socket).expect("who connects has an address"));
        world.note(|| format!("stream {} connects from {local} to {}", self.number, self.address));
        self.attempts.push(Attempt { began: now, local, lives, client, server: None });
    }

    fn try_later(&mut self, world: &mut World<Machine>) {
        let at = world.now() + RETRY_AFTER;
        self.next_attempt = Some(at);
        world.wake_at(at);
    }

    fn accept(&mut self, world: &mut World<Machine>) {
        let now = world.now();
        let Some((listener, life)) = self.listener else { return };
        loop {
            let Some(host) = world.node_mut(self.ends[1]).host_of(life) else { return };
            let (socket, remote) = match side::unless_again(host.accept(listener)) {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return,
                Err(errno) => panic!("stream {}: accept says {errno:?}", self.number),
            };
            let remote = plain(remote);
            let [other, plan] = self.plan.sides;
            let number = self.number;
            let index = self.attempts.iter().rposition(|attempt| attempt.local == remote);
            let index = index.unwrap_or_else(|| panic!("stream {number}: {remote} never connected"));
            if self.attempts[index].server.is_some() {
                // RFC 7413 §2.1: a SYN with data that came twice, the second time after all was over, or in another life.
                // Nobody talks there: an end of the stream would tell a client that waits that all was said.
                assert!(self.plan.fast_open, "stream {number}: one SYN makes one connection");
                host.abort(now, socket);
                continue;
            }
            let key = self.key(index);
            let side = Side::new(now, (self.ends[1], life, socket), plan, (!key, key), &other);
            world.note(|| format!("stream {number} is accepted from {remote}"));
            let attempt = &mut self.attempts[index];
            attempt.server = Some(side);
            if let Some(side) = &mut attempt.server {
                side.pump(world);
            }
        }
    }

    /// Bytes of one attempt are not those of another.
    fn key(&self, attempt: usize) -> u64 {
        u64::try_from(attempt << 16 | self.number).unwrap_or(0)
    }

    /// What the last attempt has come to.
    fn judge(&mut self, world: &mut World<Machine>, weather: Weather) {
        if self.done || self.next_attempt.is_some() {
            return;
        }
        let now = world.now();
        let lives = self.ends.map(|end| world.node(end).lives());
        let off = self.ends.map(|end| world.node(end).host().is_none());
        let Some(attempt) = self.attempts.last() else { return };
        // A side of an earlier attempt is judged as well: its excuse lies in that attempt's own time.
        for attempt in &self.attempts {
            for failure in attempt.failures() {
                let switched = attempt.lives != lives || off != [false; 2];
                let excused = switched || attempt.excuse(failure, weather, now);
                assert!(excused, "stream {}: {failure:?} without a reason", self.number);
            }
        }
        match (attempt.client.end, attempt.server.as_ref().map(|side| side.end)) {
            // One side breaks off, as planned: what becomes of the other is seen by `is_done`.
            (Some(End::Planned), _)
            | (_, Some(Some(End::Planned)))
            | (Some(End::Whole), Some(Some(End::Whole))) => {
                self.done = true;
            }
            (Some(End::Failed(_) | End::Gone), _) | (_, Some(Some(End::Failed(_) | End::Gone))) => {
                self.try_later(world);
            }
            // It was over before it was accepted, and with one of the hosts what it had said is gone.
            (Some(End::Whole), None) if attempt.lives != lives || off != [false; 2] => self.try_later(world),
            (None | Some(End::Whole), _) => {}
        }
    }
}

impl Attempt {
    fn failures(&self) -> impl Iterator<Item = Errno> {
        let ends = [self.client.end, self.server.as_ref().and_then(|side| side.end)];
        ends.into_iter().filter_map(|end| match end {
            Some(End::Failed(errno)) => Some(errno),
            Some(End::Whole | End::Planned | End::Gone) | None => None,
        })
    }

    /// Did the world give it a reason to fail like that?
    fn excuse(&self, errno: Errno, weather: Weather, now: Instant) -> bool {
        let planned = |side: &Side| side.end == Some(End::Planned);
        let peer_breaks = planned(&self.client) || self.server.as_ref().is_some_and(planned);
        // Of a side that has failed it may be some time since.
        let in_trouble = self.began < weather.calm_at;
        let passing = now < weather.calm_at + ECHO_OF_TROUBLE || in_trouble;
        match errno {
            Errno::ECONNRESET | Errno::EPIPE | Errno::ETIMEDOUT => {
                // Who took data with a SYN may have a connection whose client has given up.
                let gave_up = self.client.end == Some(End::Failed(Errno::EHOSTUNREACH));
                // Who answers a SYN and finds the neighbor silent gives the connection up, and the client hears of it with its next
                // word.
                let given_up = self.server.is_none() && errno != Errno::ETIMEDOUT;
                peer_breaks || (gave_up || given_up) && self.excuse(Errno::EHOSTUNREACH, weather, now)
            }
            Errno::EHOSTUNREACH => weather.ethernet && passing,
            // A flipped bit made it a protocol that nobody speaks; IPv6 has no checksum there.
            Errno::EPROTO | Errno::ENOPROTOOPT => weather.corrupts && in_trouble,
            _ => false,
        }
    }
}

/// The address without IPv6's mapping of IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Takes what a host has to tell: has it told anything?
pub(super) fn told(host: &mut Host) -> bool {
    let mut any = false;
    while host.poll_event().is_some() {
        any = true;
    }
    any
}
