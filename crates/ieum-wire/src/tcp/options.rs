//! TCP options (RFC 9293 §3.2): MSS, window scale and timestamps (RFC 7323), SACK permitted (RFC 2018).

use crate::bytes::{put, u16_at, u32_at};
use crate::units::WindowScale;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;

/// The timestamps option (RFC 7323 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The last value seen from the other side; meaningless without ACK.
    pub echo: u32,
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
                (MSS | WINDOW_SCALE | SACK_PERMITTED | TIMESTAMPS, _) | (_, 0 | 1) => return None,
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
            + usize::from(self.sack_permitted)
            + 3 * usize::from(self.timestamps.is_some()))
    }

    /// Writes the options, each aligned by leading no-operations, into exactly [`Options::len_bytes`].
    pub(super) fn emit(&self, out: &mut [u8]) {
        let mut at = 0;
        if let Some(mss) = self.mss {
            put(out, at, [MSS, 4]);
            put(out, at + 2, mss.to_be_bytes());
            at += 4;
        }
        if self.sack_permitted {
            put(out, at, [NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
            at += 4;
        }
        if let Some(timestamps) = self.timestamps {
            put(out, at, [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10]);
            put(out, at + 4, timestamps.value.to_be_bytes());
            put(out, at + 8, timestamps.echo.to_be_bytes());
            at += 12;
        }
        if let Some(scale) = self.window_scale {
            put(out, at, [NO_OPERATION, WINDOW_SCALE, 3, scale.shift()]);
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
}
