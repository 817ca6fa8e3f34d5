//! `epoll_create`, `epoll_ctl`, `epoll_wait`.

use ieum_socket::{Epoll, Wait};

use super::table::Kind;
use super::value::Value;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::stop::Stop;

impl Runner<'_> {
    pub(super) fn epoll_create(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(1)?;
        asked.descriptor(Ok(0))?;
        self.table.add(asked.number()?, Kind::Epoll(Epoll::default()), false, None)?;
        Ok(Progress::Done)
    }

    pub(super) fn epoll_ctl(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(4)?;
        let (epoll, operation, number) =
            (asked.arguments.int(0)?, asked.arguments.int(1)?, asked.arguments.int(2)?);
        self.table.get(number)?;
        let event = match asked.arguments.get(3)? {
            value @ Value::Struct(_) => Some(event(value)?),
            Value::Any | Value::Integer(_) | Value::Bytes(_) | Value::List(_) => None,
        };
        let Kind::Epoll(watched) = &mut self.table.get_mut(epoll)?.kind else {
            return Err(Stop::failed(format!("fd {epoll} is no epoll")));
        };
        asked.exactly(watched.control(operation, number, event).map(|()| 0))?;
        Ok(Progress::Done)
    }

    pub(super) fn epoll_wait(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(4)?;
        let (epoll, most, timeout) =
            (asked.arguments.int(0)?, asked.arguments.size(2)?, asked.arguments.int(3)?);
        let (expected_events, expected_data) = event(asked.arguments.get(1)?)?;
        self.refresh()?;
        let Kind::Epoll(watched) = &self.table.get(epoll)?.kind else {
            return Err(Stop::failed(format!("fd {epoll} is no epoll")));
        };
        let mut watched = watched.clone();
        let found = watched.wait(most, |number| self.ready(number).ok());
        if found.is_empty() && !wait.timed_out(self.machine.now(), timeout) {
            return Ok(Progress::Waiting);
        }
        self.table.get_mut(epoll)?.kind = Kind::Epoll(watched);
        asked.exactly(Ok(super::transfer::moved(found.len())))?;
        let (events, data) = found.first().copied().unwrap_or_default();
        if events != expected_events {
            return Err(Stop::failed(format!(
                "epoll_event->events does not match script: expected: {expected_events:#x} actual: {events:#x}"
            )));
        }
        if data != expected_data {
            return Err(Stop::failed(format!(
                "epoll_event->data does not match script: expected: {expected_data} actual: {data}"
            )));
        }
        Ok(Progress::Done)
    }

    /// Notes at which descriptors something changed.
    fn refresh(&mut self) -> Result<(), Stop> {
        let changed = std::mem::take(&mut self.machine.changed);
        if changed.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i32> = self.table.epolls().flat_map(|epoll| epoll.numbers()).collect();
        for number in numbers {
            if let Ok(open) = self.table.get(number)
                && let Kind::Socket(id) = open.kind
                && changed.contains(&id)
            {
                self.table.epolls().for_each(|epoll| epoll.changed(number));
            }
        }
        Ok(())
    }
}

/// `{events=…, fd=…}`, or with `ptr`, `u32`, `u64` in the place of `fd`.
fn event(value: &Value) -> Result<(u32, u64), Stop> {
    let data = ["fd", "ptr", "u32", "u64"].iter().find_map(|name| value.field(name));
    let data = data.ok_or_else(|| Stop::failed("epoll_event specified incorrectly"))?;
    let Value::Integer(data) = data else {
        return Err(Stop::failed(format!("an epoll event has numbers, not {data:?}")));
    };
    Ok((value.wanted("events")?.int()?.cast_unsigned(), data.cast_unsigned()))
}
