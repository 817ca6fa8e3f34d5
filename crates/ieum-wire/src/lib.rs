//! Packets and their words.
//!
//! Everything here is a value: a header parsed from bytes or emitted into them, a sequence number, a window, a
//! packet with what offloading needs to know. Nothing here keeps state, waits or decides.
//!
//! Files, from the outside of a packet to its inside:
//!
//! - [`packet`]: one IP packet of up to 65,535 bytes, the *super-segment* that all layers exchange.
//! - [`segmentation`]: a super-segment cut into what a wire would carry.
//! - [`ip4`], [`ip6`]: the headers; [`ip`]: what both say.
//! - [`ethernet`]: the header of a frame, on links that have one; [`arp`] and [`ndp`]: who has which address there.
//! - [`icmp4`], [`icmp6`]: ICMP; [`mod@unreachable`]: its errors, in the words of both versions.
//! - [`group`]: IGMP and MLD, what hosts and routers say of multicast groups.
//! - [`udp`], [`tcp`]: the transport headers; [`tcp::options`] inside the latter.
//! - [`checksum`]: the Internet checksum.
//! - [`seq`], [`units`], [`cidr`], [`time`]: numbers with a meaning.
#![forbid(unsafe_code)]

pub mod arp;
pub mod checksum;
pub mod cidr;
pub mod ethernet;
pub mod group;
pub mod icmp4;
pub mod icmp6;
pub mod ip;
pub mod ip4;
pub mod ip6;
pub mod ndp;
pub mod packet;
pub mod segmentation;
pub mod seq;
pub mod tcp;
pub mod time;
pub mod udp;
pub mod udp_lite;
pub mod units;
pub mod unreachable;

mod bytes;

pub use cidr::Cidr;
pub use packet::{ChecksumState, Gso, GsoKind, Packet};
pub use seq::SeqNumber;
pub use time::Instant;
pub use units::{Mss, Protocol, WindowScale};
pub use unreachable::Unreachable;
