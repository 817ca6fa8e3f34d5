//! One raw endpoint, and what it wants to hear.

use std::net::{IpAddr, SocketAddr};

use ieum_wire::Unreachable;

use super::Key;
use crate::bounds::UDP_RECEIVE_QUEUE_BYTES_MAX;
use crate::ip::{Family, MembershipId};
use crate::link::LinkId;
use crate::udp::{Inbox, Outbox};

/// A raw endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) family: Family,
    /// The protocol's number, whose packets it hears and sends.
    pub(super) protocol: u8,
    /// The address of ours that it hears alone; unspecified: all.
    pub(super) local: IpAddr,
    /// The only peer it hears, and where goes what names no destination. The port is kept as it was given and means nothing.
    pub(super) remote: Option<SocketAddr>,
    /// It hears nothing any more: its association was dissolved, which on Linux takes it out of the tables for ever.
    pub(super) is_deaf: bool,
    /// The only link it speaks and hears over, if it keeps to one.
    pub(super) link: Option<LinkId>,
    /// What was received and not yet taken.
    pub(super) inbox: Inbox,
    /// ICMP types that it does not want: a bit for each.
    pub(super) blocked: [u32; 8],
    /// Where the checksum stands in what is sent and received over IPv6, if there is one to be kept.
    pub(super) checksum_at: Option<usize>,
    /// An ICMP error about a packet to its peer, not yet taken.
    pub(super) error: Option<Unreachable>,
    /// What was sent and has not left.
    pub(super) outbox: Outbox,
    /// The groups that its user has joined.
    pub(super) memberships: Vec<MembershipId>,
    /// Of other groups of this host everything is heard as well.
    pub(super) all_groups: bool,
}

impl Endpoint {
    /// A fresh one, at no address in particular.
    pub(super) fn new(local: IpAddr, protocol: u8) -> Endpoint {
        Endpoint {
            family: Family::of(local),
            protocol,
            local,
            remote: None,
            is_deaf: false,
            link: None,
            inbox: Inbox::new(UDP_RECEIVE_QUEUE_BYTES_MAX),
            blocked: [0; 8],
            checksum_at: None,
            error: None,
            outbox: Outbox::default(),
            memberships: Vec::new(),
            all_groups: true,
        }
    }

    /// Where it stands among the endpoints.
    pub(super) fn key(&self) -> Key {
        (self.family, self.protocol)
    }

    /// Is a packet between these two for it, whatever link it came by?
    pub(super) fn is_for(&self, source: IpAddr, destination: IpAddr) -> bool {
        let is_peer = self.remote.is_none_or(|remote| remote.ip() == source);
        !self.is_deaf && is_peer && (self.local.is_unspecified() || self.local == destination)
    }

    /// Does it not want messages of that ICMP type?
    pub(super) fn blocks(&self, kind: u8) -> bool {
        let word = self.blocked[usize::from(kind >> 5)];
        word & 1 << (kind & 31) != 0
    }
}
