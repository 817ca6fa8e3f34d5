//! The example tun2socks between the machine's own TCP and UDP, which reach it over a TUN interface, and a proxy.
//!
//! In a network namespace of the test's own. This needs root and /dev/net/tun: without them the test says so and
//! passes, except under `CI`, where it fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[allow(dead_code, reason = "its `main` is for who types it")]
#[path = "../examples/tun2socks.rs"]
mod tun2socks;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;

use ieum::device::tun::{Tun, TunConfig, TunKind};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Who holds a namespace until the test has entered it.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _gone = (self.0.kill(), self.0.wait());
    }
}

/// Puts this thread, and all that it starts from now on, into a fresh network namespace; false where that is not allowed.
fn enter_own() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err() {
        let advice = "this test needs root and /dev/net/tun, so it proves nothing here";
        assert!(!is_root || std::env::var_os("CI").is_none(), "{advice}");
        println!("{advice}");
        return false;
    }
    let mut holder = Command::new("unshare");
    holder.args(["--net", "sh", "-c", "ip link set lo up && echo ready && read _"]);
    let mut holder = Holder(holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(holder.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let namespace = File::open(format!("/proc/{}/ns/net", holder.0.id())).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    true
}

fn ip(words: &str) {
    assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success(), "ip {words}");
}

/// Reads an address of a SOCKS5 message, its kind first; its bytes.
fn address(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 1];
    stream.read_exact(&mut bytes).unwrap();
    bytes.resize(if bytes[0] == 4 { 19 } else { 7 }, 0);
    stream.read_exact(&mut bytes[1..]).unwrap();
    bytes
}

/// A proxy behind which port 7 of every address echoes, port 9 breaks, and all others refuse; datagrams come back in capitals.
fn play_proxy(mut stream: TcpStream) {
    stream.read_exact(&mut [0; 3]).unwrap();
    stream.write_all(&[5, 0]).unwrap();
    let mut head = [0; 3];
    stream.read_exact(&mut head).unwrap();
    let destination = address(&mut stream);
    let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = relay.local_addr().unwrap().port().to_be_bytes();
    let refusal = if head[1] == 3 || matches!(destination[..], [.., 0, 7 | 9]) { 0 } else { 5 };
    stream.write_all(&[&[5, refusal, 0, 1, 0, 0, 0, 0][..], &port].concat()).unwrap();
    match (head[1], refusal, destination.last()) {
        (3, ..) => {
            let mut bytes = [0; 2000];
            loop {
                let (count, peer) = relay.recv_from(&mut bytes).unwrap();
                let head_bytes = if bytes[3] == 4 { 22 } else { 10 };
                bytes[head_bytes..count].make_ascii_uppercase();
                relay.send_to(&bytes[..count], peer).unwrap();
            }
        }
        (_, 0, Some(7)) => {
            io::copy(&mut &stream, &mut &stream).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        }
        // What was sent is left unread: closing resets.
        (_, 0, _) => stream.peek(&mut [0]).map(drop).unwrap(),
        (..) => {}
    }
}

#[test]
fn what_the_kernel_sends_into_a_tun_goes_through_a_proxy() {
    if !enter_own() {
        return;
    }
    let config = TunConfig { name: "ieum0".to_owned(), kind: TunKind::Tun, keep: false, offload: true };
    let mut tun = Tun::open(&config).unwrap();
    let own = ["10.9.0.1/24".parse().unwrap(), "fd09::1/64".parse().unwrap()];
    let without = tun.set_up(1500, &own).unwrap();
    ip("route add default dev ieum0");
    let mut far = vec!["198.51.100.7"];
    if without.is_empty() {
        ip("-6 route add default dev ieum0");
        far.push("2001:db8:7::7");
    }
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = proxy.local_addr().unwrap();
    thread::spawn(move || {
        proxy.incoming().for_each(|stream| drop(thread::spawn(|| play_proxy(stream.unwrap()))))
    });
    thread::spawn(move || tun2socks::tunnel(tun, at).unwrap());

    for far in far {
        let far = |port| SocketAddr::new(far.parse().unwrap(), port);
        let mut stream = TcpStream::connect(far(7)).unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let (mut writer, bytes) = (stream.try_clone().unwrap(), sent.clone());
        let writing = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut echo = Vec::new();
        stream.read_to_end(&mut echo).unwrap();
        writing.join().unwrap();
        assert!(echo == sent, "{} of {} bytes came back", echo.len(), sent.len());

        let refused = TcpStream::connect(far(8)).map_err(|error| error.kind());
        assert_eq!(refused.map(drop), Err(io::ErrorKind::ConnectionRefused));
        let mut broken = TcpStream::connect(far(9)).unwrap();
        broken.write_all(b"unread").unwrap();
        // It ends, however that is told.
        let _end = broken.read_to_end(&mut Vec::new());

        let socket =
            UdpSocket::bind(SocketAddr::new(own[usize::from(far(0).is_ipv6())].address(), 0)).unwrap();
        socket.connect(far(53)).unwrap();
        for question in ["question", "another"] {
            socket.send(question.as_bytes()).unwrap();
            let mut answer = [0; 100];
            let count = socket.recv(&mut answer).unwrap();
            assert_eq!(answer[..count], question.to_uppercase().into_bytes()[..]);
        }
    }
}

#[test]
fn all_of_it_is_less_than_150_lines() {
    let lines = include_str!("../examples/tun2socks.rs").lines().count();
    assert!(lines < 150, "{lines}");
}
