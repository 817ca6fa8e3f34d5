//! Every bound of this room, with its unit and its reason.

use std::time::Duration;

/// The longest message, in bytes: a kernel's default for net.core.wmem_max takes three of them at once, and what is
/// longer is told in parts.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Descriptors that come with one message. Who sends more gets an error, who receives more refuses them all.
pub const DESCRIPTORS_MAX: usize = 4;

/// A name, in bytes: a label of the domain name system (RFC 1035 §2.3.4), and short enough for a socket's path.
pub(crate) const NAME_BYTES_MAX: usize = 63;

/// Connections that wait to be accepted. Each is a process that somebody has just started.
pub(crate) const BACKLOG: i32 = 128;

/// Connections of strangers that one call of accept closes before it returns, so that they cannot keep it busy.
pub(crate) const STRANGERS_PER_CALL_MAX: usize = 16;

/// How long a name waits for others to take or give back theirs. Each holds the directory for less than a millisecond; a
/// hundred that start at once are through in a tenth of this.
pub(crate) const LOCKED_WITHIN: Duration = Duration::from_secs(2);

/// How soon the lock is tried again.
pub(crate) const LOCK_AGAIN: Duration = Duration::from_millis(1);
