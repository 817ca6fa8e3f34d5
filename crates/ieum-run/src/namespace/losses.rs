//! What the kernel dropped of the namespace's datagrams, as /proc/net/snmp and /proc/net/snmp6 count it, by the names that the
//! host's stack has for the same reasons.

use std::fs::File;
use std::io::{Read, Seek};

/// The files, below /proc/PID/net.
pub(super) const FILES: [&str; 2] = ["snmp", "snmp6"];

/// The kernel's names (RFC 4113 has the first ones) behind `Udp`, `UdpLite`, `Udp6` and `UdpLite6`, and the host's.
const REASONS: [(&str, &str); 5] = [
    ("InCsumErrors", "udp checksum"),
    ("NoPorts", "udp port unknown"),
    ("RcvbufErrors", "udp queue full"),
    ("MemErrors", "udp queue full"),
    ("SndbufErrors", "udp unsent"),
];

/// What is counted now, each reason once; nothing of a file that cannot be read.
pub(super) fn read(files: &mut [File]) -> Vec<(&'static str, u64)> {
    let mut counted: Vec<(&'static str, u64)> = Vec::new();
    for file in files {
        let mut text = String::new();
        if file.rewind().is_err() || file.read_to_string(&mut text).is_err() {
            continue;
        }
        for (name, count) in in_pairs(&text).chain(in_lines(&text)) {
            let reason = REASONS.iter().find(|(kernels, _)| *kernels == name);
            let Some((_, reason)) = reason.filter(|_| count > 0) else { continue };
            match counted.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += count,
                None => counted.push((reason, count)),
            }
        }
    }
    counted
}

/// Of /proc/net/snmp: a line of names, and one of numbers below it; both begin with the protocol's name.
fn in_pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    let lines: Vec<&str> = text.lines().collect();
    let pairs: Vec<(&str, &str)> =
        lines.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
    pairs.into_iter().flat_map(|(names, numbers)| {
        let is_udp = |line: &str| line.starts_with("Udp: ") || line.starts_with("UdpLite: ");
        let is_pair = is_udp(names) && names.split(' ').next() == numbers.split(' ').next();
        let numbers = numbers.split_whitespace().skip(1).map(str::parse);
        let named = names.split_whitespace().skip(1).zip(numbers).take(if is_pair { usize::MAX } else { 0 });
        named.filter_map(|(name, number)| Some((name, number.ok()?)))
    })
}

/// Of /proc/net/snmp6: `Udp6NoPorts 0`, a line for each.
fn in_lines(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, number) = line.split_once(char::is_whitespace)?;
        let name = name.strip_prefix("UdpLite6").or_else(|| name.strip_prefix("Udp6"))?;
        Some((name, number.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_above_numbers_or_beside_them() {
        let text = "Tcp: InErrs NoPorts\nTcp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors\nUdp: 7 1 12\n\
                    UdpLite: NoPorts\nUdpLite: 3\n";
        let pairs: Vec<_> = in_pairs(text).collect();
        assert_eq!(pairs, [("InDatagrams", 7), ("NoPorts", 1), ("RcvbufErrors", 12), ("NoPorts", 3)]);
        let text = "Ip6InReceives   \t5\nUdp6NoPorts     \t4\nUdpLite6InCsumErrors\t2\n";
        assert_eq!(in_lines(text).collect::<Vec<_>>(), [("NoPorts", 4), ("InCsumErrors", 2)]);
    }
}
