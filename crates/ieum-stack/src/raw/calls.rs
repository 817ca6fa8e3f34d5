//! The doors of raw endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::{Instant, Protocol, Unreachable, ip4};

use super::endpoint::Endpoint;
use super::transmit::{Owed, prepared};
use super::{RawForm, RawId, RawSendError};
use crate::ip::{Family, MembershipId};
use crate::link::LinkId;
use crate::port::BindError;
use crate::{ConnectError, Datagram, SendFields, Stack};

impl Stack {
    /// Makes an endpoint that hears all packets of that protocol, over IPv4 or over IPv6.
    pub fn raw_open(&mut self, is_ip4: bool, protocol: u8) -> RawId {
        let family = if is_ip4 { Family::Ip4 } else { Family::Ip6 };
        let endpoint = Endpoint::new(any(family), protocol);
        let key = endpoint.key();
        let id = self.raw.endpoints.insert(endpoint);
        self.raw.by_protocol.entry(key).or_default().push(id);
        id
    }

    /// It hears what is for that address alone, and sends from it; from none in particular, if it is that of a group or
    /// of everybody. Unspecified: every one of ours. It may be bound again.
    ///
    /// # Errors
    ///
    /// [`BindError::NotLocal`] for an address of others or of the other family.
    pub fn raw_bind(&mut self, id: RawId, address: IpAddr) -> Result<(), BindError> {
        let can_be = address.is_unspecified() || self.ip.is_local(address) || self.ip.is_for_many(address);
        let Some(endpoint) = self.raw.endpoints.get_mut(id) else { return Ok(()) };
        if !can_be || endpoint.family != Family::of(address) {
            return Err(BindError::NotLocal);
        }
        endpoint.local = address;
        Ok(())
    }

    /// The address it hears alone, or sends from while it is connected.
    pub fn raw_address(&self, id: RawId) -> Option<IpAddr> {
        self.raw.endpoints.get(id).map(|endpoint| endpoint.local)
    }

    /// Its peer; the port is what was given.
    pub fn raw_remote(&self, id: RawId) -> Option<SocketAddr> {
        self.raw.endpoints.get(id)?.remote
    }

    /// Does it hear anything? Not after its association was dissolved.
    pub fn raw_hears(&self, id: RawId) -> bool {
        self.raw.endpoints.get(id).is_some_and(|endpoint| !endpoint.is_deaf)
    }

    /// Sets the only peer it hears, and where goes what names no destination; `None` dissolves that, and with it, as on Linux,
    /// its address, and it hears nothing from then on. Its local address, if it had none, is that of the route.
    ///
    /// # Errors
    ///
    /// No route, or an address of the other family.
    pub fn raw_connect(&mut self, id: RawId, remote: Option<SocketAddr>) -> Result<(), ConnectError> {
        let Some(endpoint) = self.raw.endpoints.get_mut(id) else { return Ok(()) };
        endpoint.remote = match remote {
            None => {
                (endpoint.local, endpoint.is_deaf) = (any(endpoint.family), true);
                None
            }
            Some(remote) if endpoint.family != Family::of(remote.ip()) => return Err(ConnectError::Family),
            Some(remote) => {
                let own = Some(endpoint.local).filter(|local| self.ip.is_local(*local));
                let path = self.ip.path_by(endpoint.link, own, remote.ip());
                let path = path.map_err(ConnectError::Unreachable)?;
                if endpoint.local.is_unspecified() {
                    endpoint.local = path.source;
                }
                Some(remote)
            }
        };
        Ok(())
    }

    /// Sends a packet: what stands behind its header, or all of it.
    ///
    /// # Errors
    ///
    /// See [`RawSendError`].
    pub fn raw_send_with(
        &mut self,
        now: Instant,
        id: RawId,
        to: IpAddr,
        form: RawForm,
        bytes: &[u8],
        fields: SendFields,
    ) -> Result<(), RawSendError> {
        let endpoint = self.raw.endpoints.get(id).ok_or(RawSendError::Gone)?;
        let (family, protocol, local) = (endpoint.family, endpoint.protocol, endpoint.local);
        let (checksum_at, kept_to) = (endpoint.checksum_at, endpoint.link);
        if family != Family::of(to) {
            return Err(RawSendError::Family);
        }
        if fields.source.is_some_and(|source| !self.ip.is_local(source)) {
            return Err(RawSendError::Unreachable(Unreachable::Network));
        }
        let source = fields.source.or_else(|| Some(local).filter(|local| self.ip.is_local(*local)));
        let path = match fields.link.or(kept_to).filter(|_| to.is_multicast()) {
            Some(link) => self.ip.path_to_group(link, source, to),
            None => {
                let named = self.ip.named_towards(fields.link, to);
                let (_, _, cx) = self.parts(now);
                cx.path(Protocol::from(protocol), named.or(kept_to), source, SocketAddr::new(to, 0))
            }
        };
        let path = fields.measured(path.map_err(RawSendError::Unreachable)?);
        let bytes_max = match (form, family) {
            (RawForm::Packet, _) => usize::try_from(path.link_mtu_bytes).unwrap_or(usize::MAX),
            (RawForm::Payload, Family::Ip4) => PACKET_BYTES_MAX - ip4::HEADER_BYTES,
            (RawForm::Payload, Family::Ip6) => PACKET_BYTES_MAX,
        };
        if bytes.len() > bytes_max {
            return Err(RawSendError::TooLarge);
        }
        let bytes = prepared(family, form, checksum_at, protocol, (path.source, to), bytes)?;
        self.raw.owe(Owed { endpoint: id, path, destination: to, protocol, form, bytes, fields })
    }

    /// From now on it speaks and hears over that link alone (SO_BINDTODEVICE); `None`: over all.
    pub fn raw_set_link(&mut self, id: RawId, link: Option<LinkId>) {
        if let Some(endpoint) = self.raw.endpoints.get_mut(id) {
            endpoint.link = link;
        }
    }

    /// The oldest packet received: from whom (its port is 0), over IPv4 from its IP header on.
    pub fn raw_recv(&mut self, id: RawId) -> Option<Datagram> {
        self.raw.endpoints.get_mut(id)?.inbox.pop()
    }

    /// The oldest packet received, left in place.
    pub fn raw_peek(&self, id: RawId) -> Option<&Datagram> {
        self.raw.endpoints.get(id)?.inbox.peek()
    }

    /// What waits to be taken, and what was sent and has not left, in bytes as charged.
    pub fn raw_queued_bytes(&self, id: RawId) -> (usize, usize) {
        let queued = |endpoint: &Endpoint| (endpoint.inbox.bytes(), endpoint.outbox.bytes());
        self.raw.endpoints.get(id).map_or((0, 0), queued)
    }

    /// ICMP types that it is not given from now on: a bit for each (ICMP_FILTER, ICMP6_FILTER).
    pub fn raw_block_types(&mut self, id: RawId, blocked: [u32; 8]) {
        if let Some(endpoint) = self.raw.endpoints.get_mut(id) {
            endpoint.blocked = blocked;
        }
    }

    /// Over IPv6: where in what is sent a checksum is written, and in what is received verified (RFC 3542 §3.1).
    pub fn raw_set_checksum(&mut self, id: RawId, at: Option<usize>) {
        if let Some(endpoint) = self.raw.endpoints.get_mut(id) {
            endpoint.checksum_at = at;
        }
    }

    /// Whom it hears in groups: as these memberships say, and whether of other groups of this host everything.
    pub fn raw_set_groups(&mut self, id: RawId, memberships: Vec<MembershipId>, all_groups: bool) {
        if let Some(endpoint) = self.raw.endpoints.get_mut(id) {
            (endpoint.memberships, endpoint.all_groups) = (memberships, all_groups);
        }
    }

    /// The ICMP error about a packet to its peer; taken.
    pub fn raw_take_error(&mut self, id: RawId) -> Option<Unreachable> {
        self.raw.endpoints.get_mut(id)?.error.take()
    }

    /// Gives the endpoint up. What was sent still leaves.
    pub fn raw_close(&mut self, id: RawId) {
        let Some(endpoint) = self.raw.endpoints.remove(id) else { return };
        let key = endpoint.key();
        if let Some(group) = self.raw.by_protocol.get_mut(&key) {
            group.retain(|other| *other != id);
            if group.is_empty() {
                self.raw.by_protocol.remove(&key);
            }
        }
    }
}

/// No address in particular.
fn any(family: Family) -> IpAddr {
    match family {
        Family::Ip4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ip6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// What the length field of IPv4 can tell of a packet, that of IPv6 of what is behind its header, in bytes.
const PACKET_BYTES_MAX: usize = 65_535;
