//! The directory of one user's control sockets.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::bounds::{LOCK_AGAIN, LOCKED_WITHIN};
use crate::channel::Channel;
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
    /// Names cannot be taken: somebody keeps the lock.
    #[error("a process of yours does not let go of the directory {0}: `fuser -v {0}` tells which")]
    Locked(PathBuf),
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
        let directory = Directory { path };
        directory.make()?;
        Ok(directory)
    }

    fn make(&self) -> Result<(), DirectoryError> {
        make_private(&self.path)?;
        [Kind::Host, Kind::Net].into_iter().try_for_each(|kind| make_private(&self.folder(kind)))
    }

    /// Takes away what is empty: nothing is left behind by the last who goes. Call it with the lock held.
    pub(crate) fn tidy(&self) {
        for folder in [self.folder(Kind::Host), self.folder(Kind::Net), self.path.clone()] {
            // One that is not empty stays.
            let _ = rustix::fs::rmdir(folder);
        }
    }

    /// Takes away what killed processes without a name have left. Call it with the lock held.
    pub(crate) fn remove_dead_numbers(&self, kind: Kind) {
        let is_number = |name: &Name| name.as_str().bytes().all(|byte| byte.is_ascii_digit());
        let is_gone = |name: &Name| !Path::new("/proc").join(name.as_str()).exists();
        for name in self.list(kind).iter().filter(|name| is_number(name) && is_gone(name)) {
            // It may be alive and have no number here (another pid namespace).
            if matches!(Channel::connect(self, kind, name), Ok(None)) {
                let _ = rustix::fs::unlink(self.path(kind, name));
            }
        }
    }

    fn folder(&self, kind: Kind) -> PathBuf {
        self.path.join(kind.folder())
    }

    /// Where the socket of that name is.
    pub fn path(&self, kind: Kind, name: &Name) -> PathBuf {
        self.folder(kind).join(name.as_str())
    }

    /// The names that are there, in order. Some may be of processes that were killed: [`crate::Channel::connect`] tells.
    pub fn list(&self, kind: Kind) -> Vec<Name> {
        let Ok(entries) = std::fs::read_dir(self.folder(kind)) else { return Vec::new() };
        let name = |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        let mut names: Vec<Name> = entries.filter_map(name).collect();
        names.sort();
        names
    }

    /// Held while a name is taken or given back: a lock on the directory itself, which is there then. Waits for others who
    /// have it, within a bound.
    pub(crate) fn lock(&self) -> Result<OwnedFd, DirectoryError> {
        let failed = |error: Errno| DirectoryError::Failed(self.path.clone(), error.into());
        loop {
            self.make()?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let lock = match rustix::fs::open(&self.path, flags, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                other => other.map_err(failed)?,
            };
            if !lock_within(&lock, LOCKED_WITHIN).map_err(failed)? {
                return Err(DirectoryError::Locked(self.path.clone()));
            }
            // Whoever had it may have tidied the directory away.
            if rustix::fs::fstat(&lock).map_err(failed)?.st_nlink > 0 {
                self.make()?;
                return Ok(lock);
            }
        }
    }
}

/// Locks a directory; false when somebody else has it locked for so long. Who has it stopped, or is a program that means
/// harm, must hold up nobody's start or end for ever, and flock(2) itself knows no time.
fn lock_within(directory: &OwnedFd, longest: Duration) -> Result<bool, Errno> {
    let pause = Timespec::try_from(LOCK_AGAIN).unwrap_or_default();
    for _ in 0..longest.as_millis() / LOCK_AGAIN.as_millis() {
        match rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => drop(poll(&mut [], Some(&pause))),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
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
        Err(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {
            return Err(DirectoryError::NotOurs(path.to_owned()));
        }
        other => other.map_err(failed)?,
    };
    let stat = rustix::fs::fstat(&directory).map_err(failed)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(DirectoryError::NotOurs(path.to_owned()));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) { Err(DirectoryError::Open(path.to_owned())) } else { Ok(()) }
}
