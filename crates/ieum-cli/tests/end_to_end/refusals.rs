//! What is refused under ieum, each with the errno a program knows how to take and one line a person can read.

use super::support::{Folder, Running, User, compiled, ieum, path_of, peer, peers, script};

/// The lines of ieum among those of the program.
fn said(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.starts_with("ieum: ")).collect()
}

#[test]
fn rings_are_answered_as_by_a_kernel_that_has_none() {
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let program = compiled("refused", &folder);
    let finished = Running::start(&ieum(&[], &[&program, "rings"])).finish();
    assert_eq!(finished.stderr, "");
    let expected = "io_uring_setup: ENOSYS\nio_uring_enter: ENOSYS\nio_uring_register: ENOSYS\n";
    assert_eq!(finished.success(), expected);
}

#[test]
fn a_program_with_a_listener_of_its_own_is_told_once_why_it_gets_none() {
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let program = compiled("refused", &folder);
    let finished = Running::start(&ieum(&[], &[&program, "listener"])).finish();
    let said = said(&finished.stderr);
    assert!(said.len() == 1 && said[0].contains("a seccomp listener of its own"), "{finished:?}");
    assert_eq!(finished.success(), "listener: EBUSY\nlistener: EBUSY\nlistener: EBUSY\nfilter: done\n");
}

#[test]
fn a_program_that_cannot_enter_its_landlock_domain_runs_and_that_is_said() {
    if !peer("python3") {
        return;
    }
    let (python, domains) = (path_of("python3"), script("domains.py"));
    let run = ieum(&[], &["echo", "done"]);
    let finished = Running::start(&[&[python.as_str(), &domains], &run[..]].concat()).finish();
    let said = said(&finished.stderr);
    assert!(said.len() == 1 && said[0].contains("refuses the program's Landlock domain"), "{finished:?}");
    assert_eq!(finished.success(), "done\n");
}

#[test]
fn ieum_inside_ieum_is_one_clear_line_and_125() {
    let inner = ieum(&[], &["true"]);
    let finished = Running::start(&ieum(&[], &inner)).finish();
    let said = said(&finished.stderr);
    assert!(said.len() == 1 && said[0].contains("ieum inside ieum"), "{finished:?}");
    assert_eq!(finished.code, 125);
}

#[test]
fn a_set_user_id_program_is_said_to_get_no_rights() {
    if !peers(&["su", "setpriv"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let su = path_of("su");
    let finished = Running::start(&user.ieum(&[], &[su.as_str(), "-c", "true"])).finish();
    let said = said(&finished.stderr);
    assert!(said.len() == 1 && said[0].contains("is a set-user-ID program"), "{finished:?}");
    assert_ne!(finished.code, 0);
}

#[test]
fn a_call_whose_descriptor_becomes_another_socket_is_not_about_that_one() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("closed_beside.py"));
    let printed = Running::start(&ieum(&[], &[&python, &program])).finish().success();
    assert_eq!(printed, "ended ['EBADF']\nsecond ENOTCONN\n");
}
