//! Bytes that know their place: each is a function of a key and its offset, so that whoever receives them can tell
//! whether they came whole, in order and once.

/// A stream of such bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    key: u64,
}

impl Pattern {
    /// The stream of a key.
    pub const fn new(key: u64) -> Pattern {
        Pattern { key }
    }

    /// Writes the bytes from `offset` on.
    pub fn fill(self, mut offset: u64, mut into: &mut [u8]) {
        while !into.is_empty() {
            let (group, skip) = self.group(offset);
            let count = into.len().min(8 - skip);
            let (now, rest) = into.split_at_mut(count);
            now.copy_from_slice(&group[skip..skip + count]);
            into = rest;
            offset += 8 - u64::from(offset.to_le_bytes()[0] % 8);
        }
    }

    /// The first place where `bytes`, said to begin at `offset`, differ from the stream.
    pub fn differs(self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let mut expected = [0; 1024];
        let mut at = offset;
        for part in bytes.chunks(expected.len()) {
            let expected = &mut expected[..part.len()];
            self.fill(at, expected);
            if part != expected {
                let mut pairs = (at..).zip(part.iter().zip(expected));
                return pairs.find(|(_, (got, sent))| *got != *sent).map(|(at, _)| at);
            }
            at += u64::try_from(part.len()).unwrap_or(u64::MAX);
        }
        None
    }

    /// The eight bytes among which `offset` lies, and its place there.
    fn group(self, offset: u64) -> ([u8; 8], usize) {
        // One multiplication mixes the group's number well enough that no two groups of a test look alike.
        let group = ((offset / 8) ^ self.key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (group.to_be_bytes(), usize::from(offset.to_le_bytes()[0] % 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_or_changed_stream_differs() {
        let pattern = Pattern::new(7);
        let mut bytes = [0; 3000];
        pattern.fill(100, &mut bytes);
        assert_eq!(pattern.differs(100, &bytes), None);
        assert!(pattern.differs(101, &bytes).is_some());
        assert!(pattern.differs(100 + 1460, &bytes).is_some());
        assert!(Pattern::new(8).differs(100, &bytes).is_some());
        bytes[2999] ^= 1;
        assert_eq!(pattern.differs(100, &bytes), Some(3099));
    }
}
