//! CUBIC (RFC 9438): after a loss the window comes back to where that happened along a cubic curve in time: fast at
//! first, slowly near that place, fast again beyond. So a long path is filled in seconds whatever its round trip.
//!
//! In integers, so that all machines compute the same: time in milliseconds, windows in segments.

use std::time::Duration;

use ieum_wire::Instant;

use super::hystart::HyStart;
use super::{CongestionControl, Heard, Window};
use crate::tcp::settings::CongestionName;

/// β: to what part the window falls (RFC 9438 §4.6: 0.7), in 1024ths.
const BETA_1024: u64 = 717;

/// α of the Reno-friendly region: 3 (1 − β) / (1 + β) (§4.3), in 1024ths.
const ALPHA_1024: u64 = 3 * (1024 - BETA_1024) * 1024 / (1024 + BETA_1024);

/// C is 0.4 segments/s³ (§5): so many cubic milliseconds make the curve rise by one segment.
const CUBIC_MS_PER_SEGMENT: u64 = 2_500_000_000;

/// Before the first loss the curve has no place to go to: one segment more for so many, at least (as Linux).
const UNTRIED_STEP_MAX: u32 = 20;

/// How old a step may become while the window stands still.
const STEP_LASTS: Duration = Duration::from_millis(31);

/// The curve since the last loss.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    begun: Instant,
    /// Time from its beginning to its middle (K, §4.2), in milliseconds.
    middle_ms: u64,
    /// The window in its middle.
    middle: u32,
    /// What Reno would have by now (W_est, §4.3), in 1024ths of a segment.
    reno_1024: u64,
    /// What has arrived and made no 1024th yet, in windows' parts of one.
    reno_rest: u64,
    /// One segment more for so many that arrive, as found at a moment for a window.
    step: u32,
    step_for: (Instant, u32),
}

/// What CUBIC remembers.
#[derive(Default)]
pub(super) struct Cubic {
    /// The window at the last loss (W_max); 0 before the first.
    last_max: u32,
    epoch: Option<Epoch>,
    start: HyStart,
}

impl CongestionControl for Cubic {
    fn name(&self) -> CongestionName {
        CongestionName::Cubic
    }

    fn measured(&mut self, window: &mut Window, heard: &Heard) {
        if window.in_slow_start() {
            self.start.measured(window, heard);
        }
    }

    fn grow(&mut self, window: &mut Window, heard: &Heard) {
        let mut segments = heard.segments;
        if window.in_slow_start() {
            segments = self.start.grow(window, segments);
            if segments == 0 {
                return;
            }
        }
        let step = self.step(window, heard, segments);
        window.step(step, segments);
    }

    /// §4.6, §4.7: fast convergence gives room to newcomers where the window did not come back to the last loss.
    fn reduced(&mut self, window: &Window) -> u32 {
        let cwnd = u64::from(window.cwnd);
        let last_max = if window.cwnd < self.last_max { cwnd * (1024 + BETA_1024) / 2048 } else { cwnd };
        self.last_max = small(last_max);
        self.epoch = None;
        small(cwnd * BETA_1024 / 1024).max(2)
    }

    fn timed_out(&mut self) {
        *self = Cubic::default();
    }

    fn resumed(&mut self, idle: Duration) {
        // §5.8: the curve goes by the time in which there was something to send.
        if let Some(epoch) = &mut self.epoch {
            epoch.begun += idle;
        }
    }
}

impl Cubic {
    /// For how many segments that arrive the window grows by one.
    fn step(&mut self, window: &Window, heard: &Heard, segments: u32) -> u32 {
        let (cwnd, last_max) = (window.cwnd, self.last_max);
        let epoch = self.epoch.get_or_insert_with(|| Epoch::new(heard.now, cwnd, last_max));
        let arrived = ALPHA_1024 * u64::from(segments) + epoch.reno_rest;
        epoch.reno_1024 += arrived / u64::from(cwnd.max(1));
        epoch.reno_rest = arrived % u64::from(cwnd.max(1));
        let (found_at, found_for) = epoch.step_for;
        if epoch.step == 0 || found_for != cwnd || heard.now.since(found_at) > STEP_LASTS {
            // §4.2: the curve is looked at a round trip ahead.
            let ahead = heard.now + heard.min_rtt.unwrap_or_default();
            let target = epoch.at(ahead.since(epoch.begun));
            epoch.step = if target > cwnd { cwnd / (target - cwnd) } else { cwnd.saturating_mul(100) };
            if last_max == 0 {
                epoch.step = epoch.step.min(UNTRIED_STEP_MAX);
            }
            epoch.step_for = (heard.now, cwnd);
        }
        // §4.3: never slower than Reno would be.
        let behind = small(epoch.reno_1024 / 1024).saturating_sub(cwnd);
        let step = epoch.step.min(cwnd.checked_div(behind).unwrap_or(u32::MAX));
        // §4.2: at most half a window more in a round trip.
        step.max(2)
    }
}

impl Epoch {
    fn new(now: Instant, cwnd: u32, last_max: u32) -> Epoch {
        let below = last_max.saturating_sub(cwnd);
        Epoch {
            begun: now,
            middle_ms: cube_root(u64::from(below) * CUBIC_MS_PER_SEGMENT),
            middle: cwnd.max(last_max),
            reno_1024: u64::from(cwnd) * 1024,
            reno_rest: 0,
            step: 0,
            step_for: (now, cwnd),
        }
    }

    /// W_cubic(t) (§4.2, figure 1).
    fn at(&self, t: Duration) -> u32 {
        let t_ms = u64::try_from(t.as_millis()).unwrap_or(u64::MAX);
        let distance = u128::from(t_ms.abs_diff(self.middle_ms)).min(1 << 40);
        let rise = distance.pow(3) / u128::from(CUBIC_MS_PER_SEGMENT);
        let rise = u32::try_from(rise).unwrap_or(u32::MAX);
        if t_ms < self.middle_ms {
            self.middle.saturating_sub(rise)
        } else {
            self.middle.saturating_add(rise)
        }
    }
}

/// The largest number whose cube is not above `value` (Newton's method from above).
fn cube_root(value: u64) -> u64 {
    if value == 0 {
        return 0;
    }
    let mut root = 1u64 << (64 - value.leading_zeros()).div_ceil(3);
    loop {
        let next = (2 * root + value / (root * root)) / 3;
        if next >= root {
            return root;
        }
        root = next;
    }
}

fn small(segments: u64) -> u32 {
    u32::try_from(segments).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ieum_wire::SeqNumber;

    fn window(cwnd: u32) -> Window {
        Window { cwnd, ssthresh: 2, ..Window::new(SeqNumber::new(0), false) }
    }

    /// A round trip of 100 ms in which a whole window arrives.
    fn round(cubic: &mut Cubic, window: &mut Window, now: &mut Instant) {
        *now += Duration::from_millis(100);
        let rtt = Some(Duration::from_millis(100));
        let at = SeqNumber::new(0);
        for _ in 0..window.cwnd {
            cubic.grow(window, &Heard { now: *now, segments: 1, rtt, min_rtt: rtt, una: at, nxt: at });
        }
    }

    #[test]
    fn roots_are_exact() {
        for root in [1, 2, 3, 10, 1000, 46_415, 2_000_000] {
            assert_eq!([root * root * root - 1, root * root * root].map(cube_root), [root - 1, root]);
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }

    #[test]
    fn after_a_loss_it_comes_back_in_the_time_that_the_rfc_says() {
        // RFC 9438 §4.2: from 700 back to 1000 in K = cbrt(300 / 0.4) = 9.1 s.
        let (mut cubic, mut window, mut now) = (Cubic::default(), window(1000), Instant::ZERO);
        window.cwnd = cubic.reduced(&window);
        assert_eq!(window.cwnd, 700);
        let mut rounds = 0;
        while window.cwnd < 995 {
            round(&mut cubic, &mut window, &mut now);
            rounds += 1;
        }
        assert!((60..=95).contains(&rounds), "{rounds} round trips of 100 ms");
        let plateau = window.cwnd;
        round(&mut cubic, &mut window, &mut now);
        assert!(window.cwnd - plateau <= 2, "near the place of the loss it is careful");
    }

    #[test]
    fn a_second_loss_below_the_first_gives_room_to_others() {
        let mut cubic = Cubic::default();
        cubic.reduced(&window(1000));
        cubic.reduced(&window(800));
        assert_eq!(cubic.last_max, 680);
    }

    #[test]
    fn on_a_short_path_it_is_as_fast_as_reno() {
        let (mut cubic, mut window, mut now) = (Cubic::default(), window(20), Instant::ZERO);
        window.cwnd = cubic.reduced(&window);
        let before = window.cwnd;
        let at = SeqNumber::new(0);
        // 200 round trips of 1 ms: the curve has hardly moved, Reno with β = 0.7 gains 0.53 segments in each.
        for _ in 0..200 {
            now += Duration::from_millis(1);
            let rtt = Some(Duration::from_millis(1));
            let segments = window.cwnd;
            cubic.grow(&mut window, &Heard { now, segments, rtt, min_rtt: rtt, una: at, nxt: at });
        }
        assert!(window.cwnd > before + 70, "{} from {before}", window.cwnd);
    }
}
