//! Explicit congestion notification: routers mark packets where they would drop them, the receiver says so, the sender
//! slows down as for a loss but has nothing to repeat.
//!
//! Two ways to say so. *Classic* (RFC 3168): one bit, until the sender answers; so one mark in a round trip is all that can be
//! told. *Accurate* (RFC 9768): the three bits AE, CWR and ECE count the marked packets, modulo 8, and an option counts bytes
//! by codepoint. Which of them it is the SYNs agree on ([`negotiation`]); in doubt the older, or none.
//!
//! Of classic ECN only data sent for the first time may be marked: neither bare acknowledgements nor repetitions (RFC 3168
//! §6.1.4, §6.1.5). Of accurate ECN every segment may, save SYNs, which Linux sends without as well.
//!
//! Files: [`negotiation`], [`classic`], [`accurate`] (counters and what they mean), [`report`] (what of them a segment says).

pub(super) mod accurate;
pub(super) mod classic;
pub(super) mod negotiation;
pub(super) mod report;

pub(super) use self::accurate::Accurate;
pub use self::accurate::AccurateCounts;
pub(super) use self::classic::Classic;

/// The two bits beside the DSCP (RFC 3168 §5).
const BITS: u8 = 0b11;
/// Not to be marked.
pub(super) const NOT_CAPABLE: u8 = 0b00;
/// May be marked, in two ways.
pub(super) const ECT1: u8 = 0b01;
/// May be marked, ECT(0).
pub(super) const ECT0: u8 = 0b10;
/// Was marked.
pub(super) const CE: u8 = 0b11;

/// Who begins with ECN, and with which (Linux: net.ipv4.tcp_ecn, 0 to 5 in this order but for the first three).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnMode {
    /// Neither offered nor accepted (0).
    Off,
    /// Classic ECN is accepted when a peer offers it (2).
    #[default]
    Accept,
    /// Classic ECN is offered, and accepted (1).
    Offer,
    /// Accurate ECN is offered, and accepted; the classic one is, too (3).
    OfferAccurate,
    /// Accurate ECN is accepted, the classic one offered (4).
    AcceptAccurateOfferClassic,
    /// Accurate ECN is accepted, nothing is offered (5).
    AcceptAccurate,
}

impl EcnMode {
    fn offers_accurate(self) -> bool {
        self == EcnMode::OfferAccurate
    }

    fn offers_classic(self) -> bool {
        matches!(self, EcnMode::Offer | EcnMode::AcceptAccurateOfferClassic)
    }

    pub(in crate::tcp) fn accepts_accurate(self) -> bool {
        matches!(self, EcnMode::OfferAccurate | EcnMode::AcceptAccurateOfferClassic | EcnMode::AcceptAccurate)
    }

    fn accepts_classic(self) -> bool {
        self != EcnMode::Off
    }
}

/// When accurate ECN's option is sent (Linux: net.ipv4.tcp_ecn_option).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnOption {
    /// Never (0).
    Never,
    /// When a counter has changed in a way that needs it, and now and then (1).
    WhenNeeded,
    /// With every segment that has room (2).
    #[default]
    Always,
    /// Even when such segments seem to be dropped on their way (3).
    Persistently,
}

/// What is meant by ECN in a stack; may change while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EcnRules {
    /// Who begins with it.
    pub mode: EcnMode,
    /// When accurate ECN's option is sent.
    pub option: EcnOption,
    /// How often in a round trip at least, when nothing else asks for it (Linux: tcp_ecn_option_beacon); 0: not for that.
    pub beacons: u32,
    /// SYNs that were lost go without, and a path that changes codepoints in impossible ways is not trusted (Linux:
    /// tcp_ecn_fallback).
    pub fallback: bool,
}

impl Default for EcnRules {
    fn default() -> EcnRules {
        EcnRules { mode: EcnMode::default(), option: EcnOption::default(), beacons: 3, fallback: true }
    }
}

/// ECN of a connection.
#[derive(Debug)]
pub(super) enum Ecn {
    /// Not agreed on.
    Off,
    /// RFC 3168.
    Classic(Classic),
    /// RFC 9768. Few connections have it, so that it lies elsewhere.
    Accurate(Box<Accurate>),
}

impl Ecn {
    /// Is it agreed on, in one way or the other?
    pub(super) fn is_on(&self) -> bool {
        !matches!(self, Ecn::Off)
    }

    pub(super) fn accurate(&self) -> Option<&Accurate> {
        match self {
            Ecn::Accurate(accurate) => Some(accurate),
            Ecn::Off | Ecn::Classic(_) => None,
        }
    }

    pub(super) fn accurate_mut(&mut self) -> Option<&mut Accurate> {
        match self {
            Ecn::Accurate(accurate) => Some(accurate),
            Ecn::Off | Ecn::Classic(_) => None,
        }
    }
}

/// The codepoint of a packet with this TOS.
pub(super) fn codepoint(tos: u8) -> u8 {
    tos & BITS
}

/// The TOS of a packet: the user's DSCP, and whether it may be marked.
pub(super) fn tos(users: u8, may_be_marked: bool) -> u8 {
    (users & !BITS) | if may_be_marked { ECT0 } else { NOT_CAPABLE }
}
