//! struct msghdr and struct mmsghdr in the caller's memory: the same on all 64-bit machines.

use rustix::io::Errno;

use crate::bounds::{CONTROL_BYTES_MAX, PIECES_MAX};
use crate::memory::Memory;
use crate::sys::number as n;

/// sizeof struct mmsghdr.
pub(super) const MULTI_BYTES: u64 = 64;
/// offsetof(struct mmsghdr, msg_len).
pub(super) const MULTI_LEN: u64 = 56;

const HEADER_BYTES: usize = 56;
const NAME_LEN: u64 = 8;
/// sizeof struct cmsghdr.
const CONTROL_HEADER_BYTES: usize = 16;
const CONTROL_LEN: u64 = 40;
const FLAGS: u64 = 48;
const PIECE_BYTES: usize = 16;

/// One message header.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Where it is.
    at: u64,
    /// Where the address is, or is wanted; 0 for none.
    pub(super) name: u64,
    pub(super) name_len: i32,
    /// Where control messages are wanted, and how many bytes of them.
    control: u64,
    control_room: usize,
    /// The pieces of memory the payload is in: address and length.
    pub(super) pieces: Vec<(u64, usize)>,
}

impl Header {
    /// A header for calls that have none: one piece.
    pub(super) fn of_buffer(address: u64, len: usize) -> Header {
        Header { at: 0, name: 0, name_len: 0, control: 0, control_room: 0, pieces: vec![(address, len)] }
    }

    pub(super) fn read(memory: &Memory<'_>, at: u64) -> Result<Header, Errno> {
        let bytes: [u8; HEADER_BYTES] = memory.read_array(at)?;
        let (name, name_len) = (word(&bytes, 0), half(&bytes, 8));
        if name != 0 && name_len < 0 {
            return Err(Errno::INVAL);
        }
        let count = usize::try_from(word(&bytes, 24)).unwrap_or(usize::MAX);
        if count > PIECES_MAX {
            return Err(Errno::MSGSIZE);
        }
        let list = memory.read(word(&bytes, 16), count * PIECE_BYTES)?;
        let piece = |piece: &[u8]| (word(piece, 0), usize::try_from(word(piece, 8)).unwrap_or(usize::MAX));
        Ok(Header {
            at,
            name,
            name_len,
            control: word(&bytes, 32),
            control_room: usize::try_from(word(&bytes, 40)).unwrap_or(usize::MAX),
            pieces: list.chunks_exact(PIECE_BYTES).map(piece).collect(),
        })
    }

    /// Are there control messages, or room for them?
    pub(super) fn has_control(&self) -> bool {
        self.control_room > 0
    }

    /// Bytes the pieces have room for.
    pub(super) fn room(&self) -> usize {
        self.pieces.iter().fold(0, |sum: usize, (_, len)| sum.saturating_add(*len))
    }

    /// All bytes of the pieces.
    ///
    /// # Errors
    ///
    /// EMSGSIZE for more than `bytes_max`.
    pub(super) fn gather(&self, memory: &Memory<'_>, bytes_max: usize) -> Result<Vec<u8>, Errno> {
        if self.room() > bytes_max {
            return Err(Errno::MSGSIZE);
        }
        let mut all = Vec::with_capacity(self.room());
        for (address, len) in &self.pieces {
            all.extend(memory.read(*address, *len)?);
        }
        Ok(all)
    }

    /// The first bytes of the pieces, at most `bytes_max`.
    pub(super) fn gather_some(&self, memory: &Memory<'_>, bytes_max: usize) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        for (address, len) in &self.pieces {
            all.extend(memory.read(*address, (*len).min(bytes_max - all.len()))?);
        }
        Ok(all)
    }

    /// The control messages that are sent along.
    ///
    /// # Errors
    ///
    /// ENOBUFS for more than Linux takes.
    pub(super) fn control_messages(&self, memory: &Memory<'_>) -> Result<Vec<u8>, Errno> {
        if self.control_room > CONTROL_BYTES_MAX {
            return Err(Errno::NOBUFS);
        }
        memory.read(self.control, self.control_room)
    }

    /// Spreads `bytes` over the pieces; how many had room.
    pub(super) fn scatter(&self, memory: &Memory<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        let mut rest = bytes;
        for (address, len) in &self.pieces {
            let (now, later) = rest.split_at(rest.len().min(*len));
            memory.write(*address, now)?;
            rest = later;
        }
        Ok(bytes.len() - rest.len())
    }

    /// What recvmsg tells beside the payload: the address, its length, as many control messages as have room, and flags.
    pub(super) fn tell(
        &self,
        memory: &Memory<'_>,
        address: &[u8],
        control: &[Vec<u8>],
        flags: i32,
    ) -> Result<(), Errno> {
        if self.name != 0 {
            let room = usize::try_from(self.name_len).map_err(|_| Errno::INVAL)?;
            memory.write(self.name, address.get(..room).unwrap_or(address))?;
            memory.write_int(self.at + NAME_LEN, i32::try_from(address.len()).unwrap_or(0))?;
        }
        let (told, fits) = laid_out(control, self.control_room);
        memory.write(self.control, &told)?;
        memory.write(self.at + CONTROL_LEN, &told.len().to_ne_bytes())?;
        memory.write_int(self.at + FLAGS, if fits { flags } else { flags | n::MSG_CTRUNC })
    }
}

/// Control messages in so many bytes, as the kernel has them: the last may go without its padding, or be cut, and then
/// not all fit.
fn laid_out(control: &[Vec<u8>], room: usize) -> (Vec<u8>, bool) {
    let (mut told, mut fits) = (Vec::new(), true);
    for message in control {
        let left = room - told.len();
        // It begins with its own length, without padding.
        let whole = usize::try_from(word(message, 0)).unwrap_or(usize::MAX);
        fits &= whole <= left;
        if left < CONTROL_HEADER_BYTES {
            continue;
        }
        let at = told.len();
        told.extend(message.iter().take(left));
        told[at..at + size_of::<usize>()].copy_from_slice(&whole.min(left).to_ne_bytes());
    }
    (told, fits)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..at + 4).and_then(|half| half.try_into().ok()).map_or(0, i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of `data` bytes.
    fn message(data: usize) -> Vec<u8> {
        let mut bytes = (CONTROL_HEADER_BYTES + data).to_ne_bytes().to_vec();
        bytes.resize((CONTROL_HEADER_BYTES + data).next_multiple_of(size_of::<usize>()), 7);
        bytes
    }

    #[test]
    fn the_last_control_message_needs_no_room_for_its_padding() {
        let (told, fits) = laid_out(&[message(12)], CONTROL_HEADER_BYTES + 12);
        assert_eq!((told, fits), (message(12)[..28].to_vec(), true));
        let (told, fits) = laid_out(&[message(12), message(4)], 32 + 20);
        assert_eq!((told.len(), fits), (52, true));
    }

    #[test]
    fn a_control_message_without_room_is_cut_and_says_how_long_it_is() {
        let (told, fits) = laid_out(&[message(12)], 20);
        assert_eq!((word(&told, 0), told.len(), fits), (20, 20, false));
        assert_eq!(laid_out(&[message(12)], 15), (Vec::new(), false));
        let (told, fits) = laid_out(&[message(4), message(4)], 24);
        assert_eq!((told, fits), (message(4), false));
    }
}
