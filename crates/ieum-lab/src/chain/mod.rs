//! One direction of a wire: a chain of elements that each frame passes, one after the other.
//!
//! An element holds a frame up, loses it, doubles it or changes it; what leaves one enters the next. All of it is
//! computed when the frame is given to the wire, so an element that remembers (a queue) must see frames in the order of
//! their times, and stands before those that mix them.
//!
//! Invariants:
//!
//! 1. `entered + doubled = handed_on + lost`, by causes ([`Tally::is_conserved`]).
//! 2. No frame leaves before it entered.
//!
//! Files: [`bursts`] (losses in bursts), [`wobble`] (a time that is never quite the same), [`queue`] (a rate, and what
//! waits for it), [`red`] (early drops and marks), [`mark`] (a mark on a packet). Other faults are `ieum-device`'s.

pub mod bursts;
pub mod mark;
pub mod queue;
pub mod red;
pub mod wobble;

use std::time::Duration;

use ieum_wire::{Instant, Packet};

pub use self::bursts::Bursts;
pub use self::queue::Queue;
pub use self::red::Red;
pub use self::wobble::Wobble;
use crate::fault::{Fault, Faults};

/// Why a frame was lost on a wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// The wire is cut: its ends cannot reach each other.
    Cut,
    /// A burst of losses.
    Burst,
    /// The queue was full.
    Full,
    /// The queue was long, and the frame could not be marked (RED).
    Early,
    /// Chance.
    Chance,
}

impl Cause {
    /// Every cause, in the order of [`Tally::lost`].
    pub const ALL: [Cause; 5] = [Cause::Cut, Cause::Burst, Cause::Full, Cause::Early, Cause::Chance];

    /// As people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Cut => "wire cut",
            Cause::Burst => "burst",
            Cause::Full => "queue full",
            Cause::Early => "early",
            Cause::Chance => "chance",
        }
    }
}

/// What became of the frames given to a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Frames given to it.
    pub entered: u64,
    /// Copies made.
    pub doubled: u64,
    /// Frames that left it at its other end, or will.
    pub handed_on: u64,
    /// Frames marked (RFC 3168).
    pub marked: u64,
    /// Frames lost, by [`Cause::ALL`].
    pub lost: [u64; Cause::ALL.len()],
}

impl Tally {
    /// Every frame has come to exactly one end.
    pub fn is_conserved(&self) -> bool {
        self.entered + self.doubled == self.handed_on + self.lost.iter().sum::<u64>()
    }

    /// Frames lost for one cause.
    pub fn lost_by(&self, cause: Cause) -> u64 {
        Cause::ALL.iter().zip(self.lost).filter(|(other, _)| **other == cause).map(|(_, count)| count).sum()
    }

    /// Both together.
    pub fn plus(mut self, other: Tally) -> Tally {
        self.entered += other.entered;
        self.doubled += other.doubled;
        self.handed_on += other.handed_on;
        self.marked += other.marked;
        self.lost.iter_mut().zip(other.lost).for_each(|(count, more)| *count += more);
        self
    }

    fn lose(&mut self, cause: Cause) {
        for (count, other) in self.lost.iter_mut().zip(Cause::ALL) {
            *count += u64::from(other == cause);
        }
    }
}

/// A part of a chain.
#[derive(Debug)]
pub enum Element {
    /// Loses everything while it is cut.
    Gate {
        /// Nothing passes.
        cut: bool,
    },
    /// Loses frames in bursts.
    Bursts(Bursts),
    /// Lets frames out at a rate.
    Queue(Queue),
    /// Loses, doubles, delays and corrupts frames by chance.
    Faults(Fault),
    /// Takes a time.
    Delay(Duration),
    /// Takes a time that differs a little from frame to frame.
    Wobble(Wobble),
}

impl Element {
    /// What leaves for a frame that comes `at`.
    fn pass(
        &mut self,
        at: Instant,
        mut frame: Packet,
        tally: &mut Tally,
        beyond: &mut Vec<(Instant, Packet)>,
    ) {
        match self {
            Element::Gate { cut: true } => tally.lose(Cause::Cut),
            Element::Gate { cut: false } => beyond.push((at, frame)),
            Element::Bursts(bursts) => match bursts.loses() {
                true => tally.lose(Cause::Burst),
                false => beyond.push((at, frame)),
            },
            Element::Queue(queue) => match queue.pass(at, &mut frame) {
                Ok(passed) => {
                    tally.marked += u64::from(passed.marked);
                    beyond.push((passed.left, frame));
                }
                Err(cause) => tally.lose(cause),
            },
            Element::Faults(fault) => {
                let frames = fault.pass(frame);
                match frames.len() {
                    0 => tally.lose(Cause::Chance),
                    copies => tally.doubled += u64::try_from(copies - 1).unwrap_or(0),
                }
                beyond.extend(frames.into_iter().map(|(delay, frame)| (at + delay, frame)));
            }
            Element::Delay(delay) => beyond.push((at + *delay, frame)),
            Element::Wobble(wobble) => beyond.push((wobble.pass(at), frame)),
        }
    }
}

/// One direction of a wire at work.
#[derive(Debug, Default)]
pub struct Chain {
    elements: Vec<Element>,
    tally: Tally,
    /// Room for the frames between two elements.
    here: Vec<(Instant, Packet)>,
    beyond: Vec<(Instant, Packet)>,
}

impl Chain {
    /// A chain of these elements, in the order in which frames meet them.
    pub fn new(elements: Vec<Element>) -> Chain {
        Chain { elements, ..Chain::default() }
    }

    /// What became of everything so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A frame enters; whatever comes out at the other end, and when, is given to `arrives`.
    pub fn pass(&mut self, now: Instant, frame: Packet, mut arrives: impl FnMut(Instant, Packet)) {
        let Chain { elements, tally, here, beyond } = self;
        tally.entered += 1;
        here.push((now, frame));
        for element in elements {
            for (at, frame) in here.drain(..) {
                element.pass(at, frame, tally, beyond);
            }
            std::mem::swap(here, beyond);
        }
        for (at, frame) in here.drain(..) {
            tally.handed_on += 1;
            arrives(at, frame);
        }
    }

    /// Cuts the wire, or mends it. A chain without a gate cannot be cut.
    pub fn set_cut(&mut self, now_cut: bool) {
        for element in &mut self.elements {
            if let Element::Gate { cut } = element {
                *cut = now_cut;
            }
        }
    }

    /// From now on other faults.
    pub fn set_faults(&mut self, faults: Faults) {
        for element in &mut self.elements {
            if let Element::Faults(fault) = element {
                fault.set(faults);
            }
        }
    }

    /// Nothing goes wrong any more: what remains are the delay, the rate and its queue.
    pub fn calm(&mut self) {
        self.set_cut(false);
        self.set_faults(Faults::default());
        for element in &mut self.elements {
            if let Element::Bursts(bursts) = element {
                bursts.end();
            }
        }
    }

    /// From now on its queues drop nothing that fits.
    pub fn end_early_drops(&mut self) {
        for element in &mut self.elements {
            if let Element::Queue(queue) = element {
                queue.end_early_drops();
            }
        }
    }

    /// What waits in its queues now, in bytes.
    pub fn queued_bytes(&mut self, now: Instant) -> usize {
        let queues = self.elements.iter_mut().filter_map(|element| match element {
            Element::Queue(queue) => Some(queue.bytes(now)),
            Element::Gate { .. }
            | Element::Bursts(_)
            | Element::Faults(_)
            | Element::Delay(_)
            | Element::Wobble(_) => None,
        });
        queues.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_comes_to_one_end_and_none_before_its_time() {
        let faults = Faults { jitter: Duration::from_millis(1), ..Faults::percent(5) };
        let mut chain = Chain::new(vec![
            Element::Gate { cut: false },
            Element::Bursts(Bursts::new(3, 20_000, 200_000, 800_000)),
            Element::Queue(Queue::new(std::num::NonZeroU64::new(1_000_000), 4000, None)),
            Element::Faults(Fault::new(faults, 9)),
            Element::Delay(Duration::from_millis(3)),
        ]);
        let mut arrived = 0;
        for number in 0..20_000u64 {
            let now = Instant::from_micros(number * 900);
            chain.set_cut(number % 100 == 7);
            chain.pass(now, Packet::from_wire(&[0; 1000]), |at, _| {
                assert!(at >= now + Duration::from_millis(4));
                arrived += 1;
            });
        }
        let tally = chain.tally();
        assert!(tally.is_conserved());
        assert_eq!((tally.entered, tally.handed_on), (20_000, arrived));
        assert_eq!(tally.lost_by(Cause::Cut), 200);
        for cause in [Cause::Burst, Cause::Full, Cause::Chance] {
            assert!(tally.lost_by(cause) > 100, "{tally:?}");
        }
        chain.calm();
        let before = chain.tally();
        for number in 20_000..21_000u64 {
            chain.pass(Instant::from_micros(number * 1000), Packet::from_wire(&[0; 1000]), |_, _| {});
        }
        assert_eq!(chain.tally().handed_on, before.handed_on + 1000);
    }
}
