//! ProbeRTT: half the bandwidth-delay product in flight for 200 ms, so that the queue empties and the round trip without it
//! is seen (draft-ietf-ccwg-bbr-06 §5.3.4). All flows do so every 5 s unless they are silent or slow by themselves, and
//! those that share a queue come to do it together.

use std::time::Duration;

use ieum_wire::Instant;

use super::probe_bw::Feedback;
use super::{Bbr, Phase, Report, Window};

/// How long it lasts at least, beside a round trip (BBR.ProbeRTTDuration).
const CALM: Duration = Duration::from_millis(200);

/// ProbeRTT under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calm {
    /// Little enough is in flight; until then (BBR.probe_rtt_done_stamp).
    until: Option<Instant>,
    /// A round trip has passed since (BBR.probe_rtt_round_done).
    round_over: bool,
}

impl Bbr {
    /// CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, window: &mut Window, report: &Report) {
        if self.phase != Phase::ProbeRtt && self.min_rtt.is_stale && !self.begun_again {
            self.save_window(window.cwnd);
            self.phase = Phase::ProbeRtt;
            self.calm = Calm::default();
            self.cycle.feedback = Feedback::Stopping;
            self.rounds.begin(self.delivered);
        }
        if self.phase == Phase::ProbeRtt {
            self.stay_calm(window, report.in_flight);
        }
        self.begun_again = false;
    }

    /// HandleProbeRTT.
    fn stay_calm(&mut self, window: &mut Window, in_flight: u32) {
        if self.calm.until.is_none() {
            if in_flight <= self.probe_rtt_window() {
                self.calm = Calm { until: Some(self.now + CALM), round_over: false };
                self.rounds.begin(self.delivered);
            }
        } else {
            self.calm.round_over |= self.rounds.started;
            if self.calm.round_over {
                self.check_probe_rtt_done(window);
            }
        }
    }

    /// ProbeRTT → ProbeBW Down → Cruise, as nothing is queued; or → Startup, when the pipe was never full.
    pub(super) fn check_probe_rtt_done(&mut self, window: &mut Window) {
        if self.calm.until.is_none_or(|until| self.now <= until) {
            return;
        }
        self.min_rtt.looked(self.now);
        self.phase = Phase::Cruise;
        self.restore_window(window);
        self.forget_short_term();
        if self.was_full {
            self.enter_down();
            self.enter_cruise();
        } else {
            self.enter_startup();
        }
    }
}
