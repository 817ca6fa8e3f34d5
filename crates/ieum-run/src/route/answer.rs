//! What is said: interfaces, addresses and routes of a host in the words of rtnetlink(7).

use std::net::IpAddr;
use std::num::NonZeroI32;

use ieum_socket::{Errno, Host, Interface};
use ieum_stack::{Route, RouteTarget};
use ieum_wire::{Cidr, Unreachable};
use netlink_packet_core::{
    DoneMessage, ErrorMessage, NLM_F_CAPPED, NLM_F_MULTIPART, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage, State};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::request::{HEADER_BYTES, Request, Verb};
use crate::bounds::ROUTE_ANSWER_BYTES;
use crate::sys::number as n;

/// Errors repeat no more of their request than its header (NETLINK_CAP_ACK).
pub(crate) const SHORT_ERRORS: i32 = 10;
/// Requests for addresses may name an interface (NETLINK_GET_STRICT_CHK).
pub(crate) const STRICT: i32 = 12;

/// How a socket wants to be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The socket's address, which its answers bear.
    pub(crate) port: u32,
    /// NETLINK_GET_STRICT_CHK.
    pub(crate) is_strict: bool,
    /// NETLINK_CAP_ACK.
    pub(crate) has_short_errors: bool,
}

/// The answers to all requests of one write, each a datagram.
pub(crate) fn answers(host: &Host, written: &[u8], manner: Manner) -> Vec<Vec<u8>> {
    let mut told = Vec::new();
    for request in Request::all(written) {
        let outcome = match request.verb() {
            Verb::Nothing => {
                if request.wants_acknowledgement() {
                    told.push(verdict(&request, manner, None));
                }
                continue;
            }
            Verb::Change if changes_nothing(host, &request) => {
                if request.wants_acknowledgement() {
                    told.push(verdict(&request, manner, None));
                }
                continue;
            }
            Verb::Change => Err(PERMISSION),
            Verb::Unknown => Err(Errno::EOPNOTSUPP),
            Verb::Get if request.wants_all() => {
                told.extend(dump(host, &request, manner));
                continue;
            }
            Verb::Get => one(host, &request),
        };
        match outcome {
            Ok(found) => {
                told.push(message(&request, manner, 0, NetlinkPayload::InnerMessage(found)));
                if request.wants_acknowledgement() {
                    told.push(verdict(&request, manner, None));
                }
            }
            Err(errno) => told.push(verdict(&request, manner, NonZeroI32::new(-errno.0))),
        }
    }
    told
}

const PERMISSION: Errno = Errno(rustix::io::Errno::PERM.raw_os_error());
const NO_DEVICE: Errno = Errno(rustix::io::Errno::NODEV.raw_os_error());

/// All that is asked for: as many messages in a datagram as readers have room for, and the end in one of its own.
fn dump(host: &Host, request: &Request<'_>, manner: Manner) -> Vec<Vec<u8>> {
    let found = match request.kind {
        n::RTM_GETLINK if request.family() != n::AF_BRIDGE => host.interfaces().iter().map(link).collect(),
        n::RTM_GETADDR => addresses(host, request, manner.is_strict),
        n::RTM_GETROUTE => routes(host, request),
        n::RTM_GETRULE => rules(request),
        _ => Vec::new(),
    };
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for one in found {
        let bytes = message(request, manner, NLM_F_MULTIPART, NetlinkPayload::InnerMessage(one));
        match datagrams.last_mut() {
            Some(last) if last.len() + bytes.len() <= ROUTE_ANSWER_BYTES => last.extend(bytes),
            _ => datagrams.push(bytes),
        }
    }
    datagrams.push(message(request, manner, NLM_F_MULTIPART, NetlinkPayload::Done(DoneMessage::default())));
    datagrams
}

/// One thing that is asked for.
fn one(host: &Host, request: &Request<'_>) -> Result<RouteNetlinkMessage, Errno> {
    match request.kind {
        n::RTM_GETLINK => meant(host, request).as_ref().map(link).ok_or(NO_DEVICE),
        n::RTM_GETROUTE => way(host, request.destination().ok_or(Errno::EINVAL)?),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// The link that a request names.
fn meant(host: &Host, request: &Request<'_>) -> Option<Interface> {
    let is_meant = |one: &Interface| match (request.index(), request.interface_name()) {
        (Some(index), _) => one.index == index,
        (None, name) => name == Some(one.name.as_bytes()),
    };
    host.interfaces().into_iter().find(is_meant)
}

/// Is everything as it is asked to be? (`ip link set lo up`)
fn changes_nothing(host: &Host, request: &Request<'_>) -> bool {
    request.kind == n::RTM_NEWLINK
        && request.is_of_flags_alone()
        && meant(host, request)
            .is_some_and(|one| request.flags_wanted(one.flags()).is_some_and(|wanted| one.is_already(wanted)))
}

/// Acknowledgement or error: with the request, unless the socket wants its header alone.
fn verdict(request: &Request<'_>, manner: Manner, code: Option<NonZeroI32>) -> Vec<u8> {
    let is_short = code.is_none() || manner.has_short_errors;
    let mut said = ErrorMessage::default();
    said.code = code;
    said.header = request.bytes.get(..HEADER_BYTES).filter(|_| is_short).unwrap_or(request.bytes).to_vec();
    message(request, manner, if is_short { NLM_F_CAPPED } else { 0 }, NetlinkPayload::Error(said))
}

fn message(
    request: &Request<'_>,
    manner: Manner,
    flags: u16,
    payload: NetlinkPayload<RouteNetlinkMessage>,
) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number, header.port_number) = (flags, request.sequence, manner.port);
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
    message.serialize(&mut bytes);
    bytes
}

fn link(one: &Interface) -> RouteNetlinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = one.index;
    link.header.flags = LinkFlags::from_bits_retain(one.flags());
    link.header.link_layer_type = match (one.is_loopback, one.hardware) {
        (true, _) => LinkLayerType::Loopback,
        (false, Some(_)) => LinkLayerType::Ether,
        (false, None) => LinkLayerType::None,
    };
    link.attributes = vec![
        LinkAttribute::IfName(one.name.clone()),
        LinkAttribute::TxQueueLen(QUEUE_PACKETS),
        // A loopback device has no carrier to speak of.
        LinkAttribute::OperState(if one.is_loopback { State::Unknown } else { State::Up }),
        LinkAttribute::Mtu(one.mtu_bytes),
        LinkAttribute::Group(0),
        LinkAttribute::Carrier(1),
        LinkAttribute::Qdisc("noqueue".to_owned()),
    ];
    let hardware = match one.hardware {
        Some(address) => Some((address.0, [0xff; 6])),
        None => one.is_loopback.then_some(([0; 6], [0; 6])),
    };
    if let Some((address, broadcast)) = hardware {
        link.attributes.push(LinkAttribute::Address(address.to_vec()));
        link.attributes.push(LinkAttribute::Broadcast(broadcast.to_vec()));
    }
    RouteNetlinkMessage::NewLink(link)
}

/// Packets that wait for a device, as interfaces begin.
const QUEUE_PACKETS: u32 = 1000;

fn addresses(host: &Host, request: &Request<'_>, is_strict: bool) -> Vec<RouteNetlinkMessage> {
    // Only strict sockets say what they want of addresses beyond the family.
    let index = if is_strict { request.index() } else { None };
    let interfaces = host.interfaces().into_iter().filter(|one| index.is_none_or(|index| index == one.index));
    let mut all: Vec<_> = interfaces
        .flat_map(|one| {
            let chosen: Vec<_> =
                one.addresses.iter().copied().filter(|own| request.chooses(own.address())).collect();
            chosen.into_iter().map(move |own| address(&one, own))
        })
        .collect();
    // As Linux goes through its families.
    all.sort_by_key(|one| matches!(one.header.family, AddressFamily::Inet6));
    all.into_iter().map(RouteNetlinkMessage::NewAddress).collect()
}

fn address(on: &Interface, own: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(own.address());
    message.header.prefix_len = own.prefix_bits();
    message.header.flags = AddressHeaderFlags::Permanent;
    message.header.scope = if on.is_loopback { AddressScope::Host } else { AddressScope::Universe };
    message.header.index = on.index;
    message.attributes = vec![AddressAttribute::Address(own.address())];
    if own.address().is_ipv4() {
        message.attributes.push(AddressAttribute::Local(own.address()));
        if !on.is_loopback {
            message.attributes.extend(own.broadcast().map(AddressAttribute::Broadcast));
        }
        message.attributes.push(AddressAttribute::Label(on.name.clone()));
    }
    let mut for_ever = CacheInfo::default();
    (for_ever.ifa_preferred, for_ever.ifa_valid) = (u32::MAX, u32::MAX);
    message.attributes.push(AddressAttribute::CacheInfo(for_ever));
    message.attributes.push(AddressAttribute::Flags(AddressFlags::Permanent));
    message
}

/// The routing table, and what Linux has in its table `local`: the host's way to its own addresses.
fn routes(host: &Host, request: &Request<'_>) -> Vec<RouteNetlinkMessage> {
    let interfaces = host.interfaces();
    let chosen = |network: &Cidr| request.chooses(network.address());
    let main = host.stack().routes().iter().filter(|route| chosen(&route.network));
    let main = main.map(|route| configured(host, &interfaces, route));
    let own = interfaces.iter().flat_map(|one| one.addresses.iter().map(move |own| (one.index, *own)));
    let local = own.filter(|(_, own)| chosen(own)).map(|(index, own)| to_itself(index, own.address()));
    main.chain(local).map(RouteNetlinkMessage::NewRoute).collect()
}

fn configured(host: &Host, interfaces: &[Interface], route: &Route) -> RouteMessage {
    let index = host.interface_of(route.target);
    let on = interfaces.iter().find(|one| one.index == index);
    // An address brings the route to its network along, and its packets leave with that address.
    let brings = |own: &&Cidr| {
        own.prefix_bits() == route.network.prefix_bits() && own.contains(route.network.address())
    };
    let brought = on.and_then(|on| on.addresses.iter().find(brings));
    let source = route.source.or_else(|| brought.map(|own| own.address()));
    let mut message = route_to(route.network.first(), route.network.prefix_bits());
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = if brought.is_some() { RouteProtocol::Kernel } else { RouteProtocol::Static };
    message.header.scope = match route.target {
        RouteTarget::Link(_) if route.network.address().is_ipv4() => RouteScope::Link,
        RouteTarget::Link(_) | RouteTarget::Gateway(..) | RouteTarget::Unreachable(_) => RouteScope::Universe,
    };
    message.header.kind = match route.target {
        RouteTarget::Link(_) | RouteTarget::Gateway(..) => RouteType::Unicast,
        RouteTarget::Unreachable(Unreachable::Prohibited) => RouteType::Prohibit,
        RouteTarget::Unreachable(_) => RouteType::Unreachable,
    };
    message.attributes.push(RouteAttribute::Table(u32::from(RouteHeader::RT_TABLE_MAIN)));
    if let RouteTarget::Gateway(_, gateway) = route.target {
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    }
    if route.network.address().is_ipv6() {
        message.attributes.push(RouteAttribute::Priority(METRIC_6));
    } else {
        message.attributes.extend(source.map(|source| RouteAttribute::PrefSource(source.into())));
    }
    if index != 0 {
        message.attributes.push(RouteAttribute::Oif(index));
    }
    message
}

fn to_itself(index: u32, own: IpAddr) -> RouteMessage {
    let mut message = route_to(own, if own.is_ipv4() { 32 } else { 128 });
    message.header.table = TABLE_LOCAL;
    message.header.protocol = RouteProtocol::Kernel;
    message.header.scope = if own.is_ipv4() { RouteScope::Host } else { RouteScope::Universe };
    message.header.kind = RouteType::Local;
    message.attributes.push(RouteAttribute::Table(u32::from(TABLE_LOCAL)));
    if own.is_ipv4() {
        message.attributes.push(RouteAttribute::PrefSource(own.into()));
    } else {
        message.attributes.push(RouteAttribute::Priority(0));
    }
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

/// RT_TABLE_LOCAL.
const TABLE_LOCAL: u8 = 255;
/// RT_TABLE_DEFAULT.
const TABLE_DEFAULT: u8 = 253;
/// What routes of IPv6 cost that are added without saying so (IP6_RT_PRIO_KERN).
const METRIC_6: u32 = 256;

/// The way that packets to one destination take (ip-route(8), `ip route get`).
fn way(host: &Host, destination: IpAddr) -> Result<RouteNetlinkMessage, Errno> {
    let stack = host.stack();
    let (link, source) = stack.way_towards(destination).map_err(|_| Errno::ENETUNREACH)?;
    let index = stack.index_of(link).ok_or(NO_DEVICE)?;
    let is_local = stack.is_local(destination);
    let mut message = route_to(destination, if destination.is_ipv4() { 32 } else { 128 });
    message.header.table = if is_local { TABLE_LOCAL } else { RouteHeader::RT_TABLE_MAIN };
    message.header.kind = if is_local { RouteType::Local } else { RouteType::Unicast };
    message.attributes.push(RouteAttribute::Table(u32::from(message.header.table)));
    if destination.is_ipv4() {
        // It was made for the asking.
        message.header.flags |= RouteFlags::Cloned;
    }
    let next_hop = stack.next_hop(link, destination);
    if next_hop != destination {
        message.attributes.push(RouteAttribute::Gateway(next_hop.into()));
    }
    message.attributes.push(RouteAttribute::Oif(index));
    message.attributes.push(RouteAttribute::PrefSource(source.into()));
    Ok(RouteNetlinkMessage::NewRoute(message))
}

/// Where routes are looked for, as on a Linux where nobody changed it: the host's own addresses, then the others.
fn rules(request: &Request<'_>) -> Vec<RouteNetlinkMessage> {
    let four = [(0, TABLE_LOCAL), (32_766, RouteHeader::RT_TABLE_MAIN), (32_767, TABLE_DEFAULT)];
    // IPv6 has no table for what nobody else has.
    let six = &four[..2];
    let families = [(n::AF_INET, AddressFamily::Inet, &four[..]), (n::AF_INET6, AddressFamily::Inet6, six)];
    let asked = |family: i32| matches!(request.family(), all if all == n::AF_UNSPEC || all == family);
    let meant = families.into_iter().filter(|(number, ..)| asked(*number));
    meant.flat_map(|(_, family, rules)| rules.iter().map(move |rule| rule_of(family, *rule))).collect()
}

fn rule_of(family: AddressFamily, (priority, table): (u32, u8)) -> RouteNetlinkMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.header.table = table;
    message.header.action = RuleAction::ToTable;
    message.attributes.push(RuleAttribute::Table(table.into()));
    message.attributes.push(RuleAttribute::SuppressPrefixLen(u32::MAX));
    message.attributes.push(RuleAttribute::Protocol(RouteProtocol::Kernel));
    if priority > 0 {
        message.attributes.push(RuleAttribute::Priority(priority));
    }
    RouteNetlinkMessage::NewRule(message)
}

/// A route to a network; nothing else is said of it yet. The route to everywhere has no destination.
fn route_to(network: IpAddr, prefix_bits: u8) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(network);
    message.header.destination_prefix_length = prefix_bits;
    if prefix_bits > 0 {
        message.attributes.push(RouteAttribute::Destination(network.into()));
    }
    message
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use ieum_socket::HostConfig;
    use ieum_stack::LinkConfig;
    use netlink_packet_core::NLM_F_ACK;
    use netlink_packet_route::address::AddressAttribute;
    use proptest::prelude::*;

    use super::*;

    fn host() -> Host {
        let mut host = Host::new(HostConfig { seed: [7; 32], tcp_timestamps: true, hold_requests: false });
        let stack = host.stack_mut();
        let link = stack.add_link(LinkConfig::wire(1400));
        let gateway = "10.1.2.1".parse().unwrap();
        stack.add_address(link, "10.1.2.3/24".parse().unwrap());
        stack.add_address(link, "fd00::3/64".parse().unwrap());
        stack.add_route(Cidr::ALL_IP4, RouteTarget::Gateway(link, gateway), None);
        host
    }

    const MANNER: Manner = Manner { port: 4711, is_strict: true, has_short_errors: false };

    /// A request of a kind with flags and a body.
    fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | 1).to_ne_bytes());
        bytes.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(body);
        bytes
    }

    fn answered(written: &[u8]) -> Vec<RouteNetlinkMessage> {
        let mut found = Vec::new();
        for datagram in answers(&host(), written, MANNER) {
            let mut rest = &datagram[..];
            while !rest.is_empty() {
                let one = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).unwrap();
                assert_eq!((one.header.sequence_number, one.header.port_number), (9, MANNER.port));
                let len = usize::try_from(one.header.length).unwrap();
                rest = &rest[len.next_multiple_of(4).min(rest.len())..];
                if let NetlinkPayload::InnerMessage(said) = one.payload {
                    found.push(said);
                }
            }
        }
        found
    }

    const DUMP: u16 = 0x300;

    #[test]
    fn all_addresses_are_told_with_their_interfaces_those_of_ipv4_first() {
        let mut told = Vec::new();
        for one in answered(&request(n::RTM_GETADDR, DUMP, &[0; 8])) {
            let RouteNetlinkMessage::NewAddress(one) = one else { panic!("{one:?}") };
            let address = one.attributes.iter().find_map(|attribute| {
                if let AddressAttribute::Address(address) = attribute { Some(*address) } else { None }
            });
            told.push((one.header.index, format!("{}/{}", address.unwrap(), one.header.prefix_len)));
        }
        let expected = [(1, "127.0.0.1/8"), (2, "10.1.2.3/24"), (1, "::1/128"), (2, "fd00::3/64")];
        assert_eq!(told, expected.map(|(index, text)| (index, text.to_owned())));
    }

    #[test]
    fn a_strict_request_names_one_interface() {
        assert_eq!(answered(&request(n::RTM_GETADDR, DUMP, &[0, 0, 0, 0, 2, 0, 0, 0])).len(), 2);
    }

    #[test]
    fn the_way_to_a_stranger_leads_over_the_gateway() {
        // struct rtmsg of AF_INET, and RTA_DST 192.0.2.9.
        let body = [2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 0, 192, 0, 2, 9];
        let told = answered(&request(n::RTM_GETROUTE, 0, &body));
        let [RouteNetlinkMessage::NewRoute(way)] = &told[..] else { panic!("{told:?}") };
        let gateway: IpAddr = "10.1.2.1".parse().unwrap();
        let source: IpAddr = "10.1.2.3".parse().unwrap();
        assert!(way.attributes.contains(&RouteAttribute::Gateway(gateway.into())));
        assert!(way.attributes.contains(&RouteAttribute::PrefSource(source.into())));
        assert!(way.attributes.contains(&RouteAttribute::Oif(2)));
    }

    #[test]
    fn a_link_that_is_to_be_as_it_is_is_so() {
        // struct ifinfomsg of number 1: its flags, and which of them are meant.
        let link = |flags: u32, changed: u32| {
            [[0; 4], [1, 0, 0, 0], flags.to_ne_bytes(), changed.to_ne_bytes()].concat()
        };
        let error = |body: &[u8]| {
            let told = answers(&host(), &request(16, NLM_F_ACK, body), MANNER);
            i32::from_ne_bytes(told[0][HEADER_BYTES..HEADER_BYTES + 4].try_into().unwrap())
        };
        assert_eq!(error(&link(1, 1)), 0);
        assert_eq!(error(&link(0, 1)), -PERMISSION.0);
        // IFLA_MTU 1280 with it.
        assert_eq!(error(&[link(1, 1), vec![8, 0, 4, 0, 0, 5, 0, 0]].concat()), -PERMISSION.0);
    }

    #[test]
    fn nothing_can_be_changed() {
        for kind in [16, 17, 19, 20, 24, 28] {
            let told = answers(&host(), &request(kind, 0, &[0; 16]), MANNER);
            let error = i32::from_ne_bytes(told[0][HEADER_BYTES..HEADER_BYTES + 4].try_into().unwrap());
            assert_eq!((told.len(), error), (1, -PERMISSION.0));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_answered_in_whole_messages(
            kind in 0u16..40,
            flags: u16,
            body in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0usize..120,
            is_strict: bool,
        ) {
            let mut written = request(kind, flags, &body);
            written.extend(request(kind, flags, &body));
            written.truncate(cut.max(1));
            for datagram in answers(&host(), &written, Manner { is_strict, ..MANNER }) {
                let len = datagram[..4].try_into().map(u32::from_ne_bytes).unwrap();
                prop_assert!(usize::try_from(len).unwrap() <= datagram.len());
            }
        }
    }
}
