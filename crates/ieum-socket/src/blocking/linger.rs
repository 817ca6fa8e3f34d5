//! `close` that waits (SO_LINGER in socket(7)).

use ieum_stack::State;
use ieum_wire::Instant;

use super::Wait;
use crate::host::Host;
use crate::{How, SocketId};

impl Host {
    /// Does closing this socket wait, since it has a time to linger (SO_LINGER in socket(7)) and something to send, or to have
    /// acknowledged? Linux waits in FIN-WAIT-1, CLOSING and LAST-ACK, which closing leads to from ESTABLISHED and CLOSE-WAIT.
    pub fn lingers(&self, id: SocketId) -> bool {
        let description = self.descriptions.get(id);
        let has_time = description.is_some_and(|description| description.options.linger_time().is_some());
        let to_be_told =
            [State::Established, State::CloseWait, State::FinWait1, State::Closing, State::LastAck];
        // Bytes left unread make closing a reset, for which nobody waits.
        has_time
            && self.status(id).is_some_and(|status| {
                status.readable_bytes == 0 && status.failure.is_none() && to_be_told.contains(&status.state)
            })
    }

    /// Sends what closing sends, the first time, and answers when there is nothing left to wait for, or the time is over: then
    /// comes [`Host::close`]. The socket is to be asked again after whatever happened to it.
    pub fn linger_waiting(&mut self, now: Instant, id: SocketId, wait: &mut Wait) -> bool {
        if !self.lingers(id) {
            return true;
        }
        if !std::mem::replace(&mut wait.begun, true) {
            let time = self.descriptions.get(id).and_then(|description| description.options.linger_time());
            wait.until = time.map(|time| now + time);
            // It fails where the end was sent already.
            let _ = self.shutdown(now, id, How::Write);
        }
        wait.gives_up(now, true)
    }
}
