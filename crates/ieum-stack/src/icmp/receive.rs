//! The way up: echo requests become replies, errors the packet they are about.

use ieum_wire::Unreachable;
use ieum_wire::icmp4::{Message, ParseError};

use super::quote::Quoted;
use super::{Icmp, Owed, What};
use crate::drops::Drop;
use crate::ip::{For, Received};

impl Icmp {
    /// Reads a message. `Ok(Some)`: an error about a packet that was sent from here, for its transport to hear.
    pub(crate) fn receive(
        &mut self,
        received: &Received<'_>,
        for_whom: For,
    ) -> Result<Option<(Unreachable, Quoted)>, Drop> {
        let message = Message::parse(received.payload).map_err(|error| match error {
            ParseError::Truncated => Drop::IcmpTruncated,
            ParseError::Checksum => Drop::IcmpChecksum,
        })?;
        match message {
            Message::EchoRequest { identifier, sequence, data } => {
                // Who stands for other addresses does not know whether they would answer; and RFC 1122 §3.2.2.6
                // lets an echo to everybody be ignored, which keeps us out of smurf attacks.
                if for_whom != For::Own {
                    return Err(Drop::IcmpEchoNotOurs);
                }
                let owed = Owed {
                    from: received.destination,
                    to: received.source,
                    what: What::EchoReply { identifier, sequence, tos: received.tos },
                    bytes: data.to_vec(),
                };
                if self.owe(owed) { Ok(None) } else { Err(Drop::IcmpQueueFull) }
            }
            Message::Unreachable { reason, original } => Ok(Some((reason, quoted(original)?))),
            // RFC 1122 §4.2.3.9 treats a TTL run out like an unreachable host; so does Linux.
            Message::TimeExceeded { code: _, original } => Ok(Some((Unreachable::Host, quoted(original)?))),
            // Nobody here sends echo requests, so no reply is awaited.
            Message::EchoReply { .. } | Message::Other { .. } => Err(Drop::IcmpKind),
        }
    }
}

fn quoted(original: &[u8]) -> Result<Quoted, Drop> {
    Quoted::parse(original).ok_or(Drop::IcmpQuote)
}
