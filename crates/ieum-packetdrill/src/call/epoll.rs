//! `epoll_create`, `epoll_ctl`, `epoll_wait`.

use ieum_socket::{Epoll, Errno};

use super::poll::ready;
use super::socket::hand_out;
use crate::shared::Shared;
use crate::state::State;
use crate::table::Kind;

impl Shared {
    pub(crate) fn epoll_create(&self, size: i32) -> Result<i32, Errno> {
        self.call(|state, _| {
            if size <= 0 {
                return Some(Err(Errno::EINVAL));
            }
            Some(hand_out(state, Kind::Epoll(Epoll::default()), false))
        })
    }

    /// `event`: events and data.
    pub(crate) fn epoll_ctl(
        &self,
        epoll: i32,
        operation: i32,
        number: i32,
        event: Option<(u32, u64)>,
    ) -> Result<(), Errno> {
        self.call(|state, _| {
            let control = |state: &mut State| {
                state.table.get(number)?;
                match &mut state.table.get_mut(epoll)?.kind {
                    Kind::Epoll(epoll) => epoll.control(operation, number, event),
                    Kind::Socket(_) | Kind::Pipe { .. } => Err(Errno::EINVAL),
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
            let waits = found.is_empty() && !wait.timed_out(state.machine.now(), timeout_ms);
            (!waits).then_some(Ok(found))
        })
    }
}

/// Takes what is ready.
fn look(state: &mut State, number: i32, most: usize) -> Result<Vec<(u32, u64)>, Errno> {
    let Kind::Epoll(epoll) = &state.table.get(number)?.kind else { return Err(Errno::EINVAL) };
    let mut epoll = epoll.clone();
    // Who closed a descriptor is not told of it any more.
    let found = epoll.wait(most, |number| ready(state, number).ok());
    state.table.get_mut(number)?.kind = Kind::Epoll(epoll);
    Ok(found)
}

/// Notes at which descriptors something changed.
fn refresh(state: &mut State) {
    let changed = std::mem::take(&mut state.machine.changed);
    let numbers: Vec<i32> = state.table.epolls().flat_map(|epoll| epoll.numbers()).collect();
    let touched = |number: &i32| state.socket_at(*number).is_ok_and(|id| changed.contains(&id));
    let touched: Vec<i32> = numbers.into_iter().filter(touched).collect();
    for epoll in state.table.epolls() {
        touched.iter().for_each(|number| epoll.changed(*number));
    }
}
