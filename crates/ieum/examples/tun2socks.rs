//! Whatever the machine sends into a TUN interface goes through a SOCKS5 proxy (RFC 1928), TCP and UDP:
//! `ip tuntap add tun0 mode tun`, `tun2socks tun0 127.0.0.1:1080`, and then routes to tun0, save the one to the proxy.
//!
//! A host stands for every address. A connection is answered when the proxy has reached its destination, so that a
//! refusal there is one here; a datagram's answers come from where it was sent to.

use std::collections::hash_map::{Entry, HashMap};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ieum::device::tun::{Tun, TunConfig, TunKind};
use ieum::wire::Unreachable;
use ieum::{AnyDatagrams, Flow, Network, Refusal};

/// The proxy's words (§4).
const CONNECT: u8 = 1;
const ASSOCIATE: u8 = 3;

/// How long an inside socket's association stays without an answer.
const IDLE: Duration = Duration::from_secs(60);

/// An address as the proxy writes it (§5).
fn written(address: SocketAddr) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(ip) => [&[1][..], &ip.octets(), &address.port().to_be_bytes()].concat(),
        IpAddr::V6(ip) => [&[4][..], &ip.octets(), &address.port().to_be_bytes()].concat(),
    }
}

/// The address at the head of `bytes`, and what follows it.
fn read_address(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (ip, rest): (IpAddr, _) = match kind {
        1 => rest.split_first_chunk::<4>().map(|(ip, rest)| (Ipv4Addr::from(*ip).into(), rest))?,
        4 => rest.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).into(), rest))?,
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}

/// Asks the proxy; its connection and the address it answers, or what its refusal is inside.
fn ask(proxy: SocketAddr, word: u8, to: SocketAddr) -> io::Result<Result<(TcpStream, SocketAddr), Refusal>> {
    let mut stream = TcpStream::connect(proxy)?;
    // Version 5, one method: no authentication.
    stream.write_all(&[5, 1, 0])?;
    stream.read_exact(&mut [0; 2])?;
    stream.write_all(&[&[5, word, 0][..], &written(to)].concat())?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut bound = vec![head[3]; if head[3] == 4 { 19 } else { 7 }];
    stream.read_exact(&mut bound[1..])?;
    Ok(match head[1] {
        0 => Ok((stream, read_address(&bound).ok_or(io::ErrorKind::InvalidData)?.0)),
        5 => Err(Refusal::Reset),
        3 => Err(Refusal::Unreachable(Unreachable::Network)),
        _ => Err(Refusal::Unreachable(Unreachable::Host)),
    })
}

/// One connection, both ways, each direction with its own end; when one breaks, both do.
fn carry(flow: Flow, proxy: SocketAddr) -> io::Result<()> {
    // A proxy that cannot be asked is a network that cannot be reached.
    let asked = ask(proxy, CONNECT, flow.destination());
    let outside = match asked.unwrap_or(Err(Refusal::Unreachable(Unreachable::Network))) {
        Ok((outside, _)) => outside,
        Err(refusal) => {
            flow.refuse(refusal);
            return Ok(());
        }
    };
    let inside = flow.accept()?;
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

/// The way out of one inside socket's datagrams; what comes back goes to it, until nothing has for a while.
fn associate(source: SocketAddr, proxy: SocketAddr, all: &Arc<AnyDatagrams>) -> io::Result<Arc<UdpSocket>> {
    let anywhere = if proxy.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = Arc::new(UdpSocket::bind(anywhere)?);
    let asked = ask(proxy, ASSOCIATE, anywhere.parse().map_err(io::Error::other)?)?;
    let (control, relay) = asked.map_err(|_| io::ErrorKind::ConnectionRefused)?;
    // A proxy that names no address means its own.
    socket.connect((if relay.ip().is_unspecified() { proxy.ip() } else { relay.ip() }, relay.port()))?;
    socket.set_read_timeout(Some(IDLE))?;
    let (receiving, all) = (Arc::clone(&socket), Arc::clone(all));
    thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(count) = receiving.recv(&mut bytes) {
            // Two bytes reserved, and a third: no fragments (§7).
            if let Some((from, payload)) = bytes[..count].get(3..).and_then(read_address) {
                let _lost = all.send(payload, from, source);
            }
        }
        drop(control);
    });
    Ok(socket)
}

/// Datagrams to any address.
fn carry_datagrams(all: &Arc<AnyDatagrams>, proxy: SocketAddr) -> io::Result<()> {
    let mut sockets = HashMap::new();
    loop {
        let datagram = all.recv()?;
        // Those whose receiver has gone are gone.
        sockets.retain(|_, socket: &mut Arc<UdpSocket>| Arc::strong_count(socket) > 1);
        let socket = match sockets.entry(datagram.source) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let Ok(socket) = associate(datagram.source, proxy, all) else { continue };
                new.insert(socket)
            }
        };
        let _lost = socket.send(&[&[0; 3][..], &written(datagram.destination), &datagram.payload].concat());
    }
}

/// Carries what comes from the interface for as long as the process lives.
pub(crate) fn tunnel(tun: Tun, proxy: SocketAddr) -> io::Result<()> {
    let network = Network::new()?;
    let link = network.tun_link(tun)?;
    // Addresses for what the host itself has to say: documentation's own, which nobody else has.
    let host = network.host().address(&link, "192.0.2.1/0").address(&link, "2001:db8::1/0").any_destination();
    let host = host.build()?;
    let (flows, datagrams) = (host.listen_any()?, host.datagrams_any()?);
    thread::spawn(move || carry_datagrams(&Arc::new(datagrams), proxy));
    loop {
        let flow = flows.accept()?;
        thread::spawn(move || carry(flow, proxy));
    }
}

fn main() -> Result<(), String> {
    let words: Vec<String> = std::env::args().collect();
    let [_, name, proxy] = &words[..] else { return Err("tun2socks TUN PROXY:PORT".into()) };
    let proxy = proxy.parse().map_err(|error| format!("{proxy}: {error}"))?;
    let config = TunConfig { name: name.clone(), kind: TunKind::Tun, keep: true, offload: true };
    tunnel(Tun::open(&config).map_err(|error| error.to_string())?, proxy).map_err(|error| error.to_string())
}
