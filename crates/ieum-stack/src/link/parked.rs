//! The packets that wait for one neighbour to be known.

use std::collections::VecDeque;

use ieum_wire::Packet;

use crate::bounds::{PARKED_BYTES_MAX, PARKED_PACKETS_MAX};

/// Packets in the order in which they came, bounded in number and in bytes.
#[derive(Debug, Default)]
pub(super) struct Parked {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Parked {
    /// Keeps a packet; returns how many older ones gave way (RFC 1122 §2.3.2.2 asks for one packet at least, the
    /// latest).
    pub(super) fn push(&mut self, packet: Packet) -> usize {
        self.bytes += packet.len();
        self.packets.push_back(packet);
        let mut driven_out = 0;
        while self.packets.len() > PARKED_PACKETS_MAX
            || (self.bytes > PARKED_BYTES_MAX && self.packets.len() > 1)
        {
            self.pop_oldest();
            driven_out += 1;
        }
        driven_out
    }

    /// The oldest gives way.
    pub(super) fn pop_oldest(&mut self) {
        self.bytes -= self.packets.pop_front().map_or(0, |oldest| oldest.len());
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// All of them, the oldest first: they wait no longer.
    pub(super) fn into_packets(self) -> VecDeque<Packet> {
        self.packets
    }

    /// Asserts that the bytes are counted and the bounds kept.
    pub(super) fn check(&self) {
        let bytes: usize = self.packets.iter().map(Packet::len).sum();
        assert_eq!(bytes, self.bytes, "parked bytes are counted");
        assert!(self.len() <= PARKED_PACKETS_MAX, "packets for one neighbour are bounded");
    }
}
