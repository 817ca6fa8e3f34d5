//! `getsockname(2)` and `getpeername(2)`.

use std::net::SocketAddr;

use crate::description::{Datagram, NOWHERE, Phase, Stream};
use crate::host::Host;
use crate::{Errno, SocketId};

impl Host {
    /// The socket's own address; 0.0.0.0 port 0 while it has none.
    ///
    /// # Errors
    ///
    /// EBADF alone.
    pub fn local_address(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        Ok(match &self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            Phase::Stream(Stream::Unbound) | Phase::Datagram(Datagram::Unbound) => NOWHERE,
            Phase::Stream(Stream::Bound(bound)) => bound.address,
            Phase::Stream(Stream::Listening(listening)) => listening.bound.address,
            Phase::Stream(Stream::Active(active)) => active.local,
            Phase::Datagram(Datagram::Open(open)) => {
                self.stack.udp_address(open.endpoint).unwrap_or(open.bound)
            }
        })
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// ENOTCONN: without a connection, while one is being made, and after its end.
    pub fn remote_address(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        match &description.phase {
            Phase::Stream(Stream::Active(active)) => {
                let view = self.view(description).ok_or(Errno::ENOTCONN)?;
                if view.connecting || view.closed { Err(Errno::ENOTCONN) } else { Ok(active.remote) }
            }
            Phase::Datagram(Datagram::Open(open)) => {
                // Linux takes port 0 for "no peer".
                let remote = self.stack.udp_remote(open.endpoint).filter(|remote| remote.port() != 0);
                remote.ok_or(Errno::ENOTCONN)
            }
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Listening(_))
            | Phase::Datagram(Datagram::Unbound) => Err(Errno::ENOTCONN),
        }
    }
}
