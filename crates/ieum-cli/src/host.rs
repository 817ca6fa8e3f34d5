//! The program's host: its addresses, and where its packets go.

use std::net::IpAddr;

use ieum_exit::{Ends, Resolvers};
use ieum_socket::{Host, HostConfig};
use ieum_stack::{LinkConfig, LinkId, RouteTarget, Stack};
use ieum_wire::{Cidr, Unreachable};

use crate::args::Run;
use crate::seed::seed;
use crate::{Failure, exit};

/// The link's two ends, in each family that the host is to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// In IPv4.
    pub(crate) ip4: Ends,
    /// In IPv6, unless it was refused.
    pub(crate) ip6: Option<Ends>,
}

impl Addresses {
    /// As they were typed.
    ///
    /// # Errors
    ///
    /// A sentence when one cannot be a host's, or is not of its family, or the two ends are not of one network.
    pub(crate) fn of(run: &Run) -> Result<Addresses, Failure> {
        let ip4 = ends(["--address", "--gateway"], run.address4(), run.gateway, IP4)?;
        let ip6 = match run.no_ipv6 {
            true => None,
            false => Some(ends(["--address6", "--gateway6"], run.address6(), run.gateway6, IP6)?),
        };
        Ok(Addresses { ip4, ip6 })
    }

    /// The ends of each family, with the network that is all of it.
    pub(crate) fn families(&self) -> impl Iterator<Item = (Ends, Cidr)> {
        let ip4 = (self.ip4, Cidr::ALL_IP4);
        [ip4].into_iter().chain(self.ip6.map(|ends| (ends, Cidr::ALL_IP6)))
    }
}

/// What an error about addresses of a family needs to say.
struct Family {
    name: &'static str,
    example: &'static str,
    all: Cidr,
}

const IP4: Family = Family { name: "IPv4", example: "10.77.0.2/24", all: Cidr::ALL_IP4 };
const IP6: Family = Family { name: "IPv6", example: "fd77::2/64", all: Cidr::ALL_IP6 };

fn ends(flags: [&str; 2], own: Cidr, gateway: IpAddr, family: Family) -> Result<Ends, Failure> {
    let Family { name, example, all } = family;
    for (flag, address) in flags.into_iter().zip([own.address(), gateway]) {
        if !all.contains(address) {
            return Err(Failure::own(format!("{flag} takes an {name} address, and {address} is none")));
        }
        let special = address.is_loopback() || address.is_unspecified() || address.is_multicast();
        if special || is_link_local6(address) {
            return Err(Failure::own(format!(
                "{flag} {address} cannot be a host's address: take one like {example}"
            )));
        }
        if stands_for_many(address, own.prefix_bits()) {
            return Err(Failure::own(format!(
                "{flag} {address} stands for all hosts of a network /{}: take one like {example}",
                own.prefix_bits()
            )));
        }
    }
    if own == Cidr::host(own.address()) {
        let flag = flags[0];
        return Err(Failure::own(format!(
            "{flag} {own} has no network that the gateway could be in: give its prefix too, as in {example}"
        )));
    }
    if gateway == own.address() || !own.contains(gateway) {
        let [address, gateway_flag] = flags;
        return Err(Failure::own(format!(
            "the gateway {gateway} must be another address of the host's network {own}: give both {address} and {gateway_flag}"
        )));
    }
    Ok(Ends { own: network_of(gateway, own.prefix_bits()), host: own.address() })
}

/// The first and the last address of an IPv4 network are no host's (RFC 1122 §3.2.1.3), save where there are only two
/// (RFC 3021).
fn stands_for_many(address: IpAddr, prefix_bits: u8) -> bool {
    let network = network_of(address, prefix_bits);
    let (IpAddr::V4(address), Some(last)) = (address, network.broadcast()) else { return false };
    let host_bits = u32::MAX.checked_shr(prefix_bits.into()).unwrap_or(0);
    address == last || u32::from(address) & host_bits == 0
}

/// Programs would have to name the link with it (sin6_scope_id), and there is no name for it.
fn is_link_local6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The host and its end of a link like that.
pub(crate) fn host(
    run: &Run,
    link: LinkConfig,
    addresses: &Addresses,
    resolvers: &Resolvers,
) -> Result<(Host, LinkId), Failure> {
    let mut host =
        Host::new(HostConfig { seed: seed()?, tcp_timestamps: !run.no_timestamps, hold_requests: true });
    host.allow_raw_sockets(run.raw);
    let stack = host.stack_mut();
    let link = stack.add_link(link);
    for (ends, all) in addresses.families() {
        let own = network_of(ends.host, ends.own.prefix_bits());
        stack.add_address(link, own);
        if run.no_exit {
            // What Linux finds out about absent neighbours by ARP after three seconds is known here at once. All else
            // has no route.
            stack.add_route(own, RouteTarget::Unreachable(Unreachable::Host), None);
        } else {
            // On a link with one other end the gateway is simply there.
            stack.add_route(all, RouteTarget::Gateway(link, ends.own.address()), None);
        }
        if exit::is_wanted(run) {
            // The gateway is always there: peers of published ports appear under its address.
            stack.add_route(Cidr::host(ends.own.address()), RouteTarget::Link(link), None);
        }
    }
    if exit::is_wanted(run) {
        lead_to(stack, link, resolvers);
    }
    Ok((host, link))
}

/// `address` in its network; the prefix has been checked with another address of the family.
fn network_of(address: IpAddr, prefix_bits: u8) -> Cidr {
    Cidr::new(address, prefix_bits).unwrap_or_else(|| Cidr::host(address))
}

/// The machine's resolvers are asked over the link, those on loopback addresses too: the exit passes the questions on,
/// or answers them itself.
fn lead_to(stack: &mut Stack, link: LinkId, resolvers: &Resolvers) {
    for resolver in resolvers.endpoints() {
        if resolver.ip().is_loopback() {
            stack.add_loopback_exception(*resolver, link);
        } else {
            stack.add_route(Cidr::host(resolver.ip()), RouteTarget::Link(link), None);
        }
    }
}
