//! What the SYNs agree on (RFC 3168 §6.1.1, RFC 9768 §3.1).
//!
//! The three flags AE, CWR and ECE are read as a number. A SYN offers accurate ECN by 111, classic ECN by 011. The
//! SYN-ACK accepts accurate ECN by saying with which codepoint the SYN arrived, classic ECN by 001. The last
//! acknowledgement of the handshake says the same of the SYN-ACK, so that both learn whether the path changes
//! codepoints.

use super::{CE, ECT0, ECT1, EcnOption, EcnRules, NOT_CAPABLE, codepoint};

/// A SYN that offers classic ECN, and accurate ECN.
const OFFERS_CLASSIC: u8 = 0b011;
const OFFERS_ACCURATE: u8 = 0b111;
/// A SYN-ACK that accepts classic ECN.
const ACCEPTS_CLASSIC: u8 = 0b001;
/// A SYN-ACK that has no meaning yet, and is to be read as accepting accurate ECN (RFC 9768 §3.1.3).
const RESERVED: u8 = 0b101;
/// So many SYNs offer accurate ECN, and so many SYN-ACKs accept it, before its flags count as what loses them (RFC 9768
/// §3.1.4.1 asks for one repetition with them at least).
const ACCURATE_TRIES: u32 = 2;

/// What a peer's SYN says of ECN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::tcp) struct PeerEcn {
    /// AE, CWR and ECE.
    pub(in crate::tcp) ace: u8,
    /// The codepoint it arrived with.
    pub(in crate::tcp) codepoint: u8,
    /// It answered ours: it had ACK.
    pub(in crate::tcp) answers: bool,
    /// A later one did not offer what the first did: something on its way dislikes it.
    pub(in crate::tcp) wavered: bool,
}

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tcp) enum Agreed {
    Off,
    Classic,
    Accurate,
}

/// The number by which a SYN-ACK, and the acknowledgement after it, says with which codepoint the other's SYN arrived (RFC 9768
/// §3.1.2, table 2).
pub(in crate::tcp) fn reflected(codepoint: u8) -> u8 {
    match codepoint {
        ECT1 => 0b011,
        ECT0 => 0b100,
        CE => 0b110,
        _ => 0b010,
    }
}

/// The codepoint that such a number says; `None` for one that says nothing.
pub(in crate::tcp) fn codepoint_said(ace: u8) -> Option<u8> {
    match ace {
        0b010 => Some(NOT_CAPABLE),
        0b011 => Some(ECT1),
        0b100 => Some(ECT0),
        0b110 => Some(CE),
        _ => None,
    }
}

/// May a packet that was sent as `sent` arrive as `came`? Routers mark; nothing else.
pub(in crate::tcp) fn is_possible(sent: u8, came: u8) -> bool {
    sent == came || (sent != NOT_CAPABLE && sent != CE && came != NOT_CAPABLE)
}

impl PeerEcn {
    /// A SYN that offers classic ECN, or nothing.
    pub(in crate::tcp) fn offering_classic(offers: bool) -> PeerEcn {
        PeerEcn { ace: if offers { OFFERS_CLASSIC } else { 0 }, ..PeerEcn::default() }
    }

    /// A SYN that offers accurate ECN, of which nothing else is known: an answer to its acceptance by a cookie has told it.
    pub(in crate::tcp) fn offering_accurate() -> PeerEcn {
        PeerEcn { ace: OFFERS_ACCURATE, ..PeerEcn::default() }
    }

    /// What a cookie remembers of that SYN: the acknowledgement tells accurate ECN by itself (RFC 9768 §5.1), classic ECN
    /// a timestamp; without `stamps` it is as if it had not been offered.
    pub(in crate::tcp) fn remembered(self, rules: &EcnRules, stamps: bool) -> PeerEcn {
        if stamps || accepted(rules, &self) == Agreed::Accurate { self } else { PeerEcn::default() }
    }

    /// The SYN came once more, with these flags and TOS. It can take back what it offered, not offer more (RFC 9768 §3.1.5).
    pub(in crate::tcp) fn again(self, ace: u8, tos: u8) -> PeerEcn {
        let offered = self.offers_accurate();
        PeerEcn { codepoint: codepoint(tos), wavered: self.wavered || (offered && ace == 0), ..self }
    }

    /// Does it offer accurate ECN? Any number but 000 and 011 does (RFC 9768 §3.1.3), so that later ones may mean more.
    fn offers_accurate(self) -> bool {
        !self.answers && self.ace != 0 && self.ace != OFFERS_CLASSIC
    }

    fn offers_classic(self) -> bool {
        !self.answers && self.ace & OFFERS_CLASSIC == OFFERS_CLASSIC
    }
}

/// The number on a SYN that is sent for the `tries`th time (from 0 on), or on the SYN-ACK that answers `peer`.
pub(in crate::tcp) fn ace_of_syn(rules: &EcnRules, peer: Option<&PeerEcn>, tries: u32) -> u8 {
    let limit = |most| if rules.fallback { most } else { u32::MAX };
    match peer {
        None if rules.mode.offers_accurate() && tries < limit(ACCURATE_TRIES) => OFFERS_ACCURATE,
        // RFC 3168 §6.1.1.1: perhaps that was why it was lost.
        None if rules.mode.offers_classic() && tries < limit(1) => OFFERS_CLASSIC,
        None => 0,
        Some(peer) => match accepted(rules, peer) {
            Agreed::Accurate if tries < limit(ACCURATE_TRIES) => reflected(peer.codepoint),
            Agreed::Classic => ACCEPTS_CLASSIC,
            Agreed::Accurate | Agreed::Off => 0,
        },
    }
}

/// Does the SYN-ACK have the option that shows whether the path lets it pass? Only the first one (RFC 9768 §3.2.3.2.1).
pub(in crate::tcp) fn has_option(rules: &EcnRules, peer: Option<&PeerEcn>, tries: u32) -> bool {
    let accepts = peer.is_some_and(|peer| accepted(rules, peer) == Agreed::Accurate);
    accepts && tries == 0 && rules.option != EcnOption::Never
}

/// What we accept of a SYN.
fn accepted(rules: &EcnRules, peer: &PeerEcn) -> Agreed {
    if peer.offers_accurate() && rules.mode.accepts_accurate() {
        Agreed::Accurate
    } else if peer.offers_classic() && rules.mode.accepts_classic() {
        Agreed::Classic
    } else {
        Agreed::Off
    }
}

/// What our SYN, sent again so often, and the peer's have agreed on.
pub(in crate::tcp) fn agreed(rules: &EcnRules, peer: &PeerEcn, retries: u32) -> Agreed {
    if !peer.answers {
        // Theirs came first, or both crossed.
        return accepted(rules, peer);
    }
    if rules.mode.offers_accurate() {
        return match peer.ace {
            // No ECN there; or a server that answers with what it was sent.
            0 | OFFERS_ACCURATE => Agreed::Off,
            ACCEPTS_CLASSIC => Agreed::Classic,
            RESERVED => Agreed::Accurate,
            _ => Agreed::Accurate,
        };
    }
    let offered = rules.mode.offers_classic() && (retries == 0 || !rules.fallback);
    if offered && peer.ace & OFFERS_CLASSIC == ACCEPTS_CLASSIC { Agreed::Classic } else { Agreed::Off }
}

#[cfg(test)]
mod tests {
    use super::super::EcnMode;
    use super::*;

    fn rules(mode: EcnMode) -> EcnRules {
        EcnRules { mode, ..EcnRules::default() }
    }

    fn syn(ace: u8, codepoint: u8) -> PeerEcn {
        PeerEcn { ace, codepoint, ..PeerEcn::default() }
    }

    fn answer(ace: u8) -> PeerEcn {
        PeerEcn { ace, answers: true, ..PeerEcn::default() }
    }

    #[test]
    fn a_syn_ack_says_how_the_syn_arrived() {
        let rules = rules(EcnMode::AcceptAccurate);
        for (codepoint, ace) in [(NOT_CAPABLE, 0b010), (ECT1, 0b011), (ECT0, 0b100), (CE, 0b110)] {
            assert_eq!(ace_of_syn(&rules, Some(&syn(0b111, codepoint)), 0), ace);
            assert_eq!(codepoint_said(ace), Some(codepoint));
        }
    }

    #[test]
    fn whoever_knows_only_the_older_gets_the_older() {
        assert_eq!(ace_of_syn(&rules(EcnMode::OfferAccurate), Some(&syn(0b011, 0)), 0), 0b001);
        assert_eq!(ace_of_syn(&rules(EcnMode::Offer), Some(&syn(0b111, 0)), 0), 0b001);
        assert_eq!(ace_of_syn(&rules(EcnMode::Off), Some(&syn(0b111, 0)), 0), 0);
        let agreed = |ace| agreed(&rules(EcnMode::OfferAccurate), &answer(ace), 0);
        assert_eq!([0b000, 0b001, 0b111].map(agreed), [Agreed::Off, Agreed::Classic, Agreed::Off]);
        assert_eq!([0b010, 0b011, 0b100, 0b110, 0b101].map(agreed), [Agreed::Accurate; 5]);
    }

    #[test]
    fn syns_that_are_lost_go_without_in_the_end() {
        let tries = |mode| [0, 1, 2].map(|tries| ace_of_syn(&rules(mode), None, tries));
        assert_eq!(tries(EcnMode::OfferAccurate), [0b111, 0b111, 0]);
        assert_eq!(tries(EcnMode::Offer), [0b011, 0, 0]);
        assert_eq!(tries(EcnMode::AcceptAccurate), [0; 3]);
    }

    #[test]
    fn unknown_offers_count_as_accurate() {
        for ace in [0b001, 0b010, 0b100, 0b101, 0b110, 0b111] {
            assert_eq!(agreed(&rules(EcnMode::AcceptAccurate), &syn(ace, 0), 0), Agreed::Accurate);
        }
    }

    #[test]
    fn routers_only_mark() {
        assert!(is_possible(ECT0, CE) && is_possible(ECT1, ECT0) && is_possible(NOT_CAPABLE, NOT_CAPABLE));
        assert!(!is_possible(NOT_CAPABLE, CE) && !is_possible(ECT0, NOT_CAPABLE) && !is_possible(CE, ECT0));
    }
}
