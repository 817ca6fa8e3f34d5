//! `listen(2)`.

use crate::bounds::BACKLOG_MAX;
use crate::description::{Bound, Listening, NOWHERE, Phase, Stream};
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
                self.begin_listening(id, bound, backlog)
            }
            Phase::Stream(Stream::Unbound) => {
                let bound = self.bind_stream(id, NOWHERE)?;
                self.set_stream(id, Stream::Bound(bound));
                self.begin_listening(id, bound, backlog)
            }
        }
    }

    fn begin_listening(&mut self, id: SocketId, bound: Bound, backlog: u32) -> Result<(), Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let settings = description.options.tcp_settings();
        let listener = self.stack.tcp_listen(bound.binding, backlog, self.hold_requests, settings)?;
        let listening = Listening { listener, bound, backlog, reconfigured: false };
        description.phase = Phase::Stream(Stream::Listening(listening));
        self.listeners.insert(listener, id);
        self.tell_serving(Kind::Stream, bound.address, true);
        Ok(())
    }
}
