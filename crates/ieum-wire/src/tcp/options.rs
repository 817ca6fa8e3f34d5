//! TCP options (RFC 9293 §3.2): MSS, window scale and timestamps (RFC 7323), SACK permitted and SACK (RFC 2018), Fast Open
//! (RFC 7413).

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
const FAST_OPEN: u8 = 34;
/// Kinds for experiments, told apart by two bytes (RFC 6994); Fast Open was one.
const EXPERIMENT: u8 = 254;
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];
/// Accurate ECN's two orders of fields (RFC 9768 §3.2.3): ECT(0) first, ECT(1) first.
const ACC_ECN_0: u8 = 172;
const ACC_ECN_1: u8 = 174;

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

/// The largest cookie of Fast Open, in bytes (RFC 7413 §4.1.1).
pub const COOKIE_BYTES_MAX: usize = 16;

/// A cookie of Fast Open (RFC 7413 §4.1.1): 4 to 16 bytes, an even number of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookie {
    bytes: [u8; COOKIE_BYTES_MAX],
    count: usize,
}

impl Cookie {
    /// The cookie of these bytes; `None` where their number cannot be one's.
    pub fn new(bytes: &[u8]) -> Option<Cookie> {
        let count = bytes.len();
        if !(4..=COOKIE_BYTES_MAX).contains(&count) || !count.is_multiple_of(2) {
            return None;
        }
        let mut all = [0; COOKIE_BYTES_MAX];
        all[..count].copy_from_slice(bytes);
        Some(Cookie { bytes: all, count })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// The Fast Open option (RFC 7413 §4.1.1); on a SYN only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastOpen {
    /// The cookie; without one it is asked for.
    pub cookie: Option<Cookie>,
    /// In the form that it had as an experiment (RFC 7413, appendix).
    pub experimental: bool,
}

impl FastOpen {
    /// The option in these bytes, from its kind on; a cookie that can be none is as good as no option.
    fn parse(option: &[u8], experimental: bool) -> Option<FastOpen> {
        let bytes = option.get(if experimental { 4 } else { 2 }..)?;
        let cookie = if bytes.is_empty() { None } else { Some(Cookie::new(bytes)?) };
        Some(FastOpen { cookie, experimental })
    }

    fn unpadded_bytes(&self) -> usize {
        let cookie = self.cookie.map_or(0, |cookie| cookie.count);
        cookie + if self.experimental { 4 } else { 2 }
    }
}

/// Counters of bytes by the codepoint they arrived with (RFC 9768 §3.2.3), of 24 bits each. Fields may be missing from the
/// end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccEcn {
    /// The fields are of ECT(1), CE, ECT(0); else of ECT(0), CE, ECT(1).
    pub ect1_first: bool,
    fields: [u32; 3],
    count: usize,
}

impl AccEcn {
    /// These counters, three at most, of which 24 bits are said.
    pub fn new(ect1_first: bool, counters: &[u32]) -> AccEcn {
        let mut option = AccEcn { ect1_first, fields: [0; 3], count: counters.len().min(3) };
        for (field, counter) in option.fields.iter_mut().zip(counters) {
            *field = counter & 0xff_ffff;
        }
        option
    }

    /// The fields that are there, in their order.
    pub fn fields(&self) -> &[u32] {
        &self.fields[..self.count]
    }

    /// Bytes of an option with so many fields, with its padding.
    pub const fn len_bytes_of(fields: usize) -> usize {
        (2 + 3 * fields).next_multiple_of(4)
    }

    fn parse(option: &[u8]) -> Option<AccEcn> {
        let ect1_first = *option.first()? == ACC_ECN_1;
        let fields = option.get(2..)?.chunks_exact(3);
        let counters: Vec<u32> =
            fields.map(|field| field.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))).collect();
        Some(AccEcn::new(ect1_first, &counters))
    }

    fn emit(&self, out: &mut [u8]) {
        let length = 2 + 3 * self.count;
        out[..AccEcn::len_bytes_of(self.count)].fill(NO_OPERATION);
        let byte = u8::try_from(length).expect("three fields have 11 bytes");
        put(out, 0, [if self.ect1_first { ACC_ECN_1 } else { ACC_ECN_0 }, byte]);
        for (index, field) in self.fields().iter().enumerate() {
            let [_, high, middle, low] = field.to_be_bytes();
            put(out, 2 + 3 * index, [high, middle, low]);
        }
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
    /// Fast Open; on a SYN only.
    pub fast_open: Option<FastOpen>,
    /// What has arrived by codepoint of ECN.
    pub acc_ecn: Option<AccEcn>,
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
                (ACC_ECN_0 | ACC_ECN_1, 2 | 5 | 8 | 11) => options.acc_ecn = AccEcn::parse(option),
                (SACK, 10 | 18 | 26 | 34) => options.sack = SackBlocks::parse(option)?,
                (FAST_OPEN, 2..) => options.fast_open = FastOpen::parse(option, false),
                (EXPERIMENT, 4..) if option[2..4] == FAST_OPEN_EXPERIMENT => {
                    options.fast_open = FastOpen::parse(option, true);
                }
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
            + self.fast_open.map_or(0, |option| option.unpadded_bytes().next_multiple_of(4))
            + self.acc_ecn.map_or(0, |option| AccEcn::len_bytes_of(option.count))
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
        }
        if let Some(option) = self.acc_ecn {
            option.emit(&mut out[at..]);
            at += AccEcn::len_bytes_of(option.count);
        }
        if self.timestamps.is_none() && self.sack_permitted {
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
        if let Some(option) = self.fast_open {
            let length = option.unpadded_bytes();
            let byte = u8::try_from(length).expect("a cookie has 16 bytes at most");
            if option.experimental {
                put(out, at, [EXPERIMENT, byte]);
                put(out, at + 2, FAST_OPEN_EXPERIMENT);
            } else {
                put(out, at, [FAST_OPEN, byte]);
            }
            let end = at + length;
            if let Some(cookie) = option.cookie {
                out[end - cookie.count..end].copy_from_slice(cookie.bytes());
            }
            out[end..at + length.next_multiple_of(4)].fill(NO_OPERATION);
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
    fn cookies_stand_last_and_come_back_in_both_forms() {
        for (experimental, bytes) in [(false, 6), (false, 8), (true, 4), (true, 16)] {
            let cookie = Cookie::new(&[7; COOKIE_BYTES_MAX][..bytes]);
            for cookie in [cookie, None] {
                let fast_open = Some(FastOpen { cookie, experimental });
                let options = Options { mss: Some(1460), fast_open, ..Options::default() };
                let mut out = vec![0; options.len_bytes()];
                options.emit(&mut out);
                assert_eq!(Options::parse(&out), Some(options));
                assert!(out.len().is_multiple_of(4) && out[0] == MSS);
            }
        }
        assert_eq!([2, 3, 5, 18].map(|count| Cookie::new(&vec![0; count])), [None; 4]);
        let odd = [FAST_OPEN, 5, 1, 2, 3];
        assert_eq!(Options::parse(&odd), Some(Options::default()));
    }

    #[test]
    fn counters_come_back_in_both_orders() {
        for ect1_first in [false, true] {
            for count in 0..=3 {
                let acc_ecn = Some(AccEcn::new(ect1_first, &[1, 0xff_ffff, 3][..count]));
                let options =
                    Options { mss: Some(1460), acc_ecn, sack_permitted: true, ..Options::default() };
                let mut out = vec![0; options.len_bytes()];
                options.emit(&mut out);
                assert_eq!(Options::parse(&out), Some(options));
            }
        }
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
