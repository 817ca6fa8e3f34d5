//! The smallest world: two stacks, or two hosts with sockets, and one wire.

use std::net::{IpAddr, SocketAddr};

use ieum_socket::{Host, HostConfig};
use ieum_stack::{LinkConfig, LinkId, RouteTarget, Stack, StackConfig};
use ieum_wire::Cidr;

use crate::node::{Node, NodeId};
use crate::wire::Wire;
use crate::world::World;

/// Two of a kind: 10.77.0.2 and 10.77.0.1, which are fd77::2 and fd77::1 as well, on a link of MTU 1500 that takes
/// super-segments.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// 10.77.0.2.
    pub client: NodeId,
    /// Its link.
    pub client_link: LinkId,
    /// 10.77.0.1.
    pub server: NodeId,
    /// Its link.
    pub server_link: LinkId,
}

/// The client's address.
pub const CLIENT: [u8; 4] = [10, 77, 0, 2];

/// The server's address.
pub const SERVER: [u8; 4] = [10, 77, 0, 1];

/// The client's IPv6 address.
pub const CLIENT_6: [u16; 8] = [0xfd77, 0, 0, 0, 0, 0, 0, 2];

/// The server's IPv6 address.
pub const SERVER_6: [u16; 8] = [0xfd77, 0, 0, 0, 0, 0, 0, 1];

impl Pair {
    /// A world of two stacks, determined by a seed. `timestamps`: both offer the TCP option.
    pub fn new(seed: u64, wire: &Wire, timestamps: bool) -> (World<Stack>, Pair) {
        Pair::with_links(seed, wire, timestamps, LinkConfig::in_process())
    }

    /// The same with links of another kind.
    pub fn with_links(seed: u64, wire: &Wire, timestamps: bool, config: LinkConfig) -> (World<Stack>, Pair) {
        let make = |seed| Stack::new(StackConfig { tcp_timestamps: timestamps, ..StackConfig::new(seed) });
        Pair::build(seed, wire, config, make, |stack| stack)
    }

    /// A world of two hosts with sockets.
    pub fn hosts(seed: u64, wire: &Wire, timestamps: bool) -> (World<Host>, Pair) {
        let make = |seed| Host::new(HostConfig { seed, tcp_timestamps: timestamps, hold_requests: false });
        Pair::build(seed, wire, LinkConfig::in_process(), make, Host::stack_mut)
    }

    fn build<N: Node>(
        seed: u64,
        wire: &Wire,
        config: LinkConfig,
        make: impl Fn([u8; 32]) -> N,
        stack_of: impl Fn(&mut N) -> &mut Stack,
    ) -> (World<N>, Pair) {
        let mut world = World::new(seed);
        let both = [(CLIENT, CLIENT_6), (SERVER, SERVER_6)];
        let [(client, client_link), (server, server_link)] = both.map(|(address, address_6)| {
            let mut node = make(world.seed());
            let stack = stack_of(&mut node);
            let link = stack.add_link(config);
            for (own, prefix_bits) in [(IpAddr::from(address), 24), (IpAddr::from(address_6), 64)] {
                stack.add_address(
                    link,
                    Cidr::new(own, prefix_bits).expect("the prefix is shorter than the address"),
                );
            }
            for everybody in [Cidr::ALL_IP4, Cidr::ALL_IP6] {
                stack.add_route(everybody, RouteTarget::Link(link), None);
            }
            (world.add(node), link)
        });
        world.join((client, client_link), (server, server_link), wire);
        (world, Pair { client, client_link, server, server_link })
    }

    /// A port of the server.
    pub fn server_at(port: u16) -> SocketAddr {
        SocketAddr::from((SERVER, port))
    }

    /// The same port by IPv6.
    pub fn server_6_at(port: u16) -> SocketAddr {
        SocketAddr::from((SERVER_6, port))
    }
}
