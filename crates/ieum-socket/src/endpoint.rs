//! What a bound datagram socket holds in the stack: an endpoint of UDP, one for echo requests, or a raw one. Here they are one.

use std::net::{IpAddr, SocketAddr};

use ieum_stack::{
    BindRequest, Datagram, PingId, PingSendError, RawForm, RawId, RawSendError, SendFields, UdpId,
    UdpSendError,
};
use ieum_wire::{Instant, Unreachable};

use crate::description::{self, Open, Phase};
use crate::host::Host;
use crate::make::{Domain, Make, Protocol};
use crate::{Errno, SocketId};

/// An endpoint of the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    /// Of UDP.
    Udp(UdpId),
    /// Of ICMP: its port is the identifier of its echo requests.
    Ping(PingId),
    /// Of IP: it has a protocol's number where others have a port.
    Raw(RawId),
}

impl Host {
    /// Makes the endpoint of a socket of UDP or UDP-Lite.
    pub(crate) fn bind_udp(
        &mut self,
        id: SocketId,
        make: Make,
        request: BindRequest,
    ) -> Result<Endpoint, Errno> {
        let endpoint = match make.protocol {
            Protocol::UdpLite => self.stack.udp_lite_bind(request)?,
            Protocol::Udp | Protocol::Tcp | Protocol::Icmp | Protocol::Raw(_) => {
                self.stack.udp_bind(request)?
            }
        };
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

    /// Makes the endpoint of a raw socket, which is open from the start.
    pub(crate) fn open_raw(&mut self, id: SocketId, domain: Domain, protocol: u8) {
        let raw = self.stack.raw_open(domain == Domain::Ip4, protocol);
        self.raws.insert(raw, id);
        let endpoint = Endpoint::Raw(raw);
        if let Some(description) = self.descriptions.get_mut(id) {
            let bound = SocketAddr::new(description.nowhere().ip(), protocol.into());
            // Its port is no choice of anybody, and it keeps it.
            let open = Open { endpoint, bound, port_named: true, v6_only: false, full: false };
            description.phase = Phase::Datagram(description::Datagram::Open(open));
        }
        self.tell_raw_options(id);
        self.tell_groups(id);
    }

    /// A raw socket may be bound as often as it likes, while it has no peer.
    pub(crate) fn bind_raw(&mut self, id: SocketId, raw: RawId, address: IpAddr) -> Result<(), Errno> {
        if self.stack.raw_remote(raw).is_some() {
            return Err(Errno::EINVAL);
        }
        self.stack.raw_bind(raw, address)?;
        if let Some(open) = self.descriptions.get_mut(id).and_then(|description| description.open_mut()) {
            open.bound.set_ip(address);
        }
        Ok(())
    }

    /// What the options of a raw socket mean to its endpoint.
    pub(crate) fn tell_raw_options(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        if let (Some(raw), Some(Open { endpoint: Endpoint::Raw(endpoint), .. })) =
            (description.options.raw(), description.open())
        {
            self.stack.raw_block_types(*endpoint, raw.blocked());
            self.stack.raw_set_checksum(*endpoint, raw.checksum_at);
        }
    }

    /// What a raw socket's program gives to be sent.
    fn raw_form(&self, raw: RawId) -> RawForm {
        let description = self.raws.get(raw).and_then(|id| self.descriptions.get(*id));
        let options = description.and_then(|description| description.options.raw());
        if options.is_some_and(|raw| raw.header_included) { RawForm::Packet } else { RawForm::Payload }
    }

    fn raw_address(&self, raw: RawId) -> Option<SocketAddr> {
        let make = self.make(*self.raws.get(raw)?)?;
        let Protocol::Raw(protocol) = make.protocol else { return None };
        let number = if self.stack.raw_hears(raw) { protocol.into() } else { 0 };
        Some(SocketAddr::new(self.stack.raw_address(raw)?, number))
    }

    /// Its address here, as the stack names it.
    pub(crate) fn endpoint_address(&self, endpoint: Endpoint) -> Option<SocketAddr> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_address(id),
            Endpoint::Ping(id) => self.stack.ping_address(id),
            Endpoint::Raw(id) => self.raw_address(id),
        }
    }

    /// The peer it is connected to, as the stack names it.
    pub(crate) fn endpoint_remote(&self, endpoint: Endpoint) -> Option<SocketAddr> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_remote(id),
            Endpoint::Ping(id) => self.stack.ping_remote(id),
            Endpoint::Raw(id) => self.stack.raw_remote(id),
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
            Endpoint::Raw(id) => self.stack.raw_connect(id, remote)?,
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
            Endpoint::Udp(id) => match self.stack.udp_send_with(now, id, to, bytes, fields) {
                Err(UdpSendError::QueueFull) => Ok(false),
                sent => Ok(sent.map(|()| true)?),
            },
            Endpoint::Ping(id) => match self.stack.ping_send_with(id, to.ip(), bytes, fields) {
                Err(PingSendError::QueueFull) => Ok(false),
                sent => Ok(sent.map(|()| true)?),
            },
            Endpoint::Raw(id) => {
                match self.stack.raw_send_with(now, id, to.ip(), self.raw_form(id), bytes, fields) {
                    Err(RawSendError::QueueFull) => Ok(false),
                    sent => Ok(sent.map(|()| true)?),
                }
            }
        }
    }

    /// The oldest datagram received; taken.
    pub(crate) fn endpoint_recv(&mut self, endpoint: Endpoint) -> Option<Datagram> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_recv(id),
            Endpoint::Ping(id) => self.stack.ping_recv(id),
            Endpoint::Raw(id) => self.stack.raw_recv(id),
        }
    }

    /// The oldest datagram received, left in place.
    pub(crate) fn endpoint_peek(&self, endpoint: Endpoint) -> Option<&Datagram> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_peek(id),
            Endpoint::Ping(id) => self.stack.ping_peek(id),
            Endpoint::Raw(id) => self.stack.raw_peek(id),
        }
    }

    /// The ICMP error about what it sent; taken.
    pub(crate) fn endpoint_take_error(&mut self, endpoint: Endpoint) -> Option<Unreachable> {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_take_error(id),
            Endpoint::Ping(id) => self.stack.ping_take_error(id),
            Endpoint::Raw(id) => self.stack.raw_take_error(id),
        }
    }

    /// Bytes received and not taken, and sent and not left.
    pub(crate) fn endpoint_queued_bytes(&self, endpoint: Endpoint) -> (usize, usize) {
        match endpoint {
            Endpoint::Udp(id) => self.stack.udp_queued_bytes(id),
            Endpoint::Ping(id) => self.stack.ping_queued_bytes(id),
            Endpoint::Raw(id) => self.stack.raw_queued_bytes(id),
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
            Endpoint::Raw(id) => {
                self.raws.remove(id);
                self.stack.raw_close(id);
            }
        }
    }
}
