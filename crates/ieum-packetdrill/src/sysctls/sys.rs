//! Entering a namespace of its own.

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Puts the calling thread into a network namespace that is new; whether that was permitted.
pub(crate) fn enter_new_network() -> bool {
    // SAFETY: of what can be unshared only descriptors and memory matter to Rust, which stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.is_ok()
}
