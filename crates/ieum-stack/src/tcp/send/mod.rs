//! The sending half of a connection: what is queued, sent and acknowledged.
//!
//! Positions, left to right: `una` (first not acknowledged) ≤ `nxt` (next to be sent for the first time) ≤ the end of the
//! queue (plus one for the FIN). What lies between the first two is the flight; what of it is missing is sent again.
//!
//! The buffer's front is `una`: byte `una + i` lies at offset `i`. The FIN occupies the position behind the last byte.
//!
//! Files, in the order in which data meets them: [`pace`] (when), [`permission`] (how much may be said now), [`flight`]
//! (the scoreboard), [`rate`] (how fast it is delivered), [`ack`] (what an acknowledgement says), [`rto`] and [`rack`] (when to believe a loss), [`recovery`] (what is believed),
//! [`congestion`] and [`prr`] (how much may be in flight), [`alarm`] (what time brings).

mod ack;
mod alarm;
mod chronograph;
pub(super) mod congestion;
mod flight;
mod pace;
mod path;
mod permission;
mod prr;
mod rack;
mod rate;
mod recovery;
mod room;
pub(super) mod rto;
mod steer;
mod sums;
mod writes;

use std::io::IoSliceMut;
use std::time::Duration;

use ieum_wire::{Instant, SeqNumber};

pub(super) use self::ack::Ack;
use self::alarm::Alarm;
pub use self::chronograph::HeldTimes;
use self::chronograph::{Chronograph, Held};
use self::congestion::{CongestionControl, Start, Window, algorithm};
pub use self::flight::Counts;
use self::flight::{Flight, Range};
use self::pace::Pacer;
use self::permission::{Facts, Permission, permission};
use self::rack::Rack;
pub use self::recovery::Belief;
use self::recovery::Recovery;
use self::room::{Room, packet_bytes};
use self::rto::Rto;
use self::sums::Sums;
pub use self::writes::WriteEnd;
use self::writes::Writes;
use super::bounds::{BUFFER_BYTES_MAX, DEFERRED_MAX};
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
    tuning: Tuning,
    /// When a packet with data last went out, the first time or again.
    wrote_at: Option<Instant>,
    sums: Sums,
    chronograph: Chronograph,
    /// Owed: a probe whether the last of what was sent has arrived.
    tail_probe_owed: bool,
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
        Send {
            una: first,
            nxt: first,
            window: start.window,
            window_max: start.window,
            window_seq: start.window_seq,
            window_ack: first,
            scale: start.scale,
            mss: start.mss,
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
            // The SYN has arrived.
            tuning: start.tuning,
            wrote_at: None,
            sums: Sums { delivered: 1, ..Sums::default() },
            chronograph: Chronograph::default(),
            tail_probe_owed: false,
            room_wanted: false,
        }
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

    fn buffer(&self, settings: &TcpSettings) -> Room {
        let (nxt, end) = (self.nxt, self.data_end());
        let tail = self.writes.tail.max(nxt);
        let packet_bytes = packet_bytes(self.window_max, self.mss);
        let in_flight = nxt.since(self.una).div_ceil(packet_bytes);
        let sendable = self.congestion_left().saturating_mul(self.mss).min(self.window_left());
        Room {
            limit: settings.send_buffer_bytes,
            queued: u32_of(self.queued),
            unsent: self.unsent(),
            packets: in_flight.max(u32::try_from(self.writes.packets()).unwrap_or(u32::MAX)),
            tail: if end.after(tail) { end.since(tail) } else { 0 },
            packet_bytes,
            sendable: sendable / self.mss * self.mss,
            unsent_max: settings.unsent_max_bytes,
        }
    }

    /// Queues as much as there is room for; returns how much.
    pub(super) fn queue(&mut self, settings: &TcpSettings, bytes: &[u8], end: WriteEnd) -> usize {
        if self.end != OurEnd::Open {
            return 0;
        }
        self.notice_gap();
        let wanted = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(BUFFER_BYTES_MAX);
        let taken = self.buffer(settings).take(wanted);
        let count = usize_of(taken.count);
        self.queue.write_at(self.queued, &bytes[..count]);
        self.written(count, taken.tail, end, count == bytes.len());
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
        let taken =
            Room { limit: u32::MAX, unsent_max: u32::MAX, ..self.buffer(settings) }.take(u32_of(count));
        self.written(count, taken.tail, WriteEnd::Push, true);
    }

    /// `tail`: bytes of the last packet.
    fn written(&mut self, count: usize, tail: u32, end: WriteEnd, whole: bool) {
        self.queued += count;
        if count > 0 {
            self.writes.tail = self.data_end() - tail;
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
    fn data_end(&self) -> SeqNumber {
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

    /// Segments that the congestion window has room for.
    fn congestion_left(&self) -> u32 {
        self.congestion.cwnd.saturating_sub(self.flight.counts().in_flight())
    }

    // What segments bring.

    /// The window of a segment that is not older than the one that told it last; true when it allows more than before.
    ///
    /// RFC 9293 §3.10.7.4 asks for the position first, and so believes a segment that came out of order for ever: what
    /// is acknowledged behind it tells windows that are never heard. As on Linux whoever acknowledges more is newer, and
    /// of segments that are equal in both the larger window counts, or none at all.
    pub(super) fn window_told(&mut self, seq: SeqNumber, ack: SeqNumber, field: u16) -> bool {
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
        (ack + self.window).after(edge_before)
    }

    // What is to be said.

    /// The next piece to be sent, taken as sent: positions and timers move. `None`: nothing may be said now.
    pub(super) fn next_piece(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        settings: &TcpSettings,
    ) -> Option<Piece> {
        self.begin_again(now);
        self.mss = sizes.mss;
        let is_paced = self.is_paced(settings);
        let rate = self.pacing_rate(settings);
        self.quantum = self.quantum_segments(sizes, rate);
        let piece = self.piece_in_turn(now, sizes, settings, is_paced)?;
        if is_paced {
            let bytes = u32_of(piece.count);
            self.pacer.sent(now, bytes, bytes.div_ceil(sizes.mss), rate);
        }
        Some(piece)
    }

    /// What is owed first goes first.
    fn piece_in_turn(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        settings: &TcpSettings,
        is_paced: bool,
    ) -> Option<Piece> {
        if std::mem::take(&mut self.tail_probe_owed)
            && let Some(piece) = self.tail_probe(now, sizes)
        {
            return Some(piece);
        }
        if std::mem::take(&mut self.probe_owed) {
            return Some(self.window_probe(now, sizes));
        }
        if self.end == OurEnd::Acknowledged {
            return None;
        }
        if is_paced && self.has_something() && !self.pacer.allows(now, self.quantum.saturating_mul(sizes.mss))
        {
            return None;
        }
        if self.recovery.tries_new {
            let piece = self.new_piece(now, sizes, settings);
            if piece.is_some() {
                return piece;
            }
            self.give_up_doubt();
        }
        self.missing_piece(now, sizes).or_else(|| self.new_piece(now, sizes, settings))
    }

    /// What is missing goes before what is new (RFC 6675 §5 (C)).
    fn missing_piece(&mut self, now: Instant, sizes: &Sizes) -> Option<Piece> {
        let missing = self.flight.missing()?;
        // A window that has shrunk takes none of it; one that has closed is probed with it.
        let window = match missing.begin == self.una {
            true => self.window.max(sizes.mss),
            false => (self.una + self.window).since(missing.begin),
        };
        let allowed = self.congestion_left().saturating_mul(sizes.mss).min(window).min(sizes.piece_max);
        if allowed < sizes.mss.min(missing.end.since(missing.begin)) {
            return None;
        }
        let is_first = missing.begin == self.una;
        // As it was sent, so it is repeated: what ended a packet still does.
        let packet = self.writes.packet_end(missing.begin).map_or(u32::MAX, |end| end.since(missing.begin));
        let piece =
            self.again(now, sizes, |flight| flight.send_missing(now, allowed.min(packet), sizes.mss))?;
        if is_first && !matches!(self.alarm, Some((_, Alarm::Reorder))) {
            self.alarm = None;
            self.restart_alarm(now);
        }
        Some(piece)
    }

    /// A range goes out once more.
    fn again(
        &mut self,
        now: Instant,
        sizes: &Sizes,
        send: impl FnOnce(&mut Flight) -> Option<Range>,
    ) -> Option<Piece> {
        let range = send(&mut self.flight)?;
        self.recovery.repeated(now, range.segments());
        self.recovery.sent(range.segments());
        self.wrote_at = Some(now);
        self.waiting_since.get_or_insert(now);
        let bytes = range.end.since(range.begin) - u32::from(range.fin);
        let push = bytes > 0 && self.writes.sent_again(range.begin + bytes, bytes.div_ceil(sizes.mss));
        Some(Piece { again: true, push, ..self.piece_at(range.begin, usize_of(bytes)) })
    }

    fn new_piece(&mut self, now: Instant, sizes: &Sizes, settings: &TcpSettings) -> Option<Piece> {
        if self.tuning.restarts_after_idle {
            self.restart_after_idle(now);
        }
        let data_end = self.data_end();
        let end = self.writes.record_end(self.nxt).unwrap_or(data_end);
        let end = self.packet_end(sizes).map_or(end, |packet| if packet.before(end) { packet } else { end });
        let facts = self.facts(end, sizes, settings);
        let mut permission = permission(&facts);
        if matches!(permission, Permission::Send(_))
            && let Some(deferred) = self.deferred(now, &facts)
        {
            permission = deferred;
        }
        let piece = match permission {
            Permission::Send(count) => Some(self.say(now, count, sizes)),
            // A corked rest is held for as long as the timer lasts, about 200 ms, as on Linux (tcp(7)).
            Permission::WindowLimited | Permission::Held => {
                self.persist(now);
                None
            }
            Permission::CongestionLimited => None,
            Permission::Nothing => {
                let fin_unsent = self.end == OurEnd::Finished && self.nxt == data_end;
                if fin_unsent && self.window_left() == 0 {
                    // A FIN takes a place in the window like a byte (RFC 9293 §3.4).
                    self.persist(now);
                    None
                } else {
                    fin_unsent.then(|| self.say(now, 0, sizes))
                }
            }
        };
        let counts = self.flight.counts();
        let held_back =
            permission == Permission::CongestionLimited || counts.in_flight() >= self.congestion.cwnd;
        self.congestion.used(self.una, self.nxt, counts.out, held_back);
        self.note_what_holds(now, permission, held_back);
        piece
    }

    /// After an attempt to send: what held it back, for who asks.
    fn note_what_holds(&mut self, now: Instant, permission: Permission, by_congestion: bool) {
        if self.is_idle() {
            return;
        }
        self.chronograph.begin(now, Held::Busy);
        match permission {
            Permission::WindowLimited => self.chronograph.begin(now, Held::ByPeer),
            Permission::Nothing if self.room_wanted && !by_congestion => {
                self.chronograph.begin(now, Held::ByBuffer);
            }
            Permission::Send(_) | Permission::CongestionLimited | Permission::Held | Permission::Nothing => {
                self.chronograph.end(now, Held::ByPeer, false);
            }
        }
    }

    /// Where the first of the packets ends that the user's writes were put into, when another follows it.
    fn packet_end(&self, sizes: &Sizes) -> Option<SeqNumber> {
        let tail = self.writes.tail;
        let ahead = tail.after(self.nxt).then(|| tail.since(self.nxt))?;
        let packet_bytes = packet_bytes(self.window_max, self.mss);
        let first = match ahead % packet_bytes {
            0 => packet_bytes,
            rest => rest,
        };
        // A window that has grown since moves the ends: never into the middle of a segment.
        first.is_multiple_of(sizes.mss).then(|| self.nxt + first)
    }

    /// The facts about what lies before `end`.
    fn facts(&self, end: SeqNumber, sizes: &Sizes, settings: &TcpSettings) -> Facts {
        let Writes { more, flushed, .. } = self.writes;
        Facts {
            unsent: usize_of(end.since(self.nxt)),
            window: usize_of(self.window_left()),
            window_max: usize_of(self.window_max),
            cwnd: usize_of(self.congestion_left().saturating_mul(sizes.mss)),
            mss: usize_of(sizes.mss),
            // An urgent pointer counts from its own segment: who cuts a super-segment would have to know.
            piece_max: usize_of(if self.is_urgent() { sizes.mss } else { self.burst_bytes(sizes) }),
            small_in_flight: self.small_until.after(self.una) && self.small_until.at_or_before(self.nxt),
            no_delay: settings.no_delay || flushed || self.is_urgent(),
            cork: (settings.cork || more) && !flushed,
            finished: self.end != OurEnd::Open || end != self.data_end(),
        }
    }

    /// Would it be better to wait for the acknowledgement that is about to come, and send a larger packet then? Only when
    /// something was sent just now, and only for as long as that costs less than a millisecond or half a round trip (all
    /// as Linux's tcp_tso_should_defer). Nothing has to wake who waits: something is in flight.
    fn deferred(&self, now: Instant, facts: &Facts) -> Option<Permission> {
        if self.recovery.belief() >= Belief::Recovery
            || facts.unsent <= facts.mss
            || self.wrote_at.is_none_or(|wrote| now.since(wrote) > DEFERRED_MAX)
        {
            return None;
        }
        let limit = facts.window.min(facts.cwnd);
        let whole = usize_of(self.window.min(self.congestion.cwnd.saturating_mul(self.mss)));
        let share = whole.checked_div(usize_of(self.tuning.deferral_divisor))?;
        if limit >= facts.piece_max || limit >= share || (facts.finished && limit >= facts.unsent) {
            return None;
        }
        let (first, rtt) = (self.flight.first()?, self.rto.smoothed()?);
        if (first.sent_at + rtt).since(now) > DEFERRED_MAX.min(rtt / 2) {
            return None;
        }
        Some(match (facts.cwnd < facts.window, limit <= facts.unsent) {
            (true, true) => Permission::CongestionLimited,
            (false, true) => Permission::WindowLimited,
            (_, false) => Permission::Held,
        })
    }

    /// How large one packet may be: a quantum, and not more than half the window, so that acknowledgements of one half
    /// let the other be sent (as Linux sizes its own).
    fn burst_bytes(&self, sizes: &Sizes) -> u32 {
        // CWR belongs on one segment, and who cuts a super-segment would have to know.
        if self.recovery.owes_reduced() {
            return sizes.mss;
        }
        let half = (self.congestion.cwnd / 2).max(1);
        sizes.piece_max.min(self.quantum.min(half).saturating_mul(sizes.mss))
    }

    /// `count` bytes from `nxt` on, and the FIN when it follows them.
    fn say(&mut self, now: Instant, count: usize, sizes: &Sizes) -> Piece {
        let reduced = count > 0 && self.recovery.take_reduced();
        let (bytes, data_end) = (u32_of(count), self.nxt + u32_of(count));
        let push =
            count > 0 && self.writes.sent(data_end, bytes.div_ceil(sizes.mss), data_end == self.data_end());
        let piece = Piece { reduced, push, ..self.piece_at(self.nxt, count) };
        let end = data_end + u32::from(piece.fin);
        if !u32_of(count).is_multiple_of(sizes.mss) {
            self.small_until = self.nxt + u32_of(count);
        }
        let (was_empty, out) = (self.flight.is_empty(), self.flight.counts().out);
        self.flight.sent(now, self.nxt, end, piece.fin, sizes.mss);
        self.recovery.sent(self.flight.counts().out - out);
        self.nxt = end;
        self.sent_at = Some(now);
        self.wrote_at = Some(now);
        self.set_alarm_after_new(now, was_empty);
        piece
    }

    /// RFC 5681 §4.1: after an idle time-out less and less is known of the path, and a whole window at once would be a
    /// burst.
    fn restart_after_idle(&mut self, now: Instant) {
        if !self.flight.is_empty() || self.queued == 0 {
            return;
        }
        let Some(sent_at) = self.sent_at else { return };
        let idle = now.since(sent_at);
        if idle > self.rto.current() && !self.algorithm.decides() {
            self.sent_at = None;
            self.congestion.restart(idle, self.rto.current());
            self.algorithm.resumed(idle);
        }
    }

    fn piece_at(&self, seq: SeqNumber, count: usize) -> Piece {
        let end = seq + u32_of(count);
        let last = end == self.data_end();
        let fin = last && self.end == OurEnd::Finished;
        Piece {
            seq,
            offset: usize_of(seq.since(self.una)),
            count,
            fin,
            push: false,
            again: false,
            reduced: false,
        }
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
