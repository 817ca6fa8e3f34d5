//! ieum's sockets for C: the BSD calls, each with `ieum_` before its name, on hosts of one's own.
//!
//! # Theory of operation
//!
//! *Everything is a number.* Networks, links, hosts, sockets and epolls stand in one table of the process ([`table`]): the lowest
//! free number is given out first, from 1,048,576 on. A number that is none, or is of something else, is told so (EBADF, ENOTSOCK);
//! a pointer to something freed could not be. What is open lives until its last number is closed, and until the last call that
//! is on it has returned.
//!
//! *A call* comes in by a door in a file `sys.rs`, which makes slices of C's pointers and calls the safe function beside it. That asks
//! the socket ([`ieum::net::Socket`]) in the caller's thread. No panic crosses: it becomes ENOTRECOVERABLE ([`answer`]).
//!
//! Files, each folder a `mod` with what is safe and a `sys` with the doors: `host` (networks, links, hosts), `socket` (from `socket` to
//! `close`), `transfer` (reading and writing), `wait` (`poll` and `epoll`); `memory` (C's, to read and to fill).
//!
//! # What it leaves out
//!
//! `select`, whose sets end at 1024; `sendmmsg` and `recvmmsg`; control messages that are sent along; epolls that watch epolls.

#![allow(rustdoc::private_intra_doc_links, reason = "the theory points to where each part of it is built")]

pub mod answer;
pub mod host;
mod memory;
pub mod socket;
mod table;
pub mod transfer;
pub mod wait;
