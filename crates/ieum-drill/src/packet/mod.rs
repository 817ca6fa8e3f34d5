//! Packets bit by bit: what a script makes and what a host sends, in one form that can be compared and shown.
//!
//! The stack's own reader of segments forgets what it has no use for (unknown options, their order, reserved bits).
//! This one keeps all of it, and writes whatever a script asks for, however wrong.
//!
//! Files: `flag` (bits of TCP), `option` (its options), `icmp` (names of types and codes), `bytes` (packets from and to
//! bytes), `notation` (as scripts write them).

mod bytes;
pub(crate) mod flag;
mod icmp;
mod notation;
mod option;

use std::net::IpAddr;

pub(crate) use bytes::{emit, ip_header, parse};
pub(crate) use icmp::type_and_code;
pub(crate) use notation::Shown;
pub(crate) use option::{AccEcn, TcpOption};

/// An IP packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    /// 0 with IPv4.
    pub(crate) flow_label: u32,
    pub(crate) body: Body,
}

/// What a packet carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    Tcp(Segment),
    Udp(Datagram),
    Icmp(Message),
    /// A protocol without a form here, by number.
    Other(u8),
}

/// A TCP segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    /// The twelve bits after the data offset ([`flag`]).
    pub(crate) flags: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<TcpOption>,
    pub(crate) payload: Vec<u8>,
}

/// A UDP datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Datagram {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) payload: Vec<u8>,
}

/// An ICMP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// The four bytes after the checksum.
    pub(crate) word: [u8; 4],
    pub(crate) rest: Vec<u8>,
}

impl Segment {
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn timestamps(&self) -> Option<(u32, u32)> {
        self.options.iter().find_map(|option| match option {
            TcpOption::Timestamps { value, echo } => Some((*value, *echo)),
            TcpOption::Nop
            | TcpOption::End
            | TcpOption::Mss(_)
            | TcpOption::WindowScale(_)
            | TcpOption::SackPermitted
            | TcpOption::Sack(_)
            | TcpOption::FastOpen(_)
            | TcpOption::FastOpenExperimental(_)
            | TcpOption::Md5(_)
            | TcpOption::AccEcn(_)
            | TcpOption::Other(..) => None,
        })
    }

    /// Bytes of all options.
    pub(crate) fn option_bytes(&self) -> usize {
        self.options.iter().map(TcpOption::len_bytes).sum()
    }

    /// Bytes of the header.
    pub(crate) fn header_bytes(&self) -> usize {
        20 + self.option_bytes()
    }
}

impl Packet {
    pub(crate) fn tcp(&self) -> Option<&Segment> {
        match &self.body {
            Body::Tcp(segment) => Some(segment),
            Body::Udp(_) | Body::Icmp(_) | Body::Other(_) => None,
        }
    }

    pub(crate) fn tcp_mut(&mut self) -> Option<&mut Segment> {
        match &mut self.body {
            Body::Tcp(segment) => Some(segment),
            Body::Udp(_) | Body::Icmp(_) | Body::Other(_) => None,
        }
    }

    /// Source and destination port; 0 where there are none.
    pub(crate) fn ports(&self) -> (u16, u16) {
        match &self.body {
            Body::Tcp(segment) => (segment.source_port, segment.destination_port),
            Body::Udp(datagram) => (datagram.source_port, datagram.destination_port),
            Body::Icmp(_) | Body::Other(_) => (0, 0),
        }
    }

    /// Bytes of TCP's or UDP's payload.
    pub(crate) fn payload(&self) -> &[u8] {
        match &self.body {
            Body::Tcp(segment) => &segment.payload,
            Body::Udp(datagram) => &datagram.payload,
            Body::Icmp(message) => &message.rest,
            Body::Other(_) => &[],
        }
    }
}
