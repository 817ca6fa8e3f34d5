//! The network socket, built anew in user space, as a library: TCP, UDP, ICMP and IP of your own, in your process, without
//! privileges.
//!
//! # Three levels
//!
//! | you want | take |
//! |---|---|
//! | sockets like `std::net`, through a TCP that is yours to watch and to change | [`net`]: the same types and calls; they use the process's [default host](Host::of_process) |
//! | hosts of your own: several in one process, with addresses, links and limits you choose | [`Network`] and [`Host`], and [`net`]'s types made on them |
//! | your own loop, clock and wires | [`stack::Stack`] (packets in, packets out) or [`sockets::Host`] (the same with sockets' meaning): no threads, no clock, no descriptors |
//!
//! ```
//! use std::io::{Read, Write};
//! use ieum::{Host, Network};
//!
//! let network = Network::new()?;
//! let link = network.link();
//! let server = network.host().address(&link, "10.1.0.1/24").build()?;
//! let client = network.host().address(&link, "10.1.0.2/24").build()?;
//!
//! let listener = server.listen("10.1.0.1:80")?;
//! let mut one = client.connect("10.1.0.1:80")?;
//! let (mut other, peer) = listener.accept()?;
//! assert_eq!(peer.ip().to_string(), "10.1.0.2");
//! one.write_all(b"hello")?;
//! drop(one);
//! let mut word = String::new();
//! other.read_to_string(&mut word)?;
//! assert_eq!(word, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Theory of operation
//!
//! A [`Network`] holds hosts and what joins them, under one lock. A call takes the lock, asks the socket, and lets the packets
//! it caused cross to their receivers, all in the caller's thread: no other thread is woken for a byte on its way. Who
//! waits (for bytes, room, a connection) is woken by whoever's call, packet or timer brought it. One thread for each network
//! sleeps until a timer or a descriptor of the machine wants something.
//!
//! Files: `network` (the lock, the thread, and who has his turn), `segment` (a link, and where a packet goes), `room` (a host as its
//! network sees it, and who waits), `host` (making them), `socket` (calls and waiting), `flows` (to any address), `net` (the types), `bell` (waking the
//! thread), `bounds`.
#![forbid(unsafe_code)]

mod bell;
mod bounds;
mod flows;
mod host;
pub mod net;
mod network;
mod room;
mod segment;
mod socket;

pub use flows::{Flow, Flows};
pub use host::{Host, HostBuilder};
pub use network::{Link, Network};

/// What Linux means by a socket, without waiting, clock and descriptors: a host as data.
pub use ieum_socket as sockets;
/// The protocols alone: packets in, packets out.
pub use ieum_stack as stack;
pub use ieum_stack::Refusal;
/// Packets and their words, and the time they are told by.
pub use ieum_wire as wire;
