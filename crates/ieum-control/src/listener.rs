//! A name that others can call.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::bounds::{BACKLOG, STRANGERS_PER_CALL_MAX};
use crate::channel::Channel;
use crate::directory::{Directory, DirectoryError, Kind};
use crate::name::Name;
use crate::peer;

/// A control socket under its name, which is free again once this is dropped.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    directory: Directory,
    path: PathBuf,
    /// Seccomp filters before our own calls as the name was taken; who has more is a program under `ieum run`.
    filters: u32,
    strangers: u64,
}

/// Why a name could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A living process has it.
    #[error("the name {0} is taken")]
    NameTaken(Name),
    /// The path of the directory is longer than a socket's may be (107 bytes in all).
    #[error("{0} is too long for a socket's path: set XDG_RUNTIME_DIR to a shorter one")]
    PathTooLong(PathBuf),
    /// The directory is of no use any more.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The machine refused.
    #[error("cannot make the control socket {0}: {1}")]
    Failed(PathBuf, io::Error),
}

impl Listener {
    /// Takes `name`. One that a killed process has left is taken over. To be called before this process installs a
    /// seccomp filter of its own.
    ///
    /// # Errors
    ///
    /// [`BindError`] says what a person should be told.
    pub fn bind(directory: &Directory, kind: Kind, name: &Name) -> Result<Listener, BindError> {
        let path = directory.path(kind, name);
        let failed = |error: io::Error| BindError::Failed(path.clone(), error);
        let address = SocketAddrUnix::new(&path).map_err(|_| BindError::PathTooLong(path.clone()))?;
        // Between the look and the bind nobody else may find the same dead socket.
        let lock = directory.lock()?;
        directory.remove_dead_numbers(kind);
        if Channel::connect(directory, kind, name).map_err(failed)?.is_some() {
            return Err(BindError::NameTaken(name.clone()));
        }
        match rustix::fs::unlink(&path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let fd = socket().map_err(|error| failed(error.into()))?;
        rustix::net::bind(&fd, &address)
            .and_then(|()| rustix::fs::chmod(&path, Mode::RUSR | Mode::WUSR))
            .and_then(|()| rustix::net::listen(&fd, BACKLOG))
            .map_err(|error| failed(error.into()))?;
        drop(lock);
        Ok(Listener {
            fd,
            directory: directory.clone(),
            path,
            filters: peer::filters_of("self").unwrap_or(0),
            strangers: 0,
        })
    }

    /// Who calls next, if somebody does. Never waits. Processes of other users are hung up on, and so are programs under
    /// `ieum run`.
    ///
    /// # Errors
    ///
    /// Those of accept(2): out of descriptors, as a rule. Who calls stays in the queue.
    pub fn accept(&mut self) -> io::Result<Option<Channel>> {
        for _ in 0..STRANGERS_PER_CALL_MAX {
            let fd = match rustix::net::accept_with(&self.fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(fd) => fd,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()),
            };
            let channel = Channel::from(fd);
            if channel.is_same_user() && self.is_unfiltered(&channel) {
                return Ok(Some(channel));
            }
            self.strangers += 1;
        }
        Ok(None)
    }

    fn is_unfiltered(&self, channel: &Channel) -> bool {
        channel.peer_pid().is_some_and(|pid| peer::is_outside(channel.as_fd(), pid, self.filters))
    }

    /// How many callers were hung up on.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It listens still, so nobody has replaced it.
        let _ = rustix::fs::unlink(&self.path);
        if let Ok(_lock) = self.directory.lock() {
            self.directory.tidy();
        }
    }
}

/// A control socket that is neither bound nor connected.
pub(crate) fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}
