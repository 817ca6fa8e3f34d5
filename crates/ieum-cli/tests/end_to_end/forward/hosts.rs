//! Into a running host, and out of one.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::super::support::{
    Folder, Running, Runtime, fetch_and_sum, fetched_sum, free_port, nginx, path_of, payload, peer, peers,
    script, server_of,
};
use super::{
    PATIENCE, address, echo, is_reset_after, joined, listener, patient, pattern, reset, rest, say, words,
};

/// `ieum forward WORDS`, where the hosts of `runtime` are.
fn forward_in(runtime: &Runtime, given: &[&str]) -> Running {
    runtime.start(&words(given))
}

/// A host `a` with an echo server on its port 7.
fn host(runtime: &Runtime) -> Running {
    let mut host = runtime.guest(&["--name", "a"], &["echo", "7"]);
    host.line("ready");
    host
}

#[test]
fn a_port_of_the_machine_leads_into_a_host_and_a_port_of_the_host_to_the_machine() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let _host = host(&runtime);
    let (listener, target) = listener();
    echo(listener);
    let mut forward = forward_in(&runtime, &["--in", "a", "0", "7", "99@a", &target]);
    let lines = [forward.error_line("ieum: forwarding "), forward.error_line("ieum: forwarding ")];
    let into = lines.iter().find(|line| line.ends_with("→ localhost:7@a")).expect("one leads into the host");
    assert!(lines.iter().any(|line| line.contains("127.0.0.1:99@a")), "{lines:?}");
    let into: SocketAddr =
        into.split_whitespace().nth(2).and_then(|word| word.parse().ok()).expect("an address");
    let mut client = patient(TcpStream::connect(into).expect("the port listens"));
    let mut other = client.try_clone().expect("a socket is duplicated");
    say(&mut client, &mut other, "into the host and back");
    client.shutdown(Shutdown::Write).expect("one direction ends");
    assert_eq!(rest(&mut client), b"");

    let printed = runtime.guest(&["--in", "a"], &["ask", "99", "outwards"]).finish().success();
    assert!(printed.contains("outwards"), "{printed}");
    forward.signal(Signal::TERM);
    let finished = forward.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn curl_fetches_a_gigabyte_from_nginx_in_a_host() {
    if !peers(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let (runtime, folder, payload) = (Runtime::new(), Folder::new(), payload());
    let command = nginx(&folder, &format!("listen 127.0.0.1:80; root {};", payload.folder), false);
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut nginx = runtime.run(&["--name", "web"], &words);
    while !runtime.ss(&[]).contains("LISTEN") {
        nginx.look_on("it listens");
    }
    let mut forward = forward_in(&runtime, &["--in", "web", "0", "80"]);
    let url = format!("http://{}/{}", address(&mut forward), payload.name);
    assert_eq!(fetched_sum(Running::start(&fetch_and_sum(&url))), payload.sha256);
}

#[test]
fn ends_and_resets_come_through_a_host_both_ways() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let _host = host(&runtime);
    let (listener, target) = listener();
    // In at port 98, out at port 99: a connection crosses the host.
    let mut forward = forward_in(&runtime, &["98@a", &target, "0", "98@a"]);
    let address = loop {
        let line = forward.error_line("ieum: forwarding ");
        if line.ends_with("→ localhost:98@a") {
            break line.split_whitespace().nth(2).and_then(|word| word.parse().ok()).expect("an address");
        }
    };
    for client_first in [true, false] {
        let (client, server) = joined(address, &listener);
        let (mut first, mut second) = if client_first { (client, server) } else { (server, client) };
        say(&mut first, &mut second, "a last word");
        first.shutdown(Shutdown::Write).expect("one direction ends");
        assert_eq!(rest(&mut second), b"");
        say(&mut second, &mut first, "an answer to the end");
        second.shutdown(Shutdown::Write).expect("the other direction ends");
        assert_eq!(rest(&mut first), b"");

        let (client, server) = joined(address, &listener);
        let (mut resets, mut other) = if client_first { (client, server) } else { (server, client) };
        say(&mut other, &mut resets, "begin");
        let before = pattern(1, 5000);
        resets.write_all(&before).expect("bytes are taken");
        reset(resets);
        is_reset_after(&mut other, &before);
    }
}

#[test]
fn a_port_that_nobody_in_the_host_has_is_a_reset() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let _host = host(&runtime);
    let mut forward = forward_in(&runtime, &["--in", "a", "0", "8"]);
    let outcome = TcpStream::connect(address(&mut forward)).and_then(|stream| patient(stream).read(&mut [0]));
    assert_eq!(outcome.expect_err("nobody is there").kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_host_that_is_not_there_is_told_with_those_that_are() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let finished = forward_in(&runtime, &["--in", "b", "0", "80"]).finish();
    let expected = "ieum: there is no host b: give one a name with `ieum run --name`\n";
    assert_eq!((finished.code, finished.stderr.as_str()), (125, expected));
    let _host = host(&runtime);
    let finished = forward_in(&runtime, &["--in", "b", "0", "80"]).finish();
    assert_eq!((finished.code, finished.stderr.as_str()), (125, "ieum: there is no host b: there are a\n"));
}

#[test]
fn a_forward_out_of_a_host_that_is_killed_ends_and_says_so() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let host = host(&runtime);
    let mut forward = forward_in(&runtime, &["7@a", "80", "--in", "a", "0", "7"]);
    forward.error_line("ieum: port 127.0.0.1:7@a is in use");
    drop(forward);
    let mut forward = forward_in(&runtime, &["--in", "a", "0", "7"]);
    address(&mut forward);
    let server = Pid::from_raw(server_of(&host)).expect("a process number");
    kill_process(server, Signal::KILL).expect("a running process can be killed");
    forward.error_line("ieum: the host a is gone, and with it what was forwarded there (1)");
    let finished = forward.finish();
    assert_eq!(finished.code, 125, "{finished:?}");
}

#[test]
fn a_forward_does_not_keep_its_host_alive() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let host = host(&runtime);
    let mut forward = forward_in(&runtime, &["--in", "a", "0", "7"]);
    address(&mut forward);
    host.signal(Signal::TERM);
    host.finish();
    forward.error_line("ieum: the host a is gone, and with it what was forwarded there (1)");
    // The name is free again.
    let _next = self::host(&runtime);
}

#[test]
fn datagrams_go_into_a_host_and_back() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let (python, echo) = (path_of("python3"), script("echo_udp.py"));
    let mut host = runtime.run(&["--name", "a"], &[&python, &echo, "serve", "127.0.0.1", "7"]);
    host.line("ready");
    let mut forward = forward_in(&runtime, &["--in", "a", "0/udp", "7"]);
    let address = address(&mut forward);
    for number in 0..3 {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
        sender.set_read_timeout(Some(PATIENCE)).expect("a time is taken");
        for size in [1, 1200, 9000] {
            let datagram = pattern(number, size);
            sender.send_to(&datagram, address).expect("a datagram is sent");
            let mut answer = vec![0; 10_000];
            let count = sender.recv(&mut answer).expect("it comes back");
            assert!(answer[..count] == datagram);
        }
    }
}

#[test]
fn connections_of_a_host_drain_and_are_cut_as_those_of_the_machine() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let _host = host(&runtime);
    let (listener, target) = listener();
    for drains in [true, false] {
        let mut forward = forward_in(&runtime, &["98@a", &target, "0", "98@a"]);
        let address = loop {
            let line = forward.error_line("ieum: forwarding ");
            if line.ends_with("→ localhost:98@a") {
                break line.split_whitespace().nth(2).and_then(|word| word.parse().ok()).expect("an address");
            }
        };
        let (mut client, mut server) = joined(address, &listener);
        say(&mut client, &mut server, "through");
        forward.signal(Signal::TERM);
        forward.error_line("ieum: no more connections are taken; ");
        say(&mut server, &mut client, "still here");
        let (code, last) = if drains {
            drop(client);
            assert_eq!(rest(&mut server), b"");
            drop(server);
            (0, "ieum: no more connections are taken; those that are there have 30 s to end")
        } else {
            forward.signal(Signal::TERM);
            is_reset_after(&mut client, b"");
            is_reset_after(&mut server, b"");
            // One at its way in, one at its way out.
            (125, "ieum: 2 connections were cut")
        };
        let finished = forward.finish();
        assert_eq!((finished.code, finished.stderr.lines().last()), (code, Some(last)), "{finished:?}");
    }
}

/// The first child of a process.
fn child_of(process: i32) -> i32 {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.expect("a process that runs has a list of children");
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("it has a child")
}

#[test]
fn a_worker_that_cannot_end_is_killed_and_told_of() {
    if !peer("python3") {
        return;
    }
    for stops_host in [true, false] {
        let runtime = Runtime::new();
        let host = host(&runtime);
        let mut forward = forward_in(&runtime, &["--drain", "0", "--in", "a", "0", "7"]);
        let mut client = patient(TcpStream::connect(address(&mut forward)).expect("the port listens"));
        let mut other = client.try_clone().expect("a socket is duplicated");
        say(&mut client, &mut other, "through");
        // Between the forward and its worker stand the two processes of `ieum run --in`.
        let worker = Pid::from_raw(child_of(child_of(server_of(&forward)))).expect("a process number");
        let ended = pidfd_open(worker, PidfdFlags::empty()).expect("the worker runs");
        let stopped = if stops_host { Pid::from_raw(server_of(&host)) } else { Some(worker) };
        let stopped = stopped.expect("a process number");
        kill_process(stopped, Signal::STOP).expect("a running process can be stopped");
        forward.signal(Signal::TERM);
        let finished = forward.finish();
        let last =
            "ieum: the worker in the host a did not end within 5 s and was killed: is its host stopped?";
        assert_eq!((finished.code, finished.stderr.lines().last()), (125, Some(last)), "{finished:?}");
        // Waits as long as it takes the kernel: who is killed is not yet gone.
        poll(&mut [PollFd::new(&ended, PollFlags::IN)], None).expect("the worker ends");
        if stops_host {
            kill_process(stopped, Signal::CONT).expect("the host is still there");
        }
    }
}

#[test]
fn a_file_s_rules_for_a_host_come_back_with_the_host() {
    if !peer("python3") {
        return;
    }
    let (runtime, folder) = (Runtime::new(), Folder::new());
    let path = folder.write("forward.toml", "[[forward]]\nfrom = \"127.0.0.1:0\"\nto = 7\nin = \"a\"\n");
    let first = host(&runtime);
    let mut forward = forward_in(&runtime, &["--config", &path]);
    address(&mut forward);
    first.signal(Signal::TERM);
    first.finish();
    forward
        .error_line("ieum: the host a is gone, and with it what was forwarded there (1); SIGHUP tries again");
    let _second = host(&runtime);
    forward.signal(Signal::HUP);
    let mut client = patient(TcpStream::connect(address(&mut forward)).expect("the port listens"));
    let mut other = client.try_clone().expect("a socket is duplicated");
    say(&mut client, &mut other, "into the next one");
}

#[test]
fn a_file_that_names_a_stopped_host_holds_up_nobody_else() {
    if !peer("python3") {
        return;
    }
    let (runtime, folder) = (Runtime::new(), Folder::new());
    let host = host(&runtime);
    let (_listener, target) = listener();
    let path = folder.write("forward.toml", "");
    let mut forward = forward_in(&runtime, &["--config", &path, "127.0.0.1:0", &target]);
    address(&mut forward);
    let stopped = Pid::from_raw(server_of(&host)).expect("a process number");
    kill_process(stopped, Signal::STOP).expect("a running process can be stopped");
    let rules = format!(
        "[[forward]]\nfrom = \"127.0.0.1:0\"\nto = 7\nin = \"a\"\n[[forward]]\nfrom = \"127.0.0.2:0\"\nto = \"{target}\"\n"
    );
    folder.write("forward.toml", &rules);
    forward.error_line("ieum: forwarding 127.0.0.2:");
    kill_process(stopped, Signal::CONT).expect("a stopped process can go on");
    let mut client = patient(TcpStream::connect(address(&mut forward)).expect("the port listens"));
    let mut other = client.try_clone().expect("a socket is duplicated");
    say(&mut client, &mut other, "into the host");
}

#[test]
fn a_rule_that_leaves_a_host_takes_its_port_along_however_busy_its_worker_is() {
    if !peer("python3") {
        return;
    }
    let (runtime, folder) = (Runtime::new(), Folder::new());
    let _host = host(&runtime);
    let (listener, target) = listener();
    let from = format!("127.0.0.1:{}", free_port());
    let into = format!("[[forward]]\nfrom = \"{from}\"\nto = 7\nin = \"a\"\n");
    let path = folder.write("forward.toml", &into);
    let mut forward = forward_in(&runtime, &["--config", &path]);
    let address = address(&mut forward);
    // It will not get to closing the port.
    let worker = Pid::from_raw(child_of(child_of(server_of(&forward)))).expect("a process number");
    kill_process(worker, Signal::STOP).expect("a running process can be stopped");
    folder.write("forward.toml", &format!("[[forward]]\nfrom = \"{from}\"\nto = \"{target}\"\n"));
    forward.error_line(&format!("ieum: forwarding {from} → {target}"));
    let (mut client, mut server) = joined(address, &listener);
    say(&mut client, &mut server, "to the machine");

    kill_process(worker, Signal::CONT).expect("a stopped process can go on");
    folder.write("forward.toml", &into);
    forward.error_line(&format!("ieum: forwarding {from} → localhost:7@a"));
    let mut client = patient(TcpStream::connect(address).expect("the port listens"));
    let mut other = client.try_clone().expect("a socket is duplicated");
    say(&mut client, &mut other, "and back into the host");
}
