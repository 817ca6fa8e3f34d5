//! Tasks of any executor: their wakers are other people's code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Shutdown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use ieum::device::Tun;
use ieum::net::{TcpListener, TcpStream};
use ieum::{Host, Network};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

fn pair() -> (Host, Host) {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address| network.host().address(&link, address).build().unwrap();
    (host("10.1.0.1/24"), host("10.1.0.2/24"))
}

/// A connection, and the listener that gave it out.
fn connected() -> (TcpStream, TcpStream, TcpListener) {
    let (one, other) = pair();
    connected_between(&one, &other)
}

fn connected_between(one: &Host, other: &Host) -> (TcpStream, TcpStream, TcpListener) {
    let listener = other.listen("10.1.0.2:80").unwrap();
    let stream = one.connect("10.1.0.2:80").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    (stream, accepted, listener)
}

/// A waker that reads as soon as it is woken, as an executor does that runs its tasks in place; and that holds a socket, which is
/// closed with it.
struct ReadsInPlace {
    stream: TcpStream,
    read: AtomicUsize,
    _held: Mutex<Option<TcpListener>>,
}

impl Wake for ReadsInPlace {
    fn wake(self: Arc<Self>) {
        let mut bytes = [0; 16];
        if let Poll::Ready(Ok(count)) =
            self.stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut bytes)
        {
            self.read.fetch_add(count, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_waker_may_call_the_network_that_wakes_it() {
    let (mut writer, reader, listener) = connected();
    let waiting = Arc::new(ReadsInPlace {
        stream: reader.try_clone().unwrap(),
        read: AtomicUsize::new(0),
        _held: Mutex::new(Some(listener)),
    });
    let waker = Waker::from(Arc::clone(&waiting));
    assert!(reader.poll_read(&mut Context::from_waker(&waker), &mut [0; 16]).is_pending());
    writer.write_all(b"in place").unwrap();
    assert_eq!(waiting.read.load(Ordering::Relaxed), 8);
}

#[test]
fn a_waker_that_is_replaced_may_close_sockets_when_it_goes() {
    let (one, other) = pair();
    let (_writer, reader, listener) = connected_between(&one, &other);
    let waiting = ReadsInPlace {
        stream: reader.try_clone().unwrap(),
        read: AtomicUsize::new(0),
        _held: Mutex::new(Some(listener)),
    };
    let waker = Waker::from(Arc::new(waiting));
    assert!(reader.poll_read(&mut Context::from_waker(&waker), &mut [0; 16]).is_pending());
    drop(waker);
    // The only one who remembers it is the host, and remembers somebody else from now on.
    assert!(reader.poll_read(&mut Context::from_waker(Waker::noop()), &mut [0; 16]).is_pending());
    // The waker is gone, and the listener that it held is closed.
    let refused = one.connect("10.1.0.2:80").map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
}

/// Counts how often it is woken.
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("this is a test's own panic");
    }
}

#[test]
fn a_waker_that_panics_takes_no_other_along() {
    let (mut writer, reader, _listener) = connected();
    let woken = Arc::new(Counts(AtomicUsize::new(0)));
    let wakers = [Waker::from(Arc::new(Panics)), Waker::from(Arc::clone(&woken))];
    let [mut panics, mut counts] = wakers.each_ref().map(Context::from_waker);
    let (mut one, mut other) = (pin!(reader.readable()), pin!(reader.readable()));
    assert!(one.as_mut().poll(&mut panics).is_pending() && other.as_mut().poll(&mut counts).is_pending());
    // Whose call it is hears of the panic.
    let written = catch_unwind(AssertUnwindSafe(|| writer.write_all(b"x")));
    assert!(written.is_err());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(other.poll(&mut counts).is_ready());
}

#[test]
fn a_waker_that_panics_ends_no_network() {
    let kind = SocketType::SEQPACKET;
    let (here, there) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    let udp = |descriptor, address: &str| {
        let network = Network::new().unwrap();
        let link = network.tun_link(Tun::of_descriptor(descriptor, 1500).unwrap()).unwrap();
        network.host().address(&link, address).build().unwrap().udp("0.0.0.0:9").unwrap()
    };
    let (one, other) = (udp(here, "10.1.0.1/24"), udp(there, "10.1.0.2/24"));
    let waker = Waker::from(Arc::new(Panics));
    assert!(other.poll_readable(&Context::from_waker(&waker)).is_pending());
    // What comes by a descriptor is brought by the network's thread, which calls the waker of the first.
    for _ in 0..2 {
        one.send_to(b"x", "10.1.0.2:9").unwrap();
        assert_eq!(other.recv(&mut [0; 4]).unwrap(), 1);
    }
}

#[test]
fn a_task_that_waits_is_woken_by_what_is_done_beside_it() {
    let (one, other) = pair();
    let listener = other.listen("10.1.0.2:80").unwrap();
    let woken = Arc::new(Counts(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let (mut cx, times) = (Context::from_waker(&waker), || woken.0.load(Ordering::Relaxed));
    let mut accepting = pin!(listener.accept_async());
    assert!(accepting.as_mut().poll(&mut cx).is_pending());
    let _stream = one.connect("10.1.0.2:80").unwrap();
    assert_eq!(times(), 1);
    let Poll::Ready(Ok((accepted, _))) = accepting.poll(&mut cx) else { panic!("somebody has come") };
    // Shut down from beside it, a read that waits ends.
    assert!(accepted.poll_read(&mut cx, &mut [0; 8]).is_pending());
    accepted.shutdown(Shutdown::Read).unwrap();
    assert_eq!(times(), 2);
    assert!(matches!(accepted.poll_read(&mut cx, &mut [0; 8]), Poll::Ready(Ok(0))));
    // So does a task that waits at a host that is removed.
    let mut accepting = pin!(listener.accept_async());
    assert!(accepting.as_mut().poll(&mut cx).is_pending());
    other.remove();
    assert_eq!(times(), 3);
    assert!(matches!(accepting.poll(&mut cx), Poll::Ready(Err(_))));
}

#[test]
fn the_last_task_that_polls_is_the_one_that_is_woken() {
    let (mut writer, reader, _listener) = connected();
    let tasks = [0, 1].map(|_| Arc::new(Counts(AtomicUsize::new(0))));
    for task in &tasks {
        let waker = Waker::from(Arc::clone(task));
        assert!(reader.poll_read(&mut Context::from_waker(&waker), &mut [0; 16]).is_pending());
    }
    writer.write_all(b"x").unwrap();
    assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn a_raw_socket_serves_tasks_as_others_do() {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address: &str| network.host().address(&link, address).raw_sockets().build().unwrap();
    let (one, other) = (host("10.1.0.1/24"), host("10.1.0.2/24"));
    let (speaks, hears) = (one.raw_v4(253).unwrap(), other.raw_v4(253).unwrap());
    let (reads, asks) = [0, 1].map(|_| Arc::new(Counts(AtomicUsize::new(0)))).into();
    let (reader, asker) = (Waker::from(Arc::clone(&reads)), Waker::from(Arc::clone(&asks)));
    let mut into = [0; 100];
    let mut waiting = pin!(hears.readable());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&asker)).is_pending());
    assert!(hears.poll_peek_from(&mut Context::from_waker(&reader), &mut into).is_pending());
    assert!(hears.poll_recv_from(&mut Context::from_waker(&reader), &mut into).is_pending());
    let mut cx = Context::from_waker(Waker::noop());
    let sent = speaks.poll_send_to(&mut cx, b"hello", Some("10.1.0.2".parse().unwrap()));
    assert!(matches!(sent, Poll::Ready(Ok(5))));
    assert_eq!([reads, asks].map(|task| task.0.load(Ordering::Relaxed)), [1, 1]);
    assert!(waiting.poll(&mut cx).is_ready() && hears.readiness().readable);
    let told = |polled: Poll<std::io::Result<(usize, IpAddr)>>| match polled {
        Poll::Ready(told) => told.unwrap(),
        Poll::Pending => panic!("a packet is there"),
    };
    let from = "10.1.0.1".parse().unwrap();
    assert_eq!(told(hears.poll_peek_from(&mut cx, &mut into)), (25, from));
    let clone = hears.try_clone().unwrap();
    assert_eq!(told(clone.poll_recv_from(&mut cx, &mut into)), (25, from));
    assert_eq!(&into[20..25], b"hello");
    assert!(hears.poll_readable(&cx).is_pending());
    // Without an address it goes to the peer, of which there is none yet.
    assert!(matches!(speaks.poll_send_to(&mut cx, b"x", None), Poll::Ready(Err(_))));
    speaks.connect("10.1.0.2".parse().unwrap()).unwrap();
    assert!(matches!(speaks.poll_send_to(&mut cx, b"x", None), Poll::Ready(Ok(1))));
    assert!(hears.poll_readable(&cx).is_ready() && speaks.poll_writable(&cx).is_ready());
}
