//! `connect` and `accept`.

use std::net::SocketAddr;

use ieum_wire::Instant;

use super::{Progress, Wait};
use crate::host::Host;
use crate::numbers::{SO_RCVTIMEO, SO_SNDTIMEO};
use crate::{Connect, Errno, SocketId};

impl Host {
    /// [`Host::connect`] that ends by asking again, as Linux's does inside. Who does not block, or has waited for
    /// SO_SNDTIMEO, is told EINPROGRESS, or EALREADY when another call began to connect.
    pub fn connect_waiting(
        &mut self,
        now: Instant,
        id: SocketId,
        address: Option<SocketAddr>,
        blocks: bool,
        wait: &mut Wait,
    ) -> Progress<()> {
        let answer = self.connect(now, id, address);
        let begun = std::mem::replace(&mut wait.begun, true);
        let late = match answer {
            Ok(Connect::Done) => return Some(Ok(())),
            Ok(Connect::InProgress) => Errno::EINPROGRESS,
            // It was asked to connect by this call, or by one before it.
            Err(Errno::EALREADY) if begun => wait.late.unwrap_or(Errno::EALREADY),
            Err(Errno::EALREADY) => Errno::EALREADY,
            Err(errno) => return Some(Err(errno)),
        };
        wait.late = Some(late);
        self.begin_waiting(now, id, SO_SNDTIMEO, wait);
        wait.gives_up(now, blocks).then_some(Err(late))
    }

    /// [`Host::accept`] that waits for a connection.
    pub fn accept_waiting(
        &mut self,
        now: Instant,
        id: SocketId,
        blocks: bool,
        wait: &mut Wait,
    ) -> Progress<(SocketId, SocketAddr)> {
        match self.accept(id) {
            Err(Errno::EAGAIN) => {
                self.begin_waiting(now, id, SO_RCVTIMEO, wait);
                wait.or_again(now, blocks)
            }
            answer => Some(answer),
        }
    }
}
