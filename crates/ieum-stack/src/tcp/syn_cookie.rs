//! SYN cookies (RFC 4987 §3.6, appendix A): a listener without room answers a SYN and forgets it; what it must know again
//! stands in the sequence number of its answer, and comes back in the acknowledgement.
//!
//! The number: a keyed hash of the 4-tuple, plus the peer's own number, plus the minute in its upper 8 bits, plus, in the
//! lower 24, which of four sizes of segments the peer announced, blinded by a hash of tuple and minute. As on Linux. With
//! timestamps the lower 6 bits of ours carry what else was agreed on: the peer's window scale, SACK and classic ECN; without
//! them none of these is offered. Accurate ECN is told by the flags of the acknowledgement (RFC 9768 §5.1).
//!
//! What is lost: the exact MSS (rounded down), the SYN's data, and SYN-ACKs sent again.

use super::ecn::negotiation::{Agreed, PeerEcn, agreed};
use std::hash::BuildHasher;

use ieum_wire::{Instant, Mss, SeqNumber, WindowScale};

use super::isn::low_u32;
use super::peer_syn::{OwnSyn, PeerSyn, stamp};
use super::segment::Segment;
use super::tuple::FourTuple;
use crate::chance::Keyed;

/// Minutes for which a cookie is good: the one in which it was made and the next (Linux: MAX_SYNCOOKIE_AGE).
const MINUTES_MAX: u32 = 2;

/// The sizes a cookie can tell, the least first: what most paths of each family take.
const SIZES_IP4: [u16; 4] = [536, 1300, 1440, 1460];
const SIZES_IP6: [u16; 4] = [1220, 1420, 1440, 8940];

/// Bits of a timestamp that carry options.
const OPTION_BITS: u32 = 6;
const NO_SCALE: u32 = 0xf;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// Makes and reads cookies.
#[derive(Clone, Copy)]
pub(super) struct SynCookie {
    keyed: Keyed,
}

impl SynCookie {
    /// Under a key that nobody outside knows.
    pub(super) fn new(keyed: Keyed) -> SynCookie {
        SynCookie { keyed }
    }

    /// Our SYN for an answer that is forgotten: its number, and what it may offer.
    pub(super) fn syn(&self, now: Instant, tuple: &FourTuple, own: OwnSyn, peer: &PeerSyn) -> OwnSyn {
        let sizes = sizes(tuple);
        let size = sizes.iter().rposition(|size| *size <= peer.mss.bytes()).unwrap_or(0);
        let minute = minute(now);
        let data = u32::try_from(size).unwrap_or(0);
        let number = self
            .hash(tuple, 0)
            .wrapping_add(peer.irs.value())
            .wrapping_add(minute << 24)
            .wrapping_add(self.hash(tuple, minute.wrapping_add(1)).wrapping_add(data) & 0x00ff_ffff);
        let iss = SeqNumber::new(number);
        match own.stamp_offset.filter(|_| peer.stamp.is_some()) {
            Some(offset) => {
                let ours = stamp(0, now);
                let told = marked(ours, options(&own, peer));
                // A clock that shows now what is to be told.
                OwnSyn { iss, stamp_offset: Some(offset.wrapping_add(told.wrapping_sub(ours))), ..own }
            }
            None => OwnSyn { iss, stamp_offset: None, sack: false, scale: None, ..own },
        }
    }

    /// What a peer that acknowledges our number `iss` had said in its SYN; `None` when we never sent that number.
    pub(super) fn peer(
        &self,
        now: Instant,
        segment: &Segment<'_>,
        own: &OwnSyn,
    ) -> Option<(SeqNumber, PeerSyn)> {
        let (header, tuple) = (&segment.header, &segment.tuple);
        let (iss, irs) = (header.ack - 1, header.seq - 1);
        let rest = iss.value().wrapping_sub(self.hash(tuple, 0)).wrapping_sub(irs.value());
        let minute = minute(now);
        let age = minute.wrapping_sub(rest >> 24) & 0xff;
        if age >= MINUTES_MAX {
            return None;
        }
        let blind = self.hash(tuple, minute.wrapping_sub(age).wrapping_add(1));
        let size = rest.wrapping_sub(blind) & 0x00ff_ffff;
        let mss = *sizes(tuple).get(usize::try_from(size).ok()?)?;
        let stamps = header.options.timestamps.filter(|_| own.stamp_offset.is_some());
        let offset = own.stamp_offset.unwrap_or(0);
        // The echo of our clock as it was told: its lower bits are what was agreed on.
        let told = stamps.map(|stamps| stamps.echo.wrapping_sub(offset) & ((1 << OPTION_BITS) - 1));
        let scale = told.map(|bits| bits & NO_SCALE).filter(|scale| *scale != NO_SCALE);
        let peer = PeerSyn {
            irs,
            mss: Mss::announced(mss),
            scale: scale.and_then(|scale| u8::try_from(scale).ok()).map(WindowScale::announced),
            stamp: stamps.map(|stamps| stamps.value),
            sack: told.is_some_and(|bits| bits & SACK != 0),
            ecn: ecn_of(told.unwrap_or(0), header.flags.ace(), own),
            acc_ecn: None,
            window: header.window,
        };
        Some((iss, peer))
    }

    fn hash(&self, tuple: &FourTuple, count: u32) -> u32 {
        low_u32(self.keyed.hash_one((tuple.words(), count)))
    }
}

/// Classic ECN was written into our timestamp; accurate ECN the acknowledgement tells, which names the codepoint of our answer or
/// counts already, and never says 0 or 1 (RFC 9768 §5.1, as on Linux). With which codepoint the SYN arrived is forgotten.
fn ecn_of(told: u32, ace: u8, own: &OwnSyn) -> PeerEcn {
    let classic = told & ECN != 0;
    if !classic && ace > 1 && own.ecn.mode.accepts_accurate() {
        PeerEcn::offering_accurate()
    } else {
        PeerEcn::offering_classic(classic)
    }
}

fn sizes(tuple: &FourTuple) -> &'static [u16; 4] {
    if tuple.remote.is_ipv4() { &SIZES_IP4 } else { &SIZES_IP6 }
}

fn minute(now: Instant) -> u32 {
    low_u32(now.micros() / 60_000_000)
}

/// What both SYNs agree on, as it stands in a timestamp.
fn options(own: &OwnSyn, peer: &PeerSyn) -> u32 {
    let scale = peer.scale.filter(|_| own.scale.is_some()).map_or(NO_SCALE, |scale| u32::from(scale.shift()));
    let sack = if own.sack && peer.sack { SACK } else { 0 };
    let ecn = if agreed(&own.ecn, &peer.ecn, 0) == Agreed::Classic { ECN } else { 0 };
    scale | sack | ecn
}

/// A timestamp near `ours`, never later, whose distance from the clock's beginning ends with `bits`.
fn marked(ours: u32, bits: u32) -> u32 {
    let told = ours & !((1 << OPTION_BITS) - 1) | bits;
    if told.wrapping_sub(ours).cast_signed() > 0 { told.wrapping_sub(1 << OPTION_BITS) } else { told }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ieum_wire::tcp::{Flags, Header, Options, Timestamps};

    use super::*;
    use crate::chance::Chance;
    use crate::link::LinkId;
    use crate::tcp::ecn::{EcnMode, EcnRules};

    const NOW: Instant = Instant::from_micros(7_000_000_123);

    fn tuple() -> FourTuple {
        FourTuple { local: ([10, 0, 0, 1], 80).into(), remote: ([10, 0, 0, 2], 1000).into() }
    }

    fn own() -> OwnSyn {
        OwnSyn {
            iss: SeqNumber::new(0),
            mss: Mss::announced(1460),
            stamp_offset: Some(77),
            sack: true,
            scale: Some(WindowScale::announced(7)),
            ecn: EcnRules::default(),
            path_mss: Mss::announced(1460),
            fast_open: None,
        }
    }

    fn peer(mss: u16, stamp: Option<u32>) -> PeerSyn {
        PeerSyn {
            irs: SeqNumber::new(4_000_000_000),
            mss: Mss::announced(mss),
            scale: Some(WindowScale::announced(9)),
            stamp,
            sack: true,
            ecn: PeerEcn::offering_classic(true),
            acc_ecn: None,
            window: 1000,
        }
    }

    /// The peer's acknowledgement of a SYN-ACK with that SYN, and what is read from it after `later`.
    fn answered(mss: u16, stamp: Option<u32>, later: Duration, forged: u32) -> Option<PeerSyn> {
        let cookie = SynCookie::new(Chance::new([5; 32]).keyed());
        let (peer, ours) = (peer(mss, stamp), own());
        let told = cookie.syn(NOW, &tuple(), ours, &peer);
        let options = told.options(NOW, Some(&peer), 0);
        let timestamps =
            options.timestamps.map(|stamps| Timestamps { value: stamps.echo + 1, echo: stamps.value });
        let header = Header {
            source_port: 1000,
            destination_port: 80,
            seq: peer.irs + 1,
            ack: told.iss + 1 + forged,
            flags: Flags::ACK,
            window: 500,
            urgent: 0,
            options: Options { timestamps, ..Options::default() },
        };
        let segment =
            Segment { header, payload: &[], frames: 1, tos: 0, tuple: tuple(), link: LinkId::default() };
        let (iss, read) = cookie.peer(NOW + later, &segment, &ours)?;
        assert_eq!((iss, read.irs), (told.iss, peer.irs));
        Some(read)
    }

    #[test]
    fn timestamps_carry_what_was_agreed_on() {
        let read = answered(1400, Some(3), Duration::from_secs(1), 0).unwrap();
        assert_eq!((read.mss.bytes(), read.scale.map(WindowScale::shift)), (1300, Some(9)));
        assert!(read.sack && read.ecn == PeerEcn::offering_classic(true) && read.stamp == Some(4));
    }

    #[test]
    fn without_timestamps_only_the_size_is_remembered() {
        let read = answered(9000, None, Duration::from_secs(1), 0).unwrap();
        assert_eq!((read.mss.bytes(), read.scale, read.stamp), (1460, None, None));
        assert!(!read.sack && read.ecn == PeerEcn::default());
    }

    #[test]
    fn the_flags_of_the_acknowledgement_tell_accurate_ecn() {
        let mut own = own();
        own.ecn.mode = EcnMode::AcceptAccurate;
        assert_eq!(ecn_of(0, 0b010, &own), PeerEcn::offering_accurate());
        assert_eq!(ecn_of(0, 0b101, &own), PeerEcn::offering_accurate());
        assert_eq!(ecn_of(0, 0b001, &own), PeerEcn::default(), "cleared, or of somebody else");
        assert_eq!(ecn_of(ECN, 0b010, &own), PeerEcn::offering_classic(true));
        own.ecn.mode = EcnMode::Accept;
        assert_eq!(ecn_of(0, 0b010, &own), PeerEcn::default());
    }

    #[test]
    fn what_no_cookie_remembers_is_not_accepted() {
        let rules = EcnRules { mode: EcnMode::AcceptAccurate, ..EcnRules::default() };
        let classic = PeerEcn::offering_classic(true);
        assert_eq!(classic.remembered(&rules, true), classic);
        assert_eq!(classic.remembered(&rules, false), PeerEcn::default());
        let accurate = PeerEcn::offering_accurate();
        assert_eq!(accurate.remembered(&rules, false), accurate);
    }

    #[test]
    fn a_cookie_is_good_for_a_minute_or_two_and_cannot_be_guessed() {
        assert!(answered(536, None, Duration::from_secs(60), 0).is_some());
        assert!(answered(536, None, Duration::from_secs(120), 0).is_none());
        assert!((4..2000).all(|forged| answered(536, None, Duration::ZERO, forged).is_none()));
    }
}
