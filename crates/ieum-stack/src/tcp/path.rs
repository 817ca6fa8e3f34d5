//! How large a segment the path takes.
//!
//! Five bounds: what both SYNs allow; what routers said (RFC 1191, RFC 8201), of this connection or of an earlier one; what
//! probing has found (RFC 4821, RFC 8899); what the user set (TCP_MAXSEG, which is part of the first); and half of the largest
//! window that the peer has told, so that one segment can be on its way while another is acknowledged.
//!
//! *A router says* that a segment was too large. It is believed when the segment it quotes is under way (RFC 5927 §7.2), and then
//! everything under way that is too large counts as lost and is sent again in smaller pieces at once: the window does not
//! sink, since nothing was congested.
//!
//! *Probing* needs no router. While it searches, segments are as large as the search's lower end; now and then one of the middle
//! between both ends goes out, with enough behind it that its loss would be noticed. It arrives: that is the lower end. It is
//! lost alone: the upper end is below it, and the window stays. When both meet, it rests for ten minutes. A *black hole*, where
//! large segments vanish and no router says so, shows by time-outs in a row: the search begins there, and each further one
//! halves its lower end (Linux: tcp_mtu_probing 1; 2 searches from the start).

use ieum_wire::{Instant, Mss, SeqNumber};

use super::bounds::{
    MTU_PROBE_CWND_MIN, MTU_PROBE_INTERVAL, MTU_PROBE_MSS_FLOOR, MTU_PROBE_NARROW_BYTES,
    PATH_MTU_MIN_IP4_BYTES, PATH_MTU_MIN_IP6_BYTES, SEGMENT_BYTES_MIN,
};
use super::open::Open;
use super::send::{Piece, window_share};
use super::settings::{MtuProbing, TcpSettings};

/// What is known of the size of segments; all sizes are payload, options included.
#[derive(Debug)]
pub(super) struct PathSize {
    /// As both SYNs allow.
    agreed: u32,
    /// As routers told.
    told: u32,
    search: Option<Search>,
}

/// A search between what passes and what may.
#[derive(Clone, Copy, Debug)]
struct Search {
    low: u32,
    high: u32,
    probe: Option<Probe>,
    /// When it rests: until when.
    rests_until: Option<Instant>,
}

/// A segment larger than what is known to pass.
#[derive(Clone, Copy, Debug)]
struct Probe {
    begin: SeqNumber,
    end: SeqNumber,
    size: u32,
    /// The congestion window when it was sent.
    cwnd: u32,
}

impl PathSize {
    /// `agreed` by both SYNs; `told` of the destination before.
    pub(super) fn new(agreed: Mss, told: Mss, settings: &TcpSettings) -> PathSize {
        let (agreed, told) = (u32::from(agreed.bytes()), u32::from(told.bytes()));
        let mut size = PathSize { agreed, told, search: None };
        if settings.mtu_probing == MtuProbing::Always {
            size.begin(settings);
        }
        size
    }

    /// As routers, and the first link, told.
    pub(super) fn told(&self) -> u32 {
        self.told
    }

    /// The largest segment, options included.
    pub(super) fn mss(&self) -> u32 {
        let known = self.agreed.min(self.told);
        self.search.map_or(known, |search| known.min(search.low))
    }

    fn begin(&mut self, settings: &TcpSettings) {
        let high = self.agreed;
        let low = u32::from(settings.base_mss).min(high);
        self.search = Some(Search { low, high, probe: None, rests_until: None });
    }

    /// The size to be tried next, when it is time for one.
    fn next_probe(&mut self, now: Instant) -> Option<u32> {
        let (agreed, told) = (self.agreed, self.told);
        let search = self.search.as_mut().filter(|search| search.probe.is_none())?;
        if search.rests_until.is_some_and(|until| until <= now) {
            // RFC 4821 §7.3: ways change; the upper end is tried anew.
            (search.high, search.rests_until) = (agreed, None);
        }
        let middle = (search.high + search.low) / 2;
        if search.high.min(told) < search.low + MTU_PROBE_NARROW_BYTES || middle > told {
            search.rests_until.get_or_insert(now + MTU_PROBE_INTERVAL);
            return None;
        }
        Some(middle)
    }

    /// Large segments vanish (RFC 4821 §7.7).
    fn black_hole(&mut self, settings: &TcpSettings) {
        match &mut self.search {
            None => self.begin(settings),
            Some(search) => {
                search.low = (search.low / 2).min(settings.base_mss.into()).max(MTU_PROBE_MSS_FLOOR);
                search.high = search.high.max(search.low);
                search.probe = None;
            }
        }
    }
}

impl Open {
    /// A router says that packets of `mtu_bytes` at most go on from there, and that the one at `seq` was larger. What it
    /// told, when that is believed.
    pub(super) fn path_narrowed(&mut self, is_ip4: bool, mtu_bytes: u32, seq: SeqNumber) -> Option<u32> {
        let mtu_bytes = if is_ip4 { mtu_bytes.max(PATH_MTU_MIN_IP4_BYTES) } else { mtu_bytes };
        if !is_ip4 && mtu_bytes < PATH_MTU_MIN_IP6_BYTES {
            return None;
        }
        let mss = if is_ip4 { Mss::of_mtu_ip4(mtu_bytes) } else { Mss::of_mtu_ip6(mtu_bytes) };
        // RFC 5927 §7.2: only what is under way can have been too large.
        let narrower = u32::from(mss.bytes()) < self.path.mss();
        if !self.send.is_under_way(seq) || !narrower {
            return None;
        }
        self.path.told = mss.bytes().into();
        self.resize_segments();
        self.send.lose_larger(self.mss);
        Some(mtu_bytes)
    }

    /// The path's size or the peer's largest window has changed: so does that of segments.
    pub(super) fn resize_segments(&mut self) {
        let payload_bytes = (self.path.mss() - self.stamp_bytes()).max(1);
        self.mss = bounded_by_window(payload_bytes, self.send.window_max(), self.stamp_bytes());
    }

    /// The payload of a probe that may go out now, `beside` other options. `cwnd` in segments stands for the same as before.
    pub(super) fn probe_size(&mut self, now: Instant, beside: u32) -> Option<u32> {
        if self.path.search.is_none() || !self.send.may_probe_path(MTU_PROBE_CWND_MIN) {
            return None;
        }
        let size = self.path.next_probe(now)? - self.stamp_bytes() - beside;
        // Enough behind it to see by its successors that it alone was lost.
        let needed = size + (self.send.overtaking() + 1) * self.mss;
        self.send.has_ready(needed).then_some(size)
    }

    /// It went out as `piece`, should that be as large.
    pub(super) fn probe_sent(&mut self, piece: &Piece, size: u32, beside: u32) {
        let stamps = self.stamp_bytes();
        if let Some(search) = &mut self.path.search
            && u32::try_from(piece.count).is_ok_and(|count| count == size)
            && !piece.again
        {
            let cwnd = self.send.congestion().cwnd;
            let probe = Probe { begin: piece.seq, end: piece.seq + size, size: size + stamps + beside, cwnd };
            search.probe = Some(probe);
        }
    }

    /// After an acknowledgement or a time-out: did the probe arrive, or was it lost?
    pub(super) fn judge_probe(&mut self) {
        let una = self.send.una();
        let Some(search) = &mut self.path.search else { return };
        let Some(probe) = search.probe else { return };
        if una.at_or_after(probe.end) {
            (search.low, search.probe) = (probe.size, None);
            self.resize_segments();
        } else if una == probe.begin && self.send.is_lost(probe.begin) {
            (search.high, search.probe) = (probe.size - 1, None);
            self.send.lost_by_size(probe.cwnd);
        }
    }

    /// Nothing was acknowledged after so many time-outs: perhaps segments are too large for a part of the path that says
    /// nothing.
    pub(super) fn suspect_black_hole(&mut self, settings: &TcpSettings) {
        if settings.mtu_probing != MtuProbing::Never {
            self.path.black_hole(settings);
            self.resize_segments();
        }
    }

    fn stamp_bytes(&self) -> u32 {
        if self.stamps.is_some() { super::open::STAMP_BYTES } else { 0 }
    }
}

/// A segment's payload for a peer with that window at most, in bytes: half of it, as Linux does it (tcp_bound_to_half_wnd). It
/// counts where a path takes very large segments, such as the loopback link, or where the peer has little room.
pub(super) fn bounded_by_window(payload_bytes: u32, window_max: u32, stamp_bytes: u32) -> u32 {
    match window_share(window_max) {
        // There was none yet: nothing is known of its size.
        0 => payload_bytes,
        share => payload_bytes.min(share.max(SEGMENT_BYTES_MIN - stamp_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_fills_half_a_window_at_most_and_a_small_window_whole() {
        let sizes = [65_483, 200_000, 1000, 500, 1, 0].map(|window| bounded_by_window(65_483, window, 12));
        assert_eq!(sizes, [32_741, 65_483, 500, 500, 36, 65_483]);
    }

    fn settings(mtu_probing: MtuProbing, base_mss: u16) -> TcpSettings {
        TcpSettings { mtu_probing, base_mss, ..TcpSettings::default() }
    }

    fn size(settings: &TcpSettings) -> PathSize {
        PathSize::new(Mss::announced(1460), Mss::announced(1460), settings)
    }

    #[test]
    fn a_search_halves_what_is_between_its_ends() {
        let mut size = size(&settings(MtuProbing::Always, 512));
        assert_eq!((size.mss(), size.next_probe(Instant::ZERO)), (512, Some(986)));
        size.search.as_mut().unwrap().low = 986;
        assert_eq!(size.next_probe(Instant::ZERO), Some(1223));
        size.search.as_mut().unwrap().high = 990;
        assert_eq!(size.next_probe(Instant::ZERO), None);
        assert_eq!(size.next_probe(Instant::ZERO + MTU_PROBE_INTERVAL), Some(1223));
    }

    #[test]
    fn a_black_hole_begins_the_search_and_then_halves_its_lower_end() {
        let settings = settings(MtuProbing::AfterBlackHole, 1024);
        let mut size = size(&settings);
        assert_eq!(size.mss(), 1460);
        let sizes = [0; 6].map(|_| {
            size.black_hole(&settings);
            size.mss()
        });
        assert_eq!(sizes, [1024, 512, 256, 128, 64, 48]);
    }

    #[test]
    fn what_a_router_told_bounds_the_search() {
        let settings = settings(MtuProbing::Always, 1024);
        let mut size = PathSize::new(Mss::announced(1460), Mss::announced(1100), &settings);
        assert_eq!(size.next_probe(Instant::ZERO), None);
        assert_eq!(size.mss(), 1024);
    }
}
