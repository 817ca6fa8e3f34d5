//! The UDP-Lite header (RFC 3828): UDP's, save that the place of the length says how much the checksum covers.
//!
//! The length is IP's to tell. The checksum may leave out the end of the payload, for those who take damaged bytes rather
//! than none; it is never absent, over IPv4 too.

use std::net::IpAddr;

use crate::bytes::u16_at;
use crate::checksum::{Sum, pseudo_header};
use crate::udp::{CHECKSUM_AT, HEADER_BYTES, Header};
use crate::units::Protocol;

/// Its number in the IP header.
pub const PROTOCOL: Protocol = Protocol::Other(136);

/// Why bytes are not a UDP-Lite datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Shorter than a header.
    Truncated,
    /// The checksum is said to cover less than the header, or more than there is (RFC 3828 §3.1).
    Coverage,
    /// It does not add up, or is absent.
    Checksum,
}

/// An intact datagram's header, and how many of its bytes the checksum covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The ports.
    pub header: Header,
    /// Bytes under the checksum, the header's 8 included.
    pub covered_bytes: usize,
}

/// Reads the datagram that is all of an IP packet's payload.
///
/// # Errors
///
/// See [`ParseError`].
pub fn parse(datagram: &[u8], source: IpAddr, destination: IpAddr) -> Result<Parsed, ParseError> {
    let at = |at| u16_at(datagram, at).ok_or(ParseError::Truncated);
    let header = Header { source_port: at(0)?, destination_port: at(2)? };
    let covered_bytes = match usize::from(at(4)?) {
        // RFC 3828 §3.1: 0 means all of it.
        0 => datagram.len(),
        bytes => bytes,
    };
    let has_checksum = at(CHECKSUM_AT)? != 0;
    let covered = datagram.get(..covered_bytes).filter(|covered| covered.len() >= HEADER_BYTES);
    let sum = sum(datagram.len(), source, destination).plus(covered.ok_or(ParseError::Coverage)?);
    if !has_checksum || !sum.is_valid() {
        return Err(ParseError::Checksum);
    }
    Ok(Parsed { header, covered_bytes })
}

/// Makes the first 8 bytes of `datagram`, whose payload is there, a header whose checksum covers `covered_bytes`: never
/// less than the header, never more than there is; 0 for all.
pub fn finish(header: Header, datagram: &mut [u8], covered_bytes: u16, source: IpAddr, destination: IpAddr) {
    let length_bytes = datagram.len();
    let all = covered_bytes == 0 || usize::from(covered_bytes) >= length_bytes;
    let covered = if all { length_bytes } else { usize::from(covered_bytes).max(HEADER_BYTES) };
    // What a header cannot say, a jumbogram's length, 0 says.
    let told = u16::try_from(covered).unwrap_or(0);
    let Some(head) = datagram.first_chunk_mut::<HEADER_BYTES>() else { return };
    *head = header.emit(told);
    let sum = sum(length_bytes, source, destination).plus(datagram.get(..covered).unwrap_or_default());
    // RFC 3828 §3.1: a computed zero is sent as all ones.
    let checksum = if sum.finish() == 0 { 0xffff } else { sum.finish() };
    if let Some(place) = datagram.get_mut(CHECKSUM_AT..HEADER_BYTES) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// The pseudo header's part: its length is the datagram's, whatever is covered (RFC 3828 §3.2).
fn sum(length_bytes: usize, source: IpAddr, destination: IpAddr) -> Sum {
    pseudo_header(source, destination, PROTOCOL, length_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { source_port: 5, destination_port: 40_000 };

    fn datagram(covered_bytes: u16) -> (Vec<u8>, IpAddr, IpAddr) {
        let (source, destination) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut datagram = [vec![0; HEADER_BYTES], vec![1, 2, 3, 4, 5]].concat();
        finish(HEADER, &mut datagram, covered_bytes, source, destination);
        (datagram, source, destination)
    }

    #[test]
    fn what_is_not_covered_may_be_damaged() {
        for (asked, covered_bytes) in [(0, 13), (99, 13), (13, 13), (10, 10), (3, 8)] {
            let (mut bytes, source, destination) = datagram(asked);
            let parsed = Parsed { header: HEADER, covered_bytes };
            assert_eq!(parse(&bytes, source, destination), Ok(parsed), "{asked} asked for");
            bytes[12] ^= 0xff;
            let damaged = if covered_bytes == 13 { Err(ParseError::Checksum) } else { Ok(parsed) };
            assert_eq!(
                parse(&bytes, source, destination),
                damaged,
                "{asked} asked for, and damage at the end"
            );
            bytes[0] ^= 0xff;
            assert_eq!(parse(&bytes, source, destination), Err(ParseError::Checksum));
        }
    }

    #[test]
    fn coverage_lies_between_the_header_and_all_there_is() {
        let (bytes, source, destination) = datagram(0);
        for told in [1, 7, 14, 0xffff_u16] {
            let mut bytes = bytes.clone();
            bytes[4..6].copy_from_slice(&told.to_be_bytes());
            assert_eq!(parse(&bytes, source, destination), Err(ParseError::Coverage), "{told}");
        }
        assert_eq!(parse(&bytes[..7], source, destination), Err(ParseError::Truncated));
        let mut absent = bytes;
        absent[6..8].fill(0);
        assert_eq!(parse(&absent, source, destination), Err(ParseError::Checksum));
    }
}
