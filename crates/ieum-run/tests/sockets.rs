//! Sockets of a program: each test here runs twice, on the kernel's sockets and on a host of ieum, and must find the
//! same.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers as well")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// The name of the test that runs the others; they know by it where they are.
const OTHERS: &str = "the_same_tests_pass_on_a_host_of_ieum";

#[test]
fn the_same_tests_pass_on_a_host_of_ieum() {
    let program = std::env::current_exe().unwrap();
    let output =
        common::alone().arg(program).args(["--skip", OTHERS, "--test-threads", "4"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("0 failed") && !said.contains(" 0 passed"), "{said}");
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    listener().1
}

fn reset_on_close(stream: &TcpStream) {
    sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

fn wait_for(fd: impl AsFd, wanted: PollFlags) -> PollFlags {
    let mut fds = [PollFd::new(&fd, wanted)];
    let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&limit)), Ok(1), "nothing happened in ten seconds");
    fds[0].revents()
}

fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn bytes_pass_in_both_directions_and_each_has_its_end() {
    let (mut client, mut server) = pair();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut server), b"question");
    server.write_all(b"answer").unwrap();
    drop(server);
    assert_eq!(to_the_end(&mut client), b"answer");
}

#[test]
fn a_datagram_arrives_though_its_sender_was_closed_and_the_port_is_another_s() {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for number in 0..100 {
        // An address that no other test binds.
        let sender = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 9), 0)).unwrap();
        let address = sender.local_addr().unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        sender.send(&[number]).unwrap();
        drop(sender);
        let _other = UdpSocket::bind(address).unwrap();
        let mut byte = [0];
        assert_eq!(receiver.recv_from(&mut byte).unwrap(), (1, address));
        assert_eq!(byte, [number]);
    }
}

#[test]
fn both_ends_know_each_other_by_name() {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    let (server, remote) = listener.accept().unwrap();
    assert_eq!(client.peer_addr().unwrap(), address);
    assert_eq!(server.local_addr().unwrap(), address);
    assert_eq!(client.local_addr().unwrap(), remote);
    assert_eq!(server.peer_addr().unwrap(), remote);
}

#[test]
fn sixteen_megabytes_arrive_unchanged() {
    let (client, mut server) = pair();
    let sent: Vec<u8> = (0u32..4 << 20).flat_map(u32::to_le_bytes).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || (&client).write_all(&sent));
    assert!(to_the_end(&mut server) == expected);
    writer.join().unwrap().unwrap();
}

#[test]
fn a_connection_that_nobody_takes_is_refused() {
    let error = TcpStream::connect(nobody()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_socket_that_was_refused_can_be_connected_again() {
    let (listener, address) = listener();
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    assert_eq!(connect(&socket, &nobody()), Err(Errno::CONNREFUSED));
    assert_eq!(connect(&socket, &address), Ok(()));
    let (mut server, _) = listener.accept().unwrap();
    TcpStream::from(socket).write_all(b"here").unwrap();
    assert_eq!(to_the_end(&mut server), b"here");
}

#[test]
fn a_nonblocking_connect_is_in_progress_until_the_socket_is_writable() {
    let (listener, address) = listener();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    assert_eq!(connect(&socket, &address), Err(Errno::INPROGRESS));
    assert_eq!(wait_for(&socket, PollFlags::IN | PollFlags::OUT), PollFlags::OUT);
    assert_eq!(sockopt::socket_error(&socket), Ok(Ok(())));
    let (mut server, _) = listener.accept().unwrap();
    TcpStream::from(socket).write_all(b"here").unwrap();
    assert_eq!(to_the_end(&mut server), b"here");
}

#[test]
fn a_refused_nonblocking_connect_shows_an_error_and_tells_it_once() {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    assert_eq!(connect(&socket, &nobody()), Err(Errno::INPROGRESS));
    let shown = wait_for(&socket, PollFlags::IN | PollFlags::OUT);
    assert_eq!(shown, PollFlags::IN | PollFlags::OUT | PollFlags::ERR | PollFlags::HUP);
    assert_eq!(sockopt::socket_error(&socket), Ok(Err(Errno::CONNREFUSED)));
    assert_eq!(sockopt::socket_error(&socket), Ok(Ok(())));
}

#[test]
fn a_listening_socket_is_readable_when_a_connection_waits() {
    let (listener, address) = listener();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let _client = TcpStream::connect(address).unwrap();
    assert_eq!(wait_for(&listener, PollFlags::IN), PollFlags::IN);
    listener.accept().unwrap();
}

#[test]
fn every_waiting_thread_accepts_one_connection() {
    let (listener, address) = listener();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let said = to_the_end(&mut stream);
                stream.write_all(&said.to_ascii_uppercase()).unwrap();
            });
        }
        for _ in 0..8 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"abc").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(to_the_end(&mut client), b"ABC");
        }
    });
}

#[test]
fn a_connection_that_nobody_accepted_is_reset_when_the_listener_closes() {
    let (listener, address) = listener();
    let mut client = TcpStream::connect(address).unwrap();
    drop(listener);
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn who_waits_in_accept_hears_that_the_listener_was_shut_down() {
    let (listener, _) = listener();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| listener.accept().map(|_| ()).unwrap_err());
        // Before or after accept began, the outcome is the same.
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(waiting.join().unwrap().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn accept_gives_up_when_its_time_is_over() {
    let (listener, _) = listener();
    sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(Duration::from_millis(20))).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_close_with_bytes_unread_resets_the_peer() {
    let (mut client, mut server) = pair();
    client.write_all(b"unread").unwrap();
    assert_eq!(server.peek(&mut [0; 8]).unwrap(), 6);
    server.write_all(b"last").unwrap();
    let mut bytes = [0; 8];
    assert_eq!(client.read(&mut bytes).unwrap(), 4);
    drop(server);
    assert_eq!(client.read(&mut bytes).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(client.take_error().unwrap().map(|error| error.kind()), None, "read has told it");
}

#[test]
fn a_reset_reaches_one_who_has_shut_down_writing() {
    let (mut client, mut server) = pair();
    client.write_all(b"all").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut server), b"all");
    reset_on_close(&server);
    drop(server);
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn after_the_end_of_file_a_reset_breaks_only_writing() {
    let (mut client, server) = pair();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut client), b"");
    reset_on_close(&server);
    drop(server);
    wait_for(&client, PollFlags::empty());
    assert_eq!(client.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_port_in_use_and_an_address_not_ours_are_refused() {
    let (_listener, address) = listener();
    assert_eq!(TcpListener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
    let foreign = TcpListener::bind((Ipv4Addr::new(192, 0, 2, 1), 0)).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_port_is_free_again_when_its_socket_is_closed() {
    let address = nobody();
    TcpListener::bind(address).unwrap();
    TcpListener::bind(address).unwrap();
}

#[test]
fn calls_that_make_no_sense_say_so_as_linux_does() {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    assert_eq!(rustix::net::accept(&socket).unwrap_err(), Errno::INVAL);
    assert_eq!(rustix::net::getpeername(&socket).unwrap_err(), Errno::NOTCONN);
    assert_eq!(rustix::net::shutdown(&socket, rustix::net::Shutdown::Write), Err(Errno::NOTCONN));
    let datagram = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    assert_eq!(rustix::net::accept(&datagram).unwrap_err(), Errno::OPNOTSUPP);
    assert_eq!(rustix::net::listen(&datagram, 1), Err(Errno::OPNOTSUPP));
}

#[test]
fn options_are_those_of_tcp() {
    let (client, _server) = pair();
    client.set_nodelay(true).unwrap();
    assert!(client.nodelay().unwrap());
    assert_eq!(sockopt::socket_type(&client), Ok(SocketType::STREAM));
    assert_eq!(sockopt::socket_domain(&client), Ok(AddressFamily::INET));
    assert_eq!(sockopt::socket_protocol(&client), Ok(Some(rustix::net::ipproto::TCP)));
    assert_eq!(sockopt::socket_acceptconn(&client), Ok(false));
}

#[test]
fn a_descriptor_passed_on_is_still_the_same_socket() {
    let (mut client, server) = pair();
    let mut copy = server.try_clone().unwrap();
    let address = server.peer_addr().unwrap();
    drop(server);
    assert_eq!(copy.peer_addr().unwrap(), address);
    copy.write_all(b"copy").unwrap();
    drop(copy);
    assert_eq!(to_the_end(&mut client), b"copy");
}

#[test]
fn a_byte_sent_as_urgent_is_read_in_line_by_who_asks_for_it() {
    let (mut client, mut server) = pair();
    sockopt::set_socket_oobinline(&server, true).unwrap();
    client.write_all(b"abc").unwrap();
    rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
    client.write_all(b"def").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut server), b"abc!def");
}

#[test]
fn a_connection_inherits_its_listeners_keepalive() {
    let (listener, address) = listener();
    sockopt::set_socket_keepalive(&listener, true).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    assert_eq!(sockopt::socket_keepalive(&server), Ok(true));
    assert_eq!(sockopt::socket_keepalive(&client), Ok(false));
    sockopt::set_socket_keepalive(&server, false).unwrap();
    assert_eq!(sockopt::socket_keepalive(&server), Ok(false));
}

fn datagrams() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn datagrams_keep_their_bounds_their_order_and_their_source() {
    let ((one, from), (other, to)) = (datagrams(), datagrams());
    for number in 0u8..50 {
        one.send_to(&vec![number; usize::from(number)], to).unwrap();
    }
    let mut buffer = [0; 100];
    for number in 0u8..50 {
        assert_eq!(other.recv_from(&mut buffer).unwrap(), (usize::from(number), from));
        assert!(buffer[..usize::from(number)].iter().all(|byte| *byte == number));
    }
}

#[test]
fn a_connected_datagram_socket_hears_only_its_peer() {
    let ((one, from), (peer, to), (stranger, _)) = (datagrams(), datagrams(), datagrams());
    one.connect(to).unwrap();
    one.send(b"hello").unwrap();
    let mut buffer = [0; 100];
    assert_eq!(peer.recv_from(&mut buffer).unwrap(), (5, from));
    stranger.send_to(b"noise", from).unwrap();
    peer.send_to(b"answer", from).unwrap();
    assert_eq!(one.recv(&mut buffer).unwrap(), 6);
    assert_eq!(&buffer[..6], b"answer");
    assert_eq!(one.peer_addr().unwrap(), to);
}

#[test]
fn a_datagram_that_nobody_takes_is_told_to_a_connected_socket() {
    let ((one, _), (other, nobody)) = (datagrams(), datagrams());
    drop(other);
    one.connect(nobody).unwrap();
    one.send(b"anybody?").unwrap();
    assert_eq!(one.recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_datagram_longer_than_udp_allows_is_refused() {
    let ((one, _), (_other, to)) = (datagrams(), datagrams());
    let error = one.send_to(&vec![0; 65_508], to).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::MSGSIZE.raw_os_error()));
}

#[test]
fn a_receiver_waits_for_its_datagram() {
    let ((one, _), (other, to)) = (datagrams(), datagrams());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| other.recv_from(&mut [0; 8]).unwrap().0);
        one.send_to(b"now", to).unwrap();
        assert_eq!(waiting.join().unwrap(), 3);
    });
}

#[test]
fn what_connect_and_shutdown_did_on_this_host_is_seen_when_they_return() {
    let polled = |fd: &dyn AsFd, asked: PollFlags| {
        let borrowed = fd.as_fd();
        let mut polled = [PollFd::new(&borrowed, asked)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
        polled[0].revents()
    };
    for _ in 0..20 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(polled(&listener, PollFlags::IN), PollFlags::IN);
        let (server, _) = listener.accept().unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(polled(&server, PollFlags::RDHUP), PollFlags::RDHUP);
    }
}
