//! What a run tells of its ports to those who publish them.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers as well")]

mod common;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::Stdio;

use common::alone;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Set for the program that is run.
const IS_PROGRAM: &str = "IEUM_TEST_IS_PROGRAM";

/// As a program, opens and closes what `serve` makes and then, without another call on a socket, waits for the end of
/// its standard input. Its runner must tell of both meanwhile, in the order of `lines`.
fn is_told<S>(test: &str, serve: impl FnOnce() -> S, lines: [&str; 2]) {
    if std::env::var_os(IS_PROGRAM).is_some() {
        drop(serve());
        let (input, limit) = (std::io::stdin(), Timespec { tv_sec: 20, tv_nsec: 0 });
        let ended = poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&limit));
        assert_eq!(ended, Ok(1), "nobody was told that the port is closed");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut running = alone();
    running.arg(program).args(["--exact", test]).env(IS_PROGRAM, "1").env("ALONE_TELLS", "1");
    let mut running =
        running.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let told = BufReader::new(running.stderr.take().unwrap());
    let told: Vec<String> = told.lines().map(Result::unwrap).take(2).collect();
    assert_eq!(told, lines);
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success(), "it was told only when the program was over");
}

#[test]
fn a_listener_that_was_closed_is_told_though_no_call_follows() {
    is_told(
        "a_listener_that_was_closed_is_told_though_no_call_follows",
        || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 80)).unwrap();
            outlive_the_first_sweep();
            listener
        },
        ["serves tcp 127.0.0.1:80", "ceases tcp 127.0.0.1:80"],
    );
}

#[test]
fn a_datagram_port_that_was_closed_is_told_though_no_call_follows() {
    is_told(
        "a_datagram_port_that_was_closed_is_told_though_no_call_follows",
        || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
            outlive_the_first_sweep();
            socket
        },
        ["serves udp 127.0.0.1:53", "ceases udp 127.0.0.1:53"],
    );
}

/// A look for closed sockets follows each `socket` within a second: the port must be closed after it.
fn outlive_the_first_sweep() {
    let nothing = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap();
    let limit = Timespec { tv_sec: 1, tv_nsec: 200_000_000 };
    assert_eq!(poll(&mut [PollFd::new(&nothing, PollFlags::IN)], Some(&limit)), Ok(0));
}
