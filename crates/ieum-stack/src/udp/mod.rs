//! UDP (RFC 768): endpoints, their queues, and who gets which datagram.
//!
//! An endpoint is made by binding and stands in the [`Demux`] under its local address and, once connected, its remote.
//! Received datagrams wait in its [`Inbox`]; sent ones in one FIFO for all, each with the way it will take, until the
//! conductor asks. Both are bounded in bytes. Empty datagrams are datagrams.
//!
//! An endpoint bound to `::` and not to IPv6 alone stands for both families: it has two places in the demux, and its
//! peers of IPv4 are named by their IPv4 addresses.
//!
//! A datagram to a group goes to everybody who hears its sender there, and comes around to members on this host. What it
//! does not do: a datagram to everybody is not looped back to our own endpoints.
//!
//! Invariants:
//!
//! 1. Each endpoint stands in the demux exactly once: under (local, remote) when connected, else under local alone; one
//!    that is bound to `::` for both families also under 0.0.0.0.
//! 2. A connected endpoint's local address is a single one, or the group or broadcast address it was bound to.
//! 3. An endpoint holds exactly one binding, given up when it closes; datagrams it had sent still leave.
//!
//! Files: `endpoint` (one, and its queue), `demux` (who), `receive` (up), `calls` (the doors), `transmit` (down).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use ieum_wire::{Unreachable, ip4};
use slotmap::SlotMap;

use crate::bounds::UDP_ANY_QUEUE_BYTES_MAX;
use crate::chance::Chance;
use crate::link::LinkId;

mod calls;
mod demux;
mod endpoint;
mod receive;
mod transmit;

use demux::Demux;
use endpoint::Endpoint;
pub(crate) use endpoint::{Inbox, cost_bytes};
use transmit::Owed;

slotmap::new_key_type! {
    /// Names a UDP endpoint.
    pub struct UdpId;
}

/// What stands around a received datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
}

/// A received datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address and port it was sent to.
    pub destination: SocketAddr,
    /// How many hops it still had when it came: IPv4's TTL, IPv6's hop limit.
    pub ttl: u8,
    /// DSCP and ECN (RFC 2474, RFC 3168): IPv4's type of service, IPv6's traffic class.
    pub tos: u8,
    /// Its bytes; there may be none.
    pub payload: Vec<u8>,
}

/// What was said of a datagram that was not delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatagramError {
    /// Why.
    pub reason: Unreachable,
    /// The type of the ICMP message.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who said so.
    pub by: IpAddr,
    /// Where the datagram was sent to.
    pub destination: SocketAddr,
    /// Its first bytes, as far as they were quoted.
    pub payload: Vec<u8>,
}

/// What the IP header of a datagram says beside where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SendFields {
    /// From which address of ours; `None`: the endpoint's, or the one that the route says.
    pub source: Option<IpAddr>,
    /// How many hops it may take: IPv4's TTL, IPv6's hop limit.
    pub ttl: u8,
    /// DSCP and ECN (RFC 2474, RFC 3168): IPv4's type of service, IPv6's traffic class.
    pub tos: u8,
    /// The link by which it leaves to a group; `None`: the one that the route says, or that its source belongs to.
    pub link: Option<LinkId>,
    /// To a group: members on this host hear it too.
    pub loops: bool,
}

impl Default for SendFields {
    fn default() -> SendFields {
        SendFields { source: None, ttl: ip4::TTL_DEFAULT, tos: 0, link: None, loops: true }
    }
}

/// Why a datagram was not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UdpSendError {
    /// No way leads there; nothing leads to port 0.
    #[error("no route")]
    Unreachable(Unreachable),
    /// More than 65,507 bytes, or 65,527 over IPv6.
    #[error("too large")]
    TooLarge,
    /// Too much is waiting to be sent: [`crate::Event::Udp`] comes when there is room again.
    #[error("queue full")]
    QueueFull,
    /// The endpoint has no port (any more).
    #[error("no local port")]
    NoFreePort,
}

/// All endpoints of a stack.
#[derive(Debug)]
pub(crate) struct Udp {
    endpoints: SlotMap<UdpId, Endpoint>,
    demux: Demux,
    /// Datagrams on their way out, in the order of the calls.
    owed: VecDeque<Owed>,
    /// Bytes among them that no endpoint answers for.
    owed_without_endpoint_bytes: usize,
    /// Datagrams nobody is bound for, where this stack stands for any destination.
    any: Option<Inbox>,
}

impl Udp {
    /// No endpoints.
    pub(crate) fn new(accept_any_destination: bool, chance: &mut Chance) -> Udp {
        Udp {
            endpoints: SlotMap::with_key(),
            demux: Demux::new(chance),
            owed: VecDeque::new(),
            owed_without_endpoint_bytes: 0,
            any: accept_any_destination.then(|| Inbox::new(UDP_ANY_QUEUE_BYTES_MAX)),
        }
    }

    /// The invariants above.
    pub(crate) fn check(&self) {
        let mut places = 0;
        for (id, endpoint) in &self.endpoints {
            for (local, remote) in endpoint.places() {
                let group = self.demux.group(local, remote);
                let times = group.iter().filter(|other| **other == id).count();
                assert_eq!(times, 1, "each endpoint stands in each of its places once");
                places += 1;
            }
        }
        assert_eq!(self.demux.len(), places, "the demux holds nobody who is gone");
    }
}
