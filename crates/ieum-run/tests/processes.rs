//! How a program starts, what its signals are and how it ends.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers as well")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::alone;

fn code_of(command: &mut Command) -> Option<i32> {
    command.output().unwrap().status.code()
}

fn errors_of(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

#[test]
fn the_exit_code_of_the_program_is_told() {
    assert_eq!(code_of(alone().arg("true")), Some(0));
    assert_eq!(code_of(alone().args(["sh", "-c", "exit 3"])), Some(3));
}

#[test]
fn a_program_ended_by_a_signal_is_told_as_a_shell_tells_it() {
    assert_eq!(code_of(alone().args(["sh", "-c", "kill -9 $$"])), Some(128 + 9));
}

#[test]
fn a_program_that_is_not_there_is_not_found() {
    assert_eq!(code_of(alone().arg("ieum-no-such-program")), Some(127));
    assert!(errors_of(alone().arg("/no/such/program")).contains("/no/such/program: not found"));
}

#[test]
fn a_file_that_is_no_program_cannot_be_executed() {
    assert_eq!(code_of(alone().arg("/etc/passwd")), Some(126));
    assert!(errors_of(alone().arg("/etc/passwd")).contains("/etc/passwd: cannot execute"));
}

#[test]
fn a_program_inside_a_program_is_refused_with_a_clear_line() {
    let mut inner = alone();
    inner.arg("true");
    let mut outer = alone();
    let outer = outer.arg(inner.get_program()).args(inner.get_args());
    assert!(errors_of(outer).contains("the kernel allows one seccomp listener"));
    assert_eq!(code_of(outer), Some(125));
}

#[test]
fn the_program_inherits_its_environment_and_standard_streams() {
    let mut command = alone();
    let output =
        command.args(["sh", "-c", "cat; echo $WORD"]).env("WORD", "seen").stdin(Stdio::null()).output();
    assert_eq!(output.unwrap().stdout, b"seen\n");
}

#[test]
fn what_the_first_process_leaves_behind_is_ended() {
    let output = alone().args(["sh", "-c", "sleep 1000 >/dev/null & echo $!"]).output().unwrap();
    let left: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{left}")).exists(), "{left} is still there");
}

#[test]
fn what_does_not_mind_a_termination_is_killed() {
    // The first process ends when the stubborn one has said its number.
    let stubborn = "trap '' TERM; echo $$; exec >/dev/null; while :; do sleep 1000; done";
    let mut child = alone()
        .args(["sh", "-c", "echo $(sh -c \"$0\" &)", stubborn])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(
        !std::path::Path::new(&format!("/proc/{}", line.trim())).exists(),
        "{} is still there",
        line.trim()
    );
}

#[test]
fn a_signal_to_ieum_reaches_the_program() {
    let mut child = alone()
        .args(["sh", "-c", "trap 'exit 7' TERM; echo ready; sleep 1000 >/dev/null & wait"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}
