//! `-p`: ports of the machine that lead to ports inside.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;

use super::support::{Folder, Running, free_port, ieum, path_of, peer, script};

#[test]
fn a_port_in_use_is_an_error_before_the_program_starts() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = taken.local_addr().expect("a bound socket has a name").port();
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
    let datagram_port = datagrams.local_addr().expect("a bound socket has a name").port();
    for (number, flag) in [(port, format!("{port}:80")), (datagram_port, format!("{datagram_port}:80/udp"))] {
        let mark = folder.file("started");
        let finished = Running::start(&ieum(&["-p", &flag], &["touch", &mark])).finish();
        assert_eq!(finished.code, 125, "{finished:?}");
        let clear = finished.stderr.starts_with("ieum: ")
            && finished.stderr.contains(&number.to_string())
            && finished.stderr.contains("in use")
            && finished.stderr.lines().count() == 1;
        assert!(clear, "{finished:?}");
        assert!(!Path::new(&mark).exists(), "the program has started");
    }
}

#[test]
fn a_port_that_is_asked_for_twice_is_an_error_that_says_so() {
    let port = free_port().to_string();
    let flags = ["-p", &format!("{port}:80"), "-p", &format!("0.0.0.0:{port}:81")];
    let finished = Running::start(&ieum(&flags, &["true"])).finish();
    assert_eq!(finished.code, 125, "{finished:?}");
    assert!(finished.stderr.contains(&port) && finished.stderr.contains("published twice"), "{finished:?}");
}

#[test]
fn a_program_that_listens_is_reached_at_the_first_attempt() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("listen_on_demand.py"));
    let mut running = Running::start(&ieum(&["-p", "0:80"], &[&python, &program]));
    let address = running.published();
    running.line("ready");
    for _ in 0..20 {
        running.tell("listen 80");
        running.line("done listen");
        TcpStream::connect(address).expect("listen has returned");
        running.tell("close");
        running.line("done close");
        running.refused(address);
    }
    running.tell("quit");
    assert_eq!(running.finish().code, 0);
}

#[test]
fn a_given_port_on_a_given_address_is_taken() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_asyncio.py"));
    let port = free_port();
    let flag = format!("127.0.0.2:{port}:7");
    let mut server = Running::start(&ieum(&["-p", &flag], &[&python, &echo, "serve", "0.0.0.0", "7"]));
    let mut connection = server.connect(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port)));
    connection.write_all(b"there and back").expect("bytes are sent");
    connection.shutdown(std::net::Shutdown::Write).expect("this end finishes");
    let mut received = String::new();
    connection.read_to_string(&mut received).expect("bytes come back");
    assert_eq!(received, "there and back");
    let elsewhere = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    assert!(elsewhere.is_err(), "the port is open on another address too");
}

#[test]
fn a_published_port_refuses_while_the_program_does_not_listen() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("listen_on_demand.py"));
    let mut running = Running::start(&ieum(&["-p", "0:80"], &[&python, &program]));
    let address = running.published();
    running.line("ready");
    let refusal = TcpStream::connect(address).expect_err("nobody listens yet");
    assert_eq!(refusal.kind(), std::io::ErrorKind::ConnectionRefused);
    // Reserved all the same: nobody else may have it.
    let other = TcpListener::bind(address).expect_err("the port is reserved");
    assert_eq!(other.kind(), std::io::ErrorKind::AddrInUse);

    running.tell("listen 80");
    running.line("done listen");
    running.connect(address);
    running.tell("close");
    running.line("done close");
    running.refused(address);
    running.tell("listen 80");
    running.line("done listen");
    running.connect(address);
    running.tell("quit");
    assert_eq!(running.finish().code, 0);
}

#[test]
fn a_port_is_published_in_each_family_that_the_program_serves() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("listen_on_demand.py"));
    let flags = ["-p", "0:80", "-p", "[::1]:0:80"];
    let mut running = Running::start(&ieum(&flags, &[&python, &program]));
    let (ip4, ip6) = (running.published(), running.published());
    assert!(ip4.is_ipv4() && ip6.is_ipv6());
    for (listen, serves4, serves6) in
        [("80 ::", true, true), ("80 0.0.0.0", true, false), ("80 :: alone", false, true)]
    {
        running.tell(&format!("listen {listen}"));
        running.line("done listen");
        for (address, serves) in [(ip4, serves4), (ip6, serves6)] {
            if serves {
                running.connect(address);
            } else {
                running.refused(address);
            }
        }
        running.tell("close");
        running.line("done close");
        running.refused(ip4);
        running.refused(ip6);
    }
    running.tell("quit");
    assert_eq!(running.finish().code, 0);
}
