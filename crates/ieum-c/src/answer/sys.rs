//! errno, and the door to the last error's sentence.

use std::ffi::c_char;
use std::ptr;

/// What was wrong with this thread's last call that failed, in a sentence; it stays until its next one.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_error() -> *const c_char {
    super::SENTENCE.try_with(|sentence| sentence.borrow().as_ptr()).unwrap_or(ptr::null())
}

/// Writes errno of this thread.
pub(super) fn set_errno(number: i32) {
    // SAFETY: errno of this thread is there to be written.
    unsafe { *libc::__errno_location() = number };
}
