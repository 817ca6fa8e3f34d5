//! Packets as scripts write them: the only place where they are put into words.

use std::fmt;

use super::{Body, Packet, Segment, TcpOption, flag};

/// What is to be left out of a packet, or shown in another way.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Shown {
    /// The window was not given, and is not compared.
    pub(crate) hides_window: bool,
    /// ECN's three bits are a number.
    pub(crate) ace: bool,
}

impl Packet {
    /// One line, without direction and time.
    pub(crate) fn in_words(&self, shown: Shown) -> String {
        match &self.body {
            Body::Tcp(segment) => segment.in_words(shown),
            Body::Udp(datagram) => format!("udp ({})", datagram.payload.len()),
            Body::Icmp(message) => {
                let version = if self.source.is_ipv6() { 6 } else { 4 };
                format!("icmpv{version} type {} code {}", message.kind, message.code)
            }
            Body::Other(protocol) => format!("[NO TCP, UDP OR ICMP HEADER: protocol {protocol}]"),
        }
    }
}

impl Segment {
    fn in_words(&self, shown: Shown) -> String {
        let mut words: String = flag::LETTERS
            .iter()
            .filter(|(letter, bit)| self.has(*bit) && !(shown.ace && matches!(letter, 'E' | 'W' | 'A')))
            .map(|(letter, _)| *letter)
            .collect();
        if shown.ace {
            words += &flag::ace(self.flags).to_string();
        }
        let bytes = self.payload.len();
        let end = self.seq.wrapping_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        words += &format!(" {}:{end}({bytes})", self.seq);
        if self.has(flag::ACK) {
            words += &format!(" ack {}", self.ack);
        }
        if !shown.hides_window {
            words += &format!(" win {}", self.window);
        }
        if self.has(flag::URG) {
            words += &format!(" urg {}", self.urgent);
        }
        if !self.options.is_empty() {
            words += &format!(" <{}>", listed(&self.options));
        }
        words
    }
}

fn listed(options: &[TcpOption]) -> String {
    options.iter().map(TcpOption::to_string).collect::<Vec<_>>().join(",")
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let blob = |name: &str, bytes: &[u8]| format!("{name} {}", hex(bytes)).trim_end().to_owned();
        match self {
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::End => f.write_str("eol"),
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOption::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            TcpOption::FastOpen(cookie) => f.write_str(&blob("FO", cookie)),
            TcpOption::FastOpenExperimental(cookie) => f.write_str(&blob("FOEXP", cookie)),
            TcpOption::Md5(digest) => f.write_str(&blob("md5", digest)),
            TcpOption::AccEcn(counters) => {
                let order =
                    if counters.begins_with_ect0 { ["e0b", "ceb", "e1b"] } else { ["e1b", "ceb", "e0b"] };
                f.write_str("ECN")?;
                order
                    .iter()
                    .zip(&counters.counters)
                    .try_for_each(|(name, counter)| write!(f, " {name} {counter}"))
            }
            TcpOption::Other(kind, data) => f.write_str(&blob(&format!("option-{kind}"), data)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AccEcn;
    use super::*;

    #[test]
    fn a_segment_is_shown_as_it_would_be_written() {
        let counters = AccEcn { begins_with_ect0: true, counters: vec![1, 0, 1] };
        let segment = Segment {
            source_port: 1,
            destination_port: 2,
            flags: flag::PSH | flag::ACK | flag::AE | flag::ECE,
            seq: 1,
            ack: 5,
            window: 9,
            urgent: 0,
            options: vec![
                TcpOption::Nop,
                TcpOption::Sack(vec![(1, 2), (3, 4)]),
                TcpOption::FastOpen(vec![]),
                TcpOption::AccEcn(counters),
            ],
            payload: vec![0; 10],
        };
        let options = "<nop,sack 1:2 3:4,FO,ECN e0b 1 ceb 0 e1b 1>";
        assert_eq!(segment.in_words(Shown::default()), format!("P.EA 1:11(10) ack 5 win 9 {options}"));
        let shown = Shown { hides_window: true, ace: true };
        assert_eq!(segment.in_words(shown), format!("P.5 1:11(10) ack 5 {options}"));
    }
}
