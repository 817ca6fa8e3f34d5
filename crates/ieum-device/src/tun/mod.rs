//! A TUN or TAP interface: the machine's kernel is at the other end of the link.
//!
//! ```text
//!   kernel's TCP ⇄ interface ⇄ /dev/net/tun ⇄ [virtio-net header][Ethernet header, TAP][IP packet] ⇄ Packet
//! ```
//!
//! A TUN interface carries IP packets, a TAP interface Ethernet frames. Both carry super-segments and packets without a
//! checksum in either direction, where the kernel grants that (`vnet`); [`Tun::takes`] says what must be cut before.
//!
//! Where there is no such driver, a packet socket at one end of a veth pair is used like a TUN (`veth`).
//!
//! An interface that ieum makes disappears when the file is closed. One that was there before (`keep`) is only used: nothing
//! about it is changed.
//!
//! Invariants:
//!
//! 1. A packet that comes out of [`Tun::read`] is one packet for a stack: datagrams that came as one are cut here.
//! 2. Bytes are copied by the kernel alone: the headers beside a packet are scattered and gathered.
//! 3. What the device gave that is no packet is dropped and counted; the reading goes on.
//!
//! Files: `open` makes or finds the interface and says why not, `veth` opens what stands for one, `netlink` speaks to
//! the kernel about either, `vnet` is the header before each packet.

mod netlink;
mod open;
pub mod veth;
mod vnet;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ieum_wire::ethernet;
use ieum_wire::packet::PACKET_BYTES_MAX;
use ieum_wire::{GsoKind, Packet, segmentation};
use rustix::io::Errno;

use crate::sys;

pub use open::{OpenError, SetUpError, TunConfig};

/// What an interface carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TunKind {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

impl TunKind {
    /// As ip-tuntap(8) calls it.
    pub const fn word(self) -> &'static str {
        match self {
            TunKind::Tun => "tun",
            TunKind::Tap => "tap",
        }
    }
}

/// The link's own header before each packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LinkHeader {
    /// There is none: a TUN.
    None,
    /// It is beside the packet: a TAP.
    Beside,
    /// It is the same for all of a protocol, and nobody here looks at it: a veth pair.
    Constant,
}

/// An open interface.
#[derive(Debug)]
pub struct Tun {
    file: OwnedFd,
    name: String,
    link_header: LinkHeader,
    mtu_bytes: u32,
    /// Packets carry the header that says what was left undone.
    vnet: bool,
    /// Datagrams that came as one and were not asked for yet.
    waiting: VecDeque<Packet>,
    malformed: u64,
}

impl Tun {
    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it carries.
    pub fn kind(&self) -> TunKind {
        match self.link_header {
            LinkHeader::None | LinkHeader::Constant => TunKind::Tun,
            LinkHeader::Beside => TunKind::Tap,
        }
    }

    /// Is it one end of a veth pair, and no TUN?
    pub fn is_veth(&self) -> bool {
        self.link_header == LinkHeader::Constant
    }

    /// The largest IP packet of a frame.
    pub fn mtu_bytes(&self) -> u32 {
        self.mtu_bytes
    }

    /// The MTU as it is now: anybody may change it.
    ///
    /// # Errors
    ///
    /// Those of the kernel.
    pub fn current_mtu_bytes(&self) -> io::Result<u32> {
        open::current_mtu_bytes(&self.name)
    }

    /// Is it up? While it is not, nothing crosses it.
    ///
    /// # Errors
    ///
    /// Those of the kernel.
    pub fn is_up(&self) -> io::Result<bool> {
        open::is_up(&self.name)
    }

    /// May super-segments and packets without a checksum be written?
    pub fn offloads(&self) -> bool {
        self.vnet
    }

    /// What the kernel gave that was no packet.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Are there datagrams that came as one and were not asked for yet? The descriptor's readiness does not tell of them.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Bytes of the link's own header before each packet.
    fn link_bytes(&self) -> u16 {
        match self.link_header {
            LinkHeader::None => 0,
            LinkHeader::Beside | LinkHeader::Constant => 14,
        }
    }

    /// The next packet from the kernel; `None` when there is none now.
    ///
    /// # Errors
    ///
    /// When the interface has gone (EBADFD), or who gave its packets (EPIPE), and those of readv(2).
    pub fn read(&mut self) -> io::Result<Option<Packet>> {
        loop {
            if let Some(packet) = self.waiting.pop_front() {
                return Ok(Some(packet));
            }
            match self.read_frame() {
                Ok(Some(packet)) if packet.gso.is_some_and(|gso| gso.kind == GsoKind::Datagrams) => {
                    segmentation::cut(&packet, |datagram| self.waiting.push_back(datagram));
                }
                Ok(Some(packet)) => return Ok(Some(packet)),
                Ok(None) => self.malformed += 1,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// `None`: what came is no packet.
    fn read_frame(&mut self) -> rustix::io::Result<Option<Packet>> {
        let (mut vnet_header, mut link_header) = ([0; vnet::HEADER_BYTES], [0; ethernet::HEADER_BYTES]);
        let mut whole = false;
        let mut packet = Packet::written(|bytes| {
            let vnet_room: &mut [u8] = if self.vnet { &mut vnet_header } else { &mut [] };
            let has_header = self.link_header != LinkHeader::None;
            let link_room: &mut [u8] = if has_header { &mut link_header } else { &mut [] };
            let head_bytes = vnet_room.len() + link_room.len();
            let came = sys::read_scattered(self.file.as_fd(), [vnet_room, link_room], bytes)?;
            if came == 0 {
                // A TUN has no empty packets: the other end of a descriptor that is none is closed.
                return Err(Errno::PIPE);
            }
            whole = came == head_bytes + bytes.len() && bytes.len() <= PACKET_BYTES_MAX;
            bytes.truncate(PACKET_BYTES_MAX);
            Ok::<(), Errno>(())
        })?;
        if self.link_header == LinkHeader::Beside {
            packet.ethernet = ethernet::Header::parse(&link_header);
        }
        let understood = !self.vnet || vnet::receive(&vnet_header, self.link_bytes(), &mut packet).is_some();
        Ok((whole && understood).then_some(packet))
    }

    /// Can the device take this packet as it is? What it cannot take is cut before ([`segmentation::cut`]).
    pub fn takes(&self, packet: &Packet) -> bool {
        match packet.gso.map(|gso| gso.kind) {
            None => true,
            Some(GsoKind::Tcp | GsoKind::Datagrams) => self.vnet,
            // No device knows how to.
            Some(GsoKind::Fragments { .. }) => false,
        }
    }

    /// Hands a packet that the device [takes](Tun::takes) to the kernel. The packet's checksum is brought into the form
    /// that the device needs; the packet may be written again.
    ///
    /// # Errors
    ///
    /// WouldBlock: not now. EIO: the interface is down. Those of writev(2).
    pub fn write(&self, packet: &mut Packet) -> io::Result<()> {
        let vnet_header = if self.vnet {
            Some(vnet::transmit(self.link_bytes(), packet))
        } else {
            segmentation::finish_checksum(packet);
            None
        };
        let link_header = match (self.link_header, packet.ethernet) {
            (LinkHeader::None, _) => None,
            (LinkHeader::Beside, Some(header)) => Some(header.emit()),
            (LinkHeader::Beside, None) => return Err(io::ErrorKind::InvalidInput.into()),
            (LinkHeader::Constant, _) => Some(veth::header(packet).emit()),
        };
        let head = vnet_header.as_ref().map_or(&[][..], |header| header);
        let link_head = link_header.as_ref().map_or(&[][..], |header| header);
        let parts = [head, link_head, packet.bytes()].map(IoSlice::new);
        loop {
            match rustix::io::writev(&self.file, &parts) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
