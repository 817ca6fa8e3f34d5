//! The receiving half of a connection: what has arrived, in order and out of it, and what the peer was told.
//!
//! Positions, left to right: the buffer's front (next byte to be read) ≤ `nxt` (next expected) ≤ `promised` (right
//! edge of the window last told). The byte at `nxt` lies at offset `readable` of the buffer; data received out of
//! order lies behind it at its own place already, and the assembler knows which.
//!
//! The promised edge never moves left (RFC 9293 §3.8.6, SHLD-14): the window told is at least what is left of the
//! promise, whatever the buffer's bound has become.
//!
//! Files: [`assembler`] (which positions are there), [`sack`] (what of that the peer is told), [`ack`] (when to
//! acknowledge).

pub(super) mod ack;
mod assembler;
mod sack;

use std::io::IoSlice;

use ieum_wire::tcp::SackBlocks;
use ieum_wire::{Instant, SeqNumber, WindowScale};

use self::ack::AckPolicy;
use self::assembler::Assembler;
use self::sack::SackReport;
use super::byte_queue::ByteQueue;
use super::settings::TcpSettings;

/// What the data of a segment came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrived {
    /// The next bytes: there is more to read.
    InOrder,
    /// Bytes beyond a hole.
    OutOfOrder,
    /// Beyond a hole, and too many holes are known already.
    TooManyHoles,
}

/// The receiving half.
pub(super) struct Recv {
    nxt: SeqNumber,
    promised: SeqNumber,
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
    pub(super) ack: AckPolicy,
}

impl Recv {
    /// `irs` is the position of the peer's SYN; `window` what our own SYN promised, in bytes.
    pub(super) fn new(irs: SeqNumber, window: u32, scale: WindowScale, sack: bool) -> Recv {
        Recv {
            nxt: irs + 1,
            promised: irs + 1 + window,
            scale,
            queue: ByteQueue::default(),
            readable: 0,
            assembler: Assembler::default(),
            sack: sack.then(SackReport::default),
            fin_at: None,
            fin_received: false,
            ack: AckPolicy::new(),
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

    // What the user does.

    /// All readable bytes, in order.
    pub(super) fn chunks(&self) -> Vec<IoSlice<'_>> {
        self.queue.io_slices(0, self.readable)
    }

    /// Copies readable bytes from the front; they stay.
    pub(super) fn peek(&self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.readable);
        let mut rest = &mut into[..count];
        for slice in self.queue.slices(0, count) {
            let (now, later) = rest.split_at_mut(slice.len());
            now.copy_from_slice(slice);
            rest = later;
        }
        count
    }

    /// The first `count` readable bytes were read. When that makes much room for a peer that has little left, it is
    /// told (RFC 9293 §3.8.6.2.2: no silly windows).
    pub(super) fn consume(&mut self, settings: &TcpSettings, mss: u32, count: usize) {
        assert!(count <= self.readable, "no more is consumed than was readable");
        self.queue.advance(count);
        self.readable -= count;
        if self.fin_at.is_some() {
            return;
        }
        let limit = settings.recv_buffer_bytes;
        let left = self.window_left();
        let possible = self.possible_window(settings);
        let worth_telling = (limit / 2).min(2 * mss).max(1);
        // Who still has half of the buffer promised does not wait for more.
        if left < limit / 2 && possible >= left.saturating_add(worth_telling) {
            self.ack.now();
        }
    }

    // What segments bring.

    /// Data from `seq` on, cut to the window by the caller, so that it begins at `nxt` or right of it.
    pub(super) fn data_arrived(
        &mut self,
        now: Instant,
        seq: SeqNumber,
        data: &[u8],
        frames: usize,
    ) -> Arrived {
        let ahead = usize_of(seq.since(self.nxt));
        let end = seq + u32::try_from(data.len()).expect("a segment is smaller than the sequence space");
        if ahead > 0 {
            // RFC 5681 §4.2: a hole is told at once.
            self.ack.now();
            if self.assembler.range_of(seq).is_some_and(|range| range.1.at_or_after(end)) {
                self.came_twice(seq, end);
            }
            if !self.assembler.insert(seq, end) {
                return Arrived::TooManyHoles;
            }
            if let Some(sack) = &mut self.sack {
                sack.arrived(seq, &self.assembler);
            }
            self.queue.write_at(self.readable + ahead, data);
            return Arrived::OutOfOrder;
        }
        self.queue.write_at(self.readable, data);
        let filled_hole = !self.assembler.is_empty();
        let reached = if filled_hole { self.assembler.reach(end) } else { end };
        self.readable += usize_of(reached.since(self.nxt));
        self.nxt = reached;
        if filled_hole {
            // RFC 5681 §4.2: a filled hole, too.
            self.ack.now();
            if let Some(sack) = self.sack.as_mut().filter(|_| self.assembler.is_empty()) {
                sack.filled();
            }
        } else {
            self.ack.data_in_order(now, frames);
        }
        Arrived::InOrder
    }

    /// `begin..end` came a second time; the peer is told, so that it may see that it repeated too soon (RFC 2883).
    pub(super) fn came_twice(&mut self, begin: SeqNumber, end: SeqNumber) {
        if let Some(sack) = &mut self.sack {
            sack.came_twice(begin, end);
        }
    }

    /// Where data must end: at the peer's FIN once that was seen, else at the right edge of the window.
    pub(super) fn data_end_max(&self) -> SeqNumber {
        self.fin_at.unwrap_or(self.promised)
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
        self.ack.now();
        true
    }

    // What is to be said.

    /// The SACK blocks of the segment about to be sent, so many at most.
    pub(super) fn sack_blocks(&self, blocks_max: usize) -> SackBlocks {
        self.sack.as_ref().map_or_else(SackBlocks::default, |sack| sack.blocks(&self.assembler, blocks_max))
    }

    /// They were sent.
    pub(super) fn sack_told(&mut self) {
        if let Some(sack) = &mut self.sack {
            sack.told();
        }
    }

    /// The window field of the segment about to be sent; the promise moves with it.
    pub(super) fn tell_window(&mut self, settings: &TcpSettings, mss: u32) -> u16 {
        let left = self.window_left();
        let possible = self.possible_window(settings);
        // RFC 9293 §3.8.6.2.2: the edge moves by a segment or half the buffer, or not at all.
        let worthwhile = possible >= left.saturating_add(mss.min(settings.recv_buffer_bytes / 2));
        let shift = self.scale.shift();
        // The promise is rounded up: bits that the scale cuts off must not move the edge left.
        let kept = left.div_ceil(1 << shift);
        let field = if worthwhile { kept.max(possible >> shift) } else { kept };
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        let told = u32::from(field) << shift;
        self.promised = self.promised.max(self.nxt + told);
        field
    }

    /// What the buffer has room for beyond `nxt`.
    fn possible_window(&self, settings: &TcpSettings) -> u32 {
        let used = u32::try_from(self.readable).unwrap_or(u32::MAX);
        settings.recv_buffer_bytes.saturating_sub(used)
    }

    /// The invariants of the file's first lines.
    pub(super) fn check(&self) {
        assert!(self.nxt.at_or_before(self.promised + 1), "only the FIN may lie behind the promised window");
        self.assembler.check(self.nxt);
    }
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).expect("a usize has at least 32 bits")
}
