//! What the network's own thread has to do: nothing, as long as callers' threads can do it.
//!
//! There is one test here, since it finds that thread by its name: a test beside it would have networks of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::thread;

use ieum::{Host, Network};

/// Messages there and back, of a byte each.
const ROUNDS: u32 = 1000;

/// How often the thread may sleep meanwhile. Timers wake it: one of 40 ms for a delayed acknowledgement is running nearly
/// all the time. Rounds would have to take 8 seconds until those are as many; if each byte woke it, it would sleep in
/// most rounds.
const SLEEPS_MAX: u64 = 200;

/// The status of this process's thread with that name (proc_pid_task(5)), as soon as it has given itself the name.
fn thread_named(name: &str) -> PathBuf {
    loop {
        let mut tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        let is_it = |task: &PathBuf| fs::read_to_string(task.join("comm")).unwrap().trim() == name;
        match tasks.find(is_it) {
            Some(task) => return task.join("status"),
            None => thread::yield_now(),
        }
    }
}

/// How often a thread has gone to sleep.
fn sleeps(status: &PathBuf) -> u64 {
    let text = fs::read_to_string(status).unwrap();
    let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[test]
fn a_send_does_not_wake_another_thread() {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address: &str| -> Host { network.host().address(&link, address).build().unwrap() };
    let (one, other) = (host("10.1.0.1/24"), host("10.1.0.2/24"));
    let listener = other.listen("10.1.0.2:80").unwrap();
    let mut stream = one.connect("10.1.0.2:80").unwrap();
    let (mut accepted, _) = listener.accept().unwrap();

    let status = thread_named("ieum");
    let before = sleeps(&status);
    for round in 0..ROUNDS {
        let sent = [round.to_le_bytes()[0]];
        let mut received = [0];
        stream.write_all(&sent).unwrap();
        accepted.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
        accepted.write_all(&received).unwrap();
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
    }
    let slept = sleeps(&status) - before;
    assert!(slept < SLEEPS_MAX, "it has slept {slept} times in {ROUNDS} rounds");
}
