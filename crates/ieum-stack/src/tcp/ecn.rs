//! Explicit congestion notification (RFC 3168): routers mark packets where they would drop them, the receiver echoes the
//! mark, the sender slows down as for a loss but has nothing to repeat.
//!
//! Agreed on in the SYNs (§6.1.1). Only data sent for the first time says that it may be marked: neither bare
//! acknowledgements nor repetitions do (§6.1.4, §6.1.5).

use ieum_wire::tcp::Flags;

/// The two bits beside the DSCP (RFC 3168 §5).
const BITS: u8 = 0b11;
/// This packet may be marked, ECT(0).
const CAPABLE: u8 = 0b10;

/// Who begins with ECN (Linux: net.ipv4.tcp_ecn).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnMode {
    /// Neither offered nor accepted.
    Off,
    /// Accepted when a peer offers it.
    #[default]
    Accept,
    /// Offered, and accepted.
    Offer,
}

/// ECN of a connection whose SYNs agreed on it: the receiving side. The sending side's is part of recovery.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ecn {
    /// A mark came, and the sender has not yet said that it slowed down: every segment says so (§6.1.3).
    pub(super) echoes: bool,
}

impl Ecn {
    /// A segment with data arrived. True when that should be answered at once.
    pub(super) fn data_arrives(&mut self, flags: Flags, tos: u8) -> bool {
        let is_marked = tos & BITS == BITS;
        let is_news = flags.cwr || (is_marked && !self.echoes);
        self.echoes = (self.echoes && !flags.cwr) || is_marked;
        is_news
    }
}

/// The TOS of a packet: the user's DSCP, and whether it may be marked.
pub(super) fn tos(users: u8, may_be_marked: bool) -> u8 {
    (users & !BITS) | if may_be_marked { CAPABLE } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_echoed_until_the_sender_says_that_it_slowed_down() {
        let mut ecn = Ecn::default();
        let cwr = Flags { cwr: true, ..Flags::ACK };
        let said = [
            (Flags::ACK, 0b10),
            (Flags::ACK, 0b11),
            (Flags::ACK, 0b11),
            (Flags::ACK, 0b10),
            (cwr, 0b10),
            (cwr, 0b11),
        ];
        let answers = said.map(|(flags, tos)| (ecn.data_arrives(flags, tos), ecn.echoes));
        let expected =
            [(false, false), (true, true), (false, true), (false, true), (true, false), (true, true)];
        assert_eq!(answers, expected);
    }
}
