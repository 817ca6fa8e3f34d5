//! The shared object, loaded and called as the tool does: by the C library's loader and through the table of functions.
#![allow(clippy::unwrap_used, reason = "in tests, what must not fail may panic")]

mod segment;
mod sys;

use std::sync::{Mutex, mpsc};
use std::thread;

use segment::{ACK, SYN, Segment};
use sys::Tool;

/// Where the host is, and who it speaks with.
const HOST: [u8; 4] = [192, 168, 7, 7];
const PEER: [u8; 4] = [192, 0, 2, 1];

#[test]
fn a_connection_is_accepted_and_bytes_are_read() {
    let tool = Tool::load("");
    let listener = tool.listening(HOST, 8080);
    tool.inject(&Segment::to_host(SYN, 1000, 0).bytes());
    let (answer, _) = tool.receive().unwrap();
    let answer = Segment::parse(&answer);
    assert_eq!((answer.flags, answer.ack), (SYN | ACK, 1001));
    tool.inject(&Segment::to_host(ACK, 1001, answer.seq + 1).bytes());
    let (accepted, peer) = tool.accept(listener);
    assert_eq!(peer, PEER, "the peer's address comes out");
    tool.inject(&Segment::to_host(ACK, 1001, answer.seq + 1).with(b"hello").bytes());
    assert_eq!(tool.read(accepted, 100), b"hello");
    assert_eq!(tool.write(accepted, b"world!"), 6);
    let mut sent = std::iter::from_fn(|| tool.receive()).map(|(packet, _)| Segment::parse(&packet).payload);
    assert!(sent.any(|payload| payload == b"world!"));
    assert_eq!([tool.close(accepted), tool.close(listener)], [0, 0]);
    assert_eq!(tool.close(listener), -1, "a number is closed once");
}

#[test]
fn a_call_that_blocks_sleeps_until_there_is_an_answer() {
    let tool = Tool::load("");
    let listener = tool.listening(HOST, 8080);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let accepting = scope.spawn(|| {
            sender.send(rustix::thread::gettid()).unwrap();
            let (accepted, _) = tool.accept(listener);
            (accepted, tool.now_us())
        });
        wait_until_asleep(receiver.recv().unwrap());
        tool.inject(&Segment::to_host(SYN, 1000, 0).bytes());
        let (answer, _) = tool.receive().unwrap();
        tool.usleep(50_000);
        assert!(!accepting.is_finished(), "nothing to accept yet");
        let before_us = tool.now_us();
        tool.inject(&Segment::to_host(ACK, 1001, Segment::parse(&answer).seq + 1).bytes());
        let (accepted, at_us) = accepting.join().unwrap();
        assert!(accepted >= 0);
        assert!(
            at_us - before_us < 100,
            "time stood still while the call returned: {} us",
            at_us - before_us
        );
    });
}

#[test]
fn a_read_that_gives_up_does_so_while_the_tool_waits_for_it() {
    let tool = Tool::load("");
    let socket = tool.socket(libc::SOCK_DGRAM);
    // Nobody lets time pass but the call itself: this thread waits for the other.
    tool.set_recv_time_out_ms(socket, 300);
    let began_us = tool.now_us();
    let (error, ended_us) =
        thread::scope(|scope| scope.spawn(|| (tool.read_error(socket), tool.now_us())).join().unwrap());
    assert_eq!(error, libc::EAGAIN);
    assert!((300_000..301_000).contains(&(ended_us - began_us)), "{} us", ended_us - began_us);
}

#[test]
fn an_hour_takes_as_long_as_what_happens_in_it() {
    let tool = Tool::load("");
    let began_us = tool.now_us();
    tool.usleep(3_600_000_000);
    assert!((3_600_000_000..3_600_000_010).contains(&(tool.now_us() - began_us)));
}

#[test]
fn a_syn_is_sent_again_ever_later_and_then_nothing_comes() {
    let tool = Tool::load("local=10.0.0.1,mtu=1400");
    let socket = tool.socket(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
    tool.connect_in_progress(socket, PEER, 80);
    let (first, sent_us) = tool.receive().unwrap();
    assert_eq!((Segment::parse(&first).flags, &first[12..16]), (SYN, &[10, 0, 0, 1][..]));
    let mut gaps = Vec::new();
    let mut last_us = sent_us;
    while let Some((_, at_us)) = tool.receive() {
        gaps.push((at_us - last_us) / 1_000_000);
        last_us = at_us;
    }
    assert!(gaps.is_sorted() && gaps.first() == Some(&1), "{gaps:?}");
}

#[test]
fn numbers_are_real_and_the_c_library_answers_for_them() {
    let tool = Tool::load("");
    let socket = tool.socket(libc::SOCK_STREAM);
    assert!(sys::is_open(socket), "who closes what is left open must be able to");
    let info = sys::tcp_info_of_c_library(socket).unwrap();
    assert_eq!(info[0], 7, "TCP_CLOSE");
    assert_eq!(tool.close(socket), 0);
    assert!(!sys::is_open(socket));
    assert_eq!(sys::tcp_info_of_c_library(socket), Err(libc::EBADF), "other numbers are the kernel's affair");
}

#[test]
fn a_tool_that_closes_by_itself_may_be_given_the_number_again() {
    let tool = Tool::load("");
    let socket = tool.socket(libc::SOCK_STREAM);
    sys::close(socket);
    let again = tool.socket(libc::SOCK_DGRAM);
    assert_eq!(tool.read_error(again), libc::EDEADLK, "a call that can never end says so");
}

#[test]
fn who_was_held_up_by_the_tool_goes_on_before_time_does() {
    let tool = Tool::load("");
    let socket = tool.socket(libc::SOCK_DGRAM);
    tool.set_recv_time_out_ms(socket, 300);
    let (sender, receiver) = mpsc::channel();
    // The tool has a lock of its own, which it holds while it gives packets and takes them.
    let tools_own = Mutex::new(());
    let (began_us, ended_us) = thread::scope(|scope| {
        let began_us = tool.now_us();
        let reading = scope.spawn(|| {
            sender.send(rustix::thread::gettid()).unwrap();
            tool.read_error(socket);
            let _guard = tools_own.lock().unwrap();
            tool.now_us()
        });
        wait_until_asleep(receiver.recv().unwrap());
        let guard = tools_own.lock().unwrap();
        tool.usleep(400_000);
        drop(guard);
        tool.usleep(400_000);
        (began_us, reading.join().unwrap())
    });
    assert!(ended_us - began_us < 500_000, "{} us", ended_us - began_us);
}

#[test]
fn a_file_is_sent_by_the_c_library() {
    let tool = Tool::load("");
    let listener = tool.listening(HOST, 8080);
    tool.inject(&Segment::to_host(SYN, 1000, 0).bytes());
    let answer = Segment::parse(&tool.receive().unwrap().0);
    tool.inject(&Segment::to_host(ACK, 1001, answer.seq + 1).bytes());
    let (accepted, _) = tool.accept(listener);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "0123456789").unwrap();
    assert_eq!(sys::sendfile_of_c_library(accepted, file.as_file(), 2, 5), (5, 7));
    let mut sent = std::iter::from_fn(|| tool.receive()).map(|(packet, _)| Segment::parse(&packet).payload);
    assert!(sent.any(|payload| payload == b"23456"));
}

/// Waits until /proc shows a thread asleep, as the tool does.
fn wait_until_asleep(thread: rustix::thread::Pid) {
    let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
    while !std::fs::read_to_string(&path).unwrap().contains(") S ") {
        thread::yield_now();
    }
}
