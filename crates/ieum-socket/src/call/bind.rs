//! `bind(2)`, and the binding that other calls do on the way.

use std::net::{IpAddr, SocketAddr};

use ieum_stack::BindRequest;

use crate::description::{Bound, Datagram, Description, NOWHERE, Open, Phase, Stream};
use crate::host::Host;
use crate::{Errno, Kind, SocketId};

impl Host {
    /// Gives the socket a local address and port; port 0 means a free one. All ports are free for everyone here, the
    /// low ones too.
    ///
    /// # Errors
    ///
    /// EADDRNOTAVAIL when the address is none of the host's, EINVAL when the socket has one already, EADDRINUSE,
    /// EAFNOSUPPORT.
    pub fn bind(&mut self, id: SocketId, address: SocketAddr) -> Result<(), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        if address.is_ipv6() {
            return Err(Errno::EAFNOSUPPORT);
        }
        match description.phase {
            Phase::Stream(Stream::Unbound) => {
                let bound = Bound { by_program: true, ..self.bind_stream(id, address)? };
                self.set_stream(id, Stream::Bound(bound));
                Ok(())
            }
            Phase::Datagram(Datagram::Unbound) => self.open_datagram(id, address).map(|_| ()),
            // Linux looks at the address before it looks at the socket.
            Phase::Stream(_) | Phase::Datagram(_) if !self.could_be_bound(address.ip()) => {
                Err(Errno::EADDRNOTAVAIL)
            }
            Phase::Stream(Stream::Bound(_) | Stream::Listening(_) | Stream::Active(_))
            | Phase::Datagram(Datagram::Open(_)) => Err(Errno::EINVAL),
        }
    }

    /// Reserves an address for a stream; its phase stays as it is.
    pub(crate) fn bind_stream(&mut self, id: SocketId, address: SocketAddr) -> Result<Bound, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let binding = self.stack.tcp_bind(request(description, address))?;
        let address = self.stack.binding_address(binding).unwrap_or(address);
        Ok(Bound { binding, address, by_program: false })
    }

    /// The endpoint of a datagram socket; one that has none gets any port, as sending and connecting do.
    pub(crate) fn opened(&mut self, id: SocketId) -> Result<Open, Errno> {
        match self.descriptions.get(id).ok_or(Errno::EBADF)?.open() {
            Some(open) => Ok(*open),
            // Linux says EAGAIN when no port is left for a socket that did not ask for one.
            None => self.open_datagram(id, NOWHERE).map_err(|_| Errno::EAGAIN),
        }
    }

    fn open_datagram(&mut self, id: SocketId, address: SocketAddr) -> Result<Open, Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let endpoint = self.stack.udp_bind(request(description, address))?;
        let bound = self.stack.udp_address(endpoint).unwrap_or(address);
        let open = Open { endpoint, bound, port_named: address.port() != 0, full: false };
        description.phase = Phase::Datagram(Datagram::Open(open));
        self.endpoints.insert(endpoint, id);
        self.tell_serving(Kind::Datagram, bound, true);
        Ok(open)
    }

    /// Moves a stream into another phase.
    pub(crate) fn set_stream(&mut self, id: SocketId, stream: Stream) {
        if let Some(description) = self.descriptions.get_mut(id) {
            description.phase = Phase::Stream(stream);
        }
    }

    fn could_be_bound(&self, address: IpAddr) -> bool {
        address.is_unspecified() || address.is_multicast() || self.stack.is_local(address)
    }
}

/// The wish as the stack wants it.
fn request(description: &Description, address: SocketAddr) -> BindRequest {
    BindRequest {
        address: address.ip(),
        port: address.port(),
        reuse_address: description.options.reuse_address(),
        reuse_port: description.options.reuse_port(),
        v6_only: false,
    }
}
