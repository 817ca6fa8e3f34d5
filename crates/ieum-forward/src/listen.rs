//! Sockets that listen.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ieum_exit::{Transport, kernel};
use rustix::io::Errno;
use rustix::net::{SocketType, bind, getsockname, listen, sockopt};

use crate::bounds::BACKLOG;
use crate::rule::suffix;
use crate::spot::Spot;

/// A port that is open.
pub(crate) type Open = (OwnedFd, SocketAddr);

/// Why a port cannot be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("port {0} is in use by another program; choose another (`ss -lnp` lists who has which)")]
    InUse(String),
    #[error("cannot listen on {0}: it is no address of this machine")]
    NotLocal(String),
    #[error("cannot listen on {0} in the host: it is none of its addresses")]
    NotInHost(String),
    #[error("port {0} may only be taken by the superuser; choose one from 1024 on")]
    Privileged(String),
    #[error("cannot listen on {0}: {1}")]
    Other(String, io::Error),
}

/// Tries for a free port that both families have: the kernel chooses it in the first, and somebody may have it in the
/// other.
const FREE_PORT_TRIES: usize = 16;

/// Opens a port: at one address, or at each that a name has; without an address on 127.0.0.1 and, where the machine has
/// it, ::1, with one number.
///
/// # Errors
///
/// [`ListenError`] says what a person should be told. All or none is opened.
pub(crate) fn open(spot: &Spot, transport: Transport) -> Result<Vec<Open>, ListenError> {
    let shown = || format!("{spot}{}", suffix(transport));
    let addresses = spot.look_up().map_err(|error| ListenError::Other(shown(), error))?;
    let may_lack_ip6 = spot.host.is_none();
    let mut tries = if spot.port == 0 { FREE_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match open_all(&addresses, transport, may_lack_ip6) {
            Ok(open) => return Ok(open),
            Err((_, Errno::ADDRINUSE)) if tries > 0 => {}
            Err((at, error)) => return Err(explain(spot, format!("{at}{}", suffix(transport)), error)),
        }
    }
}

fn open_all(
    addresses: &[SocketAddr],
    transport: Transport,
    may_lack_ip6: bool,
) -> Result<Vec<Open>, (SocketAddr, Errno)> {
    let mut open: Vec<Open> = Vec::new();
    for address in addresses {
        let mut address = *address;
        if let (0, Some((_, first))) = (address.port(), open.first()) {
            address.set_port(first.port());
        }
        match open_one(address, transport) {
            Ok(one) => open.push(one),
            Err(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
                if may_lack_ip6 && address.is_ipv6() && !open.is_empty() => {}
            Err(error) => return Err((address, error)),
        }
    }
    Ok(open)
}

fn open_one(address: SocketAddr, transport: Transport) -> Result<Open, Errno> {
    let kind = match transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    let socket = kernel::socket(kind, address)?;
    if address.is_ipv6() {
        // `[::]` means IPv6 alone: 0.0.0.0 is another rule.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if transport == Transport::Tcp {
        // Beside the remains of earlier connections (TIME-WAIT), as servers do.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    if transport == Transport::Tcp {
        listen(&socket, BACKLOG)?;
    }
    let taken = getsockname(&socket).and_then(SocketAddr::try_from)?;
    Ok((socket, taken))
}

fn explain(spot: &Spot, at: String, error: Errno) -> ListenError {
    let at = spot.within.as_ref().map_or_else(|| at.clone(), |name| format!("{at}@{name}"));
    match error {
        Errno::ADDRINUSE => ListenError::InUse(at),
        Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT if spot.within.is_some() => ListenError::NotInHost(at),
        Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT => ListenError::NotLocal(at),
        Errno::ACCESS | Errno::PERM => ListenError::Privileged(at),
        error => ListenError::Other(at, error.into()),
    }
}

/// Addresses that are open, in a person's words.
pub(crate) fn shown(open: &[SocketAddr], within: Option<&ieum_control::Name>) -> String {
    let at = within.map(|name| format!("@{name}")).unwrap_or_default();
    let mut words: Vec<String> = open.iter().map(|address| format!("{address}{at}")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(text: &str) -> Spot {
        Spot::read(text, Transport::Tcp).unwrap()
    }

    #[test]
    fn a_free_port_is_one_number_in_both_families() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let open = open(&spot("0"), transport).unwrap();
            assert!(
                open.iter()
                    .all(|(_, address)| address.port() == open[0].1.port() && address.ip().is_loopback())
            );
            let has_ip6 = std::net::TcpListener::bind("[::1]:0").is_ok();
            assert_eq!(open.len(), if has_ip6 { 2 } else { 1 });
        }
    }

    #[test]
    fn a_port_in_use_is_told_with_its_number() {
        let (_taken, address) = open(&spot("127.0.0.1:0"), Transport::Tcp).unwrap().remove(0);
        let error = open(&spot(&address.to_string()), Transport::Tcp).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("in use"), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        let error = open(&spot("192.0.2.1:8080"), Transport::Tcp).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1:8080") && error.contains("no address of this machine"), "{error}");
    }
}
