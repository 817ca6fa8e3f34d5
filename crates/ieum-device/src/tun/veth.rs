//! One end of a veth pair in the place of a TUN: for who may make interfaces in a namespace of its own, and has no /dev/net/tun
//! (veth(4), packet(7)).
//!
//! ```text
//!   kernel's sockets ⇄ interface, FAR ═══ interface, NEAR ⇄ packet socket ⇄ [virtio-net header][Ethernet header][IP packet] ⇄ Packet
//! ```
//!
//! The pair is one link with two ends, whose addresses are always these: nobody is asked for an address (IFF_NOARP on
//! the far end), and the Ethernet header says nothing that is not known. The near end belongs in a namespace whose
//! kernel has no address on it, so that it hears nothing of what is meant for the socket.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ieum_wire::Packet;
use ieum_wire::ethernet::{EtherType, Header, MacAddress};

use super::{LinkHeader, Tun};
use crate::sys;

/// The address of the end that the socket is at. Locally administered (IEEE 802).
pub const NEAR: MacAddress = MacAddress([0x02, 0, 0, 0, 0, 1]);

/// That of the end at which the kernel has its addresses.
pub const FAR: MacAddress = MacAddress([0x02, 0, 0, 0, 0, 2]);

/// Bytes of packets, with what the kernel needs to keep them, that wait for us in the kernel at most: some 1,500
/// packets of 1,500 bytes, as a TUN's queue has. Who may not have so many gets what the machine allows everybody
/// (net.core.rmem_max).
const QUEUE_BYTES_MAX: i32 = 4 << 20;

impl Tun {
    /// The near end of a pair: the interface of that number, of this thread's network namespace. `far_name` is the name
    /// of the far one, to which alone [`set_up`](Tun::set_up) is about.
    ///
    /// # Errors
    ///
    /// Those of the kernel: EPERM without CAP_NET_RAW over the namespace.
    pub fn at_near_end(index: u32, far_name: &str, mtu_bytes: u32) -> io::Result<Tun> {
        let socket = sys::packet_socket(index)?;
        sys::set_receive_room(socket.as_fd(), QUEUE_BYTES_MAX)?;
        Ok(Tun { name: far_name.to_owned(), ..Tun::of_packet_socket(socket, mtu_bytes) })
    }

    /// The socket of such an end, opened by [`at_near_end`](Tun::at_near_end) in another process.
    pub fn of_packet_socket(socket: OwnedFd, mtu_bytes: u32) -> Tun {
        Tun {
            file: socket,
            name: String::new(),
            link_header: LinkHeader::Constant,
            mtu_bytes,
            vnet: true,
            waiting: VecDeque::new(),
            malformed: 0,
        }
    }
}

/// The header of a packet to the far end.
pub(super) fn header(packet: &Packet) -> Header {
    let is_ip6 = packet.bytes().first().is_some_and(|byte| byte >> 4 == 6);
    let ethertype = if is_ip6 { EtherType::Ip6 } else { EtherType::Ip4 };
    Header { destination: FAR, source: NEAR, ethertype }
}
