//! The same source over the machine's sockets and over ours: what it prints must be the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

/// Declares a module that does everything with the types of `$net` and tells what came of it, a line a call.
macro_rules! told_by {
    ($name:ident, $net:path) => {
        mod $name {
            use std::io::{IoSlice, IoSliceMut, Read, Write};
            use std::thread;
            use std::time::Duration;

            use $net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};

            fn line<T: std::fmt::Debug>(call: &str, outcome: std::io::Result<T>) -> String {
                match outcome {
                    Ok(value) => format!("{call}: {value:?}"),
                    Err(error) => format!("{call}: {:?} {:?}", error.kind(), error.raw_os_error()),
                }
            }

            /// Writes until there is an error; how much went before it.
            fn fill(stream: &mut TcpStream) -> (usize, std::io::Result<()>) {
                let mut sent = 0;
                loop {
                    match stream.write(&[1; 100_000]) {
                        Ok(count) => sent += count,
                        Err(error) => return (sent, Err(error)),
                    }
                }
            }

            /// Reads so much that the other end can write again.
            fn drain(stream: &mut TcpStream, bytes: usize) {
                assert!(bytes > 0);
                stream.read_exact(&mut vec![0; bytes]).unwrap();
            }

            pub(crate) fn streams(address: &str) -> Vec<String> {
                let mut told = Vec::new();
                let listener = TcpListener::bind((address, 0)).unwrap();
                let at = listener.local_addr().unwrap();
                told.push(line("bind twice", TcpListener::bind(at).map(drop)));
                listener.set_nonblocking(true).unwrap();
                told.push(line("accept nobody", listener.accept().map(drop)));
                listener.set_nonblocking(false).unwrap();
                let mut one = TcpStream::connect(at).unwrap();
                let (mut other, peer) = listener.accept().unwrap();
                assert_eq!(peer, one.local_addr().unwrap());
                assert_eq!(other.local_addr().unwrap(), at);
                told.push(line("ttl", one.ttl()));
                told.push(line("nodelay", one.nodelay()));
                one.set_nodelay(true).unwrap();
                told.push(line("nodelay set", one.nodelay()));
                told.push(line("set_ttl 0", one.set_ttl(0)));
                told.push(line("no time", one.set_read_timeout(Some(Duration::ZERO))));
                one.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                told.push(line("read nothing in time", one.read(&mut [0; 4])));
                told.push(line("read timeout", one.read_timeout()));
                one.set_read_timeout(None).unwrap();
                told.push(line("no read timeout", one.read_timeout()));
                one.set_write_timeout(Some(Duration::new(3, 5))).unwrap();
                told.push(line("write timeout", one.write_timeout()));
                one.set_write_timeout(Some(Duration::from_nanos(1))).unwrap();
                told.push(line("least write timeout", one.write_timeout()));
                let (sent, end) = fill(&mut one);
                told.push(line("write in vain", end));
                drain(&mut other, sent);
                one.set_write_timeout(None).unwrap();
                one.set_nonblocking(true).unwrap();
                told.push(line("read nothing", one.read(&mut [0; 4])));
                told.push(line("read into nothing", one.read(&mut [])));
                let (sent, end) = fill(&mut one);
                told.push(line("write in vain", end));
                one.set_nonblocking(false).unwrap();
                drain(&mut other, sent);
                told.push(line("ttl", one.set_ttl(7).and_then(|()| one.ttl())));
                told.push(line("too far", one.set_ttl(256)));
                told.push(line("ttl of the listener", listener.set_ttl(9).and_then(|()| listener.ttl())));
                told.push(line("error of the listener", listener.take_error()));
                let vectored =
                    one.write_vectored(&[IoSlice::new(b""), IoSlice::new(b"vec"), IoSlice::new(b"tored")]);
                told.push(line("write vectored", vectored));
                let (mut first, mut second) = ([0; 3], [0; 9]);
                other.read_exact(&mut first[..1]).unwrap();
                let mut into =
                    [IoSliceMut::new(&mut []), IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
                told.push(line("read vectored", other.read_vectored(&mut into)));
                told.push(format!("{first:?} {second:?}"));
                told.push(line("write nothing", one.write(&[])));
                told.push(line("write", one.write(b"hello")));
                let mut word = [0; 5];
                told.push(line("peek", other.peek(&mut word[..2])));
                other.read_exact(&mut word).unwrap();
                told.push(format!("{word:?}"));
                // More than any buffer: the writer blocks until the reader has come by.
                let mut writer = one.try_clone().unwrap();
                let bytes = vec![7; 20_000_000];
                let writing = thread::spawn(move || {
                    writer.write_all(&bytes).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut all = Vec::new();
                other.read_to_end(&mut all).unwrap();
                writing.join().unwrap();
                told.push(format!("{} bytes, {}", all.len(), all.iter().all(|byte| *byte == 7)));
                told.push(line("read the end", other.read(&mut [0; 4])));
                told.push(line("write after the end", one.write(b"x")));
                other.write_all(b"bye").unwrap();
                told.push(line("read after the end", one.read(&mut word)));
                told.push(line("pending error", one.take_error()));
                drop(other);
                told.push(line("the other end", one.read(&mut word)));
                told.push(line("shut down", one.shutdown(Shutdown::Both)));
                told.push(line("peer", one.peer_addr().map(|_| ())));
                told.push(line("no time to write", one.set_write_timeout(Some(Duration::ZERO))));
                let second = listener.try_clone().unwrap();
                told.push(line("a copy of the listener", second.local_addr().map(|address| address == at)));
                #[allow(deprecated, reason = "std has it, so it is compared")]
                {
                    told.push(line("only IPv6", listener.only_v6()));
                    told.push(line("only IPv6 set", listener.set_only_v6(true)));
                }
                let third = TcpStream::connect_timeout(&at, Duration::from_secs(60)).unwrap();
                let came = second.incoming().next().unwrap().unwrap();
                told.push(line(
                    "incoming",
                    came.peer_addr().map(|peer| Ok(peer) == third.local_addr().map_err(drop)),
                ));
                told.push(line(
                    "nothing to peek",
                    came.set_nonblocking(true).and_then(|()| came.peek(&mut word)),
                ));
                told.push(line("shut down reading", came.shutdown(Shutdown::Read)));
                told.push(line("read what is shut down", (&came).read(&mut word)));
                told.push(line("flush", (&came).flush()));
                let clone = came.try_clone().unwrap();
                drop(came);
                told.push(line(
                    "a copy goes on",
                    (&clone).write(b"x").and_then(|_| (&third).read(&mut word)),
                ));
                drop((clone, third, second));
                drop((one, listener));
                told.push(line("nobody listens", TcpStream::connect(at).map(drop)));
                told.push(line(
                    "nobody listens in time",
                    TcpStream::connect_timeout(&at, Duration::from_secs(60)).map(drop),
                ));
                told.push(line("nobody of that name", TcpStream::connect("no port").map(drop)));
                told.push(line("not ours", TcpListener::bind("198.51.100.1:0").map(drop)));
                told.push(line("no address at all", TcpStream::connect(&[] as &[SocketAddr]).map(drop)));
                told
            }

            pub(crate) fn reset(address: &str) -> Vec<String> {
                let listener = TcpListener::bind((address, 0)).unwrap();
                let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (other, _) = listener.accept().unwrap();
                one.write_all(b"unread").unwrap();
                // With bytes unread closing resets.
                let mut byte = [0];
                other.peek(&mut byte).unwrap();
                drop(other);
                let mut told = vec![line("read", one.read(&mut byte))];
                told.push(line("read again", one.read(&mut byte)));
                told.push(line("write", one.write(&byte)));
                told.push(line("peer", one.peer_addr().map(|_| ())));
                told.push(line("shut down", one.shutdown(Shutdown::Write)));
                told.push(line("pending error", one.take_error()));
                told
            }

            pub(crate) fn datagrams(address: &str) -> Vec<String> {
                let mut told = Vec::new();
                let one = UdpSocket::bind((address, 0)).unwrap();
                let other = UdpSocket::bind((address, 0)).unwrap();
                let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
                told.push(line("peer of nobody", one.peer_addr().map(|_| ())));
                told.push(line("send to nobody", one.send(b"x")));
                told.push(line("send", one.send_to(b"hello", there)));
                told.push(line("send nothing", one.send_to(b"", there)));
                let mut into = [0; 3];
                told.push(line(
                    "peek",
                    other.peek_from(&mut into).map(|(count, from)| (count, from == here)),
                ));
                told.push(line("cut", other.recv_from(&mut into).map(|(count, from)| (count, from == here))));
                told.push(line(
                    "empty",
                    other.recv_from(&mut into).map(|(count, from)| (count, from == here)),
                ));
                other.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                told.push(line("nothing in time", other.recv_from(&mut into)));
                other.set_nonblocking(true).unwrap();
                told.push(line("nothing", other.recv_from(&mut into)));
                told.push(line("too large", one.send_to(&[0; 65_536], there)));
                one.connect(there).unwrap();
                told.push(line("send connected", one.send(b"abc")));
                told.push(line("broadcast", one.broadcast()));
                one.set_broadcast(true).unwrap();
                told.push(line("broadcast set", one.broadcast()));
                told.push(line("ttl", one.ttl()));
                told.push(line("multicast ttl", one.multicast_ttl_v4()));
                told.push(line("multicast loop", one.multicast_loop_v4()));
                told.push(line("ttl", one.set_ttl(3).and_then(|()| one.ttl())));
                told.push(line("pending error", one.take_error()));
                told.push(line("peer", one.peer_addr().map(|peer| peer == there)));
                told.push(line("connected to others", one.send_to(b"x", "192.0.2.1:0")));
                told.push(line("no port", other.send_to(b"x", ("127.0.0.1", 0))));
                told.push(line("nowhere", other.send_to(b"x", &[] as &[SocketAddr])));
                // Connected, it hears its peer alone.
                let stranger = UdpSocket::bind((address, 0)).unwrap();
                stranger.send_to(b"stranger", here).unwrap();
                one.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                told.push(line("strangers are not heard", one.recv(&mut into)));
                other.send_to(b"peer", here).unwrap();
                told.push(line("the peer is", one.peek(&mut into)));
                told.push(line("the peer is", one.recv(&mut into)));
                told.push(line(
                    "multicast ttl",
                    one.set_multicast_ttl_v4(5).and_then(|()| one.multicast_ttl_v4()),
                ));
                told.push(line("too far", one.set_multicast_ttl_v4(256)));
                told.push(line(
                    "loop",
                    one.set_multicast_loop_v4(false).and_then(|()| one.multicast_loop_v4()),
                ));
                told.push(line(
                    "loop of IPv6",
                    one.set_multicast_loop_v6(false).and_then(|()| one.multicast_loop_v6()),
                ));
                let nobody = std::net::Ipv4Addr::UNSPECIFIED;
                told.push(line("no group", one.join_multicast_v4(&std::net::Ipv4Addr::LOCALHOST, &nobody)));
                told.push(line("no group", one.leave_multicast_v4(&"239.1.1.1".parse().unwrap(), &nobody)));
                told.push(line("no group", one.join_multicast_v6(&std::net::Ipv6Addr::LOCALHOST, 0)));
                told.push(line("no group", one.leave_multicast_v6(&"ff02::99".parse().unwrap(), 0)));
                let group = "239.1.1.1".parse().unwrap();
                for call in ["join", "join again"] {
                    let joined = one.join_multicast_v4(&group, &std::net::Ipv4Addr::LOCALHOST);
                    told.push(line(call, joined));
                }
                for call in ["leave", "leave again"] {
                    let left = one.leave_multicast_v4(&group, &std::net::Ipv4Addr::LOCALHOST);
                    told.push(line(call, left));
                }
                told.push(line("loop of IPv6", one.multicast_loop_v6()));
                told.push(line("read timeout", one.read_timeout()));
                told.push(line("no time", one.set_read_timeout(Some(Duration::ZERO))));
                told.push(line("write timeout", one.write_timeout()));
                told.push(line("no time", one.set_write_timeout(Some(Duration::ZERO))));
                told.push(line(
                    "write timeout",
                    one.set_write_timeout(Some(Duration::from_secs(2))).and_then(|()| one.write_timeout()),
                ));
                let copy = one.try_clone().unwrap();
                other.send_to(b"to both", here).unwrap();
                let peeked = copy.peek_from(&mut into).map(|(count, from)| (count, from == there));
                told.push(line("peek by a copy", peeked));
                told.push(line(
                    "and take",
                    one.recv_from(&mut into).map(|(count, from)| (count, from == there)),
                ));
                told.push(line("bind twice", UdpSocket::bind(here).map(drop)));
                drop((other, copy));
                told.push(line("send to the closed", one.send(b"abc")));
                told.push(line("and hear of it", one.recv(&mut into)));
                told
            }

            /// Many threads on one listener, both directions at once.
            pub(crate) fn many(address: &str) -> usize {
                let listener = TcpListener::bind((address, 0)).unwrap();
                let at = listener.local_addr().unwrap();
                let clients: Vec<_> = (0..20_u8)
                    .map(|number| {
                        thread::spawn(move || {
                            let stream = TcpStream::connect(at).unwrap();
                            let mut writer = stream.try_clone().unwrap();
                            let writing = thread::spawn(move || {
                                writer.write_all(&vec![number; 300_000]).unwrap();
                                writer.shutdown(Shutdown::Write).unwrap();
                            });
                            let mut back = Vec::new();
                            (&stream).read_to_end(&mut back).unwrap();
                            writing.join().unwrap();
                            assert!(back.iter().all(|byte| *byte == number));
                            back.len()
                        })
                    })
                    .collect();
                for stream in listener.incoming().take(clients.len()) {
                    thread::spawn(move || {
                        let mut stream = stream.unwrap();
                        let mut bytes = [0; 10_000];
                        loop {
                            match stream.read(&mut bytes).unwrap() {
                                0 => return,
                                count => stream.write_all(&bytes[..count]).unwrap(),
                            }
                        }
                    });
                }
                clients.into_iter().map(|client| client.join().unwrap()).sum()
            }
        }
    };
}

told_by!(machine, std::net);
told_by!(ours, ieum::net);

#[test]
fn streams_do_what_std_does() {
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(ours::streams(address), machine::streams(address), "{address}");
    }
}

#[test]
fn a_reset_is_told_as_std_tells_it() {
    assert_eq!(ours::reset("127.0.0.1"), machine::reset("127.0.0.1"));
}

#[test]
fn datagrams_do_what_std_does() {
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(ours::datagrams(address), machine::datagrams(address), "{address}");
    }
}

#[test]
fn twenty_clients_talk_both_ways_at_once() {
    assert_eq!(ours::many("127.0.0.1"), machine::many("127.0.0.1"));
}
