//! Whatever a host connects to goes through a SOCKS5 proxy (RFC 1928): the heart of a tun2socks.
//!
//! The tunnel's end stands for every address. A connection is answered when the proxy has reached its destination, so that a
//! refusal behind the proxy is one inside. Here the inside is a host of this process.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use ieum::wire::Unreachable;
use ieum::{Flow, Network, Refusal};

/// A proxy's answer that is not "succeeded", as what it is inside (RFC 1928 §6).
fn refusal(answer: u8) -> Refusal {
    match answer {
        5 => Refusal::Reset,
        3 => Refusal::Unreachable(Unreachable::Network),
        _ => Refusal::Unreachable(Unreachable::Host),
    }
}

/// Asks the proxy for a connection; the inner error is its refusal.
fn through(proxy: SocketAddr, to: SocketAddr) -> io::Result<Result<TcpStream, Refusal>> {
    let mut stream = TcpStream::connect(proxy)?;
    // Version 5, one method: no authentication.
    stream.write_all(&[5, 1, 0])?;
    stream.read_exact(&mut [0; 2])?;
    let mut request = vec![5, 1, 0];
    match to.ip() {
        IpAddr::V4(ip) => request.extend([&[1][..], &ip.octets()].concat()),
        IpAddr::V6(ip) => request.extend([&[4][..], &ip.octets()].concat()),
    }
    request.extend(to.port().to_be_bytes());
    stream.write_all(&request)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut bound = vec![0; if head[3] == 4 { 18 } else { 6 }];
    stream.read_exact(&mut bound)?;
    Ok(if head[1] == 0 { Ok(stream) } else { Err(refusal(head[1])) })
}

/// One connection, both ways, each direction with its own end.
fn carry(flow: Flow, proxy: SocketAddr) -> io::Result<()> {
    // A proxy that cannot be asked is a network that cannot be reached.
    let reached =
        through(proxy, flow.destination()).unwrap_or(Err(Refusal::Unreachable(Unreachable::Network)));
    let outside = match reached {
        Ok(outside) => outside,
        Err(refusal) => {
            flow.refuse(refusal);
            return Ok(());
        }
    };
    let inside = flow.accept()?;
    // When one direction breaks, both do: nobody waits for the other.
    let breaks = |_| inside.shutdown(Shutdown::Both).and_then(|()| outside.shutdown(Shutdown::Both));
    thread::scope(|scope| {
        scope.spawn(|| {
            let out = io::copy(&mut &inside, &mut &outside).and_then(|_| outside.shutdown(Shutdown::Write));
            out.or_else(breaks)
        });
        let back = io::copy(&mut &outside, &mut &inside).and_then(|_| inside.shutdown(Shutdown::Write));
        back.or_else(breaks)
    })
}

/// A proxy that knows one destination, an echo, and refuses all others.
fn play_proxy(listener: &TcpListener) -> io::Result<()> {
    for _ in 0..2 {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 3])?;
        stream.write_all(&[5, 0])?;
        let mut request = [0; 10];
        stream.read_exact(&mut request)?;
        let known = request[4..] == [192, 0, 2, 7, 0, 7];
        stream.write_all(&[5, if known { 0 } else { 5 }, 0, 1, 0, 0, 0, 0, 0, 0])?;
        if known {
            io::copy(&mut &stream, &mut &stream)?;
            stream.shutdown(Shutdown::Write)?;
        }
    }
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let proxy = listener.local_addr()?;
    let proxying = thread::spawn(move || play_proxy(&listener));

    let network = Network::new()?;
    let link = network.link();
    let inside = network.host().address(&link, "10.1.0.2/24").route("0.0.0.0/0", "10.1.0.1").build()?;
    let tunnel = network.host().address(&link, "10.1.0.1/24").any_destination().build()?;
    let flows = tunnel.listen_any()?;
    let tunnelling =
        thread::spawn(move || -> io::Result<()> { (0..2).try_for_each(|_| carry(flows.accept()?, proxy)) });

    let mut stream = inside.connect("192.0.2.7:7")?;
    stream.write_all(b"through the tunnel and back")?;
    stream.shutdown(Shutdown::Write)?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo)?;
    assert_eq!(echo, "through the tunnel and back");
    let refused = inside.connect("192.0.2.7:8").map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
    println!("{echo}; and what the proxy refuses is refused");
    tunnelling.join().expect("the tunnel ends in peace")?;
    proxying.join().expect("the proxy ends in peace")
}
