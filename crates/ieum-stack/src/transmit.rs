//! The way down: who owes pays here, when somebody asks.

use ieum_wire::{Instant, Packet};

use crate::link::LinkId;
use crate::stack::Stack;

impl Stack {
    /// The next packet that is to leave, and by which link. Backpressure is not to ask.
    ///
    /// Packets of this host for itself go around at once and never come out, and those for a neighbour that is not known
    /// wait for it; one call returns when a frame for another link appears or nobody owes anything any more.
    pub fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        loop {
            while let Some((link, packet)) = self.ip.poll_looped() {
                self.on_looped(now, link, &packet);
            }
            if let Some(frame) = self.neighbors.poll(&self.ip) {
                return Some(frame);
            }
            let Some((link, packet)) = self.transmit(now) else {
                // What does not leave may have come around.
                if self.ip.has_looped() {
                    continue;
                }
                return None;
            };
            if link == self.ip.loopback() {
                self.on_frame(now, link, packet);
            } else if let Some(frame) = self.neighbors.transmit(now, &self.ip, link, packet) {
                return Some(frame);
            } else {
                self.count_parked();
            }
        }
    }

    /// What is cut already goes out whole; then what another stack sends or hears in this one's name; then errors and
    /// echoes, since they are few and somebody waits for them; then requests of ping endpoints, raw packets and
    /// datagrams, which were promised to leave at once; then TCP, which can wait and fills whatever is left.
    fn transmit(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        if let Some(fragment) = self.ip.transmit() {
            return Some(fragment);
        }
        if let Some(passing) = self.delegate.poll() {
            return Some(passing);
        }
        if let Some(report) = self.ip.poll_group_report() {
            return Some(report);
        }
        if let Some(out) = self.icmp.transmit(now, &mut self.ip, &mut self.drops) {
            return Some(out);
        }
        if let Some(out) = self.icmp.ping.transmit(&mut self.ip, &mut self.drops, &mut self.events) {
            return Some(out);
        }
        if let Some(out) = self.raw.transmit(&mut self.ip, &mut self.drops, &mut self.events) {
            return Some(out);
        }
        if let Some(out) = self.udp.transmit(&mut self.ip, &mut self.drops, &mut self.events) {
            return Some(out);
        }
        let (tcp, mut cx) = self.split(now);
        tcp.transmit(&mut cx)
    }
}
