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

/// Connections in the queue of our internal listener: ours is taken out at once, and strangers' are dropped.
pub(crate) const JOINT_BACKLOG: i32 = 128;

/// How often that queue is emptied for one socket while strangers fill it: each time costs them as many calls as us.
pub(crate) const JOIN_ATTEMPTS_MAX: usize = 64;

/// Datagrams of strangers that one call takes out of an S: more than any S holds (net.unix.max_dgram_qlen, which some systems
/// set to 512), so that what came before them is found.
pub(crate) const STRANGERS_PER_CALL_MAX: usize = 1024;

/// Connections in the queue of a listening carrier: Linux's own default for net.core.somaxconn.
pub(crate) const BACKLOG_MAX: i32 = 4096;

/// The longest option value that is read from a program: longer ones exist only for things a host does not have.
pub(crate) const OPTION_BYTES_MAX: usize = 16_384;

/// The most that is read of what a getsockopt(2) is asked with, in bytes: `struct group_filter` without its list.
pub(crate) const OPTION_GIVEN_BYTES_MAX: usize = 144;

/// The longest message of a datagram socket, in bytes: the UDP length field has 16 bits. What fits into a packet, the host knows.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Pieces of memory one message may consist of (Linux: UIO_MAXIOV).
pub(crate) const PIECES_MAX: usize = 1024;

/// Bytes of control messages that go along with one message (Linux: net.core.optmem_max).
pub(crate) const CONTROL_BYTES_MAX: usize = 131_072;

/// Messages of one sendmmsg or recvmmsg that are served before it returns.
pub(crate) const MESSAGES_MAX: u64 = 64;

/// Bytes of a stream that one call of ours moves, since they pass through our own memory: a call may always move less than
/// it was asked for.
pub(crate) const STREAM_BYTES_MAX: usize = 65_536;

/// Descriptors of ours that the program's sockets leave free: for copies that live as long as a call, for pidfds and for
/// what other rooms open.
pub(crate) const DESCRIPTORS_KEPT: u64 = 320;

/// Remotes for which a datagram socket keeps a sender, each a descriptor.
pub(crate) const SENDERS_MAX: usize = 32;

/// Datagrams of one socket of which is remembered when they came, though they were delivered later: more than lie in an
/// S (net.unix.max_dgram_qlen, which some systems set to 512). Each is 48 bytes.
pub(crate) const STAMPS_MAX: usize = 1024;

/// Threads whose pidfds are kept, each a descriptor.
pub(crate) const PIDFDS_MAX: usize = 256;

/// Sockets that are over on the wire and whose closing nobody would tell, before it is looked which of them programs still hold.
pub(crate) const OVER_MAX: usize = 1024;

/// Held calls, before it is looked which of their callers were killed: a pool of threads for each of many sockets.
pub(crate) const HELD_MAX: usize = 256;

/// A connection that did not fit into the program's accept queue is offered again after this time: the kernel does not
/// tell when that queue drains.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(2);

/// When sockets that tell nothing as they are closed are looked at: so long after one was made, and so often while some
/// serve (listen, or are bound to receive datagrams), since whoever publishes their ports goes by our word. A look is one
/// bind(2) for each of them.
pub(crate) const SWEEP_AFTER: Duration = Duration::from_secs(1);

/// How often a held connect is looked at for a caller that was interrupted.
pub(crate) const HELD_CHECK: Duration = Duration::from_millis(50);

/// How often in a row a caller is looked at that does not sleep yet: less than a millisecond for each, which the others wait for.
pub(crate) const SLEEP_LOOKS_MAX: usize = 100;

/// After this time such a caller is looked at anew: a busy machine lets it wait for a processor.
pub(crate) const AWAKE_CHECK: Duration = Duration::from_millis(1);

/// Answers kept for callers that a signal took away, and that make the call again at once.
pub(crate) const MISSED_MAX: usize = 64;

/// Between SIGTERM and SIGKILL for what the first process left behind.
pub(crate) const TERM_TO_KILL: Duration = Duration::from_secs(2);

/// How often SIGKILL is repeated to descendants that appear late.
pub(crate) const KILL_AGAIN: Duration = Duration::from_millis(100);

/// Rounds of talk within the host before sources are looked at again.
pub(crate) const ROUNDS_PER_FRAME_MAX: usize = 16;

/// Frames that came up while calls were served and wait for the engine, which asks for them at the end of its turn. More
/// are left with the host, whose own queues are bounded.
pub(crate) const FRAMES_OUTGOING_MAX: usize = 64;

/// How long the process that started a guest may take to look into its memory for us. It is a loop that is never held up
/// for long, and everybody else of the host waits meanwhile; one that was stopped on purpose is given up.
pub(crate) const ACCESS_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Bytes of a guest's memory that one message carries: as numbers in JSON, half a message.
pub(crate) const ACCESS_BYTES_MAX: usize = 8192;

/// Steps from a process to its parent that are taken to find out whether it descends from us: no tree of programs is so
/// deep, and each step is one small file, some 20 µs, while the owner of the host waits.
pub(crate) const GENERATIONS_MAX: usize = 128;

/// Processes that talk to a host at once: its guests, and those who look at its sockets. Each is two to four descriptors.
pub(crate) const TALKERS_MAX: usize = 64;

/// How long a host may take to answer another process. It is a loop that is never held up for long; one that was stopped
/// does not answer at all, and a person wants to know.
pub(crate) const HOST_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Processes that are named for one socket. A server with more workers shows the first of them.
pub(crate) const HOLDERS_MAX: usize = 16;

/// Rows of sockets in one message, so that it fits: a row with all its holders has less than 2 KiB.
pub(crate) const ROWS_PER_MESSAGE: usize = 30;

/// Messages of rows that one host is listened to for: nearly a million sockets, more than it has descriptors for.
pub(crate) const PARTS_MAX: usize = 32_768;

/// Bytes of one datagram of answers about interfaces and routes: readers have room for a page or two (netlink(7)).
pub(crate) const ROUTE_ANSWER_BYTES: usize = 4096;

/// Bytes of a request about interfaces and routes that are read; none has more than a few hundred.
pub(crate) const ROUTE_REQUEST_BYTES_MAX: usize = 8192;

/// Requests about interfaces and routes that one socket is answered in a turn.
pub(crate) const ROUTE_REQUESTS_PER_TURN_MAX: usize = 32;

/// Sockets of the namespace of each kind that are made ahead: as many as two messages carry, so that programs that open
/// one after the other find each of them made.
pub(crate) const NAMESPACE_SOCKETS_AHEAD: usize = 8;

/// How long the helper of a namespace may take for an order. It has nothing else to do; the first order, in which a kernel
/// makes a namespace, takes tens of milliseconds on a machine with many processors.
pub(crate) const HELPER_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
