//! Reno: half after a loss, a segment more each round trip (RFC 5681 §3.1).

use super::{CongestionControl, Heard, Window};
use crate::tcp::settings::CongestionName;

/// It remembers nothing that the window does not.
pub(super) struct Reno;

impl CongestionControl for Reno {
    fn name(&self) -> CongestionName {
        CongestionName::Reno
    }

    fn grow(&mut self, window: &mut Window, heard: &Heard) {
        let mut segments = heard.segments;
        if window.in_slow_start() {
            segments = window.slow_start(segments);
        }
        if segments > 0 {
            window.step(window.cwnd, segments);
        }
    }

    /// RFC 5681 (4): half of what is in flight, which is the window where it limits; two segments at least.
    fn reduced(&mut self, window: &Window) -> u32 {
        (window.cwnd / 2).max(2)
    }
}
