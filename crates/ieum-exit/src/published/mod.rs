//! Published ports: ports of the machine that lead inside.
//!
//! A port is reserved when ieum starts, so that nobody else takes it, and served while somebody inside serves its
//! counterpart: outside, a connect is refused exactly when it would be refused inside.
//!
//! Files: `reserve`, how a port is held without being open; `stream` and `datagram`, what comes in.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

mod datagram;
mod reserve;
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

/// A wish to publish: `[ADDR:]PORT:PORT[/udp]`.
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
    #[error("expected [ADDR:]PORT:PORT[/udp], as in 8080:80")]
    Shape,
    /// A port is no number of 16 bits, or 0 inside.
    #[error("{0:?} is not a port")]
    Port(String),
    /// The address is none of IPv4.
    #[error("{0:?} is not an IPv4 address")]
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
            None => (Ipv4Addr::LOCALHOST, outside),
            Some((address, port)) => {
                (address.parse().map_err(|_| PublishParseError::Address(address.into()))?, port)
            }
        };
        let inside_port = port(inside)?;
        if inside_port == 0 {
            return Err(PublishParseError::Port(inside.into()));
        }
        let outside = SocketAddr::new(IpAddr::V4(address), port(outside_port)?);
        Ok(Publish { outside, inside_port, transport })
    }
}

fn port(text: &str) -> Result<u16, PublishParseError> {
    text.parse().map_err(|_| PublishParseError::Port(text.into()))
}

/// Why a port could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Somebody has it.
    #[error("port {0} is in use by another program; choose another with -p")]
    InUse(SocketAddr),
    /// The address is none of this machine's.
    #[error("cannot publish on {0}: this machine does not have that address")]
    NotLocal(SocketAddr),
    /// Ports below net.ipv4.ip_unprivileged_port_start are the superuser's.
    #[error("port {0} may only be taken by the superuser; choose one from 1024 on with -p")]
    Privileged(SocketAddr),
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
        let suffix = match self.asked.transport {
            Transport::Tcp => "",
            Transport::Udp => "/udp",
        };
        write!(f, "{} → {}{suffix}", self.outside, self.asked.inside_port)
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
    }

    #[test]
    fn a_wish_that_makes_no_sense_says_which_part() {
        let error = |text: &str| text.parse::<Publish>().unwrap_err().to_string();
        assert_eq!(error("80"), "expected [ADDR:]PORT:PORT[/udp], as in 8080:80");
        assert_eq!(error("8080:0"), "\"0\" is not a port");
        assert_eq!(error("99999:80"), "\"99999\" is not a port");
        assert_eq!(error("here:8080:80"), "\"here\" is not an IPv4 address");
        assert_eq!(error("8080:80/sctp"), "\"sctp\" is not a protocol: tcp and udp are");
    }

    #[test]
    fn a_port_is_served_from_the_first_server_to_the_last() {
        let mut servers = Servers::default();
        let changes = [true, true, false, false, true].map(|serving| servers.change(serving));
        assert_eq!(changes, [true, false, false, true, true]);
    }
}
