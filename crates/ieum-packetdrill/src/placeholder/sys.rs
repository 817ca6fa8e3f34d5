//! Closing a number that was handed out.

use std::os::fd::{FromRawFd, OwnedFd};

/// Closes a number of [`super::new`] that nobody has closed.
pub(crate) fn close(number: i32) {
    // SAFETY: the table gives a number out of its hands once, and the descriptor was made for us alone; the user of the
    // interface says `close` at most once for each number, by the same or by close(2).
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}
