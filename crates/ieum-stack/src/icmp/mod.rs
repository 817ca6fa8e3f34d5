//! ICMP, both versions: echoes answered, errors sent and understood (RFC 792, RFC 1122 §3.2.2; RFC 4443).
//!
//! Whoever refuses a packet says so here ([`Icmp::owe_unreachable`]); the message is written when the conductor asks
//! ([`Icmp::transmit`]). A received error is read down to the connection it is about ([`Quoted`]) and returned: the
//! conductor tells TCP or UDP.
//!
//! Users send echo requests, and hear the replies, through endpoints of their own (`ping`).
//!
//! What it does not do: no redirects, no timestamps, no router discovery; received ones are counted.
//!
//! Invariants:
//!
//! 1. What is owed never exceeds its bounds, in messages and in bytes.
//! 2. No error is owed about an ICMP error, a fragment, a packet to many or from nobody in particular: those who owe
//!    check it (RFC 1122 §3.2.2), and only packets that passed [`crate::ip`] come here.
//! 3. Errors leave at a limited rate (RFC 1812 §4.3.2.8); those beyond are dropped, not delayed, since who sent too
//!    much will do so again.
//!
//! Files: `receive` (up), `quote` (what an error is about), `transmit` (down), `ping` (endpoints of users).

use std::collections::VecDeque;
use std::net::IpAddr;

use ieum_wire::Unreachable;

use crate::bounds::{
    ICMP_QUEUE_BYTES_MAX, ICMP_QUEUE_MESSAGES_MAX, ICMP_QUOTE_BYTES_MAX, ICMP6_QUOTE_BYTES_MAX,
};

pub(crate) mod ping;
mod quote;
mod receive;
mod transmit;

pub(crate) use quote::Quoted;
pub(crate) use receive::Heard;

use ping::Ping;
use transmit::Rate;

/// The type of an echo request (RFC 792).
const ECHO_REQUEST4: u8 = 8;
/// The type of an echo request in ICMPv6 (RFC 4443 §4.1).
const ECHO_REQUEST6: u8 = 128;

/// Who said what of a packet of ours that was not delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word {
    pub(crate) reason: Unreachable,
    /// The type and code of the message.
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// Who said it.
    pub(crate) by: IpAddr,
}

impl Word {
    /// A neighbour does not answer, as the host itself says (type 3 code 1; in ICMPv6 type 1 code 3).
    pub(crate) fn of_silence(own: IpAddr) -> Word {
        let (kind, code) = if own.is_ipv4() { (3, 1) } else { (1, 3) };
        Word { reason: Unreachable::Host, kind, code, by: own }
    }
}

/// A message that is owed.
#[derive(Debug)]
struct Owed {
    from: IpAddr,
    to: IpAddr,
    what: What,
    /// The echo's data, or the beginning of the refused packet.
    bytes: Vec<u8>,
}

/// Which message.
#[derive(Clone, Copy, Debug)]
enum What {
    EchoReply {
        identifier: u16,
        sequence: u16,
        tos: u8,
    },
    Unreachable(Unreachable),
    /// Its fragments did not all come in time.
    FragmentsLate,
}

/// Messages owed and the rate of errors.
#[derive(Debug)]
pub(crate) struct Icmp {
    owed: VecDeque<Owed>,
    owed_bytes: usize,
    /// Errors that found no room and are not yet counted: who owes them has no counters at hand.
    unsent: u64,
    rate: Rate,
    /// The endpoints of users.
    pub(crate) ping: Ping,
}

impl Icmp {
    /// Nothing owed.
    pub(crate) fn new() -> Icmp {
        Icmp { owed: VecDeque::new(), owed_bytes: 0, unsent: 0, rate: Rate::new(), ping: Ping::default() }
    }

    /// "What you sent to `from` could not be delivered." `to` is who sent it; `original` is that packet from its IP
    /// header on, at least the header and 8 bytes.
    pub(crate) fn owe_unreachable(&mut self, from: IpAddr, to: IpAddr, reason: Unreachable, original: &[u8]) {
        self.owe_error(from, to, What::Unreachable(reason), original);
    }

    /// "Of what you sent to `from` not all came in time"; `original` begins with the header of its first fragment.
    pub(crate) fn owe_fragments_late(&mut self, from: IpAddr, to: IpAddr, original: &[u8]) {
        self.owe_error(from, to, What::FragmentsLate, original);
    }

    fn owe_error(&mut self, from: IpAddr, to: IpAddr, what: What, original: &[u8]) {
        let quote_bytes_max = if to.is_ipv4() { ICMP_QUOTE_BYTES_MAX } else { ICMP6_QUOTE_BYTES_MAX };
        let quote = &original[..original.len().min(quote_bytes_max)];
        if !self.owe(Owed { from, to, what, bytes: quote.to_vec() }) {
            self.unsent += 1;
        }
    }

    /// Enqueues a message; `false` when there is no room.
    fn owe(&mut self, owed: Owed) -> bool {
        let bytes = self.owed_bytes + owed.bytes.len();
        if self.owed.len() == ICMP_QUEUE_MESSAGES_MAX || bytes > ICMP_QUEUE_BYTES_MAX {
            return false;
        }
        self.owed_bytes = bytes;
        self.owed.push_back(owed);
        true
    }
}
