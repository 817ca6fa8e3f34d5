//! What a peer's SYN says, and what both SYNs together make of a connection.

use ieum_wire::tcp::{FastOpen, Options, Timestamps};
use ieum_wire::{Instant, Mss, SeqNumber, WindowScale};

use super::ecn::EcnMode;
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
    /// It offers ECN, or accepts ours (RFC 3168 §6.1.1).
    pub(super) ecn: bool,
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
            ecn: header.flags.ece && header.flags.cwr != header.flags.ack,
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
    /// Timestamps are offered, on a clock that begins here.
    pub(super) stamp_offset: Option<u32>,
    /// We read SACK.
    pub(super) sack: bool,
    /// The shift of the windows after it; `None`: windows are not to be scaled.
    pub(super) scale: Option<WindowScale>,
    pub(super) ecn: EcnMode,
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

    /// The ECN bits of a SYN or, with the peer's own, of a SYN-ACK (RFC 3168 §6.1.1): ECE and CWR offer, ECE accepts. A
    /// SYN that is `repeated` offers nothing: perhaps that was why it was lost (§6.1.1.1).
    pub(super) fn ecn_bits(&self, peer: Option<&PeerSyn>, repeated: bool) -> (bool, bool) {
        match peer {
            None => (self.ecn == EcnMode::Offer && !repeated, self.ecn == EcnMode::Offer && !repeated),
            Some(peer) => (self.ecn != EcnMode::Off && peer.ecn, false),
        }
    }

    /// Have both SYNs agreed on ECN? `active`: ours came first.
    pub(super) fn agrees_on_ecn(&self, peer: &PeerSyn, active: bool, repeated: bool) -> bool {
        let we = if active { self.ecn == EcnMode::Offer && !repeated } else { self.ecn != EcnMode::Off };
        we && peer.ecn
    }

    /// The shift that expresses every window the settings may lead to.
    pub(super) fn scale_for(settings: &TcpSettings) -> WindowScale {
        WindowScale::covering(settings.scaled_window_bytes.max(settings.recv_buffer_bytes))
    }

    /// The options of a SYN or, with the peer's own SYN known, of a SYN-ACK, which offers only what was offered
    /// (RFC 7323 §2.2, §3.2).
    pub(super) fn options(&self, now: Instant, peer: Option<&PeerSyn>) -> Options {
        let offers_scale = peer.is_none_or(|peer| peer.scale.is_some());
        let echo = match peer {
            None => Some(0),
            Some(peer) => peer.stamp,
        };
        Options {
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
