//! Programs whose file would give them another user's or group's rights (set-user-ID, set-group-ID). No process behind a
//! filter may gain rights that way (NO_NEW_PRIVS), so they run without, and mostly refuse to: the person who started one
//! is told why before it says something stranger. Others that such a program starts later say it in their own words.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ieum_engine::complain;
use rustix::fs::Mode;

/// Says so if the file that `name` stands for would give rights that its caller does not have.
pub(super) fn warn_if_withheld(name: &[u8]) {
    let Some(path) = executable(name) else { return };
    let Ok(stat) = rustix::fs::stat(&path) else { return };
    let mode = Mode::from_raw_mode(stat.st_mode);
    let other_user = mode.contains(Mode::SUID) && stat.st_uid != rustix::process::geteuid().as_raw();
    let other_group = mode.contains(Mode::SGID) && stat.st_gid != rustix::process::getegid().as_raw();
    if other_user || other_group {
        let owner = if other_user { "set-user-ID" } else { "set-group-ID" };
        complain(&format!(
            "{} is a {owner} program; under ieum run it gets no rights but yours, so it will probably refuse to work",
            path.display()
        ));
    }
}

/// The file that execvp(3) would execute.
fn executable(name: &[u8]) -> Option<PathBuf> {
    let name = OsStr::from_bytes(name);
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|place| place.join(name))
        .find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file())
}
