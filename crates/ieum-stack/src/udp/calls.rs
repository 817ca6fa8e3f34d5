//! The doors of UDP: what a user of the stack calls.

use std::net::{IpAddr, SocketAddr};

use ieum_wire::Unreachable;
use ieum_wire::{Instant, Protocol, ip4, udp, udp_lite};

use super::endpoint::Endpoint;
use super::{Coverage, Datagram, DatagramError, SendFields, UdpId, UdpSendError};
use crate::context::Context;
use crate::ip::{MembershipId, Outgoing};
use crate::link::LinkId;
use crate::port::{BindError, BindRequest};
use crate::{ConnectError, Stack};

impl Stack {
    /// Makes an endpoint with a local address and port.
    ///
    /// # Errors
    ///
    /// [`BindError`], as for TCP; broadcast and multicast addresses may be bound too.
    pub fn udp_bind(&mut self, request: BindRequest) -> Result<UdpId, BindError> {
        self.udp_bind_by(Protocol::Udp, request)
    }

    /// The same for UDP-Lite, whose ports are others. All else that is said of UDP endpoints is true of these.
    ///
    /// # Errors
    ///
    /// As [`Stack::udp_bind`].
    pub fn udp_lite_bind(&mut self, request: BindRequest) -> Result<UdpId, BindError> {
        self.udp_bind_by(udp_lite::PROTOCOL, request)
    }

    fn udp_bind_by(&mut self, protocol: Protocol, request: BindRequest) -> Result<UdpId, BindError> {
        let binding = self.ports.bind(protocol, request, &mut self.chance)?;
        let bound = self.ports.address(binding).ok_or(BindError::InUse)?;
        let loopback = self.ip.loopback();
        let mut endpoint = Endpoint::new(binding, bound, !request.v6_only, request.reuse_port, loopback);
        (endpoint.protocol, endpoint.link) = (protocol, request.link);
        let id = self.udp.endpoints.insert(endpoint);
        self.udp.demux.insert(&self.udp.endpoints[id], id);
        Ok(id)
    }

    /// The local address and port: the bound one; while connected, the one datagrams leave with.
    pub fn udp_address(&self, id: UdpId) -> Option<SocketAddr> {
        self.udp.endpoints.get(id).map(|endpoint| endpoint.local)
    }

    /// The peer of a connected endpoint.
    pub fn udp_remote(&self, id: UdpId) -> Option<SocketAddr> {
        self.udp.endpoints.get(id)?.remote
    }

    /// Associates the endpoint with one peer, the only one it hears from then on; `None` dissolves the association.
    /// Datagrams that wait already stay. An endpoint bound to no single address gets the one the route says.
    ///
    /// # Errors
    ///
    /// No route, or an address of a family that the endpoint does not speak.
    pub fn udp_connect(&mut self, id: UdpId, remote: Option<SocketAddr>) -> Result<(), ConnectError> {
        self.udp_connect_by(id, remote, None)
    }

    /// The same with the link by which a group is spoken to. An endpoint that is bound to a group stays so: it hears its peer
    /// there.
    ///
    /// # Errors
    ///
    /// As [`Stack::udp_connect`].
    pub fn udp_connect_by(
        &mut self,
        id: UdpId,
        remote: Option<SocketAddr>,
        link: Option<LinkId>,
    ) -> Result<(), ConnectError> {
        let Some(endpoint) = self.udp.endpoints.get(id) else { return Ok(()) };
        let (bound, protocol, kept_to) = (endpoint.bound, endpoint.protocol, endpoint.link);
        let remote = remote.map(plain);
        // The address that a route has chosen stays until the association is dissolved (Linux's inet_saddr).
        let kept = endpoint.remote.map(|_| endpoint.local);
        let is_kept = |local: &SocketAddr| remote.is_some_and(|to| to.is_ipv4() == local.is_ipv4());
        let before = kept.filter(is_kept).unwrap_or(bound);
        // It stays even where the next remote is of IPv4, and then nobody's answers are heard (Linux's sk_v6_rcv_saddr).
        let kept_of_ip6 = kept.filter(SocketAddr::is_ipv6);
        let local = match remote {
            None => bound,
            Some(remote) if !endpoint.speaks_to(remote) => return Err(ConnectError::Family),
            Some(remote) => {
                let (_, _, cx) = self.parts(Instant::ZERO);
                let source = source_of(&cx, before);
                let path = match link_to_group(&cx, kept_to.or(link), source, remote) {
                    Some(link) => cx.ip.path_to_group(link, source, remote.ip()),
                    None => cx.path(protocol, kept_to, source, remote),
                };
                let path = path.map_err(ConnectError::Unreachable)?;
                match kept_of_ip6 {
                    _ if cx.ip.is_for_many(bound.ip()) => bound,
                    Some(kept) => kept,
                    None => SocketAddr::new(path.source, bound.port()),
                }
            }
        };
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            self.udp.demux.remove(endpoint, id);
            (endpoint.local, endpoint.remote) = (local, remote);
            // Others may have the port on the addresses that it does not hear any more.
            self.ports.set_address(endpoint.binding, local.ip());
            self.udp.demux.insert(endpoint, id);
        }
        Ok(())
    }

    /// Sends a datagram; it leaves when `poll_frame` is asked.
    ///
    /// # Errors
    ///
    /// See [`UdpSendError`].
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        to: SocketAddr,
        payload: &[u8],
    ) -> Result<(), UdpSendError> {
        self.udp_send_with(now, id, to, payload, SendFields::default())
    }

    /// The same, with what the program wants the IP header to say.
    ///
    /// # Errors
    ///
    /// See [`UdpSendError`]; an address that is not ours leads nowhere.
    pub fn udp_send_with(
        &mut self,
        now: Instant,
        id: UdpId,
        to: SocketAddr,
        payload: &[u8],
        fields: SendFields,
    ) -> Result<(), UdpSendError> {
        let to = plain(to);
        let endpoint = self.udp.endpoints.get(id).ok_or(UdpSendError::NoFreePort)?;
        if !endpoint.speaks_to(to) {
            return Err(UdpSendError::Unreachable(Unreachable::Network));
        }
        // What a connected endpoint leaves with is not what it must leave with towards others of the other family.
        let local = if endpoint.local.is_ipv4() == to.is_ipv4() { endpoint.local } else { endpoint.bound };
        let (protocol, kept_to) = (endpoint.protocol, endpoint.link);
        let (_, udp, cx) = self.parts(now);
        let source = match fields.source {
            Some(source) if !cx.ip.is_local(source) => {
                return Err(UdpSendError::Unreachable(Unreachable::Network));
            }
            Some(source) => Some(source),
            None => source_of(&cx, local),
        };
        let path = match link_to_group(&cx, fields.link.or(kept_to), source, to) {
            Some(link) => cx.ip.path_to_group(link, source, to.ip()).map_err(UdpSendError::Unreachable)?,
            None => match fields.link.filter(|_| to.port() != 0 && !cx.ip.is_local(to.ip())) {
                Some(link) => cx.ip.path_over(link, source, to.ip()).map_err(UdpSendError::Unreachable)?,
                None => {
                    let named = fields.link.filter(|link| *link == cx.ip.loopback());
                    path(&cx, protocol, named.or(kept_to), source, to)?
                }
            },
        };
        udp.owe(Some(id), path, local.port(), to, payload, fields)
    }

    /// Sends a datagram from any source, one of ours or not: an exit answers as whom it stands for.
    ///
    /// # Errors
    ///
    /// See [`UdpSendError`]; there is no event when there is room again.
    pub fn udp_send_from(
        &mut self,
        now: Instant,
        source: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Result<(), UdpSendError> {
        let to = plain(to);
        let (_, udp, cx) = self.parts(now);
        let path = path(&cx, Protocol::Udp, None, Some(source.ip()), to)?;
        udp.owe(None, path, source.port(), to, payload, SendFields::default())
    }

    /// The oldest datagram received.
    pub fn udp_recv(&mut self, id: UdpId) -> Option<Datagram> {
        self.udp.endpoints.get_mut(id)?.inbox.pop()
    }

    /// The oldest datagram received, left in place.
    pub fn udp_peek(&self, id: UdpId) -> Option<&Datagram> {
        self.udp.endpoints.get(id)?.inbox.peek()
    }

    /// What waits to be taken, and what was sent and has not left: in bytes as they are charged against the bounds of
    /// both queues, with a share for each datagram (as Linux shows them).
    pub fn udp_queued_bytes(&self, id: UdpId) -> (usize, usize) {
        let queued = |endpoint: &Endpoint| (endpoint.inbox.bytes(), endpoint.outbox.bytes());
        self.udp.endpoints.get(id).map_or((0, 0), queued)
    }

    /// Marks the datagram that was sent last: [`crate::Event::Udp`] comes when it leaves.
    pub fn udp_mark(&mut self, id: UdpId) {
        self.udp.mark_last(id);
    }

    /// How many marked datagrams have left since this was asked last.
    pub fn udp_take_left(&mut self, id: UdpId) -> u32 {
        self.udp.endpoints.get_mut(id).map_or(0, |endpoint| std::mem::take(&mut endpoint.left))
    }

    /// The ICMP error about a datagram of this connected endpoint; taken.
    pub fn udp_take_error(&mut self, id: UdpId) -> Option<Unreachable> {
        self.udp.endpoints.get_mut(id)?.error.take()
    }

    /// Whom the endpoint hears in groups: as these memberships say, and whether of other groups of this host everything,
    /// over IPv4 and over IPv6.
    pub fn udp_set_groups(&mut self, id: UdpId, memberships: Vec<MembershipId>, all_groups: [bool; 2]) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            (endpoint.memberships, endpoint.all_groups) = (memberships, all_groups);
        }
    }

    /// Whether datagrams of one size and flow may be received together ([`Datagram::segment_bytes`]): those that were sent in
    /// one call, and those that came one after the other over a link and wait.
    pub fn udp_set_gro(&mut self, id: UdpId, joins: bool) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            endpoint.joins = joins;
        }
    }

    /// How much may wait to be read, in bytes of what datagrams take on Linux: their buffers, not their payloads
    /// (SO_RCVBUF as it is read back). Nothing set is net.core.rmem_default, 212,992.
    pub fn udp_set_recv_buffer(&mut self, id: UdpId, bytes: usize) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            endpoint.inbox.set_bytes_max(bytes);
        }
    }

    /// From now on the endpoint speaks and hears over that link alone (SO_BINDTODEVICE); `None`: over all. What waits stays.
    pub fn udp_set_link(&mut self, id: UdpId, link: Option<LinkId>) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            endpoint.link = link;
            self.ports.set_link(endpoint.binding, link);
        }
    }

    /// (UDP-Lite) How much of what it sends and receives is under the checksum.
    pub fn udp_set_coverage(&mut self, id: UdpId, coverage: Coverage) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            endpoint.coverage = coverage;
        }
    }

    /// Whether errors are kept with all that was said ([`Stack::udp_take_told`]), also those about datagrams to whom the endpoint
    /// is not connected.
    pub fn udp_keep_errors(&mut self, id: UdpId, kept: bool) {
        if let Some(endpoint) = self.udp.endpoints.get_mut(id) {
            endpoint.errors.set_kept(kept);
        }
    }

    /// The oldest error that was kept; taken.
    pub fn udp_take_told(&mut self, id: UdpId) -> Option<DatagramError> {
        self.udp.endpoints.get_mut(id)?.errors.pop()
    }

    /// Gives the endpoint and its port up. What was sent still leaves; what was received is gone.
    pub fn udp_close(&mut self, id: UdpId) {
        let Some(endpoint) = self.udp.endpoints.remove(id) else { return };
        self.udp.demux.remove(&endpoint, id);
        self.ports.release(endpoint.binding);
    }

    /// (`accept_any_destination`) The oldest datagram for an address and port that nobody is bound to.
    pub fn poll_any_datagram(&mut self) -> Option<Datagram> {
        self.udp.any.as_mut()?.pop()
    }

    /// The answer to a datagram from `source` to `destination` that could not be delivered: an ICMP error. The
    /// datagram itself is gone, so the error quotes headers made anew, enough for its sender to know it by.
    pub fn udp_refuse(&mut self, source: SocketAddr, destination: SocketAddr, reason: Unreachable) {
        if source.is_ipv4() != destination.is_ipv4() {
            return;
        }
        let outgoing = Outgoing {
            source: source.ip(),
            destination: destination.ip(),
            protocol: Protocol::Udp,
            ttl: ip4::TTL_DEFAULT,
            tos: 0,
            dont_fragment: true,
        };
        let header = udp::Header { source_port: source.port(), destination_port: destination.port() };
        let mut original = self.ip.begin(&outgoing, udp::HEADER_BYTES);
        original.extend(&header.emit(8));
        self.icmp.owe_unreachable(destination.ip(), source.ip(), reason, original.bytes());
    }
}

/// An address and port without IPv6's flow label and scope, which would make equals differ.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

/// The source that a local address dictates: none when it is unspecified, or means many.
fn source_of(cx: &Context<'_>, local: SocketAddr) -> Option<IpAddr> {
    Some(local.ip()).filter(|address| cx.ip.is_local(*address))
}

/// The link by which a group is spoken to, where the routes need not say: the chosen one, or that of the source.
fn link_to_group(
    cx: &Context<'_>,
    chosen: Option<LinkId>,
    source: Option<IpAddr>,
    to: SocketAddr,
) -> Option<LinkId> {
    // The link of the source is Linux's rule for IPv4 alone.
    let link = chosen.or_else(|| cx.ip.link_of(source.filter(IpAddr::is_ipv4)?));
    link.filter(|_| to.ip().is_multicast())
}

/// The way to a datagram's receiver.
fn path(
    cx: &Context<'_>,
    protocol: Protocol,
    kept_to: Option<LinkId>,
    source: Option<IpAddr>,
    to: SocketAddr,
) -> Result<crate::ip::Path, UdpSendError> {
    cx.path(protocol, kept_to, source, to).map_err(UdpSendError::Unreachable)
}
