//! Where a destination leads.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ieum_wire::Cidr;
use ieum_wire::Unreachable;

/// What the inside may reach, and as what.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// Our address and the network of the link.
    pub(crate) own: Cidr,
    /// Endpoints in 127/8 that mean the machine's.
    pub(crate) loopback_exceptions: Vec<SocketAddr>,
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
    /// Our own address is the machine's loopback; an excepted loopback endpoint is itself, other loopback addresses
    /// are not to be had; nobody else lives in the link's network; any other address is itself.
    pub(crate) fn of(&self, destination: SocketAddr) -> Result<SocketAddr, Nowhere> {
        let address = destination.ip();
        if !self.outbound {
            return Err(Nowhere::Unreachable(Unreachable::Host));
        }
        if address == self.own.address() {
            return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), destination.port()));
        }
        if address.is_loopback() {
            let allowed = self.loopback_exceptions.contains(&destination);
            return if allowed { Ok(destination) } else { Err(Nowhere::Closed) };
        }
        if self.own.contains(address) {
            return Err(Nowhere::Unreachable(Unreachable::Host));
        }
        Ok(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exits_own_address_is_the_loopback_of_the_machine() {
        let mut targets = Targets {
            own: "10.77.0.1/24".parse().unwrap(),
            loopback_exceptions: vec!["127.0.0.53:53".parse().unwrap()],
            outbound: true,
        };
        let of = |targets: &Targets, text: &str| targets.of(text.parse().unwrap()).map(|to| to.to_string());
        assert_eq!(of(&targets, "10.77.0.1:80"), Ok("127.0.0.1:80".into()));
        assert_eq!(of(&targets, "127.0.0.53:53"), Ok("127.0.0.53:53".into()));
        assert_eq!(of(&targets, "127.0.0.53:54"), Err(Nowhere::Closed));
        assert_eq!(of(&targets, "10.77.0.9:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
        assert_eq!(of(&targets, "192.0.2.1:80"), Ok("192.0.2.1:80".into()));
        targets.outbound = false;
        assert_eq!(of(&targets, "192.0.2.1:80"), Err(Nowhere::Unreachable(Unreachable::Host)));
    }
}
