//! `listen(2)`.

use crate::bounds::BACKLOG_MAX;
use crate::description::{Bound, Listening, Phase, Stream};
use crate::host::Host;
use crate::{Errno, Kind, SocketId};

impl Host {
    /// Begins to listen, or changes the backlog of a socket that does. What is not bound gets any port. A negative
    /// backlog, or one beyond 4096, means 4096.
    ///
    /// # Errors
    ///
    /// EINVAL on a socket that has a connection, EADDRINUSE when another one listens there, EOPNOTSUPP on a datagram
    /// socket.
    pub fn listen(&mut self, id: SocketId, backlog: i32) -> Result<(), Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let backlog = u32::try_from(backlog).unwrap_or(u32::MAX).min(BACKLOG_MAX.unsigned_abs());
        match &mut description.phase {
            Phase::Datagram(_) => Err(Errno::EOPNOTSUPP),
            Phase::Stream(Stream::Active(_)) => Err(Errno::EINVAL),
            Phase::Stream(Stream::Listening(listening)) => {
                listening.backlog = backlog;
                self.stack.tcp_set_backlog(listening.listener, backlog);
                Ok(())
            }
            Phase::Stream(Stream::Bound(bound)) => {
                let bound = *bound;
                let bound = self.bind_to_listen(id, bound)?;
                let bound = self.held_or_another(id, bound)?;
                self.begin_listening(id, bound, backlog)
            }
            Phase::Stream(Stream::Unbound) => {
                let nowhere = description.nowhere();
                let bound = self.bind_stream(id, nowhere)?;
                self.set_stream(id, Stream::Bound(bound));
                self.begin_listening(id, bound, backlog)
            }
        }
    }

    /// So many connections given out by [`Host::accept`] the program has not accepted yet: they wait in a queue of
    /// the caller's own, and count against the backlog.
    pub fn set_waiting_elsewhere(&mut self, id: SocketId, count: u32) {
        let Some(description) = self.descriptions.get(id) else { return };
        if let Phase::Stream(Stream::Listening(listening)) = &description.phase {
            self.stack.tcp_set_waiting_elsewhere(listening.listener, count);
        }
    }

    fn begin_listening(&mut self, id: SocketId, bound: Bound, backlog: u32) -> Result<(), Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let settings = description.options.tcp_settings(description.make.domain, &self.tcp_defaults);
        let listener = self.stack.tcp_listen(bound.binding, backlog, self.hold_requests, settings)?;
        if let Some(keys) = description.options.fast_open_keys() {
            self.stack.tcp_set_fast_open_keys(listener, keys);
        }
        let listening = Listening { listener, bound, backlog, reconfigured: false };
        description.phase = Phase::Stream(Stream::Listening(listening));
        self.listeners.insert(listener, id);
        self.tell_serving(Kind::Stream, bound.address, bound.v6_only, true);
        Ok(())
    }
}
