//! Timers. Only TCP has any: UDP and ICMP forget, and the rate of ICMP errors is reckoned when one is sent.

use ieum_wire::Instant;

use crate::stack::Stack;

impl Stack {
    /// The time until which nothing happens by itself; `None`: nothing ever will.
    pub fn deadline(&self) -> Option<Instant> {
        self.tcp.deadline()
    }

    /// The deadline has come (calling earlier or later does no harm).
    pub fn on_deadline(&mut self, now: Instant) {
        let (tcp, mut cx) = self.split(now);
        tcp.on_deadline(&mut cx);
    }
}
