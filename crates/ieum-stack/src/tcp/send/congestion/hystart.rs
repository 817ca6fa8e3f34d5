//! HyStart++ (RFC 9406): slow start ends when round trips grow, before the queue that makes them grow overflows.
//!
//! A first sign leads into conservative slow start, which grows at a quarter of the pace for five round trips. Round
//! trips that become short again were a false alarm.

use std::time::Duration;

use ieum_wire::SeqNumber;

use super::{Heard, Window};

/// RFC 9406 §4.3: bounds of the growth that counts, what part of the round trip it is, how many measurements make a
/// round trip's minimum, what part of slow start's growth is left, and for how many round trips.
const RTT_GROWTH_MIN: Duration = Duration::from_millis(4);
const RTT_GROWTH_MAX: Duration = Duration::from_millis(16);
const RTT_GROWTH_PART: u32 = 8;
const SAMPLES: u32 = 8;
const CONSERVATIVE_DIVISOR: u32 = 4;
const CONSERVATIVE_ROUNDS: u32 = 5;

/// A round trip, counted by positions.
#[derive(Clone, Copy, Debug)]
struct Round {
    until: SeqNumber,
    shortest: Option<Duration>,
    samples: u32,
}

/// What slow start has seen.
#[derive(Default)]
pub(super) struct HyStart {
    round: Option<Round>,
    /// The shortest of the round before.
    last: Option<Duration>,
    /// Conservative slow start: the shortest round trip at its beginning, and the rounds in it so far.
    conservative: Option<(Duration, u32)>,
    /// Segments that have arrived towards the next of conservative slow start.
    credit: u32,
}

impl HyStart {
    /// A round trip was measured in slow start, which may end here: at the window as it is.
    pub(super) fn measured(&mut self, window: &mut Window, heard: &Heard) {
        let new = Round { until: heard.nxt, shortest: None, samples: 0 };
        let round = self.round.get_or_insert(new);
        if heard.una.after(round.until) || heard.una == round.until && round.samples > 0 {
            self.last = round.shortest;
            *round = new;
            if let Some((_, rounds)) = &mut self.conservative {
                *rounds += 1;
                if *rounds >= CONSERVATIVE_ROUNDS {
                    window.ssthresh = window.cwnd;
                    *self = HyStart::default();
                    return;
                }
            }
        }
        let (Some(round), Some(rtt)) = (&mut self.round, heard.rtt) else { return };
        round.samples += 1;
        let shortest = round.shortest.map_or(rtt, |shortest| shortest.min(rtt));
        round.shortest = Some(shortest);
        if round.samples < SAMPLES {
            return;
        }
        match (self.conservative, self.last) {
            (None, Some(last)) => {
                let growth = (last / RTT_GROWTH_PART).clamp(RTT_GROWTH_MIN, RTT_GROWTH_MAX);
                if shortest >= last + growth {
                    self.conservative = Some((shortest, 0));
                }
            }
            (Some((baseline, _)), _) if shortest < baseline => self.conservative = None,
            (None, None) | (Some(_), _) => {}
        }
    }

    /// Slow start's growth for `segments` that have arrived; those beyond its end come back.
    pub(super) fn grow(&mut self, window: &mut Window, segments: u32) -> u32 {
        if self.conservative.is_none() {
            return window.slow_start(segments);
        }
        self.credit += segments;
        let grown = self.credit / CONSERVATIVE_DIVISOR;
        self.credit %= CONSERVATIVE_DIVISOR;
        window.slow_start(grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ieum_wire::Instant;

    /// One round trip with ten measurements of `ms`.
    fn round(start: &mut HyStart, window: &mut Window, number: u32, ms: u64) {
        for i in 0..10 {
            let rtt = Some(Duration::from_millis(ms));
            let una = SeqNumber::new(number * 1000 + i);
            let nxt = SeqNumber::new((number + 1) * 1000);
            start.measured(window, &Heard { now: Instant::ZERO, segments: 1, rtt, min_rtt: rtt, una, nxt });
        }
    }

    fn begun() -> (HyStart, Window) {
        (HyStart::default(), Window::new(SeqNumber::new(0), false))
    }

    #[test]
    fn round_trips_that_grow_end_slow_start_after_five_careful_rounds() {
        let (mut start, mut window) = begun();
        round(&mut start, &mut window, 0, 40);
        round(&mut start, &mut window, 1, 44);
        assert!(start.conservative.is_none(), "4 ms are less than an eighth of 40");
        round(&mut start, &mut window, 2, 60);
        assert_eq!(start.grow(&mut window, 40), 0);
        assert_eq!(window.cwnd, 20, "a quarter of the pace");
        for number in 3..=7 {
            assert!(window.in_slow_start());
            round(&mut start, &mut window, number, 70);
        }
        assert_eq!(window.ssthresh, 20);
    }

    #[test]
    fn a_false_alarm_is_called_off() {
        let (mut start, mut window) = begun();
        for (number, ms) in [(0, 40), (1, 60), (2, 41)] {
            round(&mut start, &mut window, number, ms);
        }
        assert_eq!(start.grow(&mut window, 10), 0);
        assert_eq!(window.cwnd, 20);
    }
}
