//! Sockets by Linux's calls, and waiting for many of them at once.
#![allow(clippy::unwrap_used, reason = "in tests, what must not fail may panic")]

use std::future::Future as _;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use ieum::net::{Epoll, RawSocket, Socket, TcpStream, poll};
use ieum::sockets::Errno;
use ieum::sockets::numbers::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, IPPROTO_TCP, POLLIN, POLLOUT, SO_RCVBUF,
    SO_REUSEADDR, SOL_SOCKET, TCP_NOTSENT_LOWAT,
};
use ieum::{Host, Network};

const TCP_USER_TIMEOUT: i32 = 18;
/// How long something that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two hosts of a network of their own.
fn two() -> (Host, Host) {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address| network.host().address(&link, address).build().unwrap();
    (host("10.1.0.1/24"), host("10.1.0.2/24"))
}

/// A connection: its client and its server.
fn connected(server: &Host, client: &Host, port: u16) -> (Socket, Socket) {
    let listener = server.listen(("10.1.0.1", port)).unwrap();
    let one = client.connect(("10.1.0.1", port)).unwrap();
    (one.into(), listener.accept().unwrap().0.into())
}

#[test]
fn a_socket_is_shaped_before_it_connects_and_becomes_a_stream() {
    let (server, client) = two();
    let listener = server.socket(2, 1, 0).unwrap();
    listener.set_option(SOL_SOCKET, SO_REUSEADDR, &1_i32.to_ne_bytes()).unwrap();
    listener.bind("10.1.0.1:80".parse().unwrap()).unwrap();
    listener.listen(5).unwrap();
    let one = client.socket(2, 1, 0).unwrap();
    let own: SocketAddr = "10.1.0.2:4000".parse().unwrap();
    one.bind(own).unwrap();
    one.set_option(IPPROTO_TCP, TCP_USER_TIMEOUT, &5000_i32.to_ne_bytes()).unwrap();
    one.connect(Some("10.1.0.1:80".parse().unwrap())).unwrap();
    let (other, peer) = listener.accept().unwrap();
    assert_eq!(
        (peer, one.option(IPPROTO_TCP, TCP_USER_TIMEOUT).unwrap()),
        (own, 5000_i32.to_ne_bytes().to_vec())
    );
    let (mut one, mut other) = (TcpStream::from(one), TcpStream::from(other));
    one.write_all(b"word").unwrap();
    drop(one);
    let mut word = String::new();
    other.read_to_string(&mut word).unwrap();
    assert_eq!(word, "word");
}

#[test]
fn a_raw_socket_becomes_one_by_linuxs_calls_and_back() {
    let host = Network::new().unwrap().host().raw_sockets().build().unwrap();
    let made = RawSocket::from(host.socket(2, 3, 253).unwrap());
    made.bind([127, 0, 0, 1].into()).unwrap();
    let (again, sender) = (Socket::from(&made), host.raw_v4(253).unwrap());
    assert_eq!(sender.send_to(b"x", [127, 0, 0, 1].into()).unwrap(), 1);
    assert_eq!(again.read(&mut [0; 64], false).unwrap().0, 20 + 1);
    assert_eq!(Socket::from(made).local_addr().unwrap(), again.local_addr().unwrap());
}

#[test]
fn poll_tells_of_any_of_several_networks() {
    let ((server, client), (other_server, other_client)) = (two(), two());
    let (one, far) = connected(&server, &client, 1);
    let (two, _far_too) = connected(&other_server, &other_client, 1);
    assert_eq!(poll(&[(&one, POLLIN), (&two, POLLIN)], Some(Duration::from_millis(1))), [0, 0]);
    assert_eq!(poll(&[(&one, POLLIN), (&two, POLLOUT)], None), [0, POLLOUT]);
    far.send(b"x", 0, None).unwrap();
    assert_eq!(poll(&[(&one, POLLIN), (&two, POLLIN)], None), [POLLIN, 0]);
}

#[test]
fn who_waits_for_room_that_no_write_has_taken_hears_of_it() {
    const BYTES: usize = 15_000;
    let (server, client) = two();
    let listener = server.socket(2, 1, 0).unwrap();
    listener.set_option(SOL_SOCKET, SO_RCVBUF, &4096_i32.to_ne_bytes()).unwrap();
    listener.bind("10.1.0.1:80".parse().unwrap()).unwrap();
    listener.listen(5).unwrap();
    let one = Socket::from(client.connect("10.1.0.1:80").unwrap());
    let other = listener.accept().unwrap().0;
    assert_eq!(one.send(&[0; BYTES], 0, None).unwrap(), BYTES);
    assert_eq!(poll(&[(&one, POLLOUT)], Some(Duration::ZERO)), [POLLOUT], "there is room for more");
    one.set_option(IPPROTO_TCP, TCP_NOTSENT_LOWAT, &1000_i32.to_ne_bytes()).unwrap();
    assert_eq!(poll(&[(&one, POLLOUT)], Some(Duration::ZERO)), [0]);
    let (told, tell) = std::sync::mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(told)));
    let mut waiting = pin!(one.when_ready(POLLOUT, || Ok(())));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut other = TcpStream::from(other);
    other.read_exact(&mut [0; BYTES]).unwrap();
    loop {
        tell.recv_timeout(PATIENCE).expect("who waits is woken");
        if waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return;
        }
    }
}

/// Rings when it is woken.
struct Bell(std::sync::mpsc::Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        let _ = self.0.send(());
    }
}

#[test]
fn an_epoll_tells_of_who_is_ready_and_forgets_who_is_closed() {
    let (server, client) = two();
    let pairs: Vec<_> = (0..50).map(|number| connected(&server, &client, 1000 + number)).collect();
    let epoll = Epoll::new();
    for (number, (one, _)) in (0_i32..).zip(&pairs) {
        let event = Some((
            POLLIN | if number % 2 == 0 { EPOLLET } else { 0 },
            100 + u64::from(number.cast_unsigned()),
        ));
        epoll.control(EPOLL_CTL_ADD, number, one, event).unwrap();
    }
    assert_eq!(epoll.wait(9, Some(Duration::ZERO)), []);
    pairs[7].1.send(b"x", 0, None).unwrap();
    pairs[8].1.send(b"x", 0, None).unwrap();
    assert_eq!(epoll.wait(9, None), [(POLLIN, 107), (POLLIN, 108)]);
    assert_eq!(epoll.wait(9, None), [(POLLIN, 107)], "by level it is told again, by edges it is not");
    assert_eq!(pairs[7].0.read(&mut [0; 9], false).unwrap().0, 1);
    assert_eq!(epoll.wait(9, Some(Duration::ZERO)), []);
    let far: Vec<Socket> = pairs
        .into_iter()
        .map(|(one, far)| {
            drop(one);
            far
        })
        .collect();
    assert_eq!(epoll.wait(9, Some(Duration::ZERO)), []);
    let (one, far_too) = connected(&server, &client, 2000);
    epoll.control(EPOLL_CTL_ADD, 7, &one, Some((POLLIN, 1))).unwrap();
    assert_eq!(epoll.wait(9, Some(Duration::ZERO)), []);
    far_too.send(b"x", 0, None).unwrap();
    assert_eq!(epoll.wait(9, None), [(POLLIN, 1)]);
    drop(far);
}

#[test]
fn a_socket_that_is_always_ready_does_not_keep_an_epoll_from_the_others() {
    let (server, client) = two();
    let pairs: Vec<_> = (0..3).map(|number| connected(&server, &client, 1000 + number)).collect();
    let epoll = Epoll::new();
    for (number, (one, far)) in (0..).zip(&pairs) {
        epoll.control(EPOLL_CTL_ADD, number, one, Some((POLLIN, number.try_into().unwrap()))).unwrap();
        far.send(b"x", 0, None).unwrap();
    }
    let told: Vec<u64> = (0..6).map(|_| epoll.wait(1, None)[0].1).collect();
    assert_eq!(told, [0, 1, 2, 0, 1, 2]);
    assert_eq!(epoll.wait(2, None), [(POLLIN, 0), (POLLIN, 1)]);
    assert_eq!(epoll.wait(2, None), [(POLLIN, 2), (POLLIN, 0)]);
}

#[test]
fn a_number_that_names_another_socket_by_now_is_watched_anew() {
    let (server, client) = two();
    let (old, far_old) = connected(&server, &client, 1);
    let (new, far_new) = connected(&server, &client, 2);
    let epoll = Epoll::new();
    epoll.control(EPOLL_CTL_ADD, 5, &old, Some((POLLIN, 1))).unwrap();
    let errno = |done: std::io::Result<()>| done.unwrap_err().raw_os_error();
    for operation in [EPOLL_CTL_MOD, EPOLL_CTL_DEL] {
        assert_eq!(errno(epoll.control(operation, 5, &new, Some((POLLIN, 2)))), Some(Errno::ENOENT.0));
    }
    assert_eq!(errno(epoll.control(EPOLL_CTL_ADD, 5, &new, None)), Some(Errno::EFAULT.0));
    far_old.send(b"x", 0, None).unwrap();
    assert_eq!(epoll.wait(9, None), [(POLLIN, 1)], "what could not be done changed nothing");
    epoll.control(EPOLL_CTL_ADD, 5, &new, Some((POLLIN, 2))).unwrap();
    assert_eq!(errno(epoll.control(EPOLL_CTL_ADD, 5, &new, Some((POLLIN, 2)))), Some(Errno::EEXIST.0));
    assert_eq!(
        epoll.wait(9, Some(Duration::ZERO)),
        [],
        "of the old one it does not tell under the new one's data"
    );
    far_new.send(b"x", 0, None).unwrap();
    assert_eq!(epoll.wait(9, None), [(POLLIN, 2)]);
}
