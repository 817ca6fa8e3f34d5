//! `getsockname(2)` and `getpeername(2)`.

use std::net::SocketAddr;

use crate::description::{Datagram, Phase, Stream};
use crate::host::Host;
use crate::{Errno, SocketId};

impl Host {
    /// The socket's own address; 0.0.0.0 or `::`, port 0, while it has none. Sockets of IPv6 see IPv4 addresses, here
    /// and everywhere, as `::ffff:a.b.c.d`. A stream whose connection failed or was dissolved shows the port it had.
    ///
    /// # Errors
    ///
    /// EBADF alone.
    pub fn local_address(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let local = match &description.phase {
            Phase::Stream(Stream::Unbound) => {
                SocketAddr::new(description.nowhere().ip(), description.port_left)
            }
            Phase::Datagram(Datagram::Unbound) => description.without_port(),
            Phase::Stream(Stream::Bound(bound)) if bound.address.port() == 0 => {
                SocketAddr::new(bound.address.ip(), description.port_left)
            }
            Phase::Stream(Stream::Bound(bound)) => bound.address,
            Phase::Stream(Stream::Listening(listening)) => listening.bound.address,
            Phase::Stream(Stream::Active(active)) => active.local,
            Phase::Datagram(Datagram::Open(open)) => {
                self.endpoint_address(open.endpoint).unwrap_or(open.bound)
            }
        };
        Ok(description.shown(local))
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
                if view.connecting || view.closed {
                    Err(Errno::ENOTCONN)
                } else {
                    Ok(description.shown(active.remote))
                }
            }
            Phase::Datagram(Datagram::Open(open)) => {
                // Linux takes port 0 for "no peer".
                let remote = self.endpoint_remote(open.endpoint).filter(|remote| remote.port() != 0);
                remote.map(|remote| description.shown(remote)).ok_or(Errno::ENOTCONN)
            }
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Listening(_))
            | Phase::Datagram(Datagram::Unbound) => Err(Errno::ENOTCONN),
        }
    }
}
