//! The network socket, built anew in user space, as a library: TCP, UDP, ICMP and IP of your own, in your process, without
//! privileges.
//!
//! # Three levels
//!
//! | you want | take |
//! |---|---|
//! | sockets like `std::net`, through a TCP that is yours to watch and to change | [`net`]: the same types and calls; they use the process's [own host](Host::of_process). For tokio: crate `ieum-tokio`; for C: `libieum.so` and `ieum.h` |
//! | hosts of your own: several in one process, with addresses, links, routes and limits you choose; or one that [stands for any address](Host::listen_any), for tunnels and gateways; on links that lead to [a TUN interface](Network::tun_link) or to [packets of your own](Network::outlet_link) | [`Network`] and [`Host`], and [`net`]'s types made on them |
//! | your own loop, clock and wires; virtual time | [`sockets::Host`] (a host as data, with Linux's calls and errors) or [`stack::Stack`] (the protocols alone, packets in and packets out): no threads, no clock, no descriptors |
//!
//! Each level is made of the next, so that it is the same TCP on all of them, and a program may begin above and go down.
//! What a socket answers is what Linux answers, to the number of the error; the tests compile one source against `std::net`
//! and [`net`], and compare.
//!
//! Sockets like those of `std::net`:
//!
//! ```
//! use std::io::{Read, Write};
//! use ieum::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:80")?;      // this host's own: every port is free
//! let mut one = TcpStream::connect("127.0.0.1:80")?;
//! let (mut other, peer) = listener.accept()?;
//! assert_eq!(peer, one.local_addr()?);
//! one.write_all(b"hello")?;
//! drop(one);
//! let mut word = String::new();
//! other.read_to_string(&mut word)?;
//! assert_eq!(word, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Hosts of one's own, on one link:
//!
//! ```
//! use ieum::Network;
//! use ieum::stack::CongestionName;
//!
//! let network = Network::new()?;
//! let link = network.link();
//! let server = network.host().address(&link, "10.1.0.1/24").congestion(CongestionName::Bbr).build()?;
//! let client = network.host().address(&link, "10.1.0.2/24").address(&link, "fd01::2/64").build()?;
//!
//! let listener = server.listen("10.1.0.1:80")?;
//! let one = client.connect("10.1.0.1:80")?;
//! assert_eq!(listener.accept()?.1.ip().to_string(), "10.1.0.2");
//! let states = server.inspect(|host| host.sockets().iter().map(|socket| socket.state).collect::<Vec<_>>());
//! assert!(states.contains(&"LISTEN"));
//! # drop(one);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A host as data, for one's own loop: time is an argument, and nothing waits. The example `virtual_time` runs a
//! protocol of its own this way, over a wire that loses, an hour in a moment and twice the same.
//!
//! ```
//! use ieum::sockets::{Errno, Host, HostConfig};
//! use ieum::wire::Instant;
//!
//! let mut host = Host::new(HostConfig { seed: [7; 32], tcp_timestamps: true, hold_requests: false });
//! let listener = host.socket(2, 1, 0)?;
//! host.bind(listener, "127.0.0.1:80".parse().unwrap())?;
//! host.listen(listener, 128)?;
//! let client = host.socket(2, 1, 0)?;
//! host.connect(Instant::ZERO, client, Some("127.0.0.1:80".parse().unwrap()))?;
//! assert_eq!(host.accept(listener), Err(Errno::EAGAIN));
//! // What sockets of one host say to each other moves when its packets are asked for.
//! assert!(host.poll_frame(Instant::ZERO).is_none());
//! assert!(host.accept(listener).is_ok());
//! # Ok::<(), Errno>(())
//! ```
//!
//! # Theory of operation
//!
//! A [`Network`] holds hosts and what joins them, under one lock. A call takes the lock, asks the socket, and lets the packets
//! it caused cross to their receivers, all in the caller's thread: no other thread is woken for a byte on its way. Who
//! waits (for bytes, room, a connection) is woken by whoever's call, packet or timer brought it. One thread for each network
//! sleeps until a timer or a descriptor of the machine wants something.
//!
//! Files: `network` (the lock, the thread, and who has his turn), `segment` (a link, and where a packet goes), `room`
//! (a host as its network sees it, and who waits), `host` (making them), `socket` (calls and waiting), `flows` and
//! `any_datagrams` (to any address), `outlet` (links that lead out), `net` (the types, and waiting for many), `bell`
//! (waking the thread), `bounds`.
#![forbid(unsafe_code)]

mod any_datagrams;
mod bell;
mod bounds;
mod flows;
mod host;
pub mod net;
mod network;
mod outlet;
mod room;
mod segment;
mod socket;

pub use any_datagrams::{AnyDatagram, AnyDatagrams};
pub use flows::{Flow, Flows};
pub use host::{Host, HostBuilder};
pub use network::{Link, Network};
pub use outlet::Outlet;

/// TUN interfaces of the machine, and faults on a wire.
pub use ieum_device as device;
/// What Linux means by a socket, without waiting, clock and descriptors: a host as data.
pub use ieum_socket as sockets;
/// The protocols alone: packets in, packets out.
pub use ieum_stack as stack;
pub use ieum_stack::Refusal;
/// Packets and their words, and the time they are told by.
pub use ieum_wire as wire;
