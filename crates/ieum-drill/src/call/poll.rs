//! `poll`, and what is ready.

use std::time::Duration;

use ieum_socket::Readiness;

use super::table::Kind;
use super::{Asked, Progress, Wait};
use crate::run::Runner;
use crate::stop::Stop;
use crate::symbols;

const POLLIN: i32 = 0x1 | 0x40;
const POLLOUT: i32 = 0x4 | 0x100;
const POLLPRI: i32 = 0x2;
const POLLERR: i32 = 0x8;
const POLLHUP: i32 = 0x10;
const POLLRDHUP: i32 = 0x2000;
/// What is told without being asked for.
pub(super) const UNASKED: i32 = POLLERR | POLLHUP;

/// One element of `poll`'s list.
struct Asker {
    number: i32,
    events: i32,
    expected: i32,
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
                events: element.wanted("events")?.int()?,
                expected: element.field("revents").map_or(Ok(0), |revents| revents.int())?,
            });
        }
        let mut found = Vec::new();
        for asker in &askers {
            found.push(self.ready(asker.number)? & (asker.events | UNASKED));
        }
        let ready = found.iter().filter(|events| **events != 0).count();
        if ready == 0 && !self.timed_out(timeout, wait) {
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

    /// Is a call over that waits for `timeout` milliseconds, for ever if negative?
    pub(super) fn timed_out(&self, timeout: i32, wait: &mut Wait) -> bool {
        let now = self.machine.now();
        if let Ok(timeout) = u64::try_from(timeout) {
            let until = *wait.until.get_or_insert_with(|| now + Duration::from_millis(timeout));
            return until <= now;
        }
        false
    }

    /// What `poll` shows of whatever a number names.
    pub(super) fn ready(&self, number: i32) -> Result<i32, Stop> {
        Ok(match &self.table.get(number)?.kind {
            Kind::Socket(id) => mask(self.machine.host.readiness(*id)),
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

fn mask(ready: Readiness) -> i32 {
    let bits = |is: bool, bits: i32| if is { bits } else { 0 };
    bits(ready.readable, POLLIN)
        | bits(ready.writable, POLLOUT)
        | bits(ready.read_hangup, POLLRDHUP)
        | bits(ready.hangup, POLLHUP)
        | bits(ready.error, POLLERR)
        | bits(ready.urgent, POLLPRI)
}
