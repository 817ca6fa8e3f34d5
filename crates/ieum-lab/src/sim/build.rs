//! Hosts and wires as a plan says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_socket::Host;
use ieum_stack::{FastOpenMode, LinkConfig, LinkId, Medium, StackConfig, TcpRules};
use ieum_wire::Cidr;
use ieum_wire::ethernet::MacAddress;

use super::dice::Dice;
use super::plan::{IP6_MTU_BYTES_MIN, Plan, WayPlan};
use crate::chain::{Bursts, Chain, Element, Queue, Red};
use crate::fault::Fault;

/// How many of a million frames RED tells at most before its queue is long.
const RED_MOST_PPM: u64 = 100_000;

/// The addresses at one end of a wire, which is a network of its own.
pub(super) fn addresses(wire: usize, end: usize) -> [IpAddr; 2] {
    let [wire, end] = [wire + 1, end + 1].map(|number| u8::try_from(number).unwrap_or(u8::MAX));
    let ip6 = Ipv6Addr::new(0xfd77, wire.into(), 0, 0, 0, 0, 0, end.into());
    [Ipv4Addr::new(10, 77, wire, end).into(), ip6.into()]
}

/// A host, and its link to each wire that it is at. The links have the same names each time it is made.
pub(super) fn host(plan: &Plan, number: usize, seed: [u8; 32]) -> (Host, BTreeMap<usize, LinkId>) {
    let offers = plan.hosts[number];
    let config = StackConfig {
        tcp_timestamps: offers.timestamps,
        tcp_sack: offers.sack,
        tcp_ecn: offers.ecn,
        ..StackConfig::new(seed)
    };
    let mut host = Host::with_stack(config, false);
    let fast_open = FastOpenMode::from_bits(offers.fast_open);
    host.stack_mut().tcp_set_rules(TcpRules { fast_open, ..TcpRules::default() });
    let mut links = BTreeMap::new();
    for (wire, plan) in plan.wires.iter().enumerate() {
        let Some(end) = plan.ends.iter().position(|end| *end == number) else { continue };
        let [ip4, ip6] = addresses(wire, end);
        let mut config = match plan.offloads {
            true => LinkConfig { mtu_bytes: plan.mtu_bytes, ..LinkConfig::in_process() },
            false => LinkConfig::wire(plan.mtu_bytes),
        };
        if plan.ethernet {
            let [wire, end] = [wire, end].map(|number| u8::try_from(number).unwrap_or(u8::MAX));
            // The second bit of the first byte says that it was given by us (IEEE 802).
            config.medium = Medium::Ethernet(MacAddress([0x02, 0, 0, 0, wire, end]));
        }
        let stack = host.stack_mut();
        let link = stack.add_link(config);
        stack.add_address(link, cidr(ip4, 24));
        if plan.mtu_bytes >= IP6_MTU_BYTES_MIN {
            stack.add_address(link, cidr(ip6, 64));
        }
        links.insert(wire, link);
    }
    (host, links)
}

/// One direction of a wire.
pub(super) fn chain(plan: &WayPlan, dice: &mut Dice) -> Chain {
    let queue_bytes = u64::try_from(plan.queue_bytes).unwrap_or(u64::MAX);
    let red = plan.red.then(|| Red::new(dice.any(), queue_bytes / 4, queue_bytes / 4 * 3, RED_MOST_PPM));
    let mut elements = vec![Element::Gate { cut: false }];
    elements.extend(
        plan.bursts.map(|(begin, end, lose)| Element::Bursts(Bursts::new(dice.any(), begin, end, lose))),
    );
    elements.push(Element::Queue(Queue::new(plan.bytes_per_second, plan.queue_bytes, red)));
    elements.push(Element::Faults(Fault::new(plan.faults, dice.any())));
    elements.push(Element::Delay(plan.latency));
    Chain::new(elements)
}

fn cidr(address: IpAddr, prefix_bits: u8) -> Cidr {
    Cidr::new(address, prefix_bits).expect("the prefix is shorter than the address")
}
