//! Workers in hosts: how they begin, what they say, and how they go.

use std::os::fd::OwnedFd;

use ieum_engine::{Serial, Turn, complain};
use ieum_exit::kernel;
use ieum_wire::Instant;

use super::{Conductor, Stage};
use crate::bounds::CUT_WITHIN;
use crate::office::{Leaving, Office};
use crate::spot::Spot;
use crate::words::{Order, Word, transport};

impl Conductor {
    /// The worker in the host `name`, which is started if there is none.
    pub(super) fn office(&mut self, turn: &Turn<'_>, name: &ieum_control::Name) -> Result<Serial, String> {
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
                self.refuse(sentence);
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

    pub(super) fn reached(
        &mut self,
        office: Serial,
        attempt: u64,
        outcome: Result<OwnedFd, rustix::io::Errno>,
    ) {
        match (self.offices.get_mut(&office), outcome) {
            (Some(office), outcome) => {
                let error = outcome.as_ref().err().map(|error| error.raw_os_error());
                office.mailbox.say(Order::Reached { attempt, error }, outcome.ok());
            }
            (None, Ok(socket)) => kernel::reset(socket),
            (None, Err(_)) => {}
        }
    }

    pub(super) fn on_office(&mut self, turn: &Turn<'_>, serial: Serial) {
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
            self.refuse(format!("cannot forward in the host {name}: it is gone, or let nobody in"));
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

    pub(super) fn hang_up(&mut self, serial: Serial, office: Office, kill_at: Instant) {
        let mut leaving = office.close(kill_at);
        // Its end is told once, and may have been before.
        if !leaving.has_ended() {
            self.leaving.insert(serial, leaving);
        }
    }

    /// Kills the workers that have had their time to end.
    pub(super) fn kill_due(&mut self, now: Instant) {
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
}
