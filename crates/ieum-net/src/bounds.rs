//! Every bound of this room: its unit and the reason for its value.

use std::time::Duration;

/// Frames taken from one member in one turn, so that a bulk transfer does not starve the others: of super-segments,
/// 4 MiB.
pub(crate) const FRAMES_PER_TURN_MAX: usize = 64;

/// Frames that wait for room in one member's socket, in frames: a burst of small ones, such as the SYNs of some thousand
/// connections. What comes beyond is dropped and counted, as on a switch whose port is busy.
pub(crate) const FRAMES_WAITING_MAX: usize = 4096;

/// The same in bytes: four connections' whole receive windows under way at once.
pub(crate) const BYTES_WAITING_MAX: usize = 4 << 20;

/// A waiting frame below this size, in bytes, is copied into memory of its own size: a packet's buffer has room for
/// 64 KiB, and thousands of waiting acknowledgements should not hold that much each.
pub(crate) const COPIED_BELOW_BYTES: usize = 16 << 10;

/// What the kernel is asked to queue in each direction of a member's frame socket, in bytes: one connection's window.
/// Without a privilege the kernel grants no more than net.core.wmem_max, six super-segments as a rule.
pub(crate) const FRAME_SOCKET_BYTES: usize = 1 << 20;

/// The last number a host of a net may have: 10.77.0.254 is the last address of a network of 8 bits.
pub(crate) const NUMBER_MAX: u8 = 254;

/// Connections to the control socket that have not yet said what they want.
pub(crate) const GUESTS_MAX: usize = 64;

/// How often a net is tried to be entered: each try again means that somebody else was quicker, to come or to end.
pub(crate) const ENTER_TRIES_MAX: usize = 100;

/// How long the owner of a net may take to answer. It is a loop that is never held up for long; who is stopped by a
/// debugger or a signal does not answer at all, and a person wants to know.
pub(crate) const OWNER_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// When callers are accepted again after the process ran out of descriptors: nobody tells when there are some again.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
