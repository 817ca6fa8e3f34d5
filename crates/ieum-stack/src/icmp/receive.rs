//! The way up: echo requests become replies, errors the packet they are about.

use ieum_wire::{Unreachable, icmp4, icmp6};

use super::quote::Quoted;
use super::{Icmp, Owed, What};
use crate::drops::Drop;
use crate::ip::{For, Received};

/// What a message means for others than ICMP itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard<'a> {
    /// Nothing: it was answered, or is over.
    Nothing,
    /// A packet sent from here was not delivered: its transport shall hear of it.
    Unreachable(Unreachable, Quoted<'a>),
    /// An echo reply with this identifier: whoever asked shall have it.
    EchoReply(u16),
    /// A router asks for groups (RFC 3810): what follows the checksum.
    ListenerQuery(&'a [u8]),
    /// Neighbour discovery (RFC 4861): its type, and what follows the checksum.
    Neighbor(u8, &'a [u8]),
}

impl Icmp {
    /// Reads a message of ICMP for IPv4.
    pub(crate) fn receive4<'a>(&mut self, received: &Received<'a>, for_whom: For) -> Result<Heard<'a>, Drop> {
        use icmp4::{Message, ParseError};
        let message = Message::parse(received.payload).map_err(|error| match error {
            ParseError::Truncated => Drop::IcmpTruncated,
            ParseError::Checksum => Drop::IcmpChecksum,
        })?;
        match message {
            Message::EchoRequest { identifier, sequence, data } => {
                self.echo(received, for_whom, identifier, sequence, data)
            }
            Message::Unreachable { reason, original } => Ok(Heard::Unreachable(reason, quoted(original)?)),
            // RFC 1122 §4.2.3.9 treats a TTL run out like an unreachable host; so does Linux.
            Message::TimeExceeded { code: _, original } => {
                Ok(Heard::Unreachable(Unreachable::Host, quoted(original)?))
            }
            Message::EchoReply { identifier, .. } => Ok(Heard::EchoReply(identifier)),
            Message::Other { .. } => Err(Drop::IcmpKind),
        }
    }

    /// Reads a message of ICMP for IPv6.
    pub(crate) fn receive6<'a>(&mut self, received: &Received<'a>, for_whom: For) -> Result<Heard<'a>, Drop> {
        use icmp6::{Message, ParseError};
        let (source, destination) = (received.source, received.destination);
        let message = Message::parse(received.payload, source, destination).map_err(|error| match error {
            ParseError::Truncated => Drop::IcmpTruncated,
            ParseError::Checksum => Drop::IcmpChecksum,
        })?;
        match message {
            Message::EchoRequest { identifier, sequence, data } => {
                self.echo(received, for_whom, identifier, sequence, data)
            }
            Message::Unreachable { reason, original } => Ok(Heard::Unreachable(reason, quoted(original)?)),
            Message::TimeExceeded { code: _, original } => {
                Ok(Heard::Unreachable(Unreachable::Host, quoted(original)?))
            }
            Message::Neighbor { kind, body } => Ok(Heard::Neighbor(kind, body)),
            Message::ListenerQuery { body } => Ok(Heard::ListenerQuery(body)),
            Message::EchoReply { identifier, .. } => Ok(Heard::EchoReply(identifier)),
            Message::Other { .. } => Err(Drop::IcmpKind),
        }
    }

    fn echo<'a>(
        &mut self,
        received: &Received<'_>,
        for_whom: For,
        identifier: u16,
        sequence: u16,
        data: &[u8],
    ) -> Result<Heard<'a>, Drop> {
        // Who stands for other addresses does not know whether they would answer; and RFC 1122 §3.2.2.6 lets an echo to
        // everybody be ignored (RFC 4443 §4.2 too), which keeps us out of smurf attacks.
        if for_whom != For::Own {
            return Err(Drop::IcmpEchoNotOurs);
        }
        let owed = Owed {
            from: received.destination,
            to: received.source,
            what: What::EchoReply { identifier, sequence, tos: received.tos },
            bytes: data.to_vec(),
        };
        if self.owe(owed) { Ok(Heard::Nothing) } else { Err(Drop::IcmpQueueFull) }
    }
}

fn quoted(original: &[u8]) -> Result<Quoted<'_>, Drop> {
    Quoted::parse(original).ok_or(Drop::IcmpQuote)
}
