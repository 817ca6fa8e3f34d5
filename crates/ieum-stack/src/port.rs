//! Who holds which local port, for TCP and UDP alike.
//!
//! Two kinds of holders: *bindings*, made by name ([`Ports::bind`]), and *occupants*, TCP connections and TIME-WAITs,
//! which hold their local address and port without a name and are only counted, by what their sockets had said.
//!
//! The rules are Linux's (socket(7), ip(7)). Two holders of one port conflict when their addresses overlap: they are
//! equal, or one is unspecified, and neither keeps to a link that the other does not hear. A conflict is forgiven when
//! both allow it: both said SO_REUSEADDR and neither listens, or both said SO_REUSEPORT. Connections inherit what their
//! socket had said.
//!
//! A binding of an address alone has port 0, which nobody else has, and whose entry no conflict is looked for in.
//!
//! Invariants: a port's entry exists exactly while somebody holds it; every binding stands in its port's entry.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ieum_wire::{Cidr, Protocol, udp_lite};
use slotmap::SlotMap;

use crate::ListenError;
use crate::chance::{Chance, Keyed};
use crate::link::LinkId;

slotmap::new_key_type! {
    /// Names a reserved local address and port.
    pub struct BindingId;
}

/// A wish for a local address and port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BindRequest {
    /// Unspecified: every local address.
    pub address: IpAddr,
    /// 0: an ephemeral one.
    pub port: u16,
    /// Share the port with others that say so while nobody listens (SO_REUSEADDR).
    pub reuse_address: bool,
    /// Share the port with others that say so, listening or not (SO_REUSEPORT).
    pub reuse_port: bool,
    /// `::` means IPv6 alone (IPV6_V6ONLY); else it means every local address of both families, and IPv4 peers are named
    /// by their IPv4 addresses. No meaning for other addresses.
    pub v6_only: bool,
    /// What an ephemeral one is chosen from.
    pub ports: PortRange,
    /// It is reached over this link alone, and speaks over it alone (SO_BINDTODEVICE).
    pub link: Option<LinkId>,
    /// Where no port is named, reserve none: each connection gets one when it is opened (IP_BIND_ADDRESS_NO_PORT).
    pub address_alone: bool,
}

impl BindRequest {
    /// Shared with nobody, an ephemeral port from the whole range.
    pub fn new(address: IpAddr, port: u16) -> BindRequest {
        BindRequest {
            address,
            port,
            reuse_address: false,
            reuse_port: false,
            v6_only: false,
            ports: PortRange::default(),
            link: None,
            address_alone: false,
        }
    }
}

/// The ports that an ephemeral one is chosen from (IP_LOCAL_PORT_RANGE): a bound counts where it lies within the stack's own
/// range, and 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// Why a local address and port could not be reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody holds that port, and not both allow sharing it.
    #[error("the port is in use")]
    InUse,
    /// The address is none of ours.
    #[error("the address is not local")]
    NotLocal,
    /// All ephemeral ports are held.
    #[error("no ephemeral port is free")]
    NoFreePort,
}

/// One reserved address and port.
#[derive(Debug)]
struct Binding {
    protocol: Protocol,
    address: SocketAddr,
    reuse_address: bool,
    reuse_port: bool,
    v6_only: bool,
    link: Option<LinkId>,
    listening: bool,
}

impl Binding {
    fn span(&self) -> Span {
        Span { address: self.address.ip(), v6_only: self.v6_only, link: self.link }
    }
}

/// The addresses that a holder of a port has it on.
#[derive(Clone, Copy, Debug)]
struct Span {
    address: IpAddr,
    v6_only: bool,
    /// The only link, if there is but one.
    link: Option<LinkId>,
}

/// Who holds one port of one protocol.
#[derive(Debug, Default)]
struct Holders {
    bindings: Vec<BindingId>,
    /// Connections by their local address, counted by what their sockets had said.
    occupants: BTreeMap<IpAddr, Vec<(Hold, u32)>>,
}

impl Holders {
    /// Has a connection the port on one of these addresses, that does not share it with who allows so (`reuse`) or not?
    fn has_connection(&self, span: Span, reuse: bool) -> bool {
        let refuses = |(hold, _): &(Hold, u32)| !(reuse && hold.reuse) && links_meet(hold.link, span.link);
        if span.address.is_unspecified() {
            let mut all = self
                .occupants
                .iter()
                .flat_map(|(address, holds)| holds.iter().map(move |hold| (*address, hold)));
            all.any(|(address, hold)| {
                // As on Linux: the socket of a connection of IPv6 that was not for IPv6 alone is in the way of 0.0.0.0.
                let both = hold.0.both_families && address.is_ipv6();
                (both || overlap(span, Span { address, v6_only: true, link: None })) && refuses(hold)
            })
        } else {
            self.occupants.get(&span.address).is_some_and(|holds| holds.iter().any(refuses))
        }
    }
}

/// What the socket of a connection said of the port which the connection holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Hold {
    /// It shares the port with others that allow so.
    pub(crate) reuse: bool,
    /// It was not for IPv6 alone.
    pub(crate) both_families: bool,
    /// The only link it is reached over.
    pub(crate) link: Option<LinkId>,
}

/// All held ports.
#[derive(Debug)]
pub(crate) struct Ports {
    bindings: SlotMap<BindingId, Binding>,
    holders: HashMap<(Protocol, u16), Holders, Keyed>,
    /// What can be bound.
    local: Vec<Local>,
    ephemeral: RangeInclusive<u16>,
}

/// Own addresses, which can be bound.
#[derive(Clone, Copy, Debug)]
struct Local {
    /// One address with all its bits, or a whole network of own addresses (127/8).
    own: Cidr,
    /// The address of everybody on its network: datagrams can be received there.
    broadcast: Option<IpAddr>,
}

impl Ports {
    /// Nothing held; `ephemeral` are the ports chosen from when none is named.
    pub(crate) fn new(ephemeral: RangeInclusive<u16>, chance: &mut Chance) -> Ports {
        assert!(!ephemeral.is_empty(), "there are ephemeral ports to choose from");
        Ports {
            bindings: SlotMap::with_key(),
            holders: HashMap::with_hasher(chance.keyed()),
            local: Vec::new(),
            ephemeral,
        }
    }

    /// The ports chosen from when none is named.
    pub(crate) fn ephemeral_range(&self) -> RangeInclusive<u16> {
        self.ephemeral.clone()
    }

    /// From now on `own` (one address, or a whole network of them) can be bound, and `broadcast` for datagrams.
    pub(crate) fn add_local(&mut self, own: Cidr, broadcast: Option<IpAddr>) {
        self.local.push(Local { own, broadcast });
    }

    /// Reserves an address and port.
    pub(crate) fn bind(
        &mut self,
        protocol: Protocol,
        request: BindRequest,
        chance: &mut Chance,
    ) -> Result<BindingId, BindError> {
        if !self.can_be_bound(protocol, request.address) {
            return Err(BindError::NotLocal);
        }
        let port = match request.port {
            // It stands in no port's way.
            0 if request.address_alone => 0,
            0 => self.free_port(protocol, &request, chance).ok_or(BindError::NoFreePort)?,
            _ if self.conflicts(protocol, &request) => return Err(BindError::InUse),
            port => port,
        };
        let id = self.bindings.insert(Binding {
            protocol,
            address: SocketAddr::new(request.address, port),
            reuse_address: request.reuse_address,
            reuse_port: request.reuse_port,
            v6_only: request.v6_only,
            link: request.link,
            listening: false,
        });
        self.holders.entry((protocol, port)).or_default().bindings.push(id);
        Ok(id)
    }

    /// Does a binding of `::` stand for IPv4 too?
    pub(crate) fn is_for_both_families(&self, id: BindingId) -> bool {
        self.bindings.get(id).is_some_and(|binding| {
            binding.address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) && !binding.v6_only
        })
    }

    /// The address and port of a binding.
    pub(crate) fn address(&self, id: BindingId) -> Option<SocketAddr> {
        self.bindings.get(id).map(|binding| binding.address)
    }

    /// What the connections of this binding's socket say of the port: they inherit it.
    pub(crate) fn hold(&self, id: BindingId) -> Hold {
        let both_families = self.is_for_both_families(id);
        let hold = self.bindings.get(id).map(|binding| Hold {
            reuse: binding.reuse_address || binding.reuse_port,
            both_families,
            link: binding.link,
        });
        hold.unwrap_or_default()
    }

    /// Gives a binding up.
    pub(crate) fn release(&mut self, id: BindingId) {
        let Some(binding) = self.bindings.remove(id) else { return };
        let key = (binding.protocol, binding.address.port());
        if let Some(holders) = self.holders.get_mut(&key) {
            holders.bindings.retain(|other| *other != id);
        }
        self.forget_if_free(key);
    }

    /// A binding of every address holds but this one from now on, or every one again; its port stays. Conflicts that exist
    /// already stay.
    pub(crate) fn set_address(&mut self, id: BindingId, address: IpAddr) {
        if let Some(binding) = self.bindings.get_mut(id) {
            binding.address.set_ip(address);
        }
    }

    /// Changes what a binding allows; conflicts that exist already stay.
    pub(crate) fn set_reuse(&mut self, id: BindingId, reuse_address: bool, reuse_port: bool) {
        if let Some(binding) = self.bindings.get_mut(id) {
            binding.reuse_address = reuse_address;
            binding.reuse_port = reuse_port;
        }
    }

    /// The binding keeps to that link from now on, or to none in particular; conflicts that exist already stay.
    pub(crate) fn set_link(&mut self, id: BindingId, link: Option<LinkId>) {
        if let Some(binding) = self.bindings.get_mut(id) {
            binding.link = link;
        }
    }

    /// The binding begins or ceases to listen. Of bindings that share by SO_REUSEADDR alone only one may listen; and who listens
    /// again meets the connections that were accepted before, as a new binding would.
    pub(crate) fn set_listening(&mut self, id: BindingId, listening: bool) -> Result<(), ListenError> {
        let Some(binding) = self.bindings.get(id) else { return Ok(()) };
        let key = (binding.protocol, binding.address.port());
        let rival = |other: &BindingId| {
            *other != id
                && self.bindings.get(*other).is_some_and(|other| {
                    other.listening
                        && overlap(other.span(), binding.span())
                        && !(other.reuse_port && binding.reuse_port)
                })
        };
        let reuse = binding.reuse_address || binding.reuse_port;
        let is_refused = |holders: &Holders| {
            holders.bindings.iter().any(rival) || holders.has_connection(binding.span(), reuse)
        };
        if listening && self.holders.get(&key).is_some_and(is_refused) {
            return Err(ListenError::InUse);
        }
        if let Some(binding) = self.bindings.get_mut(id) {
            binding.listening = listening;
        }
        Ok(())
    }

    /// A TCP connection holds its local address and port from now on.
    pub(crate) fn occupy(&mut self, local: SocketAddr, hold: Hold) {
        let holders = self.holders.entry((Protocol::Tcp, local.port())).or_default();
        let holds = holders.occupants.entry(local.ip()).or_insert_with(|| Vec::with_capacity(1));
        match holds.iter_mut().find(|(other, _)| *other == hold) {
            Some((_, count)) => *count += 1,
            None => holds.push((hold, 1)),
        }
    }

    /// A connection that held `local` (with the same words) is gone.
    ///
    /// # Panics
    ///
    /// When it never held it.
    pub(crate) fn vacate(&mut self, local: SocketAddr, hold: Hold) {
        let key = (Protocol::Tcp, local.port());
        let holders = self.holders.get_mut(&key).expect("who vacates a port has occupied it");
        let holds = holders.occupants.get_mut(&local.ip()).expect("who vacates an address has occupied it");
        let (_, count) = holds
            .iter_mut()
            .find(|(other, _)| *other == hold)
            .expect("who vacates has occupied with the same words");
        *count -= 1;
        holds.retain(|(_, count)| *count > 0);
        if holds.is_empty() {
            holders.occupants.remove(&local.ip());
        }
        self.forget_if_free(key);
    }

    /// An ephemeral port for a connection from `address`: a random start, then one after the other (RFC 6056 §3.3.2),
    /// leaving out those bound by name. `usable` says whether the 4-tuple with that port is free.
    pub(crate) fn ephemeral(
        &self,
        protocol: Protocol,
        address: IpAddr,
        ports: PortRange,
        chance: &mut Chance,
        mut usable: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        self.walk(ports, chance)
            .find(|port| !self.is_bound(protocol, SocketAddr::new(address, *port)) && usable(*port))
    }

    /// Is a binding there whose address and port cover `local`?
    pub(crate) fn is_bound(&self, protocol: Protocol, local: SocketAddr) -> bool {
        self.holders.get(&(protocol, local.port())).is_some_and(|holders| {
            let mut bound = holders.bindings.iter().filter_map(|id| self.bindings.get(*id));
            let local = Span { address: local.ip(), v6_only: true, link: None };
            bound.any(|binding| overlap(binding.span(), local))
        })
    }

    /// Every ephemeral port once, from a random one on.
    fn walk(&self, ports: PortRange, chance: &mut Chance) -> impl Iterator<Item = u16> + use<> {
        let within = |bound: u16, own: u16| if self.ephemeral.contains(&bound) { bound } else { own };
        let first = u32::from(within(ports.first, *self.ephemeral.start()));
        let last = u32::from(within(ports.last, *self.ephemeral.end()));
        let count = (last + 1).saturating_sub(first);
        let start = chance.below(count.max(1));
        (0..count).filter_map(move |step| u16::try_from(first + (start + step) % count).ok())
    }

    /// A port that nobody holds on an address overlapping with the wished one.
    fn free_port(&self, protocol: Protocol, request: &BindRequest, chance: &mut Chance) -> Option<u16> {
        let alone = |port| BindRequest { port, reuse_address: false, reuse_port: false, ..*request };
        self.walk(request.ports, chance).find(|port| !self.conflicts(protocol, &alone(*port)))
    }

    fn can_be_bound(&self, protocol: Protocol, address: IpAddr) -> bool {
        let is_udp = protocol == Protocol::Udp || protocol == udp_lite::PROTOCOL;
        let for_many = is_udp && (address.is_multicast() || address == BROADCAST);
        address.is_unspecified()
            || for_many
            || self
                .local
                .iter()
                .any(|local| local.own.contains(address) || (is_udp && local.broadcast == Some(address)))
    }

    /// Would `request` meet a holder that does not share with it?
    fn conflicts(&self, protocol: Protocol, request: &BindRequest) -> bool {
        let Some(holders) = self.holders.get(&(protocol, request.port)) else { return false };
        let shares = |binding: &Binding| {
            (binding.reuse_address && request.reuse_address && !binding.listening)
                || (binding.reuse_port && request.reuse_port)
        };
        let mut bindings = holders.bindings.iter().filter_map(|id| self.bindings.get(*id));
        let span = Span { address: request.address, v6_only: request.v6_only, link: request.link };
        if bindings.any(|binding| overlap(binding.span(), span) && !shares(binding)) {
            return true;
        }
        holders.has_connection(span, request.reuse_address || request.reuse_port)
    }

    fn forget_if_free(&mut self, key: (Protocol, u16)) {
        if self
            .holders
            .get(&key)
            .is_some_and(|holders| holders.bindings.is_empty() && holders.occupants.is_empty())
        {
            self.holders.remove(&key);
        }
    }
}

/// Everybody on the link (RFC 919 §7).
const BROADCAST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

/// Can one packet be meant for both?
fn overlap(one: Span, other: Span) -> bool {
    let any = |span: Span| span.address.is_unspecified();
    let both_families = |span: Span| any(span) && span.address.is_ipv6() && !span.v6_only;
    if !links_meet(one.link, other.link) {
        return false;
    }
    if one.address.is_ipv4() == other.address.is_ipv4() {
        one.address == other.address || any(one) || any(other)
    } else {
        both_families(one) || both_families(other)
    }
}

/// Can what comes over one link be heard by both?
fn links_meet(one: Option<LinkId>, other: Option<LinkId>) -> bool {
    one.is_none() || other.is_none() || one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "0.0.0.0";
    const OWN: &str = "10.77.0.2";

    fn ports() -> (Ports, Chance) {
        let mut chance = Chance::new([1; 32]);
        let mut ports = Ports::new(40_000..=40_009, &mut chance);
        ports.add_local(Cidr::host(OWN.parse().unwrap()), Some("10.77.0.255".parse().unwrap()));
        ports.add_local("127.0.0.0/8".parse().unwrap(), None);
        (ports, chance)
    }

    fn wish(address: &str, port: u16) -> BindRequest {
        BindRequest::new(address.parse().unwrap(), port)
    }

    fn reusing(address: &str, port: u16) -> BindRequest {
        BindRequest { reuse_address: true, ..wish(address, port) }
    }

    #[test]
    fn overlapping_addresses_conflict_and_others_do_not() {
        let (mut ports, mut chance) = ports();
        let mut bind = |request| ports.bind(Protocol::Tcp, request, &mut chance);
        assert!(bind(wish(OWN, 80)).is_ok());
        assert_eq!(bind(wish(OWN, 80)), Err(BindError::InUse));
        assert_eq!(bind(wish(ANY, 80)), Err(BindError::InUse));
        assert_eq!(bind(reusing(OWN, 80)), Err(BindError::InUse));
        assert!(bind(wish("127.0.0.1", 80)).is_ok());
        assert!(bind(wish("127.8.9.1", 80)).is_ok());
        assert_eq!(bind(wish("10.77.0.3", 80)), Err(BindError::NotLocal));
        assert!(ports.bind(Protocol::Udp, wish(ANY, 80), &mut chance).is_ok());
    }

    #[test]
    fn an_unspecified_ip6_address_means_ip4_too_unless_it_says_otherwise() {
        let (mut ports, mut chance) = ports();
        let mut bind = |request| ports.bind(Protocol::Tcp, request, &mut chance);
        let alone = BindRequest { v6_only: true, ..wish("::", 80) };
        assert!(bind(alone).is_ok());
        assert!(bind(wish(ANY, 80)).is_ok());
        assert!(bind(wish("::", 81)).is_ok());
        assert_eq!(bind(wish(ANY, 81)), Err(BindError::InUse));
        assert_eq!(bind(wish(OWN, 81)), Err(BindError::InUse));
        assert!(bind(wish(OWN, 82)).is_ok());
        assert_eq!(bind(wish("::", 82)), Err(BindError::InUse));
        assert!(bind(BindRequest { v6_only: true, ..wish("::", 82) }).is_ok());
    }

    #[test]
    fn broadcast_addresses_can_be_bound_for_datagrams_only() {
        let (mut ports, mut chance) = ports();
        for address in ["10.77.0.255", "255.255.255.255", "224.0.0.251"] {
            assert!(ports.bind(Protocol::Udp, wish(address, 67), &mut chance).is_ok());
            assert_eq!(ports.bind(Protocol::Tcp, wish(address, 67), &mut chance), Err(BindError::NotLocal));
        }
    }

    #[test]
    fn of_two_that_reuse_an_address_only_one_may_listen() {
        let (mut ports, mut chance) = ports();
        let mut bind = |ports: &mut Ports, request| ports.bind(Protocol::Tcp, request, &mut chance);
        let one = bind(&mut ports, reusing(ANY, 80)).unwrap();
        let two = bind(&mut ports, reusing(OWN, 80)).unwrap();
        assert_eq!(ports.set_listening(one, true), Ok(()));
        assert_eq!(ports.set_listening(two, true), Err(ListenError::InUse));
        assert_eq!(bind(&mut ports, reusing(OWN, 80)), Err(BindError::InUse));
        assert_eq!(ports.set_listening(one, false), Ok(()));
        assert_eq!(ports.set_listening(two, true), Ok(()));
        ports.release(one);
        ports.release(two);
        assert!(ports.holders.is_empty());
    }

    #[test]
    fn all_that_reuse_a_port_may_listen() {
        let (mut ports, mut chance) = ports();
        let request = BindRequest { reuse_port: true, ..wish(ANY, 80) };
        for _ in 0..3 {
            let id = ports.bind(Protocol::Tcp, request, &mut chance).unwrap();
            assert_eq!(ports.set_listening(id, true), Ok(()));
        }
        assert_eq!(ports.bind(Protocol::Tcp, wish(ANY, 80), &mut chance), Err(BindError::InUse));
    }

    #[test]
    fn a_port_of_connections_can_be_bound_again_only_where_both_reuse() {
        let (mut ports, mut chance) = ports();
        let local = SocketAddr::new(OWN.parse().unwrap(), 80);
        let mut bind = |ports: &mut Ports, request| ports.bind(Protocol::Tcp, request, &mut chance);
        ports.occupy(local, Hold { reuse: true, ..Hold::default() });
        assert_eq!(bind(&mut ports, wish(ANY, 80)), Err(BindError::InUse));
        let id = bind(&mut ports, reusing(ANY, 80)).unwrap();
        ports.release(id);
        ports.occupy(local, Hold::default());
        assert_eq!(bind(&mut ports, reusing(ANY, 80)), Err(BindError::InUse));
        assert!(bind(&mut ports, wish("127.0.0.1", 80)).is_ok());
        ports.vacate(local, Hold::default());
        ports.vacate(local, Hold { reuse: true, ..Hold::default() });
        assert!(bind(&mut ports, wish(OWN, 80)).is_ok());
    }

    #[test]
    fn ephemeral_ports_run_out_and_come_back() {
        let (mut ports, mut chance) = ports();
        let ids: Vec<_> =
            (0..10).map(|_| ports.bind(Protocol::Udp, wish(ANY, 0), &mut chance).unwrap()).collect();
        assert_eq!(ports.bind(Protocol::Udp, wish(OWN, 0), &mut chance), Err(BindError::NoFreePort));
        let freed = ports.address(ids[4]).unwrap().port();
        ports.release(ids[4]);
        let id = ports.bind(Protocol::Udp, wish(OWN, 0), &mut chance).unwrap();
        assert_eq!(ports.address(id).unwrap().port(), freed);
    }

    #[test]
    fn an_address_alone_stands_in_no_ports_way() {
        let (mut ports, mut chance) = ports();
        let alone = BindRequest { address_alone: true, ..wish(OWN, 0) };
        let bound: Vec<_> = (0..20).map(|_| ports.bind(Protocol::Tcp, alone, &mut chance).unwrap()).collect();
        assert_eq!(ports.address(bound[0]), Some(SocketAddr::new(OWN.parse().unwrap(), 0)));
        for port in 40_000..=40_009 {
            assert!(ports.bind(Protocol::Tcp, wish(ANY, port), &mut chance).is_ok());
        }
        assert_eq!(ports.bind(Protocol::Tcp, wish(OWN, 0), &mut chance), Err(BindError::NoFreePort));
        for id in bound {
            ports.release(id);
        }
        let foreign = BindRequest { address_alone: true, ..wish("10.77.0.3", 0) };
        assert_eq!(ports.bind(Protocol::Tcp, foreign, &mut chance), Err(BindError::NotLocal));
    }

    #[test]
    fn a_connection_gets_no_port_that_is_bound_or_whose_tuple_is_taken() {
        let (mut ports, mut chance) = ports();
        ports.bind(Protocol::Tcp, wish(ANY, 40_003), &mut chance).unwrap();
        let own = OWN.parse().unwrap();
        let chosen = ports.ephemeral(Protocol::Tcp, own, PortRange::default(), &mut chance, |port| {
            port == 40_003 || port == 40_007
        });
        assert_eq!(chosen, Some(40_007));
        assert_eq!(
            ports.ephemeral(Protocol::Tcp, own, PortRange::default(), &mut chance, |port| port == 40_003),
            None
        );
    }
}
