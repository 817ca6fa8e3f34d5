//! `poll`, and what is ready.

use std::time::Duration;

use ieum_socket::{Errno, Readiness};

use crate::shared::{Shared, Wait};
use crate::state::State;
use crate::table::Kind;

const POLLIN: i32 = 0x1 | 0x40;
const POLLPRI: i32 = 0x2;
const POLLOUT: i32 = 0x4 | 0x100;
const POLLERR: i32 = 0x8;
const POLLHUP: i32 = 0x10;
const POLLNVAL: i32 = 0x20;
const POLLRDHUP: i32 = 0x2000;
/// What is told without being asked for.
pub(super) const UNASKED: i32 = POLLERR | POLLHUP;

impl Shared {
    /// What is ready of what is waited for: pairs of a number and events; a negative number is passed over.
    pub(crate) fn poll(&self, askers: &[(i32, i32)], timeout_ms: i32) -> Result<Vec<i32>, Errno> {
        self.call(|state, wait| {
            let found: Vec<i32> = askers
                .iter()
                .map(|(number, events)| match ready(state, *number) {
                    _ if *number < 0 => 0,
                    Ok(ready) => ready & (events | UNASKED),
                    Err(_) => POLLNVAL,
                })
                .collect();
            let nothing = found.iter().all(|events| *events == 0);
            if nothing && !timed_out(state, timeout_ms, wait) { None } else { Some(Ok(found)) }
        })
    }
}

/// Is a call over that waits for so many milliseconds, for ever if negative?
pub(super) fn timed_out(state: &State, timeout_ms: i32, wait: &mut Wait) -> bool {
    let now = state.machine.now();
    let Ok(timeout_ms) = u64::try_from(timeout_ms) else { return false };
    *wait.until.get_or_insert_with(|| now + Duration::from_millis(timeout_ms)) <= now
}

/// What `poll` shows of whatever a number names.
pub(super) fn ready(state: &State, number: i32) -> Result<i32, Errno> {
    Ok(match &state.table.get(number)?.kind {
        Kind::Socket(id) => mask(state.machine.host.readiness(*id)),
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

fn mask(ready: Readiness) -> i32 {
    let bits = |is: bool, bits: i32| if is { bits } else { 0 };
    bits(ready.readable, POLLIN)
        | bits(ready.urgent, POLLPRI)
        | bits(ready.writable, POLLOUT)
        | bits(ready.read_hangup, POLLRDHUP)
        | bits(ready.hangup, POLLHUP)
        | bits(ready.error, POLLERR)
}
