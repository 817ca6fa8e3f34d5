//! TCP sequence numbers: 32 bits that wrap (RFC 9293 §3.4).

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A position in one direction of a TCP connection, modulo 2³².
///
/// It has no `<`: before and after mean something only within half the number space, and the names say so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(u32);

impl SeqNumber {
    /// The number as it stands in a header.
    pub const fn new(value: u32) -> SeqNumber {
        SeqNumber(value)
    }

    /// The number as a header carries it.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Is this position left of `other`?
    pub const fn before(self, other: SeqNumber) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() < 0
    }

    /// Is this position right of `other`?
    pub const fn after(self, other: SeqNumber) -> bool {
        other.before(self)
    }

    /// Left of `other`, or at it.
    pub const fn at_or_before(self, other: SeqNumber) -> bool {
        !other.before(self)
    }

    /// Right of `other`, or at it.
    pub const fn at_or_after(self, other: SeqNumber) -> bool {
        !self.before(other)
    }

    /// The further right of two positions.
    pub fn max(self, other: SeqNumber) -> SeqNumber {
        if self.before(other) { other } else { self }
    }

    /// How many positions lie between `earlier` and this one; zero when `earlier` is in fact to the right.
    pub const fn since(self, earlier: SeqNumber) -> u32 {
        if self.before(earlier) { 0 } else { self.0.wrapping_sub(earlier.0) }
    }
}

impl Add<u32> for SeqNumber {
    type Output = SeqNumber;
    fn add(self, count: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(count))
    }
}

impl AddAssign<u32> for SeqNumber {
    fn add_assign(&mut self, count: u32) {
        *self = *self + count;
    }
}

impl Sub<u32> for SeqNumber {
    type Output = SeqNumber;
    fn sub(self, count: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(count))
    }
}

impl fmt::Debug for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        let left = SeqNumber::new(u32::MAX - 1);
        let right = left + 3;
        assert_eq!(right.value(), 1);
        assert!(left.before(right) && right.after(left));
        assert!(left.at_or_before(left) && left.at_or_after(left));
        assert_eq!(right.since(left), 3);
        assert_eq!(left.since(right), 0);
        assert_eq!(left.max(right), right);
    }
}
