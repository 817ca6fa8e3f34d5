//! `accept(2)`.

use std::net::SocketAddr;

use crate::description::{Active, Description, Phase, Stream};
use crate::host::Host;
use crate::make::Domain;
use crate::{Errno, SocketId};

impl Host {
    /// Takes the oldest established connection: its new socket, which inherits the listener's options, and the
    /// peer's address. A connection that the peer has reset meanwhile is given out too, and tells so when it is used.
    ///
    /// # Errors
    ///
    /// EAGAIN when there is none, EINVAL on a socket that does not listen, EOPNOTSUPP on a datagram socket, ENFILE.
    pub fn accept(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let listening = match &description.phase {
            Phase::Datagram(_) => return Err(Errno::EOPNOTSUPP),
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Active(_)) => {
                return Err(Errno::EINVAL);
            }
            Phase::Stream(Stream::Listening(listening)) => *listening,
        };
        let (make, options) = (description.make, description.options.inherited());
        if self.descriptions.len() >= self.sockets_max {
            return Err(Errno::ENFILE);
        }
        loop {
            let connection = self.stack.tcp_accept(listening.listener).ok_or(Errno::EAGAIN)?;
            // Whom the stack has forgotten already cannot be named any more.
            let Some(status) = self.stack.tcp_status(connection) else { continue };
            // A listener of both families was given the settings of IPv6.
            let domain = Domain::of(status.remote.ip());
            if listening.reconfigured || domain != make.domain {
                self.stack.tcp_configure(
                    self.now,
                    connection,
                    options.tcp_settings(domain, &self.tcp_defaults),
                );
            }
            let active = Active {
                connection,
                bound: None,
                local: status.local,
                remote: status.remote,
                answered: true,
                disconnecting: false,
                failure_seen: false,
            };
            let description = Description::accepted(make, options, active);
            let shown = description.shown(status.remote);
            let accepted = self.descriptions.insert(description);
            self.connections.insert(connection, accepted);
            return Ok((accepted, shown));
        }
    }
}
