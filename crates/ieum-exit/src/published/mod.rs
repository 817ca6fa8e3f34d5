//! Published ports: ports of the machine that lead inside.
//!
//! A port is reserved when ieum starts, so that nobody else takes it, and served while somebody inside serves its
//! counterpart: outside, a connect is refused exactly when it would be refused inside.
//!
//! Files: `service`, ports by name; `reserve`, how a port is held without being open; `stream` and `datagram`, what comes in.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

mod datagram;
mod reserve;
mod service;
mod stream;

pub(crate) use datagram::DatagramPort;
pub(crate) use stream::StreamPort;

/// The protocol of a published port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Transport {
    /// How it ends a wish in words: TCP is what is meant without one.
    fn suffix(self) -> &'static str {
        match self {
            Transport::Tcp => "",
            Transport::Udp => "/udp",
        }
    }
}

/// A wish to publish: `[ADDR:]PORT:PORT[/udp]`, an address of IPv6 in brackets, ports by number or by the name of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish {
    /// Address and port on the machine; port 0 takes a free one.
    pub outside: SocketAddr,
    /// The port inside.
    pub inside_port: u16,
    /// TCP or UDP.
    pub transport: Transport,
}

/// Why a text is no wish to publish.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PublishParseError {
    /// Not two ports.
    #[error("expected [ADDR:]PORT:PORT[/udp], as in 8080:80 or [::1]:8080:80")]
    Shape,
    /// A port is neither a number of 16 bits nor the name of a service of that protocol, or it is 0 inside.
    #[error("{0:?} is not a port (a number, or a name in /etc/services)")]
    Port(String),
    /// The address is none.
    #[error("{0:?} is not an IP address (one of IPv6 stands in brackets, as in [::1]:8080:80)")]
    Address(String),
    /// Neither TCP nor UDP.
    #[error("{0:?} is not a protocol: tcp and udp are")]
    Transport(String),
}

impl FromStr for Publish {
    type Err = PublishParseError;

    fn from_str(text: &str) -> Result<Publish, PublishParseError> {
        let (ends, transport) = match text.split_once('/') {
            None => (text, Transport::Tcp),
            Some((ends, "tcp")) => (ends, Transport::Tcp),
            Some((ends, "udp")) => (ends, Transport::Udp),
            Some((_, other)) => return Err(PublishParseError::Transport(other.into())),
        };
        let (outside, inside) = ends.rsplit_once(':').ok_or(PublishParseError::Shape)?;
        let (address, outside_port) = match outside.rsplit_once(':') {
            None => (Ipv4Addr::LOCALHOST.into(), outside),
            Some((address, port)) => {
                (host(address).ok_or_else(|| PublishParseError::Address(address.into()))?, port)
            }
        };
        let inside_port = port(inside, transport)?;
        if inside_port == 0 {
            return Err(PublishParseError::Port(inside.into()));
        }
        let outside = SocketAddr::new(address, port(outside_port, transport)?);
        Ok(Publish { outside, inside_port, transport })
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.outside, self.inside_port, self.transport.suffix())
    }
}

impl Publish {
    /// Whether both ask for one port of the machine: an unspecified address is every address of its family.
    pub(crate) fn excludes(&self, other: &Publish) -> bool {
        let (one, two) = (self.outside, other.outside);
        let met = one.ip() == two.ip() || one.ip().is_unspecified() || two.ip().is_unspecified();
        let port = one.port() != 0 && one.port() == two.port();
        self.transport == other.transport && port && one.is_ipv4() == two.is_ipv4() && met
    }
}

/// An address of IPv4, or one of IPv6 in brackets (RFC 3986 §3.2.2), without which its end could not be told.
fn host(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

fn port(text: &str, transport: Transport) -> Result<u16, PublishParseError> {
    port_of(text, transport).ok_or_else(|| PublishParseError::Port(text.into()))
}

/// The port that a text means: a number of 16 bits, or the name of a service of that protocol in /etc/services.
pub fn port_of(text: &str, transport: Transport) -> Option<u16> {
    let named = || service::port(&std::fs::read_to_string(service::FILE).ok()?, text, transport);
    text.parse().ok().or_else(named)
}

/// Why a port could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Somebody has it.
    #[error("port {0} is in use by another program; choose another with -p")]
    InUse(SocketAddr),
    /// Two wishes ask for it.
    #[error("port {0} is published twice; choose another with one -p")]
    Twice(SocketAddr),
    /// The address is none of this machine's.
    #[error("cannot publish on {0}: this machine does not have that address")]
    NotLocal(SocketAddr),
    /// Ports below net.ipv4.ip_unprivileged_port_start are the superuser's.
    #[error("port {0} may only be taken by the superuser; choose one from 1024 on with -p")]
    Privileged(SocketAddr),
    /// The host inside has no address of that family.
    #[error("cannot publish on {0}: the host inside has no address of that family")]
    NoFamily(SocketAddr),
    /// Anything else.
    #[error("cannot publish on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// A port that is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Published {
    /// What was wished.
    pub asked: Publish,
    /// Address and port on the machine, as taken.
    pub outside: SocketAddr,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}{}", self.outside, self.asked.inside_port, self.asked.transport.suffix())
    }
}

/// How many sockets inside serve a published port.
#[derive(Debug, Default)]
pub(crate) struct Servers(u32);

impl Servers {
    /// One more or one less; true when that was the first or the last.
    pub(crate) fn change(&mut self, serving: bool) -> bool {
        if serving {
            self.0 += 1;
            self.0 == 1
        } else {
            let was_last = self.0 == 1;
            self.0 = self.0.saturating_sub(1);
            was_last
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_names_both_ports_and_perhaps_address_and_protocol() {
        let outside = |text: &str| text.parse::<Publish>().map(|it| it.outside.to_string());
        assert_eq!(outside("8080:80"), Ok("127.0.0.1:8080".into()));
        assert_eq!(outside("0.0.0.0:0:80/tcp"), Ok("0.0.0.0:0".into()));
        let udp: Publish = "127.0.0.2:5353:53/udp".parse().unwrap();
        assert_eq!((udp.inside_port, udp.transport), (53, Transport::Udp));
        assert_eq!(outside("[::1]:8080:80"), Ok("[::1]:8080".into()));
        assert_eq!(outside("[::]:0:80/udp"), Ok("[::]:0".into()));
    }

    #[test]
    fn a_wish_is_written_as_it_is_read() {
        for text in ["127.0.0.1:8080:80", "[::1]:8080:80", "[::]:0:53/udp"] {
            assert_eq!(text.parse::<Publish>().unwrap().to_string(), text);
        }
        let asked = "[::1]:0:53/udp".parse().unwrap();
        let published = Published { asked, outside: "[::1]:5353".parse().unwrap() };
        assert_eq!(published.to_string(), "[::1]:5353 → 53/udp");
    }

    #[test]
    fn a_wish_that_makes_no_sense_says_which_part() {
        let error = |text: &str| text.parse::<Publish>().unwrap_err().to_string();
        assert_eq!(error("80"), "expected [ADDR:]PORT:PORT[/udp], as in 8080:80 or [::1]:8080:80");
        assert_eq!(error("8080:0"), "\"0\" is not a port (a number, or a name in /etc/services)");
        assert_eq!(error("99999:80"), "\"99999\" is not a port (a number, or a name in /etc/services)");
        let advice = "is not an IP address (one of IPv6 stands in brackets, as in [::1]:8080:80)";
        for address in ["here", "::1", "[::1", "[10.0.0.1]", "[fe80::1%eth0]"] {
            assert_eq!(error(&format!("{address}:8080:80")), format!("{address:?} {advice}"));
        }
        assert_eq!(error("8080:80/sctp"), "\"sctp\" is not a protocol: tcp and udp are");
    }

    #[test]
    fn two_wishes_exclude_each_other_where_they_ask_for_one_port() {
        let excludes = |one: &str, other: &str| {
            let (one, other): (Publish, Publish) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.excludes(&other), other.excludes(&one));
            one.excludes(&other)
        };
        assert!(excludes("8080:80", "8080:81") && excludes("8080:80/udp", "0.0.0.0:8080:80/udp"));
        assert!(excludes("[::]:8080:80", "[::1]:8080:80"));
        assert!(!excludes("8080:80", "8081:80") && !excludes("8080:80", "127.0.0.2:8080:80"));
        assert!(!excludes("8080:80", "8080:80/udp") && !excludes("8080:80", "[::]:8080:80"));
        assert!(!excludes("0:80", "0:80"));
    }

    #[test]
    fn a_port_is_served_from_the_first_server_to_the_last() {
        let mut servers = Servers::default();
        let changes = [true, true, false, false, true].map(|serving| servers.change(serving));
        assert_eq!(changes, [true, false, false, true, true]);
    }
}
