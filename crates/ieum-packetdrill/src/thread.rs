//! What /proc tells of a thread of this process: is it asleep, and in what?
//!
//! The tool sees by the same file whether a call blocks. Here it tells when a thread that was woken has come to rest
//! again, and whether the tool waits without letting time pass.

use std::fs;

/// A thread, by its number in this process.
pub(crate) type Thread = rustix::thread::Pid;

/// The calling thread.
pub(crate) fn current() -> Thread {
    rustix::thread::gettid()
}

/// Does it sleep, or is it gone?
pub(crate) fn rests(thread: Thread) -> bool {
    let Ok(stat) = fs::read_to_string(path(thread, "stat")) else { return true };
    // The name of the program, in parentheses, may have spaces.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('S' | 'X' | 'Z') | None)
}

/// Does it sleep in a futex, as who waits for another thread does?
pub(crate) fn waits_for_a_thread(thread: Thread) -> bool {
    let call = fs::read_to_string(path(thread, "syscall")).unwrap_or_default();
    let number = call.split_whitespace().next().and_then(|number| number.parse().ok());
    rests(thread) && number == Some(libc::SYS_futex)
}

fn path(thread: Thread, file: &str) -> String {
    format!("/proc/self/task/{}/{file}", thread.as_raw_nonzero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_another_is_seen_to() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (done, end) = std::sync::mpsc::channel::<()>();
        let waiter = std::thread::spawn(move || {
            sender.send(current()).unwrap();
            end.recv().unwrap_err();
        });
        let thread = receiver.recv().unwrap();
        assert!(!rests(current()));
        while !waits_for_a_thread(thread) {
            std::thread::yield_now();
        }
        drop(done);
        waiter.join().unwrap();
        // Who is gone rests; who has been joined may still be about to go.
        while !rests(thread) {
            std::thread::yield_now();
        }
    }
}
