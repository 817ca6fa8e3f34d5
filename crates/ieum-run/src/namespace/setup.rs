//! What the helper does first: the namespaces, the interfaces, their addresses, the routes, and what the kernel's settings
//! have to be.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ieum_device::Tun;
use ieum_wire::Cidr;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage, RulePortRange};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};
use rustix::net::SocketType;

use super::netlink::{Netlink, family};
use super::plan::{Network, Plan, Planned, Way};
use super::sys;
use super::wires::{Beyond, Wires};

/// How long the next piece of news is waited for while an address is not the namespace's own yet. A kernel takes
/// milliseconds; one that is held up by others takes longer, and then the program begins all the same: so the helper
/// answers before it is given up.
const OWN_WITHIN: Duration = Duration::from_secs(2);

/// All hosts of a site: a group like any other.
const SOME_GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 1));

/// The loopback interface, in every namespace.
const LOOPBACK_INDEX: u32 = 1;

/// The tables of routes that the kernel has of itself (ip-route(8)), and ours for what is reached at loopback addresses.
const TABLE_LOCAL: u8 = 255;
const TABLE_MAIN: u8 = 254;
const TABLE_EXCEPTIONS: u8 = 77;

/// What rules are asked in the order of: ours before the one for local addresses, which is moved behind it.
const RULE_EXCEPTIONS: u32 = 10;
const RULE_LOCAL: u32 = 20;

/// A route of IPv6 that comes before those the kernel makes of addresses (256).
const PRIORITY_FIRST: u32 = 1;

/// Settings of the whole namespace: path below /proc/sys/net, and value.
const SETTINGS: [(&str, &str); 4] = [
    // Every port is free here, those below 1024 too.
    ("ipv4/ip_unprivileged_port_start", "0"),
    // Ping sockets are for everybody; the helper is of group 0.
    ("ipv4/ping_group_range", "0 0"),
    // Answers come from where nothing was sent to as the kernel sees it: the resolver's.
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
];

/// Those of IPv6, where the kernel has it.
const SETTINGS6: [(&str, &str); 5] = [
    // The machine may have switched it off for itself.
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    // Nobody else is on these links: no address of the kernel's own choice, no question whether one is free, no routers.
    ("ipv6/conf/default/addr_gen_mode", "1"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
];

/// Settings of each interface that leads to the host.
const SETTINGS_OF_INTERFACE: [(&str, &str); 2] = [
    ("ipv4/conf/NAME/rp_filter", "0"),
    // The host tells of its own routes in its own name.
    ("ipv4/conf/NAME/accept_local", "1"),
];

/// And of each that leads to a resolver at a loopback address.
const ROUTE_LOCALNET: (&str, &str) = ("ipv4/conf/NAME/route_localnet", "1");

/// What needs no plan: the namespaces and their settings, and what their interfaces will be. An error says what the
/// machine does not allow.
pub(super) fn begin() -> Result<Wires, String> {
    enter().map_err(|error| format!("this machine gives no user namespace: {error}"))?;
    let wires = if Tun::has_driver() { Wires::Tuns } else { Wires::Veths(Beyond::step_out()?) };
    let settings6 = SETTINGS6.iter().filter(|_| has_ip6());
    SETTINGS.iter().chain(settings6).try_for_each(|(path, value)| set(path, value))?;
    Ok(wires)
}

/// Whether the kernel has IPv6 at all.
pub(super) fn has_ip6() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
}

/// Makes everything else, and returns the devices of the interfaces.
pub(super) fn set_up(plan: &Plan, wires: &Wires) -> Result<Vec<Tun>, String> {
    let netlink = Netlink::open()?;
    let news = Netlink::open()?;
    news.hear_of_routes6()?;
    netlink.ask("bringing the loopback interface up", bring_up(LOOPBACK_INDEX), 0)?;
    let tuns = plan.interfaces.iter().map(|one| interface(&netlink, one, plan, wires));
    let tuns = tuns.collect::<Result<Vec<Tun>, String>>()?;
    for way in &plan.routes {
        netlink.ask("a route", route(way), NLM_F_CREATE | NLM_F_REPLACE)?;
    }
    exceptions(&netlink, plan)?;
    let addresses = plan.interfaces.iter().flat_map(|interface| &interface.addresses);
    for network in addresses.filter(|network| network.address.is_ipv6()) {
        // The kernel sees to that later, in a thread of its own (`addrconf_dad_work`); what is sent there before leaves over the
        // interface, and is heard by nobody.
        until(&news, || netlink.is_own(network.address))?;
    }
    let speaks6 = |one: &&Planned| one.addresses.iter().any(|network| network.address.is_ipv6());
    for interface in plan.interfaces.iter().filter(speaks6) {
        // The kernel gives an interface the route of groups when it has seen a carrier, which a veth pair gets later.
        until(&news, || netlink.reaches_groups(SOME_GROUP6, interface.index))?;
    }
    Ok(tuns)
}

/// Waits until the kernel has done something that changes its routes, or has had nothing to tell of for too long.
fn until(news: &Netlink, done: impl Fn() -> Result<bool, String>) -> Result<(), String> {
    while !done()? && news.hear_within(OWN_WITHIN)? {}
    Ok(())
}

/// The namespaces, in which this user is root.
fn enter() -> std::io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    sys::enter_new_namespaces()?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

pub(super) fn set(path: &str, value: &str) -> Result<(), String> {
    let path = format!("/proc/sys/net/{path}");
    std::fs::write(&path, value).map_err(|error| format!("{path} cannot be set in a namespace: {error}"))
}

/// An interface with its addresses, up, with its number.
fn interface(netlink: &Netlink, planned: &Planned, plan: &Plan, wires: &Wires) -> Result<Tun, String> {
    let mut tun = wires.interface(netlink, planned)?;
    let leads_to_loopback = plan.exceptions.iter().any(|(_, over)| *over == planned.index);
    let settings = SETTINGS_OF_INTERFACE.iter().chain(leads_to_loopback.then_some(&ROUTE_LOCALNET));
    for (path, value) in settings {
        set(&path.replace("NAME", &planned.name), value)?;
    }
    let addresses: Option<Vec<Cidr>> =
        planned.addresses.iter().map(|network| Cidr::new(network.address, network.prefix_bits)).collect();
    let addresses = addresses.ok_or("an address has a prefix that is too long")?;
    let absent = tun.set_up(planned.mtu_bytes, &addresses).map_err(|error| error.to_string())?;
    if let Some(address) = absent.first() {
        return Err(format!("a namespace of this machine cannot have {address}: IPv6 is switched off"));
    }
    let index = rustix::net::socket(rustix::net::AddressFamily::INET, SocketType::DGRAM, None)
        .and_then(|socket| rustix::net::netdevice::name_to_index(&socket, &planned.name));
    if index != Ok(planned.index) {
        return Err(format!("{} is not interface {} of a new namespace", planned.name, planned.index));
    }
    Ok(tun)
}

pub(super) fn bring_up(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

fn route(way: &Way) -> RouteNetlinkMessage {
    let Network { address, prefix_bits } = way.network;
    // Where a group leads over IPv6 the kernel has its own table to say.
    let is_group6 = address.is_ipv6() && address.is_multicast();
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(address),
        destination_prefix_length: prefix_bits,
        table: if is_group6 { TABLE_LOCAL } else { TABLE_MAIN },
        protocol: RouteProtocol::Static,
        scope: if way.over.is_some() && way.gateway.is_none() {
            RouteScope::Link
        } else {
            RouteScope::Universe
        },
        kind: match way.over {
            Some(_) if is_group6 => RouteType::Multicast,
            Some(_) => RouteType::Unicast,
            None => RouteType::Unreachable,
        },
        flags: if way.gateway.is_some() { RouteFlags::Onlink } else { RouteFlags::empty() },
        ..RouteHeader::default()
    };
    if prefix_bits != 0 {
        message.attributes.push(RouteAttribute::Destination(network_of(way.network).into()));
    }
    message.attributes.extend(way.over.map(RouteAttribute::Oif));
    message.attributes.extend(way.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    message.attributes.extend(way.source.map(|source| RouteAttribute::PrefSource(source.into())));
    if address.is_ipv6() {
        message.attributes.push(RouteAttribute::Priority(PRIORITY_FIRST));
    }
    RouteNetlinkMessage::NewRoute(message)
}

/// The address of a network, all bits behind its prefix zero: the kernel takes no other.
fn network_of(network: Network) -> IpAddr {
    let Network { address, prefix_bits } = network;
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

/// Resolvers of the machine at loopback addresses are reached over an interface. (With those of IPv6 there is no namespace:
/// the kernel takes no packet from ::1 that comes over a link.)
fn exceptions(netlink: &Netlink, plan: &Plan) -> Result<(), String> {
    for (at, (endpoint, over)) in plan.exceptions.iter().enumerate() {
        if at == 0 {
            // The kernel asks its table of local addresses first; that is to be second.
            let what = "a rule for local addresses";
            netlink.ask(what, RouteNetlinkMessage::NewRule(rule(TABLE_LOCAL, RULE_LOCAL)), NLM_F_CREATE)?;
            netlink.ask(what, RouteNetlinkMessage::DelRule(rule(TABLE_LOCAL, 0)), 0)?;
        }
        let mut to_endpoint = rule(TABLE_EXCEPTIONS, RULE_EXCEPTIONS);
        let port = endpoint.port();
        to_endpoint.header.dst_len = 32;
        to_endpoint.attributes.extend([
            RuleAttribute::Destination(endpoint.ip()),
            RuleAttribute::IpProtocol(IpProtocol::Udp),
            RuleAttribute::DestinationPortRange(RulePortRange { start: port, end: port }),
        ]);
        netlink.ask("a rule for the resolver", RouteNetlinkMessage::NewRule(to_endpoint), NLM_F_CREATE)?;
        let network = Network { address: endpoint.ip(), prefix_bits: 32 };
        let mut way = route(&Way { network, over: Some(*over), gateway: None, source: None });
        if let RouteNetlinkMessage::NewRoute(message) = &mut way {
            message.header.table = TABLE_EXCEPTIONS;
        }
        netlink.ask("a route to the resolver", way, NLM_F_CREATE | NLM_F_REPLACE)?;
    }
    Ok(())
}

fn rule(table: u8, priority: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header = RuleHeader {
        family: AddressFamily::Inet,
        table,
        action: RuleAction::ToTable,
        ..RuleHeader::default()
    };
    if priority != 0 {
        message.attributes.push(RuleAttribute::Priority(priority));
    }
    message
}
