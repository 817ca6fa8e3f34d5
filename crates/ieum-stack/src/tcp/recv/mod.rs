//! The receiving half of a connection: what has arrived, in order and out of it, and what the peer was told.
//!
//! Positions, left to right: the buffer's front (next byte to be read) ≤ `nxt` (next expected), and `promised` (right
//! edge of the window told). The byte at `nxt` lies at offset `readable` of the buffer; data received out of
//! order lies behind it at its own place already, and the assembler knows which.
//!
//! The promised edge never moves left (RFC 9293 §3.8.6, SHLD-14): the window told is at least what is left of the
//! promise, whatever the buffer's bound has become. One thing alone passes it: a segment that begins in the window while
//! nothing waits to be read is taken whole, so that a peer whose segments are larger than our buffer can go on (Linux).
//!
//! Memory is bounded by [`space`], in bytes and in what small segments cost. What comes displaces what lies right of it
//! beyond a hole, from the right: the peer sends that again (RFC 2018 §8 lets us give it up).
//!
//! Files: [`assembler`] (which positions are there), [`space`] (how much may come), [`sack`] (what the peer is told
//! beside), [`ack`] (when to acknowledge).

pub(super) mod ack;
mod assembler;
mod sack;
pub(super) mod space;
mod urgent;

use std::io::IoSlice;

use ieum_wire::tcp::SackBlocks;
use ieum_wire::{Instant, SeqNumber, WindowScale};

use self::ack::{AckPolicy, Clock};
use self::assembler::Assembler;
use self::sack::SackReport;
use self::space::Space;
use self::urgent::Urgent;
pub use self::urgent::UrgentByte;
use super::byte_queue::ByteQueue;
use super::settings::TcpSettings;

/// What the data of a segment came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrived {
    /// The next bytes: there is more to read.
    InOrder,
    /// Bytes beyond a hole.
    OutOfOrder,
    /// Beyond a hole, and too many holes are known already, or memory is short.
    TooManyHoles,
    /// The next bytes, and no memory for them.
    NoMemory,
}

/// How the receiving half begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecvStart {
    /// Position of the peer's SYN.
    pub(super) irs: SeqNumber,
    /// What our own SYN promised, in bytes.
    pub(super) window: u32,
    /// Shift of the windows that we send.
    pub(super) scale: WindowScale,
    /// The peer reads SACK.
    pub(super) sack: bool,
    /// Payload of a segment as our SYN announced it.
    pub(super) mss: u32,
    /// A user holds the connection already.
    pub(super) held: bool,
}

/// Data of a segment, cut on its left to what is new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data<'a> {
    pub(super) seq: SeqNumber,
    pub(super) bytes: &'a [u8],
    /// How many frames of a wire it came in.
    pub(super) frames: usize,
    /// The segment had PSH.
    pub(super) push: bool,
    /// The peer's urgent, or last: such a segment may be small without meaning anything.
    pub(super) remnant: bool,
}

/// The receiving half.
pub(super) struct Recv {
    nxt: SeqNumber,
    promised: SeqNumber,
    /// What was expected when the window was last told.
    told_at: SeqNumber,
    /// Shift of the windows that we send.
    scale: WindowScale,
    queue: ByteQueue,
    readable: usize,
    assembler: Assembler,
    /// What is told of it; `None` when the peer does not read SACK.
    sack: Option<SackReport>,
    /// Where the peer's FIN stands, once it was seen.
    fin_at: Option<SeqNumber>,
    fin_received: bool,
    /// A mark in the stream that was not read past.
    urgent: Option<Urgent>,
    pub(super) space: Space,
    /// Size of the last segment that was smaller than a full one, in bytes.
    last_small: u32,
    /// A user holds the connection: what waits in a listener's queue does not let its buffer grow.
    pub(super) held: bool,
    /// Data in order found no memory: the next window told is closed, whatever was promised.
    squeezed: bool,
    /// So it was told last.
    told_closed: bool,
    pub(super) ack: AckPolicy,
}

impl Recv {
    pub(super) fn new(now: Instant, start: &RecvStart, settings: &TcpSettings) -> Recv {
        let nxt = start.irs + 1;
        Recv {
            nxt,
            promised: nxt + start.window,
            told_at: nxt,
            scale: start.scale,
            queue: ByteQueue::default(),
            readable: 0,
            assembler: Assembler::default(),
            sack: start.sack.then(SackReport::default),
            fin_at: None,
            fin_received: false,
            urgent: None,
            space: Space::new(now, settings, start.window, start.mss, nxt),
            last_small: 0,
            held: start.held,
            squeezed: false,
            told_closed: false,
            ack: AckPolicy::new(now),
        }
    }

    // What can be asked.

    /// The next position expected: what an acknowledgement says.
    pub(super) fn nxt(&self) -> SeqNumber {
        self.nxt
    }

    /// Bytes that can be read.
    pub(super) fn readable(&self) -> usize {
        self.readable
    }

    /// The peer's FIN and everything before it has been received.
    pub(super) fn has_finished(&self) -> bool {
        self.fin_received
    }

    /// What is left of the window last told, in bytes.
    pub(super) fn window_left(&self) -> u32 {
        self.promised.since(self.nxt)
    }

    /// The window as it was last told, in bytes.
    fn window_told(&self) -> u32 {
        self.promised.since(self.told_at)
    }

    // What the user does.

    /// All readable bytes, in order.
    pub(super) fn chunks(&self) -> Vec<IoSlice<'_>> {
        self.queue.io_slices(0, self.readable)
    }

    /// Copies readable bytes from `offset` on; they stay.
    pub(super) fn peek(&self, offset: usize, into: &mut [u8]) -> usize {
        let count = into.len().min(self.readable - offset);
        let mut rest = &mut into[..count];
        for slice in self.queue.slices(offset, count) {
            let (now, later) = rest.split_at_mut(slice.len());
            now.copy_from_slice(slice);
            rest = later;
        }
        count
    }

    /// The first `count` readable bytes were read or, with `queued`, handed on to a reader who had so many unread. When that
    /// makes much room for a peer that has little left, or all is read and nobody will answer soon, the peer is told (RFC
    /// 9293 §3.8.6.2.2: no silly windows).
    pub(super) fn consume(
        &mut self,
        now: Instant,
        settings: &TcpSettings,
        count: usize,
        queued: Option<usize>,
    ) {
        self.pass_over(count);
        self.forget_passed_mark();
        let beyond = self.assembler.end().map_or(0, |end| end.since(self.nxt));
        let read = queued.map_or(count, |queued| self.space.hand_on(count, queued));
        self.space.read(now, settings, read, self.readable, beyond);
        let overdue = self.nxt.since(self.told_at) > self.space.peer_mss();
        let all_read = self.ack.peer_has_paused() && self.waiting() == 0;
        if self.ack.is_owed() && (overdue || all_read) {
            self.ack.now();
        } else if self.fin_at.is_none() {
            let left = if self.told_closed { 0 } else { self.window_left() };
            let possible = if self.space.is_small(left) { self.possible_window() } else { 0 };
            if possible > 0 && possible >= 2 * left {
                self.ack.now();
            }
        }
    }

    /// The first `count` readable bytes go.
    fn pass_over(&mut self, count: usize) {
        assert!(count <= self.readable, "no more is consumed than was readable");
        let before = self.waiting();
        self.queue.advance(count);
        self.readable -= count;
        self.space.discharge(before, self.waiting());
    }

    /// The user chose anew.
    pub(super) fn configure(&mut self, before: &TcpSettings, settings: &TcpSettings) {
        let told = self.window_told();
        self.space.configure(before, settings, told);
        if before.recv_low_water_bytes != settings.recv_low_water_bytes
            && settings.recv_buffer_bytes_max > settings.recv_buffer_bytes
        {
            self.space.hold_at_least(settings.recv_low_water_bytes);
        }
        if before.quick_ack != settings.quick_ack {
            self.set_quick_ack(settings.quick_ack.unwrap_or(true));
        }
    }

    /// The user wants acknowledgements at once, or not, until the connection's course suggests otherwise.
    pub(super) fn set_quick_ack(&mut self, quick: bool) {
        self.ack.set_quick(quick, self.readable == 0);
    }

    // What segments bring.

    /// May something with data end at `end`, right of the window? Only while nothing waits to be read.
    pub(super) fn takes_beyond_window(&self, end: SeqNumber) -> bool {
        end.at_or_before(self.promised.max(self.nxt)) || self.readable == 0
    }

    /// New data, which begins at `nxt` or right of it.
    pub(super) fn data_arrived(
        &mut self,
        now: Instant,
        data: &Data<'_>,
        clock: Clock,
        settings: &TcpSettings,
    ) -> Arrived {
        let end =
            data.seq + u32::try_from(data.bytes.len()).expect("a segment is smaller than the sequence space");
        let in_order = data.seq == self.nxt;
        self.make_room(data.seq);
        if !self.space.has_room() {
            self.squeezed |= in_order;
            self.ack.now();
            return if in_order { Arrived::NoMemory } else { Arrived::TooManyHoles };
        }
        self.measure(data);
        if in_order {
            self.in_order(now, data, end, clock, settings)
        } else {
            self.beyond_hole(data, end, settings)
        }
    }

    /// RFC 5681 §4.2: a hole is told at once.
    fn beyond_hole(&mut self, data: &Data<'_>, end: SeqNumber, settings: &TcpSettings) -> Arrived {
        self.ack.now();
        if let Some((_, last)) = self.assembler.range_of(data.seq) {
            self.came_twice(data.seq, if last.before(end) { last } else { end });
        }
        self.came_within(data.seq, end);
        if !self.assembler.insert(data.seq, end) {
            // What lies left is of use sooner than what lies right.
            if !self.assembler.end().is_some_and(|last| last.after(end)) {
                return Arrived::TooManyHoles;
            }
            self.forget_last();
            if !self.assembler.insert(data.seq, end) {
                return Arrived::TooManyHoles;
            }
        }
        if let Some(sack) = &mut self.sack {
            sack.arrived(data.seq, &self.assembler);
        }
        self.queue.write_at(self.readable + usize_of(data.seq.since(self.nxt)), data.bytes);
        if self.sack.is_some() && self.space.open(data.bytes.len(), data.frames) {
            self.ack.window_opened();
        }
        self.space.charge(data.bytes.len(), data.frames);
        if self.held {
            let beyond = self.assembler.end().map_or(0, |end| end.since(self.nxt));
            self.space.grow(settings, self.space.read_in_round(), beyond);
        }
        Arrived::OutOfOrder
    }

    fn in_order(
        &mut self,
        now: Instant,
        data: &Data<'_>,
        end: SeqNumber,
        clock: Clock,
        settings: &TcpSettings,
    ) -> Arrived {
        self.queue.write_at(self.readable, data.bytes);
        let filled_hole = !self.assembler.is_empty();
        self.came_within(data.seq, end);
        let reached = if filled_hole { self.assembler.reach(end) } else { end };
        self.readable += usize_of(reached.since(self.nxt));
        self.nxt = reached;
        self.promised = self.promised.max(self.told_at);
        self.space.measure_round(now, self.nxt, self.window_told());
        let quick = self.quick_acks();
        self.ack.data_came(now, clock, quick);
        self.space.charge(data.bytes.len(), data.frames);
        if self.space.open(data.bytes.len(), data.frames) {
            self.ack.window_opened();
        }
        let worth_telling = self.is_worth_telling(settings);
        if filled_hole {
            // RFC 5681 §4.2: a filled hole is told at once, too.
            self.ack.now();
            if let Some(sack) = self.sack.as_mut().filter(|_| self.assembler.is_empty()) {
                sack.filled();
            }
        } else if worth_telling || self.ack.is_quick() {
            self.ack.now();
        } else {
            self.ack.wait(now, clock);
        }
        Arrived::InOrder
    }

    /// More than a full segment waits for its acknowledgement (RFC 5681 §4.2), and the window moves along; or the user
    /// waits for more than is there.
    fn is_worth_telling(&mut self, settings: &TcpSettings) -> bool {
        let much = self.nxt.since(self.told_at) > self.space.peer_mss();
        if much && self.space.is_scarce() {
            self.ack.not_quick();
        }
        much && (self.readable < usize_of(settings.recv_low_water_bytes)
            || self.possible_window() >= self.window_told())
    }

    /// How many acknowledgements quick mode gives: for half a window of segments.
    fn quick_acks(&self) -> u32 {
        self.window_told() / (2 * self.space.peer_mss()).max(1)
    }

    /// What a segment shows of the size of the peer's, and of where its application paused.
    fn measure(&mut self, data: &Data<'_>) {
        let size = u32::try_from(data.bytes.len() / data.frames.max(1)).unwrap_or(u32::MAX);
        let is_full = size >= self.space.peer_mss();
        self.space.measure(data.bytes.len(), data.frames, self.window_told());
        if !is_full && (size >= SMALL_SEGMENT_BYTES || (size >= LEAST_SEGMENT_BYTES && !data.remnant)) {
            if size == self.last_small {
                self.space.set_peer_mss(size);
                return;
            }
            self.last_small = size;
        }
        self.ack.segment_came(data.push, !is_full);
    }

    /// Memory is short: what waits is counted as if moved together, then what lies beyond holes is given up, from the
    /// right, should what comes at `seq` lie left of it: that is of use sooner.
    fn make_room(&mut self, seq: SeqNumber) {
        if self.space.has_room() {
            return;
        }
        let beyond = self.assembler.ranges().map(|(begin, end)| usize_of(end.since(begin)));
        self.space.pack(std::iter::once(self.readable).chain(beyond));
        while !self.space.has_room()
            && self.assembler.ranges().next_back().is_some_and(|last| last.0.after(seq))
        {
            self.forget_last();
        }
    }

    fn forget_last(&mut self) {
        let before = self.waiting();
        if self.assembler.forget_last().is_some() {
            let end = self.assembler.end().map_or(0, |end| usize_of(end.since(self.nxt)));
            self.queue.truncate(self.readable + end);
            self.space.discharge(before, self.waiting());
        }
    }

    /// Bytes that wait, in order and beyond holes.
    fn waiting(&self) -> usize {
        self.readable + usize_of(self.assembler.bytes())
    }

    /// Something came that had come before: our acknowledgement may have been lost.
    pub(super) fn acknowledge_again(&mut self) {
        let quick = self.quick_acks();
        self.ack.now_and_quickly(quick);
    }

    /// `begin..end` came a second time; the peer is told, so that it may see that it repeated too soon (RFC 2883).
    pub(super) fn came_twice(&mut self, begin: SeqNumber, end: SeqNumber) {
        if let Some(sack) = &mut self.sack {
            sack.came_twice(begin, end);
        }
    }

    /// What of `begin..end` had come beyond a hole.
    fn came_within(&mut self, begin: SeqNumber, end: SeqNumber) {
        if let Some(sack) = &mut self.sack {
            self.assembler.known(begin, end).for_each(|(begin, end)| sack.came_within(begin, end));
        }
    }

    /// Where data must end: at the peer's FIN once that was seen.
    pub(super) fn data_end_max(&self) -> Option<SeqNumber> {
        self.fin_at
    }

    /// The peer's FIN was seen at `position`. True once it and everything before it is there, the first time. One that
    /// stands left of data received already contradicts it and is ignored.
    pub(super) fn fin_seen(&mut self, position: SeqNumber) -> bool {
        let contradicts = self.assembler.end().is_some_and(|end| end.after(position));
        if !contradicts && position.at_or_after(self.nxt) {
            self.fin_at.get_or_insert(position);
        }
        self.take_fin()
    }

    /// ESTABLISHED → CLOSE-WAIT and its like, when data has filled the way to a FIN seen earlier.
    pub(super) fn take_fin(&mut self) -> bool {
        if self.fin_received || self.fin_at != Some(self.nxt) {
            return false;
        }
        self.nxt += 1;
        self.fin_received = true;
        // Nothing can be missing any more; like Linux we do not tell what came twice with the end.
        self.sack = self.sack.is_some().then(SackReport::default);
        true
    }

    /// ESTABLISHED → CLOSE-WAIT: as Linux does it the acknowledgement of the FIN waits like others, for our own may follow
    /// soon and carry it (RFC 9293 §3.8.6.3). It goes at once where no data ever came, for there is no pace to go by, and where
    /// memory is short.
    pub(super) fn finished_first(&mut self, now: Instant, clock: Clock, settings: &TcpSettings) {
        if self.is_worth_telling(settings) || !self.ack.knows_pace() || !self.space.has_room() {
            self.ack.now();
        } else {
            self.ack.wait(now, clock);
        }
    }

    // What is to be said.

    /// The SACK blocks of the segment about to be sent, so many at most.
    pub(super) fn sack_blocks(&self, blocks_max: usize) -> SackBlocks {
        self.sack.as_ref().map_or_else(SackBlocks::default, |sack| sack.blocks(&self.assembler, blocks_max))
    }

    /// They were sent; where data began of which they told that it came twice.
    pub(super) fn sack_told(&mut self) -> Option<SeqNumber> {
        self.sack.as_mut()?.told()
    }

    /// The window field of the segment about to be sent; the promise moves with it.
    pub(super) fn tell_window(&mut self) -> u16 {
        let shift = self.scale.shift();
        self.told_closed = std::mem::take(&mut self.squeezed);
        if self.told_closed {
            (self.told_at, self.promised) = (self.nxt, self.promised.max(self.nxt));
            return 0;
        }
        if self.space.is_scarce() {
            self.ack.not_quick();
        }
        // The promise is rounded up: bits that the scale cuts off must not move the edge left.
        let kept = self.window_left().next_multiple_of(1 << shift);
        let told = self.possible_window().max(kept).min(u32::from(u16::MAX) << shift);
        self.told_at = self.nxt;
        self.promised = self.promised.max(self.nxt).max(self.nxt + told);
        u16::try_from(told >> shift).unwrap_or(u16::MAX)
    }

    /// The window that could be told now.
    fn possible_window(&self) -> u32 {
        self.space.window(self.window_told(), self.scale)
    }

    /// The invariants of the file's first lines.
    pub(super) fn check(&self) {
        assert!(self.told_at.at_or_before(self.nxt), "what was told was expected then");
        self.assembler.check(self.nxt);
        self.space.check();
    }
}

/// Segments of at least so many bytes count as full ones of a peer when they come twice running, or, of fewer, when nothing
/// else explains them (Linux: TCP_MSS_DEFAULT, TCP_MIN_MSS).
const SMALL_SEGMENT_BYTES: u32 = 536;
const LEAST_SEGMENT_BYTES: u32 = 88;

fn usize_of(count: u32) -> usize {
    usize::try_from(count).expect("a usize has at least 32 bits")
}
