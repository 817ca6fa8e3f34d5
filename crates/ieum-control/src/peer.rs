//! Whether a process that calls stands behind more seccomp filters than we did when we took our name.
//!
//! A program under `ieum run` has its user's id, and would be let in for that: it could have itself put on a host with an
//! exit, though its own was given none. It has one filter more than the shell that ieum was started from, and can never
//! shed it; a shell in a container has as many as ieum, which was started there too.

/// The number of seccomp filters in front of the system calls of a process (`self` for our own), as far as the kernel
/// tells.
pub(crate) fn filters_of(process: &str) -> Option<u32> {
    filters_in(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn filters_in(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_filters_is_read_from_a_process_s_status() {
        assert_eq!(filters_in("Name:\tsh\nSeccomp:\t2\nSeccomp_filters:\t3\nCpus_allowed:\tff\n"), Some(3));
        assert_eq!(filters_in("Name:\tSeccomp_filters\nSeccomp:\t2\n"), None);
        assert!(filters_of("self").is_some());
        assert_eq!(filters_of("0"), None);
    }
}
