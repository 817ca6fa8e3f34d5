//! `poll`, and what is ready.

use ieum_socket::numbers::{POLLIN, POLLOUT};
use ieum_socket::{UNASKED, Wait};

use super::table::Kind;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::stop::Stop;
use crate::symbols;

/// One element of `poll`'s list.
struct Asker {
    number: i32,
    events: u32,
    expected: u32,
}

impl Runner<'_> {
    pub(super) fn poll(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(3)?;
        let list = asked.arguments.get(0)?.list()?;
        let (count, timeout) = (asked.arguments.size(1)?, asked.arguments.int(2)?);
        if count != list.len() {
            let have = list.len();
            return Err(Stop::failed(format!("nfds {count} does not match {have}-element pollfd array")));
        }
        let mut askers = Vec::new();
        for element in list {
            askers.push(Asker {
                number: element.wanted("fd")?.int()?,
                events: element.wanted("events")?.int()?.cast_unsigned(),
                expected: element.field("revents").map_or(Ok(0), |revents| revents.int())?.cast_unsigned(),
            });
        }
        let mut found = Vec::new();
        for asker in &askers {
            found.push(self.ready(asker.number)? & (asker.events | UNASKED));
        }
        let ready = found.iter().filter(|events| **events != 0).count();
        if ready == 0 && !wait.timed_out(self.machine.now(), timeout) {
            return Ok(Progress::Waiting);
        }
        asked.exactly(Ok(super::transfer::moved(ready)))?;
        for (at, (asker, actual)) in askers.iter().zip(found).enumerate() {
            if asker.expected != actual {
                let [expected, actual] =
                    [asker.expected, actual].map(|mask| symbols::poll_events(mask.into()));
                return Err(Stop::failed(format!(
                    "Expected revents of {expected} but got {actual} for pollfd {at}"
                )));
            }
        }
        Ok(Progress::Done)
    }

    /// What `poll` shows of whatever a number names.
    pub(super) fn ready(&self, number: i32) -> Result<u32, Stop> {
        Ok(match &self.table.get(number)?.kind {
            Kind::Socket(id) => self.machine.host.readiness(*id).events(),
            Kind::Pipe { pipe, reads: true } => {
                let empty = self.table.pipes.get(*pipe).is_none_or(Vec::is_empty);
                if empty { 0 } else { POLLIN }
            }
            Kind::Pipe { .. } => POLLOUT,
            Kind::File(_) => POLLIN | POLLOUT,
            Kind::Epoll(_) => return Err(Stop::unsupported("waiting for an epoll by another")),
        })
    }
}
