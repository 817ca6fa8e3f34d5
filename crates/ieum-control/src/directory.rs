//! The directory of one user's control sockets.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::name::Name;

/// What a control socket stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A host: programs are put on it, and its sockets shown.
    Host,
    /// A net: hosts join it.
    Net,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Host => "hosts",
            Kind::Net => "nets",
        }
    }
}

/// A directory that was found to be the user's alone.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

/// Why there is no directory for control sockets, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It belongs to somebody else, or is not a directory.
    #[error("{0} is not a directory of yours: remove it, or set XDG_RUNTIME_DIR to one that is")]
    NotOurs(PathBuf),
    /// Others may look into it.
    #[error("{0} is open to others: chmod 700 {0}")]
    Open(PathBuf),
    /// It can be neither found nor made.
    #[error("cannot use the directory {0}: {1}")]
    Failed(PathBuf, io::Error),
}

impl Directory {
    /// That of the calling user: `$XDG_RUNTIME_DIR/ieum`, or `/tmp/ieum-UID` where that variable names no directory of
    /// the user's own. It is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] says what a person should be told.
    pub fn of_user() -> Result<Directory, DirectoryError> {
        let user = rustix::process::geteuid().as_raw();
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let given = given.filter(|path| path.is_absolute() && is_owned_by(path, user));
        Directory::at(given.map_or_else(|| format!("/tmp/ieum-{user}").into(), |path| path.join("ieum")))
    }

    /// The directory at `path`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] says what a person should be told.
    pub fn at(path: PathBuf) -> Result<Directory, DirectoryError> {
        make_private(&path)?;
        for kind in [Kind::Host, Kind::Net] {
            make_private(&path.join(kind.folder()))?;
        }
        Ok(Directory { path })
    }

    /// Where the socket of that name is.
    pub fn path(&self, kind: Kind, name: &Name) -> PathBuf {
        self.path.join(kind.folder()).join(name.as_str())
    }

    /// The names that are there, in order. Some may be of processes that were killed: [`crate::Channel::connect`] tells.
    pub fn list(&self, kind: Kind) -> Vec<Name> {
        let Ok(entries) = std::fs::read_dir(self.path.join(kind.folder())) else { return Vec::new() };
        let name = |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        let mut names: Vec<Name> = entries.filter_map(name).collect();
        names.sort();
        names
    }

    /// Held while a name is taken; given back as it is dropped.
    pub(crate) fn lock(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = rustix::fs::open(self.path.join("lock"), flags, Mode::RUSR | Mode::WUSR)?;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                other => return other.map(|()| lock).map_err(io::Error::from),
            }
        }
    }
}

fn is_owned_by(path: &Path, user: u32) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| stat.st_uid == user)
}

/// Others may own what is above (/tmp), but can then neither rename nor remove what is ours there (the sticky bit).
fn make_private(path: &Path) -> Result<(), DirectoryError> {
    let failed = |error: Errno| DirectoryError::Failed(path.to_owned(), error.into());
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(failed(error)),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Err(DirectoryError::NotOurs(path.to_owned())),
        other => other.map_err(failed)?,
    };
    let stat = rustix::fs::fstat(&directory).map_err(failed)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(DirectoryError::NotOurs(path.to_owned()));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) { Err(DirectoryError::Open(path.to_owned())) } else { Ok(()) }
}
