//! `--net`: the host's second link, which other hosts are on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_control::Directory;
use ieum_exit::Ends;
use ieum_net::{Plan, Seat, Wish};
use ieum_socket::Host;
use ieum_stack::{LinkConfig, LinkId, RouteTarget};
use ieum_wire::{Cidr, Unreachable};

use crate::Failure;
use crate::args::Run;
use crate::host::Addresses;

/// Enters the net that was asked for: it is another's, or ours from now on.
pub(crate) fn enter(run: &Run, addresses: &Addresses) -> Result<Option<Seat>, Failure> {
    let (Some(net), Some(ip6)) = (&run.net, addresses.ip6) else { return Ok(None) };
    let failed = |error: &dyn std::fmt::Display| Failure::own(error.to_string());
    let cidr = |ends: Ends| Cidr::new(ends.host, ends.own.prefix_bits()).unwrap_or(ends.own);
    let gateways = [addresses.ip4.own.address(), ip6.own.address()];
    let plan = Plan::new(cidr(addresses.ip4), cidr(ip6), gateways).map_err(|error| failed(&error))?;
    let wished = [run.address, run.address6].into_iter().flatten();
    let wish = Wish { name: run.name.clone(), addresses: wished.map(Cidr::address).collect() };
    let directory = Directory::of_user().map_err(|error| failed(&error))?;
    Seat::take(&directory, net, &wish, plan).map(Some).map_err(|error| failed(&error))
}

/// The host's addresses are those the net has given it; its exit keeps the net's gateways.
pub(crate) fn addresses(seat: &Seat) -> Result<Addresses, Failure> {
    let place = seat.place();
    let ends = |is_ip4: bool| {
        let own = place.addresses.iter().find(|own| own.address().is_ipv4() == is_ip4)?;
        let gateway = place.gateways.iter().find(|gateway| gateway.is_ipv4() == is_ip4)?;
        Some(Ends { own: Cidr::new(*gateway, own.prefix_bits())?, host: own.address() })
    };
    let ip4 = ends(true)
        .ok_or_else(|| Failure::own("the net has no IPv4 network: is its owner another version of ieum?"))?;
    Ok(Addresses { ip4, ip6: ends(false) })
}

/// Gives the host its end of the net's link, and routes over it to nobody yet: the net's room tells of neighbours. Who is
/// absent is unreachable at once; what is for everybody goes over the link.
pub(crate) fn link(host: &mut Host, addresses: &Addresses) -> LinkId {
    let stack = host.stack_mut();
    let link = stack.add_link(LinkConfig::in_process());
    for (ends, _) in addresses.families() {
        stack.move_address(link, ends.host);
        stack.add_route(ends.own, RouteTarget::Unreachable(Unreachable::Host), None);
        let broadcast = ends.own.broadcast().map(|address| Cidr::host(IpAddr::V4(address)));
        let many = broadcast.into_iter().chain(groups(ends.host));
        many.for_each(|many| stack.add_route(many, RouteTarget::Link(link), Some(ends.host)));
    }
    link
}

/// What means many of the link, whatever its network.
fn groups(family: IpAddr) -> Vec<Cidr> {
    let network = |address: IpAddr, bits| Cidr::new(address, bits).unwrap_or_else(|| Cidr::host(address));
    match family {
        IpAddr::V4(_) => {
            vec![Cidr::host(Ipv4Addr::BROADCAST.into()), network(Ipv4Addr::new(224, 0, 0, 0).into(), 4)]
        }
        IpAddr::V6(_) => vec![network(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8)],
    }
}
