//! Programs that do not know: their socket calls, served by a [`Host`](ieum_socket::Host).
//!
//! # Theory of operation
//!
//! A seccomp filter sends the *control* calls of a program's sockets to us; all other calls the kernel serves. For each
//! internet socket the program gets a real descriptor, one end of AF_UNIX, and the bytes it reads and writes there are
//! pumped to and from the host's connection. So read, write, poll, epoll, sendfile, dup, fork and exec work as they are,
//! in programs of every language, and no privilege is needed.
//!
//! ```text
//!   program ──calls──▶ notification ─▶ call/… ─▶ Host
//!      │                                          │
//!      S ◀══ bytes ══▶ P (carrier/…) ◀══ pump ══▶ ┘
//! ```
//!
//! [`Runner`] is a room of the engine: it registers the descriptors it waits for and is called in its turn. It never
//! waits itself.
//!
//! # Invariants
//!
//! 1. No system call gives the program an internet socket of the kernel ([`program`]'s filter says how).
//! 2. A control call on one of our sockets is never passed on to the kernel, so nothing can change between our look at
//!    it and the kernel's. Calls on other descriptors, and data calls, may be: only AF_UNIX stands behind them.
//! 3. What the caller's memory says is believed only while its notification is valid.
//! 4. An effect that only the caller could undo happens after its answer was delivered, or is undone when it was not.
//! 5. A copy of a program's descriptor lives no longer than the turn that took it.
//!
//! # Files, in the order a call meets them
//!
//! - [`program`]: start, filter, signals, end; the process in front of one that must outlive its program.
//! - `tree`, `access`: the process trees that one host serves, and the way to their memory and descriptors.
//! - `notification`, `memory`, `tracee`, `address`: who called, with what, on which socket.
//! - `serve`, `call/…`: one file a call; `held`: calls that wait; `late`: answers that do; `sleep`: whether a caller still waits.
//! - `socket`: the table; `carrier/…`: the AF_UNIX sockets; `name`: their names.
//! - [`namespace`]: datagram sockets of the kernel, where there is a namespace for them; `call/namespace`: calls on them.
//! - `route/…`: sockets that ask for interfaces and routes.
//! - `runner`: the room; `turn`: what the host's events mean for carriers.
//! - [`control`]: what other processes of the user ask of a host; `snapshot`: its sockets, as `ieum ss` shows them.
//! - `confine`: what our own process gives up; `bpf`: what filters are written with.
//! - `bounds`: every bound; `sys`, `program/sys`, `namespace/sys`: unsafe code.
//!
//! # What differs from the kernel's sockets
//!
//! - read on a fresh or listening socket gives EINVAL, not ENOTCONN; write on a fresh one ENOTCONN, not EPIPE; the first
//!   write after a reset EPIPE, not ECONNRESET.
//! - Why an established connection failed other than by a reset (time-out, unreachable) shows only through SO_ERROR;
//!   read and write say ECONNRESET.
//! - Bytes that come after `shutdown(SHUT_RD)` cannot be read. SO_LINGER does not make close wait.
//! - Datagrams come with the control messages of `call/control` and no others, those to a connected socket with none but
//!   a timestamp; of those that go source, interface, hops, type of service
//!   and the size of segments (UDP_SEGMENT) are looked at.
//! - SO_RCVLOWAT does not keep poll from telling of fewer bytes, nor a native recv with MSG_PEEK from showing them.
//! - /proc/net and /sys/class/net show the machine's interfaces.
//! - Set-user-ID programs (sudo, su, ping of old) run without their privilege: the filter demands NO_NEW_PRIVS.

mod access;
mod address;
mod bounds;
mod bpf;
mod call;
mod carrier;
mod confine;
pub mod control;
mod held;
mod late;
mod memory;
mod name;
pub mod namespace;
mod notification;
pub mod program;
mod route;
mod runner;
mod serve;
mod sleep;
mod snapshot;
mod socket;
#[allow(unsafe_code, reason = "one of the three files of this crate with unsafe code")]
mod sys;
mod tracee;
mod tree;
mod turn;

pub use access::{Granted, Wish};
pub use address::decode_address;
pub use confine::{confine, confine_but_for_programs};
pub use program::{ExitStatus, Program, SpawnError};
pub use runner::Runner;
