//! One IP packet with what offloading needs to know: the super-segment.
//!
//! A packet may be larger than any wire's MTU, up to 65,535 bytes of payload. [`Gso`] then says into what it is to be cut
//! should it ever meet a wire, and [`ChecksumState`] whether the transport checksum has been computed. Between two
//! stacks of one process neither is ever done; [`crate::segmentation`] does both for whoever needs real frames.

use std::cell::RefCell;
use std::fmt;

use crate::ethernet;

/// The largest IP packet, in bytes: an IPv6 header and the payload its length field of 16 bits can tell (RFC 8200 §3).
/// The largest of IPv4 is a header smaller (RFC 791 §3.1).
pub const PACKET_BYTES_MAX: usize = 65_575;

/// How the transport checksum of a packet stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumState {
    /// It stands in the packet, or may be wrong: whoever receives it verifies.
    Present,
    /// Not computed. The bytes have not left this process's memory, so a receiver need not verify; who puts the
    /// packet on a wire computes it first.
    Deferred,
    /// A device has verified it.
    Verified,
}

/// What a packet that is larger than the MTU is cut into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GsoKind {
    /// TCP segments, each with its own header.
    Tcp,
    /// UDP datagrams, each with its own header (Linux's UDP_SEGMENT).
    Datagrams,
    /// Fragments of one datagram (RFC 791 §2.3, RFC 8200 §4.5).
    Fragments {
        /// What names the datagram that IPv6 fragments belong to; an IPv4 header has it in itself.
        identification: u32,
    },
}

/// How to cut a packet that is larger than the MTU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gso {
    /// Into what.
    pub kind: GsoKind,
    /// Payload bytes of each part but the last: TCP or UDP payload, or IP payload of a fragment (a multiple of 8).
    pub size_bytes: u16,
}

/// One IP packet, from its IP header to its last byte of payload; or an ARP message, where the frame's header says so.
///
/// Its memory comes from a pool of the thread and goes back when the packet is dropped, last in first out, so that
/// a stream of super-segments stays in the processor's cache.
pub struct Packet {
    bytes: Vec<u8>,
    /// Set when the packet stands for several frames.
    pub gso: Option<Gso>,
    /// Whether the transport checksum was computed.
    pub checksum: ChecksumState,
    /// The frame's header, on links that have one; it stands beside the packet's bytes and is not among them.
    pub ethernet: Option<ethernet::Header>,
    /// It is on the loopback link because its sender named that one, and not because it goes to an own address: who keeps to
    /// that link hears it. Nothing that came over a wire is.
    pub by_loopback: bool,
}

impl Packet {
    /// An empty packet with room for [`PACKET_BYTES_MAX`], checksum [`ChecksumState::Present`].
    pub fn new() -> Packet {
        let bytes = POOL
            .try_with(|pool| pool.borrow_mut().pop())
            .ok()
            .flatten()
            .unwrap_or_else(|| Vec::with_capacity(PACKET_BYTES_MAX));
        Packet { bytes, gso: None, checksum: ChecksumState::Present, ethernet: None, by_loopback: false }
    }

    /// A packet whose bytes `write` appends to an empty buffer with room for [`PACKET_BYTES_MAX`]: so a device reads
    /// straight into it. The checksum is to be verified.
    ///
    /// # Errors
    ///
    /// What `write` answers.
    ///
    /// # Panics
    ///
    /// When there are more bytes than [`PACKET_BYTES_MAX`].
    pub fn written<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Packet, E> {
        let mut packet = Packet::new();
        write(&mut packet.bytes)?;
        assert!(packet.len() <= PACKET_BYTES_MAX, "an IP packet has at most 65,575 bytes");
        Ok(packet)
    }

    /// A packet as it came from a wire: its checksum is to be verified.
    pub fn from_wire(bytes: &[u8]) -> Packet {
        let mut packet = Packet::new();
        packet.extend(bytes);
        packet
    }

    /// All bytes, IP header first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Adds bytes at the end.
    ///
    /// # Panics
    ///
    /// When the packet would exceed [`PACKET_BYTES_MAX`]; whoever builds a packet knows its size before.
    pub fn extend(&mut self, bytes: &[u8]) {
        assert!(self.bytes.len() + bytes.len() <= PACKET_BYTES_MAX, "an IP packet has at most 65,575 bytes");
        self.bytes.extend_from_slice(bytes);
    }

    /// Shortens the packet to its first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Bytes of the whole packet.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Has nothing been written yet?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Default for Packet {
    fn default() -> Packet {
        Packet::new()
    }
}

impl Clone for Packet {
    fn clone(&self) -> Packet {
        let mut copy = Packet::new();
        copy.extend(&self.bytes);
        copy.gso = self.gso;
        copy.checksum = self.checksum;
        copy.ethernet = self.ethernet;
        copy.by_loopback = self.by_loopback;
        copy
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({} bytes, {:?}, checksum {:?})", self.bytes.len(), self.gso, self.checksum)
    }
}

/// How many free packet buffers a thread keeps: enough for one direction's flight of super-segments between two
/// stacks in one turn, 2 MiB in all.
const POOL_BUFFERS_MAX: usize = 32;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Packet {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        // Fails only while the thread itself ends: then the memory is simply freed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOL_BUFFERS_MAX {
                pool.push(bytes);
            }
        });
    }
}
