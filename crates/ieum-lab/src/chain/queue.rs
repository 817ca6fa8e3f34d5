//! A rate, and the frames that wait for it: first in, first out, with a bound. What does not fit is dropped at its tail;
//! with [`Red`] some is dropped or marked before.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use ieum_wire::{Instant, Packet};

use super::{Cause, Red, mark};

/// A frame that will get through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// When its last bit has left.
    pub left: Instant,
    /// It was marked.
    pub marked: bool,
}

/// A queue before a wire of a given rate.
#[derive(Clone, Debug)]
pub struct Queue {
    /// `None`: everything leaves at once.
    bytes_per_second: Option<NonZeroU64>,
    bytes_max: usize,
    red: Option<Red>,
    /// When each frame that is here has left, and its bytes.
    waiting: VecDeque<(Instant, usize)>,
    bytes: usize,
    /// When the last bit of all that is here has left, in nanoseconds: rounded, a rate would not be kept.
    free_at_ns: u64,
}

impl Queue {
    /// A queue for that rate that holds so many bytes, the frame that is just leaving included.
    pub fn new(bytes_per_second: Option<NonZeroU64>, bytes_max: usize, red: Option<Red>) -> Queue {
        Queue { bytes_per_second, bytes_max, red, waiting: VecDeque::new(), bytes: 0, free_at_ns: 0 }
    }

    /// From now on only what does not fit is dropped.
    pub fn end_early_drops(&mut self) {
        self.red = None;
    }

    /// A frame comes.
    ///
    /// # Errors
    ///
    /// [`Cause::Full`] or [`Cause::Early`] when it is dropped.
    pub fn pass(&mut self, now: Instant, frame: &mut Packet) -> Result<Passed, Cause> {
        let Some(rate) = self.bytes_per_second else { return Ok(Passed { left: now, marked: false }) };
        let is_empty = self.bytes(now) == 0;
        let now_ns = now.micros().saturating_mul(1000);
        if self.bytes + frame.len() > self.bytes_max {
            return Err(Cause::Full);
        }
        let mut marked = false;
        if let Some(red) = &mut self.red {
            let idle_ns = if is_empty { now_ns.saturating_sub(self.free_at_ns) } else { 0 };
            if red.wants_less(self.bytes, idle_ns, rate) {
                marked = mark::congestion(frame);
                if !marked {
                    return Err(Cause::Early);
                }
            }
        }
        let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.free_at_ns = self.free_at_ns.max(now_ns) + bytes.saturating_mul(1_000_000_000) / rate;
        let left = Instant::from_micros(self.free_at_ns.div_ceil(1000));
        self.bytes += frame.len();
        self.waiting.push_back((left, frame.len()));
        Ok(Passed { left, marked })
    }

    /// What is here now, in bytes.
    pub fn bytes(&mut self, now: Instant) -> usize {
        while let Some((left, bytes)) = self.waiting.front().copied()
            && left <= now
        {
            self.waiting.pop_front();
            self.bytes -= bytes;
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Packet {
        Packet::from_wire(&[0; 1000])
    }

    #[test]
    fn frames_leave_one_after_the_other_and_what_does_not_fit_is_dropped() {
        let mut queue = Queue::new(NonZeroU64::new(1_000_000), 3500, None);
        let mut left =
            |now: u64| queue.pass(Instant::from_micros(now), &mut frame()).map(|passed| passed.left.micros());
        assert_eq!([0, 0, 0, 0].map(&mut left), [Ok(1000), Ok(2000), Ok(3000), Err(Cause::Full)]);
        assert_eq!([1000, 1000].map(&mut left), [Ok(4000), Err(Cause::Full)]);
        assert_eq!(left(10_000), Ok(11_000));
    }

    #[test]
    fn the_rate_is_kept_to_the_byte() {
        // 7 bytes take a fraction of a microsecond at this rate.
        let mut queue = Queue::new(NonZeroU64::new(12_500_000), usize::MAX, None);
        let mut last = Instant::ZERO;
        for _ in 0..100_000 {
            let passed = queue.pass(Instant::ZERO, &mut Packet::from_wire(&[0; 7]));
            last = passed.map_or(last, |passed| passed.left);
        }
        assert_eq!(last.micros(), 56_000);
    }
}
