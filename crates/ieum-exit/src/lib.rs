//! Flows to and from the sockets of the machine.
//!
//! The [`Exit`] is a host of its own at the other end of the link. It takes packets for any address, and stands for
//! whom they are meant: for each connection and each pair of datagram addresses it holds one socket of the machine's
//! kernel and moves the bytes. Nothing here needs privileges.
//!
//! ```text
//!   inside                         exit                                 outside
//!   SYN        → Request      → connect(2), not blocking
//!                                 succeeded → SYN-ACK → the two are joined
//!                                 refused   → RST; unreachable → ICMP; timed out → silence
//!   bytes      → recv_chunks  → sendmsg(2)
//!              ← send_space   ← readv(2)
//!   FIN        → shutdown(WR),  end of file → FIN,  RST ↔ RST
//!   datagram   → connected UDP socket, kept while used; its errors come back as ICMP
//!   connect    ← accept(2) of a published port, which listens while somebody inside does
//! ```
//!
//! Where a destination leads is said in `target`: the exit's own address is the machine's loopback, in each family. On
//! their way, questions about names are looked at, and some answered (`name_service/`).
//!
//! Invariants:
//!
//! 1. A flow has exactly one kernel socket, and a stack's connection names at most one flow.
//! 2. No SYN-ACK goes inside before the kernel's connect has succeeded.
//! 3. What one side has been told is delivered is with the other's kernel or in its buffers: an end is passed on only
//!    after every byte before it.
//! 4. Every source is edge-triggered and read until it says that it is empty; a flow that has used up its share of a
//!    turn stands in a queue of those that have more.
//! 5. A source's key is a serial number that never comes again, so a late event finds nobody.
//!
//! Files: `exit` the room and what becomes of its events; `target` where to; `stream/` connections; `datagram`
//! datagrams; `published/` what comes from outside; `name_service/` names; `resolv` the machine's resolvers; `kernel`
//! its sockets; `idle` who was used last; `key` names of sources; `counts` what was refused or dropped, and why;
//! `bounds` every bound; `sys` the one system call that rustix has no word for.

mod bounds;
mod counts;
mod datagram;
mod exit;
mod idle;
pub mod kernel;
mod key;
mod name_service;
mod published;
mod resolv;
mod stream;
#[allow(unsafe_code, reason = "the one file of this crate with unsafe code")]
mod sys;
mod target;

pub use bounds::NAME_ADDRESSES_MAX;
pub use exit::{Exit, ExitConfig};
pub use idle::Idle;
pub use name_service::{Named, NamedParseError};
pub use published::{Publish, PublishError, PublishParseError, Published, Transport, port_of};
pub use resolv::Resolvers;
pub use target::Ends;
