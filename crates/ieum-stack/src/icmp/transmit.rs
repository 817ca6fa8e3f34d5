//! The way down: what is owed is written, errors at a limited rate.

use std::net::IpAddr;

use ieum_wire::{Instant, Packet, Protocol, icmp4, icmp6, ip4};

use super::{Icmp, Owed, What};
use crate::bounds::{ICMP_ERRORS_BURST_MAX, ICMP_ERRORS_PER_SECOND_MAX};
use crate::drops::{Drop, Drops};
use crate::ip::{Ip, Outgoing};
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
            // The rate keeps errors from being a weapon: what a host tells itself counts as nothing (Linux, since 6.11).
            let is_counted =
                matches!(owed.what, What::Unreachable(_) | What::FragmentsLate) && !ip.is_local(owed.to);
            if is_counted && !self.rate.allows(now) {
                drops.count(Drop::IcmpRate);
                continue;
            }
            let sent = ip.path(Some(owed.from), owed.to).ok().and_then(|path| {
                let packet = build(&owed, ip);
                ip.fit(&path, packet).ok()
            });
            match sent {
                Some(out) => return Some(out),
                None => drops.count(Drop::IcmpUnsent),
            }
        }
        None
    }
}

fn build(owed: &Owed, ip: &mut Ip) -> Packet {
    let (bytes, protocol) = match (owed.from, owed.to) {
        (IpAddr::V6(from), IpAddr::V6(to)) => (message6(owed).emit(from, to), Protocol::Icmp6),
        _ => (message4(owed).emit(), Protocol::Icmp4),
    };
    let tos = match owed.what {
        What::EchoReply { tos, .. } => tos,
        // RFC 1812 §4.3.2.5: an error travels as routing does, and keeps what the packet asked for of a service (Linux too).
        What::Unreachable(_) | What::FragmentsLate if owed.to.is_ipv4() => {
            owed.bytes.get(1).map_or(0, |tos| tos & 0x1e) | INTERNETWORK_CONTROL
        }
        What::Unreachable(_) | What::FragmentsLate => 0,
    };
    let outgoing = Outgoing {
        source: owed.from,
        destination: owed.to,
        protocol,
        ttl: ip4::TTL_DEFAULT,
        tos,
        dont_fragment: false,
    };
    let mut packet = ip.begin(&outgoing, bytes.len());
    packet.extend(&bytes);
    packet
}

fn message4(owed: &Owed) -> icmp4::Message<'_> {
    let bytes = owed.bytes.as_slice();
    match owed.what {
        What::EchoReply { identifier, sequence, .. } => {
            icmp4::Message::EchoReply { identifier, sequence, data: bytes }
        }
        What::Unreachable(reason) => icmp4::Message::Unreachable { reason, original: bytes },
        What::FragmentsLate => icmp4::Message::TimeExceeded { code: 1, original: bytes },
    }
}

fn message6(owed: &Owed) -> icmp6::Message<'_> {
    let bytes = owed.bytes.as_slice();
    match owed.what {
        What::EchoReply { identifier, sequence, .. } => {
            icmp6::Message::EchoReply { identifier, sequence, data: bytes }
        }
        What::Unreachable(reason) => icmp6::Message::Unreachable { reason, original: bytes },
        What::FragmentsLate => icmp6::Message::TimeExceeded { code: 1, original: bytes },
    }
}

/// The precedence of routing in IPv4's type of service (RFC 791 §3.1).
const INTERNETWORK_CONTROL: u8 = 0xc0;

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
