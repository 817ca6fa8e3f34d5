//! Links as the stack sees them: a name, what the other end can do, and on Ethernet who the neighbours are.
//!
//! On a link whose frames are IP packets there is one other end, and nothing to ask. On Ethernet a packet needs the
//! address of the next hop's interface: [`Neighbors`] keeps what is known, asks by ARP (RFC 826) or neighbour discovery
//! (RFC 4861), and parks packets meanwhile. The rest of the stack sees IP packets only: [`ethernet`](self) takes the
//! header off on the way up and puts it on on the way down.
//!
//! What it does not do: duplicate addresses are not detected, neither by RFC 5227 nor by RFC 4862 §5.4, because a host
//! of ours is given its address by who makes the link and two of the same would be his mistake; router advertisements
//! and redirects are not obeyed, since routes are given too (they are counted); the groups of its own addresses are not
//! announced by MLD (RFC 4861 §7.2.1 asks for it; those that users join are): no switch that would listen for it stands between
//! us and a device.
//!
//! Files: `ethernet` (both ways), `arp`, `ndp` (what neighbours say), `neighbor` (what is known of them), `parked` (what
//! waits for one).

mod arp;
mod ethernet;
mod ndp;
mod neighbor;
mod parked;

pub(crate) use neighbor::Neighbors;

use ieum_wire::ethernet::MacAddress;

use crate::bounds::LOOPBACK_MTU_BYTES;

slotmap::new_key_type! {
    /// Names a link of a stack.
    pub struct LinkId;
}

/// What a link can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkConfig {
    /// The largest IP packet of a frame, in bytes.
    pub mtu_bytes: u32,
    /// It takes super-segments: packets larger than the MTU with the word how to cut them.
    pub segmentation_offload: bool,
    /// It takes packets whose transport checksum is not computed.
    pub checksum_offload: bool,
    /// What a frame is.
    pub medium: Medium,
}

/// What a frame of a link is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// An IP packet, to whoever is at the other end.
    Ip,
    /// An Ethernet frame, to one of many neighbours; the address is our own.
    Ethernet(MacAddress),
}

impl LinkConfig {
    /// Between two stacks of one process: MTU 1500, both offloads.
    pub fn in_process() -> LinkConfig {
        LinkConfig { mtu_bytes: 1500, segmentation_offload: true, checksum_offload: true, medium: Medium::Ip }
    }

    /// A wire: real frames of at most `mtu_bytes`, checksums computed.
    pub fn wire(mtu_bytes: u32) -> LinkConfig {
        LinkConfig { mtu_bytes, segmentation_offload: false, checksum_offload: false, medium: Medium::Ip }
    }

    /// Between the sockets of one host.
    pub(crate) fn loopback() -> LinkConfig {
        LinkConfig {
            mtu_bytes: LOOPBACK_MTU_BYTES,
            segmentation_offload: true,
            checksum_offload: true,
            medium: Medium::Ip,
        }
    }
}
