//! Linux's counters, as `nstat` shows them, from the reasons for which the stack drops packets.
//!
//! Only what the stack counts for the same reason stands here; who asks for another counter is told that it is missing.

/// A counter of Linux's (`/proc/net/netstat`, `/proc/net/snmp`) and the reasons of the stack that it sums up.
const ROWS: &[(&str, &[&str])] = &[
    ("TcpExtBeyondWindow", &["tcp outside window"]),
    ("TcpExtListenDrops", &["tcp accept queue full", "tcp syn queue full"]),
    ("TcpExtListenOverflows", &["tcp accept queue full"]),
    ("TcpExtOutOfWindowIcmps", &["tcp icmp ignored"]),
    ("TcpExtPAWSEstab", &["tcp old timestamp"]),
    ("TcpExtTCPRcvQDrop", &["tcp no memory"]),
    ("TcpInErrs", &["tcp truncated", "tcp data offset", "tcp checksum"]),
    ("UdpInErrors", &["udp truncated", "udp length", "udp checksum", "udp queue full"]),
    ("UdpNoPorts", &["udp port unknown"]),
    ("UdpRcvbufErrors", &["udp queue full"]),
];

/// Each counter and its value, from what the stack has dropped.
pub fn of(drops: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    let count =
        |reason: &str| drops.iter().filter(|(name, _)| *name == reason).map(|(_, count)| count).sum::<u64>();
    ROWS.iter().map(|(name, reasons)| (*name, reasons.iter().map(|reason| count(reason)).sum())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_summed_up_under_linuxs_names() {
        let drops = [("tcp accept queue full", 2), ("tcp syn queue full", 1), ("tcp options", 5)];
        let counters = of(&drops);
        assert!(
            counters.contains(&("TcpExtListenDrops", 3)) && counters.contains(&("TcpExtListenOverflows", 2))
        );
        assert!(counters.contains(&("UdpNoPorts", 0)));
        assert!(ROWS.is_sorted());
    }
}
