//! Every bound of this room, with its unit and its reason.

use std::time::Duration;

/// Notified calls answered in one turn, so that packets get theirs. A call takes 3 to 9 µs.
pub(crate) const CALLS_PER_TURN_MAX: usize = 64;

/// Bytes moved for one connection and direction in one turn, so that a bulk transfer does not starve the others.
pub(crate) const PUMP_BYTES_PER_TURN_MAX: usize = 1 << 20;

/// Datagrams moved for one socket and direction in one turn.
pub(crate) const DATAGRAMS_PER_TURN_MAX: usize = 64;

/// What the kernel is asked to queue between a program and ieum, for each direction of a connection. Without a
/// privilege the kernel grants no more than net.core.wmem_max.
pub(crate) const CARRIER_BYTES: usize = 1 << 20;

/// What a connecting socket's queue is filled with, so that it is not writable: more than the smallest send buffer.
pub(crate) const FILL_BYTES: usize = 4096;

/// Connections in the queue of a listening carrier: Linux's own default for net.core.somaxconn.
pub(crate) const BACKLOG_MAX: i32 = 4096;

/// The longest option value that is read from a program: longer ones exist only for things a host does not have.
pub(crate) const OPTION_BYTES_MAX: usize = 4096;

/// The longest payload of a UDP datagram over IPv4.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Pieces of memory one message may consist of (Linux: UIO_MAXIOV).
pub(crate) const PIECES_MAX: usize = 1024;

/// Messages of one sendmmsg or recvmmsg that are served before it returns.
pub(crate) const MESSAGES_MAX: usize = 64;

/// Remotes for which a datagram socket keeps a sender, each a descriptor.
pub(crate) const SENDERS_MAX: usize = 32;

/// Threads whose pidfds are kept, each a descriptor.
pub(crate) const PIDFDS_MAX: usize = 256;

/// Sockets that are over on the wire but may still be held by the program, and whose closing nobody would tell.
pub(crate) const OVER_MAX: usize = 1024;

/// A connection that did not fit into the program's accept queue is offered again after this time: the kernel does not
/// tell when that queue drains.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(2);

/// When sockets that tell nothing as they are closed are looked at: so long after one was made, and so often while some
/// serve (listen, or are bound to receive datagrams), since whoever publishes their ports goes by our word. A look is one
/// bind(2) for each of them.
pub(crate) const SWEEP_AFTER: Duration = Duration::from_secs(1);

/// How often a held connect is looked at for a caller that was interrupted.
pub(crate) const HELD_CHECK: Duration = Duration::from_millis(50);

/// Between SIGTERM and SIGKILL for what the first process left behind.
pub(crate) const TERM_TO_KILL: Duration = Duration::from_secs(2);

/// How often SIGKILL is repeated to descendants that appear late.
pub(crate) const KILL_AGAIN: Duration = Duration::from_millis(100);

/// Rounds of talk within the host before sources are looked at again.
pub(crate) const ROUNDS_PER_FRAME_MAX: usize = 16;
