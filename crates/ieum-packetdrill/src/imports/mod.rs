//! What the tool asks the kernel past its interface.
//!
//! For code in `%{ }%` packetdrill asks for the state of the socket under test (TCP_INFO) by getsockopt(2) itself, with a
//! shared object as without one, and it sends files by sendfile(2) itself; and the kernel knows nothing of our sockets.
//! A shared object that was loaded later cannot stand in front of the C library. But the program reaches the C library
//! through a table of addresses of its own, and there these two can be made to lead here: for our numbers they are
//! answered as the interface answers, for all others the kernel is asked. The same is done for nothing else.
//!
//! Should the table not be found, the kernel says of such a number that it is not open for this, and the script fails.

mod sys;

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};

use ieum_socket::Errno;
use rustix::fs::{SeekFrom, seek};
use rustix::io::pread;

use crate::shared::Shared;

/// Whoever answers for our numbers at the moment: the last one that was made and not freed.
static ANSWERS: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// From now on `shared` answers for the numbers that it gives out.
pub(crate) fn redirect_to(shared: Arc<Shared>) {
    *lock() = Some(shared);
    sys::redirect();
}

/// Nobody answers any more.
pub(crate) fn forget() {
    *lock() = None;
}

/// Who answers for a number.
fn answers_for(number: i32) -> Option<Arc<Shared>> {
    let shared = lock().clone()?;
    shared.has(number).then_some(shared)
}

/// Sends `count` bytes of a file, from `offset` on or from where it stands, which moves as far as bytes were sent.
fn send_file(
    shared: &Shared,
    number: i32,
    file: BorrowedFd<'_>,
    offset: Option<&mut u64>,
    count: usize,
) -> Result<usize, Errno> {
    let kernel = |errno: rustix::io::Errno| Errno(errno.raw_os_error());
    let mut stands = 0;
    let moves = offset.is_none();
    let from = match offset {
        Some(offset) => offset,
        None => {
            stands = seek(file, SeekFrom::Current(0)).map_err(kernel)?;
            &mut stands
        }
    };
    let mut bytes = vec![0; count.min(FILE_BYTES_MAX)];
    let there = pread(file, &mut bytes, *from).map_err(kernel)?;
    let sent = shared.write(number, Ok(&bytes[..there]), 0, None)?;
    *from += u64::try_from(sent).unwrap_or(0);
    if moves {
        seek(file, SeekFrom::Start(stands)).map_err(kernel)?;
    }
    Ok(sent)
}

/// Bytes of a file that are sent at once, at most: a call may send less than it was asked for.
const FILE_BYTES_MAX: usize = 16 << 20;

fn lock() -> std::sync::MutexGuard<'static, Option<Arc<Shared>>> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}
