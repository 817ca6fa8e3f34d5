//! Several programs on one host, each started by a command of its own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::support::{
    Folder, Running, Runtime, User, compiled, descriptors_of, ieum, path_of, peer, peers, resident_kib,
    script, server_of,
};

/// Both ways to a guest's memory: by the owner itself, and through the guest's own process.
const WAYS: [&[&str]; 2] = [&["--in", "a"], &["--in", "a", "--through"]];

#[test]
fn redis_cli_reaches_the_redis_server_of_another_command_by_127_0_0_1() {
    if !peers(&["redis-server", "redis-cli"]) {
        return;
    }
    let runtime = Runtime::new();
    let mut server = runtime.run(&["--name", "a"], &["redis-server", "--save", ""]);
    server.line_with("Ready to accept connections");
    for way in WAYS {
        let cli = |words: &[&str]| runtime.run(way, &[&["redis-cli"], words].concat()).finish().success();
        assert_eq!(cli(&["set", "key", "value"]), "OK\n");
        assert_eq!(cli(&["get", "key"]), "value\n");
    }
}

#[test]
fn a_guest_has_the_host_s_way_out_and_its_published_ports() {
    if !peers(&["curl", "python3"]) {
        return;
    }
    let runtime = Runtime::new();
    let mut owner = runtime.run(&["--name", "a", "-p", "0:80"], &["cat"]);
    let published = owner.published();
    let mut guest = runtime.run(&["--in", "a"], &["python3", "-um", "http.server", "80"]);
    guest.line("Serving HTTP");
    guest.connect(published);
    // The published port is one of the machine's loopback, which is the gateway for programs on the host.
    let url = format!("http://10.77.0.1:{}/", published.port());
    for way in WAYS {
        let page = runtime.run(way, &["curl", "-sS", &url]).finish().success();
        assert!(page.contains("Directory listing"), "{page}");
    }
}

#[test]
fn a_terminal_that_stops_who_writes_from_the_background_does_not_stop_a_host() {
    if !peers(&["gcc", "python3"]) {
        return;
    }
    let (runtime, folder) = (Runtime::new(), Folder::new());
    let program = compiled("refused", &folder);
    // The host says why the program gets no listener, and is not in the foreground.
    let command = format!("stty tostop && {program} listener");
    let (python, terminal) = (path_of("python3"), script("terminal.py"));
    let run = ieum(&["--name", "a"], &["sh", "-c", &command]);
    let shown = runtime.start(&[&[python.as_str(), &terminal], &run[..]].concat()).finish().success();
    assert!(shown.contains("a seccomp listener of its own") && shown.ends_with("code 0\n"), "{shown}");
}

#[test]
fn a_guest_s_exit_code_is_the_command_s() {
    let runtime = Runtime::new();
    let mut owner = runtime.run(&["--name", "a"], &["sh", "-c", "echo ready; cat"]);
    owner.line("ready");
    for way in WAYS {
        assert_eq!(runtime.run(way, &["sh", "-c", "exit 3"]).finish().code, 3);
        assert_eq!(runtime.run(way, &["sh", "-c", "kill -9 $$"]).finish().code, 128 + 9);
        assert_eq!(runtime.run(way, &["ieum-no-such-program"]).finish().code, 127);
        assert_eq!(runtime.run(way, &["/etc/passwd"]).finish().code, 126);
    }
    owner.tell("more");
    assert_eq!(owner.finish().code, 0);
}

#[test]
fn a_signal_to_a_guest_s_command_reaches_its_program() {
    let runtime = Runtime::new();
    let mut owner = runtime.run(&["--name", "a"], &["sh", "-c", "echo ready; cat"]);
    owner.line("ready");
    let trap = "trap 'exit 7' INT TERM; echo ready; sleep 1000 >/dev/null & wait";
    for signal in [Signal::INT, Signal::TERM] {
        // Whoever has started the tests may ignore SIGINT, as shells do for what runs in the background; a shell that
        // inherits that cannot trap it.
        let words = ["env", "--default-signal=INT", "sh", "-c", trap];
        let mut guest = runtime.run(&["--in", "a"], &words);
        guest.line("ready");
        guest.signal(signal);
        assert_eq!(guest.finish().code, 7);
    }
}

#[test]
fn a_guest_that_its_terminal_has_stopped_holds_nobody_up() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut owner = runtime.guest(&["--name", "a"], &["echo", "7"]);
    owner.line("ready");
    let mut stopped = runtime.guest(&["--in", "a", "--through"], &["accept", "8"]);
    stopped.line("ready");
    let group = Pid::from_raw(i32::try_from(stopped.id()).unwrap()).unwrap();
    kill_process_group(group, Signal::STOP).unwrap();
    assert_eq!(runtime.guest(&["--in", "a"], &["ask", "7", "word"]).finish().success(), "word\n");
    assert!(runtime.ss(&["--in", "a"]).contains("127.0.0.1:8"));
    kill_process_group(group, Signal::CONT).unwrap();
    runtime.guest(&["--in", "a"], &["ask", "8", "word"]).finish();
    assert_eq!(stopped.finish().code, 9);
}

#[test]
fn a_guest_that_does_not_answer_for_its_program_is_given_up() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut owner = runtime.guest(&["--name", "a"], &["echo", "7"]);
    owner.line("ready");
    let mut silent = runtime.guest(&["--in", "a", "--through"], &["accept", "8"]);
    silent.line("ready");
    let server = Pid::from_raw(server_of(&silent)).unwrap();
    kill_process(server, Signal::STOP).unwrap();
    // Whoever looks at the sockets makes the owner ask for those of the silent guest, which a connection then needs.
    let asked = runtime.guest(&["--in", "a"], &["ask", "8", "word"]).finish();
    assert_ne!(asked.code, 0, "{asked:?}");
    assert_eq!(runtime.guest(&["--in", "a"], &["ask", "7", "word"]).finish().success(), "word\n");
    kill_process(server, Signal::CONT).unwrap();
    assert_eq!(silent.line("accept"), "accept ENOSYS");
    assert_eq!(silent.finish().code, 9);
}

#[test]
fn a_host_lives_until_its_last_program_ends() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut owner = runtime.run(&["--name", "a"], &["sh", "-c", "echo ready; read word; exit 5"]);
    owner.line("ready");
    let mut guest = runtime.guest(&["--in", "a"], &["echo", "7"]);
    guest.line("ready");
    owner.tell("go");
    assert_eq!(owner.finish().code, 5, "the command ends with its own program");
    assert_eq!(runtime.guest(&["--in", "a"], &["ask", "7", "word"]).finish().success(), "word\n");
    guest.signal(Signal::TERM);
    assert_eq!(guest.finish().code, 128 + 15);
    loop {
        // The owner hears of the end of its last guest as soon as the kernel tells it.
        let late = runtime.run(&["--in", "a"], &["true"]).finish();
        if late.stderr.contains("there is no host a") {
            break;
        }
    }
}

#[test]
fn when_the_owner_is_killed_programs_get_clean_errors_and_end_by_themselves() {
    if !peer("python3") {
        return;
    }
    for way in WAYS {
        let runtime = Runtime::new();
        let mut owner = runtime.guest(&["--name", "a"], &["listen", "7", "3"]);
        owner.line("ready");
        let mut waiting = runtime.guest(way, &["accept", "8"]);
        waiting.line("ready");
        let mut holding = runtime.guest(way, &["hold", "7", "3"]);
        holding.line("open 3");
        owner.line("accepted 3");
        owner.signal(Signal::KILL);
        assert_eq!(holding.line("socket"), "socket ENOSYS");
        let ended = holding.finish();
        assert!(ended.stdout.contains("read end") || ended.stdout.contains("read ECONNRESET"), "{ended:?}");
        assert!(ended.stderr.contains("the host a is gone"), "{ended:?}");
        assert_eq!(ended.code, 9);
        assert_eq!(waiting.line("accept"), "accept ENOSYS");
        assert_eq!(waiting.finish().code, 9);
        // The owner's own program lives on as well, without its command.
        assert_eq!(owner.line("ended"), "ended 3");
        assert!(!runtime.ss(&[]).contains("a:"), "the host is gone");
        runtime.run(&["--name", "a"], &["true"]).finish().success();
    }
}

#[test]
fn what_a_killed_guest_with_a_thousand_connections_had_is_given_back() {
    if !peer("python3") {
        return;
    }
    for way in WAYS {
        let runtime = Runtime::new();
        let mut owner = runtime.run(&["--name", "a"], &["sh", "-c", "echo ready; cat"]);
        owner.line("ready");
        let server = server_of(&owner);
        // Twice: memory that is kept for the next time is there when it is measured.
        for round in 0..2 {
            let before = (descriptors_of(server), resident_kib(server));
            let mut listening = runtime.guest(way, &["listen", "7", "1000"]);
            listening.line("ready");
            let mut holding = runtime.guest(way, &["hold", "7", "1000"]);
            holding.line("open 1000");
            listening.line("accepted 1000");
            holding.signal(Signal::KILL);
            assert_eq!(listening.line("ended"), "ended 1000");
            listening.signal(Signal::KILL);
            assert_eq!(listening.finish().code, 128 + 9);
            while runtime
                .ss(&["--in", "a"])
                .lines()
                .any(|line| !line.contains("TIME-WAIT") && line.contains(":7"))
            {
                owner.look_on("the sockets of a killed guest are gone");
            }
            // The first time a few are opened that stay open: with what is asked after whether names are still borne.
            let spare = if round == 0 { 4 } else { 0 };
            while descriptors_of(server).unwrap_or(0) > before.0.unwrap_or(0) + spare {
                owner.look_on("the descriptors of a killed guest are closed");
            }
            let grown_kib = resident_kib(server).saturating_sub(before.1);
            assert!(round == 0 || grown_kib < 4096, "{grown_kib} KiB more than before");
        }
    }
}

#[test]
fn an_ordinary_user_shares_a_host_and_others_do_not_see_it() {
    if !peer("python3") {
        return;
    }
    let Some(user) = User::new() else { return };
    let guest = user.bring(&script("guest.py"), "guest.py");
    let python = path_of("python3");
    let place = user.home().file("run");
    user.start(&user.words(&["mkdir", &place])).finish().success();
    let start =
        |words: Vec<String>| Running::start_with(&words, |command| command.env("XDG_RUNTIME_DIR", &place));
    let mut owner = start(user.ieum(&["--name", "a"], &[&python, &guest, "echo", "7"]));
    owner.line("ready");
    for way in WAYS {
        let asked = start(user.ieum(way, &[&python, &guest, "ask", "7", "word"]));
        assert_eq!(asked.finish().success(), "word\n");
    }
    if super::support::is_root() {
        let words = ieum(&["--in", "a"], &["true"]);
        let stranger = start(words.into_iter().map(str::to_owned).collect()).finish();
        assert_eq!(stranger.code, 125);
        assert!(stranger.stderr.contains("there is no host a"), "{}", stranger.stderr);
    }
}

#[test]
fn without_xdg_runtime_dir_hosts_are_found_below_tmp_where_only_their_user_may_enter() {
    let name = format!("test-{}", std::process::id());
    let user = rustix::process::geteuid().as_raw();
    let socket = PathBuf::from(format!("/tmp/ieum-{user}/hosts/{name}"));
    let start = |flags: &[&str], program: &[&str]| {
        Running::start_with(&ieum(flags, program), |command| command.env_remove("XDG_RUNTIME_DIR"))
    };
    let mut owner = start(&["--name", &name], &["sh", "-c", "echo ready; cat"]);
    owner.line("ready");
    let modes = socket.ancestors().take(3).map(|path| {
        let metadata = fs::metadata(path).expect("the host's socket is there");
        (metadata.uid(), metadata.mode() & 0o777)
    });
    assert_eq!(modes.collect::<Vec<_>>(), [(user, 0o600), (user, 0o700), (user, 0o700)]);
    assert_eq!(start(&["--in", &name], &["sh", "-c", "exit 3"]).finish().code, 3);
}

#[test]
fn a_host_that_is_not_there_is_told_with_those_that_are() {
    let runtime = Runtime::new();
    let mut owner = runtime.run(&["--name", "a"], &["sh", "-c", "echo ready; cat"]);
    owner.line("ready");
    let wrong = runtime.run(&["--in", "b"], &["true"]).finish();
    assert_eq!((wrong.code, wrong.stderr.as_str()), (125, "ieum: there is no host b: there are a\n"));
    let taken = runtime.run(&["--name", "a"], &["true"]).finish();
    assert_eq!(taken.code, 125);
    assert!(taken.stderr.contains("--in a"), "{}", taken.stderr);
    let publishing = runtime.run(&["--in", "a", "-p", "80:80"], &["true"]).finish();
    assert_eq!(publishing.code, 125);
    assert!(publishing.stderr.contains("cannot be used with '--publish"), "{}", publishing.stderr);
    for bad in ["12", "a b", "../a"] {
        assert_eq!(runtime.run(&["--name", bad], &["true"]).finish().code, 125);
    }
}
