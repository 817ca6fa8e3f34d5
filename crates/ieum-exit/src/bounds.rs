//! Every bound of the exit, with its unit and reason. What falls over one is counted (`counts`).

use std::time::Duration;

/// Connections at a time, in flows. Each holds a descriptor, and most machines allow a process far fewer; beyond it
/// requests are refused, and published ports wait.
pub(crate) const STREAM_FLOWS_MAX: usize = 16_384;

/// Bytes of one flow in one direction in one turn: enough to make a system call worth its price, little enough
/// (some 60 µs of copying) that a hundred busy flows all move within milliseconds.
pub(crate) const PUMP_BYTES_PER_TURN_MAX: usize = 256 * 1024;

/// Connections taken from one published port in one turn.
pub(crate) const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Connections that may wait in the kernel for a published port, in entries; the kernel lowers it to its
/// net.core.somaxconn.
pub(crate) const PUBLISHED_BACKLOG: i32 = 4096;

/// How often unfinished handshakes are looked at: nobody tells when the inside gave one up, and it holds a descriptor.
pub(crate) const HANDSHAKE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Handshakes at a time, in flows whose request may vanish: twice as many as the stack holds requests, so that looking
/// whose request is gone, which is done when there are so many, finds at least every other one gone.
pub(crate) const HANDSHAKES_MAX: usize = 8192;

/// When a published port that could not take a connection for want of descriptors or flows tries again.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Datagram flows at a time; the one idle for longest goes when there are more. A resolver that takes a new port for
/// each question makes 8 a second before an answered flow ends early.
pub(crate) const DATAGRAM_FLOWS_MAX: usize = 1024;

/// How long a datagram flow lives unused. RFC 4787 §4.3 (REQ-5): never less than two minutes.
pub(crate) const DATAGRAM_IDLE: Duration = Duration::from_secs(120);

/// Datagrams taken from one source in one turn.
pub(crate) const DATAGRAMS_PER_TURN_MAX: usize = 64;

/// Errors taken from the queue of one flow when one of them was told: far more than come between two looks at it, few enough
/// that nobody can keep the exit busy with them. What is left goes with the next one.
pub(crate) const ERRORS_PER_TURN_MAX: usize = 64;

/// The largest datagram, in bytes of payload with room to spare (RFC 768 over IPv4 allows 65,507).
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Addresses of one family that a name means at most: so many, with the longest name, fit into the 512 bytes that an
/// answer may have whoever asks (RFC 1035 §4.2.1), so that none is ever cut.
pub const NAME_ADDRESSES_MAX: usize = 8;

/// Names that other rooms have told at most: each of a net's hosts has one, and nets are smaller by far.
pub(crate) const NAMES_TOLD_MAX: usize = 4096;

/// How long an answer of ours may be remembered, in seconds: hosts come and go.
pub(crate) const NAME_TTL_SECONDS: u32 = 5;

/// Questions of one asker that are remembered until others have answered them: glibc asks for both families at once, and
/// few ask more from one port.
pub(crate) const QUESTIONS_WAITING_MAX: usize = 16;

/// The largest question that is remembered, in bytes: the longest name with all that EDNS adds to it.
pub(crate) const QUESTION_BYTES_MAX: usize = 1232;

/// Askers over TCP at a time, in connections: RFC 7766 §6.2.2 wants no more than one from each program.
pub(crate) const CONVERSATIONS_MAX: usize = 1024;

/// How long an asker over TCP may be silent. RFC 7766 §6.2.3: seconds, unless there is room to spare, which there is.
pub(crate) const CONVERSATION_IDLE: Duration = Duration::from_secs(120);

/// Bytes that one asker over TCP may have waiting in either direction, before it is read on: two messages of any length.
pub(crate) const CONVERSATION_BYTES_MAX: usize = 2 * 65_537;
