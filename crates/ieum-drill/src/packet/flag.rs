//! The bits of TCP's flags (RFC 9293 §3.1, RFC 3168 §6.1, RFC 9768 §3.1), and the letters that scripts use for them.

pub(crate) const FIN: u16 = 0x001;
pub(crate) const SYN: u16 = 0x002;
pub(crate) const RST: u16 = 0x004;
pub(crate) const PSH: u16 = 0x008;
pub(crate) const ACK: u16 = 0x010;
pub(crate) const URG: u16 = 0x020;
pub(crate) const ECE: u16 = 0x040;
pub(crate) const CWR: u16 = 0x080;
pub(crate) const AE: u16 = 0x100;
/// Bits that mean nothing yet.
pub(crate) const RESERVED: u16 = 0xe00;

/// Letters in the order in which they are shown.
pub(crate) const LETTERS: [(char, u16); 9] = [
    ('F', FIN),
    ('S', SYN),
    ('R', RST),
    ('P', PSH),
    ('.', ACK),
    ('U', URG),
    ('E', ECE),
    ('W', CWR),
    ('A', AE),
];

/// The bit that a letter stands for.
pub(crate) fn of_letter(letter: char) -> Option<u16> {
    LETTERS.iter().find(|(other, _)| *other == letter).map(|(_, bit)| *bit)
}

/// The three bits of a number from 0 to 7 (the ACE field of AccECN).
pub(crate) fn of_ace(ace: u32) -> u16 {
    let bit = |number, flag| if ace & number != 0 { flag } else { 0 };
    bit(1, ECE) | bit(2, CWR) | bit(4, AE)
}

/// The number that the three bits are.
pub(crate) fn ace(flags: u16) -> u32 {
    let number = |flag, number| if flags & flag != 0 { number } else { 0 };
    number(ECE, 1) | number(CWR, 2) | number(AE, 4)
}
