//! How `ieum run` ends, what it says when it fails itself, and what it leaves behind: nothing.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, test_kill_process};

use super::support::{Finished, Folder, Running, ieum, path_of, peer, script};

fn run(flags: &[&str], program: &[&str]) -> Finished {
    Running::start(&ieum(flags, program)).finish()
}

/// Failures of ieum's own are one line that says whose they are.
fn assert_one_clear_line(finished: &Finished, about: &str) {
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let clear = lines.len() == 1 && lines[0].starts_with("ieum: ") && lines[0].contains(about);
    assert!(clear, "not one line about {about}: {finished:?}");
}

#[test]
fn the_program_s_exit_code_is_ieum_s() {
    for code in [0, 1, 7, 255] {
        let finished = run(&[], &["sh", "-c", &format!("exit {code}")]);
        assert_eq!((finished.code, finished.stderr.as_str()), (code, ""));
    }
}

#[test]
fn a_program_ended_by_a_signal_gives_128_and_the_signal() {
    assert_eq!(run(&[], &["sh", "-c", "kill -KILL $$"]).code, 128 + 9);
    assert_eq!(run(&[], &["sh", "-c", "kill -TERM $$"]).code, 128 + 15);
}

#[test]
fn input_output_arguments_and_environment_are_the_program_s() {
    let words = ieum(&[], &["sh", "-c", "read line; echo \"$line $1 $WORD\"; echo err >&2", "sh", "a b"]);
    let mut running = Running::start_with(&words, |command| command.env("WORD", "c d"));
    running.tell("x y");
    let finished = running.finish();
    assert_eq!(
        (finished.code, finished.stdout.as_str(), finished.stderr.as_str()),
        (0, "x y a b c d\n", "err\n")
    );
}

#[test]
fn a_standard_error_that_takes_nothing_ends_nothing() {
    for (flags, program, code) in [
        (&["-v", "-p", "0:80"][..], &["sh", "-c", "exit 5"][..], 5),
        (&[], &["no-such-program-anywhere"], 127),
        (&["--in", "nobody"], &["true"], 125),
    ] {
        let full = ["sh", "-c", "exec \"$0\" \"$@\" 2>/dev/full"];
        let finished = Running::start(&[&full, &ieum(flags, program)[..]].concat()).finish();
        assert_eq!((finished.code, finished.stderr.as_str()), (code, ""), "{flags:?} {program:?}");
    }
}

#[test]
fn a_program_that_is_not_there_gives_127() {
    for name in ["no-such-program-anywhere", "/nonexistent/program"] {
        let finished = run(&[], &[name]);
        assert_eq!(finished.code, 127, "{finished:?}");
        assert_one_clear_line(&finished, name);
    }
}

#[test]
fn a_program_that_cannot_be_executed_gives_126() {
    let folder = Folder::new();
    let file = folder.write("not-executable", "#!/bin/sh\n");
    for program in [file, folder.file("")] {
        let finished = run(&[], &[&program]);
        assert_eq!(finished.code, 126, "{finished:?}");
        assert_one_clear_line(&finished, &program);
    }
}

#[test]
fn a_failure_of_ieum_s_own_gives_125_before_the_program_starts() {
    let folder = Folder::new();
    let (capture, mark) = (folder.file("missing/capture.pcapng"), folder.file("started"));
    let finished = run(&["--capture", &capture], &["touch", &mark]);
    assert_eq!(finished.code, 125, "{finished:?}");
    assert_one_clear_line(&finished, &capture);
    assert!(!Path::new(&mark).exists(), "the program has started");
}

#[test]
fn wrong_usage_gives_125() {
    for flags in [["-p", "nonsense"], ["-p", "1:2:3:4"], ["--address", "10.77.0.2"], ["--no-such-flag", "x"]]
    {
        let finished = run(&flags, &["true"]);
        assert_eq!(finished.code, 125, "{flags:?}: {finished:?}");
        assert!(finished.stderr.contains(flags[1]) || finished.stderr.contains(flags[0]), "{finished:?}");
    }
}

#[test]
fn sigterm_reaches_the_program_which_may_end_in_order() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("signals.py"));
    let mut running = Running::start(&ieum(&[], &[&python, &program, "obedient"]));
    running.line("ready");
    running.signal(Signal::TERM);
    let finished = running.finish();
    assert_eq!(finished.code, 5, "{finished:?}");
    assert!(finished.stdout.contains("obedient got SIGTERM"), "{finished:?}");
}

#[test]
fn sigpipe_means_to_the_program_what_it_meant_to_ieum() {
    // Of SigIgn, the bit of signal 13.
    let ignored = |trap: &str| {
        let words = ieum(&[], &["grep", "SigIgn", "/proc/self/status"]);
        let shell = ["sh", "-ec", trap, "sh"];
        let printed = Running::start(&[&shell[..], &words].concat()).finish().success();
        let mask = printed.split_whitespace().last().and_then(|mask| u64::from_str_radix(mask, 16).ok());
        mask.expect("a mask is printed") & 1 << 12 != 0
    };
    assert!(!ignored(r#"exec "$@""#));
    assert!(ignored(r#"trap '' PIPE; exec "$@""#), "its starter had it ignored");
}

#[test]
fn descendants_get_sigterm_and_after_two_seconds_sigkill() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("signals.py"));
    let begun = Instant::now();
    let mut running = Running::start(&ieum(&[], &[&python, &program, "parent"]));
    let line = running.line("ready");
    let stubborn = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).and_then(Pid::from_raw);
    running.line("stubborn got SIGTERM");
    let finished = running.finish();
    assert_eq!(finished.code, 3, "{finished:?}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    let gone = test_kill_process(stubborn.expect("the child said its id"));
    assert_eq!(gone, Err(rustix::io::Errno::SRCH), "the stubborn child is still there");
}

#[test]
fn nothing_is_left_behind() {
    let folder = Folder::new();
    let mark = format!("IEUM_TEST_MARK={}", folder.path().display());
    let program = "sleep 1000 & (sleep 1001 & exec sleep 1002) & exit 4";
    let words = ieum(&["-p", "0:80"], &["sh", "-c", program]);
    let running = Running::start_with(&words, |command| {
        command
            .env("IEUM_TEST_MARK", folder.path())
            .envs(["TMPDIR", "HOME", "XDG_RUNTIME_DIR"].map(|name| (name, folder.path())))
            .current_dir(folder.path())
    });
    assert_eq!(running.finish().code, 4);

    let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder is there").flatten().collect();
    assert!(left.is_empty(), "files are left: {left:?}");
    for entry in fs::read_dir("/proc").expect("/proc is there").flatten() {
        let process: Option<i32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let opened = process.and_then(Pid::from_raw).map(|process| pidfd_open(process, PidfdFlags::empty()));
        let Some(Ok(process)) = opened else { continue };
        // Processes of others, and those that ended meanwhile, cannot be read.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            // The helper of a namespace takes it down, and is gone in a moment.
            let mut ends = [PollFd::new(&process, PollFlags::IN)];
            let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
            let ended = poll(&mut ends, Some(&patience)).expect("a process can be waited for");
            assert_eq!(ended, 1, "a process is left: {:?}", fs::read_to_string(entry.path().join("cmdline")));
        }
    }
}

#[test]
fn what_a_program_wrote_before_it_ended_is_still_delivered() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("write_and_go.py"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = listener.local_addr().expect("a bound socket has a name").port().to_string();
    let mut running = Running::start(&ieum(&[], &[&python, &program, "10.77.0.1", &port, "full"]));
    let (mut connection, _) = listener.accept().expect("the program connects");
    // Nothing is read before the program has written all it could and is gone.
    let line = running.line("sent ");
    let sent: u64 =
        line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number follows");
    let mut received = Vec::new();
    connection.read_to_end(&mut received).expect("the connection ends in order");
    assert_eq!(u64::try_from(received.len()), Ok(sent));
    assert_eq!(running.finish().code, 0);
}
