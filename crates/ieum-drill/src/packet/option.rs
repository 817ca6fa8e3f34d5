//! TCP options, each as it stands in a header.

/// One option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TcpOption {
    Nop,
    End,
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    /// Left and right edges.
    Sack(Vec<(u32, u32)>),
    Timestamps {
        value: u32,
        echo: u32,
    },
    /// A cookie (RFC 7413).
    FastOpen(Vec<u8>),
    /// The same under the experimental kind (RFC 7413 appendix).
    FastOpenExperimental(Vec<u8>),
    /// A digest (RFC 2385).
    Md5(Vec<u8>),
    AccEcn(AccEcn),
    /// Any other kind with its data.
    Other(u8, Vec<u8>),
}

/// Counters of bytes (RFC 9768 §3.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AccEcn {
    /// Kind 172, which counts ECT(0) first; else 174.
    pub(crate) begins_with_ect0: bool,
    /// Of 24 bits, at most three.
    pub(crate) counters: Vec<u32>,
}

const EXPERIMENTAL: u8 = 254;
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

impl TcpOption {
    pub(crate) fn kind(&self) -> u8 {
        match self {
            TcpOption::End => 0,
            TcpOption::Nop => 1,
            TcpOption::Mss(_) => 2,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 4,
            TcpOption::Sack(_) => 5,
            TcpOption::Timestamps { .. } => 8,
            TcpOption::Md5(_) => 19,
            TcpOption::FastOpen(_) => 34,
            TcpOption::AccEcn(counters) => {
                if counters.begins_with_ect0 {
                    172
                } else {
                    174
                }
            }
            TcpOption::FastOpenExperimental(_) => EXPERIMENTAL,
            TcpOption::Other(kind, _) => *kind,
        }
    }

    /// What follows kind and length.
    fn data(&self) -> Vec<u8> {
        match self {
            TcpOption::End | TcpOption::Nop | TcpOption::SackPermitted => Vec::new(),
            TcpOption::Mss(mss) => mss.to_be_bytes().to_vec(),
            TcpOption::WindowScale(shift) => vec![*shift],
            TcpOption::Sack(blocks) => blocks
                .iter()
                .flat_map(|(left, right)| [left.to_be_bytes(), right.to_be_bytes()])
                .flatten()
                .collect(),
            TcpOption::Timestamps { value, echo } => [value.to_be_bytes(), echo.to_be_bytes()].concat(),
            TcpOption::FastOpen(bytes) | TcpOption::Md5(bytes) | TcpOption::Other(_, bytes) => bytes.clone(),
            TcpOption::FastOpenExperimental(cookie) => [&FAST_OPEN_MAGIC, cookie.as_slice()].concat(),
            TcpOption::AccEcn(counters) => counters
                .counters
                .iter()
                .flat_map(|counter| counter.to_be_bytes().into_iter().skip(1))
                .collect(),
        }
    }

    /// Bytes in the header.
    pub(crate) fn len_bytes(&self) -> usize {
        if matches!(self, TcpOption::End | TcpOption::Nop) { 1 } else { 2 + self.data().len() }
    }

    pub(crate) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        if let TcpOption::End | TcpOption::Nop = self {
            return;
        }
        let data = self.data();
        out.push(u8::try_from(2 + data.len()).unwrap_or(u8::MAX));
        out.extend(data);
    }

    /// All options of a header; `None` when a length is wrong.
    pub(crate) fn parse_all(mut bytes: &[u8]) -> Option<Vec<TcpOption>> {
        let mut options = Vec::new();
        while let Some((&kind, rest)) = bytes.split_first() {
            if kind <= 1 {
                options.push(if kind == 0 { TcpOption::End } else { TcpOption::Nop });
                bytes = rest;
                continue;
            }
            let length = usize::from(*rest.first()?);
            let data = bytes.get(2..length)?;
            options.push(TcpOption::of(kind, data));
            bytes = &bytes[length..];
        }
        Some(options)
    }

    /// An option of a length that its kind does not have stays what it is: bytes.
    fn of(kind: u8, data: &[u8]) -> TcpOption {
        let words: Vec<u32> = data.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect();
        let bytes = || data.to_vec();
        match (kind, data) {
            (2, [high, low]) => TcpOption::Mss(u16::from_be_bytes([*high, *low])),
            (3, [shift]) => TcpOption::WindowScale(*shift),
            (4, []) => TcpOption::SackPermitted,
            (5, _) if !data.is_empty() && data.len().is_multiple_of(8) => TcpOption::Sack(
                words.as_chunks::<2>().0.iter().map(|[left, right]| (*left, *right)).collect(),
            ),
            (8, _) if data.len() == 8 => TcpOption::Timestamps { value: words[0], echo: words[1] },
            (19, _) => TcpOption::Md5(bytes()),
            (34, _) => TcpOption::FastOpen(bytes()),
            (172 | 174, _) if data.len() <= 9 && data.len().is_multiple_of(3) => {
                let counter = |three: &[u8; 3]| u32::from_be_bytes([0, three[0], three[1], three[2]]);
                let counters = data.as_chunks::<3>().0.iter().map(counter).collect();
                TcpOption::AccEcn(AccEcn { begins_with_ect0: kind == 172, counters })
            }
            (EXPERIMENTAL, magic) if magic.starts_with(&FAST_OPEN_MAGIC) => {
                TcpOption::FastOpenExperimental(data[2..].to_vec())
            }
            _ => TcpOption::Other(kind, bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_being_written_and_read() {
        let options = vec![
            TcpOption::Mss(1460),
            TcpOption::Nop,
            TcpOption::WindowScale(7),
            TcpOption::SackPermitted,
            TcpOption::Sack(vec![(1, 2), (3, 4)]),
            TcpOption::Timestamps { value: 5, echo: 6 },
            TcpOption::FastOpen(vec![1, 2, 3, 4]),
            TcpOption::FastOpenExperimental(vec![5]),
            TcpOption::Md5(vec![0; 16]),
            TcpOption::AccEcn(AccEcn { begins_with_ect0: false, counters: vec![1, 0xffffff] }),
            TcpOption::Other(77, vec![1]),
            TcpOption::End,
        ];
        let mut bytes = Vec::new();
        options.iter().for_each(|option| option.emit(&mut bytes));
        assert_eq!(bytes.len(), options.iter().map(TcpOption::len_bytes).sum::<usize>());
        assert_eq!(TcpOption::parse_all(&bytes), Some(options));
        assert_eq!(TcpOption::parse_all(&[2, 9, 1]), None);
        assert_eq!(TcpOption::parse_all(&[2, 1]), None);
    }
}
