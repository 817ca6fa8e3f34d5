//! A port is held without being open.
//!
//! TCP: a bound socket that never listens is the *reservation*. A connect to it is refused, and nobody else can bind
//! the port, since it does not allow sharing. To listen, a second socket is bound beside it: for that moment both
//! allow sharing, with sockets of the same user (SO_REUSEPORT; SO_REUSEADDR would let any user's socket in, to listen as
//! soon as we cease). To cease, that second socket is closed.
//!
//! UDP: a bound socket receives at once, so while nobody serves it is connected to itself. The kernel then refuses
//! datagrams of everybody else (ICMP port unreachable), as it would had nobody the port.
//!
//! A port of IPv6 is one of IPv6 alone (IPV6_V6ONLY): who comes by IPv4 is led elsewhere inside, by a port of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SocketType, bind, connect, connect_unspec, getsockname, listen, sockopt};

use super::PublishError;
use crate::bounds::PUBLISHED_BACKLOG;
use crate::kernel;

/// Binds a port of the machine; port 0 becomes the one taken.
pub(super) fn reserve(kind: SocketType, wish: SocketAddr) -> Result<(OwnedFd, SocketAddr), PublishError> {
    let explain = |error| match error {
        Errno::ADDRINUSE => PublishError::InUse(wish),
        Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT => PublishError::NotLocal(wish),
        Errno::ACCESS | Errno::PERM => PublishError::Privileged(wish),
        error => PublishError::Other(wish, error.into()),
    };
    let reserved = if kind == SocketType::DGRAM && wish.port() == 0 {
        bind_free_datagram(wish)
    } else {
        bind_given(kind, wish)
    };
    reserved.map_err(explain)
}

fn bind_given(kind: SocketType, wish: SocketAddr) -> Result<(OwnedFd, SocketAddr), Errno> {
    let socket = socket(kind, wish)?;
    bind_alone(&socket, kind, wish)?;
    let taken = getsockname(&socket).and_then(SocketAddr::try_from)?;
    Ok((socket, taken))
}

/// A socket of one family.
fn socket(kind: SocketType, wish: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = kernel::socket(kind, wish)?;
    if wish.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

/// A port that the kernel chose it takes back when the socket's association is dissolved; one that was named it does
/// not. So the chosen one is named, beside the socket it was chosen for.
fn bind_free_datagram(wish: SocketAddr) -> Result<(OwnedFd, SocketAddr), Errno> {
    let (chosen, named) = (socket(SocketType::DGRAM, wish)?, socket(SocketType::DGRAM, wish)?);
    sockopt::set_socket_reuseport(&chosen, true)?;
    sockopt::set_socket_reuseport(&named, true)?;
    bind(&chosen, &wish)?;
    let taken = getsockname(&chosen).and_then(SocketAddr::try_from)?;
    bind(&named, &taken)?;
    sockopt::set_socket_reuseport(&named, false)?;
    Ok((named, taken))
}

fn bind_alone(socket: &OwnedFd, kind: SocketType, wish: SocketAddr) -> Result<(), Errno> {
    match bind(socket, &wish) {
        Err(Errno::ADDRINUSE) if kind == SocketType::STREAM => {
            // Perhaps only remains of earlier connections (TIME-WAIT) hold it, which servers ignore in this way.
            sockopt::set_socket_reuseaddr(socket, true)?;
            bind(socket, &wish)?;
            sockopt::set_socket_reuseaddr(socket, false)
        }
        other => other,
    }
}

/// Opens a reserved TCP port.
pub(super) fn open_stream(reservation: &OwnedFd, outside: SocketAddr) -> Result<OwnedFd, Errno> {
    sockopt::set_socket_reuseport(reservation, true)?;
    let listening = listen_beside(outside);
    sockopt::set_socket_reuseport(reservation, false)?;
    listening
}

fn listen_beside(outside: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = socket(SocketType::STREAM, outside)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // Beside the remains of earlier connections. The reservation never allows it, so that it lets in nobody else.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &outside)?;
    listen(&socket, PUBLISHED_BACKLOG)?;
    Ok(socket)
}

/// Opens a reserved UDP port.
pub(super) fn open_datagram(socket: &OwnedFd) -> Result<(), Errno> {
    connect_unspec(socket)
}

/// Closes a UDP port that stays reserved.
pub(super) fn close_datagram(socket: &OwnedFd, outside: SocketAddr) -> Result<(), Errno> {
    let itself = match outside.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    };
    connect(socket, &SocketAddr::new(itself, outside.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    /// Any port of loopback in each family that this machine has.
    fn any_ports() -> impl Iterator<Item = &'static str> {
        ["127.0.0.1:0", "[::1]:0"].into_iter().filter(|address| TcpListener::bind(address).is_ok())
    }

    #[test]
    fn a_reserved_port_refuses_and_cannot_be_taken() {
        any_ports().for_each(refuses_and_cannot_be_taken);
    }

    fn refuses_and_cannot_be_taken(any_port: &str) {
        let (reservation, outside) = reserve(SocketType::STREAM, any_port.parse().unwrap()).unwrap();
        let refused = |outside| TcpStream::connect(outside).map_err(|error| error.kind()).err();
        assert_eq!(refused(outside), Some(std::io::ErrorKind::ConnectionRefused));
        assert!(TcpListener::bind(outside).is_err(), "std sets SO_REUSEADDR, and still cannot have it");
        assert!(matches!(reserve(SocketType::STREAM, outside), Err(PublishError::InUse(_))));

        for _ in 0..2 {
            let listening = open_stream(&reservation, outside).unwrap();
            let client = TcpStream::connect(outside).unwrap();
            let accepted = rustix::net::accept(&listening).unwrap();
            // The server's side closes first, and leaves a TIME-WAIT behind.
            drop(accepted);
            drop(client);
            assert!(TcpListener::bind(outside).is_err());
            drop(listening);
            assert_eq!(refused(outside), Some(std::io::ErrorKind::ConnectionRefused));
        }
        drop(reservation);
        // The remains of connections do not keep a new ieum out.
        reserve(SocketType::STREAM, outside).unwrap();
    }

    #[test]
    fn nobody_slips_in_while_a_port_is_opened() {
        for any_port in any_ports() {
            let (reservation, outside) = reserve(SocketType::STREAM, any_port.parse().unwrap()).unwrap();
            // As it is in the middle of opening. (std sets SO_REUSEADDR, and the kernel does not ask whose socket it is.)
            sockopt::set_socket_reuseport(&reservation, true).unwrap();
            let listening = listen_beside(outside).unwrap();
            assert!(TcpListener::bind(outside).is_err());
            drop(listening);
            assert!(TcpListener::bind(outside).is_err());
            sockopt::set_socket_reuseport(&reservation, false).unwrap();
            assert!(TcpListener::bind(outside).is_err());
        }
    }

    #[test]
    fn a_reserved_datagram_port_refuses_until_it_is_opened() {
        for any_port in any_ports() {
            let local: SocketAddr = any_port.parse().unwrap();
            let everywhere = if local.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            refuses_until_it_is_opened(any_port, local);
            refuses_until_it_is_opened(everywhere, local);
        }
    }

    fn refuses_until_it_is_opened(wish: &str, local: SocketAddr) {
        let (socket, outside) = reserve(SocketType::DGRAM, wish.parse().unwrap()).unwrap();
        let client = UdpSocket::bind(local).unwrap();
        client.connect((local.ip(), outside.port())).unwrap();
        let refused = |client: &UdpSocket| {
            client.send(b"?").unwrap();
            client.send(b"?").map_err(|error| error.kind()).err()
        };
        close_datagram(&socket, outside).unwrap();
        assert_eq!(refused(&client), Some(std::io::ErrorKind::ConnectionRefused));
        open_datagram(&socket).unwrap();
        assert_eq!(refused(&client), None);
        close_datagram(&socket, outside).unwrap();
        assert_eq!(refused(&client), Some(std::io::ErrorKind::ConnectionRefused));
        assert!(UdpSocket::bind((local.ip(), outside.port())).is_err());
    }

    #[test]
    fn one_port_may_be_published_in_both_families() {
        if any_ports().count() < 2 {
            return;
        }
        for kind in [SocketType::STREAM, SocketType::DGRAM] {
            let (_six, outside) = reserve(kind, "[::]:0".parse().unwrap()).unwrap();
            reserve(kind, SocketAddr::from(([0, 0, 0, 0], outside.port()))).unwrap();
        }
    }
}
