//! Signals that wait for a caller.
//!
//! The kernel wakes a caller for a signal before that caller finds out that its call is over; an answer given between
//! the two is taken and told to nobody. With a call whose answer cannot be given again, that moment is passed over.

/// Is a signal waiting for the thread, which it does not block? Where the thread cannot be looked at: no.
pub(crate) fn are_pending(thread: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{thread}/status")).is_ok_and(|status| are_told(&status))
}

/// The same, of the text of /proc/PID/status (proc(5)): signals of the thread or of its process, less those blocked.
fn are_told(status: &str) -> bool {
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    };
    (mask("SigPnd:") | mask("ShdPnd:")) & !mask("SigBlk:") != 0
}

#[cfg(test)]
mod tests {
    use super::are_told;

    #[test]
    fn what_is_blocked_does_not_wake_anybody() {
        let status = |own: &str, shared: &str, blocked: &str| {
            format!("Name:\tx\nSigPnd:\t{own}\nShdPnd:\t{shared}\nSigBlk:\t{blocked}\nSigIgn:\t00000000\n")
        };
        assert!(!are_told(&status("0000000000000000", "0000000000000000", "0000000000000000")));
        assert!(are_told(&status("0000000000002000", "0000000000000000", "0000000000000000")));
        assert!(are_told(&status("0000000000000000", "0000000000002000", "0000000000000400")));
        assert!(!are_told(&status("0000000000000000", "0000000000002000", "0000000000002000")));
        assert!(!are_told(""));
    }
}
