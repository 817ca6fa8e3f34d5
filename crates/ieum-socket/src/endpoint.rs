//! What a bound datagram socket holds in the stack: an endpoint of UDP, or one for echo requests. Here the two are one.

use std::net::SocketAddr;

use ieum_stack::{BindRequest, Datagram, PingId, PingSendError, SendFields, UdpId, UdpSendError};
use ieum_wire::{Instant, Unreachable};

use crate::host::Host;
use crate::{Errno, SocketId};

/// An endpoint of the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    /// Of UDP.
    Udp(UdpId),
    /// Of ICMP: its port is the identifier of its echo requests.
    Ping(PingId),
}

impl Host {
    /// Makes the endpoint of a UDP socket.
    pub(crate) fn bind_udp(&mut self, id: SocketId, request: BindRequest) -> Result<Endpoint, Errno> {
        let endpoint = self.stack.udp_bind(request)?;
        self.endpoints.insert(endpoint, id);
        Ok(Endpoint::Udp(endpoint))
    }

    /// Makes the endpoint of a ping socket.
    pub(crate) fn bind_ping(&mut self, id: SocketId, request: BindRequest) -> Result<Endpoint, Errno> {
        let wish = SocketAddr::new(request.address, request.port);
        let endpoint = self.stack.ping_bind(wish, request.reuse_address)?;
        self.pings.insert(endpoint, id);
        Ok(Endpoint::Ping(endpoint))
    }

    /// Its address here, as the stack names it.
    pub(crate) fn endpoint_address(&self, endpoint: Endpoint) -> Option<SocketAddr> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_address(id),
            Endpoint::Ping(id) => self.stack.ping_address(id),
        }
    }

    /// The peer it is connected to, as the stack names it.
    pub(crate) fn endpoint_remote(&self, endpoint: Endpoint) -> Option<SocketAddr> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_remote(id),
            Endpoint::Ping(id) => self.stack.ping_remote(id),
        }
    }

    /// Connects it, or dissolves that.
    pub(crate) fn endpoint_connect(
        &mut self,
        endpoint: Endpoint,
        remote: Option<SocketAddr>,
    ) -> Result<(), Errno> {
        match endpoint {
            Endpoint::Udp(id) => {
                let link = remote.and_then(|remote| self.chosen_link(*self.endpoints.get(id)?, remote.ip()));
                self.stack.udp_connect_by(id, remote, link)?;
            }
            Endpoint::Ping(id) => self.stack.ping_connect(id, remote)?,
        }
        Ok(())
    }

    /// Sends; `Ok(false)`: there is no room now, and the stack will say when there is.
    pub(crate) fn endpoint_send(
        &mut self,
        now: Instant,
        endpoint: Endpoint,
        to: SocketAddr,
        bytes: &[u8],
        fields: SendFields,
    ) -> Result<bool, Errno> {
        match endpoint {
            // Only a connected remote can have port 0; Linux sends such a datagram, and nobody can hear it.
            Endpoint::Udp(_) if to.port() == 0 => Ok(true),
            Endpoint::Udp(id) => match self.stack.udp_send_with(now, id, to, bytes, fields) {
                Err(UdpSendError::QueueFull) => Ok(false),
                sent => Ok(sent.map(|()| true)?),
            },
            Endpoint::Ping(id) => match self.stack.ping_send_with(id, to.ip(), bytes, fields) {
                Err(PingSendError::QueueFull) => Ok(false),
                sent => Ok(sent.map(|()| true)?),
            },
        }
    }

    /// The oldest datagram received; taken.
    pub(crate) fn endpoint_recv(&mut self, endpoint: Endpoint) -> Option<Datagram> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_recv(id),
            Endpoint::Ping(id) => self.stack.ping_recv(id),
        }
    }

    /// The oldest datagram received, left in place.
    pub(crate) fn endpoint_peek(&self, endpoint: Endpoint) -> Option<&Datagram> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_peek(id),
            Endpoint::Ping(id) => self.stack.ping_peek(id),
        }
    }

    /// The ICMP error about what it sent; taken.
    pub(crate) fn endpoint_take_error(&mut self, endpoint: Endpoint) -> Option<Unreachable> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_take_error(id),
            Endpoint::Ping(id) => self.stack.ping_take_error(id),
        }
    }

    /// Bytes received and not taken, and sent and not left.
    pub(crate) fn endpoint_queued_bytes(&self, endpoint: Endpoint) -> (usize, usize) {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_queued_bytes(id),
            Endpoint::Ping(id) => self.stack.ping_queued_bytes(id),
        }
    }

    /// Gives it up in the stack and in the maps.
    pub(crate) fn endpoint_close(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Udp(id) => {
                self.endpoints.remove(id);
                self.stack.udp_close(id);
            }
            Endpoint::Ping(id) => {
                self.pings.remove(id);
                self.stack.ping_close(id);
            }
        }
    }
}
