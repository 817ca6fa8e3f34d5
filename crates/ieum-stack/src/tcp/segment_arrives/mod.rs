//! A segment arrives (RFC 9293 §3.10.7).
//!
//! [`synchronised`]: on an open connection, §3.10.7.4. [`handshaking`]: on an active open, §3.10.7.3. Nothing here
//! sends: facts change, and the outcome says what becomes of the connection.

pub(super) mod handshaking;
pub(super) mod synchronised;

use super::connection::Failure;
use crate::drops::Drop;

/// What became of a connection by a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It goes on; the segment was taken.
    Taken {
        /// The user may read, write or learn something it could not before.
        news: bool,
    },
    /// It goes on; the segment, or what was left of it after its acknowledgement was taken, was not acceptable (what
    /// is owed for that is recorded).
    Dropped {
        /// Why.
        reason: Drop,
        /// As above.
        news: bool,
    },
    /// → CLOSED by a RST.
    Failed(Failure),
    /// → CLOSED, and the peer is reset.
    Aborted(Drop),
    /// → TIME-WAIT.
    TimeWait,
    /// LAST-ACK → CLOSED.
    Closed,
}

impl Outcome {
    /// Nothing of the segment was taken.
    fn dropped(reason: Drop) -> Outcome {
        Outcome::Dropped { reason, news: false }
    }
}
