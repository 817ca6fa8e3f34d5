//! What the kernel knows of a socket, where rustix has no word for it; all unsafe code of this crate is here.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Getter, Opcode, ioctl};

/// SIOCOUTQ, which is TIOCOUTQ; its number is the same on every served machine.
const UNDELIVERED: Opcode = 0x5411;

/// How many bytes written to a stream its peer has not acknowledged.
pub(crate) fn undelivered(stream: BorrowedFd<'_>) -> Result<usize, Errno> {
    // SAFETY: this request writes one int, and takes nothing else.
    let count = unsafe { ioctl(stream, Getter::<UNDELIVERED, i32>::new())? };
    Ok(usize::try_from(count).unwrap_or(0))
}
