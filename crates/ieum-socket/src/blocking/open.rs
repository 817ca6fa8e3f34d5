//! `connect` and `accept`.

use std::net::SocketAddr;

use ieum_wire::Instant;

use super::{Progress, Wait};
use crate::host::Host;
use crate::{Connect, Errno, SocketId};

impl Host {
    /// [`Host::connect`] that ends by asking again, as Linux's does inside. Who does not block is told EINPROGRESS.
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
        let gives_up = wait.gives_up(now, blocks);
        match answer {
            Ok(Connect::Done) => Some(Ok(())),
            Ok(Connect::InProgress) => gives_up.then_some(Err(Errno::EINPROGRESS)),
            Err(Errno::EALREADY) if begun => gives_up.then_some(Err(Errno::EAGAIN)),
            Err(errno) => Some(Err(errno)),
        }
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
            Err(Errno::EAGAIN) => wait.or_again(now, blocks),
            answer => Some(answer),
        }
    }
}
