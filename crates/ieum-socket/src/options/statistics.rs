//! What is told of a connection with a timestamp (SOF_TIMESTAMPING_OPT_STATS): part of TCP_INFO, as attributes of netlink.

use ieum_stack::{Info, Status};

use super::info;

/// An attribute: its number (TCP_NLA_…), where its value lies in `struct tcp_info`, and in how many bytes.
type Attribute = (u16, usize, usize);

/// In the order in which Linux writes them.
const BEFORE_QUEUE: [Attribute; 12] = [
    (1, 168, 8),
    (2, 176, 8),
    (3, 184, 8),
    (4, 156, 4),
    (5, 100, 4),
    (6, 104, 8),
    (7, 160, 8),
    (8, 80, 4),
    (9, 88, 4),
    (10, 148, 4),
    (11, 2, 1),
    (12, 7, 1),
];

/// Behind the length of the queue.
const AFTER_QUEUE: [Attribute; 10] = [
    (14, 1, 1),
    (15, 76, 4),
    (16, 192, 4),
    (17, 196, 4),
    (18, 200, 8),
    (19, 208, 8),
    (20, 216, 4),
    (21, 220, 4),
    (22, 68, 4),
    (24, 144, 4),
];

/// Counts of segments, which are wider here than in TCP_INFO.
const WIDE: [u16; 2] = [4, 5];

/// Bytes written and not acknowledged.
const QUEUE: u16 = 13;

/// The attributes of a connection.
pub(crate) fn statistics(known: &(Status, Info)) -> Vec<u8> {
    let told = info::of_connection(Some(known));
    let of_info = |all: &mut Vec<u8>, (number, at, bytes): Attribute| {
        let value = told.get(at..at + bytes).unwrap_or_default();
        match value.first_chunk::<4>().filter(|_| WIDE.contains(&number)) {
            Some(count) => attribute(all, number, &u64::from(u32::from_ne_bytes(*count)).to_ne_bytes()),
            None => attribute(all, number, value),
        }
    };
    let mut all = Vec::new();
    BEFORE_QUEUE.into_iter().for_each(|row| of_info(&mut all, row));
    let queued = u32::try_from(known.0.unacknowledged_bytes).unwrap_or(u32::MAX);
    attribute(&mut all, QUEUE, &queued.to_ne_bytes());
    AFTER_QUEUE.into_iter().for_each(|row| of_info(&mut all, row));
    all
}

/// Its length with its head, its number, its value, and bytes up to the next multiple of four.
fn attribute(all: &mut Vec<u8>, number: u16, value: &[u8]) {
    let bytes = u16::try_from(4 + value.len()).expect("no value has more than 8 bytes");
    all.extend(bytes.to_ne_bytes());
    all.extend(number.to_ne_bytes());
    all.extend(value);
    all.resize(all.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_has_its_length_its_number_and_whole_words() {
        let mut all = Vec::new();
        attribute(&mut all, 11, &[7]);
        attribute(&mut all, 8, &10_u32.to_ne_bytes());
        let expected = [5_u16, 11].map(u16::to_ne_bytes).concat();
        assert_eq!(all[..4], expected);
        assert_eq!((all[4], all[8], all.len()), (7, 8, 16));
    }
}
