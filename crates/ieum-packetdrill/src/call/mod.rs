//! System calls, as the tool makes them: safe functions on [`Shared`], whose arguments `door` has made of C's.
//!
//! A socket blocks unless O_NONBLOCK or the call's flags say otherwise.
//!
//! Files: `socket` (from `socket` to `close`), `transfer` (reading and writing), `option`,
//! `poll` and `epoll` (waiting), `pipe`, `link` (packets and time).

pub(crate) mod epoll;
mod link;
mod option;
mod pipe;
pub(crate) mod poll;
mod socket;
pub(crate) mod transfer;

use ieum_socket::Errno;

use crate::state::State;

/// Does the descriptor block, so that a call that finds nothing waits?
fn blocks(state: &State, number: i32) -> Result<bool, Errno> {
    Ok(!state.table.get(number)?.nonblocking)
}
