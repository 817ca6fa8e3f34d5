//! `poll`, and what is ready.

use ieum_socket::numbers::{POLLIN, POLLNVAL, POLLOUT};
use ieum_socket::{Errno, UNASKED};

use crate::shared::Shared;
use crate::state::State;
use crate::table::Kind;

impl Shared {
    /// What is ready of what is waited for: pairs of a number and events; a negative number is passed over.
    pub(crate) fn poll(&self, askers: &[(i32, u32)], timeout_ms: i32) -> Result<Vec<u32>, Errno> {
        self.call(|state, wait| {
            let found: Vec<u32> = askers
                .iter()
                .map(|(number, events)| match ready(state, *number) {
                    _ if *number < 0 => 0,
                    Ok(ready) => ready & (events | UNASKED),
                    Err(_) => POLLNVAL,
                })
                .collect();
            let nothing = found.iter().all(|events| *events == 0);
            let waits = nothing && !wait.timed_out(state.machine.now(), timeout_ms);
            (!waits).then_some(Ok(found))
        })
    }
}

/// What `poll` shows of whatever a number names.
pub(super) fn ready(state: &State, number: i32) -> Result<u32, Errno> {
    Ok(match &state.table.get(number)?.kind {
        Kind::Socket(id) => state.machine.host.readiness(*id).events(),
        Kind::Pipe { pipe, reads: true } => {
            if state.table.pipes.get(*pipe).is_none_or(Vec::is_empty) {
                0
            } else {
                POLLIN
            }
        }
        Kind::Pipe { .. } => POLLOUT,
        Kind::Epoll(_) => 0,
    })
}
