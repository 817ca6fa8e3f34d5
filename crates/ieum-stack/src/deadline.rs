//! Timers: TCP's, those of fragments, of neighbours and of reports about groups. UDP and ICMP forget, and the rate of
//! ICMP errors is reckoned when one is sent.

use ieum_wire::Instant;

use crate::drops::Drop;
use crate::stack::Stack;

impl Stack {
    /// The time until which nothing happens by itself; `None`: nothing ever will.
    pub fn deadline(&self) -> Option<Instant> {
        let groups = self.ip.groups.deadline();
        [self.tcp.deadline(), self.ip.reassembly.deadline(), self.neighbors.deadline(), groups]
            .into_iter()
            .flatten()
            .min()
    }

    /// The deadline has come (calling earlier or later does no harm).
    pub fn on_deadline(&mut self, now: Instant) {
        let (tcp, mut cx) = self.split(now);
        tcp.on_deadline(&mut cx);
        self.neighbors.on_deadline(now);
        self.ip.write_group_reports(now, &mut self.chance);
        self.give_up(now);
        while let Some(late) = self.ip.reassembly.expire(now) {
            self.drops.count(Drop::FragmentsLate);
            // Without the first fragment its sender could not know what is meant (RFC 792, RFC 8200 §4.5); and nobody
            // speaks of what was for many (RFC 1122 §3.2.2, RFC 4443 §2.4 (e.3)).
            let original = late.original.filter(|_| !self.ip.is_for_many(late.destination));
            if let Some(original) = original {
                self.icmp.owe_fragments_late(late.destination, late.source, &original);
            }
        }
    }
}
