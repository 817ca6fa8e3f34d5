//! The first process: which rules there are, who forwards for them, and how it all ends.
//!
//! ```text
//!   Opening ── every rule listens → Serving ── SIGTERM → Draining ── no connection is left ──────────→ Over
//!      └ one cannot: Over                                   └ the time is up, a second signal → Cutting ┘
//! ```
//!
//! It is finished when every worker that was hung up on has ended too, or was killed. `rules`: which are in force; `workers`: who
//! forwards in hosts.

mod rules;
mod workers;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use ieum_engine::{Interest, Notice, Ready, Room, Serial, Serials, Turn, complain};
use ieum_exit::Transport;
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use self::rules::Active;
use crate::bounds::CUT_WITHIN;
use crate::config::Config;
use crate::counts::Counts;
use crate::forwarder::{Forwarder, RuleId};
use crate::key::Source;
use crate::office::{Leaving, Office};
use crate::rule::Rule;
use crate::signals::{Asked, Signals};
use crate::words::Order;

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

    /// A rule cannot be: at the start that is the end, later it is told of.
    fn refuse(&mut self, sentence: String) {
        if self.stage == Stage::Opening {
            self.failure.get_or_insert(sentence);
            self.stage = Stage::Over;
        } else if self.stage != Stage::Over {
            complain(&sentence);
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
            Err(sentence) => self.refuse(sentence),
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
