//! What ieum says to the kernel about an interface of its own: rtnetlink(7), three kinds of words.
//!
//! A message is a header, a fixed part, and attributes; each request is answered by an acknowledgement that carries
//! an error number, zero for success. Numbers are in the machine's byte order.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_wire::Cidr;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::sys::{self, number};

/// The largest message here in bytes: an address twice, or two numbers, and headers, take less than 100.
const MESSAGE_BYTES_MAX: usize = 256;

/// Bytes of the header of every message (struct nlmsghdr).
const HEADER_BYTES: usize = 16;

/// A socket that speaks to the kernel about the interfaces of this network namespace.
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens the socket.
    pub(super) fn open() -> io::Result<Netlink> {
        let flags = SocketFlags::CLOEXEC;
        // Protocol 0 of this family is NETLINK_ROUTE.
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        Ok(Netlink { socket })
    }

    /// The number of an interface; `None` when there is none of that name.
    pub(super) fn index(&self, name: &str) -> Option<u32> {
        rustix::net::netdevice::name_to_index(self.socket.as_fd(), name).ok()
    }

    /// The MTU of an interface, in bytes.
    pub(super) fn mtu(&self, name: &str) -> io::Result<u32> {
        Ok(sys::mtu(self.socket.as_fd(), name)?)
    }

    /// Whether the interface is up.
    pub(super) fn is_up(&self, name: &str) -> io::Result<bool> {
        Ok(sys::is_up(self.socket.as_fd(), name)?)
    }

    /// Gives the interface its MTU and the number of packets that wait for us at most.
    pub(super) fn set_sizes(&self, index: u32, mtu_bytes: u32, queue_packets: u32) -> io::Result<()> {
        let mut message = Message::new(number::RTM_NEWLINK, 0);
        message.push_interface(index, 0);
        message.attribute(number::IFLA_MTU, &mtu_bytes.to_ne_bytes());
        message.attribute(number::IFLA_TXQLEN, &queue_packets.to_ne_bytes());
        self.ask(message)
    }

    /// Brings the interface up.
    pub(super) fn bring_up(&self, index: u32) -> io::Result<()> {
        let mut message = Message::new(number::RTM_NEWLINK, 0);
        message.push_interface(index, u32::try_from(number::IFF_UP).unwrap_or_default());
        self.ask(message)
    }

    /// Gives the interface an address. It may be used at once: nobody else on the link is asked whether it is his
    /// (IFA_F_NODAD).
    pub(super) fn add_address(&self, index: u32, address: Cidr) -> io::Result<()> {
        let create = u32::try_from(number::NLM_F_CREATE | number::NLM_F_EXCL).unwrap_or_default();
        let mut message = Message::new(number::RTM_NEWADDR, create);
        let family = if address.address().is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let family = u8::try_from(family.as_raw()).unwrap_or_default();
        // struct ifaddrmsg: family, prefix, flags (8 bits), scope (0: everywhere), interface.
        message.bytes.extend([family, address.prefix_bits(), 0, 0]);
        message.bytes.extend(index.to_ne_bytes());
        let octets = |address| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        message.attribute(number::IFA_LOCAL, &octets(address.address()));
        message.attribute(number::IFA_ADDRESS, &octets(address.address()));
        message.attribute(number::IFA_FLAGS, &number::IFA_F_NODAD.to_ne_bytes());
        self.ask(message)
    }

    /// Sends a request and waits for its acknowledgement, which the kernel gives before the sending returns.
    fn ask(&self, message: Message) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, &message.finish(), SendFlags::empty(), &kernel)?;
        let mut answer = [0; MESSAGE_BYTES_MAX];
        // The answer repeats the request behind its own words; what does not fit is cut off.
        let (count, _) = rustix::net::recv(&self.socket, &mut answer, RecvFlags::TRUNC)?;
        acknowledged(answer.get(..count).unwrap_or(&answer))
    }
}

/// What an acknowledgement says.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
    let number = answer.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|number| number.try_into().ok());
    match number.map(i32::from_ne_bytes) {
        Some(number) if kind.map(i32::from) == Some(number::NLMSG_ERROR) => match number {
            0 => Ok(()),
            error => Err(Errno::from_raw_os_error(error.saturating_neg()).into()),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A request under way.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of a kind, which asks for an acknowledgement.
    fn new(kind: u16, flags: u32) -> Message {
        let flags = flags | u32::try_from(number::NLM_F_REQUEST | number::NLM_F_ACK).unwrap_or_default();
        let flags = u16::try_from(flags).unwrap_or_default();
        let mut bytes = Vec::with_capacity(MESSAGE_BYTES_MAX);
        // struct nlmsghdr: length (written at the end), type, flags, sequence, port.
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        Message { bytes }
    }

    /// The fixed part of a message about an interface (struct ifinfomsg): its flags become `flags` where `flags` is set.
    fn push_interface(&mut self, index: u32, flags: u32) {
        self.bytes.extend([0; 4]);
        self.bytes.extend(index.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
    }

    /// Adds an attribute (struct rtattr), padded to four bytes.
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).expect("an attribute here is short");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The bytes, with their length at the beginning.
    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("a message here is short");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}
