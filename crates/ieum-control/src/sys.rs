//! What the kernel knows of a peer, where rustix has no word that holds for every one; all unsafe code of this crate is here.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

/// Who is at the other end of an AF_UNIX socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its process as numbered here; 0 for one of another pid namespace (rustix's word has no 0).
    pub(crate) pid: i32,
    /// Its effective user.
    pub(crate) user: u32,
}

/// Who connected, or who listened, as the kernel knows it.
pub(crate) fn peer(fd: BorrowedFd<'_>) -> rustix::io::Result<Peer> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    // SAFETY: the option is a ucred, for which every bit pattern is good.
    unsafe { option(fd, libc::SO_PEERCRED, &mut credentials)? };
    Ok(Peer { pid: credentials.pid, user: credentials.uid })
}

/// The process itself that connected, whatever becomes of its number. ENOPROTOOPT before Linux 6.5.
pub(crate) fn peer_process(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let mut number: RawFd = -1;
    // SAFETY: the option is an int.
    unsafe { option(fd, libc::SO_PEERPIDFD, &mut number)? };
    if number < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the kernel has just made the descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Reads an option of a socket.
///
/// # Safety
///
/// The kernel writes `T`'s size at most, and whatever it writes must be a `T`.
unsafe fn option<T>(fd: BorrowedFd<'_>, name: libc::c_int, value: &mut T) -> rustix::io::Result<()> {
    let mut len = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: `value` lives through the call, and `len` says its size; the caller vouches for what is written.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_mut(value).cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let number = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(number.unwrap_or(libc::EIO)))
}
