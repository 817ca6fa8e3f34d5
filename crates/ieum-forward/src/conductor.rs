//! The first process: which rules there are, who forwards for them, and how it all ends.
//!
//! ```text
//!   Opening ── every rule listens → Serving ── SIGTERM → Draining ── no connection is left ──────────→ Over
//!      └ one cannot: Over                                   └ the time is up, a second signal → Cutting ┘
//! ```
//!
//! It is finished when every worker that was hung up on has ended too, or was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use ieum_engine::{Interest, Notice, Ready, Room, Serial, Serials, Turn, complain};
use ieum_exit::{Transport, kernel};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use crate::bounds::{CUT_WITHIN, PAST_RULES_MAX};
use crate::config::Config;
use crate::counts::Counts;
use crate::forwarder::{Forwarder, RuleId};
use crate::key::Source;
use crate::listen;
use crate::office::{Leaving, Office};
use crate::rule::{Rule, check, suffix};
use crate::signals::{Asked, Signals};
use crate::spot::Spot;
use crate::words::{Order, Word, transport};

/// What is to be forwarded, and how it ends.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Rules of the command line.
    pub rules: Vec<Rule>,
    /// A file with more of them, which is read again when it changes.
    pub config: Option<PathBuf>,
    /// How long connections are given to end after the first signal.
    pub drain: Duration,
    /// Say at the end what passed.
    pub verbose: bool,
    /// Say what passed as JSON on standard output, a line for each rule.
    pub json: bool,
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every connection has ended by itself.
    Drained,
    /// So many were reset.
    Cut(usize),
    /// It could not begin, or go on; in a sentence.
    Failed(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Opening,
    Serving,
    Draining { until: Instant },
    Cutting { until: Instant },
    Over,
}

/// A rule that is in force.
#[derive(Debug)]
struct Active {
    id: RuleId,
    rule: Rule,
    /// The worker that forwards for it.
    office: Option<Serial>,
    /// Where it listens; empty while its worker has not said.
    open: Vec<SocketAddr>,
    /// The machine's sockets that listen for it, for the rule that comes in its place in another process: who had them before
    /// may not have closed them by then, and nobody is refused between the two.
    sockets: Vec<OwnedFd>,
}

/// The room of the first process.
#[derive(Debug)]
pub struct Conductor {
    wish: Wish,
    forwarder: Forwarder,
    active: Vec<Active>,
    last_rule: RuleId,
    /// How rules are shown, for their counts: those in force, and of those before the latest.
    shown: BTreeMap<RuleId, (String, Transport)>,
    offices: BTreeMap<Serial, Office>,
    /// Workers that were hung up on.
    leaving: BTreeMap<Serial, Leaving>,
    serials: Serials,
    /// What workers want reached: by our attempt, who asked, and its attempt.
    asked: BTreeMap<Serial, (Serial, u64)>,
    config: Option<Config>,
    signals: Signals,
    stage: Stage,
    cut: usize,
    failure: Option<String>,
}

const LEVEL: Interest = Interest { read: true, write: false, edge: false };

impl Conductor {
    /// Reads the rules and starts the workers that they need; nothing listens yet.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong.
    pub fn new(wish: Wish) -> Result<Conductor, String> {
        let own = |error: io::Error| format!("cannot forward: {error}");
        let config = wish.config.as_deref().map(|path| {
            Config::open(path).map_err(|error| format!("cannot watch {}: {error}", path.display()))
        });
        let mut conductor = Conductor {
            config: config.transpose()?,
            wish,
            forwarder: Forwarder::new(None).map_err(own)?,
            active: Vec::new(),
            last_rule: 0,
            shown: BTreeMap::new(),
            offices: BTreeMap::new(),
            leaving: BTreeMap::new(),
            serials: Serials::default(),
            asked: BTreeMap::new(),
            signals: Signals::take().map_err(own)?,
            stage: Stage::Opening,
            cut: 0,
            failure: None,
        };
        let rules = conductor.wanted()?;
        if rules.is_empty() && conductor.config.is_none() {
            return Err(
                "nothing to forward: give pairs, as in `ieum forward 8080 10.0.0.5:80`, or --config FILE"
                    .into(),
            );
        }
        for name in rules.iter().filter_map(Rule::within) {
            if !conductor.offices.values().any(|office| office.name == *name) {
                let serial = conductor.serials.next();
                conductor.offices.insert(serial, Office::open_at_first(name)?);
            }
        }
        Ok(conductor)
    }

    /// Whether a worker may have to be started later on: when the file names another host.
    pub fn may_start_programs(&self) -> bool {
        self.config.is_some()
    }

    /// How it ended.
    pub fn end(&self) -> End {
        match &self.failure {
            Some(sentence) => End::Failed(sentence.clone()),
            None if self.cut > 0 => End::Cut(self.cut),
            None => End::Drained,
        }
    }

    /// The rules of the command line and of the file.
    fn wanted(&self) -> Result<Vec<Rule>, String> {
        let mut rules = self.wish.rules.clone();
        if let Some(config) = &self.config {
            rules.extend(config.read()?);
        }
        check(&rules).map_err(|error| error.to_string())?;
        Ok(rules)
    }

    /// Makes `rules` those in force. Who stays keeps its sockets and its connections.
    fn apply(&mut self, turn: &Turn<'_>, rules: Vec<Rule>) {
        let mut added = Vec::new();
        let mut before = std::mem::take(&mut self.active);
        for rule in rules {
            // A free port is another one each time, so such a rule stays only as it is.
            let same = |active: &Active| {
                active.rule.key() == rule.key()
                    && active.rule.to.within == rule.to.within
                    && (rule.from.port != 0 || active.rule == rule)
            };
            match before.iter().position(same) {
                Some(at) => {
                    let mut active = before.remove(at);
                    if active.rule.to != rule.to {
                        active.rule = rule;
                        self.aim(turn, &active);
                    }
                    self.active.push(active);
                }
                None => added.push(rule),
            }
        }
        // Their ports may be wanted by those that come.
        for active in &before {
            complain(&format!("no more forwarding {}", self.label(active.id)));
            match active.office.and_then(|office| self.offices.get_mut(&office)) {
                Some(office) => office.mailbox.say(Order::Close { rule: active.id }, None),
                None => self.forwarder.close(turn, active.id),
            }
        }
        for rule in added {
            let earlier = before.iter_mut().find(|active| active.rule.key() == rule.key());
            let open = earlier.filter(|active| !active.sockets.is_empty()).map(|active| {
                let sockets = std::mem::take(&mut active.sockets);
                sockets.into_iter().zip(active.open.iter().copied()).collect()
            });
            if let Err(sentence) = self.add(turn, rule, open) {
                self.complain(sentence);
            }
        }
        let in_force = self.active.iter().map(|active| active.id).collect();
        forget_oldest(&mut self.shown, &in_force);
        for office in self.offices.values_mut() {
            office.counts.retain(|rule, _| self.shown.contains_key(rule));
        }
    }

    /// A rule cannot be: at the start that is the end, later it is told of.
    fn complain(&mut self, sentence: String) {
        if self.stage == Stage::Opening {
            self.failure.get_or_insert(sentence);
            self.stage = Stage::Over;
        } else if self.stage != Stage::Over {
            complain(&sentence);
        }
    }

    /// `open`: what it listens with, where an earlier rule has left that.
    fn add(&mut self, turn: &Turn<'_>, rule: Rule, open: Option<Vec<listen::Open>>) -> Result<(), String> {
        let office = match rule.within() {
            Some(name) => Some(self.office(turn, name)?),
            None => None,
        };
        let open = match open {
            Some(open) => open,
            None if rule.from.within.is_none() => {
                listen::open(&rule.from, rule.transport).map_err(|error| error.to_string())?
            }
            None => Vec::new(),
        };
        let (sockets, addresses): (Vec<OwnedFd>, Vec<SocketAddr>) = open.into_iter().unzip();
        let kept = sockets.iter().map(OwnedFd::try_clone);
        let kept = kept
            .collect::<io::Result<_>>()
            .map_err(|error| format!("cannot forward {rule}: {error} (`ulimit -n` says how many)"))?;
        self.last_rule += 1;
        let id = self.last_rule;
        self.shown.insert(id, (rule.to_string(), rule.transport));
        let mut active = Active { id, rule, office, open: addresses, sockets: kept };
        match office.and_then(|office| self.offices.get_mut(&office)) {
            Some(office) => {
                let Rule { from, to, transport } = &active.rule;
                let order = Order::Forward {
                    rule: id,
                    from: from.to_string(),
                    to: to.to_string(),
                    udp: *transport == Transport::Udp,
                    sockets: sockets.len(),
                };
                office.mailbox.say(order, None);
                for socket in sockets {
                    office.mailbox.say(Order::Socket { rule: id }, Some(socket));
                }
            }
            None => {
                let Rule { to, transport, .. } = &active.rule;
                if let Err(error) = self.forwarder.open(turn, id, to.clone(), *transport, sockets) {
                    self.shown.remove(&id);
                    return Err(format!("cannot forward {}: {error}", active.rule));
                }
                self.announce(&mut active);
            }
        }
        self.active.push(active);
        Ok(())
    }

    /// The worker in the host `name`, which is started if there is none.
    fn office(&mut self, turn: &Turn<'_>, name: &ieum_control::Name) -> Result<Serial, String> {
        let there = self.offices.iter().find(|(_, office)| office.name == *name && !office.is_over);
        if let Some((serial, _)) = there {
            return Ok(*serial);
        }
        let serial = self.serials.next();
        let office = Office::open(name)?;
        if let Err(error) = office.start(turn, serial) {
            self.hang_up(serial, office, turn.now + CUT_WITHIN);
            return Err(format!("cannot forward in the host {name}: {error}"));
        }
        self.offices.insert(serial, office);
        Ok(serial)
    }

    /// A rule leads elsewhere from now on.
    fn aim(&mut self, turn: &Turn<'_>, active: &Active) {
        let to = &active.rule.to;
        match active.office.and_then(|office| self.offices.get_mut(&office)) {
            Some(office) => office.mailbox.say(Order::Aim { rule: active.id, to: to.to_string() }, None),
            None => self.forwarder.aim(turn, active.id, to.clone()),
        }
        self.name_rule(active);
        complain(&format!("forwarding {}", self.label(active.id)));
    }

    fn announce(&mut self, active: &mut Active) {
        self.name_rule(active);
        complain(&format!("forwarding {}", self.label(active.id)));
    }

    /// Where a rule listens is known.
    fn name_rule(&mut self, active: &Active) {
        let Rule { from, to, transport } = &active.rule;
        let from = listen::shown(&active.open, from.within.as_ref());
        self.shown.insert(active.id, (format!("{from} → {to}{}", suffix(*transport)), *transport));
    }

    fn label(&self, rule: RuleId) -> String {
        self.shown.get(&rule).map(|(label, _)| label.clone()).unwrap_or_default()
    }

    /// What a worker says.
    fn hear(&mut self, turn: &Turn<'_>, serial: Serial, word: Word) {
        match word {
            Word::Listening { rule, addresses } => {
                let Some(at) = self.active.iter().position(|active| active.id == rule) else { return };
                let mut active = self.active.remove(at);
                if active.open.is_empty() {
                    active.open = addresses;
                }
                self.announce(&mut active);
                self.active.insert(at, active);
            }
            Word::Failed { rule, sentence } => {
                self.active.retain(|active| active.id != rule);
                self.complain(sentence);
            }
            Word::Reach { attempt, to, udp } => match Spot::read(&to, transport(udp)) {
                Some(to) => {
                    let ours = self.forwarder.dialer().reach(turn, &to, transport(udp));
                    self.asked.insert(ours, (serial, attempt));
                }
                None => self.reached(serial, attempt, Err(rustix::io::Errno::INVAL)),
            },
            Word::Counts { rule, counts } => {
                if let Some(office) = self.offices.get_mut(&serial) {
                    office.counts.insert(rule, counts);
                }
            }
            Word::Reported => {
                let is_ending = self.stage != Stage::Serving;
                let counts = self.offices.get(&serial).map(|office| office.counts.clone());
                if let Some(counts) = counts.filter(|_| !is_ending) {
                    self.tell(counts);
                }
            }
            Word::Over { cut } => {
                self.cut += cut;
                if let Some(office) = self.offices.get_mut(&serial) {
                    office.is_over = true;
                }
            }
        }
    }

    fn reached(&mut self, office: Serial, attempt: u64, outcome: Result<OwnedFd, rustix::io::Errno>) {
        match (self.offices.get_mut(&office), outcome) {
            (Some(office), outcome) => {
                let error = outcome.as_ref().err().map(|error| error.raw_os_error());
                office.mailbox.say(Order::Reached { attempt, error }, outcome.ok());
            }
            (None, Ok(socket)) => kernel::reset(socket),
            (None, Err(_)) => {}
        }
    }

    fn on_office(&mut self, turn: &Turn<'_>, serial: Serial) {
        if self.leaving.get_mut(&serial).is_some_and(Leaving::has_ended) {
            self.leaving.remove(&serial);
        }
        while let Some((word, _)) =
            self.offices.get_mut(&serial).and_then(|office| office.mailbox.hear::<Word>())
        {
            self.hear(turn, serial, word);
        }
        let Some(office) = self.offices.get_mut(&serial) else { return };
        office.mailbox.flush();
        if !office.is_gone() {
            return;
        }
        let Some(office) = self.offices.remove(&serial) else { return };
        let (name, is_over, counts) = (office.name.clone(), office.is_over, office.counts.clone());
        self.hang_up(serial, office, turn.now + CUT_WITHIN);
        if is_over {
            return self.tell_at_end(counts);
        }
        let before = self.active.len();
        self.active.retain(|active| active.office != Some(serial));
        let ended = before - self.active.len();
        if self.stage == Stage::Opening {
            self.complain(format!("cannot forward in the host {name}: it is gone, or let nobody in"));
        } else if ended > 0 {
            let advice = if self.config.is_some() { "; SIGHUP tries again" } else { "" };
            complain(&format!(
                "the host {name} is gone, and with it what was forwarded there ({ended}){advice}"
            ));
            if self.active.is_empty() && self.config.is_none() && self.stage == Stage::Serving {
                self.failure = Some("nothing is left to forward".into());
                self.stage = Stage::Over;
            }
        }
    }

    fn hang_up(&mut self, serial: Serial, office: Office, kill_at: Instant) {
        let mut leaving = office.close(kill_at);
        // Its end is told once, and may have been before.
        if !leaving.has_ended() {
            self.leaving.insert(serial, leaving);
        }
    }

    /// Kills the workers that have had their time to end.
    fn kill_due(&mut self, now: Instant) {
        let is_due = |leaving: &Leaving| leaving.deadline().is_some_and(|at| at <= now);
        for leaving in self.leaving.values_mut().filter(|leaving| is_due(leaving)) {
            leaving.kill();
            let sentence = format!(
                "the worker in the host {} did not end within {} s and was killed: is its host stopped?",
                leaving.name,
                CUT_WITHIN.as_secs()
            );
            match self.stage {
                // Nobody knows how many connections ended with it: that is not how it should end.
                Stage::Draining { .. } | Stage::Cutting { .. } | Stage::Over if self.failure.is_none() => {
                    self.failure = Some(sentence);
                }
                Stage::Opening
                | Stage::Serving
                | Stage::Draining { .. }
                | Stage::Cutting { .. }
                | Stage::Over => complain(&sentence),
            }
        }
    }

    fn on_signal(&mut self, turn: &Turn<'_>, asked: Asked, times: usize) {
        match asked {
            Asked::Stop => {
                for _ in 0..times {
                    self.stop(turn);
                }
            }
            Asked::Report => {
                self.tell(self.forwarder.counts());
                self.offices.values_mut().for_each(|office| office.mailbox.say(Order::Report, None));
            }
            Asked::Reload => self.reload(turn),
        }
    }

    /// The first time, what is there may end by itself; the second time it must.
    fn stop(&mut self, turn: &Turn<'_>) {
        match self.stage {
            Stage::Opening | Stage::Serving => {
                self.forwarder.close_all(turn);
                self.active.iter_mut().for_each(|active| active.sockets.clear());
                self.offices.values_mut().for_each(|office| office.mailbox.say(Order::Drain, None));
                self.stage = Stage::Draining { until: turn.now + self.wish.drain };
                if !self.forwarder.is_idle() || !self.offices.is_empty() {
                    let seconds = self.wish.drain.as_secs();
                    complain(&format!(
                        "no more connections are taken; those that are there have {seconds} s to end"
                    ));
                }
            }
            Stage::Draining { .. } => self.cut(turn),
            Stage::Cutting { .. } | Stage::Over => {}
        }
    }

    fn cut(&mut self, turn: &Turn<'_>) {
        self.cut += self.forwarder.cut(turn);
        self.offices.values_mut().for_each(|office| office.mailbox.say(Order::Cut, None));
        self.stage = Stage::Cutting { until: turn.now + CUT_WITHIN };
    }

    fn reload(&mut self, turn: &Turn<'_>) {
        if self.stage != Stage::Serving || self.config.is_none() {
            return;
        }
        match self.wanted() {
            Ok(rules) => self.apply(turn, rules),
            Err(sentence) => complain(&format!("{sentence}; the rules before it stay")),
        }
    }

    /// Says what passed, if it is wanted.
    fn tell_at_end(&self, counts: BTreeMap<RuleId, Counts>) {
        if self.wish.verbose || self.wish.json {
            self.tell(counts);
        }
    }

    fn tell(&self, counts: BTreeMap<RuleId, Counts>) {
        for (rule, counts) in counts {
            let Some((label, transport)) = self.shown.get(&rule) else { continue };
            if self.wish.json {
                let line = serde_json::json!({ "forward": label, "counts": counts });
                // A reader that has gone away has seen enough.
                let _ = writeln!(io::stdout().lock(), "{line}");
            } else {
                complain(&format!("{label}: {}", counts.sentence(*transport == Transport::Udp)));
            }
        }
    }

    /// Looks whether everything that was asked for has come about.
    fn look(&mut self, turn: &Turn<'_>) {
        if self.stage == Stage::Opening && self.active.iter().all(|active| !active.open.is_empty()) {
            self.stage = Stage::Serving;
        }
        let is_ending = matches!(self.stage, Stage::Draining { .. } | Stage::Cutting { .. });
        if is_ending && self.forwarder.is_idle() && self.offices.is_empty() {
            self.tell_at_end(self.forwarder.counts());
            self.stage = Stage::Over;
        }
        if let Stage::Cutting { until } = self.stage
            && until <= turn.now
        {
            for (serial, office) in std::mem::take(&mut self.offices) {
                // They have had their time.
                self.hang_up(serial, office, until);
            }
        }
    }
}

/// Of the rules that are no more only the latest are kept.
fn forget_oldest<T>(shown: &mut BTreeMap<RuleId, T>, in_force: &BTreeSet<RuleId>) {
    let mut past = shown.len() - shown.keys().filter(|rule| in_force.contains(rule)).count();
    shown.retain(|rule, _| {
        let stays = in_force.contains(rule) || past <= PAST_RULES_MAX;
        past -= usize::from(!in_force.contains(rule));
        stays
    });
}

impl Room for Conductor {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        self.signals.start(turn)?;
        self.forwarder.start(turn)?;
        self.offices.iter().try_for_each(|(serial, office)| office.start(turn, *serial))?;
        if let Some(config) = &self.config {
            turn.watch(config.changes(), Source::File.key(), LEVEL)?;
        }
        match self.wanted() {
            Ok(rules) => self.apply(turn, rules),
            Err(sentence) => self.complain(sentence),
        }
        Ok(())
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
        let source = Source::of(key);
        match source {
            Source::Worker(serial) => self.on_office(turn, serial),
            Source::Signal(serial) => {
                if let Some((asked, times)) = self.signals.heard(serial) {
                    self.on_signal(turn, asked, times);
                }
            }
            Source::File => match self.config.as_mut().map_or(Ok(false), Config::has_changed) {
                Ok(true) => self.reload(turn),
                Ok(false) => {}
                Err(sentence) => {
                    complain(&format!("{sentence}; SIGHUP lets it be read again"));
                    self.reload(turn);
                }
            },
            Source::Client(_)
            | Source::Server(_)
            | Source::Port(_)
            | Source::DatagramPort(_)
            | Source::Association(_)
            | Source::Attempt(_)
            | Source::Lookups => drop(self.forwarder.on_ready(turn, source, ready)),
        }
    }

    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, _frame: Packet) {}

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.forwarder.on_deadline(turn);
        if let Stage::Draining { until } = self.stage
            && until <= turn.now
        {
            self.cut(turn);
        }
        self.kill_due(turn.now);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.forwarder.has_work() {
            return Some(Instant::ZERO);
        }
        let until = match self.stage {
            Stage::Draining { until } | Stage::Cutting { until } => Some(until),
            Stage::Opening | Stage::Serving | Stage::Over => None,
        };
        let kill = self.leaving.values().filter_map(Leaving::deadline).min();
        [until, kill, self.forwarder.deadline()].into_iter().flatten().min()
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        self.forwarder.settle(turn);
        for (attempt, outcome) in self.forwarder.take_reached() {
            if let Some((office, theirs)) = self.asked.remove(&attempt) {
                self.reached(office, theirs, outcome);
            }
        }
        self.look(turn);
    }

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

    fn is_finished(&self) -> bool {
        self.stage == Stage::Over && self.leaving.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_are_no_more_are_not_remembered_for_ever() {
        let in_force = BTreeSet::from([1, 5]);
        let last = RuleId::try_from(PAST_RULES_MAX).unwrap() + 5;
        let mut shown: BTreeMap<RuleId, ()> = (1..=last).map(|rule| (rule, ())).collect();
        forget_oldest(&mut shown, &in_force);
        let forgotten: Vec<RuleId> = (1..=last).filter(|rule| !shown.contains_key(rule)).collect();
        assert_eq!(forgotten, [2, 3, 4]);
        forget_oldest(&mut shown, &in_force);
        assert_eq!(shown.len(), PAST_RULES_MAX + 2);
    }
}
