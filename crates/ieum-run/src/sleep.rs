//! Whether a caller sleeps in its call, or a signal has woken it.
//!
//! seccomp_unotify(2) knows of no receipt. A caller that a signal wakes finds no answer and then withdraws its call; an
//! answer given between the two is taken by the kernel and told to nobody. One who sleeps would have to be woken first,
//! which takes longer than answering does. So what cannot be said twice (bytes were taken from a stream, or put into
//! one) is said to a caller that was seen asleep right before.

use std::fs::File;
use std::io::{self, Read};

/// What was seen of a caller.
#[derive(Debug)]
pub(crate) enum Caller {
    /// It sleeps, and what is said at once reaches it.
    Asleep(Look),
    /// It was interrupted or killed: nobody waits for an answer.
    Gone,
    /// It is about to sleep, or to go.
    Awake,
}

/// The file that was looked into, to be closed after the answer: closing is time in which a signal can come.
#[derive(Debug)]
pub(crate) struct Look {
    _file: Option<File>,
}

/// The thread's number and name stand before its state.
const STAT_BYTES: usize = 64;

/// The look at a thread that sleeps; nothing of one that does not. One that cannot be looked at is answered as it is: else it
/// would never be.
pub(crate) fn look_at(thread: i32) -> Option<Look> {
    // The quicker one asks for the right to trace, which a guest's threads may not give.
    let looked = look_into(thread, "syscall", is_in_a_call).or_else(|_| look_into(thread, "stat", sleeps));
    looked.unwrap_or(Some(Look { _file: None }))
}

fn look_into(thread: i32, name: &str, asleep: fn(&[u8]) -> bool) -> io::Result<Option<Look>> {
    let mut file = File::open(format!("/proc/{thread}/{name}"))?;
    let mut text = [0; STAT_BYTES];
    let count = file.read(&mut text)?;
    Ok(asleep(text.get(..count).unwrap_or_default()).then_some(Look { _file: Some(file) }))
}

/// Of /proc/TID/syscall: the kernel shows the call of a thread that is off the processor from before the look to its end.
fn is_in_a_call(text: &[u8]) -> bool {
    !text.is_empty() && !text.starts_with(b"running")
}

/// Of /proc/TID/stat (proc_pid_stat(5)): the state S, behind the name in parentheses, which may have some of its own.
fn sleeps(text: &[u8]) -> bool {
    let name_end = text.iter().rposition(|byte| *byte == b')');
    name_end.and_then(|end| text.get(end..)).is_some_and(|rest| rest.starts_with(b") S "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_call_is_asleep() {
        assert!(is_in_a_call(b"45 0x4 0x7ffd0 0x7 0x0 0x7ffd8 0x7ffe0 0x7ffc0 0x7f02c\n"));
        assert!(!is_in_a_call(b"running\n"));
        assert!(!is_in_a_call(b""));
    }

    #[test]
    fn the_state_stands_behind_a_name_that_may_look_like_one() {
        assert!(sleeps(b"71 (nginx) S 70 71 1 0 -1 4194560 12"));
        assert!(!sleeps(b"71 (nginx) R 70 71 1 0 -1 4194560 12"));
        assert!(!sleeps(b"71 (a) S ) R 70 71 1 0 -1 4194560 12"));
        assert!(!sleeps(b"71 (nginx"));
    }

    #[test]
    fn a_thread_that_waits_is_seen_asleep_and_one_that_computes_is_not() {
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
        use std::sync::{Arc, mpsc};
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let computes = Arc::new(AtomicBool::new(true));
        let thread = std::thread::spawn({
            let computes = Arc::clone(&computes);
            move || {
                tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
                while computes.load(Relaxed) {
                    std::hint::spin_loop();
                }
                let _ = ended.recv();
            }
        });
        let number = told.recv().unwrap();
        // It may be seen in the middle of telling its number, but not for long.
        while look_at(number).is_some() {
            std::thread::yield_now();
        }
        computes.store(false, Relaxed);
        while look_at(number).is_none() {
            std::thread::yield_now();
        }
        drop(end);
        thread.join().unwrap();
    }
}
