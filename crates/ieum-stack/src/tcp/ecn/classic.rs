//! The receiving side of classic ECN (RFC 3168 §6.1.3): a mark is echoed until the sender says that it slowed down. The
//! sending side is part of recovery.

use ieum_wire::tcp::Flags;

use super::{CE, codepoint};

/// What is to be echoed.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Classic {
    /// A mark came, and the sender has not yet said that it slowed down: every segment says so (§6.1.3).
    pub(in crate::tcp) echoes: bool,
}

impl Classic {
    /// A segment with data arrived. True when that should be answered at once.
    pub(in crate::tcp) fn data_arrives(&mut self, flags: Flags, tos: u8) -> bool {
        let is_marked = codepoint(tos) == CE;
        let is_news = flags.cwr || (is_marked && !self.echoes);
        self.echoes = (self.echoes && !flags.cwr) || is_marked;
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_echoed_until_the_sender_says_that_it_slowed_down() {
        let mut classic = Classic::default();
        let cwr = Flags { cwr: true, ..Flags::ACK };
        let said = [
            (Flags::ACK, 0b10),
            (Flags::ACK, 0b11),
            (Flags::ACK, 0b11),
            (Flags::ACK, 0b10),
            (cwr, 0b10),
            (cwr, 0b11),
        ];
        let answers = said.map(|(flags, tos)| (classic.data_arrives(flags, tos), classic.echoes));
        let expected =
            [(false, false), (true, true), (false, true), (false, true), (true, false), (true, true)];
        assert_eq!(answers, expected);
    }
}
