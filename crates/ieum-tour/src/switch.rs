//! The link of the tour: a switch that forwards by destination address, remembers what crossed it, and loses what it is told to.

use std::collections::VecDeque;
use std::net::IpAddr;

use ieum_lab::Node;
use ieum_socket::Host;
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet, ip};
use slotmap::SlotMap;

use crate::frame;

/// A packet that was put on the link.
#[derive(Clone, Debug)]
pub(crate) struct Crossing {
    /// When it was sent.
    pub(crate) at: Instant,
    /// The whole IP packet.
    pub(crate) bytes: Vec<u8>,
    /// It reached nobody.
    pub(crate) lost: bool,
}

/// A packet with payload that is to be lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    /// Whose.
    pub(crate) from: IpAddr,
    /// So many others of his with payload pass before it.
    pub(crate) after: u32,
}

/// A link with a port for each host.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    ports: SlotMap<LinkId, IpAddr>,
    leaving: VecDeque<(LinkId, Packet)>,
    crossed: Vec<Crossing>,
    loss: Option<Loss>,
}

impl Switch {
    /// A port for the host with that address.
    pub(crate) fn add_port(&mut self, address: IpAddr) -> LinkId {
        self.ports.insert(address)
    }

    /// One packet will be lost.
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.loss = Some(loss);
    }

    /// What has crossed since this was last asked.
    pub(crate) fn take_crossed(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.crossed)
    }

    /// Is this the packet that is to be lost?
    fn loses(&mut self, source: IpAddr, bytes: &[u8]) -> bool {
        let Some(loss) = &mut self.loss else { return false };
        if source != loss.from || frame::payload(bytes).is_empty() {
            return false;
        }
        if loss.after > 0 {
            loss.after -= 1;
            return false;
        }
        self.loss = None;
        true
    }
}

impl Node for Switch {
    fn on_frame(&mut self, now: Instant, link: LinkId, packet: Packet) {
        let Ok(parsed) = ip::parse(packet.bytes()) else { return };
        let lost = self.loses(parsed.header.source, packet.bytes());
        self.crossed.push(Crossing { at: now, bytes: packet.bytes().to_vec(), lost });
        if lost {
            return;
        }
        let destination = parsed.header.destination;
        for (port, address) in &self.ports {
            if *address == destination || destination.is_multicast() && port != link {
                self.leaving.push_back((port, packet.clone()));
            }
        }
    }

    fn on_deadline(&mut self, _: Instant) {}

    fn poll_frame(&mut self, _: Instant) -> Option<(LinkId, Packet)> {
        self.leaving.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn check(&self) {}
}

/// Who lives in the tour's world.
pub(crate) enum Station {
    /// A host with sockets.
    Host(Box<Host>),
    /// The link between them.
    Switch(Box<Switch>),
}

impl Station {
    fn node(&self) -> &dyn Node {
        match self {
            Station::Host(host) => &**host,
            Station::Switch(switch) => &**switch,
        }
    }

    fn node_mut(&mut self) -> &mut dyn Node {
        match self {
            Station::Host(host) => &mut **host,
            Station::Switch(switch) => &mut **switch,
        }
    }
}

impl Node for Station {
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        self.node_mut().on_frame(now, link, frame);
    }
    fn on_deadline(&mut self, now: Instant) {
        self.node_mut().on_deadline(now);
    }
    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        self.node_mut().poll_frame(now)
    }
    fn deadline(&self) -> Option<Instant> {
        self.node().deadline()
    }
    fn check(&self) {
        self.node().check();
    }
}
