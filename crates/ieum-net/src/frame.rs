//! A frame: one IP packet and, behind it, what offloading needs to know of it.
//!
//! ```text
//!  0                      packet's length          +1        +2     +3       +4              +6               +10
//!  ├─ the packet, from its IP header ─┤ version = 1 │ checksum │ kind │ 0 │ size of a part │ identification │
//! ```
//!
//! The words stand *behind* the packet, so that a message of a socket is received straight into a packet's memory and
//! only has to be shortened. Numbers are in network byte order. There is one encoding of each frame: what says nothing
//! is zero.

use ieum_wire::packet::PACKET_BYTES_MAX;
use ieum_wire::{ChecksumState, Gso, GsoKind, Packet};

/// Bytes behind the packet.
pub const TRAILER_BYTES: usize = 10;

/// The largest message that is a frame.
pub const FRAME_BYTES_MAX: usize = PACKET_BYTES_MAX + TRAILER_BYTES;

const VERSION: u8 = 1;

/// What stands behind the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trailer {
    /// Into what the packet would be cut.
    pub gso: Option<Gso>,
    /// Whether its transport checksum was computed.
    pub checksum: ChecksumState,
}

/// Why a message is not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than what stands behind a packet, or longer than the longest packet with it.
    #[error("not of a frame's length")]
    Length,
    /// Written by another version of ieum.
    #[error("of another version")]
    Version,
    /// A number that means nothing, or a word where there is nothing to say.
    #[error("without a meaning")]
    Meaning,
}

impl Trailer {
    /// What is to stand behind `packet`.
    pub fn of(packet: &Packet) -> Trailer {
        Trailer { gso: packet.gso, checksum: packet.checksum }
    }

    /// The trailer's bytes.
    pub fn encode(self) -> [u8; TRAILER_BYTES] {
        let checksum = match self.checksum {
            ChecksumState::Present => 0,
            ChecksumState::Deferred => 1,
            ChecksumState::Verified => 2,
        };
        let (kind, size_bytes, identification) = match self.gso {
            None => (0, 0, 0),
            Some(Gso { kind: GsoKind::Tcp, size_bytes }) => (1, size_bytes, 0),
            Some(Gso { kind: GsoKind::Datagrams, size_bytes }) => (2, size_bytes, 0),
            Some(Gso { kind: GsoKind::Fragments { identification }, size_bytes }) => {
                (3, size_bytes, identification)
            }
        };
        let [size_high, size_low] = size_bytes.to_be_bytes();
        let [a, b, c, d] = identification.to_be_bytes();
        [VERSION, checksum, kind, 0, size_high, size_low, a, b, c, d]
    }

    /// Reads what stands behind the packet in `message`, and answers with the packet's length.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: who sends such a message is no ieum.
    pub fn decode(message: &[u8]) -> Result<(usize, Trailer), DecodeError> {
        if message.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::Length);
        }
        let Some((packet, trailer)) = message.split_last_chunk::<TRAILER_BYTES>() else {
            return Err(DecodeError::Length);
        };
        let [version, checksum, kind, nothing, size_high, size_low, a, b, c, d] = *trailer;
        if version != VERSION {
            return Err(DecodeError::Version);
        }
        let checksum = match checksum {
            0 => ChecksumState::Present,
            1 => ChecksumState::Deferred,
            2 => ChecksumState::Verified,
            _ => return Err(DecodeError::Meaning),
        };
        let (size_bytes, identification) =
            (u16::from_be_bytes([size_high, size_low]), u32::from_be_bytes([a, b, c, d]));
        let kind = match (kind, identification) {
            (0, 0) => None,
            (1, 0) => Some(GsoKind::Tcp),
            (2, 0) => Some(GsoKind::Datagrams),
            (3, identification) => Some(GsoKind::Fragments { identification }),
            _ => return Err(DecodeError::Meaning),
        };
        // Parts have a size exactly where there are parts.
        if nothing != 0 || kind.is_some() != (size_bytes != 0) {
            return Err(DecodeError::Meaning);
        }
        let gso = kind.map(|kind| Gso { kind, size_bytes });
        Ok((packet.len(), Trailer { gso, checksum }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trailer() -> impl Strategy<Value = Trailer> {
        let checksum = prop_oneof![
            Just(ChecksumState::Present),
            Just(ChecksumState::Deferred),
            Just(ChecksumState::Verified)
        ];
        let kind = prop_oneof![
            Just(GsoKind::Tcp),
            Just(GsoKind::Datagrams),
            any::<u32>().prop_map(|identification| GsoKind::Fragments { identification }),
        ];
        let gso =
            proptest::option::of((kind, 1u16..).prop_map(|(kind, size_bytes)| Gso { kind, size_bytes }));
        (gso, checksum).prop_map(|(gso, checksum)| Trailer { gso, checksum })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(packet in prop::collection::vec(any::<u8>(), 0..100), trailer in trailer()) {
            let message = [&packet[..], &trailer.encode()].concat();
            prop_assert_eq!(Trailer::decode(&message), Ok((packet.len(), trailer)));
        }

        #[test]
        fn whatever_is_decoded_has_that_one_encoding(message in prop::collection::vec(0u8..4, 0..30)) {
            if let Ok((length, trailer)) = Trailer::decode(&message) {
                prop_assert_eq!(&message[length..], trailer.encode());
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let good = Trailer { gso: None, checksum: ChecksumState::Present }.encode();
        assert_eq!(Trailer::decode(&good[1..]), Err(DecodeError::Length));
        assert_eq!(Trailer::decode(&[0; FRAME_BYTES_MAX + 1]), Err(DecodeError::Length));
        for (at, byte, error) in [
            (0, 2, DecodeError::Version),
            (1, 3, DecodeError::Meaning),
            (2, 4, DecodeError::Meaning),
            (2, 1, DecodeError::Meaning),
            (3, 1, DecodeError::Meaning),
            (5, 1, DecodeError::Meaning),
            (9, 1, DecodeError::Meaning),
        ] {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(Trailer::decode(&bad), Err(error), "byte {at} is {byte}");
        }
    }
}
