//! One end of a rule: an address and a port, of the machine or of a host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;

use ieum_control::Name;
use ieum_exit::{Transport, port_of};

use crate::bounds::ADDRESSES_MAX;

/// Where a rule listens, or where it leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Spot {
    /// An address or a name; `None`: loopback, in both families.
    pub(crate) host: Option<String>,
    /// The port.
    pub(crate) port: u16,
    /// The host it is in; `None`: the machine.
    pub(crate) within: Option<Name>,
}

impl Spot {
    /// Does who listens here hear what goes there, as far as the texts tell?
    pub(crate) fn hears(&self, there: &Spot) -> bool {
        let is_there = match &self.host {
            host if *host == there.host => true,
            None => there.is_loopback(),
            Some(host) if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) => there.is_loopback(),
            Some(_) => self.is_loopback() && there.is_both(),
        };
        (self.port, &self.within) == (there.port, &there.within) && is_there
    }

    /// Is it both addresses that are meant where none is named?
    fn is_both(&self) -> bool {
        self.host.as_ref().is_none_or(|host| host == "localhost")
    }

    /// Is it one of them?
    fn is_loopback(&self) -> bool {
        let Some(host) = &self.host else { return true };
        let is_one =
            |ip: IpAddr| [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&ip);
        host == "localhost" || host.parse().is_ok_and(is_one)
    }
}

/// Why a text is no end of a rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpotError {
    /// It has another shape.
    #[error("{0:?} is not [ADDR:]PORT[/udp][@HOST], as in 8080, 10.0.0.5:80, [::1]:53/udp or 80@web")]
    Shape(String),
    /// The port is none.
    #[error("{0:?} is not a port (a number, a range like 8000-8010, or a name in /etc/services)")]
    Port(String),
    /// The address is none.
    #[error("{0:?} is neither an address nor a name (an address of IPv6 stands in brackets, as in [::1]:80)")]
    Address(String),
    /// Neither TCP nor UDP.
    #[error("{0:?} is not a protocol: tcp and udp are")]
    Transport(String),
    /// The host's name is none.
    #[error("{0:?}: {1}")]
    Name(String, ieum_control::NameError),
}

/// A text in its parts: the port's meaning depends on the protocol, which the other end may name.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    text: &'a str,
    host: Option<String>,
    port: &'a str,
    pub(crate) transport: Option<Transport>,
    pub(crate) within: Option<Name>,
}

impl Parts<'_> {
    /// `[ADDR:]PORT[/PROTOCOL][@HOST]`.
    pub(crate) fn of(text: &str) -> Result<Parts<'_>, SpotError> {
        let shape = || SpotError::Shape(text.into());
        let (rest, within) = match text.rsplit_once('@') {
            None => (text, None),
            Some((rest, name)) => {
                (rest, Some(name.parse().map_err(|error| SpotError::Name(text.into(), error))?))
            }
        };
        let (rest, transport) = match rest.split_once('/') {
            None => (rest, None),
            Some((rest, name)) => (rest, Some(transport(name)?)),
        };
        let (host, port) = match rest.rsplit_once(':') {
            None => (None, rest),
            Some((host, port)) => (Some(address(host).ok_or_else(|| SpotError::Address(host.into()))?), port),
        };
        if port.is_empty() {
            return Err(shape());
        }
        Ok(Parts { text, host, port, transport, within })
    }

    /// The ports it means.
    pub(crate) fn ports(&self, transport: Transport) -> Result<RangeInclusive<u16>, SpotError> {
        if let Some(port) = port_of(self.port, transport) {
            return Ok(port..=port);
        }
        let range = self.port.split_once('-').and_then(|(first, last)| {
            let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
            (0 < first && first <= last).then_some(first..=last)
        });
        range.ok_or_else(|| match self.host {
            // `localhost` alone, `::1`: an address was meant, and a port is missing.
            None if self.port.parse::<IpAddr>().is_ok() => SpotError::Shape(self.text.into()),
            _ => SpotError::Port(self.port.into()),
        })
    }

    /// That end with one of its ports.
    pub(crate) fn spot(&self, port: u16) -> Spot {
        Spot { host: self.host.clone(), port, within: self.within.clone() }
    }
}

/// A protocol by its name.
pub(crate) fn transport(name: &str) -> Result<Transport, SpotError> {
    match name {
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        other => Err(SpotError::Transport(other.into())),
    }
}

/// An address without brackets, or a name of the domain name system; `None`: neither.
fn address(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    let is_name = |text: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        (1..=253).contains(&text.len()) && text.bytes().all(good) && has_letter
    };
    let good = text.parse::<Ipv4Addr>().is_ok() || is_name(text);
    good.then(|| text.to_owned())
}

impl Spot {
    /// The addresses it means as far as nobody has to be asked for them; `None`: its name has to be looked up.
    pub(crate) fn known(&self) -> Option<Vec<SocketAddr>> {
        let Some(host) = &self.host else {
            let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            return Some(both.map(|address| SocketAddr::new(address, self.port)).to_vec());
        };
        Some(vec![SocketAddr::new(host.parse().ok()?, self.port)])
    }

    /// The addresses it means. Waits for the machine's resolvers where a name has to be looked up.
    ///
    /// # Errors
    ///
    /// Those of getaddrinfo(3).
    pub(crate) fn look_up(&self) -> std::io::Result<Vec<SocketAddr>> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let host = self.host.as_deref().unwrap_or_default();
        let mut found: Vec<SocketAddr> = (host, self.port).to_socket_addrs()?.collect();
        found.dedup();
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }

    /// What it was read from, with the protocol: for a worker, who reads it again.
    pub(crate) fn read(text: &str, transport: Transport) -> Option<Spot> {
        let parts = Parts::of(text).ok()?;
        let ports = parts.ports(transport).ok()?;
        let mut spot = parts.spot(*ports.start());
        // It is written that way where no address was given.
        spot.host = spot.host.filter(|host| host != LOOPBACK);
        Some(spot)
    }
}

/// How loopback in both families is written.
const LOOPBACK: &str = "localhost";

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, "{LOOPBACK}:{}", self.port)?,
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port)?,
            Some(host) => write!(f, "{host}:{}", self.port)?,
        }
        self.within.iter().try_for_each(|name| write!(f, "@{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(text: &str) -> Result<String, String> {
        let parts = Parts::of(text).map_err(|error| error.to_string())?;
        let ports =
            parts.ports(parts.transport.unwrap_or(Transport::Tcp)).map_err(|error| error.to_string())?;
        Ok(format!("{} {ports:?}", parts.spot(*ports.start())))
    }

    #[test]
    fn an_end_is_a_port_perhaps_with_an_address_a_protocol_and_a_host() {
        for (text, meant) in [
            ("8080", "localhost:8080 8080..=8080"),
            ("0", "localhost:0 0..=0"),
            ("10.0.0.5:80", "10.0.0.5:80 80..=80"),
            ("[::1]:53/udp", "[::1]:53 53..=53"),
            ("db.example:5432@web", "db.example:5432@web 5432..=5432"),
            ("80@Web", "localhost:80@web 80..=80"),
            ("8000-8010", "localhost:8000 8000..=8010"),
        ] {
            assert_eq!(spot(text).as_deref(), Ok(meant));
        }
    }

    #[test]
    fn a_port_may_be_a_service_of_its_protocol() {
        // Names that every /etc/services has.
        for (text, meant) in [
            ("http", "localhost:80 80..=80"),
            ("10.0.0.5:https@web", "10.0.0.5:443@web 443..=443"),
            ("[::1]:domain/udp", "[::1]:53 53..=53"),
            ("tftp/udp", "localhost:69 69..=69"),
        ] {
            assert_eq!(spot(text).as_deref(), Ok(meant));
        }
        for text in ["ssh/udp", "tftp", "no-such-service", "http-https"] {
            let error = spot(text).unwrap_err();
            assert!(error.contains("or a name in /etc/services"), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_end_is_read_from_what_is_written() {
        for text in ["localhost:8080", "10.0.0.5:80@web", "[::1]:53", "db.example:1@a"] {
            let spot = Spot::read(text, Transport::Tcp).unwrap();
            assert_eq!(spot.to_string(), text);
        }
        assert_eq!(Spot::read("localhost:80", Transport::Tcp).unwrap().host, None);
    }

    #[test]
    fn what_makes_no_sense_says_which_part() {
        for (text, part) in [
            ("", "is not [ADDR:]PORT"),
            ("10.0.0.5:", "is not [ADDR:]PORT"),
            ("10.0.0.5", "is not [ADDR:]PORT"),
            ("::1:80", "IPv6 stands in brackets"),
            ("*:80", "neither an address nor a name"),
            ("10.0.0:80", "neither an address nor a name"),
            ("70000", "is not a port"),
            ("8010-8000", "is not a port"),
            ("0-3", "is not a port"),
            ("80/sctp", "\"sctp\" is not a protocol"),
            ("80@-", "cannot be a name"),
        ] {
            let error = spot(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
