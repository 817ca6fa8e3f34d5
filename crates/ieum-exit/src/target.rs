//! Where a destination leads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_wire::{Cidr, Unreachable};

/// The two ends of the link in one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The exit's address, and the network of the link.
    pub own: Cidr,
    /// The host inside, to which published ports lead.
    pub host: IpAddr,
}

/// What the inside may reach, and as what.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// Our addresses and the networks of the link, one for each family that there is.
    pub(crate) own: Vec<Cidr>,
    /// The machine's resolvers: they mean the machine's even where they would mean somebody inside.
    pub(crate) resolvers: Vec<SocketAddr>,
    /// Anything at all may be reached.
    pub(crate) outbound: bool,
}

/// Why a destination leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nowhere {
    /// As if nobody had that port.
    Closed,
    /// As if no such host were there.
    Unreachable(Unreachable),
}

impl Targets {
    /// Our own address is the machine's loopback in its family; a resolver is itself; other loopback addresses are not to
    /// be had; nobody else lives in the link's network, nor on it under a link-local address, and nobody has an address that
    /// stands for no host or for one of IPv4; any other address is itself.
    pub(crate) fn of(&self, destination: SocketAddr) -> Result<SocketAddr, Nowhere> {
        let address = destination.ip();
        if !self.outbound {
            return Err(Nowhere::Unreachable(Unreachable::Host));
        }
        if self.is_own(address) {
            return Ok(SocketAddr::new(loopback(address), destination.port()));
        }
        if self.resolvers.contains(&destination) {
            return Ok(destination);
        }
        if address.is_loopback() {
            return Err(Nowhere::Closed);
        }
        // The kernel would take both for other addresses, its own loopback among them (RFC 4291 §2.5.2, §2.5.5.2).
        let is_other = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
        if address.is_unspecified() || is_other {
            return Err(Nowhere::Unreachable(Unreachable::Host));
        }
        // RFC 4291 §2.5.6: such an address names somebody on this link, never on one of the machine's.
        let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        if is_link_local || self.own.iter().any(|own| own.contains(address)) {
            return Err(Nowhere::Unreachable(Unreachable::Host));
        }
        Ok(destination)
    }

    /// Is this one of our own addresses?
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.iter().any(|own| own.address() == address)
    }
}

/// The machine's loopback in the family of `address`.
fn loopback(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        Targets {
            own: vec!["10.77.0.1/24".parse().unwrap(), "fd77::1/64".parse().unwrap()],
            resolvers: ["127.0.0.53:53", "[::1]:53", "10.77.0.53:53"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            outbound: true,
        }
    }

    fn of(targets: &Targets, text: &str) -> Result<String, Nowhere> {
        targets.of(text.parse().unwrap()).map(|to| to.to_string())
    }

    #[test]
    fn the_exits_own_address_is_the_loopback_of_the_machine() {
        let mut targets = targets();
        assert_eq!(of(&targets, "10.77.0.1:80"), Ok("127.0.0.1:80".into()));
        assert_eq!(of(&targets, "127.0.0.53:53"), Ok("127.0.0.53:53".into()));
        assert_eq!(of(&targets, "127.0.0.53:54"), Err(Nowhere::Closed));
        assert_eq!(
            of(&targets, "10.77.0.53:53"),
            Ok("10.77.0.53:53".into()),
            "a machine in a network like ours"
        );
        assert_eq!(of(&targets, "10.77.0.9:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
        assert_eq!(of(&targets, "192.0.2.1:80"), Ok("192.0.2.1:80".into()));
        targets.outbound = false;
        assert_eq!(of(&targets, "192.0.2.1:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
    }

    #[test]
    fn the_same_holds_for_ip6() {
        let targets = targets();
        assert_eq!(of(&targets, "[fd77::1]:80"), Ok("[::1]:80".into()));
        assert_eq!(of(&targets, "[::1]:53"), Ok("[::1]:53".into()));
        assert_eq!(of(&targets, "[::1]:54"), Err(Nowhere::Closed));
        assert_eq!(of(&targets, "[fd77::9]:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
        assert_eq!(of(&targets, "[fe80::9]:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
        assert_eq!(of(&targets, "[2001:db8::1]:80"), Ok("[2001:db8::1]:80".into()));
    }

    #[test]
    fn no_other_writing_of_loopback_reaches_the_machine_s() {
        for text in ["0.0.0.0:80", "[::]:80", "[::ffff:127.0.0.2]:80", "[::ffff:192.0.2.1]:80"] {
            assert_eq!(of(&targets(), text), Err(Nowhere::Unreachable(Unreachable::Host)), "{text}");
        }
    }
}
