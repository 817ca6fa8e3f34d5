//! Two stacks joined by a link without delay, for tests through the public doors.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;

use ieum_stack::{BindRequest, LinkConfig, LinkId, RouteTarget, Stack, StackConfig, UdpId};
use ieum_wire::{Cidr, Instant, Packet};

pub(crate) const NOW: Instant = Instant::from_micros(1_000_000);

/// One end: a stack with an address on its only link, over which everything else is reached.
pub(crate) struct End {
    pub(crate) stack: Stack,
    pub(crate) link: LinkId,
}

impl End {
    pub(crate) fn new(address: &str, link: LinkConfig, accept_any_destination: bool) -> End {
        let mut stack = Stack::new(StackConfig { accept_any_destination, ..StackConfig::new([7; 32]) });
        let link = stack.add_link(link);
        stack.add_address(link, address.parse().unwrap());
        stack.add_route(Cidr::ALL_IP4, RouteTarget::Link(link), None);
        stack.add_route(Cidr::ALL_IP6, RouteTarget::Link(link), None);
        End { stack, link }
    }

    /// The same with an address of either family.
    pub(crate) fn dual(address4: &str, address6: &str, link: LinkConfig) -> End {
        let mut end = End::new(address4, link, false);
        end.stack.add_address(end.link, address6.parse().unwrap());
        end
    }

    /// A UDP endpoint.
    pub(crate) fn bind(&mut self, address: &str) -> UdpId {
        self.stack.udp_bind(wish(address)).unwrap()
    }

    /// Everything that leaves now.
    pub(crate) fn poll(&mut self) -> Vec<Packet> {
        std::iter::from_fn(|| self.stack.poll_frame(NOW)).map(|(_, packet)| packet).collect()
    }

    pub(crate) fn give(&mut self, packet: Packet) {
        self.stack.on_frame(NOW, self.link, packet);
    }

    pub(crate) fn send(&mut self, id: UdpId, to: &str, payload: &[u8]) {
        self.stack.udp_send(NOW, id, to.parse().unwrap(), payload).unwrap();
    }

    /// The oldest datagram: its source and payload.
    pub(crate) fn recv(&mut self, id: UdpId) -> Option<(String, Vec<u8>)> {
        self.stack.udp_recv(id).map(|datagram| (datagram.source.to_string(), datagram.payload))
    }
}

/// 10.77.0.2 (a host) and 10.77.0.1 (its exit, or another host).
pub(crate) fn pair(accept_any_destination: bool) -> (End, End) {
    let link = LinkConfig::in_process();
    (End::new("10.77.0.2/24", link, false), End::new("10.77.0.1/24", link, accept_any_destination))
}

/// The same two over any link, with fd77::2 and fd77::1 beside.
pub(crate) fn dual_pair(link: LinkConfig) -> (End, End) {
    (End::dual("10.77.0.2/24", "fd77::2/64", link), End::dual("10.77.0.1/24", "fd77::1/64", link))
}

/// Carries packets both ways until nobody has any.
pub(crate) fn settle(one: &mut End, other: &mut End) {
    for _ in 0..1000 {
        let (there, back) = (one.poll(), other.poll());
        if there.is_empty() && back.is_empty() {
            one.stack.check();
            other.stack.check();
            return;
        }
        there.into_iter().for_each(|packet| other.give(packet));
        back.into_iter().for_each(|packet| one.give(packet));
    }
    panic!("the two never fall silent");
}

pub(crate) fn wish(address: &str) -> BindRequest {
    let address: SocketAddr = address.parse().unwrap();
    BindRequest::new(address.ip(), address.port())
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
