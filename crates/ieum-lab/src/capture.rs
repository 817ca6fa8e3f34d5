//! What was put on the wires, and when: frames as they left, before any fault.

use ieum_wire::Instant;

use crate::node::NodeId;

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// When its host gave it to the wire.
    pub at: Instant,
    /// Who sent it.
    pub from: NodeId,
    /// The IP packet.
    pub bytes: Vec<u8>,
}

/// All frames of a world, in the order in which they left.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capture {
    records: Vec<Record>,
}

impl Capture {
    /// Adds a frame.
    pub(crate) fn add(&mut self, at: Instant, from: NodeId, bytes: &[u8]) {
        self.records.push(Record { at, from, bytes: bytes.to_vec() });
    }

    /// The frames so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The frames that one host sent.
    pub fn from(&self, node: NodeId) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.from == node)
    }
}
