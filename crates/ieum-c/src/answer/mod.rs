//! Answers as C has them: a number, or -1 and errno; and the last error in a sentence.

pub mod sys;

use std::cell::RefCell;
use std::ffi::CString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// What was wrong with this thread's last call that failed.
    static SENTENCE: RefCell<CString> = RefCell::default();
}

/// What a call answers; -1 and errno when it fails. A panic is an assertion of ours that does not hold: the call says
/// ENOTRECOVERABLE.
pub(crate) fn answer<N: TryFrom<i64> + From<i8>>(call: impl FnOnce() -> io::Result<i64>) -> N {
    let answer = catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::ENOTRECOVERABLE)))
        .and_then(|number| N::try_from(number).map_err(|_| error(libc::EOVERFLOW)));
    answer.unwrap_or_else(|error| {
        let named =
            [(io::ErrorKind::InvalidInput, libc::EINVAL), (io::ErrorKind::PermissionDenied, libc::EPERM)];
        let said =
            named.iter().find(|(kind, _)| *kind == error.kind()).map_or(libc::EIO, |(_, number)| *number);
        let number = error.raw_os_error().unwrap_or(said);
        // It has no NUL in it, and a thread that ends asks no more.
        let sentence = CString::new(error.to_string()).unwrap_or_default();
        let _gone = SENTENCE.try_with(|place| place.replace(sentence));
        sys::set_errno(number);
        N::from(-1)
    })
}

/// The same for calls that answer nothing.
pub(crate) fn nothing(call: impl FnOnce() -> io::Result<()>) -> i32 {
    answer(|| call().map(|()| 0))
}

/// The same for calls that answer a number of bytes.
pub(crate) fn count(call: impl FnOnce() -> io::Result<usize>) -> isize {
    answer(|| call().and_then(|count| i64::try_from(count).map_err(|_| error(libc::EOVERFLOW))))
}

/// An error by its number.
pub(crate) fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
