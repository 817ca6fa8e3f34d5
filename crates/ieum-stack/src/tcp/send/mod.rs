//! The sending half of a connection: what is queued, sent and acknowledged.
//!
//! Positions, left to right: `una` (first not acknowledged) ≤ `nxt` (next to be sent for the first time) ≤ the end of the
//! queue (plus one for the FIN). What lies between the first two is the flight; what of it is missing is sent again.
//!
//! The buffer's front is `una`: byte `una + i` lies at offset `i`. The FIN occupies the position behind the last byte.
//!
//! Files, in the order in which data meets them: [`say`] (what is said next), [`pace`] (when), [`permission`] (how much
//! may be said now), [`range`] and [`flight`] (the scoreboard), [`rate`] (how fast it is delivered), [`ack`] (what an
//! acknowledgement says), [`rto`] and [`rack`] (when to believe a loss), [`recovery`] (what is believed),
//! [`congestion`] and [`prr`] (how much may be in flight), [`alarm`] (what time brings).

mod ack;
mod alarm;
mod buffer;
mod chronograph;
pub(super) mod congestion;
mod flight;
mod pace;
mod path;
mod permission;
mod prr;
mod rack;
mod range;
mod rate;
mod recovery;
mod room;
pub(super) mod rto;
mod say;
mod steer;
mod sums;
mod writes;

use std::io::IoSliceMut;
use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

pub(super) use self::ack::Ack;
use self::alarm::Alarm;
use self::chronograph::Chronograph;
pub use self::chronograph::HeldTimes;
use self::congestion::{CongestionControl, Start, Window, algorithm};
use self::flight::Flight;
use self::pace::Pacer;
use self::rack::Rack;
pub use self::range::Counts;
pub use self::recovery::Belief;
use self::recovery::Recovery;
pub(super) use self::room::window_share;
use self::room::{Room, Taken, packet_bytes};
use self::rto::Rto;
use self::sums::Sums;
pub use self::writes::WriteEnd;
use self::writes::Writes;
use super::bounds::BUFFER_BYTES_MAX;
use super::byte_queue::ByteQueue;
use super::settings::{CongestionName, TcpSettings, Tuning};
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
    /// It was sent before.
    pub(super) again: bool,
    /// It tells the peer that its mark was heeded: CWR (RFC 3168 §6.1.2).
    pub(super) reduced: bool,
}

impl Piece {
    /// Nothing but an acknowledgement, at `seq`.
    pub(super) fn bare(seq: SeqNumber) -> Piece {
        Piece { seq, offset: 0, count: 0, fin: false, push: false, again: false, reduced: false }
    }
}

/// How large segments and packets may be on the way to the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Payload of a segment, options already taken off.
    pub(super) mss: u32,
    /// Payload of a packet: the MSS, or a super-segment where the link takes those.
    pub(super) piece_max: u32,
}

/// The sending half.
pub(super) struct Send {
    una: SeqNumber,
    nxt: SeqNumber,
    /// The peer's window in bytes, from `una` on, and the largest it ever was.
    window: u32,
    window_max: u32,
    /// Position and acknowledgement of the segment that last changed the window (SND.WL1, SND.WL2).
    window_seq: SeqNumber,
    window_ack: SeqNumber,
    /// Shift of the windows that the peer sends.
    scale: u8,
    /// Payload of a full segment, when one was last sent.
    mss: u32,
    /// See [`SendStart::mss_agreed`].
    mss_agreed: u32,
    queue: ByteQueue,
    queued: usize,
    writes: Writes,
    end: OurEnd,
    /// What is in flight, and what is believed of it.
    flight: Flight,
    /// The peer tells what has arrived beyond a hole (RFC 2018).
    sack: bool,
    rto: Rto,
    rack: Rack,
    recovery: Recovery,
    congestion: Window,
    algorithm: Box<dyn CongestionControl>,
    pub(super) pacer: Pacer,
    /// Segments that may go at once, when something was last sent.
    quantum: u32,
    /// Time-outs since something was last acknowledged.
    retries: u32,
    alarm: Option<(Instant, Alarm)>,
    /// When the peer was first asked again after it last acknowledged something new, for the user time-out (Linux: from
    /// the first retransmission on).
    waiting_since: Option<Instant>,
    /// The position behind the last urgent byte.
    urgent_until: Option<SeqNumber>,
    /// End of the last segment smaller than the MSS, for Nagle's algorithm.
    small_until: SeqNumber,
    /// When data was last sent for the first time.
    sent_at: Option<Instant>,
    /// Owed: a question whether the window is still closed.
    probe_owed: bool,
    /// The first in flight went out again when the window was closed, and asked about it: a closed window takes nothing.
    asks_in_vain: bool,
    tuning: Tuning,
    /// When a packet with data last went out, the first time or again.
    wrote_at: Option<Instant>,
    sums: Sums,
    chronograph: Chronograph,
    /// Owed: a probe whether the last of what was sent has arrived.
    tail_probe_owed: bool,
    /// The user found the buffer full and waits for room.
    pub(super) room_wanted: bool,
    /// It was found full since room was last told of: whoever asks before writing (poll) has seen that, and waits for news.
    pub(super) was_full: bool,
    /// How large the buffer would be by itself, in bytes.
    buffer_grown: u32,
}

/// What the handshake tells the sending half.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendStart {
    pub(super) iss: SeqNumber,
    /// The peer's window and the segment that told it.
    pub(super) window: u32,
    pub(super) window_seq: SeqNumber,
    pub(super) scale: u8,
    pub(super) rtt: Option<Duration>,
    /// Our SYN was sent again: the round trip is not known.
    pub(super) handshake_repeated: bool,
    /// More than once: the path loses, or is much longer than was thought.
    pub(super) handshake_lossy: bool,
    /// Both sides have offered SACK.
    pub(super) sack: bool,
    /// Both sides speak ECN.
    pub(super) ecn: bool,
    pub(super) congestion: CongestionName,
    /// Payload of a full segment.
    pub(super) mss: u32,
    /// The same as the peer and the user allow it, options included, whatever the path and the window take.
    pub(super) mss_agreed: u32,
    pub(super) tuning: Tuning,
}

impl Send {
    pub(super) fn new(now: Instant, start: &SendStart) -> Send {
        let first = start.iss + 1;
        let mut rto = Rto::new();
        let mut rack = Rack::new(&start.tuning);
        if let Some(rtt) = start.rtt {
            rto.measured(rtt);
            rack.min_rtt.measured(now, rtt);
        }
        if start.handshake_repeated {
            rto.handshake_was_repeated();
        }
        let congestion = Window::new(first, start.handshake_lossy);
        let mut send = Send {
            una: first,
            nxt: first,
            window: start.window,
            window_max: start.window,
            window_seq: start.window_seq,
            window_ack: first,
            scale: start.scale,
            mss: start.mss,
            mss_agreed: start.mss_agreed,
            queue: ByteQueue::default(),
            queued: 0,
            writes: Writes::new(first),
            end: OurEnd::Open,
            flight: Flight::default(),
            sack: start.sack,
            rto,
            rack,
            recovery: Recovery::new(first, start.ecn),
            congestion,
            algorithm: algorithm(
                start.congestion,
                &Start { now, rtt: start.rtt, seed: first, window: &congestion },
            ),
            pacer: Pacer::new(),
            quantum: 1,
            retries: 0,
            alarm: None,
            waiting_since: None,
            urgent_until: None,
            small_until: start.iss,
            sent_at: None,
            probe_owed: false,
            asks_in_vain: false,
            // The SYN has arrived.
            tuning: start.tuning,
            wrote_at: None,
            sums: Sums { delivered: 1, ..Sums::default() },
            chronograph: Chronograph::default(),
            tail_probe_owed: false,
            room_wanted: false,
            was_full: false,
            buffer_grown: 0,
        };
        send.grow_buffer();
        send
    }

    /// Our SYN was the first, and its acknowledgement is one like others.
    pub(super) fn syn_acknowledged(&mut self) {
        self.sums.acked = 1;
    }

    /// Data that went with our SYN and was not acknowledged (RFC 7413 §4.2.1): it is missing, and sent again at once.
    pub(super) fn takes_over(&mut self, now: Instant, data: &[u8], mss: u32) {
        self.queue.write_at(self.queued, data);
        self.queued += data.len();
        let end = self.nxt + u32_of(data.len());
        // Whatever the user had more, what went with the SYN is a packet of its own.
        self.writes.written(end, WriteEnd::Push, true);
        self.writes.sent(end, u32_of(data.len()).div_ceil(mss.max(1)), true);
        self.flight.sent(now, self.nxt, end, false, mss);
        self.flight.lose_all(|_| false);
        self.nxt = end;
        self.restart_alarm(now);
    }

    /// The round trip of the handshake, where it ended after data was sent (RFC 7413 §4.2.2).
    pub(super) fn handshake_measured(&mut self, now: Instant, rtt: Duration) {
        self.rto.measured(rtt);
        self.rack.min_rtt.measured(now, rtt);
        self.alarm = None;
        self.restart_alarm(now);
    }

    /// The last byte that is queued is urgent (RFC 9293 §3.8.5): the peer is told of it with every segment before it.
    pub(super) fn mark_urgent(&mut self) {
        self.urgent_until = Some(self.data_end());
    }

    /// The urgent pointer of a segment at `seq`: behind the urgent byte, as Linux and all others have it (RFC 6093 §3.1);
    /// of one that is too far away as far as a pointer reaches.
    pub(super) fn urgent_pointer(&self, seq: SeqNumber) -> Option<u16> {
        let until = self.urgent_until.filter(|until| until.after(self.una) && until.after(seq))?;
        let pointer = u16::try_from(until.since(seq));
        pointer.ok().or_else(|| (seq + u32::from(u16::MAX)).after(self.nxt).then_some(u16::MAX))
    }

    /// Is there urgent data that the peer has not acknowledged?
    fn is_urgent(&self) -> bool {
        self.urgent_until.is_some_and(|until| until.after(self.una))
    }

    /// The largest time-out of a retransmission.
    pub(super) fn set_rto_max(&mut self, max: Duration) {
        self.rto.set_max(max);
    }

    // What the user does.

    /// How many bytes there is room for.
    pub(super) fn room(&self, settings: &TcpSettings) -> usize {
        if self.end == OurEnd::Open { usize_of(self.buffer(settings).bytes()) } else { 0 }
    }

    /// Is another write worth while?
    pub(super) fn is_writable(&self, settings: &TcpSettings) -> bool {
        self.end == OurEnd::Open && self.buffer(settings).is_worthwhile()
    }

    /// What packets cost, and what the user chose, may fill the buffer without a write.
    pub(in crate::tcp) fn notice_full(&mut self, settings: &TcpSettings) {
        self.was_full |= !self.is_writable(settings);
    }

    /// Something was acknowledged. Is there room now of which somebody waits to be told?
    pub(in crate::tcp) fn takes_notice_of_room(&mut self, settings: &TcpSettings) -> bool {
        let is_news = (self.room_wanted || self.was_full) && self.is_writable(settings);
        self.room_wanted &= !is_news;
        self.was_full &= !is_news;
        is_news
    }

    fn buffer(&self, settings: &TcpSettings) -> Room {
        let (nxt, end) = (self.nxt, self.data_end());
        let tail = self.writes.tail.max(nxt);
        let packet_bytes = packet_bytes(self.window_max, self.mss);
        let in_flight = nxt.since(self.una).div_ceil(packet_bytes);
        Room {
            limit: self.buffer_bytes(settings),
            queued: u32_of(self.queued),
            unsent: self.unsent(),
            packets: in_flight.max(u32::try_from(self.writes.packets()).unwrap_or(u32::MAX)),
            tail: if end.after(tail) { end.since(tail) } else { 0 },
            packet_bytes,
            unsent_max: settings.unsent_max_bytes,
            unpushed: end.since(self.writes.pushed()),
            push_after: self.window_max / 2,
        }
    }

    /// How many bytes may leave at once, in whole segments.
    fn sendable(&self) -> u32 {
        let sendable = self.congestion_left().saturating_mul(self.mss).min(self.window_left());
        sendable / self.mss * self.mss
    }

    /// Queues as much as there is room for; returns how much.
    pub(super) fn queue(&mut self, settings: &TcpSettings, bytes: &[u8], end: WriteEnd) -> usize {
        if self.end != OurEnd::Open {
            return 0;
        }
        self.notice_gap();
        let wanted = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(BUFFER_BYTES_MAX);
        let taken = self.buffer(settings).take(wanted, self.sendable());
        let count = usize_of(taken.count);
        self.queue.write_at(self.queued, &bytes[..count]);
        self.written(count, &taken, end, count == bytes.len());
        self.room_wanted |= !self.is_writable(settings);
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
        self.notice_gap();
        self.queue.filled(self.queued, count);
        let boundless = Room { limit: u32::MAX, unsent_max: u32::MAX, ..self.buffer(settings) };
        let taken = boundless.take(u32_of(count), self.sendable());
        self.written(count, &taken, WriteEnd::Push, true);
        self.notice_full(settings);
    }

    fn written(&mut self, count: usize, taken: &Taken, end: WriteEnd, whole: bool) {
        let before = self.data_end();
        self.queued += count;
        if count > 0 {
            taken.pushes.iter().for_each(|after| self.writes.push_at(before + *after));
            self.writes.tail = self.data_end() - taken.tail;
            self.writes.written(self.data_end(), end, whole);
        }
    }

    /// What waits for company goes now, small or not (TCP_NODELAY being set, even under TCP_CORK).
    pub(super) fn flush(&mut self) {
        self.writes.flushed = true;
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

    /// The next position to be sent for the first time.
    pub(super) fn nxt(&self) -> SeqNumber {
        self.nxt
    }

    /// Was this position sent and is it not acknowledged?
    pub(super) fn is_under_way(&self, seq: SeqNumber) -> bool {
        seq.at_or_after(self.una) && seq.before(self.nxt)
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

    /// Time-outs since something was last acknowledged, and questions to a closed window.
    pub(super) fn retransmits(&self) -> u32 {
        if self.is_persisting() { 0 } else { self.retries }
    }

    pub(super) fn window_probes(&self) -> u32 {
        if self.is_persisting() { self.retries } else { 0 }
    }

    pub(super) fn has_sack(&self) -> bool {
        self.sack
    }

    pub(super) fn rtt_variation(&self) -> Duration {
        self.rto.variation()
    }

    pub(super) fn rtt_min(&self) -> Option<Duration> {
        self.rack.min_rtt.shortest()
    }

    /// Segments that may overtake one before it is believed lost.
    pub(super) fn reordering(&self) -> u32 {
        self.rack.degree()
    }

    /// Bytes queued and never sent.
    pub(super) fn unsent(&self) -> u32 {
        let data_end = self.data_end();
        if data_end.after(self.nxt) { data_end.since(self.nxt) } else { 0 }
    }

    /// The peer's window, in bytes from `una` on.
    pub(super) fn window(&self) -> u32 {
        self.window
    }

    pub(super) fn sums(&self) -> &Sums {
        &self.sums
    }

    pub(super) fn held_times(&self, now: Instant) -> HeldTimes {
        self.chronograph.times(now)
    }

    /// The congestion window.
    pub(super) fn congestion(&self) -> &Window {
        &self.congestion
    }

    /// Another algorithm of congestion control, which begins with the window as it is.
    pub(super) fn set_congestion(&mut self, now: Instant, name: CongestionName) {
        if self.algorithm.name() != name {
            let (rtt, seed) = (self.rto.smoothed(), self.nxt);
            self.algorithm = algorithm(name, &Start { now, rtt, seed, window: &self.congestion });
        }
    }

    /// What is in flight.
    pub(super) fn flight(&self) -> &Flight {
        &self.flight
    }

    /// What is believed of the path.
    pub(super) fn belief(&self) -> Belief {
        self.recovery.belief()
    }

    /// Is everything ever sent acknowledged, and nothing waiting?
    pub(super) fn is_idle(&self) -> bool {
        self.una == self.nxt && self.queued == 0
    }

    /// The bytes of a piece.
    pub(super) fn slices(&self, piece: &Piece) -> impl Iterator<Item = &[u8]> {
        self.queue.slices(piece.offset, piece.count)
    }

    /// The position behind the last queued byte: that of the FIN, once there is one.
    pub(super) fn data_end(&self) -> SeqNumber {
        self.una + u32_of(self.queued)
    }

    /// Position behind everything there is to say, FIN included.
    fn end_position(&self) -> SeqNumber {
        self.data_end() + u32::from(self.end == OurEnd::Finished)
    }

    /// What is left of the peer's window, in bytes.
    fn window_left(&self) -> u32 {
        self.window.saturating_sub(self.nxt.since(self.una))
    }

    /// The position of a segment that has none of its own: SND.NXT (RFC 9293 §3.10.7.4), or where a peer that took its window
    /// back still looks. Less than a unit of its window's scale it may have kept from us by rounding.
    pub(super) fn bare_seq(&self) -> SeqNumber {
        let edge = self.una + self.window;
        let taken_back = edge.before(self.nxt) && self.nxt.since(edge) >> self.scale > 0;
        if taken_back { edge } else { self.nxt }
    }

    /// Segments that the congestion window has room for.
    fn congestion_left(&self) -> u32 {
        self.congestion.cwnd.saturating_sub(self.flight.counts().in_flight())
    }

    // What segments bring.

    /// The window of a segment that is not older than the one that told it last; true when it allows more than before.
    ///
    /// RFC 9293 §3.10.7.4 asks for the position first, and so believes a segment that came out of order for ever: what
    /// is acknowledged behind it tells windows that are never heard. As on Linux whoever acknowledges more is newer, and
    /// of segments that are equal in both the larger window counts, or none at all. A segment that acknowledges less than was
    /// acknowledged tells nothing: its window began further back.
    pub(super) fn window_told(&mut self, seq: SeqNumber, ack: SeqNumber, field: u16) -> bool {
        if ack.before(self.una) {
            return false;
        }
        let window = u32::from(field) << self.scale;
        let newer = self.window_ack.before(ack)
            || self.window_seq.before(seq)
            || (self.window_seq == seq && (window > self.window || window == 0));
        if !newer {
            return false;
        }
        let edge_before = self.window_ack + self.window;
        self.window = window;
        self.window_max = self.window_max.max(self.window);
        self.window_seq = seq;
        self.window_ack = ack;
        if self.window > 0 && ack == self.una && std::mem::take(&mut self.asks_in_vain) {
            // It is not waited for: the peer has thrown it away, and takes it now.
            self.flight.first_was_refused();
        }
        (ack + self.window).after(edge_before)
    }

    /// The invariants of the file's first lines.
    pub(super) fn check(&self) {
        assert!(self.una.at_or_before(self.nxt), "nothing acknowledged is to be sent next");
        assert!(self.nxt.at_or_before(self.end_position()), "only what was queued was sent");
        assert!(self.flight.is_empty() || self.alarm.is_some(), "what is unacknowledged has an alarm");
        self.flight.check(self.una, self.nxt);
    }
}

fn u32_of(count: usize) -> u32 {
    u32::try_from(count).expect("a buffer holds less than 2³² bytes")
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).expect("a usize has at least 32 bits")
}
