//! Has a command of the script run?
//!
//! The tool runs commands by the shell and waits for them, and tells nobody here. But the kernel counts what children
//! of this process have done that were waited for, faults of pages among them, and none does without one.

use std::fs;

/// The count as it was when somebody asked last; at first nobody has.
#[derive(Default)]
pub(crate) struct Commands {
    faults: Option<u64>,
}

impl Commands {
    /// Has a command ended since this was asked last? The first time the answer is yes.
    pub(crate) fn have_run(&mut self) -> bool {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let faults = faults_of_children(&stat);
        let before = std::mem::replace(&mut self.faults, faults);
        before.is_none() || before != faults
    }
}

/// The field `cminflt` of a line as in proc_pid_stat(5).
fn faults_of_children(stat: &str) -> Option<u64> {
    // The name of the program, in parentheses, may have spaces; behind it this is the ninth field.
    stat.rsplit_once(')')?.1.split_whitespace().nth(8)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_noticed() {
        let mut commands = Commands::default();
        assert!(commands.have_run(), "what was before nobody knows");
        assert!(std::process::Command::new("true").status().unwrap().success());
        assert!(commands.have_run());
    }

    #[test]
    fn the_count_is_found_behind_a_name_with_spaces() {
        assert_eq!(faults_of_children("7 (a b) c) S 1 2 3 4 5 6 7 8888 9 10"), Some(8888));
        assert_eq!(faults_of_children(""), None);
    }
}
