//! An open connection: the seven synchronised states as two halves and who ended first.

use std::time::Duration;

use ieum_wire::tcp::{Options, SACK_BLOCKS_MAX, Timestamps};
use ieum_wire::{Instant, Mss, SeqNumber};

use super::bounds::STAMP_LIFETIME;
use super::ecn::negotiation::{Agreed, agreed};
use super::ecn::{Accurate, Classic, Ecn};
use super::marks::Marks;
use super::path::{PathSize, bounded_by_window};
use super::peer_syn::{OwnSyn, PeerSyn, stamp};
use super::recv::ack::Clock;
use super::recv::{Arrived, Data, Recv, RecvStart};
use super::reply::Reply;
use super::segment::Segment;
use super::send::{Send, SendStart, Sizes};
use super::settings::TcpSettings;
use super::state::{OurEnd, Side, State, synchronised};
use super::syn_ack::SynAck;
use super::totals::Totals;
use super::tuple::FourTuple;

/// Bytes of the timestamps option with its padding.
pub(super) const STAMP_BYTES: u32 = 12;

/// Timestamps agreed on in the handshake (RFC 7323 §3, §4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    offset: u32,
    /// The peer's timestamp to be echoed (TS.Recent), and when it came.
    recent: u32,
    recent_at: Instant,
    /// The acknowledgement last sent (Last.ACK.sent): only a segment at or before it may change `recent`.
    last_ack: SeqNumber,
}

/// An open connection.
pub(super) struct Open {
    pub(super) send: Send,
    pub(super) recv: Recv,
    pub(super) stamps: Option<Stamps>,
    /// What of ECN both sides speak.
    pub(super) ecn: Ecn,
    pub(super) totals: Totals,
    /// Shifts of the peer's windows and of ours, when both sides have offered them.
    pub(super) scales: Option<(u8, u8)>,
    /// Payload of the largest segment that we said we take, options taken off.
    announced_mss: u32,
    /// How large segments may be.
    pub(super) path: PathSize,
    /// Payload of a full segment, options taken off.
    pub(super) mss: u32,
    /// Who ended its direction first.
    first_end: Option<Side>,
    /// When the peer was last heard of.
    heard_at: Instant,
    /// Keepalive probes sent since, and when the last of them was.
    pub(super) probes: u32,
    probed_at: Option<Instant>,
    pub(super) keepalive_owed: bool,
    /// When a connection that nobody holds stops waiting for the peer's FIN.
    pub(super) fin_wait_until: Option<Instant>,
    /// How long that waiting was to last, from when it can begin; `None`: not at all.
    pub(super) fin_timeout: Option<Duration>,
    /// Our SYN-ACK, while it is not acknowledged: the passive side of Fast Open.
    pub(super) syn_ack: Option<Box<SynAck>>,
    /// The SYN's data was taken: the peer's by us, or ours by the peer (TCPI_OPT_SYN_DATA).
    pub(super) syn_data: bool,
    /// What the user wants to hear of what is sent.
    pub(super) marks: Option<Box<Marks>>,
}

/// How the handshake went, beside what the two SYNs say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    /// When our SYN was first sent, for the first RTT; `None` when it was sent again (Karn).
    pub(super) syn_sent_at: Option<Instant>,
    /// How often our SYN had to be sent again.
    pub(super) retries: u32,
    /// Ours came first.
    pub(super) active: bool,
    /// Bytes sent with our SYN that the answer acknowledged.
    pub(super) acknowledged: u32,
}

impl Open {
    /// SYN-SENT or SYN-RECEIVED → ESTABLISHED.
    pub(super) fn new(
        now: Instant,
        own: &OwnSyn,
        peer: &PeerSyn,
        opening: Opening,
        settings: &TcpSettings,
    ) -> Open {
        // RFC 7323 §2.2: windows are scaled only when both have offered it.
        let (peer_scale, own_scale) = peer.scale.zip(own.scale).unwrap_or_default();
        let stamps = own.stamp_offset.zip(peer.stamp).map(|(offset, recent)| Stamps {
            offset,
            recent,
            recent_at: now,
            last_ack: peer.irs + 1,
        });
        let path = PathSize::new(own.mss.min(peer.mss), own.path_mss, settings);
        let stamp_bytes = if stamps.is_some() { STAMP_BYTES } else { 0 };
        let mss = bounded_by_window(path.mss() - stamp_bytes, peer.window.into(), stamp_bytes);
        let sack = own.sack && peer.sack;
        let agreed = agreed(&own.ecn, &peer.ecn, opening.retries);
        let mut send = Send::new(
            now,
            &SendStart {
                iss: own.iss + opening.acknowledged,
                window: u32::from(peer.window),
                window_seq: peer.irs,
                scale: peer_scale.shift(),
                rtt: opening.syn_sent_at.map(|sent| now.since(sent)),
                handshake_repeated: opening.retries > 0,
                // RFC 5681 §3.1 wants a window of one segment after a lost SYN. With the short first time-out of
                // RFC 6298 one repetition is often none's loss; like Linux we wait for the second.
                handshake_lossy: opening.retries > 1,
                sack,
                ecn: agreed == Agreed::Classic,
                congestion: settings.congestion,
                mss,
                mss_agreed: peer.mss.bytes().min(settings.mss_max.unwrap_or(u16::MAX)).into(),
                tuning: settings.tuning,
            },
        );
        if opening.active {
            send.syn_acknowledged();
        }
        let announced_mss = payload_bytes(own.mss, stamps.as_ref());
        let most = if peer.scale.zip(own.scale).is_some() { u32::MAX } else { u16::MAX.into() };
        let recv_start = RecvStart {
            irs: peer.irs,
            // Ours came first: it did not know yet whether the peer has timestamps.
            window: own.window_bytes(settings, stamps.is_some() && !opening.active).min(most),
            scale: own_scale,
            sack,
            mss: announced_mss,
            held: opening.active,
        };
        send.set_rto_max(settings.rto_max);
        let mut recv = Recv::new(now, &recv_start, settings);
        recv.ack.set_challenge_interval(settings.challenge_interval);
        Open {
            send,
            recv,
            stamps,
            ecn: match agreed {
                Agreed::Off => Ecn::Off,
                Agreed::Classic => Ecn::Classic(Classic::default()),
                Agreed::Accurate => Ecn::Accurate(Box::new(accurate(own, peer, opening.active))),
            },
            totals: Totals::new(now),
            scales: peer.scale.map(|scale| (scale.shift(), own_scale.shift())),
            announced_mss,
            path,
            mss,
            first_end: None,
            heard_at: now,
            probes: 0,
            probed_at: None,
            keepalive_owed: false,
            fin_wait_until: None,
            fin_timeout: None,
            syn_ack: None,
            syn_data: false,
            marks: None,
        }
    }

    pub(super) fn state(&self) -> State {
        let state = synchronised(self.send.our_end(), self.recv.has_finished(), self.first_end);
        if state == State::Established && self.syn_ack.is_some() { State::SynReceived } else { state }
    }

    /// The data and the FIN of a segment with SYN (RFC 7413 §4.2), as far as our window goes.
    pub(super) fn take_with_syn(&mut self, now: Instant, segment: &Segment<'_>, settings: &TcpSettings) {
        let seq = segment.header.seq + 1;
        let fits = usize::try_from(self.recv.window_left()).unwrap_or(usize::MAX);
        let bytes = &segment.payload[..segment.payload.len().min(fits)];
        let clock = self.clock();
        let data = Data { seq, bytes, frames: segment.frames, push: segment.header.flags.psh, remnant: true };
        if !bytes.is_empty() && self.recv.data_arrived(now, &data, clock, settings) == Arrived::InOrder {
            self.totals.bytes_in += u64::try_from(bytes.len()).unwrap_or(0);
            self.recv.ack.forget_pace();
        }
        let whole = bytes.len() == segment.payload.len();
        if segment.header.flags.fin && whole && self.recv.fin_seen(segment.end() - 1) {
            self.they_finished();
        }
        if segment.length() > 1 {
            self.recv.ack.now();
        }
    }

    /// ESTABLISHED → FIN-WAIT-1, CLOSE-WAIT → LAST-ACK.
    pub(super) fn we_finish(&mut self) {
        self.first_end.get_or_insert(Side::We);
        self.send.finish();
    }

    /// ESTABLISHED → CLOSE-WAIT, FIN-WAIT-1 → CLOSING, FIN-WAIT-2 → TIME-WAIT: the peer's FIN was received.
    pub(super) fn they_finished(&mut self) {
        self.first_end.get_or_insert(Side::They);
    }

    /// The RST that ends the connection: at the end of what was sent, where the peer expects the next segment if it has
    /// received everything and its window reaches so far, and accepts it at once (RFC 5961 §3.2).
    pub(super) fn active_reset(&mut self, now: Instant, tuple: FourTuple) -> Reply {
        let ack = self.recv.nxt();
        let window = self.recv.tell_window();
        let timestamps = self.stamps.as_mut().map(|stamps| stamps.option(now, ack));
        Reply::reset_of(
            tuple,
            self.send.bare_seq(),
            ack,
            window,
            Options { timestamps, ..Options::default() },
        )
    }

    /// Nobody holds the connection any more, or our end of such a one was acknowledged just now: FIN-WAIT-2 lasts from
    /// here on.
    pub(super) fn orphaned(&mut self, now: Instant, fin_timeout: Option<Duration>) {
        self.fin_timeout = fin_timeout;
        // Room for the peer's FIN to be lost once (Linux: three time-outs and a half).
        let wait = fin_timeout.unwrap_or_default().max(self.send.rto() * 7 / 2);
        self.fin_wait_until = Some(now + wait);
    }

    /// Was what stands at `seq` sent, SYN-ACK included, and is it not acknowledged?
    pub(super) fn is_under_way(&self, seq: SeqNumber) -> bool {
        self.send.is_under_way(seq) || (self.syn_ack.is_some() && seq + 1 == self.send.una())
    }

    /// What bounds the delay of acknowledgements.
    pub(super) fn clock(&self) -> Clock {
        Clock { rtt: self.send.smoothed_rtt(), rto: self.send.rto() }
    }

    /// SACK blocks that fit beside the other options (RFC 2018 §3).
    pub(super) fn sack_blocks_max(&self) -> usize {
        if self.stamps.is_some() { SACK_BLOCKS_MAX - 1 } else { SACK_BLOCKS_MAX }
    }

    /// How large segments and packets may be on a link, with so many bytes of further options.
    pub(super) fn sizes(&self, segmentation_offload: bool, option_bytes: usize) -> Sizes {
        let option_bytes = u32::try_from(option_bytes).expect("options have 40 bytes");
        let mss = self.mss.saturating_sub(option_bytes).max(1);
        // The largest packet less the largest headers without other options, in whole segments. IPv6 has room for 20
        // bytes more; devices that take super-segments count them from the IP header on, in both families.
        let whole = (65_535 - 40 - 20 - STAMP_BYTES - option_bytes) / mss * mss;
        Sizes { mss, piece_max: if segmentation_offload { whole.max(mss) } else { mss } }
    }

    /// When the user gives up a peer that has not answered a retransmission or a probe (RFC 5482, TCP_USER_TIMEOUT): not
    /// with the next alarm, which may be minutes away, but on time. While our SYN-ACK is not acknowledged, its own timer
    /// decides.
    pub(super) fn given_up_at(&self, settings: &TcpSettings) -> Option<Instant> {
        let waiting_since = self.send.waiting_since().filter(|_| self.syn_ack.is_none());
        Some(waiting_since? + settings.user_timeout?)
    }

    /// When the peer is to be asked whether it lives; only while there is nothing else to wait for.
    pub(super) fn keepalive_at(&self, settings: &TcpSettings) -> Option<Instant> {
        let keepalive = settings.keepalive?;
        if !self.send.is_idle() {
            return None;
        }
        // From probe to probe, not from the beginning: who asks late must not take all questions for asked.
        Some(self.probed_at.map_or(self.heard_at + keepalive.idle, |at| at + keepalive.interval))
    }

    /// The peer is to be asked whether it lives.
    pub(super) fn owe_keepalive(&mut self, now: Instant) {
        self.probes += 1;
        self.probed_at = Some(now);
        self.keepalive_owed = true;
    }

    /// The peer was heard of.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.probes = 0;
        self.probed_at = None;
    }

    /// When the peer was last heard of.
    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Payload of the largest segment that we said we take, options taken off.
    pub(super) fn announced_mss(&self) -> u32 {
        self.announced_mss
    }

    /// Payload of the largest segment that the path takes, options included.
    pub(super) fn path_mss(&self) -> u32 {
        self.path.told()
    }

    pub(super) fn deadline(&self, settings: &TcpSettings, orphan: bool) -> Option<Instant> {
        let fin_wait = self.fin_wait_until.filter(|_| orphan && self.state() == State::FinWait2);
        let send = self.syn_ack.as_ref().map_or_else(|| self.send.timer(), |syn_ack| syn_ack.timer());
        [
            send,
            self.send.pacer.deadline(),
            self.given_up_at(settings),
            self.recv.ack.deadline(),
            self.keepalive_at(settings),
            fin_wait,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Bytes that still have to reach the peer, or the news that they were all.
    pub(super) fn is_unfinished(&self) -> bool {
        !(self.send.is_idle() && self.send.our_end() == OurEnd::Acknowledged)
    }

    /// The invariants of both halves.
    pub(super) fn check(&self) {
        self.send.check();
        self.recv.check();
        let ended = self.send.our_end() != OurEnd::Open || self.recv.has_finished();
        assert!(ended == self.first_end.is_some(), "whoever ended first is known, and only then");
    }
}

/// Accurate ECN as it begins, after both SYNs; `active`: ours was sent before we knew the peer's.
fn accurate(own: &OwnSyn, peer: &PeerSyn, active: bool) -> Accurate {
    let mut accurate = Accurate::new(peer.ecn.codepoint, !active, peer.ecn.wavered, own.ecn.fallback);
    accurate.option_came(peer.acc_ecn.as_ref());
    if peer.ecn.answers {
        accurate.answered(peer.ecn.ace, peer.ecn.codepoint);
    }
    accurate
}

/// What is left of a segment for data beside the options that each one carries.
fn payload_bytes(mss: Mss, stamps: Option<&Stamps>) -> u32 {
    u32::from(mss.bytes()) - if stamps.is_some() { STAMP_BYTES } else { 0 }
}

impl Stamps {
    /// Of a peer whose last timestamp is known.
    #[cfg(test)]
    pub(super) fn heard(recent: u32) -> Stamps {
        Stamps { offset: 0, recent, recent_at: Instant::ZERO, last_ack: SeqNumber::new(0) }
    }

    /// PAWS: is this timestamp older than one seen before? (RFC 7323 §5.3 R1) Not known after 24 days of silence: the
    /// peer's clock may have gone half around (§5.5).
    /// A tick is allowed for: two processors of the peer may read its clock in one order and send in the other (Linux).
    pub(super) fn is_old(&self, now: Instant, value: u32) -> bool {
        value.wrapping_sub(self.recent).cast_signed() < -1 && now.since(self.recent_at) < STAMP_LIFETIME
    }

    /// Has the peer been silent for so long that its clock may have gone half around?
    fn is_ancient(&self, now: Instant) -> bool {
        now.since(self.recent_at) >= STAMP_LIFETIME
    }

    /// Is it later than the last one seen?
    pub(super) fn is_newer(&self, value: u32) -> bool {
        value.wrapping_sub(self.recent).cast_signed() > 0
    }

    /// RFC 7323 §4.3 (2): a segment that covers what was last acknowledged gives the timestamp to echo.
    pub(super) fn seen(&mut self, now: Instant, seq: SeqNumber, value: u32) {
        if seq.at_or_before(self.last_ack)
            && (value == self.recent || self.is_newer(value) || self.is_ancient(now))
        {
            self.recent = value;
            self.recent_at = now;
        }
    }

    /// The round trip that an echo measures: `None` for one that is not ours.
    pub(super) fn round_trip(&self, now: Instant, echo: u32) -> Option<Duration> {
        let passed = stamp(self.offset, now).wrapping_sub(echo);
        (passed < 1 << 31).then(|| Duration::from_millis(passed.into()))
    }

    /// The option of a segment that acknowledges `ack`.
    pub(super) fn option(&mut self, now: Instant, ack: SeqNumber) -> Timestamps {
        self.last_ack = ack;
        Timestamps { value: stamp(self.offset, now), echo: self.recent }
    }
}
