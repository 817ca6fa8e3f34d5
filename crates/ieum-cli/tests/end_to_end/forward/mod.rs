//! `ieum forward`: ports that lead elsewhere.
//!
//! Peers are this process's own sockets on the machine's loopback, and real programs where the sentence is about them.
//! What is waited for is a line, a connection that was accepted, or an end.

mod endings;
mod hosts;
mod machine;
mod rules;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::support::Running;

/// No read or write of a test waits longer.
const PATIENCE: Duration = Duration::from_secs(100);

/// The command line `ieum forward WORDS`.
fn words<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&[env!("CARGO_BIN_EXE_ieum"), "forward"], words].concat()
}

/// Starts `ieum forward WORDS`.
fn forward(given: &[&str]) -> Running {
    Running::start(&words(given))
}

/// The first address at which the next rule says that it listens.
fn address(forward: &mut Running) -> SocketAddr {
    let line = forward.error_line("ieum: forwarding ");
    let address = line.split_whitespace().nth(2).and_then(|word| word.split('@').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("not an address: {line}"))
}

/// A listener on a free port, and the port as a word.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let address = listener.local_addr().expect("a bound socket has a name").to_string();
    (listener, address)
}

/// A connection through `address`, and its other end.
fn joined(address: SocketAddr, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = patient(TcpStream::connect(address).expect("the port listens"));
    let (server, _) = listener.accept().expect("the target is reached");
    (client, patient(server))
}

/// A stream that nobody waits for too long.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time is taken");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time is taken");
    stream
}

/// Says a word at one end and hears it at the other.
fn say(from: &mut TcpStream, to: &mut TcpStream, word: &str) {
    from.write_all(word.as_bytes()).expect("a word is said");
    let mut heard = vec![0; word.len()];
    to.read_exact(&mut heard).expect("a word is heard");
    assert_eq!(heard, word.as_bytes());
}

/// Everything until the end.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("it ends well");
    rest
}

/// That a stream was reset, after these bytes.
fn is_reset_after(stream: &mut TcpStream, before: &[u8]) {
    let mut heard = vec![0; before.len()];
    stream.read_exact(&mut heard).expect("what came before the reset arrives");
    assert!(heard == before);
    let error = stream.read(&mut [0]).expect_err("it does not just end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Closes with a RST.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("SO_LINGER is taken");
}

/// Answers each connection with its own bytes, for as long as the test runs.
fn echo(listener: TcpListener) {
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(move || {
                let mut connection = patient(connection.expect("a connection comes"));
                let mut reader = connection.try_clone().expect("a socket is duplicated");
                // It may be reset by a test that wants that.
                let _ = std::io::copy(&mut reader, &mut connection);
                let _ = connection.shutdown(std::net::Shutdown::Write);
            });
        }
    });
}

/// So many bytes that differ from place to place.
fn pattern(seed: u8, count: usize) -> Vec<u8> {
    (0u32..).map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0] ^ seed).take(count).collect()
}

/// Writes all of `bytes` and then ends that direction, beside this thread.
fn write_beside(stream: &TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    let mut stream = stream.try_clone().expect("a socket is duplicated");
    thread::spawn(move || {
        stream.write_all(&bytes).expect("all is taken");
        stream.shutdown(std::net::Shutdown::Write).expect("the direction ends");
    })
}
