//! The environment that the tool's commands inherit, and the end of the tool.

use std::ffi::OsString;
use std::path::Path;
use std::{env, iter};

/// Puts a directory in front of the PATH of this process, and tells its `nstat` where to look.
pub(super) fn put_in_front(directory: &Path) {
    let before = env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/sbin:/usr/bin:/sbin:/bin"));
    let Ok(path) = env::join_paths(iter::once(directory.to_owned()).chain(env::split_paths(&before))) else {
        return;
    };
    // SAFETY: this runs while the tool loads the object; its only other thread sleeps until the tool wants it, so that
    // nobody else looks at the environment.
    unsafe {
        env::set_var("PATH", path);
        env::set_var("IEUM_DRILL_RECORD", "/dev/null");
        env::set_var("IEUM_DRILL_COUNTERS", directory.join(super::COUNTERS));
    }
}

/// Has a function called when the process ends.
pub(super) fn at_exit(function: extern "C" fn()) {
    // SAFETY: packetdrill keeps the object loaded to the end (RTLD_NODELETE), and the function with it. Should there be
    // no room for one more function, it is not called.
    unsafe { libc::atexit(function) };
}
