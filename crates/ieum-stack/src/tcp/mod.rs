//! TCP (RFC 9293).
//!
//! [`Tcp`] holds all connections of a stack and the tables that find them. Everything that happens enters by one of
//! three doors, named after RFC 9293 §3.10: a segment ([`receive`], then [`segment_arrives`]), a user call
//! ([`user_call`]), a time-out ([`timeout`]). None of them sends. They change facts and put the connection into the
//! FIFO of debtors; [`transmit`] pays, one packet at a time, when it is asked.
//!
//! Invariants:
//!
//! 1. The demultiplexing table names each 4-tuple once: a connection, a half-open one, or a TIME-WAIT.
//! 2. A connection or TIME-WAIT that stands in that table occupies its local port, and vacates it when it leaves; a
//!    half-open one needs no port of its own, its listener has it.
//! 3. A connection that may have something to say stands in the FIFO of debtors, once.
//! 4. A connection that waits for a time is known to the timers under that time or an earlier one.
//! 5. A closed connection that nobody holds does not exist.
//!
//! Files, in the order in which a passive connection meets them: [`segment`], [`receive`], [`listener`], [`half_open`]
//! with [`peer_syn`] and [`isn`] (or, without room for it, [`syn_cookie`]), [`connection`] with [`open`] (whose halves
//! are [`send`] and [`recv`], whose bytes lie in a [`byte_queue`]), [`segment_arrives`], [`user_call`], [`timers`] and
//! [`timeout`], [`transmit`], [`time_wait`]; [`handshake`] is the active open, [`fast_open`] what lets data go with it
//! ([`fast_connect`]; [`syn_ack`] is what its passive side still has to say; [`syn_timer`] repeats either), [`ecn`]
//! what marks mean, [`path`] how large segments may be, [`marks`] what the user hears of what is sent; [`reply`] what
//! is said without a connection.

pub(crate) mod bounds;
mod byte_queue;
mod connection;
mod ecn;
mod fast_connect;
mod fast_open;
mod half_open;
mod handshake;
mod info;
mod isn;
mod listener;
mod marks;
mod open;
mod path;
mod peer_syn;
mod receive;
mod recv;
mod reply;
mod rules;
mod segment;
mod segment_arrives;
mod send;
mod settings;
mod state;
mod status;
mod syn_ack;
mod syn_cookie;
mod syn_timer;
mod time_wait;
mod timeout;
mod timers;
mod totals;
mod transmit;
mod tuple;
mod user_call;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use ieum_wire::Instant;
use slotmap::SlotMap;

pub use self::connection::Failure;
pub use self::ecn::{AccurateCounts, EcnMode, EcnOption, EcnRules};
pub use self::fast_open::{FastOpenKey, FastOpenKeys, FastOpenMode};
pub use self::half_open::{Refusal, Request};
pub use self::info::Info;
pub use self::marks::{Passed, Passing, StreamPosition};
pub use self::recv::UrgentByte;
pub use self::rules::{SynCookies, TcpRules, TimeWaitReuse};
pub use self::send::{Belief, Counts, HeldTimes, WriteEnd};
pub use self::settings::{CongestionName, Keepalive, MtuProbing, TcpSettings, Tuning};
pub use self::state::State;
pub use self::status::{Listed, Status};
pub use self::user_call::{ConnectError, ListenError};

use self::bounds::{REPLIES_MAX, TIME_WAIT, TIME_WAITS_MAX};
use self::connection::{Connection, Holder, Phase};
use self::half_open::HalfOpen;
use self::isn::Secrets;
use self::listener::Listener;
use self::reply::Reply;
use self::syn_cookie::SynCookie;
use self::time_wait::TimeWait;
use self::timers::{Sleeper, Timers};
use self::tuple::FourTuple;
use crate::chance::{Chance, Keyed};
use crate::context::Context;
use crate::drops::{Drop, Drops};
use crate::event::Event;
use crate::link::LinkId;

slotmap::new_key_type! {
    /// Names a listening TCP endpoint.
    pub struct ListenerId;
    /// Names a half-open passive connection (an entry of a SYN queue).
    pub struct HalfOpenId;
    /// Names a TCP connection.
    pub struct ConnectionId;
    /// Names a TIME-WAIT.
    struct TimeWaitId;
}

/// To whom a 4-tuple belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    Connection(ConnectionId),
    HalfOpen(HalfOpenId),
    TimeWait(TimeWaitId),
}

/// Who may have something to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Debtor {
    Connection(ConnectionId),
    HalfOpen(HalfOpenId),
}

/// All of TCP in one stack.
pub(crate) struct Tcp {
    connections: SlotMap<ConnectionId, Connection>,
    half_opens: SlotMap<HalfOpenId, HalfOpen>,
    listeners: SlotMap<ListenerId, Listener>,
    time_waits: SlotMap<TimeWaitId, TimeWait>,
    /// In the order in which they end: all last equally long.
    time_wait_queue: VecDeque<TimeWaitId>,
    /// The one table that finds the owner of a segment; keyed, so that peers cannot make entries collide.
    demux: HashMap<FourTuple, Owner, Keyed>,
    /// Listeners by address (specific or unspecified) and port; several with SO_REUSEPORT.
    listening: HashMap<SocketAddr, Vec<ListenerId>, Keyed>,
    /// Who takes what nobody listens for.
    listens_any: Option<ListenerId>,
    debts: VecDeque<Debtor>,
    replies: VecDeque<Reply>,
    timers: Timers,
    secrets: Secrets,
    spread: Keyed,
    offers: Offers,
    rules: TcpRules,
    /// Connections that nobody holds and that are not over.
    orphans: u32,
    cookies: SynCookie,
    /// What clients know of servers (RFC 7413 §4.1.3).
    paths: fast_open::Paths,
}

/// What a SYN offers, and its answer accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    /// Timestamps (RFC 7323 §3).
    pub(crate) timestamps: bool,
    /// Selective acknowledgements (RFC 2018 §2).
    pub(crate) sack: bool,
    /// Scaled windows (RFC 7323 §2).
    pub(crate) window_scaling: bool,
    /// Explicit congestion notification (RFC 3168 §6.1.1).
    pub(crate) ecn: EcnRules,
}

impl std::fmt::Debug for Tcp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (connections, half_opens) = (self.connections.len(), self.half_opens.len());
        let (listeners, time_waits) = (self.listeners.len(), self.time_waits.len());
        write!(
            f,
            "Tcp({connections} connections, {half_opens} half-open, {listeners} listeners, {time_waits} TIME-WAIT)"
        )
    }
}

impl Tcp {
    /// No connection yet.
    pub(crate) fn new(offers: Offers, chance: &mut Chance) -> Tcp {
        let (demux, listening) = (chance.keyed(), chance.keyed());
        let secrets = Secrets::new(chance);
        let spread = chance.keyed();
        Tcp {
            connections: SlotMap::with_key(),
            half_opens: SlotMap::with_key(),
            listeners: SlotMap::with_key(),
            time_waits: SlotMap::with_key(),
            time_wait_queue: VecDeque::new(),
            demux: HashMap::with_hasher(demux),
            listening: HashMap::with_hasher(listening),
            listens_any: None,
            debts: VecDeque::new(),
            replies: VecDeque::new(),
            timers: Timers::default(),
            secrets,
            cookies: SynCookie::new(spread.derived("syn cookies")),
            spread,
            offers,
            rules: TcpRules::default(),
            orphans: 0,
            paths: fast_open::Paths::default(),
        }
    }

    /// What holds for all connections, from now on.
    pub(crate) fn set_rules(&mut self, rules: TcpRules) {
        self.rules = rules;
    }

    /// The same.
    pub(crate) fn rules(&self) -> TcpRules {
        self.rules
    }

    /// What SYNs offer, from now on.
    pub(crate) fn set_offers(&mut self, offers: Offers) {
        self.offers = offers;
    }

    /// What is meant by ECN from now on.
    pub(crate) fn set_ecn(&mut self, rules: EcnRules) {
        self.offers.ecn = rules;
    }

    /// When something is to be done next without anything arriving.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let time_wait =
            self.time_wait_queue.front().and_then(|id| self.time_waits.get(*id)).map(|it| it.until);
        [self.timers.first(), time_wait].into_iter().flatten().min()
    }

    /// After anything that happened to a connection: it may owe, sleep, and have news.
    fn settle(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if matches!(connection.phase, Phase::Closed(_)) {
            self.timers.forget(Sleeper::Connection(id), connection.timer_at.take());
            if connection.holder == Holder::Nobody {
                self.connections.remove(id);
                return;
            }
        } else {
            connection.news |= connection.open_mut().is_some_and(|open| open.has_passed_marks(cx.now));
            let wanted = connection.deadline();
            self.timers.want(Sleeper::Connection(id), &mut connection.timer_at, wanted);
            if !connection.in_debt {
                connection.in_debt = true;
                self.debts.push_back(Debtor::Connection(id));
            }
        }
        if connection.news && connection.holder == Holder::User {
            cx.events.push(Event::Connection(id));
        }
        connection.news = false;
    }

    /// Owes a segment that belongs to no connection.
    fn owe_reply(&mut self, drops: &mut Drops, reply: Reply) {
        if self.replies.len() == REPLIES_MAX {
            drops.count(Drop::TcpReplyQueueFull);
            return;
        }
        self.replies.push_back(reply);
    }

    /// A new connection takes its place in the tables.
    fn enter(&mut self, cx: &mut Context<'_>, connection: Connection) -> ConnectionId {
        let (tuple, hold) = (connection.tuple, connection.hold);
        let id = self.connections.insert(connection);
        self.demux.insert(tuple, Owner::Connection(id));
        cx.ports.occupy(tuple.local, hold);
        id
    }

    /// Any state → CLOSED: the connection leaves the tables; a user that holds it still reads what arrived.
    fn leave(&mut self, cx: &mut Context<'_>, id: ConnectionId, failure: Option<Failure>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if matches!(connection.phase, Phase::Closed(_)) {
            return;
        }
        let pending =
            connection.open().and_then(|open| open.syn_ack.as_ref()).map(|syn_ack| syn_ack.listener);
        connection.closed(cx.now, failure);
        self.orphans -= u32::from(std::mem::take(&mut connection.orphan));
        self.demux.remove(&connection.tuple);
        if let Some(listener) = pending.and_then(|id| self.listeners.get_mut(id)) {
            listener.fast_open_ended(cx.now, failure == Some(Failure::Reset));
        }
        cx.ports.vacate(connection.tuple.local, connection.hold);
    }

    /// → CLOSED, and the peer is told by a RST. The RST stands at the end of what was sent: where the peer, if it has
    /// received everything, expects the next segment, and accepts it at once (RFC 5961 §3.2).
    fn abort(&mut self, cx: &mut Context<'_>, id: ConnectionId, failure: Option<Failure>) {
        let withdraws = self.rules.resets_silent_ends;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (tuple, link) = (connection.tuple, connection.settings.link);
        let reply = match &mut connection.phase {
            Phase::Open(open) => Some(open.active_reset(cx.now, tuple)),
            // Whoever holds our SYN for a verdict need not think about it any longer.
            Phase::Handshake(handshake) => handshake.syn.sent_at.filter(|_| withdraws).map(|_| {
                let ack = handshake.peer.map(|peer| peer.irs + 1);
                Reply::reset(tuple, handshake.own.iss + 1 + handshake.data_bytes(), ack)
            }),
            Phase::Closed(_) => None,
        };
        // Not bound by REPLIES_MAX: a peer that has nothing to say would never ask again.
        self.replies.extend(reply.map(|reply| Reply { link, ..reply }));
        self.leave(cx, id, failure);
    }

    /// FIN-WAIT-2 or CLOSING → TIME-WAIT: a small struct takes the connection's place in the tables.
    fn time_wait(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (tuple, hold) = (connection.tuple, connection.hold);
        let TcpSettings { tos: users_tos, link, .. } = connection.settings;
        let Some(open) = connection.open_mut() else { return };
        let tos = ecn::tos(users_tos, open.ecn.accurate().is_some_and(|accurate| accurate.may_be_marked()));
        let time_wait = TimeWait {
            tuple,
            nxt: open.send.nxt(),
            recv_nxt: open.recv.nxt(),
            window: open.recv.tell_window(),
            stamps: open.stamps,
            hold,
            since: cx.now,
            tos,
            link,
            until: cx.now + TIME_WAIT,
        };
        // The peer's FIN is acknowledged from here, should that still be owed.
        let ack_owed = open.recv.ack.is_owed();
        open.totals.segments_out += u32::from(ack_owed);
        connection.closed(cx.now, None);
        self.orphans -= u32::from(std::mem::take(&mut connection.orphan));
        if self.time_wait_queue.len() == TIME_WAITS_MAX
            && let Some(oldest) = self.time_wait_queue.front().copied()
        {
            self.end_time_wait(cx, oldest);
        }
        let id = self.time_waits.insert(time_wait);
        self.time_wait_queue.push_back(id);
        self.demux.insert(tuple, Owner::TimeWait(id));
        if ack_owed {
            self.acknowledge_in_time_wait(cx, id);
        }
    }

    /// TIME-WAIT: the peer's FIN is acknowledged once more.
    fn acknowledge_in_time_wait(&mut self, cx: &mut Context<'_>, id: TimeWaitId) {
        let Some(waiting) = self.time_waits.get_mut(id) else { return };
        let recv_nxt = waiting.recv_nxt;
        let timestamps = waiting.stamps.as_mut().map(|stamps| stamps.option(cx.now, recv_nxt));
        let options = ieum_wire::tcp::Options { timestamps, ..Default::default() };
        let ack = Reply::ack(waiting.tuple, waiting.nxt, recv_nxt, waiting.window, options);
        let reply = Reply { tos: waiting.tos, link: waiting.link, ..ack };
        self.owe_reply(cx.drops, reply);
    }

    /// TIME-WAIT → CLOSED.
    fn end_time_wait(&mut self, cx: &mut Context<'_>, id: TimeWaitId) {
        if let Some(waiting) = self.time_waits.remove(id) {
            self.demux.remove(&waiting.tuple);
            cx.ports.vacate(waiting.tuple.local, waiting.hold);
        }
        // Ended early, it may stand anywhere in the queue; ends in time are always at its front.
        if self.time_wait_queue.front() == Some(&id) {
            self.time_wait_queue.pop_front();
        } else {
            self.time_wait_queue.retain(|other| *other != id);
        }
    }

    /// A half-open connection is over, one way or the other.
    fn remove_half_open(&mut self, id: HalfOpenId) -> Option<HalfOpen> {
        let half_open = self.half_opens.remove(id)?;
        self.timers.forget(Sleeper::HalfOpen(id), half_open.timer_at);
        self.demux.remove(&half_open.tuple);
        if let Some(listener) = self.listeners.get_mut(half_open.listener) {
            listener.half_open -= 1;
        }
        Some(half_open)
    }

    /// A half-open connection has a SYN-ACK to send.
    fn owe_half_open(&mut self, id: HalfOpenId) {
        if let Some(half_open) = self.half_opens.get_mut(id)
            && !half_open.in_debt
        {
            half_open.in_debt = true;
            self.debts.push_back(Debtor::HalfOpen(id));
        }
    }

    /// The listener for what comes to `tuple`'s local address, heard over `link`: of that very address before one of all
    /// addresses, and who keeps to the link before those who keep to none.
    fn listener_for(&self, tuple: &FourTuple, link: LinkId) -> Option<ListenerId> {
        let specific = tuple.local;
        let unspecified = SocketAddr::new(unspecified_like(specific), specific.port());
        [specific, unspecified]
            .into_iter()
            .find_map(|place| {
                let by_link = self.sharer_of(place, Some(link), tuple);
                by_link.or_else(|| self.sharer_of(place, None, tuple))
            })
            .or(self.listens_any)
    }

    /// The listener at `place` that keeps to `link`. Several that share it take turns by the hash of the tuple, so that a
    /// repeated SYN finds the same.
    fn sharer_of(&self, place: SocketAddr, link: Option<LinkId>, tuple: &FourTuple) -> Option<ListenerId> {
        use std::hash::BuildHasher;
        let kept_to = |id: ListenerId| self.listeners.get(id).and_then(|listener| listener.settings.link);
        let group = self.listening.get(&place)?;
        let sharing = || group.iter().copied().filter(|id| kept_to(*id) == link);
        let count = sharing().count();
        if count == 0 {
            return None;
        }
        let hash = usize::try_from(self.spread.hash_one(tuple.words()) >> 33).unwrap_or(0);
        sharing().nth(hash % count)
    }

    /// Every connection whose link (where it keeps to one), local and remote address `meant` names fails as
    /// unreachable, and the peer is not told: no way leads there. In the order of their making, so that same calls give
    /// same events.
    pub(crate) fn fail_all(
        &mut self,
        cx: &mut Context<'_>,
        reason: ieum_wire::Unreachable,
        meant: impl Fn(&Context<'_>, Option<LinkId>, std::net::IpAddr, SocketAddr) -> bool,
    ) {
        let lives = |connection: &Connection| !matches!(connection.phase, Phase::Closed(_));
        let all = self.connections.iter().filter(|(_, connection)| lives(connection));
        let ids: Vec<_> = all
            .filter(|(_, Connection { tuple, settings, .. })| {
                meant(cx, settings.link, tuple.local.ip(), tuple.remote)
            })
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            self.leave(cx, id, Some(Failure::Unreachable(reason)));
            if let Some(connection) = self.connections.get_mut(id) {
                connection.news = true;
            }
            self.settle(cx, id);
        }
    }

    /// Every invariant of every open connection.
    pub(crate) fn check(&self) {
        let orphans = self.connections.values().filter(|connection| connection.orphan).count();
        assert!(usize::try_from(self.orphans).is_ok_and(|count| count == orphans), "orphans are counted");
        for (id, connection) in &self.connections {
            if let Some(open) = connection.open() {
                open.check();
            }
            let listed = self.demux.get(&connection.tuple) == Some(&Owner::Connection(id));
            let lives = !matches!(connection.phase, Phase::Closed(_));
            assert!(listed == lives, "the table names exactly the connections that live");
            assert!(
                lives || connection.holder != Holder::Nobody,
                "a closed connection that nobody holds is gone"
            );
        }
        let half_open: u32 = self.listeners.values().map(|listener| listener.half_open).sum();
        assert_eq!(
            usize::try_from(half_open),
            Ok(self.half_opens.len()),
            "listeners count their half-open ones"
        );
        assert_eq!(
            self.time_wait_queue.len(),
            self.time_waits.len(),
            "each TIME-WAIT stands in the queue once"
        );
        let named = self.half_opens.len()
            + self.time_waits.len()
            + self.connections.values().filter(|it| !matches!(it.phase, Phase::Closed(_))).count();
        assert_eq!(self.demux.len(), named, "the table holds nobody twice and nobody who is gone");
    }
}

fn unspecified_like(address: SocketAddr) -> std::net::IpAddr {
    match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}
