//! `epoll_create`, `epoll_ctl`, `epoll_wait`.

use std::collections::BTreeMap;

use ieum_socket::Errno;

use super::poll::UNASKED;
use super::table::Kind;
use super::value::Value;
use super::{Asked, Progress, Wait};
use crate::run::Runner;
use crate::stop::Stop;

const EDGE: i64 = 1 << 31;
const ONE_SHOT: i64 = 1 << 30;

/// What somebody waits for at one descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    events: i64,
    /// What is told with an event.
    data: i64,
    /// Something changed since it was told last.
    fresh: bool,
}

impl Runner<'_> {
    pub(super) fn epoll_create(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(1)?;
        asked.descriptor(Ok(0))?;
        self.table.add(asked.number()?, Kind::Epoll(BTreeMap::new()), false, None)?;
        Ok(Progress::Done)
    }

    pub(super) fn epoll_ctl(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        asked.arguments.must_be(4)?;
        let (epoll, operation, number) =
            (asked.arguments.int(0)?, asked.arguments.int(1)?, asked.arguments.int(2)?);
        self.table.get(number)?;
        let Kind::Epoll(interests) = &mut self.table.get_mut(epoll)?.kind else {
            return Err(Stop::failed(format!("fd {epoll} is no epoll")));
        };
        let interest = |fresh| -> Result<Interest, Stop> {
            let (events, data) = event(asked.arguments.get(3)?)?;
            Ok(Interest { events, data, fresh })
        };
        let known = interests.contains_key(&number);
        let answer = match (operation, known) {
            (libc::EPOLL_CTL_ADD, false) | (libc::EPOLL_CTL_MOD, true) => {
                interests.insert(number, interest(true)?);
                Ok(0)
            }
            (libc::EPOLL_CTL_DEL, true) => {
                interests.remove(&number);
                Ok(0)
            }
            (libc::EPOLL_CTL_ADD, true) => Err(Errno(libc::EEXIST)),
            (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, false) => Err(Errno::ENOENT),
            (_, _) => Err(Errno::EINVAL),
        };
        asked.exactly(answer)?;
        Ok(Progress::Done)
    }

    pub(super) fn epoll_wait(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(4)?;
        let (epoll, most, timeout) =
            (asked.arguments.int(0)?, asked.arguments.size(2)?, asked.arguments.int(3)?);
        let (expected_events, expected_data) = event(asked.arguments.get(1)?)?;
        self.refresh()?;
        let Kind::Epoll(interests) = &self.table.get(epoll)?.kind else {
            return Err(Stop::failed(format!("fd {epoll} is no epoll")));
        };
        let mut found = Vec::new();
        for (number, interest) in interests {
            let asked_for = interest.events & !(EDGE | ONE_SHOT) | i64::from(UNASKED);
            let Ok(ready) = self.ready(*number) else { continue };
            let ready = i64::from(ready) & asked_for;
            let told = interest.events & EDGE != 0 && !interest.fresh;
            let spent = interest.events & !(EDGE | ONE_SHOT) == 0;
            if ready != 0 && !told && !spent && found.len() < most {
                found.push((*number, ready, interest.data));
            }
        }
        if found.is_empty() && !self.timed_out(timeout, wait) {
            return Ok(Progress::Waiting);
        }
        if let Kind::Epoll(interests) = &mut self.table.get_mut(epoll)?.kind {
            for (number, _, _) in &found {
                let Some(interest) = interests.get_mut(number) else { continue };
                interest.fresh = false;
                if interest.events & ONE_SHOT != 0 {
                    interest.events &= EDGE | ONE_SHOT;
                }
            }
        }
        asked.exactly(Ok(super::transfer::moved(found.len())))?;
        let (events, data) = found.first().map_or((0, 0), |(_, events, data)| (*events, *data));
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
        let numbers: Vec<i32> = self.table.interests().map(|(number, _)| number).collect();
        let mut touched = Vec::new();
        for number in numbers {
            if let Ok(open) = self.table.get(number)
                && let Kind::Socket(id) = open.kind
                && changed.contains(&id)
            {
                touched.push(number);
            }
        }
        for (number, interest) in self.table.interests() {
            interest.fresh |= touched.contains(&number);
        }
        Ok(())
    }
}

/// `{events=…, fd=…}`, or with `ptr`, `u32`, `u64` in the place of `fd`.
fn event(value: &Value) -> Result<(i64, i64), Stop> {
    let number = |value: &Value| {
        let Value::Integer(number) = value else {
            return Err(Stop::failed(format!("an epoll event has numbers, not {value:?}")));
        };
        Ok(*number)
    };
    let data = ["fd", "ptr", "u32", "u64"].iter().find_map(|name| value.field(name));
    let data = data.ok_or_else(|| Stop::failed("epoll_event specified incorrectly"))?;
    Ok((number(value.wanted("events")?)?, number(data)?))
}
