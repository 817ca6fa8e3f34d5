//! Raw endpoints: users who speak a protocol of IP themselves (Linux's SOCK_RAW, raw(7) and ipv6(7)).
//!
//! An endpoint has a family and a protocol number. It gets a copy of every packet of that protocol that is for this host,
//! whole and in one piece, whoever else gets it: TCP, UDP and ICMP do their own work all the same, and of a protocol that
//! nobody here speaks the sender is told so only where no endpoint hears it. An address of ours and a peer narrow what
//! it hears; so does a list of ICMP types. Over IPv4 it gets the packet from its IP header on, over IPv6 what stands behind the
//! headers, as RFC 3542 §3 has it.
//!
//! What it sends is the payload of a packet whose header is written here, or a packet with its header, of which IPv4's length,
//! checksum and, where they are 0, source and identification are written here. Over IPv6 a checksum can be had at a given place.
//!
//! What it does not do: it hears nothing of what this host sends to others, no fragments, and of ICMP errors only that of a
//! packet to its peer. A super-segment is cut before it is heard: its parts are what a wire would carry.
//!
//! Invariants:
//!
//! 1. Each endpoint stands in `by_protocol` exactly once, under its family and protocol.
//! 2. What it received and what is on its way out is bounded in bytes for each endpoint.
//!
//! Files: `endpoint` (one), `receive` (up), `calls` (the doors), `transmit` (down).

use std::collections::{BTreeMap, VecDeque};

use ieum_wire::Unreachable;
use slotmap::SlotMap;

use crate::ip::Family;

mod calls;
mod endpoint;
mod receive;
mod transmit;

use endpoint::Endpoint;
use transmit::Owed;

slotmap::new_key_type! {
    /// Names a raw endpoint.
    pub struct RawId;
}

/// What a user gives to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RawForm {
    /// What stands behind the IP header.
    Payload,
    /// A packet from its IP header on (IP_HDRINCL, IPV6_HDRINCL).
    Packet,
}

/// Why a packet was not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RawSendError {
    /// Shorter than its header says, or than its checksum wants.
    #[error("no packet")]
    Malformed,
    /// More than a packet can carry; of one with its own header, more than the link takes.
    #[error("too large")]
    TooLarge,
    /// The endpoint and the destination are of different families.
    #[error("the address family is not the endpoint's")]
    Family,
    /// No way leads there.
    #[error("no route")]
    Unreachable(Unreachable),
    /// Too much is waiting to be sent: [`crate::Event::Raw`] comes when there is room again.
    #[error("queue full")]
    QueueFull,
    /// There is no such endpoint (any more).
    #[error("no such endpoint")]
    Gone,
}

/// A family and a protocol number.
type Key = (Family, u8);

/// All raw endpoints of a stack.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    endpoints: SlotMap<RawId, Endpoint>,
    by_protocol: BTreeMap<Key, Vec<RawId>>,
    /// Packets on their way out, in the order of the calls.
    owed: VecDeque<Owed>,
}

impl Raw {
    /// The invariants above.
    pub(crate) fn check(&self) {
        for (id, endpoint) in &self.endpoints {
            let group = self.by_protocol.get(&endpoint.key());
            let times = group.map_or(0, |group| group.iter().filter(|other| **other == id).count());
            assert_eq!(times, 1, "each raw endpoint stands under its protocol once");
        }
        let named: usize = self.by_protocol.values().map(Vec::len).sum();
        assert_eq!(named, self.endpoints.len(), "no protocol names an endpoint that is gone");
    }
}
