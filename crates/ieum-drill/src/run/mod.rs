//! One script, event by event, in virtual time.
//!
//! Things the script does (calls, packets in, commands, code) happen when the clock says so; the host's own deadlines
//! on the way there are met in order. Packets out are waited for: the clock then goes from deadline to deadline until
//! the host has sent one. A call that blocks is asked again after whatever happened, until it has an answer; meanwhile
//! the script goes on. Code looks at the socket when its turn comes and is judged at the end.
//!
//! Relative times count from now, except that a packet in counts from the packet in before it, so that nothing adds up.
//!
//! Files: `time`, `flow` (script and host, mapped to each other), `build` and `verify` (packets), `packet` and `command`
//! (events). Calls are in [`crate::call`], code in [`crate::python`].

mod build;
mod command;
pub(crate) mod flow;
mod packet;
pub(crate) mod time;
mod verify;

use std::path::Path;

use ieum_socket::Wait;
use ieum_wire::Instant;

use crate::call::{Progress, Table};
use crate::config::Config;
use crate::machine::Machine;
use crate::python::Fragment;
use crate::script::{Action, Call, Direction, Event, Script, Time};
use crate::settings::Settings;
use crate::shell::{Ledger, Shell};
use crate::stop::Stop;
use flow::Flow;
use time::Moment;

/// A script that is being run.
pub(crate) struct Runner<'a> {
    pub(crate) path: &'a str,
    directory: &'a Path,
    script: &'a Script,
    shell: &'a Shell,
    ledger: Ledger,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) machine: Machine,
    pub(crate) flows: Vec<Flow>,
    /// The flow that packets belong to.
    pub(crate) under_test: Option<usize>,
    pub(crate) table: Table,
    /// The call that blocks.
    pending: Option<Pending<'a>>,
    /// The event before this one: when it was to be, and whether it was a packet in.
    last: Option<(i64, bool)>,
    moment: Moment,
    /// Code and what it looks at, to be judged at the end.
    pub(crate) code: Vec<Fragment>,
    /// What --verbose shows, and warnings.
    pub(crate) said: Vec<String>,
    next_port: u16,
}

/// A call that has begun and not ended.
struct Pending<'a> {
    call: &'a Call,
    line: u32,
    wait: Wait,
    began_us: i64,
    end: Moment,
}

/// How long a script waits for a packet beyond its time, for a call that blocks, and before it ends.
const PATIENCE_US: i64 = 1_000_000;

/// When waiting for anything is given up that has no time of its own: a day, in microseconds.
const FOR_EVER_US: i64 = 86_400_000_000;

impl<'a> Runner<'a> {
    /// Makes ready: reads options, runs the command before the first event, and makes the host. The settings come back
    /// with what went wrong, for they say what was asked for.
    pub(crate) fn new(
        path: &'a str,
        directory: &'a Path,
        script: &'a Script,
        mut config: Config,
        shell: &'a Shell,
    ) -> Result<Runner<'a>, Stop> {
        let mut settings = Settings::default();
        if let Some(command) = &script.init {
            let requests = shell.prepare(directory, command);
            let requests = requests
                .map_err(|stop| stop.map(|why| format!("{path}: error executing init command: {why}")))?;
            for request in requests {
                // Before the first event there is no time that could pass.
                command::apply(&mut settings, request);
            }
        }
        config.mtu_bytes = settings.mtu_bytes.unwrap_or(config.mtu_bytes);
        settings.forgets_paths = false;
        let machine = Machine::new(&config.wire(), &settings);
        Ok(Runner {
            path,
            directory,
            script,
            shell,
            ledger: shell.ledger()?,
            config,
            settings,
            machine,
            flows: Vec::new(),
            under_test: None,
            table: Table::default(),
            pending: None,
            last: None,
            moment: Moment::of(Time::Absolute(0), 0),
            code: Vec::new(),
            said: Vec::new(),
            // As Linux gives them out.
            next_port: 32_768,
        })
    }

    /// Runs the script to its end.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        let script = self.script;
        for (at, event) in script.events.iter().enumerate() {
            self.begin(at, event)?;
            self.act(event)?;
            let inbound =
                matches!(&event.action, Action::Packet(packet) if packet.direction == Direction::In);
            self.last = Some((self.moment.start_us, inbound));
            self.machine.tick();
        }
        self.finish_pending()?;
        if let Some(command) = &script.cleanup {
            self.shell.clean_up(self.directory, command, &self.ledger);
        }
        crate::python::judge(self.path, &self.code)
    }

    /// Works out when an event is to happen.
    fn begin(&mut self, at: usize, event: &Event) -> Result<(), Stop> {
        let is_inbound = |event: &Event| matches!(&event.action, Action::Packet(packet) if packet.direction == Direction::In);
        let offset = match self.last {
            Some((last_us, true)) if is_inbound(event) => last_us,
            Some(_) | None => self.machine.now_us(),
        };
        let before = self.moment;
        self.moment = Moment::of(event.time, offset);
        let absolute = |time| matches!(time, Time::Absolute(_) | Time::AbsoluteRange(..));
        if at == 0 && absolute(event.time) && self.moment.start_us != 0 {
            return Err(self.fail(event.line, "first event should be at time 0"));
        }
        if at > 0 && absolute(before.time) && absolute(event.time) && self.moment.start_us < before.start_us {
            let (from, to) = (before.start_us, self.moment.start_us);
            return Err(
                self.fail(event.line, &format!("time goes backward in script from {from} usec to {to} usec"))
            );
        }
        Ok(())
    }

    fn act(&mut self, event: &'a Event) -> Result<(), Stop> {
        match &event.action {
            Action::Packet(spec) => {
                self.packet(event.line, spec)?;
                self.retry()
            }
            Action::Call(call) => self.call_event(event.line, call),
            Action::Command(command) => {
                self.wait(event.line, "command")?;
                self.command(event.line, command)
            }
            Action::Code(code) => {
                self.wait(event.line, "data collection for code")?;
                self.look(event.line, code)
            }
        }
    }

    /// Where the script lies.
    pub(crate) fn directory(&self) -> &'a Path {
        self.directory
    }

    /// An error that stands at a line.
    pub(crate) fn fail(&self, line: u32, sentence: &str) -> Stop {
        Stop::failed(format!("{}:{line}: {sentence}", self.path))
    }

    /// Lets time pass until this event's, which must not have passed already.
    fn wait(&mut self, line: u32, what: &str) -> Result<(), Stop> {
        self.advance(self.machine.at_us(self.moment.start_us))?;
        let Some((last_us, _)) = self.last else { return Ok(()) };
        let since = self.moment.start_us - last_us;
        let verdict = self.moment.verify(&self.config, self.machine.now_us(), Some(since), what);
        verdict.map_err(|sentence| self.fail(line, &sentence))
    }

    /// Lets time pass until `to`.
    pub(crate) fn advance(&mut self, to: Instant) -> Result<(), Stop> {
        loop {
            self.machine.settle();
            self.retry()?;
            let goal = self.goal(to);
            let woken = self.machine.step(goal);
            if !woken && self.machine.now() >= to {
                self.machine.settle();
                return self.retry();
            }
        }
    }

    /// `to`, or when the call that blocks gives up, should that be sooner.
    fn goal(&self, to: Instant) -> Instant {
        let until = self.pending.as_ref().and_then(|pending| pending.wait.until);
        until.map_or(to, |until| until.min(to))
    }

    /// Lets time pass until `done` says so, or until `to`; whether it did.
    fn advance_while(&mut self, to: Instant, going: impl Fn(&Runner<'a>) -> bool) -> Result<bool, Stop> {
        loop {
            self.machine.settle();
            self.retry()?;
            if !going(self) {
                return Ok(true);
            }
            let woken = self.machine.step(self.goal(to));
            if !woken && self.machine.now() >= to {
                self.machine.settle();
                self.retry()?;
                return Ok(!going(self));
            }
        }
    }

    fn call_event(&mut self, line: u32, call: &'a Call) -> Result<(), Stop> {
        let patience = self.machine.at_us(self.machine.now_us() + PATIENCE_US);
        let idle =
            self.pending.is_none() || self.advance_while(patience, |runner| runner.pending.is_some())?;
        if !idle && call.end.is_some() {
            let sentence = "blocking system call while another blocking system call is already in progress";
            return Err(self.fail(line, &format!("runtime error in {} call: {sentence}", call.name)));
        }
        self.wait(line, "system call start")?;
        let mut wait = Wait::default();
        let progress = self.attempt(line, call, &mut wait)?;
        match (progress, call.end) {
            (Progress::Waiting, None) => self.block(line, call, wait),
            (progress, Some(end)) => {
                let offset =
                    if matches!(self.moment.time, Time::Relative(_)) { self.moment.offset_us } else { 0 };
                let end = Moment { start_us: end + offset, end_us: end + offset, ..self.moment };
                let pending = Pending { call, line, wait, began_us: self.moment.start_us, end };
                match progress {
                    Progress::Done => self.ended(&pending),
                    Progress::Waiting => {
                        self.pending = Some(pending);
                        Ok(())
                    }
                }
            }
            (Progress::Done, None) => Ok(()),
        }
    }

    /// A call that blocks though the script does not say so: nothing else happens until it has ended.
    fn block(&mut self, line: u32, call: &Call, mut wait: Wait) -> Result<(), Stop> {
        let for_ever = self.machine.at_us(self.machine.now_us() + FOR_EVER_US);
        loop {
            let goal = wait.until.map_or(for_ever, |until| until.min(for_ever));
            let woken = self.machine.step(goal);
            self.machine.settle();
            if self.attempt(line, call, &mut wait)? == Progress::Done {
                return Ok(());
            }
            if !woken && self.machine.now() >= for_ever {
                let sentence = "it blocks, and nothing would ever end it";
                return Err(self.fail(line, &format!("runtime error in {} call: {sentence}", call.name)));
            }
        }
    }

    /// Asks the call that blocks again.
    fn retry(&mut self) -> Result<(), Stop> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        match self.attempt(pending.line, pending.call, &mut pending.wait)? {
            Progress::Done => self.ended(&pending),
            Progress::Waiting => {
                self.pending = Some(pending);
                Ok(())
            }
        }
    }

    /// Did the call end when it was to?
    fn ended(&self, pending: &Pending<'_>) -> Result<(), Stop> {
        let since = pending.end.start_us - pending.began_us;
        let verdict =
            pending.end.verify(&self.config, self.machine.now_us(), Some(since), "system call return");
        verdict.map_err(|sentence| self.fail(pending.line, &sentence))
    }

    fn finish_pending(&mut self) -> Result<(), Stop> {
        let patience = self.machine.at_us(self.machine.now_us() + PATIENCE_US);
        if self.pending.is_some() {
            self.advance_while(patience, |runner| runner.pending.is_some())?;
        }
        match &self.pending {
            Some(pending) => {
                let sentence = "runtime error: exiting while a blocking system call is in progress";
                Err(self.fail(pending.line, sentence))
            }
            None => Ok(()),
        }
    }

    fn attempt(&mut self, line: u32, call: &Call, wait: &mut Wait) -> Result<Progress, Stop> {
        let progress = self.call(call, wait);
        self.machine.settle();
        let name = &call.name;
        if self.config.verbose && progress == Ok(Progress::Done) {
            self.said.push(format!("{name} syscall: {:>9}", time::seconds(self.machine.now_us())));
        }
        match progress {
            Err(Stop::Failed(why)) if self.config.non_fatal_syscall => {
                self.said.push(format!("{}:{line}: runtime error in {name} call: {why}", self.path));
                Ok(Progress::Done)
            }
            Err(stop) => {
                Err(stop.map(|why| format!("{}:{line}: runtime error in {name} call: {why}", self.path)))
            }
            Ok(progress) => Ok(progress),
        }
    }
}
