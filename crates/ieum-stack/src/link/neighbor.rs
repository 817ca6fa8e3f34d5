//! What is known of neighbours, and the packets that wait for it (RFC 4861 §7.3; for IPv4 as well, as in Linux).
//!
//! ```text
//!                    packet                 answer                 time                packet
//!   (nothing) ───────────────▶ INCOMPLETE ─────────▶ REACHABLE ─────────▶ STALE ─────────────▶ DELAY
//!       ▲      no answer, 3×       │                     ▲                  ▲                    │ time
//!       └──────────────────────────┘        answer       │   other address  │                    ▼
//!       ▲                                   ─────────────┴──────────────────┴───────────────── PROBE
//!       └─────────────────────────────────────────── no answer, 3× ──────────────────────────────┘
//! ```
//!
//! Invariants:
//!
//! 1. Only an INCOMPLETE entry parks packets, and only it has no address.
//! 2. An entry stands among the timers exactly when its state waits for a time.
//! 3. What strangers say of themselves makes no entry unless they ask for us, and entries are bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use ieum_wire::ethernet::MacAddress;
use ieum_wire::{Instant, Packet};

use super::LinkId;
use crate::bounds::{
    NEIGHBOR_DELAY, NEIGHBOR_QUESTIONS_MAX, NEIGHBOR_REACHABLE, NEIGHBOR_RETRANSMIT, NEIGHBORS_MAX,
    PARKED_BYTES_MAX, PARKED_PACKETS_MAX,
};

/// A neighbour: an address on a link.
pub(crate) type Neighbor = (LinkId, IpAddr);

/// How much is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing; asked so often.
    Incomplete { asked: u32 },
    /// It answered not long ago.
    Reachable(MacAddress),
    /// It was so; nobody has asked for long.
    Stale(MacAddress),
    /// Somebody uses what may be out of date: the answer to that may tell soon.
    Delay(MacAddress),
    /// It is asked whether it is still there, so often until now.
    Probe(MacAddress, u32),
}

impl State {
    fn mac(self) -> Option<MacAddress> {
        match self {
            State::Incomplete { .. } => None,
            State::Reachable(mac) | State::Stale(mac) | State::Delay(mac) | State::Probe(mac, _) => Some(mac),
        }
    }
}

/// One neighbour.
#[derive(Debug)]
struct Entry {
    state: State,
    /// When the state ends by itself.
    until: Option<Instant>,
    parked: VecDeque<Packet>,
    parked_bytes: usize,
    /// When it was last of use, in uses of the cache.
    used: u64,
}

/// A question that is owed to a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Question {
    pub(super) link: LinkId,
    pub(super) about: IpAddr,
    /// Whom to ask; `None`: everybody.
    pub(super) at: Option<MacAddress>,
}

/// What an answer said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) mac: Option<MacAddress>,
    /// It was asked for.
    pub(super) solicited: bool,
    /// It counts more than what is known.
    pub(super) overrides: bool,
}

/// All neighbours of a stack, and what is owed to them.
#[derive(Debug, Default)]
pub(crate) struct Neighbors {
    entries: BTreeMap<Neighbor, Entry>,
    timers: BTreeSet<(Instant, Neighbor)>,
    uses: u64,
    pub(super) questions: VecDeque<Question>,
    /// Frames that may leave: answers of ours, and packets that no longer wait.
    pub(super) ready: VecDeque<(LinkId, Packet)>,
    /// Packets that nobody will take.
    given_up: VecDeque<Packet>,
    /// Parked packets that had to give way, not yet counted.
    pub(crate) driven_out: u64,
}

impl Neighbors {
    /// Where a packet for `neighbor` goes; `None`: it waits here until that is known, or is given up.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        neighbor: Neighbor,
        packet: Packet,
    ) -> Option<(MacAddress, Packet)> {
        self.uses += 1;
        if !self.entries.contains_key(&neighbor) {
            self.make_room();
            self.enter(neighbor, State::Incomplete { asked: 0 });
            self.ask(now, neighbor);
        }
        let entry = self.entries.get_mut(&neighbor)?;
        entry.used = self.uses;
        match entry.state {
            State::Incomplete { .. } => {
                self.driven_out += entry.park(packet);
                None
            }
            State::Stale(mac) => {
                self.change(neighbor, State::Delay(mac), Some(now + NEIGHBOR_DELAY));
                Some((mac, packet))
            }
            State::Reachable(mac) | State::Delay(mac) | State::Probe(mac, _) => Some((mac, packet)),
        }
    }

    /// Somebody who asks for us says who he is: we shall have to answer him (RFC 826; RFC 4861 §7.2.3).
    pub(super) fn asked_by(&mut self, now: Instant, neighbor: Neighbor, mac: MacAddress) {
        match self.entries.get(&neighbor).map(|entry| entry.state) {
            None => {
                self.make_room();
                self.enter(neighbor, State::Stale(mac));
            }
            Some(State::Incomplete { .. }) => self.known(now, neighbor, State::Stale(mac)),
            Some(state) if state.mac() != Some(mac) => self.known(now, neighbor, State::Stale(mac)),
            Some(_) => {}
        }
    }

    /// A neighbour says who it is (RFC 4861 §7.2.5). What nobody asked about makes no entry; `false` then.
    pub(super) fn answered(&mut self, now: Instant, neighbor: Neighbor, answer: Answer) -> bool {
        let Some(state) = self.entries.get(&neighbor).map(|entry| entry.state) else { return false };
        let Some(known) = state.mac() else {
            // Without an address there is nothing to learn from the first answer.
            let Some(mac) = answer.mac else { return true };
            let state = if answer.solicited { State::Reachable(mac) } else { State::Stale(mac) };
            self.known(now, neighbor, state);
            return true;
        };
        let mac = answer.mac.unwrap_or(known);
        if mac != known && !answer.overrides {
            // Somebody else says so as well: what is known is used, and checked at its next use.
            if matches!(state, State::Reachable(_)) {
                self.change(neighbor, State::Stale(known), None);
            }
        } else if answer.solicited {
            self.known(now, neighbor, State::Reachable(mac));
        } else if mac != known {
            self.known(now, neighbor, State::Stale(mac));
        }
        true
    }

    /// When a state ends by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// States whose time is over end.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        while let Some((at, neighbor)) = self.timers.first().copied() {
            if at > now {
                return;
            }
            let Some(state) = self.entries.get(&neighbor).map(|entry| entry.state) else {
                self.timers.remove(&(at, neighbor));
                continue;
            };
            match state {
                State::Incomplete { asked } | State::Probe(_, asked) if asked >= NEIGHBOR_QUESTIONS_MAX => {
                    self.forget(neighbor);
                }
                State::Incomplete { .. } | State::Probe(..) => self.ask(now, neighbor),
                State::Delay(mac) => {
                    self.change(neighbor, State::Probe(mac, 0), None);
                    self.ask(now, neighbor);
                }
                State::Reachable(mac) => self.change(neighbor, State::Stale(mac), None),
                State::Stale(_) => self.change(neighbor, state, None),
            }
        }
    }

    /// A packet that no neighbour took.
    pub(crate) fn poll_given_up(&mut self) -> Option<Packet> {
        self.given_up.pop_front()
    }

    /// Asserts the invariants above.
    pub(crate) fn check(&self) {
        for (neighbor, entry) in &self.entries {
            let waits = entry.until.is_some_and(|until| self.timers.contains(&(until, *neighbor)));
            assert_eq!(entry.until.is_some(), waits, "who waits for a time stands among the timers");
            let incomplete = entry.state.mac().is_none();
            assert!(incomplete || entry.parked.is_empty(), "packets wait only for who is not known");
            let bytes: usize = entry.parked.iter().map(Packet::len).sum();
            assert_eq!(bytes, entry.parked_bytes, "parked bytes are counted");
        }
        assert!(self.timers.len() <= self.entries.len(), "each entry waits once");
        assert!(self.entries.len() <= NEIGHBORS_MAX, "neighbours are bounded");
    }

    fn enter(&mut self, neighbor: Neighbor, state: State) {
        let entry = Entry { state, until: None, parked: VecDeque::new(), parked_bytes: 0, used: self.uses };
        self.entries.insert(neighbor, entry);
    }

    /// The neighbour is known now: what waited for it leaves.
    fn known(&mut self, now: Instant, neighbor: Neighbor, state: State) {
        let until = matches!(state, State::Reachable(_)).then(|| now + NEIGHBOR_REACHABLE);
        let Some(entry) = self.entries.get_mut(&neighbor) else { return };
        let parked = std::mem::take(&mut entry.parked);
        entry.parked_bytes = 0;
        self.change(neighbor, state, until);
        for packet in parked {
            // A stale neighbour becomes one that is checked by this very use.
            if let Some((mac, packet)) = self.resolve(now, neighbor, packet) {
                self.ready.push_back((neighbor.0, super::ethernet::addressed(packet, mac)));
            }
        }
    }

    fn change(&mut self, neighbor: Neighbor, state: State, until: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&neighbor) else { return };
        entry.state = state;
        if let Some(before) = std::mem::replace(&mut entry.until, until) {
            self.timers.remove(&(before, neighbor));
        }
        self.timers.extend(until.map(|until| (until, neighbor)));
    }

    /// Asks once more: everybody for who is unknown, the neighbour itself whether it is still there.
    fn ask(&mut self, now: Instant, neighbor: Neighbor) {
        let Some(entry) = self.entries.get(&neighbor) else { return };
        let state = match entry.state {
            State::Incomplete { asked } => State::Incomplete { asked: asked + 1 },
            State::Probe(mac, asked) => State::Probe(mac, asked + 1),
            State::Reachable(_) | State::Stale(_) | State::Delay(_) => return,
        };
        self.questions.push_back(Question { link: neighbor.0, about: neighbor.1, at: state.mac() });
        self.change(neighbor, state, Some(now + NEIGHBOR_RETRANSMIT));
    }

    fn forget(&mut self, neighbor: Neighbor) {
        let Some(entry) = self.entries.remove(&neighbor) else { return };
        if let Some(until) = entry.until {
            self.timers.remove(&(until, neighbor));
        }
        self.given_up.extend(entry.parked);
    }

    /// The least valuable gives way to another: one that is known but unused, then one that does not answer.
    fn make_room(&mut self) {
        if self.entries.len() < NEIGHBORS_MAX {
            return;
        }
        let worth = |entry: &Entry| match entry.state {
            State::Stale(_) => 0,
            State::Incomplete { .. } => 1,
            State::Probe(..) | State::Delay(_) => 2,
            State::Reachable(_) => 3,
        };
        let least = self.entries.iter().min_by_key(|(_, entry)| (worth(entry), entry.used));
        if let Some(neighbor) = least.map(|(neighbor, _)| *neighbor) {
            self.forget(neighbor);
        }
    }
}

impl Entry {
    /// Keeps a packet until the neighbour is known; returns how many older ones gave way (RFC 1122 §2.3.2.2 asks for
    /// one packet at least, the latest).
    fn park(&mut self, packet: Packet) -> u64 {
        self.parked_bytes += packet.len();
        self.parked.push_back(packet);
        let mut driven_out = 0;
        while self.parked.len() > PARKED_PACKETS_MAX
            || (self.parked_bytes > PARKED_BYTES_MAX && self.parked.len() > 1)
        {
            self.parked_bytes -= self.parked.pop_front().map_or(0, |oldest| oldest.len());
            driven_out += 1;
        }
        driven_out
    }
}
