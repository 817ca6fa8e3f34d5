//! Descriptors of this process that stand for sockets of the host.
//!
//! The tool closes with close(2) what a script has left open, and could not close a number that the kernel does not know.
//! So each socket takes the number of a real descriptor: one of the root directory opened for its place alone (O_PATH),
//! on which every other call of the kernel fails with EBADF. What goes past the interface is then refused, and not done
//! to the wrong thing.
//!
//! The numbers belong to whoever was given them; [`crate::door`] closes those that are closed through the interface.

mod sys;

use ieum_socket::Errno;
use rustix::fs::{Mode, OFlags, open};
pub(crate) use sys::close;

/// A new number.
pub(crate) fn new() -> Result<i32, Errno> {
    let opened = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let descriptor = opened.map_err(|errno| Errno(errno.raw_os_error()))?;
    Ok(std::os::fd::IntoRawFd::into_raw_fd(descriptor))
}
