//! The sending half of a connection: what is queued, sent and acknowledged.
//!
//! Positions, left to right: `una` (first not acknowledged) ≤ `nxt` (next to be sent) ≤ `top` (end of what was ever
//! sent) ≤ the end of the queue (plus one for the FIN). `nxt` goes back to `una` after a time-out.
//!
//! The buffer's front is `una`: byte `una + i` lies at offset `i`. The FIN occupies the position behind the last byte.
//!
//! Files: [`rto`] (when to believe a loss), [`congestion`] (how much may be in flight), [`permission`] (how much may
//! be said now).

pub(super) mod congestion;
mod permission;
pub(super) mod rto;

use std::io::IoSliceMut;
use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

use self::congestion::{Reno, Verdict};
use self::permission::{Facts, Permission, permission};
use self::rto::Rto;
use super::byte_queue::ByteQueue;
use super::settings::TcpSettings;
use super::state::OurEnd;

/// What one packet is to carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// Position of its first byte.
    pub(super) seq: SeqNumber,
    /// Where its bytes lie in the buffer.
    pub(super) offset: usize,
    /// Payload bytes; 0 for a FIN or a probe alone.
    pub(super) count: usize,
    /// It ends with the FIN.
    pub(super) fin: bool,
    /// It ends what there is to send: PSH.
    pub(super) push: bool,
}

/// How large segments and packets may be on the way to the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Payload of a segment, options already taken off.
    pub(super) mss: u32,
    /// Payload of a packet: the MSS, or a super-segment where the link takes those.
    pub(super) piece_max: u32,
}

/// What an acknowledgement brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Acknowledged {
    /// There is more room in the buffer.
    pub(super) room: bool,
    /// Our FIN was acknowledged just now.
    pub(super) fin: bool,
}

/// The sending half.
pub(super) struct Send {
    una: SeqNumber,
    nxt: SeqNumber,
    top: SeqNumber,
    /// The peer's window in bytes, from `una` on, and the largest it ever was.
    window: u32,
    window_max: u32,
    /// Position and acknowledgement of the segment that last changed the window (SND.WL1, SND.WL2).
    window_seq: SeqNumber,
    window_ack: SeqNumber,
    /// Shift of the windows that the peer sends.
    scale: u8,
    queue: ByteQueue,
    queued: usize,
    end: OurEnd,
    rto: Rto,
    congestion: Reno,
    /// Time-outs since something was last acknowledged.
    retries: u32,
    /// When the retransmission (or, with a closed window, the persist) timer fires.
    timer: Option<Instant>,
    /// The position whose acknowledgement measures the RTT, and when it was sent (RFC 6298 §3, Karn).
    timing: Option<(SeqNumber, Instant)>,
    /// Since when the oldest unacknowledged byte has been waiting, for the user time-out.
    waiting_since: Option<Instant>,
    /// End of the last segment smaller than the MSS, for Nagle's algorithm.
    small_until: SeqNumber,
    /// When data was last sent for the first time.
    sent_at: Option<Instant>,
    /// The last transmission stopped at the congestion window.
    congestion_limited: bool,
    /// Owed: the first unacknowledged segment again.
    retransmit_owed: bool,
    /// Owed: a question whether the window is still closed.
    probe_owed: bool,
    /// The user found the buffer full and waits for room.
    pub(super) room_wanted: bool,
}

/// What the handshake tells the sending half.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendStart {
    pub(super) iss: SeqNumber,
    /// The peer's window and the segment that told it.
    pub(super) window: u32,
    pub(super) window_seq: SeqNumber,
    pub(super) scale: u8,
    pub(super) mss: u32,
    pub(super) rtt: Option<Duration>,
    pub(super) handshake_repeated: bool,
}

impl Send {
    pub(super) fn new(start: &SendStart) -> Send {
        let first = start.iss + 1;
        let mut rto = Rto::new();
        let mut congestion = Reno::new(start.mss);
        if let Some(rtt) = start.rtt {
            rto.measured(rtt);
        }
        if start.handshake_repeated {
            rto.handshake_was_repeated();
            congestion.handshake_was_repeated(start.mss);
        }
        Send {
            una: first,
            nxt: first,
            top: first,
            window: start.window,
            window_max: start.window,
            window_seq: start.window_seq,
            window_ack: first,
            scale: start.scale,
            queue: ByteQueue::default(),
            queued: 0,
            end: OurEnd::Open,
            rto,
            congestion,
            retries: 0,
            timer: None,
            timing: None,
            waiting_since: None,
            small_until: start.iss,
            sent_at: None,
            congestion_limited: false,
            retransmit_owed: false,
            probe_owed: false,
            room_wanted: false,
        }
    }

    // What the user does.

    /// How many bytes there is room for.
    pub(super) fn room(&self, settings: &TcpSettings) -> usize {
        let limit = usize::try_from(settings.send_buffer_bytes).unwrap_or(usize::MAX);
        if self.end == OurEnd::Open { limit.saturating_sub(self.queued) } else { 0 }
    }

    /// Queues as much as there is room for; returns how much.
    pub(super) fn queue(&mut self, settings: &TcpSettings, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room(settings));
        self.queue.write_at(self.queued, &bytes[..count]);
        self.queued += count;
        count
    }

    /// Memory behind the last queued byte, to be filled by the caller.
    pub(super) fn space(&mut self, settings: &TcpSettings, bytes_max: usize) -> Vec<IoSliceMut<'_>> {
        let count = bytes_max.min(self.room(settings));
        self.queue.space_at(self.queued, count)
    }

    /// `count` bytes of that memory were filled.
    pub(super) fn commit(&mut self, settings: &TcpSettings, count: usize) {
        assert!(count <= self.room(settings), "no more is committed than there was room for");
        self.queue.filled(self.queued, count);
        self.queued += count;
    }

    /// ESTABLISHED → FIN-WAIT-1, CLOSE-WAIT → LAST-ACK: nothing will follow what is queued.
    pub(super) fn finish(&mut self) {
        if self.end == OurEnd::Open {
            self.end = OurEnd::Finished;
        }
    }

    // What can be asked.

    pub(super) fn una(&self) -> SeqNumber {
        self.una
    }

    pub(super) fn top(&self) -> SeqNumber {
        self.top
    }

    /// Was this position sent and is it not acknowledged?
    pub(super) fn is_under_way(&self, seq: SeqNumber) -> bool {
        seq.at_or_after(self.una) && seq.before(self.top)
    }

    pub(super) fn our_end(&self) -> OurEnd {
        self.end
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn window_max(&self) -> u32 {
        self.window_max
    }

    pub(super) fn timer(&self) -> Option<Instant> {
        self.timer
    }

    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    /// How often the time-out was doubled, answered probes of a closed window included.
    pub(super) fn doublings(&self) -> u32 {
        self.rto.doublings()
    }

    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.waiting_since
    }

    pub(super) fn smoothed_rtt(&self) -> Option<Duration> {
        self.rto.smoothed()
    }

    pub(super) fn rto(&self) -> Duration {
        self.rto.current()
    }

    pub(super) fn congestion(&self) -> &Reno {
        &self.congestion
    }

    /// Is everything ever sent acknowledged, and nothing waiting?
    pub(super) fn is_idle(&self) -> bool {
        self.una == self.top && self.queued == 0
    }

    /// The bytes of a piece.
    pub(super) fn slices(&self, piece: &Piece) -> impl Iterator<Item = &[u8]> {
        self.queue.slices(piece.offset, piece.count)
    }

    /// The position behind the last queued byte: that of the FIN, once there is one.
    fn data_end(&self) -> SeqNumber {
        self.una + u32_of(self.queued)
    }

    /// Position behind everything there is to say, FIN included.
    fn end_position(&self) -> SeqNumber {
        self.data_end() + u32::from(self.end == OurEnd::Finished)
    }

    fn in_flight(&self) -> u32 {
        self.nxt.since(self.una)
    }

    // What segments bring.

    /// RFC 9293 §3.10.7.4: the window of a segment that is not older than the one that told it last. True when it
    /// allows more than before.
    pub(super) fn window_told(&mut self, seq: SeqNumber, ack: SeqNumber, field: u16) -> bool {
        let newer =
            self.window_seq.before(seq) || (self.window_seq == seq && self.window_ack.at_or_before(ack));
        if !newer {
            return false;
        }
        let edge_before = self.window_ack + self.window;
        self.window = u32::from(field) << self.scale;
        self.window_max = self.window_max.max(self.window);
        self.window_seq = seq;
        self.window_ack = ack;
        (ack + self.window).after(edge_before)
    }

    /// Is this acknowledgement one that says "something after `una` arrived, but not `una`"? (RFC 5681 §2; that the
    /// segment carries no data and does not change the window the caller has seen.)
    pub(super) fn is_duplicate(&self, ack: SeqNumber) -> bool {
        ack == self.una && self.top.after(self.una)
    }

    /// A duplicate acknowledgement was counted.
    pub(super) fn duplicate(&mut self, mss: u32) {
        let verdict = self.congestion.duplicate(self.una, self.top, self.in_flight(), mss);
        self.retransmit_owed |= verdict == Verdict::Retransmit;
    }

    /// Everything left of `ack` has arrived. `echoed` is the RTT by timestamps, where the segment had them.
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        ack: SeqNumber,
        echoed: Option<Duration>,
        mss: u32,
    ) -> Acknowledged {
        let count = ack.since(self.una);
        let data = count.min(u32_of(self.queued));
        let fin = self.end == OurEnd::Finished && count > data;
        self.queue.advance(data.try_into().unwrap_or(usize::MAX));
        self.queued -= usize::try_from(data).unwrap_or(usize::MAX);
        if fin {
            self.end = OurEnd::Acknowledged;
        }
        self.una = ack;
        self.nxt = self.nxt.max(ack);

        let timed = self.timing.filter(|(position, _)| ack.at_or_after(*position));
        if timed.is_some() {
            self.timing = None;
        }
        match echoed.or_else(|| timed.map(|(_, sent)| now.since(sent))) {
            Some(rtt) => self.rto.measured(rtt),
            None => self.rto.progressed(),
        }
        self.retries = 0;
        let in_flight = self.in_flight();
        let verdict = self.congestion.acknowledged(self.una, count, in_flight, mss, self.congestion_limited);
        self.retransmit_owed = verdict == Verdict::Retransmit && self.top.after(self.una);
        // RFC 6298 §5.2 and §5.3.
        let outstanding = self.top.after(self.una);
        self.timer = outstanding.then(|| now + self.rto.current());
        self.waiting_since = outstanding.then_some(now);
        Acknowledged { room: data > 0, fin }
    }

    // What time brings.

    /// The timer fired: the window is to be probed, or everything from `una` on sent again (RFC 6298 §5.4–5.6).
    pub(super) fn timed_out(&mut self, now: Instant, mss: u32) {
        self.rto.expired();
        self.retries += 1;
        if self.top == self.una {
            self.probe_owed = true;
            self.timer = Some(now + self.rto.current());
            return;
        }
        self.congestion.timed_out(self.top, self.in_flight(), mss, self.retries == 1);
        self.nxt = self.una;
        self.timing = None;
        self.timer = Some(now + self.rto.current());
        // One segment goes even into a window that has closed meanwhile: it is the probe as well.
        self.retransmit_owed = true;
    }

    // What is to be said.

    /// The next piece to be sent, taken as sent: positions and timers move. `None`: nothing may be said now.
    pub(super) fn next_piece(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        settings: &TcpSettings,
    ) -> Option<Piece> {
        if self.retransmit_owed {
            self.retransmit_owed = false;
            return self.again(now, sizes);
        }
        if self.probe_owed {
            self.probe_owed = false;
            return Some(self.probe(now, sizes));
        }
        if self.end == OurEnd::Acknowledged {
            return None;
        }
        self.restart_after_idle(now, sizes.mss);
        let data_end = self.data_end();
        let unsent = data_end.since(self.nxt);
        let permission = permission(&self.facts(unsent, sizes, settings));
        self.congestion_limited = permission == Permission::CongestionLimited;
        match permission {
            Permission::Send(count) => Some(self.say(now, count, sizes)),
            // A corked rest is held for as long as the timer lasts, about 200 ms, as on Linux (tcp(7)).
            Permission::WindowLimited | Permission::Held => {
                self.persist(now);
                None
            }
            Permission::CongestionLimited => None,
            Permission::Nothing => {
                let fin_unsent = self.end == OurEnd::Finished && self.nxt == data_end;
                fin_unsent.then(|| self.say(now, 0, sizes))
            }
        }
    }

    fn facts(&self, unsent: u32, sizes: &Sizes, settings: &TcpSettings) -> Facts {
        Facts {
            unsent: usize_of(unsent),
            in_flight: usize_of(self.in_flight()),
            window: usize_of(self.window),
            window_max: usize_of(self.window_max),
            cwnd: usize_of(self.congestion.window()),
            mss: usize_of(sizes.mss),
            piece_max: usize_of(sizes.piece_max),
            small_in_flight: self.small_until.after(self.una) && self.small_until.at_or_before(self.nxt),
            no_delay: settings.no_delay,
            cork: settings.cork,
            finished: self.end != OurEnd::Open,
        }
    }

    /// `count` bytes from `nxt` on, and the FIN when it follows them.
    fn say(&mut self, now: Instant, count: usize, sizes: &Sizes) -> Piece {
        let piece = self.piece_at(self.nxt, count);
        let length = u32_of(count) + u32::from(piece.fin);
        if !u32_of(count).is_multiple_of(sizes.mss) {
            self.small_until = self.nxt + u32_of(count);
        }
        let is_new = self.nxt.at_or_after(self.top);
        self.nxt += length;
        self.top = self.top.max(self.nxt);
        if is_new {
            self.sent_at = Some(now);
        }
        if is_new && self.timing.is_none() {
            self.timing = Some((self.nxt, now));
        }
        self.arm(now);
        piece
    }

    /// RFC 5681 §4.1: after an idle time-out nothing is known of the path any more, and a whole window at once would be a
    /// burst.
    fn restart_after_idle(&mut self, now: Instant, mss: u32) {
        let idle = self.top == self.una && self.queued > 0;
        if idle && self.sent_at.take_if(|at| now.since(*at) > self.rto.current()).is_some() {
            self.congestion.restart(mss);
        }
    }

    /// The first unacknowledged segment once more.
    fn again(&mut self, now: Instant, sizes: &Sizes) -> Option<Piece> {
        let sent = self.top.since(self.una);
        if sent == 0 {
            return None;
        }
        let count = usize_of(sent.min(sizes.mss)).min(self.queued);
        let piece = self.piece_at(self.una, count);
        let end = self.una + u32_of(count) + u32::from(piece.fin);
        self.nxt = self.nxt.max(end);
        self.top = self.top.max(end);
        // Karn: what was sent twice measures nothing.
        self.timing = None;
        self.arm(now);
        Some(piece)
    }

    /// An empty segment left of the window, which the peer must answer with its window (RFC 9293 §3.8.6.1). Unlike a
    /// byte of data it cannot be taken, so no position moves. A window that is open but was too small to be worth a
    /// segment is used now, whatever it holds (RFC 9293 §3.8.6.2.1 rule 4).
    fn probe(&mut self, now: Instant, sizes: &Sizes) -> Piece {
        let fits = u32_of(self.queued).min(self.window).min(sizes.mss);
        if fits > 0 {
            return self.say(now, usize_of(fits), sizes);
        }
        self.arm(now);
        Piece { seq: self.una - 1, offset: 0, count: 0, fin: false, push: false }
    }

    fn piece_at(&self, seq: SeqNumber, count: usize) -> Piece {
        let end = seq + u32_of(count);
        let last = end == self.data_end();
        let fin = last && self.end == OurEnd::Finished;
        Piece { seq, offset: usize_of(seq.since(self.una)), count, fin, push: last && count > 0 }
    }

    /// RFC 6298 §5.1: whoever waits for an acknowledgement has a timer.
    fn arm(&mut self, now: Instant) {
        if self.timer.is_none() {
            self.timer = Some(now + self.rto.current());
        }
        if self.waiting_since.is_none() {
            self.waiting_since = Some(now);
        }
    }

    /// Something waits and nothing is in flight: nobody but this timer would ever ask again.
    fn persist(&mut self, now: Instant) {
        if self.top == self.una && self.timer.is_none() {
            self.timer = Some(now + self.rto.current());
        }
    }

    /// The peer has acknowledged, if nothing new. While its window is closed that alone is no failure, however long
    /// (RFC 9293 §3.8.6.1, MUST-37). With nothing in flight and the window open the persist timer has nothing to wait
    /// for.
    pub(super) fn peer_answered(&mut self) {
        if self.window == 0 {
            self.retries = 0;
        } else if self.top == self.una {
            self.retries = 0;
            self.waiting_since = None;
            self.timer = None;
            self.rto.progressed();
        }
    }

    /// The invariants of the file's first lines.
    pub(super) fn check(&self) {
        assert!(self.una.at_or_before(self.nxt), "nothing acknowledged is to be sent next");
        assert!(self.nxt.at_or_before(self.top), "the next position was reached by sending");
        assert!(self.top.at_or_before(self.end_position()), "only what was queued was sent");
        assert!(
            self.una == self.top || self.timer.is_some(),
            "what is unacknowledged has a retransmission timer"
        );
    }
}

fn u32_of(count: usize) -> u32 {
    u32::try_from(count).expect("a buffer holds less than 2³² bytes")
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).expect("a usize has at least 32 bits")
}
