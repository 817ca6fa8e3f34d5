//! The same source over tokio's sockets and over ours, and what only ours promise.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ieum::net::Socket;
use ieum::sockets::numbers::{IP_RECVERR, IPPROTO_IP, MSG_OOB};
use ieum::{Host, Network};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};

/// Declares a module that does everything with the types of `$net` and tells what came of it, a line a call.
macro_rules! told_by {
    ($name:ident, $net:path) => {
        mod $name {
            use std::io::IoSlice;

            use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
            use $net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

            fn line<T: std::fmt::Debug>(call: &str, outcome: std::io::Result<T>) -> String {
                match outcome {
                    Ok(value) => format!("{call}: {value:?}"),
                    // tokio may know it without having asked the kernel, and has no number then.
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => format!("{call}: later"),
                    Err(error) => format!("{call}: {:?} {:?}", error.kind(), error.raw_os_error()),
                }
            }

            /// A socket before it is anything, and what else has options.
            pub(crate) async fn shaped(address: &str) -> Vec<String> {
                let mut told = Vec::new();
                let address: std::net::IpAddr = address.parse().unwrap();
                let new = || if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
                let socket = new().unwrap();
                told.push(line("address of nothing", socket.local_addr().map(|own| own.port())));
                told.push(line("keepalive", socket.set_keepalive(true).and_then(|()| socket.keepalive())));
                told.push(line("reuseaddr", socket.reuseaddr()));
                socket.set_reuseaddr(true).unwrap();
                told.push(line("reuseaddr", socket.reuseaddr()));
                told.push(line("reuseport", socket.set_reuseport(true).and_then(|()| socket.reuseport())));
                told.push(line("nodelay", socket.set_nodelay(true).and_then(|()| socket.nodelay())));
                let set = socket.set_send_buffer_size(30_000);
                told.push(line("send buffer", set.and_then(|()| socket.send_buffer_size())));
                let set = socket.set_recv_buffer_size(30_000);
                told.push(line("receive buffer", set.and_then(|()| socket.recv_buffer_size())));
                told.push(line("pending error", socket.take_error()));
                socket.bind((address, 0).into()).unwrap();
                told.push(line("bind again", socket.bind((address, 0).into())));
                let at = socket.local_addr().unwrap();
                let listener = socket.listen(9).unwrap();
                let client = new().unwrap();
                client.bind((address, 0).into()).unwrap();
                let own = client.local_addr().unwrap();
                let (one, accepted) = tokio::join!(client.connect(at), listener.accept());
                let (one, (other, peer)) = (one.unwrap(), accepted.unwrap());
                told.push(format!("{}", peer == own));
                told.push(line("nodelay is inherited", other.nodelay()));
                let mut buffer = Vec::with_capacity(3);
                told.push(line("room", other.try_io(Interest::WRITABLE, || Ok(7))));
                one.try_write(b"hello").unwrap();
                other.readable().await.unwrap();
                told.push(line("into a buffer", other.try_read_buf(&mut buffer)));
                let rest = other.async_io(Interest::READABLE, || other.try_read_buf(&mut buffer)).await;
                told.push(line("the rest", rest));
                told.push(format!("{buffer:?}"));
                told.push(line("nothing more", other.try_read_buf(&mut buffer)));
                drop((other, listener));
                told.push(line("nobody", new().unwrap().connect(at).await.map(drop)));

                let (one, other) = (
                    UdpSocket::bind((address, 0)).await.unwrap(),
                    UdpSocket::bind((address, 0)).await.unwrap(),
                );
                let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
                one.send_to(b"datagram", there).await.unwrap();
                told.push(line("sender", other.peek_sender().await.map(|source| source == here)));
                told.push(line("peek", other.try_peek(&mut [0; 4])));
                let peeked = other.try_peek_from(&mut [0; 4]).map(|(count, source)| (count, source == here));
                told.push(line("peek", peeked));
                let mut buffer = Vec::with_capacity(5);
                let taken =
                    other.recv_buf_from(&mut buffer).await.map(|(count, source)| (count, source == here));
                told.push(line("cut", taken));
                told.push(line("nothing", other.try_recv_buf(&mut buffer)));
                told.push(line("no sender", other.try_peek_sender().map(drop)));
                told
            }

            pub(crate) async fn streams(address: &str) -> Vec<String> {
                let mut told = Vec::new();
                let listener = TcpListener::bind((address, 0)).await.unwrap();
                let at = listener.local_addr().unwrap();
                told.push(line("bind twice", TcpListener::bind(at).await.map(drop)));
                let (one, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
                let (mut one, (mut other, peer)) = (one.unwrap(), accepted.unwrap());
                assert_eq!((peer, at), (one.local_addr().unwrap(), one.peer_addr().unwrap()));
                told.push(line("nodelay", one.set_nodelay(true).and_then(|()| one.nodelay())));
                told.push(line("nothing to read", one.try_read(&mut [0; 4])));
                told.push(line("room to write", one.ready(Interest::WRITABLE).await));
                told.push(line(
                    "write vectored",
                    one.write_vectored(&[IoSlice::new(b"hel"), IoSlice::new(b"lo")]).await,
                ));
                other.readable().await.unwrap();
                told.push(line("readable", other.ready(Interest::READABLE).await));
                let mut word = [0; 5];
                told.push(line("peek", other.peek(&mut word[..2]).await));
                told.push(line("read", other.read_exact(&mut word).await));
                told.push(format!("{word:?}"));
                // More than any buffer, both ways at once.
                let bytes = vec![7; 5_000_000];
                let (mut reads, mut writes) = one.split();
                let (mut other_reads, mut other_writes) = other.split();
                let (mut here, mut there) = (vec![0; bytes.len()], vec![0; bytes.len()]);
                let all = tokio::join!(
                    writes.write_all(&bytes),
                    other_writes.write_all(&bytes),
                    reads.read_exact(&mut here),
                    other_reads.read_exact(&mut there)
                );
                told.push(format!("{all:?} {}", here == bytes && there == bytes));
                // Halves of their own: the writing one ends its direction.
                let (reads, writes) = one.into_split();
                drop(writes);
                told.push(line("the end", other.read(&mut word).await));
                told.push(line("back", other.write_all(b"back").await));
                let mut reads = reads;
                told.push(line("read after the end", reads.read_exact(&mut word[..4]).await));
                other.shutdown().await.unwrap();
                told.push(line("the other end", reads.read(&mut word).await));
                drop((reads, other, listener));
                told.push(line("nobody listens", TcpStream::connect(at).await.map(drop)));
                told.push(line("not ours", TcpListener::bind("198.51.100.1:0").await.map(drop)));
                told
            }

            pub(crate) async fn datagrams(address: &str) -> Vec<String> {
                let mut told = Vec::new();
                let one = UdpSocket::bind((address, 0)).await.unwrap();
                let other = UdpSocket::bind((address, 0)).await.unwrap();
                let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
                told.push(line("nothing", other.try_recv_from(&mut [0; 4])));
                told.push(line("send to nobody", one.send(b"x").await));
                told.push(line("send", one.send_to(b"hello", there).await));
                let mut into = [0; 3];
                let told_of = |(count, from)| (count, from == here);
                told.push(line("peek", other.peek_from(&mut into).await.map(told_of)));
                told.push(line("cut", other.recv_from(&mut into).await.map(told_of)));
                one.connect(there).await.unwrap();
                told.push(line("send connected", one.send(b"abc").await));
                told.push(line("recv", other.recv(&mut into).await));
                told.push(line("room", other.ready(Interest::WRITABLE).await));
                drop(other);
                told.push(line("send to the closed", one.send(b"abc").await));
                told.push(line("and hear of it", one.recv(&mut into).await));
                told
            }
        }
    };
}

told_by!(machine, tokio::net);
told_by!(ours, ieum_tokio);

#[tokio::test(flavor = "current_thread")]
async fn sockets_are_shaped_as_tokios_are() {
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(ours::shaped(address).await, machine::shaped(address).await, "{address}");
    }
}

#[tokio::test]
async fn streams_do_what_tokios_do() {
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(ours::streams(address).await, machine::streams(address).await, "{address}");
    }
}

#[tokio::test]
async fn datagrams_do_what_tokios_do() {
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(ours::datagrams(address).await, machine::datagrams(address).await, "{address}");
    }
}

fn pair() -> (Host, Host) {
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address| network.host().address(&link, address).build().unwrap();
    (host("10.1.0.1/24"), host("10.1.0.2/24"))
}

/// Counts how often it is woken.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn connected() -> (ieum_tokio::TcpStream, ieum_tokio::TcpStream) {
    let (one, other) = pair();
    let listener = ieum_tokio::TcpListener::from_std(other.listen("10.1.0.2:80").unwrap()).unwrap();
    let stream = ieum_tokio::TcpStream::connect_from(&one, "10.1.0.2:80").await.unwrap();
    (stream, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_blocking_socket_becomes_a_tasks_as_tokios_do() {
    /// What tokio's types promise, and a program may ask for.
    fn is_alike<Blocking, Task: TryFrom<Blocking, Error = std::io::Error>>(socket: Blocking) -> Task {
        Task::try_from(socket).unwrap()
    }
    let (one, other) = pair();
    let listener: ieum_tokio::TcpListener = is_alike(other.listen("10.1.0.2:80").unwrap());
    let mut stream: ieum_tokio::TcpStream = is_alike(one.connect("10.1.0.2:80").unwrap());
    let (mut accepted, _) = listener.accept().await.unwrap();
    accepted.write_all(b"word").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");
    let nothing: &ieum_tokio::TcpStream = stream.as_ref();
    assert_eq!(nothing.try_read(&mut word).unwrap_err().kind(), ErrorKind::WouldBlock);
    let socket: ieum_tokio::UdpSocket = is_alike(one.udp("10.1.0.1:0").unwrap());
    assert_eq!(socket.try_recv(&mut word).unwrap_err().kind(), ErrorKind::WouldBlock);
    let told: Vec<_> = ieum_tokio::lookup_host("10.1.0.1:7").await.unwrap().collect();
    assert_eq!(told, ["10.1.0.1:7".parse().unwrap()]);
}

#[tokio::test]
async fn a_future_that_is_dropped_has_taken_nothing() {
    let (one, other) = pair();
    let listener = ieum_tokio::TcpListener::from_std(other.listen("10.1.0.2:80").unwrap()).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut accepting = pin!(listener.accept());
        assert!(accepting.as_mut().poll(&mut cx).is_pending());
    }
    let mut stream = ieum_tokio::TcpStream::connect_from(&one, "10.1.0.2:80").await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    let mut word = [0; 4];
    {
        let mut reading = pin!(accepted.read(&mut word));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        stream.write_all(b"word").await.unwrap();
    }
    accepted.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_tasks_waits_for_one_listener_and_each_gets_a_connection() {
    const TASKS: usize = 50;
    let (one, other) = pair();
    let listener = ieum_tokio::TcpListener::from_std(other.listen("10.1.0.2:80").unwrap()).unwrap();
    let listener = Arc::new(listener);
    let serving: Vec<_> = (0..TASKS)
        .map(|_| {
            let listener = Arc::clone(&listener);
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                stream.write_all(&byte).await.unwrap();
            })
        })
        .collect();
    let clients: Vec<_> = (0..TASKS)
        .map(|number| {
            let one = one.clone();
            tokio::spawn(async move {
                let mut stream = ieum_tokio::TcpStream::connect_from(&one, "10.1.0.2:80").await.unwrap();
                let sent = [u8::try_from(number).unwrap()];
                stream.write_all(&sent).await.unwrap();
                let mut back = [0];
                stream.read_exact(&mut back).await.unwrap();
                assert_eq!(back, sent);
            })
        })
        .collect();
    for task in serving.into_iter().chain(clients) {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn halves_of_one_connection_are_one_again_and_others_are_not() {
    let (one, other) = connected().await;
    let (reads, writes) = one.into_split();
    let (other_reads, other_writes) = other.into_split();
    let strangers = reads.reunite(other_writes).unwrap_err();
    assert_eq!(strangers.to_string(), "tried to reunite halves that are not from the same socket");
    let (mut one, mut other) =
        (writes.reunite(strangers.0).unwrap(), other_reads.reunite(strangers.1).unwrap());
    one.write_all(b"whole").await.unwrap();
    let mut word = [0; 5];
    other.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"whole");
}

#[tokio::test(flavor = "current_thread")]
async fn a_socket_that_is_always_ready_leaves_others_their_turn() {
    let (one, _other) = pair();
    let socket = ieum_tokio::UdpSocket::from_std(one.udp("10.1.0.1:0").unwrap()).unwrap();
    let to = socket.local_addr().unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let busy = tokio::spawn(async move {
        loop {
            socket.send_to(b"x", to).await.unwrap();
            socket.recv_from(&mut [0]).await.unwrap();
        }
    });
    tokio::spawn(async move { tell.send(()).unwrap() });
    // Without the budget this would never end: both calls are always ready, and there is one thread.
    told.await.unwrap();
    busy.abort();
}

#[tokio::test]
async fn a_call_that_would_block_is_made_again_when_something_has_changed_and_not_before() {
    let (one, _other) = pair();
    let socket = ieum_tokio::UdpSocket::from_std(one.udp("10.1.0.1:0").unwrap()).unwrap();
    let (to, calls) = (socket.local_addr().unwrap(), AtomicUsize::new(0));
    let mut waiting = pin!(socket.async_io(Interest::READABLE, || {
        match calls.fetch_add(1, Ordering::Relaxed) {
            // It wants two datagrams at once.
            0 => Err(ErrorKind::WouldBlock.into()),
            earlier => Ok(earlier),
        }
    }));
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    socket.try_send_to(b"x", to).unwrap();
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!((calls.load(Ordering::Relaxed), woken.0.load(Ordering::Relaxed)), (1, 0));
    socket.try_send_to(b"x", to).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(matches!(polled, Poll::Ready(Ok(1))));
}

#[tokio::test]
async fn an_error_that_nobody_takes_keeps_no_reader_busy() {
    let (one, _other) = pair();
    let (socket, closed) = (one.udp("10.1.0.1:0").unwrap(), one.udp("10.1.0.1:0").unwrap());
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let looked_at = Socket::from(&socket);
    looked_at.set_option(IPPROTO_IP, IP_RECVERR, &1_i32.to_ne_bytes()).unwrap();
    let socket = ieum_tokio::UdpSocket::from_std(socket).unwrap();
    socket.connect(nobody).await.unwrap();
    socket.send(b"x").await.unwrap();
    let mut into = [0; 9];
    assert_eq!(socket.recv(&mut into).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // The notice stays in its queue, and poll(2) says POLLERR for as long.
    assert!(looked_at.readiness().error);
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    {
        let mut waiting = pin!(socket.recv(&mut into));
        assert!(waiting.as_mut().poll(cx).is_pending());
    }
    let mut into = ReadBuf::new(&mut into);
    assert!(socket.poll_recv_from(cx, &mut into).is_pending());
    assert!(socket.poll_peek_from(cx, &mut into).is_pending());
    assert!(socket.poll_peek(cx, &mut into).is_pending());
    assert!(socket.poll_peek_sender(cx).is_pending());
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    // What comes is told all the same.
    one.udp(nobody).unwrap().send_to(b"here", socket.local_addr().unwrap()).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(socket.poll_peek(cx, &mut into).is_ready());
    assert_eq!(into.filled(), b"here");
}

#[tokio::test]
async fn an_urgent_byte_is_waited_for_as_such() {
    let (one, other) = connected().await;
    let one = Socket::from(one.into_std().unwrap());
    assert_eq!(one.send(b"!", MSG_OOB, None).unwrap(), 1);
    let ready = other.ready(Interest::PRIORITY).await.unwrap();
    assert!(ready.is_priority() && !ready.is_readable(), "{ready:?}");
}

#[tokio::test]
async fn a_connect_that_is_dropped_is_given_up() {
    let network = Network::new().unwrap();
    let link = network.link();
    let one = network.host().address(&link, "10.1.0.1/24").build().unwrap();
    // Who listens to anything lets callers wait until it has made up its mind.
    let other = network.host().address(&link, "10.1.0.2/24").any_destination().build().unwrap();
    let _undecided = other.listen_any().unwrap();
    {
        let mut connecting = pin!(ieum_tokio::TcpStream::connect_from(&one, "10.1.0.2:80"));
        let polled = connecting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        assert_eq!(one.inspect(|host| host.sockets().len()), 1);
    }
    let left = one.inspect(|host| host.sockets().iter().filter(|socket| socket.state == "SYN-SENT").count());
    assert_eq!(left, 0);
    assert_eq!(
        ieum_tokio::TcpStream::connect_from(&one, "192.0.2.1:1").await.unwrap_err().kind(),
        ErrorKind::NetworkUnreachable
    );
}

#[tokio::test]
async fn dropping_what_lingers_holds_up_no_task() {
    use ieum::net::Socket;
    use ieum::sockets::numbers::{SO_LINGER, SOL_SOCKET};
    let network = Network::new().unwrap();
    let link = network.link();
    let host = |address| network.host().address(&link, address).build().unwrap();
    let (one, other) = (host("10.1.0.1/24"), host("10.1.0.2/24"));
    let listener = ieum_tokio::TcpListener::from_std(other.listen("10.1.0.2:80").unwrap()).unwrap();
    let stream = one.connect("10.1.0.2:80").unwrap();
    let (mut reader, _) = listener.accept().await.unwrap();
    // An hour, chosen before it was a task's.
    let an_hour = [1, 3600].map(i32::to_ne_bytes).concat();
    Socket::from(&stream).set_option(SOL_SOCKET, SO_LINGER, &an_hour).unwrap();
    let writer = ieum_tokio::TcpStream::from_std(stream).unwrap();
    let mut written = 0;
    while let Ok(count) = writer.try_write(&[7; 4096]) {
        written += count;
    }
    drop(writer);
    // The peer reads in the same thread, and has all of it.
    let mut read = Vec::new();
    reader.read_to_end(&mut read).await.unwrap();
    assert_eq!(read.len(), written);
}
