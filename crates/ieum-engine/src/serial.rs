//! Serial numbers, and keys made of them: what a room of many sources calls each ([`Turn::watch`](crate::Turn::watch)).

/// A number that a room gives once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Serial(u64);

/// Gives serial numbers.
#[derive(Debug, Default)]
pub struct Serials {
    next: u64,
}

/// Bits of a key that are a serial number; those above, four, are a kind.
const SERIAL_BITS: u32 = 52;
const SERIAL_MASK: u64 = (1 << SERIAL_BITS) - 1;

impl Serials {
    /// The next one. At a million a second they last for 142 years.
    #[allow(clippy::should_implement_trait, reason = "they do not end")]
    pub fn next(&mut self) -> Serial {
        self.next += 1;
        Serial::of(self.next)
    }
}

impl Serial {
    /// That of a source of which a kind has few, which are counted otherwise.
    pub const fn of(number: u64) -> Serial {
        Serial(number & SERIAL_MASK)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The key of a source of that kind, from 0 to 15.
    pub const fn key(self, kind: u64) -> u64 {
        kind << SERIAL_BITS | self.0
    }

    /// Kind and serial number of a key.
    pub const fn of_key(key: u64) -> (u64, Serial) {
        (key >> SERIAL_BITS, Serial::of(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_kind_and_number() {
        let mut serials = Serials { next: SERIAL_MASK - 1 };
        for kind in 0..16 {
            let serial = serials.next();
            assert_eq!(Serial::of_key(serial.key(kind)), (kind, serial));
            assert!(serial.key(kind) < 1 << 56, "the engine keeps eight bits for itself");
        }
    }
}
