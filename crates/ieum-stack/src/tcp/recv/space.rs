//! How much the peer may send: the receive buffer, and the window that it gives (RFC 9293 §3.8.6).
//!
//! The numbers are Linux's, so that a peer sees the windows that it would see there. The *buffer* is counted in memory:
//! a segment that waits is charged what Linux's buffers take for it ([`charge`]), a small one several times its bytes.
//! The window is what of the buffer is free, times the *share* of memory that turned out to be payload; one half until a
//! full segment has shown it. Who sends small segments so gets a small window, and no peer can make a connection hold
//! more memory than its buffer.
//!
//! Three bounds stand between the free space and the window told:
//!
//! - `clamp`: never more than the whole buffer would give, or than the user allows (TCP_WINDOW_CLAMP).
//! - `opened`: it opens with the data that comes, by twice the bytes of each segment, so that a peer who has shown
//!   nothing yet is promised little (Linux: `rcv_ssthresh`).
//! - It is told only when that is worth a segment (the receiver's side of silly windows, RFC 9293 §3.8.6.2.2).
//!
//! The buffer *grows* by itself unless the user chose its size: when the application has read more in one round trip
//! than in any before, the buffer becomes large enough for twice that, and for a sender in slow start once more
//! (dynamic right-sizing; Linux: `tcp_moderate_rcvbuf`). It never shrinks by itself.

use std::time::Duration;

use ieum_wire::{Instant, SeqNumber, WindowScale};

use crate::tcp::bounds::{
    BUFFER_BYTES_MAX, INITIAL_WINDOW_SEGMENTS, PEER_MSS_BYTES_INITIAL, WINDOW_CLAMP_BYTES_MIN,
};
use crate::tcp::settings::TcpSettings;

/// Parts into which memory is divided to say how many of them are payload.
const SHARE_PARTS: u32 = 256;
/// The share before a full segment has come: one half.
const SHARE_INITIAL: u32 = SHARE_PARTS / 2;
/// Below so many bytes a segment opens nothing: its headers are most of it.
const OPENING_BYTES_MIN: usize = 128;

/// What Linux's buffers take beside the bytes of a segment, and in which sizes they come.
const CHARGE_BASE_BYTES: u32 = 256;
const CHARGE_HEAD_BYTES: u32 = 424;
const CHARGE_SIZES: [u32; 5] = [576, 1024, 2048, 4096, 8192];
const PAGE_BYTES: u32 = 4096;
/// Headers and what is kept free before them, which share the first page of a super-segment.
const CHARGE_FRONT_BYTES: u32 = 104;
/// What is not payload of the memory into which small segments were moved together, and the payload of a whole page of it.
const PACKED_HEAD_BYTES: u32 = 320;
const PACKED_BYTES_PER_PAGE: u32 = PAGE_BYTES - PACKED_HEAD_BYTES;

/// The memory that a segment of `bytes` is charged, that came as so many frames.
pub(super) fn charge(bytes: usize, frames: usize) -> u32 {
    let bytes = u32::try_from(bytes).unwrap_or(BUFFER_BYTES_MAX).min(BUFFER_BYTES_MAX);
    let head = bytes + CHARGE_HEAD_BYTES;
    let linear = CHARGE_SIZES.into_iter().find(|size| *size >= head && frames <= 1);
    CHARGE_BASE_BYTES + linear.unwrap_or_else(|| (bytes + CHARGE_FRONT_BYTES).next_multiple_of(PAGE_BYTES))
}

/// The memory that `bytes` are charged after they were moved together: whole pages, and a rest that has no headers of its own.
fn packed(bytes: usize) -> u32 {
    let bytes = u32::try_from(bytes).unwrap_or(BUFFER_BYTES_MAX).min(BUFFER_BYTES_MAX);
    let (pages, rest) = (bytes / PACKED_BYTES_PER_PAGE, bytes % PACKED_BYTES_PER_PAGE);
    let size = CHARGE_SIZES.into_iter().find(|size| *size >= rest + PACKED_HEAD_BYTES).unwrap_or(PAGE_BYTES);
    let rest = if rest == 0 { 0 } else { CHARGE_BASE_BYTES + size };
    pages.saturating_mul(PAGE_BYTES + CHARGE_BASE_BYTES).saturating_add(rest)
}

/// Receive buffer and window of one connection.
pub(in crate::tcp) struct Space {
    /// Memory that what waits may be charged, in bytes.
    buffer: u32,
    /// Memory that it is charged, in bytes.
    charged: u32,
    /// Parts of memory that are payload, of [`SHARE_PARTS`].
    share: u32,
    /// The largest window, in bytes.
    clamp: u32,
    /// As far as the window has opened, in bytes.
    opened: u32,
    /// Payload of the peer's full segments, in bytes, as far as seen.
    peer_mss: u32,
    /// Payload of our own, in bytes: what the peer was told that we take.
    own_mss: u32,
    /// The most that was read in one round trip, in bytes.
    read_in_round: u32,
    /// Bytes handed on that nobody is known to have read.
    handed: usize,
    /// Bytes read in this one, and since when it lasts.
    read: u32,
    round_since: Instant,
    /// The round trip as the receiver sees it, and where a measurement by window ends and began.
    rtt_us: u32,
    rtt_until: SeqNumber,
    rtt_since: Instant,
    /// The timestamp that measured it last: once is enough.
    echo: Option<u32>,
}

/// What a SYN promises, in bytes: as much of what the buffer holds as is promised at first, in whole segments where it holds any.
/// The field of a SYN has 16 bits; the connection holds itself to the whole all the same.
pub(in crate::tcp) fn initial_window(settings: &TcpSettings, mss: u32) -> u32 {
    let clamp = settings.window_clamp_bytes.unwrap_or(u32::MAX);
    let space = settings.recv_buffer_bytes.min(settings.first_window_bytes).min(clamp);
    if space > mss { space / mss * mss } else { space }
}

impl Space {
    /// `promised`: what the SYN promised; `mss`: what it said that a segment may have.
    pub(super) fn new(
        now: Instant,
        settings: &TcpSettings,
        promised: u32,
        mss: u32,
        nxt: SeqNumber,
    ) -> Space {
        let buffer = settings.recv_buffer_bytes.saturating_mul(2);
        let whole = part(buffer, SHARE_INITIAL);
        // One segment stays in reserve, where there is room for several.
        let reserved = whole.saturating_sub(mss).max(2 * mss).min(whole);
        let clamp = reserved.min(settings.window_clamp_bytes.unwrap_or(u32::MAX));
        let opened = promised.min(clamp);
        Space {
            buffer,
            charged: 0,
            share: SHARE_INITIAL,
            clamp,
            opened,
            peer_mss: PEER_MSS_BYTES_INITIAL.min(mss).min((promised / 2).max(1)),
            own_mss: mss,
            read_in_round: opened.min(promised).min(INITIAL_WINDOW_SEGMENTS * mss).max(1),
            handed: 0,
            read: 0,
            round_since: now,
            rtt_us: 0,
            rtt_until: nxt + promised,
            rtt_since: now,
            echo: None,
        }
    }

    // What can be asked.

    /// The memory it may take, in bytes (SO_RCVBUF as it is read back).
    pub(in crate::tcp) fn buffer_bytes(&self) -> u32 {
        self.buffer
    }

    /// The memory it is charged, in bytes.
    pub(in crate::tcp) fn charged_bytes(&self) -> u32 {
        self.charged
    }

    /// As far as the window has opened, in bytes.
    pub(in crate::tcp) fn opened_bytes(&self) -> u32 {
        self.opened
    }

    /// Payload of the peer's full segments, in bytes.
    pub(in crate::tcp) fn peer_mss(&self) -> u32 {
        self.peer_mss
    }

    /// The most that was read in one round trip, in bytes.
    pub(in crate::tcp) fn read_in_round(&self) -> u32 {
        self.read_in_round
    }

    /// The round trip as the receiver sees it; zero when it was not measured yet.
    pub(in crate::tcp) fn round_trip(&self) -> Duration {
        Duration::from_micros(self.rtt_us.into())
    }

    /// May something more wait? One segment may exceed the buffer, so that a large one is never stuck before it.
    pub(super) fn has_room(&self) -> bool {
        self.charged <= self.buffer
    }

    /// Is a window of so many bytes so small a part of the largest that more may be worth telling?
    pub(super) fn is_small(&self, window: u32) -> bool {
        window.saturating_mul(2) <= self.clamp
    }

    /// Is more than half of the window taken? Then acknowledgements need not hurry.
    pub(super) fn is_scarce(&self) -> bool {
        part(self.buffer.saturating_sub(self.charged), self.share)
            < self.clamp.min(part(self.buffer, self.share)) / 2
    }

    /// The window that could be told, in bytes; `last` is what was told last, from where it was told.
    pub(super) fn window(&self, last: u32, scale: WindowScale) -> u32 {
        let step = 1 << scale.shift();
        let whole = part(self.buffer, self.share);
        let full = self.clamp.min(whole);
        // A peer whose segments are larger than the window has opened would wait for ever for one of that size.
        let mss = self.peer_mss.min(full).min(self.opened);
        if mss == 0 {
            return 0;
        }
        let mut free = part(self.buffer.saturating_sub(self.charged), self.share);
        if free < full / 2 {
            // What the scale would round up is not promised where room is scarce.
            free = free / step * step;
            if free < whole / 16 || free < mss {
                return 0;
            }
        }
        free = free.min(self.opened);
        if step > 1 {
            return free.next_multiple_of(step);
        }
        // A rest smaller than a segment is no reason to keep from the peer that there is room for one: it might send neither.
        if last > free || last.saturating_add(mss) <= free || (last < mss && mss <= free) {
            free / mss * mss
        } else if mss == full && free > last.saturating_add(full / 2) {
            free
        } else {
            last
        }
    }

    // What happens.

    /// A segment came to wait, in order or not: what it shows of the peer's segments and of memory. `promised` is the
    /// window told last.
    pub(super) fn measure(&mut self, bytes: usize, frames: usize, promised: u32) {
        let size = u32::try_from(bytes.div_ceil(frames.max(1))).unwrap_or(u32::MAX);
        if size < self.peer_mss {
            return;
        }
        if size != self.peer_mss {
            let payload = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(SHARE_PARTS.into());
            let share = u32::try_from(payload / u64::from(charge(bytes, frames))).unwrap_or(SHARE_PARTS);
            let share = share.clamp(1, SHARE_PARTS);
            if share != self.share {
                self.share = share;
                self.set_clamp(part(self.buffer, share), promised);
                self.read_in_round = self.read_in_round.min(self.clamp).max(1);
            }
        }
        self.peer_mss = size.min(self.own_mss).max(1);
    }

    /// Small segments leave the peer's full size where it is, but for one that came twice running.
    pub(super) fn set_peer_mss(&mut self, bytes: u32) {
        self.peer_mss = bytes.max(1);
    }

    /// The window opens with what came. True when it did.
    pub(super) fn open(&mut self, bytes: usize, frames: usize) -> bool {
        if bytes < OPENING_BYTES_MIN {
            return false;
        }
        let free = part(self.buffer.saturating_sub(self.charged), self.share);
        let room = self.clamp.min(free).saturating_sub(self.opened);
        let bytes32 = u32::try_from(bytes).unwrap_or(u32::MAX);
        let fits = part(charge(bytes, frames), self.share) <= bytes32;
        // A segment whose memory is mostly overhead opens the window only while the buffer is far from full.
        if room == 0 || (!fits && !self.overhead_fits(charge(bytes, frames), bytes32)) {
            return false;
        }
        let step = if fits { 2 * self.own_mss } else { 2 * self.peer_mss };
        self.opened += room.min(step.max(bytes32.saturating_mul(2)));
        true
    }

    /// Would a buffer full of segments like this one still hold the window that is open?
    fn overhead_fits(&self, charge: u32, bytes: u32) -> bool {
        let (mut memory, mut window) = (part(charge, self.share) / 2, part(self.buffer, self.share) / 2);
        while self.opened <= window {
            if memory <= bytes {
                return true;
            }
            memory /= 2;
            window /= 2;
        }
        false
    }

    /// A segment waits from now on.
    pub(super) fn charge(&mut self, bytes: usize, frames: usize) {
        self.charged = self.charged.saturating_add(charge(bytes, frames));
    }

    /// Of `before` bytes that waited, `after` are left.
    pub(super) fn discharge(&mut self, before: usize, after: usize) {
        let part = |charged: u32| {
            let left = u64::from(charged) * u64::try_from(after).ok()? / u64::try_from(before.max(1)).ok()?;
            u32::try_from(left).ok()
        };
        self.charged = part(self.charged).unwrap_or(self.charged);
    }

    /// What waits, so many bytes in each run without a hole, is moved together, so that it takes little more than itself.
    pub(super) fn pack(&mut self, runs: impl Iterator<Item = usize>) {
        let together = runs.map(packed).fold(0, u32::saturating_add);
        self.charged = self.charged.min(together);
    }

    /// The round trip by an echoed timestamp; later segments with the same echo have only waited longer.
    pub(in crate::tcp) fn round_trip_echoed(&mut self, echo: u32, rtt: Duration) {
        if self.echo.replace(echo) == Some(echo) {
            return;
        }
        let sample = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        self.rtt_us = match self.rtt_us {
            0 => sample,
            smoothed => smoothed - smoothed / 8 + sample / 8,
        };
    }

    /// Without timestamps: a whole window takes a round trip at least (it may take longer, so the least counts).
    pub(super) fn measure_round(&mut self, now: Instant, nxt: SeqNumber, window: u32) {
        if nxt.before(self.rtt_until) || self.echo.is_some() {
            return;
        }
        let sample = u32::try_from(now.since(self.rtt_since).as_micros()).unwrap_or(u32::MAX).max(1);
        self.rtt_us = if self.rtt_us == 0 { sample } else { self.rtt_us.min(sample) };
        (self.rtt_until, self.rtt_since) = (nxt + window, now);
    }

    /// So many bytes more were handed on, to a reader who had `queued` unread: how many it has read since the last time.
    /// A queue counts what its memory costs, so that many small pieces seem to be read when all are.
    pub(super) fn hand_on(&mut self, count: usize, queued: usize) -> usize {
        let unread = queued.min(self.handed);
        let read = self.handed - unread;
        self.handed = unread.saturating_add(count);
        read
    }

    /// The application has read `count` bytes, `left` wait still; `beyond` came out of order.
    pub(super) fn read(
        &mut self,
        now: Instant,
        settings: &TcpSettings,
        count: usize,
        left: usize,
        beyond: u32,
    ) {
        self.read = self.read.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.rtt_us == 0 || now.since(self.round_since) < self.round_trip() {
            return;
        }
        let kept_up = self.read.saturating_sub(u32::try_from(left).unwrap_or(u32::MAX));
        if kept_up > self.read_in_round {
            self.grow(settings, kept_up, beyond);
        }
        (self.read, self.round_since) = (0, now);
    }

    /// So much is read in a round trip: the buffer becomes large enough to take twice that.
    pub(super) fn grow(&mut self, settings: &TcpSettings, per_round: u32, beyond: u32) {
        let before = self.read_in_round.max(1);
        self.read_in_round = per_round.max(1);
        let twice = u64::from(per_round) * 2;
        let faster = twice * u64::from(per_round.saturating_sub(before)) / u64::from(before);
        let wanted = twice + 2 * faster + u64::from(beyond);
        let memory = wanted * u64::from(SHARE_PARTS) / u64::from(self.share);
        let most = settings.recv_buffer_bytes_max.saturating_mul(2);
        let memory = u32::try_from(memory).unwrap_or(most).min(most);
        if memory > self.buffer {
            self.buffer = memory;
            self.clamp = part(memory, self.share).min(settings.window_clamp_bytes.unwrap_or(u32::MAX));
        }
    }

    /// The user changed its mind about the buffer (`before` it, and now), or about the largest window.
    pub(super) fn configure(&mut self, before: &TcpSettings, settings: &TcpSettings, promised: u32) {
        if before.recv_buffer_bytes != settings.recv_buffer_bytes {
            // The clamp stays, as on Linux, until a segment shows the share anew: it bounds, it does not open.
            self.buffer = settings.recv_buffer_bytes.saturating_mul(2);
        }
        if before.window_clamp_bytes != settings.window_clamp_bytes {
            self.set_clamp(settings.window_clamp_bytes.unwrap_or(u32::MAX), promised);
        }
    }

    /// Less than `bytes` are of no use to the application: the buffer is made for them (SO_RCVLOWAT).
    pub(super) fn hold_at_least(&mut self, bytes: u32) {
        let memory = u64::from(bytes) * u64::from(SHARE_PARTS) / u64::from(self.share);
        let memory = u32::try_from(memory).unwrap_or(BUFFER_BYTES_MAX);
        if memory > self.buffer {
            self.buffer = memory;
            self.clamp = self.clamp.max(bytes);
        }
    }

    fn set_clamp(&mut self, bytes: u32, promised: u32) {
        let clamp = bytes.max(WINDOW_CLAMP_BYTES_MIN);
        self.opened =
            if clamp < self.clamp { self.opened.min(clamp) } else { self.opened.max(promised.min(clamp)) };
        self.clamp = clamp;
    }

    /// What the file's first lines promise.
    pub(super) fn check(&self) {
        assert!(
            (1..=SHARE_PARTS).contains(&self.share),
            "some part of memory is payload, and no more than all"
        );
        assert!(self.peer_mss > 0, "a segment has at least a byte");
    }
}

/// So many parts of `memory`.
fn part(memory: u32, share: u32) -> u32 {
    u32::try_from(u64::from(memory) * u64::from(share) / u64::from(SHARE_PARTS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bytes: u32, most: u32) -> TcpSettings {
        TcpSettings {
            recv_buffer_bytes: bytes,
            recv_buffer_bytes_max: most,
            first_window_bytes: bytes,
            ..TcpSettings::default()
        }
    }

    fn space(bytes: u32, most: u32) -> Space {
        let settings = settings(bytes, most);
        let promised = initial_window(&settings, 1460);
        Space::new(Instant::ZERO, &settings, promised, 1460, SeqNumber::new(1))
    }

    #[test]
    fn segments_are_charged_what_linux_charges() {
        // Read from SK_MEMINFO_RMEM_ALLOC of Linux 6.18.
        let sizes = [1, 100, 500, 1000, 1460].map(|bytes| charge(bytes, 1));
        assert_eq!(sizes, [832, 832, 1280, 2304, 2304]);
        let sizes = [2000, 4000, 5000, 20_000, 60_000].map(|bytes| charge(bytes, 20));
        assert_eq!(sizes, [4352, 8448, 8448, 20_736, 61_696]);
    }

    #[test]
    fn what_is_moved_together_takes_little_more_than_itself() {
        // Linux 6.18 takes 8 segments of 88 bytes into a buffer of 2304, which is charged full by 3 of them.
        assert_eq!([88, 264, 704, 1152, 3776, 4000].map(packed), [832, 1280, 1280, 2304, 4352, 5184]);
        let mut space = space(1152, 1152);
        for segments in 1..=12 {
            space.pack(std::iter::once(88 * (segments - 1)));
            assert!(space.has_room(), "{segments} segments are no more bytes than the window");
            space.charge(88, 1);
        }
        space.pack([88; 3].into_iter());
        assert!(!space.has_room(), "what lies apart stays apart");
    }

    #[test]
    fn the_first_window_is_whole_segments_of_the_buffer() {
        assert_eq!(initial_window(&settings(65_536, 65_536), 1460), 64_240);
        assert_eq!(initial_window(&settings(65_536, 65_536), 1448), 65_160);
        assert_eq!(initial_window(&settings(1024, 1024), 1460), 1024);
        // As on Linux, however large the buffer.
        assert_eq!(initial_window(&TcpSettings::default(), 1460), 64_240);
    }

    #[test]
    fn the_window_opens_by_twice_what_comes() {
        let mut space = space(270_000, 7_864_320);
        assert_eq!(space.opened_bytes(), 268_540);
        space.measure(20_000, 20, 268_640);
        assert!(space.open(20_000, 20));
        assert_eq!((space.opened_bytes(), space.peer_mss()), (308_640, 1000));
    }

    #[test]
    fn small_segments_close_it() {
        let mut space = space(270_000, 7_864_320);
        space.measure(1000, 1, 268_640);
        assert_eq!(space.opened_bytes(), 234_140);
    }

    #[test]
    fn an_unscaled_window_moves_by_whole_segments_or_not_at_all() {
        let mut space = space(20_000, 20_000);
        space.measure(20_000, 20, 18_980);
        space.charge(20_000, 20);
        assert_eq!(space.window(18_980, WindowScale::default()), 18_000);
        space.discharge(20_000, 19_500);
        assert_eq!(space.window(18_000, WindowScale::default()), 18_000);
    }

    #[test]
    fn a_window_that_is_smaller_than_the_peers_segments_opens_again() {
        let settings = settings(8000, 8000);
        let promised = initial_window(&settings, 8948);
        let mut space = Space::new(Instant::ZERO, &settings, promised, 8948, SeqNumber::new(1));
        space.measure(8000, 1, promised);
        space.measure(8948, 1, promised);
        space.charge(8948, 1);
        assert_eq!(space.window(0, WindowScale::default()), 0);
        space.discharge(8948, 0);
        assert!(space.window(0, WindowScale::default()) >= 8000, "all is read");
    }

    #[test]
    fn what_is_left_of_a_segment_is_not_all_that_is_promised_again() {
        let mut space = space(20_000, 20_000);
        space.opened = 1100;
        space.measure(1000, 1, 1100);
        assert_eq!(space.window(12, WindowScale::default()), 1000);
        assert_eq!(space.window(1000, WindowScale::default()), 1000, "100 bytes more are not worth telling");
    }

    #[test]
    fn a_full_buffer_promises_nothing() {
        let mut space = space(10_000, 10_000);
        space.charge(60_000, 60);
        assert_eq!(space.window(10_000, WindowScale::default()), 0);
        assert!(!space.has_room());
        space.discharge(60_000, 0);
        assert!(space.has_room() && space.window(0, WindowScale::default()) > 0);
    }

    #[test]
    fn the_buffer_grows_with_what_is_read_in_a_round_trip() {
        let settings = settings(65_536, 16 << 20);
        let mut space = space(65_536, 16 << 20);
        space.round_trip_echoed(7, Duration::from_millis(10));
        let (mut now, before) = (Instant::ZERO, space.buffer_bytes());
        for bytes in [20_000, 40_000, 80_000, 160_000] {
            now += Duration::from_millis(10);
            space.read(now, &settings, bytes, 0, 0);
        }
        assert!(space.buffer_bytes() > 4 * before, "{}", space.buffer_bytes());
        space.grow(&settings, 1 << 30, 0);
        assert_eq!(space.buffer_bytes(), 32 << 20);
    }

    #[test]
    fn what_is_handed_on_counts_when_it_is_read() {
        let mut space = space(65_536, 16 << 20);
        assert_eq!(space.hand_on(1000, 0), 0, "nobody can have read it yet");
        assert_eq!(space.hand_on(500, 1000), 0);
        assert_eq!(space.hand_on(500, 700), 800);
        assert_eq!(space.hand_on(0, 0), 1200, "all of it in the end");
        // More than was handed on is what the queue's memory costs.
        assert_eq!(space.hand_on(1, 0), 0);
        assert_eq!(space.hand_on(1, 768), 0);
        assert_eq!(space.hand_on(0, 0), 2);
    }

    #[test]
    fn a_buffer_does_not_grow_by_what_nobody_reads() {
        let settings = settings(65_536, 16 << 20);
        let mut space = space(65_536, 16 << 20);
        space.round_trip_echoed(7, Duration::from_millis(10));
        let (mut now, before) = (Instant::ZERO, space.buffer_bytes());
        for queued in [0, 100_000, 200_000, 300_000] {
            now += Duration::from_millis(10);
            let read = space.hand_on(100_000, queued);
            space.read(now, &settings, read, 0, 0);
        }
        assert_eq!(space.buffer_bytes(), before);
        for _ in 0..4 {
            now += Duration::from_millis(10);
            let read = space.hand_on(100_000, 0);
            space.read(now, &settings, read, 0, 0);
        }
        assert!(space.buffer_bytes() > before, "by what is read it does");
    }

    #[test]
    fn a_chosen_buffer_stays() {
        let settings = settings(65_536, 65_536);
        let mut space = space(65_536, 65_536);
        space.grow(&settings, 1 << 20, 0);
        assert_eq!(space.buffer_bytes(), 131_072);
    }
}
