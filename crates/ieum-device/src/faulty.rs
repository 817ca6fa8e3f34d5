//! A link on which frames are lost and reordered, by a seed: put between a stack and a device, for tests.
//!
//! Sans-IO: what goes in comes out later, or never, or twice. Super-segments are cut into frames first, since a wire would
//! lose one of forty and not all of them.

use std::collections::BTreeMap;

use ieum_wire::{Instant, Packet, segmentation};

use crate::fault::{Fault, Faults};

/// Which way a frame goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// From the stack to the device.
    Out,
    /// From the device to the stack.
    In,
}

/// Both ways of a faulty link.
#[derive(Debug)]
pub struct Faulty {
    out: Fault,
    inward: Fault,
    /// What is under way, by when it arrives and in which order it was sent.
    under_way: BTreeMap<(Instant, u64), (Way, Packet)>,
    sent: u64,
}

impl Faulty {
    /// A link whose faults `seed` decides, the same kind in both directions.
    pub fn new(faults: Faults, seed: u64) -> Faulty {
        Faulty {
            out: Fault::new(faults, seed),
            inward: Fault::new(faults, !seed),
            under_way: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Puts a packet on the link.
    pub fn send(&mut self, now: Instant, way: Way, packet: &Packet) {
        let fault = match way {
            Way::Out => &mut self.out,
            Way::In => &mut self.inward,
        };
        segmentation::cut(packet, |frame| {
            for (delay, frame) in fault.pass(frame) {
                self.under_way.insert((now + delay, self.sent), (way, frame));
                self.sent += 1;
            }
        });
    }

    /// The next frame that has arrived by `now`.
    pub fn arrived(&mut self, now: Instant) -> Option<(Way, Packet)> {
        let next = self.under_way.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    /// Has something not arrived yet that goes this way?
    pub fn is_under_way(&self, way: Way) -> bool {
        self.under_way.values().any(|(other, _)| *other == way)
    }

    /// When the next frame arrives.
    pub fn deadline(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn frames_come_out_when_their_delay_is_over_and_a_reordered_one_after_its_successors() {
        let faults = Faults { reorder_ppm: 100_000, ..Faults::default() };
        let faults = Faults { reorder_delay: Duration::from_millis(5), ..faults };
        let mut link = Faulty::new(faults, 3);
        for number in 0..1000u32 {
            link.send(Instant::ZERO, Way::Out, &Packet::from_wire(&number.to_be_bytes()));
        }
        let mut come = Vec::new();
        while let Some((way, frame)) = link.arrived(Instant::ZERO) {
            assert_eq!(way, Way::Out);
            come.push(frame.bytes().to_vec());
        }
        assert!((850..950).contains(&come.len()) && come.is_sorted(), "{} are not late", come.len());
        let next = link.deadline().unwrap();
        assert!(next > Instant::ZERO);
        while link.arrived(Instant::from_micros(5000)).is_some_and(|(_, frame)| {
            come.push(frame.bytes().to_vec());
            true
        }) {}
        assert!(link.deadline().is_none() && come.len() == 1000 && !come.is_sorted());
    }
}
