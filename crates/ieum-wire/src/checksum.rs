//! The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.

use std::net::IpAddr;

use crate::units::Protocol;

/// A running ones' complement sum. Parts of an odd length may only come last.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum(u64);

impl Sum {
    /// Nothing added yet.
    pub const fn new() -> Sum {
        Sum(0)
    }

    /// Adds bytes as big-endian words; an odd last byte is padded with zero (RFC 1071 §4.1).
    #[must_use]
    pub fn plus(self, bytes: &[u8]) -> Sum {
        // Words are summed in the machine's own order and swapped once at the end (RFC 1071 §2 (B)); eight at a
        // time in 32-bit lanes, so that the compiler can use vectors.
        let mut lanes = [0u64; 4];
        let mut blocks = bytes.chunks_exact(32);
        for block in &mut blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                let word = u64::from_ne_bytes(*word);
                *lane += (word & 0xffff_ffff) + (word >> 32);
            }
        }
        let mut native: u64 = lanes.iter().map(|lane| (lane & 0xffff_ffff) + (lane >> 32)).sum();
        let mut words = blocks.remainder().chunks_exact(2);
        for word in &mut words {
            native += u64::from(u16::from_ne_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            native += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        Sum(self.0 + u64::from(fold(native).to_be()))
    }

    /// Adds one number.
    #[must_use]
    pub const fn plus_u16(self, word: u16) -> Sum {
        Sum(self.0 + word as u64)
    }

    /// The sum folded to 16 bits, not complemented: what a partial checksum field holds.
    pub fn folded(self) -> u16 {
        fold(self.0)
    }

    /// The checksum field's value: the folded sum, complemented.
    pub fn finish(self) -> u16 {
        !self.folded()
    }

    /// Does a header whose checksum field was included add up?
    pub fn is_valid(self) -> bool {
        self.folded() == 0xffff
    }
}

fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The sum over the pseudo header: addresses, protocol and length of what follows (RFC 9293 §3.1, RFC 8200 §8.1).
pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: Protocol, length: usize) -> Sum {
    let sum = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Sum::new().plus(&source.octets()).plus(&destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Sum::new().plus(&source.octets()).plus(&destination.octets())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            unreachable!("a packet has one address family")
        }
    };
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    sum.plus(&length).plus_u16(u16::from(protocol.number()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().plus(&bytes).folded(), 0xddf2);
    }

    #[test]
    fn any_length_equals_the_plain_sum() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3001).collect();
        for length in (0..200).chain([1459, 1460, 3001]) {
            let plain: u64 = bytes[..length]
                .chunks(2)
                .map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0)))
                .sum();
            assert_eq!(Sum::new().plus(&bytes[..length]).folded(), fold(plain), "length {length}");
        }
    }
}
