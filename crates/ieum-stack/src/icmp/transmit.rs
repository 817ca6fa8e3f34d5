//! The way down: what is owed is written, errors at a limited rate.

use std::net::SocketAddr;

use ieum_wire::icmp4::Message;
use ieum_wire::{Gso, GsoKind, Instant, Packet, Protocol, ip4};

use super::{Icmp, Owed, What};
use crate::bounds::{ICMP_ERRORS_BURST_MAX, ICMP_ERRORS_PER_SECOND_MAX};
use crate::drops::{Drop, Drops};
use crate::ip::{Ip, Outgoing, Path, fragment_bytes};
use crate::link::LinkId;

impl Icmp {
    /// The next message that is owed and may leave.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        ip: &mut Ip,
        drops: &mut Drops,
    ) -> Option<(LinkId, Packet)> {
        for _ in 0..std::mem::take(&mut self.unsent) {
            drops.count(Drop::IcmpUnsent);
        }
        while let Some(owed) = self.owed.pop_front() {
            self.owed_bytes -= owed.bytes.len();
            if matches!(owed.what, What::Unreachable(_)) && !self.rate.allows(now) {
                drops.count(Drop::IcmpRate);
                continue;
            }
            let to = SocketAddr::new(owed.to, 0);
            match ip.path(Some(owed.from), to.ip()) {
                Ok(path) => match build(&owed, &path, ip) {
                    Some(packet) => return Some((path.link, packet)),
                    None => drops.count(Drop::IcmpUnsent),
                },
                Err(_) => drops.count(Drop::IcmpUnsent),
            }
        }
        None
    }
}

/// The packet, or `None` when it is larger than a link takes that cannot cut it.
fn build(owed: &Owed, path: &Path, ip: &mut Ip) -> Option<Packet> {
    let (message, tos) = match owed.what {
        What::EchoReply { identifier, sequence, tos } => {
            (Message::EchoReply { identifier, sequence, data: &owed.bytes }, tos)
        }
        What::Unreachable(reason) => (Message::Unreachable { reason, original: &owed.bytes }, 0),
    };
    let bytes = message.emit();
    let fragments = fragment_bytes(path, bytes.len()).ok()?;
    let outgoing = Outgoing {
        source: owed.from,
        destination: owed.to,
        protocol: Protocol::Icmp4,
        ttl: ip4::TTL_DEFAULT,
        tos,
        dont_fragment: false,
    };
    let mut packet = ip.begin(&outgoing, bytes.len());
    packet.extend(&bytes);
    packet.gso = fragments.map(|size_bytes| Gso { kind: GsoKind::UdpFragments, size_bytes });
    Some(packet)
}

/// A bucket of permissions to send errors, refilled as time passes.
#[derive(Debug)]
pub(super) struct Rate {
    /// Permissions in stock, in millionths.
    stock_millionths: u64,
    /// When it was last refilled.
    at: Instant,
}

impl Rate {
    /// A full bucket.
    pub(super) fn new() -> Rate {
        Rate { stock_millionths: FULL, at: Instant::ZERO }
    }

    /// Takes one permission, if there is one.
    fn allows(&mut self, now: Instant) -> bool {
        let passed_us = now.micros().saturating_sub(self.at.micros());
        self.at = self.at.max(now);
        // Per second and in millionths, a permission grows by the rate each microsecond.
        let grown = passed_us.saturating_mul(u64::from(ICMP_ERRORS_PER_SECOND_MAX));
        self.stock_millionths = self.stock_millionths.saturating_add(grown).min(FULL);
        match self.stock_millionths.checked_sub(ONE) {
            Some(left) => {
                self.stock_millionths = left;
                true
            }
            None => false,
        }
    }
}

/// One permission.
const ONE: u64 = 1_000_000;

/// A full bucket.
const FULL: u64 = ICMP_ERRORS_BURST_MAX as u64 * ONE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_then_one_a_millisecond() {
        let mut rate = Rate::new();
        let at = |us| Instant::from_micros(us);
        let burst = (0..100).filter(|_| rate.allows(at(5))).count();
        assert_eq!(burst, 50);
        assert!(!rate.allows(at(1004)));
        assert!(rate.allows(at(1005)));
        assert!(!rate.allows(at(1005)));
        assert_eq!((0..5000).filter(|us| rate.allows(at(2000 + us))).count(), 5);
    }
}
