//! An ordinary user, with a home of its own: who runs the tests, or `nobody` where that is root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use super::{Folder, Running, is_root, path_of, peer, with_way};

/// The user and group `nobody`, who own nothing.
const NOBODY: u32 = 65534;

/// An ordinary user of this machine.
pub(crate) struct User {
    home: Folder,
    id: u32,
}

impl User {
    /// An ordinary user; `None` where tests run as root and cannot become one.
    pub(crate) fn new() -> Option<User> {
        User::with_id(NOBODY)
    }

    /// The user with that number, where tests run as root; else whoever runs them.
    pub(crate) fn with_id(id: u32) -> Option<User> {
        if is_root() && !peer("setpriv") {
            return None;
        }
        let user = User { home: Folder::new(), id };
        user.own(user.home.path());
        // The build may lie where other users cannot reach it.
        let ieum = user.bring(env!("CARGO_BIN_EXE_ieum"), "ieum");
        fs::set_permissions(ieum, fs::Permissions::from_mode(0o755)).expect("the command may be executed");
        Some(user)
    }

    /// Its home, where it may write.
    pub(crate) fn home(&self) -> &Folder {
        &self.home
    }

    /// A copy of `file` in its home, its own; the path.
    pub(crate) fn bring(&self, file: &str, name: &str) -> String {
        let copy = self.home.file(name);
        // Copied by another process: a descriptor open for writing here might be inherited by what another test starts at
        // this moment, and what is being written cannot be executed.
        Running::start(&["cp", file, &copy]).finish().success();
        self.own(Path::new(&copy));
        copy
    }

    /// Writes a file that is its own; the path.
    pub(crate) fn write(&self, name: &str, contents: &str) -> String {
        let path = self.home.write(name, contents);
        self.own(Path::new(&path));
        path
    }

    /// A folder of its own in its home; the path.
    pub(crate) fn folder(&self, name: &str) -> String {
        let path = self.home.file(name);
        fs::create_dir(&path).expect("a folder is made");
        self.own(Path::new(&path));
        path
    }

    fn own(&self, path: &Path) {
        if is_root() {
            chown(path, Some(self.id), Some(self.id)).expect("a file is given away");
        }
    }

    /// The words that start `program` as this user.
    pub(crate) fn words(&self, program: &[&str]) -> Vec<String> {
        let mut words = Vec::new();
        if is_root() {
            let (user, group) = (format!("--reuid={}", self.id), format!("--regid={}", self.id));
            words.extend([path_of("setpriv"), user, group, "--clear-groups".into(), "--".into()]);
        }
        words.extend(program.iter().map(|word| (*word).to_owned()));
        words
    }

    /// The words that start `ieum run FLAGS -- PROGRAM` as this user.
    pub(crate) fn ieum(&self, flags: &[&str], program: &[&str]) -> Vec<String> {
        let ieum = self.home.file("ieum");
        self.words(&[&[ieum.as_str(), "run"], with_way(flags), flags, &["--"], program].concat())
    }

    /// Starts `words` in its home.
    pub(crate) fn start(&self, words: &[String]) -> Running {
        let home = self.home.path();
        Running::start_with(words, |command| {
            command.current_dir(home).env("HOME", home).env("TMPDIR", home).env_remove("XDG_RUNTIME_DIR")
        })
    }

    /// A shell under `ieum run FLAGS`: every line that it is told runs in one host, and all of it ends when the shell
    /// has nothing more to read. Programs in the background do not read what the shell is told.
    pub(crate) fn shell(&self, flags: &[&str]) -> Running {
        self.start(&self.ieum(flags, &["sh"]))
    }
}
