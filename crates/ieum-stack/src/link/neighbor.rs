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
//! 4. Packets that wait are bounded for each neighbour and for all together: who has most waiting gives way.
//! 5. Exactly those entries owe a question that say so, each one; who is known or forgotten meanwhile is not asked.
//!
//! That a neighbour is there is learned from its answers alone: what TCP hears of its peer is not counted as one
//! (RFC 4861 §7.3.1 allows both), so that a link in use sees one question and one answer each 35 s.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use ieum_wire::ethernet::MacAddress;
use ieum_wire::{Instant, Packet};

use super::LinkId;
use super::parked::Parked;
use crate::bounds::{
    NEIGHBOR_DELAY, NEIGHBOR_QUESTIONS_MAX, NEIGHBOR_REACHABLE, NEIGHBOR_RETRANSMIT, NEIGHBORS_MAX,
    PARKED_PACKETS_ALL_MAX,
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
    parked: Parked,
    /// When it was last of use to us, in uses of the cache; 0: never.
    used: u64,
    /// It stands among the questions.
    owes_question: bool,
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
    /// Who is to be asked.
    questions: VecDeque<Neighbor>,
    /// Frames that may leave: answers of ours, and packets that no longer wait.
    pub(super) ready: VecDeque<(LinkId, Packet)>,
    /// Packets that nobody will take.
    given_up: VecDeque<Packet>,
    /// Packets that wait, for whomever.
    parked_packets: usize,
    /// Parked packets that had to give way to newer ones, not yet counted.
    pub(crate) driven_out: usize,
    /// Parked packets whose neighbour was forgotten, not yet counted.
    pub(crate) forgotten: usize,
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
            self.enter(neighbor, State::Incomplete { asked: 0 }, self.uses);
            self.ask(now, neighbor);
        }
        let entry = self.entries.get_mut(&neighbor)?;
        entry.used = self.uses;
        match entry.state {
            State::Incomplete { .. } => {
                let driven_out = entry.parked.push(packet);
                self.driven_out += driven_out;
                self.parked_packets = self.parked_packets + 1 - driven_out;
                self.thin_out();
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
                // Of no use to us yet: such are the first to give way.
                self.enter(neighbor, State::Stale(mac), 0);
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
                    let silent = self.remove(neighbor);
                    self.given_up.extend(silent);
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

    /// Who is to be asked next, and at which address; `None`: everybody is asked.
    pub(super) fn next_question(&mut self) -> Option<(Neighbor, Option<MacAddress>)> {
        let neighbor = self.questions.pop_front()?;
        let entry = self.entries.get_mut(&neighbor)?;
        entry.owes_question = false;
        Some((neighbor, entry.state.mac()))
    }

    /// A link is gone, and whoever was there.
    pub(crate) fn link_down(&mut self, link: LinkId) {
        let there: Vec<Neighbor> = self.entries.keys().filter(|(over, _)| *over == link).copied().collect();
        there.into_iter().for_each(|neighbor| self.forget(neighbor));
        self.ready.retain(|(over, _)| *over != link);
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
            assert!(incomplete || entry.parked.len() == 0, "packets wait only for who is not known");
            entry.parked.check();
        }
        let parked: usize = self.entries.values().map(|entry| entry.parked.len()).sum();
        assert_eq!(parked, self.parked_packets, "packets that wait are counted");
        assert!(parked <= PARKED_PACKETS_ALL_MAX, "packets that wait are bounded");
        let asked: BTreeSet<_> = self.questions.iter().copied().collect();
        assert_eq!(asked.len(), self.questions.len(), "nobody is asked twice at once");
        let owed =
            self.entries.iter().filter(|(_, entry)| entry.owes_question).map(|(neighbor, _)| *neighbor);
        assert!(asked.into_iter().eq(owed), "exactly those who owe a question stand among them");
        assert!(self.timers.len() <= self.entries.len(), "each entry waits once");
        assert!(self.entries.len() <= NEIGHBORS_MAX, "neighbours are bounded");
    }

    fn enter(&mut self, neighbor: Neighbor, state: State, used: u64) {
        let entry = Entry { state, until: None, parked: Parked::default(), used, owes_question: false };
        self.entries.insert(neighbor, entry);
    }

    /// The neighbour is known now: what waited for it leaves, and nobody need ask.
    fn known(&mut self, now: Instant, neighbor: Neighbor, state: State) {
        let until = matches!(state, State::Reachable(_)).then(|| now + NEIGHBOR_REACHABLE);
        let Some(entry) = self.entries.get_mut(&neighbor) else { return };
        let parked = std::mem::take(&mut entry.parked).into_packets();
        self.parked_packets -= parked.len();
        if std::mem::take(&mut entry.owes_question) {
            self.questions.retain(|asked| *asked != neighbor);
        }
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
        let Some(entry) = self.entries.get_mut(&neighbor) else { return };
        let state = match entry.state {
            State::Incomplete { asked } => State::Incomplete { asked: asked + 1 },
            State::Probe(mac, asked) => State::Probe(mac, asked + 1),
            State::Reachable(_) | State::Stale(_) | State::Delay(_) => return,
        };
        if !std::mem::replace(&mut entry.owes_question, true) {
            self.questions.push_back(neighbor);
        }
        self.change(neighbor, state, Some(now + NEIGHBOR_RETRANSMIT));
    }

    /// Not because it is silent: whoever waits for it may ask again, and hears nothing (as in Linux).
    fn forget(&mut self, neighbor: Neighbor) {
        let lost = self.remove(neighbor);
        self.forgotten += lost.len();
    }

    /// Takes an entry out; returns what waited for it.
    fn remove(&mut self, neighbor: Neighbor) -> VecDeque<Packet> {
        let Some(entry) = self.entries.remove(&neighbor) else { return VecDeque::new() };
        if let Some(until) = entry.until {
            self.timers.remove(&(until, neighbor));
        }
        if entry.owes_question {
            self.questions.retain(|asked| *asked != neighbor);
        }
        self.parked_packets -= entry.parked.len();
        entry.parked.into_packets()
    }

    /// When more packets wait than may, the oldest one gives way of the neighbour that has most.
    fn thin_out(&mut self) {
        while self.parked_packets > PARKED_PACKETS_ALL_MAX {
            let Some(entry) = self.entries.values_mut().max_by_key(|entry| entry.parked.len()) else {
                return;
            };
            entry.parked.pop_oldest();
            self.parked_packets -= 1;
            self.driven_out += 1;
        }
    }

    /// The least valuable gives way to another: one that is known but unused, longest ago first, then one that does not
    /// answer. Linux forgets no entry in use and refuses the newcomer; so a scan by a program of ours would lock us up.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slotmap::SlotMap;

    use super::*;
    use crate::bounds::PARKED_PACKETS_MAX;

    const ONE: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const TWO: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
    const SECOND: Duration = Duration::from_secs(1);
    const REPLY: Answer = Answer { mac: Some(ONE), solicited: true, overrides: true };

    /// The cache and its clock, which goes from deadline to deadline.
    struct Cache {
        neighbors: Neighbors,
        now: Instant,
        link: LinkId,
    }

    impl Cache {
        fn new() -> Cache {
            let mut links: SlotMap<LinkId, ()> = SlotMap::with_key();
            let now = Instant::from_micros(1_000_000);
            Cache { neighbors: Neighbors::default(), now, link: links.insert(()) }
        }

        fn neighbor(&self, number: u16) -> Neighbor {
            let [high, low] = number.to_be_bytes();
            (self.link, IpAddr::from([10, 77, high, low]))
        }

        /// A packet of that many bytes for a neighbour; where it went.
        fn send(&mut self, number: u16, bytes: usize) -> Option<MacAddress> {
            let neighbor = self.neighbor(number);
            let packet = Packet::from_wire(&vec![0; bytes]);
            let sent = self.neighbors.resolve(self.now, neighbor, packet).map(|(mac, _)| mac);
            self.neighbors.check();
            sent
        }

        fn answer(&mut self, number: u16, answer: Answer) -> bool {
            let neighbor = self.neighbor(number);
            let known = self.neighbors.answered(self.now, neighbor, answer);
            self.neighbors.check();
            known
        }

        fn asked_by(&mut self, number: u16, mac: MacAddress) {
            let neighbor = self.neighbor(number);
            self.neighbors.asked_by(self.now, neighbor, mac);
            self.neighbors.check();
        }

        fn pass(&mut self, time: Duration) {
            let end = self.now + time;
            while let Some(at) = self.neighbors.deadline().filter(|at| *at <= end) {
                self.now = at.max(self.now);
                self.neighbors.on_deadline(self.now);
                self.neighbors.check();
            }
            self.now = end;
        }

        fn questions(&mut self) -> Vec<Option<MacAddress>> {
            let questions: Vec<_> = std::iter::from_fn(|| self.neighbors.next_question()).collect();
            self.neighbors.check();
            questions.into_iter().map(|(_, at)| at).collect()
        }

        fn state(&self, number: u16) -> Option<State> {
            self.neighbors.entries.get(&self.neighbor(number)).map(|entry| entry.state)
        }

        fn given_up(&mut self) -> usize {
            std::iter::from_fn(|| self.neighbors.poll_given_up()).count()
        }

        /// Neighbour 1, in that state.
        fn in_state(state: State) -> Cache {
            let mut cache = Cache::new();
            match state {
                State::Incomplete { .. } => assert_eq!(cache.send(1, 100), None),
                State::Stale(mac) => cache.asked_by(1, mac),
                State::Reachable(mac) => {
                    cache.send(1, 100);
                    cache.answer(1, Answer { mac: Some(mac), ..REPLY });
                }
                State::Delay(mac) | State::Probe(mac, _) => {
                    cache.asked_by(1, mac);
                    assert_eq!(cache.send(1, 100), Some(mac));
                    if matches!(state, State::Probe(..)) {
                        cache.pass(NEIGHBOR_DELAY);
                    }
                }
            }
            assert_eq!(cache.state(1), Some(state));
            cache
        }
    }

    #[test]
    fn who_never_answers_is_asked_three_times_and_given_up_with_what_waited() {
        let mut cache = Cache::in_state(State::Incomplete { asked: 1 });
        cache.send(1, 100);
        assert_eq!(cache.questions(), [None]);
        for _ in 0..2 {
            cache.pass(SECOND - Duration::from_micros(1));
            assert_eq!(cache.questions(), []);
            cache.pass(Duration::from_micros(1));
            assert_eq!(cache.questions(), [None]);
        }
        assert_eq!((cache.given_up(), cache.state(1).is_some()), (0, true));
        cache.pass(SECOND);
        assert_eq!((cache.given_up(), cache.state(1)), (2, None));
        assert_eq!((cache.questions(), cache.neighbors.deadline()), (vec![], None));
        // Whoever wants it again begins anew.
        assert_eq!(cache.send(1, 100), None);
        assert_eq!(cache.questions(), [None]);
    }

    #[test]
    fn an_answer_is_good_for_30_seconds_then_use_is_watched_for_5_and_then_the_neighbour_is_asked() {
        let mut cache = Cache::in_state(State::Reachable(ONE));
        cache.questions();
        cache.pass(SECOND * 29);
        assert_eq!((cache.send(1, 100), cache.state(1)), (Some(ONE), Some(State::Reachable(ONE))));
        cache.pass(SECOND);
        assert_eq!(cache.state(1), Some(State::Stale(ONE)));
        // Who is not used is not asked.
        cache.pass(SECOND * 3600);
        assert_eq!((cache.questions(), cache.state(1)), (vec![], Some(State::Stale(ONE))));
        assert_eq!((cache.send(1, 100), cache.state(1)), (Some(ONE), Some(State::Delay(ONE))));
        cache.pass(SECOND * 5);
        assert_eq!((cache.questions(), cache.state(1)), (vec![Some(ONE)], Some(State::Probe(ONE, 1))));
        assert_eq!(cache.send(1, 100), Some(ONE), "packets go on meanwhile");
        assert!(cache.answer(1, REPLY));
        assert_eq!(cache.state(1), Some(State::Reachable(ONE)));
        assert_eq!(cache.neighbors.deadline(), Some(cache.now + SECOND * 30));
    }

    #[test]
    fn who_is_gone_is_asked_three_times_and_forgotten() {
        let mut cache = Cache::in_state(State::Probe(ONE, 1));
        cache.pass(SECOND);
        cache.pass(SECOND);
        assert_eq!(cache.questions(), [Some(ONE)], "three questions in one, for nobody fetched them");
        cache.pass(SECOND);
        assert_eq!((cache.state(1), cache.given_up()), (None, 0));
    }

    #[test]
    fn answers_are_believed_as_rfc_4861_7_2_5_says() {
        use State::{Delay, Incomplete, Probe, Reachable, Stale};
        let answer = |mac, solicited, overrides| Answer { mac, solicited, overrides };
        let (unknown, one, two) = (None, Some(ONE), Some(TWO));
        let incomplete = Incomplete { asked: 1 };
        let cases = [
            (incomplete, answer(unknown, true, true), incomplete),
            (incomplete, answer(one, true, false), Reachable(ONE)),
            (Reachable(ONE), answer(unknown, true, false), Reachable(ONE)),
            (Reachable(ONE), answer(two, true, false), Stale(ONE)),
            (Reachable(ONE), answer(two, true, true), Reachable(TWO)),
            (Reachable(ONE), answer(two, false, true), Stale(TWO)),
            (Reachable(ONE), answer(one, false, true), Reachable(ONE)),
            (Stale(ONE), answer(two, true, false), Stale(ONE)),
            (Stale(ONE), answer(one, true, false), Reachable(ONE)),
            (Stale(ONE), answer(one, false, true), Stale(ONE)),
            (Delay(ONE), answer(two, true, false), Delay(ONE)),
            (Delay(ONE), answer(unknown, true, false), Reachable(ONE)),
            (Delay(ONE), answer(two, false, true), Stale(TWO)),
            (Probe(ONE, 1), answer(two, true, false), Probe(ONE, 1)),
            (Probe(ONE, 1), answer(one, false, true), Probe(ONE, 1)),
            (Probe(ONE, 1), answer(two, true, true), Reachable(TWO)),
            (Probe(ONE, 1), answer(one, true, true), Reachable(ONE)),
        ];
        for (before, answer, after) in cases {
            let mut cache = Cache::in_state(before);
            assert!(cache.answer(1, answer));
            assert_eq!(cache.state(1), Some(after), "{before:?}, {answer:?}");
        }
        // An unsolicited answer serves, but what waited uses it at once, so that it is checked.
        let mut cache = Cache::in_state(incomplete);
        cache.answer(1, answer(one, false, false));
        assert_eq!((cache.state(1), cache.neighbors.ready.len()), (Some(Delay(ONE)), 1));
    }

    #[test]
    fn who_asks_for_us_is_known_and_followed_but_not_thought_reachable() {
        use State::{Delay, Incomplete, Probe, Reachable, Stale};
        let cases = [
            (Incomplete { asked: 1 }, ONE, Delay(ONE)),
            (Reachable(ONE), ONE, Reachable(ONE)),
            (Reachable(ONE), TWO, Stale(TWO)),
            (Stale(ONE), TWO, Stale(TWO)),
            (Delay(ONE), TWO, Stale(TWO)),
            (Probe(ONE, 1), ONE, Probe(ONE, 1)),
            (Probe(ONE, 1), TWO, Stale(TWO)),
        ];
        for (before, mac, after) in cases {
            let mut cache = Cache::in_state(before);
            cache.asked_by(1, mac);
            assert_eq!(cache.state(1), Some(after), "{before:?}, {mac}");
        }
    }

    #[test]
    fn who_is_known_meanwhile_is_not_asked() {
        let mut cache = Cache::in_state(State::Incomplete { asked: 1 });
        cache.answer(1, REPLY);
        assert_eq!(cache.questions(), []);
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_not_remembered() {
        let mut cache = Cache::new();
        assert!(!cache.answer(1, REPLY));
        assert_eq!(cache.state(1), None);
    }

    #[test]
    fn waiting_packets_are_bounded_in_number_and_in_bytes_and_one_always_waits() {
        let mut cache = Cache::new();
        for _ in 0..PARKED_PACKETS_MAX + 3 {
            cache.send(1, 100);
        }
        assert_eq!(std::mem::take(&mut cache.neighbors.driven_out), 3);
        for _ in 0..4 {
            cache.send(2, 65_000);
        }
        assert_eq!(std::mem::take(&mut cache.neighbors.driven_out), 1);
        for number in [1, 2] {
            cache.answer(number, REPLY);
        }
        assert_eq!(cache.neighbors.ready.len(), PARKED_PACKETS_MAX + 3);
    }

    #[test]
    fn strangers_drive_out_strangers_first_then_who_is_not_used_then_who_does_not_answer() {
        let mut cache = Cache::new();
        let full = u16::try_from(NEIGHBORS_MAX).unwrap();
        cache.send(1, 100);
        cache.answer(1, REPLY);
        cache.asked_by(2, TWO);
        cache.send(2, 100);
        cache.pass(SECOND * 6);
        cache.answer(2, REPLY);
        cache.pass(SECOND * 25);
        cache.send(3, 100);
        (4..=full).for_each(|number| cache.asked_by(number, TWO));
        assert_eq!(cache.neighbors.entries.len(), NEIGHBORS_MAX);
        assert_eq!(cache.state(1), Some(State::Stale(ONE)));
        // One stranger for another, as many as may come.
        (full + 1..full + 5000).for_each(|number| cache.asked_by(number, TWO));
        assert!((1..=3).all(|number| cache.state(number).is_some()));
        // Those whom we want ourselves drive out all strangers, then the unused, then the oldest that is silent.
        let wanted = |number: usize| 30_000 + u16::try_from(number).unwrap();
        (0..NEIGHBORS_MAX - 3).for_each(|number| assert_eq!(cache.send(wanted(number), 1), None));
        assert!((1..=3).all(|number| cache.state(number).is_some()));
        assert_eq!(cache.neighbors.forgotten, 0);
        cache.send(wanted(NEIGHBORS_MAX - 3), 1);
        assert!(cache.state(1).is_none() && cache.state(3).is_some());
        cache.send(wanted(NEIGHBORS_MAX - 2), 1);
        assert!(cache.state(2).is_some() && cache.state(3).is_none());
        assert_eq!((cache.neighbors.forgotten, cache.given_up()), (1, 0));
        assert_eq!(cache.questions().len(), NEIGHBORS_MAX - 1);
    }

    #[test]
    fn a_link_that_is_gone_takes_its_neighbours_along() {
        let mut cache = Cache::in_state(State::Reachable(ONE));
        cache.send(2, 100);
        let link = cache.link;
        cache.neighbors.link_down(link);
        cache.neighbors.check();
        assert!(cache.neighbors.entries.is_empty() && cache.neighbors.ready.is_empty());
        assert_eq!((cache.neighbors.deadline(), cache.neighbors.forgotten), (None, 1));
        assert_eq!((cache.questions(), cache.given_up()), (vec![], 0));
    }
}
