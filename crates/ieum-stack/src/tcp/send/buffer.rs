//! How large the send buffer is: as its user chose it, or growing by itself.
//!
//! Two windows fit into it: one in flight, and one written meanwhile, so that neither an acknowledgement nor a loss, for
//! whose repair a whole window is kept (RFC 5681 §3.2), finds nothing to send. It grows with the congestion window when the
//! user found it full although the window was not, and never shrinks. As Linux does it (tcp_sndbuf_expand), in
//! its way of counting: each segment with the memory that it would take alone.

use super::Send;
use crate::tcp::bounds::INITIAL_WINDOW_SEGMENTS;
use crate::tcp::settings::TcpSettings;

/// What a segment takes beside its payload, before that is rounded up to a power of two, and beyond it, in bytes: as seen in
/// Linux 6.18 (SO_SNDBUF of a new connection).
const SEGMENT_HEADERS_BYTES: u32 = 512;
const SEGMENT_COST_BYTES: u32 = 256;

/// The memory of `windows` congestion windows, in bytes; of the initial one at least, and of as many segments as may
/// overtake one.
fn wanted(windows: u32, cwnd: u32, reordering: u32, mss: u32) -> u32 {
    let each = (mss.saturating_add(SEGMENT_HEADERS_BYTES)).next_power_of_two() + SEGMENT_COST_BYTES;
    let segments = cwnd.max(INITIAL_WINDOW_SEGMENTS).max(reordering.saturating_add(1));
    windows.saturating_mul(segments).saturating_mul(each)
}

impl Send {
    /// The bound of all that waits, in bytes.
    pub(in crate::tcp) fn buffer_bytes(&self, settings: &TcpSettings) -> u32 {
        settings.send_buffer_bytes.max(self.buffer_grown.min(settings.send_buffer_bytes_max))
    }

    /// It becomes as large as the window wants it.
    pub(super) fn grow_buffer(&mut self) {
        let windows = self.algorithm.buffered_windows();
        let mss = self.mss.max(self.mss_agreed);
        let wanted = wanted(windows, self.congestion.cwnd, self.rack.degree(), mss);
        self.buffer_grown = self.buffer_grown.max(wanted);
    }

    /// Something was acknowledged, and the user waits for room: if all that it could write did not fill the window, more room
    /// is what it needs.
    pub(in crate::tcp) fn grow_buffer_for_writer(&mut self) {
        let segments = self.queued.div_ceil(super::usize_of(self.mss));
        if segments < super::usize_of(self.congestion.cwnd) {
            self.grow_buffer();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_windows_fit_in_with_what_each_segment_costs() {
        assert_eq!(wanted(2, 10, 3, 1000), 46_080);
        assert_eq!(wanted(2, 10, 3, 1536), 46_080);
        assert_eq!(wanted(2, 10, 3, 1568), 87_040);
        assert_eq!(wanted(3, 10, 3, 8960), 499_200);
    }

    #[test]
    fn the_least_is_an_initial_window() {
        assert_eq!(wanted(2, 1, 3, 1000), wanted(2, 10, 3, 1000));
        assert_eq!(wanted(2, 10, 20, 1000), wanted(2, 21, 3, 1000));
    }
}
