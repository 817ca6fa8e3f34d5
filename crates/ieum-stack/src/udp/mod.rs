//! UDP (RFC 768) and UDP-Lite (RFC 3828): endpoints, their queues, and who gets which datagram.
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
//! One call may send several datagrams of one size (Linux's UDP_SEGMENT). They are one packet ([`ieum_wire::GsoKind`]) as
//! far as links take it, and are taken apart where they arrive, unless the endpoint asked for them together (UDP_GRO); such an
//! endpoint also has datagrams joined that came one by one over a link and wait.
//!
//! The two protocols differ in their headers and have ports of their own; all else is common to them.
//!
//! Invariants:
//!
//! 1. Each endpoint stands in the demux exactly once: under (local, remote) when connected, else under local alone; one
//!    that is bound to `::` for both families also under 0.0.0.0.
//! 2. A connected endpoint's local address is a single one, or the group or broadcast address it was bound to.
//! 3. An endpoint holds exactly one binding, given up when it closes; datagrams it had sent still leave.
//!
//! Files: `endpoint` (one, and its queue), `outbox` (what of it has not left), `demux` (who), `receive` (up), `calls` (the
//! doors), `transmit` (down).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use ieum_wire::{Instant, Unreachable, ip4};
use slotmap::SlotMap;

use crate::bounds::UDP_ANY_QUEUE_BYTES_MAX;
use crate::chance::Chance;
use crate::ip::Path;
use crate::link::LinkId;

mod calls;
mod demux;
mod endpoint;
mod outbox;
mod receive;
mod transmit;

use demux::Demux;
use endpoint::Endpoint;
pub(crate) use endpoint::{Inbox, cost_bytes};
pub(crate) use outbox::Outbox;
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
    /// Over which link it came.
    pub(crate) link: LinkId,
    /// To which link somebody who keeps to one must keep to hear it.
    pub(crate) heard_over: LinkId,
    /// When it came.
    pub(crate) came_at: Instant,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// It is several datagrams of so many bytes each, the last one perhaps shorter.
    pub(crate) segment_bytes: Option<u16>,
}

/// A received datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address and port it was sent to.
    pub destination: SocketAddr,
    /// Over which link it came; what the host said to itself, over the loopback link.
    pub link: LinkId,
    /// The link that it is told as having come by, and to which somebody who keeps to one must keep to hear it: of what
    /// the host said to itself, the link of the address, or the loopback link, where its sender named that.
    pub heard_over: LinkId,
    /// When it came ([`crate::Stack::on_frame`]), and not when it is read: of what came in fragments, when the last of
    /// them did; of what was joined, when the first did.
    pub came_at: Instant,
    /// How many hops it still had when it came: IPv4's TTL, IPv6's hop limit.
    pub ttl: u8,
    /// DSCP and ECN (RFC 2474, RFC 3168): IPv4's type of service, IPv6's traffic class.
    pub tos: u8,
    /// These are several datagrams of one flow, of so many bytes each; the last one may be shorter. Only for those who
    /// asked for it ([`crate::Stack::udp_set_gro`]).
    pub segment_bytes: Option<u16>,
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

/// What is said of a datagram that is sent, beside where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SendFields {
    /// From which address of ours; `None`: the endpoint's, or the one that the route says.
    pub source: Option<IpAddr>,
    /// How many hops it may take: IPv4's TTL, IPv6's hop limit.
    pub ttl: u8,
    /// DSCP and ECN (RFC 2474, RFC 3168): IPv4's type of service, IPv6's traffic class.
    pub tos: u8,
    /// The link by which it leaves, or to an own address, where it is the loopback link, that it is told to have come by;
    /// `None`: the one that the route says, to a group the one that its source belongs to.
    pub link: Option<LinkId>,
    /// To a group: members on this host hear it too.
    pub loops: bool,
    /// What is sent is several datagrams of so many bytes each; the last one may be shorter. They leave as one packet
    /// where the link takes such, and arrive each with a header of its own. Of UDP alone.
    pub segment_bytes: Option<NonZeroU16>,
    /// What routers said of the way's MTU counts; else its first link's does, as for who looks for it himself (RFC 4821).
    pub heeds_path_mtu: bool,
    /// (IPv4) What passes whole, as far as is known, asks routers not to cut it (RFC 1191 §3).
    pub dont_fragment: bool,
}

impl Default for SendFields {
    fn default() -> SendFields {
        SendFields {
            source: None,
            ttl: ip4::TTL_DEFAULT,
            tos: 0,
            link: None,
            loops: true,
            segment_bytes: None,
            heeds_path_mtu: true,
            dont_fragment: true,
        }
    }
}

impl SendFields {
    /// The way, with the MTU that counts.
    pub(crate) fn measured(&self, path: Path) -> Path {
        if self.heeds_path_mtu { path } else { Path { mtu_bytes: path.link_mtu_bytes, ..path } }
    }
}

/// How much of the datagrams of an endpoint of UDP-Lite the checksum covers (RFC 3828 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Coverage {
    /// In bytes of those that are sent, the header's 8 included; 0: all.
    pub sent_bytes: u16,
    /// At least so many of those that are received, or all of them: others are dropped. `Some(0)`: all of them; `None`: it does
    /// not matter.
    pub received_bytes: Option<u16>,
}

/// Why a datagram was not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UdpSendError {
    /// No way leads there; nothing leads to port 0.
    #[error("no route")]
    Unreachable(Unreachable),
    /// More than 65,507 bytes, or 65,527 over IPv6; or one of several datagrams is larger than the path takes whole.
    #[error("too large")]
    TooLarge,
    /// More than 128 datagrams in one call.
    #[error("too many datagrams at once")]
    TooMany,
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
            for place in endpoint.places() {
                let group = self.demux.group(place);
                let times = group.iter().filter(|other| **other == id).count();
                assert_eq!(times, 1, "each endpoint stands in each of its places once");
                places += 1;
            }
        }
        assert_eq!(self.demux.len(), places, "the demux holds nobody who is gone");
    }
}
