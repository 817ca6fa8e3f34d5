//! What a peer's SYN says, and what both SYNs together make of a connection.

use ieum_wire::tcp::{AccEcn, FastOpen, Options, Timestamps};
use ieum_wire::{Instant, Mss, SeqNumber, WindowScale};

use super::ecn::EcnRules;
use super::ecn::codepoint;
use super::ecn::negotiation::{self, PeerEcn};
use super::isn::low_u32;
use super::recv::space::initial_window;
use super::segment::Segment;
use super::settings::TcpSettings;

/// The facts of the peer's SYN that outlive it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerSyn {
    /// Its position.
    pub(super) irs: SeqNumber,
    pub(super) mss: Mss,
    pub(super) scale: Option<WindowScale>,
    /// Its timestamp, when it offers timestamps.
    pub(super) stamp: Option<u32>,
    /// It reads SACK (RFC 2018 §2).
    pub(super) sack: bool,
    /// What it says of ECN, and the option of accurate ECN.
    pub(super) ecn: PeerEcn,
    pub(super) acc_ecn: Option<AccEcn>,
    /// Its window, which a SYN never scales (RFC 7323 §2.2).
    pub(super) window: u16,
}

impl PeerSyn {
    pub(super) fn of(segment: &Segment<'_>) -> PeerSyn {
        let header = &segment.header;
        let unsaid = if segment.tuple.remote.is_ipv4() { Mss::DEFAULT_IP4 } else { Mss::DEFAULT_IP6 };
        PeerSyn {
            irs: header.seq,
            mss: header.options.mss.map_or(unsaid, Mss::announced),
            scale: header.options.window_scale,
            stamp: header.options.timestamps.map(|stamps| stamps.value),
            sack: header.options.sack_permitted,
            ecn: PeerEcn {
                ace: header.flags.ace(),
                codepoint: codepoint(segment.tos),
                answers: header.flags.ack,
                wavered: false,
            },
            acc_ecn: header.options.acc_ecn,
            window: header.window,
        }
    }
}

/// What our own SYN says.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnSyn {
    pub(super) iss: SeqNumber,
    /// The largest segment the way to the peer takes, options included.
    pub(super) mss: Mss,
    /// The largest that the way behind the first link takes, as far as known.
    pub(super) path_mss: Mss,
    /// Timestamps are offered, on a clock that begins here.
    pub(super) stamp_offset: Option<u32>,
    /// We read SACK.
    pub(super) sack: bool,
    /// The shift of the windows after it; `None`: windows are not to be scaled.
    pub(super) scale: Option<WindowScale>,
    pub(super) ecn: EcnRules,
    /// Fast Open's option, which only the first one sent has.
    pub(super) fast_open: Option<FastOpen>,
}

impl OwnSyn {
    /// The window that a SYN promises, in bytes; with `stamps` it leaves room for those.
    pub(super) fn window_bytes(&self, settings: &TcpSettings, stamps: bool) -> u32 {
        let mss = u32::from(self.mss.bytes()) - if stamps { super::open::STAMP_BYTES } else { 0 };
        let most = u32::from(u16::MAX) << self.scale.unwrap_or_default().shift();
        initial_window(settings, mss).min(most)
    }

    /// The same as its field says it, which no SYN scales (RFC 7323 §2.2).
    pub(super) fn window(&self, settings: &TcpSettings, peer: Option<&PeerSyn>) -> u16 {
        let stamps = peer.is_some_and(|peer| peer.stamp.is_some()) && self.stamp_offset.is_some();
        u16::try_from(self.window_bytes(settings, stamps)).unwrap_or(u16::MAX)
    }

    /// AE, CWR and ECE of a SYN or, with the peer's own, of a SYN-ACK, which was sent so often before.
    pub(super) fn ace(&self, peer: Option<&PeerSyn>, tries: u32) -> u8 {
        negotiation::ace_of_syn(&self.ecn, peer.map(|peer| &peer.ecn), tries)
    }

    /// The shift that expresses every window the settings may lead to: none beyond the one that the user allows, as on Linux.
    pub(super) fn scale_for(settings: &TcpSettings) -> WindowScale {
        let clamp = settings.window_clamp_bytes.unwrap_or(u32::MAX);
        WindowScale::covering(settings.scaled_window_bytes.max(settings.recv_buffer_bytes).min(clamp))
    }

    /// The options of a SYN or, with the peer's own SYN known, of a SYN-ACK, which offers only what was offered
    /// (RFC 7323 §2.2, §3.2).
    pub(super) fn options(&self, now: Instant, peer: Option<&PeerSyn>, tries: u32) -> Options {
        let offers_scale = peer.is_none_or(|peer| peer.scale.is_some());
        let echo = match peer {
            None => Some(0),
            Some(peer) => peer.stamp,
        };
        let has_option = negotiation::has_option(&self.ecn, peer.map(|peer| &peer.ecn), tries);
        Options {
            // Beside a cookie there is no room for it.
            acc_ecn: (has_option && self.fast_open.is_none()).then(|| AccEcn::new(true, &[1, 0, 1])),
            mss: Some(self.mss.bytes()),
            window_scale: self.scale.filter(|_| offers_scale),
            sack_permitted: self.sack && peer.is_none_or(|peer| peer.sack),
            timestamps: self
                .stamp_offset
                .zip(echo)
                .map(|(offset, echo)| Timestamps { value: stamp(offset, now), echo }),
            fast_open: self.fast_open,
            ..Options::default()
        }
    }
}

/// The timestamp clock: a tick each millisecond (RFC 7323 §5.4), from a secret beginning on.
pub(super) fn stamp(offset: u32, now: Instant) -> u32 {
    offset.wrapping_add(low_u32(now.micros() / 1000))
}
