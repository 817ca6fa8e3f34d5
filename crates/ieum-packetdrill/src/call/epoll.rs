//! `epoll_create`, `epoll_ctl`, `epoll_wait`.

use std::collections::BTreeMap;

use ieum_socket::Errno;

use super::poll::{UNASKED, ready, timed_out};
use super::socket::hand_out;
use crate::shared::Shared;
use crate::state::State;
use crate::table::Kind;

const EDGE: u32 = 1 << 31;
const ONE_SHOT: u32 = 1 << 30;

/// What somebody waits for at one descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    pub(crate) events: u32,
    /// What is told with an event.
    pub(crate) data: u64,
    /// Something changed since it was told last.
    fresh: bool,
}

impl Interest {
    pub(crate) fn new(events: u32, data: u64) -> Interest {
        Interest { events, data, fresh: true }
    }

    /// What is to be told of what is ready, if anything.
    fn found(&self, ready: u32) -> Option<(u32, u64)> {
        let wanted = self.events & !(EDGE | ONE_SHOT);
        let told = self.events & EDGE != 0 && !self.fresh;
        let events = ready & (wanted | UNASKED.cast_unsigned());
        (events != 0 && wanted != 0 && !told).then_some((events, self.data))
    }

    fn tell(&mut self) {
        self.fresh = false;
        if self.events & ONE_SHOT != 0 {
            self.events &= EDGE | ONE_SHOT;
        }
    }
}

impl Shared {
    pub(crate) fn epoll_create(&self, size: i32) -> Result<i32, Errno> {
        self.call(|state, _| {
            if size <= 0 {
                return Some(Err(Errno::EINVAL));
            }
            Some(hand_out(state, Kind::Epoll(BTreeMap::new()), false))
        })
    }

    pub(crate) fn epoll_ctl(
        &self,
        epoll: i32,
        operation: i32,
        number: i32,
        interest: Option<Interest>,
    ) -> Result<(), Errno> {
        self.call(|state, _| {
            let control = |state: &mut State| {
                state.table.get(number)?;
                let Kind::Epoll(interests) = &mut state.table.get_mut(epoll)?.kind else {
                    return Err(Errno::EINVAL);
                };
                match (operation, interests.contains_key(&number)) {
                    (libc::EPOLL_CTL_ADD, false) | (libc::EPOLL_CTL_MOD, true) => {
                        interests.insert(number, interest.ok_or(super::EFAULT)?);
                        Ok(())
                    }
                    (libc::EPOLL_CTL_DEL, true) => {
                        interests.remove(&number);
                        Ok(())
                    }
                    (libc::EPOLL_CTL_ADD, true) => Err(Errno(libc::EEXIST)),
                    (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, false) => Err(Errno::ENOENT),
                    (_, _) => Err(Errno::EINVAL),
                }
            };
            Some(control(state))
        })
    }

    /// Events and data of at most `most` descriptors.
    pub(crate) fn epoll_wait(
        &self,
        epoll: i32,
        most: usize,
        timeout_ms: i32,
    ) -> Result<Vec<(u32, u64)>, Errno> {
        self.call(|state, wait| {
            refresh(state);
            let found = match look(state, epoll, most) {
                Ok(found) => found,
                Err(errno) => return Some(Err(errno)),
            };
            if found.is_empty() && !timed_out(state, timeout_ms, wait) { None } else { Some(Ok(found)) }
        })
    }
}

/// Takes what is ready.
fn look(state: &mut State, epoll: i32, most: usize) -> Result<Vec<(u32, u64)>, Errno> {
    let Kind::Epoll(interests) = &state.table.get(epoll)?.kind else { return Err(Errno::EINVAL) };
    let found: BTreeMap<i32, (u32, u64)> = interests
        .iter()
        .filter_map(|(number, interest)| {
            // Who closed a descriptor is not told of it any more.
            let ready = ready(state, *number).ok()?;
            Some((*number, interest.found(ready.cast_unsigned())?))
        })
        .take(most)
        .collect();
    if let Kind::Epoll(interests) = &mut state.table.get_mut(epoll)?.kind {
        interests
            .iter_mut()
            .filter(|(number, _)| found.contains_key(number))
            .for_each(|(_, interest)| interest.tell());
    }
    Ok(found.into_values().collect())
}

/// Notes at which descriptors something changed.
fn refresh(state: &mut State) {
    let changed = std::mem::take(&mut state.machine.changed);
    let numbers: Vec<i32> = state.table.interests().map(|(number, _)| number).collect();
    let touched: Vec<i32> = numbers
        .into_iter()
        .filter(|number| state.socket_at(*number).is_ok_and(|id| changed.contains(&id)))
        .collect();
    for (number, interest) in state.table.interests() {
        interest.fresh |= touched.contains(&number);
    }
}
