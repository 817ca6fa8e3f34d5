//! What lives in a world: anything with the doors of a stack.

use ieum_socket::Host;
use ieum_stack::{LinkId, Stack};
use ieum_wire::{Instant, Packet};

/// A host of a world: whatever has the doors of a stack.
pub trait Node {
    /// A frame arrives.
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet);
    /// The deadline has come.
    fn on_deadline(&mut self, now: Instant);
    /// The next frame that leaves.
    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)>;
    /// When it wants to be called again.
    fn deadline(&self) -> Option<Instant>;
    /// Asserts its invariants.
    fn check(&self);
}

impl Node for Stack {
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        Stack::on_frame(self, now, link, frame);
    }
    fn on_deadline(&mut self, now: Instant) {
        Stack::on_deadline(self, now);
    }
    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        Stack::poll_frame(self, now)
    }
    fn deadline(&self) -> Option<Instant> {
        Stack::deadline(self)
    }
    fn check(&self) {
        Stack::check(self);
    }
}

impl Node for Host {
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        Host::on_frame(self, now, link, frame);
    }
    fn on_deadline(&mut self, now: Instant) {
        Host::on_deadline(self, now);
    }
    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        Host::poll_frame(self, now)
    }
    fn deadline(&self) -> Option<Instant> {
        Host::deadline(self)
    }
    fn check(&self) {
        Host::check(self);
        self.stack().check();
    }
}

/// Names a host of a world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(crate) usize);
