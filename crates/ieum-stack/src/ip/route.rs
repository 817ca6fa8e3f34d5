//! Which way, and with which source address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_wire::Cidr;
use ieum_wire::Unreachable;

use super::{Ip, is_loopback};
use crate::link::LinkId;

/// Where packets for a network go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteTarget {
    /// Over a link, to the destination itself.
    Link(LinkId),
    /// Over a link, to this neighbour, which forwards.
    Gateway(LinkId, IpAddr),
    /// Nowhere: refused locally, at once, for this reason.
    Unreachable(Unreachable),
}

impl RouteTarget {
    /// The link it leads over.
    pub fn link(self) -> Option<LinkId> {
        match self {
            RouteTarget::Link(link) | RouteTarget::Gateway(link, _) => Some(link),
            RouteTarget::Unreachable(_) => None,
        }
    }
}

/// One line of the routing table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// Where its packets want to go.
    pub network: Cidr,
    /// Where they are sent.
    pub target: RouteTarget,
    /// What packets of unbound sockets leave with; `None`: the link's address.
    pub source: Option<IpAddr>,
}

impl Route {
    fn is_to(&self, network: Cidr) -> bool {
        self.network.prefix_bits() == network.prefix_bits() && network.contains(self.network.address())
    }
}

/// A way out: all that a transport needs to know to build packets for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// The link it leaves by.
    pub(crate) link: LinkId,
    /// The address it leaves with.
    pub(crate) source: IpAddr,
    /// The largest IP packet of one frame.
    pub(crate) mtu_bytes: u32,
    /// What the first link takes, in bytes.
    pub(crate) link_mtu_bytes: u32,
    /// The link takes super-segments.
    pub(crate) segmentation_offload: bool,
    /// The link takes packets without a transport checksum.
    pub(crate) checksum_offload: bool,
    /// It is the loopback link's because somebody named that, and not because the destination is an own address
    /// ([`ieum_wire::Packet::by_loopback`]).
    pub(crate) by_loopback: bool,
}

impl Ip {
    /// Takes out every route over `link`.
    pub(crate) fn remove_routes(&mut self, link: LinkId) {
        self.routes.retain(|route| route.target.link() != Some(link));
    }

    /// Takes out the route to exactly this network.
    pub(crate) fn remove_route(&mut self, network: Cidr) {
        self.routes.retain(|route| !route.is_to(network));
    }

    /// Adds a route; one to the same network is replaced.
    pub(crate) fn add_route(&mut self, network: Cidr, target: RouteTarget, source: Option<IpAddr>) {
        self.remove_route(network);
        // Longest prefix first (RFC 1812 §5.2.4.3), so that the first match is the best.
        let at = self.routes.partition_point(|route| route.network.prefix_bits() > network.prefix_bits());
        self.routes.insert(at, Route { network, target, source });
    }

    /// The way to `destination`. `source`: chosen before, `None`: as the route says.
    ///
    /// Own addresses are reached over the loopback link, where the destination itself is the source, or 127.0.0.1
    /// for all of 127/8 (as Linux's local table has it). A loopback source leaves over no other link
    /// (RFC 1122 §3.2.1.3 (g)), unless this stack stands for every address. Families do not mix.
    pub(crate) fn path(&self, source: Option<IpAddr>, destination: IpAddr) -> Result<Path, Unreachable> {
        if source.is_some_and(|source| source.is_ipv4() != destination.is_ipv4()) {
            return Err(Unreachable::Network);
        }
        if is_loopback(destination) {
            let itself = match destination {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => destination,
            };
            return self.path_of(self.loopback, source.unwrap_or(itself));
        }
        if self.is_local(destination) {
            return self.path_of(self.loopback, source.unwrap_or(destination));
        }
        if destination.is_unspecified() {
            return Err(Unreachable::Network);
        }
        // Everybody on a network of ours is on its link; and who has an address speaks to everybody on that one's (as Linux).
        if let Some(link) = self.link_of_broadcast(destination) {
            return self.path_over(link, source, destination);
        }
        if destination == IpAddr::V4(Ipv4Addr::BROADCAST)
            && let Some(source) = source
            && let Some(link) = self.link_of(source)
        {
            return self.path_of(link, source);
        }
        let route = self.routes.iter().find(|route| route.network.contains(destination));
        let Some(route) = route else {
            // On every link that speaks IPv6 there are its groups, routes or not (as Linux: ff00::/8 for each).
            let link = self.speaks_ip6().filter(|_| destination.is_ipv6() && destination.is_multicast());
            return self.path_over(link.ok_or(Unreachable::Network)?, source, destination);
        };
        match route.target {
            RouteTarget::Unreachable(reason) => Err(reason),
            RouteTarget::Link(link) | RouteTarget::Gateway(link, _) => {
                self.path_over(link, source.or(route.source), destination)
            }
        }
    }

    /// The first link but loopback's that has an address of IPv6.
    fn speaks_ip6(&self) -> Option<LinkId> {
        let mut links = self.links().map(|(link, _)| link).filter(|link| *link != self.loopback);
        links.find(|link| self.addresses_of(*link).any(|own| own.address().is_ipv6()))
    }

    /// The same for who may keep to one link (SO_BINDTODEVICE): an own address of that link is reached as ever,
    /// everything else by it, whatever the routes say, and over the loopback link every own address of IPv4, where
    /// those hear it who keep to that link.
    pub(crate) fn path_by(
        &self,
        link: Option<LinkId>,
        source: Option<IpAddr>,
        destination: IpAddr,
    ) -> Result<Path, Unreachable> {
        let Some(link) = link else { return self.path(source, destination) };
        let home = self.link_of(destination);
        // By IPv6 Linux knows an own address on its link alone.
        if destination.is_ipv6() && home.is_some_and(|home| home != link) {
            return Err(Unreachable::Network);
        }
        if home.is_some_and(|home| home == link || link == self.loopback) || destination.is_unspecified() {
            let by_loopback = link == self.loopback;
            return self.path(source, destination).map(|path| Path { by_loopback, ..path });
        }
        // Loopback addresses are on no other link (RFC 1122 §3.2.1.3 (g)).
        if is_loopback(destination) {
            return Err(Unreachable::Host);
        }
        self.path_over(link, source, destination)
    }

    /// The way to a group on `link`, whatever the routes say.
    pub(crate) fn path_to_group(
        &self,
        link: LinkId,
        source: Option<IpAddr>,
        group: IpAddr,
    ) -> Result<Path, Unreachable> {
        if link != self.loopback {
            return self.path_over(link, source, group);
        }
        let itself = match group {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        self.path_of(link, source.unwrap_or(itself))
    }

    /// Whose interface on `link` a packet for `destination` goes to.
    pub(crate) fn next_hop(&self, link: LinkId, destination: IpAddr) -> IpAddr {
        let route = self.routes.iter().find(|route| route.network.contains(destination));
        match route.map(|route| route.target) {
            Some(RouteTarget::Gateway(over, gateway)) if over == link => gateway,
            Some(_) | None => destination,
        }
    }

    /// The way over a given link.
    pub(crate) fn path_over(
        &self,
        link: LinkId,
        source: Option<IpAddr>,
        destination: IpAddr,
    ) -> Result<Path, Unreachable> {
        let source = match source {
            Some(source) if is_loopback(source) && !self.accept_any_destination => {
                // A socket bound to 127.0.0.1 reaches its own host and nobody else. By IPv6 Linux lets packets from ::1 out,
                // and nobody may take them (RFC 4291 §2.5.3): ours end at home, where nobody has their destination.
                return if is_loopback(destination) || source.is_ipv6() {
                    self.path_of(self.loopback, source)
                } else {
                    Err(Unreachable::Host)
                };
            }
            Some(source) => source,
            None => self.source_for(link, destination).ok_or(Unreachable::Network)?,
        };
        self.path_of(link, source)
    }

    fn path_of(&self, link: LinkId, source: IpAddr) -> Result<Path, Unreachable> {
        let config = self.links.get(link).ok_or(Unreachable::Network)?;
        Ok(Path {
            link,
            source,
            mtu_bytes: config.mtu_bytes,
            link_mtu_bytes: config.mtu_bytes,
            segmentation_offload: config.segmentation_offload,
            checksum_offload: config.checksum_offload,
            by_loopback: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::link::LinkConfig;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn host() -> (Ip, LinkId, LinkId) {
        let mut ip = Ip::new(false, &mut Chance::new([1; 32]));
        let one = ip.add_link(LinkConfig::in_process());
        let two = ip.add_link(LinkConfig::wire(1400));
        ip.add_address(one, "10.77.0.2/24".parse().unwrap());
        ip.add_address(two, "10.78.0.2/16".parse().unwrap());
        ip.add_route(Cidr::ALL_IP4, RouteTarget::Link(one), None);
        (ip, one, two)
    }

    #[test]
    fn the_longest_prefix_wins() {
        let (mut ip, one, two) = host();
        let way = |ip: &Ip, to| ip.path(None, address(to)).map(|path| (path.link, path.source.to_string()));
        assert_eq!(way(&ip, "192.0.2.1"), Ok((one, "10.77.0.2".into())));
        assert_eq!(way(&ip, "10.78.200.1"), Ok((two, "10.78.0.2".into())));
        ip.add_route("10.78.200.0/24".parse().unwrap(), RouteTarget::Unreachable(Unreachable::Host), None);
        assert_eq!(way(&ip, "10.78.200.1"), Err(Unreachable::Host));
        assert_eq!(way(&ip, "10.78.201.1"), Ok((two, "10.78.0.2".into())));
        ip.add_route("10.78.200.0/24".parse().unwrap(), RouteTarget::Link(one), Some(address("10.78.0.2")));
        assert_eq!(way(&ip, "10.78.200.1"), Ok((one, "10.78.0.2".into())));
    }

    #[test]
    fn own_addresses_are_reached_over_the_loopback_link() {
        let (ip, _, _) = host();
        for (to, source) in [
            ("10.78.0.2", "10.78.0.2"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.4.5.6", "127.0.0.1"),
            ("::1", "::1"),
        ] {
            let path = ip.path(None, address(to)).unwrap();
            assert_eq!((path.link, path.source), (ip.loopback(), address(source)));
        }
    }

    #[test]
    fn without_a_route_the_network_is_unreachable() {
        let ip = Ip::new(false, &mut Chance::new([1; 32]));
        assert_eq!(ip.path(None, address("10.0.0.1")).unwrap_err(), Unreachable::Network);
        assert_eq!(ip.path(None, address("fd77::1")).unwrap_err(), Unreachable::Network);
        assert_eq!(ip.path(Some(address("10.0.0.1")), address("::1")).unwrap_err(), Unreachable::Network);
        assert_eq!(ip.path(None, address("0.0.0.0")).unwrap_err(), Unreachable::Network);
    }

    #[test]
    fn a_loopback_source_does_not_leave_its_host() {
        let (ip, _, _) = host();
        assert_eq!(ip.path(Some(address("127.0.0.1")), address("10.77.0.1")).unwrap_err(), Unreachable::Host);
    }
}
