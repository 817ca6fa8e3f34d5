//! Connections to any address and port.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use ieum::net::{Epoll, Socket, poll};
use ieum::sockets::Errno;
use ieum::sockets::numbers::{EPOLL_CTL_ADD, POLLERR, POLLIN};
use ieum::wire::Unreachable;
use ieum::{Host, Network, Refusal};

/// A host, and another one that stands for all others.
fn pair() -> (Host, Host) {
    let network = Network::new().unwrap();
    let link = network.link();
    let inside = network.host().address(&link, "10.1.0.2/24").address(&link, "fd01::2/64");
    let inside = inside.route("0.0.0.0/0", "10.1.0.1").route("::/0", "fd01::1").build().unwrap();
    let tunnel = network.host().address(&link, "10.1.0.1/24").address(&link, "fd01::1/64");
    (inside, tunnel.any_destination().build().unwrap())
}

#[test]
fn a_flow_to_any_address_is_answered_when_it_is_accepted() {
    let (inside, tunnel) = pair();
    let flows = tunnel.listen_any().unwrap();
    for to in ["192.0.2.7:443", "198.51.100.1:1", "[2001:db8::7]:80", "10.1.0.1:9"] {
        let dialling = inside.clone();
        let client = thread::spawn(move || {
            let mut stream = dialling.connect(to).unwrap();
            stream.write_all(b"who are you?").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut word = String::new();
            stream.read_to_string(&mut word).unwrap();
            word
        });
        let flow = flows.accept().unwrap();
        assert_eq!(flow.destination(), to.parse().unwrap());
        // Nobody was answered yet.
        let states =
            inside.inspect(|host| host.sockets().iter().map(|socket| socket.state).collect::<Vec<_>>());
        assert!(states.contains(&"SYN-SENT") && !states.contains(&"ESTAB"), "{states:?}");
        let mut stream = flow.accept().unwrap();
        assert_eq!(stream.local_addr().unwrap(), to.parse().unwrap());
        let mut word = String::new();
        stream.read_to_string(&mut word).unwrap();
        assert_eq!(word, "who are you?");
        write!(stream, "I stand for {to}").unwrap();
        drop(stream);
        assert_eq!(client.join().unwrap(), format!("I stand for {to}"));
    }
}

#[test]
fn a_refusal_is_told_as_what_it_is() {
    let (inside, tunnel) = pair();
    let flows = tunnel.listen_any().unwrap();
    let refusals = [
        (Some(Refusal::Reset), ErrorKind::ConnectionRefused),
        (Some(Refusal::Unreachable(Unreachable::Host)), ErrorKind::HostUnreachable),
        (None, ErrorKind::ConnectionRefused),
    ];
    for (refusal, kind) in refusals {
        let dialling = inside.clone();
        let client = thread::spawn(move || dialling.connect("192.0.2.7:443").unwrap_err().kind());
        let flow = flows.accept().unwrap();
        match refusal {
            Some(refusal) => flow.refuse(refusal),
            None => drop(flow),
        }
        assert_eq!(client.join().unwrap(), kind);
    }
}

#[test]
fn who_gave_up_meanwhile_is_not_accepted() {
    let (inside, tunnel) = pair();
    let flows = tunnel.listen_any().unwrap();
    let to = "192.0.2.7:443".parse().unwrap();
    assert_eq!(
        inside.connect_timeout(&to, Duration::from_millis(20)).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    // Its socket is closed: the SYN-ACK is answered by a RST.
    let error = flows.accept().unwrap().accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
}

#[test]
fn a_task_accepts_as_a_thread_does_and_one_that_leaves_off_takes_nothing() {
    let (inside, tunnel) = pair();
    let flows = tunnel.listen_any().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut nobody = pin!(flows.accept_async());
        assert!(nobody.as_mut().poll(&mut cx).is_pending());
    }
    let client = thread::spawn(move || inside.connect("192.0.2.7:443").unwrap());
    let flow = flows.accept().unwrap();
    // Both hosts are of this process: the handshake is over when it is asked for the first time.
    let Poll::Ready(Ok(stream)) = pin!(flow.accept_async()).poll(&mut cx) else { panic!("no stream") };
    assert_eq!(stream.peer_addr().unwrap(), client.join().unwrap().local_addr().unwrap());
}

#[test]
fn only_a_host_for_any_destination_listens_for_any_and_only_once() {
    let (inside, tunnel) = pair();
    assert_eq!(inside.listen_any().unwrap_err().kind(), ErrorKind::InvalidInput);
    let flows = tunnel.listen_any().unwrap();
    assert_eq!(tunnel.listen_any().unwrap_err().kind(), ErrorKind::AddrInUse);
    // Its own listeners come first.
    let listener = tunnel.listen("10.1.0.1:80").unwrap();
    inside.connect("10.1.0.1:80").unwrap();
    listener.accept().unwrap();
    drop(flows);
    assert_eq!(inside.connect("192.0.2.7:443").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let _again = tunnel.listen_any().unwrap();
}

#[test]
fn nobody_waits_at_a_host_that_is_removed() {
    let (_inside, tunnel) = pair();
    let (flows, datagrams) = (tunnel.listen_any().unwrap(), tunnel.datagrams_any().unwrap());
    let socket = Socket::from(tunnel.udp("10.1.0.1:9").unwrap());
    let epoll = Epoll::new();
    epoll.control(EPOLL_CTL_ADD, 1, &socket, Some((POLLIN, 7))).unwrap();
    tunnel.remove();
    let errors =
        [flows.accept().map(drop), datagrams.recv().map(drop), socket.read(&mut [0], false).map(drop)];
    for error in errors {
        assert_eq!(error.unwrap_err().raw_os_error(), Some(Errno::EBADF.0));
    }
    assert_eq!((poll(&[(&socket, POLLIN)], None), epoll.wait(1, None)), (vec![POLLERR], vec![(POLLERR, 7)]));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(pin!(flows.accept_async()).poll(&mut cx), Poll::Ready(Err(_))));
    assert!(matches!(pin!(datagrams.recv_async()).poll(&mut cx), Poll::Ready(Err(_))));
    let sent = datagrams.send(b"x", "10.1.0.1:1".parse().unwrap(), "10.1.0.2:1".parse().unwrap());
    drop(flows);
    for none in [sent, tunnel.listen_any().map(drop), tunnel.datagrams_any().map(drop)] {
        assert_eq!(none.unwrap_err().raw_os_error(), Some(Errno::EBADF.0));
    }
}
