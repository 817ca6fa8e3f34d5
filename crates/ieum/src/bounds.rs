//! Every bound of this room: its unit and the reason for its value.

use std::time::Duration;

/// Connections that wait to be accepted: what `std::net` asks for on Linux.
pub(crate) const BACKLOG: i32 = 128;

/// Turns of hosts that one call may cause before the rest is left to the network's thread: a call is to return although two hosts
/// always have something to say to each other. A turn moves all that a host may send, 64 KiB to a few MiB.
pub(crate) const TURNS_PER_CALL_MAX: usize = 1024;

/// Rounds in one turn in which the sockets of one host talk to each other, which no packet on a link tells of.
pub(crate) const LOOPBACK_ROUNDS_MAX: usize = 64;

/// Rooms of a network that wait for descriptors of the machine: an event of the poller has 8 bits for their number.
pub(crate) const SOURCES_MAX: usize = 255;

/// How long a network that nobody holds any more goes on delivering what closed connections left. Linux gives a closed socket
/// about as long (tcp_fin_timeout).
pub(crate) const LINGER: Duration = Duration::from_secs(60);

/// Flows to any address that wait to be given out before those that have given up are sorted out: twice as many as a stack holds
/// open halfway (4096), so that at least every other one is.
pub(crate) const FLOWS_WAITING_MAX: usize = 8192;

/// Packets that wait in an outlet for its user: a window of 1 MiB, as a buffer may grow to, in packets of 1500 bytes, and
/// some. What comes then is lost, as in any queue.
pub(crate) const OUTLET_PACKETS_MAX: usize = 1024;

/// The largest MTU of a link: the length of a packet has 16 bits (RFC 791 §3.1).
pub(crate) const MTU_BYTES_MAX: u32 = 65_535;

/// The smallest MTU of a link that leads out: IPv6 needs it (RFC 8200 §5).
pub(crate) const MTU_BYTES_MIN: u32 = 1280;
