//! The system call for which rustix has no word that holds for every peer; all unsafe code of this crate is here.

use std::os::fd::{AsRawFd, BorrowedFd};

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
    let mut len = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the option is a ucred, which lives through the call and whose size `len` says.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    };
    if result < 0 {
        let number = std::io::Error::last_os_error().raw_os_error();
        return Err(Errno::from_raw_os_error(number.unwrap_or(libc::EIO)));
    }
    Ok(Peer { pid: credentials.pid, user: credentials.uid })
}
