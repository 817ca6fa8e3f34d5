//! The stack: what it is made of, and how it is made.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ieum_wire::{Cidr, Instant, Protocol, Unreachable};

use crate::chance::Chance;
use crate::context::Context;
use crate::delegate::Delegate;
use crate::drops::{Drops, Tally};
use crate::event::{Event, Events};
use crate::icmp::Icmp;
use crate::ip::{Ip, MembershipId, Route, RouteTarget, SourceFilter, loopback_networks};
use crate::link::{LinkConfig, LinkId, Neighbors};
use crate::port::Ports;
use crate::raw::Raw;
use crate::tcp::{EcnMode, EcnRules, Offers, Tcp, TcpRules};
use crate::udp::Udp;

/// What makes a stack: everything else is added by calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackConfig {
    /// Keys hashes, initial sequence numbers and the random generator.
    pub seed: [u8; 32],
    /// Ephemeral ports: 32768 to 60999 by default, as on Linux.
    pub ephemeral_ports: RangeInclusive<u16>,
    /// Offer and accept TCP timestamps (RFC 7323 §3).
    pub tcp_timestamps: bool,
    /// Offer and accept selective acknowledgements (RFC 2018).
    pub tcp_sack: bool,
    /// Offer and accept scaled windows (RFC 7323 §2).
    pub tcp_window_scaling: bool,
    /// Offer and accept explicit congestion notification (RFC 3168, RFC 9768).
    pub tcp_ecn: EcnMode,
    /// Every unicast destination is taken as one of ours (the exit's stack).
    pub accept_any_destination: bool,
}

impl StackConfig {
    /// The defaults, with a seed.
    pub fn new(seed: [u8; 32]) -> StackConfig {
        StackConfig {
            seed,
            ephemeral_ports: 32_768..=60_999,
            tcp_timestamps: true,
            tcp_sack: true,
            tcp_window_scaling: true,
            tcp_ecn: EcnMode::default(),
            accept_any_destination: false,
        }
    }

    fn offers(&self) -> Offers {
        Offers {
            timestamps: self.tcp_timestamps,
            sack: self.tcp_sack,
            window_scaling: self.tcp_window_scaling,
            ecn: EcnRules { mode: self.tcp_ecn, ..EcnRules::default() },
        }
    }
}

/// One IP stack. The doors are spread over the files of this crate, each beside what it opens:
/// `receive` ([`Stack::on_frame`]), `transmit` ([`Stack::poll_frame`]), `deadline` ([`Stack::on_deadline`]),
/// and the user calls of UDP and TCP.
pub struct Stack {
    pub(crate) neighbors: Neighbors,
    pub(crate) ip: Ip,
    pub(crate) icmp: Icmp,
    pub(crate) udp: Udp,
    pub(crate) tcp: Tcp,
    pub(crate) raw: Raw,
    pub(crate) delegate: Delegate,
    pub(crate) ports: Ports,
    pub(crate) events: Events,
    pub(crate) drops: Drops,
    pub(crate) chance: Chance,
}

impl Stack {
    /// A stack with its loopback link, 127/8 and ::1, and nothing else.
    ///
    /// # Panics
    ///
    /// When the range of ephemeral ports is empty.
    pub fn new(config: StackConfig) -> Stack {
        let mut chance = Chance::new(config.seed);
        let ip = Ip::new(config.accept_any_destination, &mut chance);
        let udp = Udp::new(config.accept_any_destination, &mut chance);
        let mut tcp = Tcp::new(config.offers(), &mut chance);
        // A stack that stands for others keeps sockets for them.
        tcp.set_rules(TcpRules { resets_silent_ends: config.accept_any_destination, ..TcpRules::default() });
        let mut ports = Ports::new(config.ephemeral_ports, &mut chance);
        loopback_networks().into_iter().for_each(|network| ports.add_local(network, None));
        let (events, drops) = (Events::default(), Drops::new());
        Stack {
            neighbors: Neighbors::default(),
            ip,
            icmp: Icmp::new(),
            udp,
            tcp,
            raw: Raw::default(),
            delegate: Delegate::default(),
            ports,
            events,
            drops,
            chance,
        }
    }

    /// Changes what SYNs offer from now on, as [`StackConfig`] names it.
    pub fn tcp_set_offers(&mut self, config: &StackConfig) {
        self.tcp.set_offers(config.offers());
    }

    /// The largest packet that the way to `destination` takes, in bytes, as far as known: what its first link takes, or what a
    /// router behind it said. `None`: no way leads there.
    pub fn path_mtu_bytes(&self, now: Instant, destination: IpAddr) -> Option<u32> {
        let path = self.ip.path(None, destination).ok()?;
        let known = self.ip.path_mtus.of(now, destination);
        Some(known.map_or(path.mtu_bytes, |known| known.min(path.mtu_bytes)))
    }

    /// The largest packet that leaves for `destination` over `link`, or over the one that the routes say, in bytes, whatever
    /// routers behind it said.
    pub fn link_mtu_bytes(&self, link: Option<LinkId>, destination: IpAddr) -> Option<u32> {
        match link {
            Some(link) => Some(self.ip.mtu_bytes(link)),
            None => Some(self.ip.path(None, destination).ok()?.link_mtu_bytes),
        }
    }

    /// Adds a link; packets for it come out of [`Stack::poll_frame`] under the name returned.
    pub fn add_link(&mut self, config: LinkConfig) -> LinkId {
        self.ip.add_link(config)
    }

    /// Adds an own address of either family, its network's route over the link, and its network's broadcast address.
    pub fn add_address(&mut self, link: LinkId, address: Cidr) {
        self.ip.add_address(link, address);
        self.ports.add_local(Cidr::host(address.address()), address.broadcast().map(IpAddr::V4));
    }

    /// An own address belongs to that link from now on: groups are joined there by it. Routes stay as they are.
    pub fn move_address(&mut self, link: LinkId, address: IpAddr) {
        self.ip.move_address(link, address);
    }

    /// Adds a route; the longest prefix wins, and one to the same network replaces its predecessor. `source` is what
    /// packets of unbound sockets leave with (`None`: the link's address).
    pub fn add_route(&mut self, network: Cidr, target: RouteTarget, source: Option<IpAddr>) {
        self.ip.add_route(network, target, source);
    }

    /// Takes out the route to exactly this network.
    pub fn remove_route(&mut self, network: Cidr) {
        self.ip.remove_route(network);
    }

    /// A link is gone: its routes too, and every connection that runs over it fails at once, as unreachable.
    pub fn link_down(&mut self, now: Instant, link: LinkId) {
        let over = |cx: &Context<'_>, kept_to, local, remote| {
            cx.path(Protocol::Tcp, kept_to, Some(local), remote).is_ok_and(|path| path.link == link)
        };
        let (tcp, mut cx) = self.split(now);
        tcp.fail_all(&mut cx, Unreachable::Network, over);
        self.ip.remove_routes(link);
        self.neighbors.link_down(link);
        self.count_parked();
    }

    /// A neighbour is known to be gone: every connection to that address fails at once, as unreachable.
    pub fn tcp_fail_remote(&mut self, now: Instant, remote: IpAddr) {
        let (tcp, mut cx) = self.split(now);
        tcp.fail_all(&mut cx, Unreachable::Host, |_, _, _, other| other.ip() == remote);
    }

    /// `endpoint`, an address in 127/8 with a port, is reached over `link` unless a socket here is bound to it: so a
    /// host's programs find the resolver stub of the machine where its resolv.conf says.
    pub fn add_loopback_exception(&mut self, endpoint: SocketAddr, link: LinkId) {
        self.ip.add_loopback_exception(endpoint, link);
    }

    /// The endpoints at loopback addresses that are reached over a link, each with its link.
    pub fn loopback_exceptions(&self) -> impl Iterator<Item = (SocketAddr, LinkId)> {
        self.ip.loopback_exceptions()
    }

    /// The ports that are chosen from where none is named.
    pub fn ephemeral_ports(&self) -> RangeInclusive<u16> {
        self.ports.ephemeral_range()
    }

    /// Is this address one of our own? All of 127/8 is, and ::1.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.ip.is_local(address)
    }

    /// The own address with which packets leave by a link towards there; `None`: there is none of that family.
    pub fn source_towards(&self, link: LinkId, address: IpAddr) -> Option<IpAddr> {
        self.ip.source_for(link, address)
    }

    /// Does a route lead there?
    pub fn is_reachable(&self, address: IpAddr) -> bool {
        self.ip.path(None, address).is_ok()
    }

    /// Does this address mean everybody on one of our networks?
    pub fn is_broadcast(&self, address: IpAddr) -> bool {
        self.ip.is_broadcast(address)
    }

    /// A link by its number, as interfaces are counted: 1 is the loopback link, then in the order in which they were added.
    pub fn link_at(&self, index: u32) -> Option<LinkId> {
        self.ip.link_at(index)
    }

    /// The number of a link.
    pub fn index_of(&self, link: LinkId) -> Option<u32> {
        self.ip.index_of(link)
    }

    /// All links, each with what it can do, as they are counted.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, LinkConfig)> {
        self.ip.links()
    }

    /// The own addresses that belong to a link, in the order in which they were added, each in its network.
    pub fn addresses_of(&self, link: LinkId) -> impl Iterator<Item = Cidr> {
        self.ip.addresses_of(link)
    }

    /// The routing table, the most specific networks first. What the host reaches in itself is not in it.
    pub fn routes(&self) -> &[Route] {
        self.ip.routes()
    }

    /// The link that an own address belongs to.
    pub fn link_of(&self, address: IpAddr) -> Option<LinkId> {
        self.ip.link_of(address)
    }

    /// The link by which packets leave for there.
    pub fn link_towards(&self, address: IpAddr) -> Option<LinkId> {
        self.ip.path(None, address).ok().map(|path| path.link)
    }

    /// What packets of an unbound socket for there leave by, and with which source address.
    ///
    /// # Errors
    ///
    /// No route leads there, or no own address is of its family: [`Unreachable`].
    pub fn way_towards(&self, address: IpAddr) -> Result<(LinkId, IpAddr), Unreachable> {
        self.ip.path(None, address).map(|path| (path.link, path.source))
    }

    /// Whose interface a packet for there goes to over that link: a gateway's, or its destination's own.
    pub fn next_hop(&self, link: LinkId, address: IpAddr) -> IpAddr {
        self.ip.next_hop(link, address)
    }

    /// Joins a multicast group on a link, to hear whom `filter` lets through ([`Stack::udp_set_groups`] says who hears
    /// it). Routers are told (RFC 3376, RFC 3810).
    pub fn group_join(
        &mut self,
        now: Instant,
        link: LinkId,
        group: IpAddr,
        filter: SourceFilter,
    ) -> MembershipId {
        let id = self.ip.groups.join(now, link, group, filter);
        self.ip.write_group_reports(now, &mut self.chance);
        id
    }

    /// A member hears others from now on.
    pub fn group_listen(&mut self, now: Instant, id: MembershipId, filter: SourceFilter) {
        self.ip.groups.listen(now, id, filter);
        self.ip.write_group_reports(now, &mut self.chance);
    }

    /// Leaves a group.
    pub fn group_leave(&mut self, now: Instant, id: MembershipId) {
        self.ip.groups.leave(now, id);
        self.ip.write_group_reports(now, &mut self.chance);
    }

    /// What happened that was not told yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Every invariant that can be checked from outside of an event; the lab and the fuzzers call it after each.
    ///
    /// # Panics
    ///
    /// When one does not hold: that is a bug here.
    pub fn check(&self) {
        self.neighbors.check();
        self.tcp.check();
        self.udp.check();
        self.icmp.ping.check();
        self.raw.check();
        let Tally { received, accepted, dropped } = self.tally();
        assert_eq!(received, accepted + dropped, "every packet is accepted or dropped, for one reason");
    }

    /// Dropped packets by reason, only the reasons that occurred, in a fixed order.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        self.drops.list()
    }

    /// What became of all packets that came in.
    pub fn tally(&self) -> Tally {
        self.drops.tally()
    }

    /// TCP and what it may use, for one event or call.
    pub(crate) fn split(&mut self, now: Instant) -> (&mut Tcp, Context<'_>) {
        let (tcp, _, cx) = self.parts(now);
        (tcp, cx)
    }

    /// Both transports and what they may use.
    pub(crate) fn parts(&mut self, now: Instant) -> (&mut Tcp, &mut Udp, Context<'_>) {
        let Stack { neighbors: _, ip, icmp: _, udp, tcp, raw: _, delegate: _, ports, events, drops, chance } =
            self;
        (tcp, udp, Context { now, ip, ports, events, drops, chance })
    }
}
