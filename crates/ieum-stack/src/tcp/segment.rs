//! A segment on its way through TCP: parsed once, then trusted.

use std::net::SocketAddr;

use ieum_wire::SeqNumber;
use ieum_wire::tcp::{Header, ParseError, sequence_length};

use super::tuple::FourTuple;
use crate::ip::Received;
use crate::link::LinkId;

/// One received segment, possibly standing for several frames.
pub(super) struct Segment<'a> {
    pub(super) header: Header,
    pub(super) payload: &'a [u8],
    /// How many frames of a wire it stands for: acknowledgements are counted in these.
    pub(super) frames: usize,
    /// DSCP and ECN of its packet.
    pub(super) tos: u8,
    pub(super) tuple: FourTuple,
    /// To which link somebody who keeps to one must keep to hear it.
    pub(super) link: LinkId,
}

impl<'a> Segment<'a> {
    pub(super) fn parse(received: &Received<'a>) -> Result<Segment<'a>, ParseError> {
        let (header, range) = Header::parse(received.payload)?;
        Ok(Segment {
            payload: &received.payload[range],
            frames: received.frames,
            tos: received.tos,
            link: received.heard_over,
            tuple: FourTuple {
                local: SocketAddr::new(received.destination, header.destination_port),
                remote: SocketAddr::new(received.source, header.source_port),
            },
            header,
        })
    }

    /// Sequence numbers it occupies (SEG.LEN).
    pub(super) fn length(&self) -> u32 {
        sequence_length(self.header.flags, self.payload.len())
    }

    /// The position after its last.
    pub(super) fn end(&self) -> SeqNumber {
        self.header.seq + self.length()
    }
}
