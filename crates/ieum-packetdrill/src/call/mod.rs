//! System calls, as the tool makes them: safe functions on [`Shared`], whose arguments `door` has made of C's.
//!
//! A socket blocks unless O_NONBLOCK or the call's flags say otherwise.
//!
//! Files: `address` (socket addresses), `socket` (from `socket` to `close`), `transfer` (reading and writing), `option`,
//! `poll` and `epoll` (waiting), `pipe`, `link` (packets and time).

pub(crate) mod address;
pub(crate) mod epoll;
mod link;
mod option;
mod pipe;
pub(crate) mod poll;
mod socket;
pub(crate) mod transfer;

use ieum_socket::Errno;

use crate::shared::Wait;
use crate::state::State;

/// A bad address: what C's NULL is where something should be.
pub(crate) const EFAULT: Errno = Errno(libc::EFAULT);

/// Does a call that finds nothing answer so at once, or has it waited long enough? `flags`: of the call.
fn gives_up(state: &State, number: i32, flags: i32, wait: &Wait) -> Result<bool, Errno> {
    let late = wait.until.is_some_and(|until| until <= state.machine.now());
    Ok(late || flags & libc::MSG_DONTWAIT != 0 || state.table.get(number)?.nonblocking)
}

/// The answer of a call that found nothing: it waits, or says EAGAIN.
macro_rules! or_wait {
    ($state:expr, $number:expr, $flags:expr, $wait:expr) => {
        match crate::call::gives_up($state, $number, $flags, $wait) {
            Ok(false) => return None,
            Ok(true) => Err(ieum_socket::Errno::EAGAIN),
            Err(errno) => Err(errno),
        }
    };
}
use or_wait;
