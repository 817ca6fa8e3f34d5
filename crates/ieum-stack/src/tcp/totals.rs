//! What a connection has sent and received so far: sums that nothing here acts upon, for who asks ([`super::info`]). RFC
//! 4898 gives such sums their meaning. One addition a packet, whatever it stands for.

use ieum_wire::Instant;

use super::bounds::PEER_MSS_BYTES_INITIAL;

/// The sums of one connection. Counts of segments begin anew after 2³².
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    /// Segments sent, acknowledgements and repetitions included; and those with data or an end.
    pub(super) segments_out: u32,
    pub(super) data_segments_out: u32,
    /// Payload sent, repetitions included; and that of repetitions, which were so many segments.
    pub(super) bytes_out: u64,
    pub(super) bytes_again: u64,
    pub(super) segments_again: u32,
    /// Positions that have arrived in order.
    pub(super) bytes_in: u64,
    /// Segments received, and those with data.
    pub(super) segments_in: u32,
    pub(super) data_segments_in: u32,
    /// Segments received beyond a hole.
    pub(super) out_of_order_in: u32,
    /// When data was last sent and last received; at first, when the connection opened.
    pub(super) data_out_at: Instant,
    pub(super) data_in_at: Instant,
    /// Payload of the largest segment received.
    pub(super) peer_mss: u32,
}

impl Totals {
    /// A connection that has just opened.
    pub(super) fn new(now: Instant) -> Totals {
        Totals {
            segments_out: 0,
            data_segments_out: 0,
            bytes_out: 0,
            bytes_again: 0,
            segments_again: 0,
            bytes_in: 0,
            segments_in: 0,
            data_segments_in: 0,
            out_of_order_in: 0,
            data_out_at: now,
            data_in_at: now,
            peer_mss: PEER_MSS_BYTES_INITIAL,
        }
    }

    /// Its handshake had to send so many SYNs.
    pub(super) fn syns_sent(&mut self, syns: u32, again: u32) {
        (self.segments_out, self.segments_again) = (syns, again);
    }

    /// A packet with `bytes` of payload goes out, in segments of `mss`.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize, mss: u32, again: bool) {
        let segments = u32::try_from(bytes).unwrap_or(u32::MAX).div_ceil(mss.max(1));
        self.segments_out = self.segments_out.wrapping_add(segments.max(1));
        if again {
            self.segments_again = self.segments_again.wrapping_add(segments.max(1));
        }
        if bytes == 0 {
            return;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.data_segments_out = self.data_segments_out.wrapping_add(segments);
        self.bytes_out = self.bytes_out.wrapping_add(bytes);
        self.bytes_again = self.bytes_again.wrapping_add(if again { bytes } else { 0 });
        self.data_out_at = now;
    }

    /// A packet that stands for so many frames came beyond a hole.
    pub(super) fn out_of_order(&mut self, frames: usize) {
        self.out_of_order_in = self.out_of_order_in.wrapping_add(u32::try_from(frames).unwrap_or(1));
    }

    /// A packet that stands for so many frames has come, with `bytes` of payload.
    pub(super) fn received(&mut self, now: Instant, frames: usize, bytes: usize) {
        let frames = u32::try_from(frames).unwrap_or(1).max(1);
        self.segments_in = self.segments_in.wrapping_add(frames);
        if bytes == 0 {
            return;
        }
        self.data_segments_in = self.data_segments_in.wrapping_add(frames);
        self.data_in_at = now;
        self.peer_mss = self.peer_mss.max(u32::try_from(bytes).unwrap_or(u32::MAX).div_ceil(frames));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_counts_as_the_segments_it_stands_for() {
        let mut totals = Totals::new(Instant::ZERO);
        totals.syns_sent(1, 0);
        totals.sent(Instant::ZERO, 2500, 1000, false);
        totals.sent(Instant::ZERO, 1000, 1000, true);
        totals.sent(Instant::ZERO, 0, 1000, false);
        assert_eq!((totals.segments_out, totals.data_segments_out, totals.segments_again), (6, 4, 1));
        assert_eq!((totals.bytes_out, totals.bytes_again), (3500, 1000));
        totals.received(Instant::ZERO, 3, 2500);
        totals.received(Instant::ZERO, 1, 0);
        assert_eq!((totals.segments_in, totals.data_segments_in, totals.peer_mss), (4, 3, 834));
    }
}
