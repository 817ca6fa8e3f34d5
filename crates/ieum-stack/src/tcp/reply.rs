//! What is said without a connection: RSTs, and the acknowledgements of TIME-WAIT.

use ieum_wire::SeqNumber;
use ieum_wire::tcp::{Flags, Header, Options};

use super::segment::Segment;
use super::tuple::FourTuple;
use crate::link::LinkId;

/// A segment without data, owed to a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) tuple: FourTuple,
    pub(super) header: Header,
    /// DSCP and ECN of its packet.
    pub(super) tos: u8,
    /// The only link that it may leave by, where its connection kept to one.
    pub(super) link: Option<LinkId>,
}

impl Reply {
    /// The RST that answers a segment which belongs nowhere (RFC 9293 §3.10.7.1): built so that its receiver accepts
    /// it, from the position its own segment acknowledged, or acknowledging that segment.
    pub(super) fn reset_for(segment: &Segment<'_>) -> Reply {
        if segment.header.flags.ack {
            Reply::reset(segment.tuple, segment.header.ack, None)
        } else {
            Reply::reset(segment.tuple, SeqNumber::new(0), Some(segment.end()))
        }
    }

    /// A RST at `seq`, acknowledging `ack` where there is one.
    pub(super) fn reset(tuple: FourTuple, seq: SeqNumber, ack: Option<SeqNumber>) -> Reply {
        let flags = Flags { rst: true, ack: ack.is_some(), ..Flags::default() };
        Reply::new(tuple, seq, ack.unwrap_or_default(), flags, 0, Options::default())
    }

    /// The RST by which we end an open connection (RFC 9293 §3.10.5): with window and timestamp, like any of its segments.
    pub(super) fn reset_of(
        tuple: FourTuple,
        seq: SeqNumber,
        ack: SeqNumber,
        window: u16,
        options: Options,
    ) -> Reply {
        Reply::new(tuple, seq, ack, Flags { rst: true, ..Flags::ACK }, window, options)
    }

    /// A segment whose header is known.
    pub(super) fn with_header(tuple: FourTuple, header: Header) -> Reply {
        Reply { tuple, header, tos: 0, link: None }
    }

    /// A bare acknowledgement.
    pub(super) fn ack(
        tuple: FourTuple,
        seq: SeqNumber,
        ack: SeqNumber,
        window: u16,
        options: Options,
    ) -> Reply {
        Reply::new(tuple, seq, ack, Flags::ACK, window, options)
    }

    fn new(
        tuple: FourTuple,
        seq: SeqNumber,
        ack: SeqNumber,
        flags: Flags,
        window: u16,
        options: Options,
    ) -> Reply {
        let (source_port, destination_port) = (tuple.local.port(), tuple.remote.port());
        let header = Header { source_port, destination_port, seq, ack, flags, window, urgent: 0, options };
        Reply { tuple, header, tos: 0, link: None }
    }
}
