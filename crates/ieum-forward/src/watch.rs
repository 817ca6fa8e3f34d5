//! How it is noticed that a file has changed, however a path leads to it.
//!
//! A path leads through folders and links to a file, and each of them can be another one at the next moment: an editor
//! writes a file or gives another one its name, Kubernetes lets a link (`..data`) lead to another folder. So every folder
//! on the way is watched for the one name in it that the way goes through, and the file for what is written to it by any
//! of its names. A folder is watched before it is looked into: what changes after the look is told. After each change the
//! way is walked again, before anybody reads the file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::bounds::LINKS_MAX;

/// The kernel's number of a watch.
type Number = i32;

/// What is told of a folder: a file was written and closed, or a name leads elsewhere.
const OF_FOLDER: WatchFlags =
    WatchFlags::CLOSE_WRITE.union(WatchFlags::MOVED_TO).union(WatchFlags::CREATE).union(WatchFlags::ONLYDIR);

/// A path whose file is watched.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    events: OwnedFd,
    way: Way,
}

/// The way that a path went when it was last walked.
#[derive(Debug, Default)]
struct Way {
    folders: BTreeMap<Number, Folder>,
    file: Option<Number>,
}

/// A folder on the way.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// What in it is on the way: several names if the way comes by more than once.
    names: BTreeSet<OsString>,
}

impl Way {
    fn numbers(&self) -> BTreeSet<Number> {
        self.folders.keys().copied().chain(self.file).collect()
    }
}

impl Watch {
    /// Watches the file at `path` from now on; it need not be there yet.
    ///
    /// # Errors
    ///
    /// The folder of the file or of a link on the way may not be read, there are too many links, or the user has too
    /// many watches.
    pub(crate) fn new(path: &Path) -> io::Result<Watch> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let way = walk(&events, path)?;
        Ok(Watch { path: path.to_owned(), events, way })
    }

    /// Readable when something in a folder on the way has changed.
    pub(crate) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Whether the file is, or may be, another one than when this was asked before.
    ///
    /// # Errors
    ///
    /// As [`Watch::new`]: what happens behind the folder that could not be watched will not be noticed.
    pub(crate) fn has_changed(&mut self) -> io::Result<bool> {
        let (mut is_touched, mut is_changed) = (false, false);
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(self.events.as_fd(), &mut space);
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            // Too many changes for the kernel to tell: it may have been among them.
            let is_of_file =
                self.way.file == Some(event.wd()) && event.events().contains(ReadFlags::CLOSE_WRITE);
            if is_of_file || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                (is_touched, is_changed) = (true, true);
            } else if let Some((folder, name)) = self.way.folders.get(&event.wd()).zip(name)
                && folder.names.contains(name)
            {
                is_touched = true;
                is_changed |=
                    !event.events().contains(ReadFlags::CREATE) || is_whole(&folder.path.join(name));
            }
        }
        if is_touched {
            let fresh = walk(&self.events, &self.path)?;
            for number in self.way.numbers().difference(&fresh.numbers()) {
                // That of a folder which is no more has gone by itself.
                let _ = inotify::remove_watch(&self.events, *number);
            }
            self.way = fresh;
        }
        Ok(is_changed)
    }
}

/// Whether what has just been given a name is all there: a file that is only being made will be closed, and that is told.
fn is_whole(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() || found.nlink() > 1)
}

/// Goes the way of a path as path_resolution(7) does, watching what it comes by. It ends where something is not there.
fn walk(events: &OwnedFd, path: &Path) -> io::Result<Way> {
    let (mut way, mut folder, mut links) = (Way::default(), PathBuf::from("."), 0);
    let mut rest = parts(path);
    while let Some(part) = rest.pop() {
        let here = folder.join(&part);
        if part == "/" || part == "." || part == ".." {
            folder = here;
            continue;
        }
        let watched = inotify::add_watch(events, &folder, OF_FOLDER);
        if let Ok(number) = watched {
            let fresh = || Folder { path: folder.clone(), names: BTreeSet::new() };
            way.folders.entry(number).or_insert_with(fresh).names.insert(part);
        }
        match fs::read_link(&here) {
            Ok(target) => {
                watched?;
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                rest.extend(parts(&target));
            }
            // It is no link. What may be passed but not read is passed without a watch.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && !rest.is_empty() => folder = here,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                watched?;
                // Whoever reads it is told why that cannot be.
                way.file = inotify::add_watch(events, &here, WatchFlags::CLOSE_WRITE).ok();
            }
            Err(_) => break,
        }
    }
    Ok(way)
}

/// The parts of a path, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components().rev().map(Component::as_os_str).map(OsStr::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder, the path of a file in it, and nothing else.
    fn empty() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forward.toml");
        (folder, path)
    }

    fn changes(watch: &mut Watch) -> [bool; 2] {
        [watch.has_changed().unwrap(), watch.has_changed().unwrap()]
    }

    #[test]
    fn a_change_is_seen_however_it_is_made() {
        let (folder, path) = empty();
        let other = folder.path().join("other");
        let mut watch = Watch::new(&path).unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        let file = fs::File::create(&path).unwrap();
        assert_eq!(changes(&mut watch), [false, false], "it is being written");
        drop(file);
        assert_eq!(changes(&mut watch), [true, false]);
        fs::write(&path, "text").unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::write(&other, "other").unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        fs::rename(&other, &path).unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::hard_link(&path, &other).unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        fs::write(&other, "by its other name").unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::remove_file(&path).unwrap();
        fs::hard_link(&other, &path).unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
    }

    #[test]
    fn a_link_on_the_way_that_leads_elsewhere_is_a_change() {
        let (folder, path) = empty();
        let [one, two, data, fresh] = ["v1", "v2", "..data", "..fresh"].map(|name| folder.path().join(name));
        for version in [&one, &two] {
            fs::create_dir(version).unwrap();
            fs::write(version.join("forward.toml"), "text").unwrap();
        }
        symlink("v1", &data).unwrap();
        symlink("..data/forward.toml", &path).unwrap();
        let mut watch = Watch::new(&path).unwrap();
        fs::write(two.join("forward.toml"), "not yet on the way").unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        symlink("v2", &fresh).unwrap();
        fs::rename(&fresh, &data).unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::write(one.join("forward.toml"), "no more on the way").unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        fs::write(two.join("forward.toml"), "on the way").unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::remove_file(&data).unwrap();
        symlink(&one, &data).unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
    }

    #[test]
    fn folders_that_come_and_go_are_followed() {
        let (folder, path) = empty();
        let [far, old, new] = ["far", "old", "new"].map(|name| folder.path().join(name));
        symlink("far/../far/forward.toml", &path).unwrap();
        let mut watch = Watch::new(&path).unwrap();
        fs::create_dir(&new).unwrap();
        fs::write(new.join("forward.toml"), "text").unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        fs::rename(&new, &far).unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::write(far.join("forward.toml"), "other text").unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
        fs::rename(&far, &old).unwrap();
        assert_eq!(changes(&mut watch), [false, false]);
        fs::create_dir(&far).unwrap();
        watch.has_changed().unwrap();
        fs::write(far.join("forward.toml"), "again").unwrap();
        assert_eq!(changes(&mut watch), [true, false]);
    }

    #[test]
    fn links_that_lead_to_themselves_are_an_error() {
        let (_folder, path) = empty();
        symlink("forward.toml", &path).unwrap();
        let error = Watch::new(&path).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::LOOP));
    }
}
