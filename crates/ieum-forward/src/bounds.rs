//! Every bound of this room, with its unit and its reason. What falls over one is counted (`counts`), or an error.

use std::time::Duration;

/// Forwarded ports at a time, in rules: each has a listening socket or two, and a table that a person can read has fewer.
pub const RULES_MAX: usize = 1024;

/// Rules that are no more and whose counts are kept, the latest: as many as there can be at a time.
pub(crate) const PAST_RULES_MAX: usize = RULES_MAX;

/// A file of rules, in bytes: [`RULES_MAX`] rules with long names fit several times.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Links on the way to a file of rules: as many as the kernel follows (path_resolution(7)).
pub(crate) const LINKS_MAX: usize = 40;

/// How long connections are given to end when none are taken any more, unless somebody says: what service managers and
/// container engines wait at least before they kill has room for a long answer.
pub const DRAIN_DEFAULT: Duration = Duration::from_secs(30);

/// The longest that can be asked for, in seconds: a day.
pub const DRAIN_SECONDS_MAX: u64 = 86_400;

/// How long workers are given to tell their last counts and end, once they were told to cut or were hung up on; then they
/// are killed. One that lives takes milliseconds. One that is stopped, or whose host is, which then answers none of its calls,
/// would take until somebody lets it go on.
pub(crate) const CUT_WITHIN: Duration = Duration::from_secs(5);

/// Connections at a time, in flows. Each has two descriptors, and up to four more while bytes wait in it; most machines
/// allow a process fewer, and beyond either bound connections wait in the kernel's queue.
pub(crate) const FLOWS_MAX: usize = 16_384;

/// Connections that may wait in the kernel for a port, in entries; the kernel lowers it to its net.core.somaxconn.
pub(crate) const BACKLOG: i32 = 4096;

/// Connections taken from one port in one turn.
pub(crate) const ACCEPTS_PER_TURN_MAX: usize = 64;

/// When a port that could not take a connection for want of descriptors or flows tries again.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Bytes of one flow in one direction in one turn: enough to make a system call worth its price, little enough that a
/// hundred busy flows all move within milliseconds.
pub(crate) const PUMP_BYTES_PER_TURN_MAX: usize = 1 << 20;

/// Bytes that are read at once into memory: a small message costs one call to read and one to write it. Who fills this
/// has more, and is spliced from then on.
pub(crate) const COPY_BYTES: usize = 16 << 10;

/// Bytes that a direction's pipe holds, which are all that one direction buffers beside the two sockets: as much as a
/// socket delivers at once over loopback. A user without privileges has room for 64 such pipes before the kernel gives
/// smaller ones, with which bytes pass more slowly.
pub(crate) const PIPE_BYTES: usize = 256 << 10;

/// Pipes that are kept for the next who needs one, in pairs of descriptors.
pub(crate) const SPARE_PIPES_MAX: usize = 64;

/// How long a connection whose other half was reset is given to deliver what had come before, until it is reset too: what
/// has not been taken and acknowledged by then meets a peer that is slow to read, or gone.
pub(crate) const RESET_WITHIN: Duration = Duration::from_secs(5);

/// How soon such a connection is looked at again: nobody tells when everything is acknowledged.
pub(crate) const RESET_CHECK: Duration = Duration::from_millis(10);

/// Names looked up at a time, in threads: a resolver that does not answer holds up a few, for the five or ten seconds
/// after which it is given up, and who comes then waits.
pub(crate) const LOOKUPS_MAX: usize = 32;

/// Addresses of one name that are tried, one after the other.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// Associations of datagrams at a time, one for each sender of each port; the one idle for longest goes when there are
/// more.
pub(crate) const ASSOCIATIONS_MAX: usize = 4096;

/// How long an association lives unused. RFC 4787 §4.3 (REQ-5): never less than two minutes.
pub(crate) const ASSOCIATION_IDLE: Duration = Duration::from_secs(120);

/// Datagrams of one sender that wait while the name of where they go is looked up.
pub(crate) const WAITING_DATAGRAMS_MAX: usize = 16;

/// Datagrams taken from one socket in one turn.
pub(crate) const DATAGRAMS_PER_TURN_MAX: usize = 64;

/// The largest datagram, in bytes of payload with room to spare (RFC 768 over IPv4 allows 65,507).
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;
