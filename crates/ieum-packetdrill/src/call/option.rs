//! `getsockopt` and `setsockopt`.

use ieum_socket::Errno;

use crate::shared::Shared;

impl Shared {
    /// The value of an option; cutting it to the caller's length is the caller's affair.
    pub(crate) fn getsockopt(&self, number: i32, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        self.call(|state, _| {
            let id = state.socket_at(number);
            Some(id.and_then(|id| state.machine.host.option(id, level, name)))
        })
    }

    pub(crate) fn setsockopt(&self, number: i32, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        self.call(|state, _| {
            let (id, now) = (state.socket_at(number), state.machine.now());
            Some(id.and_then(|id| state.machine.host.set_option(now, id, level, name, value)))
        })
    }

    /// Is the number one that was handed out?
    pub(crate) fn has(&self, number: i32) -> bool {
        self.call(|state, _| Some(Ok(state.table.has(number)))) == Ok(true)
    }
}
