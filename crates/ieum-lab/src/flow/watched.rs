//! A stack, and how often it says the same: bytes that it puts on its wire, and how many of them were new.

use std::collections::BTreeMap;

use ieum_stack::{LinkId, Stack};
use ieum_wire::{Instant, Packet, Protocol, SeqNumber, ip, tcp};

use crate::node::Node;

/// Payload of one connection, by its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Said {
    pub(super) bytes: u64,
    pub(super) repeated_bytes: u64,
    /// Right edge of all that was said.
    until: Option<SeqNumber>,
}

/// A stack that is watched.
pub(super) struct Watched {
    pub(super) stack: Stack,
    /// By the sender's port.
    pub(super) said: BTreeMap<u16, Said>,
}

impl Watched {
    pub(super) fn new(stack: Stack) -> Watched {
        Watched { stack, said: BTreeMap::new() }
    }

    fn hear(&mut self, packet: &Packet) {
        let Ok(parsed) = ip::parse(packet.bytes()) else { return };
        let payload = packet.bytes().get(parsed.header_bytes..parsed.total_bytes);
        let (Protocol::Tcp, Some(segment)) = (parsed.header.protocol, payload) else { return };
        let Ok((header, data)) = tcp::Header::parse(segment) else { return };
        if data.is_empty() {
            return;
        }
        let said = self.said.entry(header.source_port).or_default();
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let end = header.seq + count;
        let until = said.until.unwrap_or(header.seq);
        let repeated = if until.after(header.seq) { until.since(header.seq).min(count) } else { 0 };
        said.bytes += u64::from(count);
        said.repeated_bytes += u64::from(repeated);
        said.until = Some(if end.after(until) { end } else { until });
    }
}

impl Node for Watched {
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        self.stack.on_frame(now, link, frame);
    }
    fn on_deadline(&mut self, now: Instant) {
        self.stack.on_deadline(now);
    }
    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        let (link, packet) = self.stack.poll_frame(now)?;
        self.hear(&packet);
        Some((link, packet))
    }
    fn deadline(&self) -> Option<Instant> {
        self.stack.deadline()
    }
    fn check(&self) {
        self.stack.check();
    }
}
