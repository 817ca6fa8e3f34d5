//! ieum's sockets for C: the BSD calls, each with `ieum_` before its name, on hosts of one's own.
//!
//! # Theory of operation
//!
//! *Everything is a number.* Networks, links, hosts, sockets and epolls stand in one table of the process ([`table`]):
//! the lowest free number is given out first, from 1,048,576 on. A number that is none, or is of something else, is
//! told so (EBADF, ENOTSOCK); a pointer to something freed could not be. What is open lives until its last number is
//! closed, and until the last call that is on it has returned.
//!
//! *A call* comes in by a door in a file `sys.rs`, which makes slices of C's pointers and calls the safe function
//! beside it. That asks the socket ([`ieum::net::Socket`]) in the caller's thread. No panic crosses: it becomes
//! ENOTRECOVERABLE ([`answer`]).
//!
//! Files, each folder a `mod` with what is safe and a `sys` with the doors: `host` (networks, links, hosts), `socket`
//! (from `socket` to `close`), `transfer` (reading and writing), `message` (with addresses and control messages, and
//! many at once), `interface` (names and addresses of a host's links), `wait` (`poll`, `select` and `epoll`); `memory`
//! (C's, to read and to fill).
//!
//! # What it leaves out
//!
//! Epolls that watch epolls (EPERM): of an epoll inside another only "may have something" could be told without asking
//! all that it watches, each time. `ieum_epoll_descriptor` gives what an epoll of the kernel's can watch instead. Calls
//! are not interrupted by signals. `getaddrinfo` asks the machine, as ever.

#![allow(rustdoc::private_intra_doc_links, reason = "the theory points to where each part of it is built")]

pub mod answer;
pub mod host;
pub mod interface;
mod memory;
pub mod message;
pub mod socket;
mod table;
pub mod transfer;
pub mod wait;

/// The first number that is given out: the kernel gives out none from here on (fs.nr_open, 1,048,576 unless it was raised).
pub const IEUM_FIRST: i32 = 1 << 20;
