//! TCP options (RFC 9293 §3.2): MSS, window scale and timestamps (RFC 7323), SACK permitted and SACK (RFC 2018).

use crate::bytes::{put, u16_at, u32_at};
use crate::seq::SeqNumber;
use crate::units::WindowScale;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// The timestamps option (RFC 7323 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The last value seen from the other side; meaningless without ACK.
    pub echo: u32,
}

/// SACK blocks that fit into one header beside nothing else (RFC 2018 §3): 40 bytes of options.
pub const SACK_BLOCKS_MAX: usize = 4;

/// Positions that have arrived: the first one, and the one behind the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SackBlock {
    /// Position of the block's first byte.
    pub begin: SeqNumber,
    /// Position behind its last byte.
    pub end: SeqNumber,
}

/// The blocks of a SACK option in their order, which has a meaning (RFC 2018 §4, RFC 2883 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SackBlocks {
    blocks: [SackBlock; SACK_BLOCKS_MAX],
    count: usize,
}

impl SackBlocks {
    /// Bytes of an option with so many blocks, padded to whole words; 0 for none.
    pub const fn len_bytes_of(count: usize) -> usize {
        if count == 0 { 0 } else { 4 + 8 * count }
    }

    /// The blocks.
    pub fn as_slice(&self) -> &[SackBlock] {
        &self.blocks[..self.count]
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a block behind the others; one too many is left out.
    pub fn push(&mut self, block: SackBlock) {
        if let Some(place) = self.blocks.get_mut(self.count) {
            *place = block;
            self.count += 1;
        }
    }

    fn parse(option: &[u8]) -> Option<SackBlocks> {
        let mut blocks = SackBlocks::default();
        for bytes in option.get(2..)?.chunks_exact(8) {
            blocks.push(SackBlock {
                begin: SeqNumber::new(u32_at(bytes, 0)?),
                end: SeqNumber::new(u32_at(bytes, 4)?),
            });
        }
        Some(blocks)
    }
}

/// The options of one segment. Unknown kinds are skipped (RFC 9293 §3.2, MUST-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Largest payload the sender accepts, in bytes; on a SYN only.
    pub mss: Option<u16>,
    /// Shift of the sender's windows; on a SYN only.
    pub window_scale: Option<WindowScale>,
    /// The sender reads SACK blocks; on a SYN only.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// What has arrived out of order.
    pub sack: SackBlocks,
}

impl Options {
    /// Reads all options; `None` where a length is wrong.
    pub(super) fn parse(mut bytes: &[u8]) -> Option<Options> {
        let mut options = Options::default();
        while let Some(&kind) = bytes.first() {
            match kind {
                END => break,
                NO_OPERATION => {
                    bytes = &bytes[1..];
                    continue;
                }
                _ => {}
            }
            let length = usize::from(*bytes.get(1)?);
            let option = bytes.get(..length)?;
            match (kind, length) {
                (MSS, 4) => options.mss = u16_at(option, 2),
                (WINDOW_SCALE, 3) => options.window_scale = Some(WindowScale::announced(option[2])),
                (SACK_PERMITTED, 2) => options.sack_permitted = true,
                (TIMESTAMPS, 10) => {
                    options.timestamps =
                        Some(Timestamps { value: u32_at(option, 2)?, echo: u32_at(option, 6)? });
                }
                (SACK, 10 | 18 | 26 | 34) => options.sack = SackBlocks::parse(option)?,
                (MSS | WINDOW_SCALE | SACK_PERMITTED | SACK | TIMESTAMPS, _) | (_, 0 | 1) => return None,
                _ => {}
            }
            bytes = &bytes[length..];
        }
        Some(options)
    }

    /// Bytes when emitted, padded to whole words.
    pub fn len_bytes(&self) -> usize {
        4 * (usize::from(self.mss.is_some())
            + usize::from(self.window_scale.is_some())
            + usize::from(self.sack_permitted && self.timestamps.is_none())
            + 3 * usize::from(self.timestamps.is_some()))
            + SackBlocks::len_bytes_of(self.sack.count)
    }

    /// Writes the options, each aligned by leading no-operations, into exactly [`Options::len_bytes`]. Their order is
    /// Linux's, and like there SACK-permitted takes the place of the two no-operations before timestamps: middleboxes and
    /// people have seen SYNs of that form, and a SYN has no room to waste.
    pub(super) fn emit(&self, out: &mut [u8]) {
        let mut at = 0;
        if let Some(mss) = self.mss {
            put(out, at, [MSS, 4]);
            put(out, at + 2, mss.to_be_bytes());
            at += 4;
        }
        let permitted = if self.sack_permitted { [SACK_PERMITTED, 2] } else { [NO_OPERATION; 2] };
        if let Some(timestamps) = self.timestamps {
            put(out, at, permitted);
            put(out, at + 2, [TIMESTAMPS, 10]);
            put(out, at + 4, timestamps.value.to_be_bytes());
            put(out, at + 8, timestamps.echo.to_be_bytes());
            at += 12;
        } else if self.sack_permitted {
            put(out, at, [NO_OPERATION; 2]);
            put(out, at + 2, permitted);
            at += 4;
        }
        if let Some(scale) = self.window_scale {
            put(out, at, [NO_OPERATION, WINDOW_SCALE, 3, scale.shift()]);
            at += 4;
        }
        if !self.sack.is_empty() {
            let length = u8::try_from(2 + 8 * self.sack.count).expect("four blocks have 34 bytes");
            put(out, at, [NO_OPERATION, NO_OPERATION, SACK, length]);
            at += 4;
            for block in self.sack.as_slice() {
                put(out, at, block.begin.value().to_be_bytes());
                put(out, at + 4, block.end.value().to_be_bytes());
                at += 8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_are_skipped_and_wrong_lengths_refused() {
        let bytes = [254, 4, 1, 2, MSS, 4, 5, 0xb4, END, 0xff];
        assert_eq!(Options::parse(&bytes), Some(Options { mss: Some(1460), ..Options::default() }));
        assert_eq!(Options::parse(&[MSS, 3, 5]), None);
        assert_eq!(Options::parse(&[99, 0, 0]), None);
        assert_eq!(Options::parse(&[99, 9, 0]), None);
        assert_eq!(Options::parse(&[99]), None);
    }

    #[test]
    fn the_options_of_a_syn_stand_as_linux_puts_them() {
        let emitted = |options: Options| {
            let mut out = vec![0xff; options.len_bytes()];
            options.emit(&mut out);
            assert_eq!(Options::parse(&out), Some(options));
            out.into_iter().filter(|byte| *byte != 0).collect::<Vec<_>>()
        };
        let stamps = Timestamps { value: 7, echo: 9 };
        let all = Options {
            mss: Some(1460),
            window_scale: Some(WindowScale::announced(8)),
            sack_permitted: true,
            timestamps: Some(stamps),
            ..Options::default()
        };
        let mss = [MSS, 4, 5, 0xb4];
        let of = |parts: &[&[u8]]| parts.concat();
        assert_eq!(all.len_bytes(), 20);
        assert_eq!(emitted(all), of(&[&mss, &[4, 2, 8, 10, 7, 9], &[1, 3, 3, 8]]));
        let unstamped = Options { timestamps: None, ..all };
        assert_eq!(emitted(unstamped), of(&[&mss, &[1, 1, 4, 2], &[1, 3, 3, 8]]));
        let without_sack = Options { sack_permitted: false, window_scale: None, ..all };
        assert_eq!(emitted(without_sack), of(&[&mss, &[1, 1, 8, 10, 7, 9]]));
    }

    #[test]
    fn blocks_come_back_in_their_order() {
        let mut sack = SackBlocks::default();
        for i in [5u32, 1, 3, 7, 9] {
            sack.push(SackBlock { begin: SeqNumber::new(i * 1000), end: SeqNumber::new(i * 1000 + 500) });
        }
        let options = Options { sack, ..Options::default() };
        assert_eq!((options.len_bytes(), sack.as_slice().len()), (36, SACK_BLOCKS_MAX));
        let mut out = [0; 36];
        options.emit(&mut out);
        assert_eq!(Options::parse(&out), Some(options));
        assert_eq!(Options::parse(&[SACK, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
