//! What POSIX and Linux mean by a socket, sans-IO.
//!
//! An RFC never mentions a file descriptor, and errno never mentions a segment: the stack below knows connections and
//! endpoints, this room knows what a program may do with them, in which order, and which number it is told when it
//! may not. Nothing here waits, reads a clock or owns a descriptor of the machine.
//!
//! # Theory of operation
//!
//! An *open socket description* ([`SocketId`]) is what `socket(2)` makes and what descriptors refer to. It holds its
//! options, its pending error, which of its directions have been shut down, and the phase it is in: a stream is
//! unbound, bound, listening or has a connection; a datagram socket is unbound or has an endpoint. What the connection
//! itself is doing (connecting, established, half closed, failed) is never copied: it is asked of the stack each time,
//! so the two cannot disagree.
//!
//! A call is one plain function on [`Host`], written once and non-blocking. [`Errno::EAGAIN`], [`Connect::InProgress`]
//! and [`Errno::EALREADY`] mean: wait for [`Event::Readiness`] and ask again. A blocking call is that loop, for those
//! who want it with all of Linux's rules ([`Wait`]).
//!
//! *Families.* A socket is of AF_INET or AF_INET6 for ever ([`Domain`]). One of AF_INET6 speaks IPv4 as well, as
//! `::ffff:a.b.c.d`, unless IPV6_V6ONLY forbids it; that form is known in this room alone: it is taken off on the way
//! down (`call/destination`, `call/bind`) and put on whatever is shown to a program. Links have numbers, as interfaces
//! do: 1 is the loopback link. Link-local addresses, which mean nothing without one, are refused all the same: no host
//! has any. Groups of a link are spoken to with its number.
//!
//! *Raw sockets* are for hosts that have them ([`Host::allow_raw_sockets`]). They are asked like datagram sockets, and
//! are open from the start: a protocol's number stands where a port does.
//!
//! *Readiness* is told by edges and asked by level: an event says only that something changed, and
//! [`Host::readiness`] says what `poll(2)` would show now. Per description at most one event waits to be polled.
//!
//! # Invariants
//!
//! 1. A connection, listener or endpoint of the stack belongs to exactly one description, or to none any more: a
//!    closed socket is out of the maps at once, and the stack alone carries its connection to the end.
//! 2. `connections`, `listeners`, `endpoints`, `pings` and `raws` of the host name exactly what the descriptions hold.
//! 3. A description's `told` is set exactly while a readiness event of it waits in the queue.
//! 4. A failure of a connection becomes the pending error once, and a pending error is told once.
//!
//! # Files
//!
//! - `host`: [`Host`], its doors to the stack, and the way of events (`event`).
//! - `make`: families, kinds and protocols. `description`: the phases of a socket, and what a stream's phase means to
//!   calls (`stream`); `endpoint`: what a datagram socket holds; `groups`: whom it hears of many.
//! - `call`: one file for each call. `snapshot`: all sockets at one moment.
//! - `readiness`: the meaning of `poll(2)` in each phase. `epoll`: what of it is told at many descriptors.
//! - `error_queue`: what is told beside the data; `sent`: of what was sent.
//! - `control`: control messages that come with a datagram; `call/ancillary`: those that go along with one.
//! - `blocking`: the calls of programs whose descriptors block.
//! - `options`: the table of socket options, by level and number.
//! - `errno`: the numbers, and which error of the stack has which.
//! - `interface`: links as programs ask for them; `call/interface`: by ioctl.
//! - `table`: descriptor tables, for those who are not given numbers by a kernel.
//! - [`sockaddr`]: addresses as C writes them.
//! - `bounds`: every bound of this room.
//!
//! # What it leaves out
//!
//! Control messages but for those in `control` and `call/ancillary`, errors of the host's own in the error queue. An
//! option that only influences what ieum has no counterpart for is stored and read back.
#![forbid(unsafe_code)]

mod blocking;
mod bounds;
mod call;
mod control;
mod description;
mod endpoint;
mod epoll;
mod errno;
mod error_queue;
mod event;
mod groups;
mod host;
mod interface;
mod make;
mod options;
mod readiness;
mod sent;
mod snapshot;
pub mod sockaddr;
mod stream;
mod table;

pub use blocking::{Progress, Reading, Received, Wait, Writing};
pub use call::connect::Connect;
pub use call::interface::{INTERFACE_REQUEST_BYTES, INTERFACE_REQUESTS, SIOCGIFCONF, is_about_interfaces};
pub use call::listen_any::FlowEvent;
pub use call::recv::Arrival;
pub use call::send::Ancillary;
pub use call::shutdown::How;
pub use control::Control;
pub use epoll::{Epoll, UNASKED};
pub use errno::Errno;
pub use event::{Event, RequestId};
pub use host::{Host, HostConfig, SocketId};
pub use interface::Interface;
pub use make::{Domain, Kind, Make, Protocol};
pub use options::SocketOption;
pub use options::numbers;
pub use options::shown_option;
pub use readiness::Readiness;
pub use snapshot::{SocketView, UNCONNECTED};
pub use table::DescriptorTable;
