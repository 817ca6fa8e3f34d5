//! What a member and the owner of a net say to each other over the control socket.
//!
//! ```text
//!   member                         owner
//!     Join  ──────────────────────▶
//!           ◀────────────────────── Welcome, with an end of a frame socket; or Refused
//!           ◀────────────────────── Joined, Left: of the others, for as long as both live
//! ```
//!
//! Whoever closes the connection has left. Both ends belong to one user and trust each other's good will, not each other's
//! care: what cannot be understood ends the connection.

use std::net::IpAddr;

use ieum_control::Name;
use ieum_wire::Cidr;
use serde::{Deserialize, Serialize};

/// A member's only word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// A host wants to be in the net.
    Join {
        /// As it wants to be called; `None`: one is made.
        name: Option<String>,
        /// The addresses it wants to have; none: the next free ones.
        addresses: Vec<IpAddr>,
    },
}

/// What the owner says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Word {
    /// The host is in the net; an end of its frame socket comes with this.
    Welcome {
        /// The host itself.
        own: Peer,
        /// The lengths of the prefixes of its addresses.
        prefixes_bits: Vec<u8>,
        /// The addresses that are each host's own exit.
        gateways: Vec<IpAddr>,
        /// The others.
        peers: Vec<Peer>,
    },
    /// It is not, for this reason.
    Refused {
        /// A sentence for a person.
        sentence: String,
    },
    /// Another came.
    Joined(Peer),
    /// Another left.
    Left(Peer),
}

/// A host of the net.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
}

/// What a host has in the net.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its name.
    pub name: Name,
    /// Its addresses and their networks, IPv4 first.
    pub addresses: Vec<Cidr>,
    /// The addresses of its exit.
    pub gateways: Vec<IpAddr>,
}

/// Another host, as the owner tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) name: Name,
    pub(crate) addresses: Vec<IpAddr>,
}

/// What was said makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Nonsense;

impl Peer {
    /// Name and addresses, should they be such.
    pub(crate) fn understood(self) -> Result<Known, Nonsense> {
        let single =
            |address: &IpAddr| !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
        let name = self.name.parse().map_err(|_| Nonsense)?;
        if self.addresses.is_empty() || !self.addresses.iter().all(single) {
            return Err(Nonsense);
        }
        Ok(Known { name, addresses: self.addresses })
    }
}

/// The host's own place, as a Welcome tells it.
pub(crate) fn place(own: Peer, prefixes_bits: &[u8], gateways: Vec<IpAddr>) -> Result<Place, Nonsense> {
    let Known { name, addresses } = own.understood()?;
    if addresses.len() != prefixes_bits.len() {
        return Err(Nonsense);
    }
    let cidrs = addresses.iter().zip(prefixes_bits).map(|(address, bits)| Cidr::new(*address, *bits));
    Ok(Place { name, addresses: cidrs.collect::<Option<_>>().ok_or(Nonsense)?, gateways })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, address: &str) -> Peer {
        Peer { name: name.into(), addresses: vec![address.parse().unwrap()] }
    }

    #[test]
    fn what_makes_no_sense_is_not_believed() {
        assert!(peer("web", "10.77.0.3").understood().is_ok());
        for (name, address) in [
            ("a.b", "10.77.0.3"),
            ("", "10.77.0.3"),
            ("web", "127.0.0.1"),
            ("web", "0.0.0.0"),
            ("web", "ff02::1"),
        ] {
            assert_eq!(peer(name, address).understood(), Err(Nonsense));
        }
        assert!(place(peer("web", "10.77.0.3"), &[24], Vec::new()).is_ok());
        assert!(place(peer("web", "10.77.0.3"), &[33], Vec::new()).is_err());
        assert!(place(peer("web", "10.77.0.3"), &[], Vec::new()).is_err());
    }
}
