//! The names under which code finds the fields of Linux's `struct tcp_info`, and the constants beside them.

/// A field: its name, where it stands, and its size in bytes.
const FIELDS: &[(&str, usize, usize)] = &[
    ("tcpi_state", 0, 1),
    ("tcpi_ca_state", 1, 1),
    ("tcpi_retransmits", 2, 1),
    ("tcpi_probes", 3, 1),
    ("tcpi_backoff", 4, 1),
    ("tcpi_options", 5, 1),
    ("tcpi_rto", 8, 4),
    ("tcpi_ato", 12, 4),
    ("tcpi_snd_mss", 16, 4),
    ("tcpi_rcv_mss", 20, 4),
    ("tcpi_unacked", 24, 4),
    ("tcpi_sacked", 28, 4),
    ("tcpi_lost", 32, 4),
    ("tcpi_retrans", 36, 4),
    ("tcpi_fackets", 40, 4),
    ("tcpi_last_data_sent", 44, 4),
    ("tcpi_last_ack_sent", 48, 4),
    ("tcpi_last_data_recv", 52, 4),
    ("tcpi_last_ack_recv", 56, 4),
    ("tcpi_pmtu", 60, 4),
    ("tcpi_rcv_ssthresh", 64, 4),
    ("tcpi_rtt", 68, 4),
    ("tcpi_rttvar", 72, 4),
    ("tcpi_snd_ssthresh", 76, 4),
    ("tcpi_snd_cwnd", 80, 4),
    ("tcpi_advmss", 84, 4),
    ("tcpi_reordering", 88, 4),
    ("tcpi_rcv_rtt", 92, 4),
    ("tcpi_rcv_space", 96, 4),
    ("tcpi_total_retrans", 100, 4),
    ("tcpi_pacing_rate", 104, 8),
    ("tcpi_max_pacing_rate", 112, 8),
    ("tcpi_bytes_acked", 120, 8),
    ("tcpi_bytes_received", 128, 8),
    ("tcpi_segs_out", 136, 4),
    ("tcpi_segs_in", 140, 4),
    ("tcpi_notsent_bytes", 144, 4),
    ("tcpi_min_rtt", 148, 4),
    ("tcpi_data_segs_in", 152, 4),
    ("tcpi_data_segs_out", 156, 4),
    ("tcpi_delivery_rate", 160, 8),
    ("tcpi_busy_time", 168, 8),
    ("tcpi_rwnd_limited", 176, 8),
    ("tcpi_sndbuf_limited", 184, 8),
    ("tcpi_delivered", 192, 4),
    ("tcpi_delivered_ce", 196, 4),
    ("tcpi_bytes_sent", 200, 8),
    ("tcpi_bytes_retrans", 208, 8),
    ("tcpi_dsack_dups", 216, 4),
    ("tcpi_reord_seen", 220, 4),
    ("tcpi_rcv_ooopack", 224, 4),
    ("tcpi_snd_wnd", 228, 4),
    ("tcpi_rcv_wnd", 232, 4),
    ("tcpi_rehash", 236, 4),
    ("tcpi_total_rto", 240, 2),
    ("tcpi_total_rto_recoveries", 242, 2),
    ("tcpi_total_rto_time", 244, 4),
    ("tcpi_received_ce", 248, 4),
    ("tcpi_delivered_e1_bytes", 252, 4),
    ("tcpi_delivered_e0_bytes", 256, 4),
    ("tcpi_delivered_ce_bytes", 260, 4),
    ("tcpi_received_e1_bytes", 264, 4),
    ("tcpi_received_e0_bytes", 268, 4),
    ("tcpi_received_ce_bytes", 272, 4),
];

/// Fields that are part of a number: name, where that stands and its size, shift and mask.
const BITS: &[(&str, usize, usize, u32, u64)] = &[
    ("tcpi_snd_wscale", 6, 1, 0, 0xf),
    ("tcpi_rcv_wscale", 6, 1, 4, 0xf),
    ("tcpi_delivery_rate_app_limited", 7, 1, 0, 0x1),
    ("tcpi_ecn_mode", 276, 4, 0, 0x3),
    ("tcpi_accecn_opt_seen", 276, 4, 2, 0x3),
    ("tcpi_accecn_fail_mode", 276, 4, 4, 0xf),
    ("tcpi_options2", 276, 4, 8, 0xff_ffff),
];

const CONSTANTS: &[(&str, u64)] = &[
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
    ("TCPI_OPT_USEC_TS", 64),
    ("TCPI_OPT_TFO_CHILD", 128),
];

/// All names and values; fields beyond what a host tells are missing.
pub(super) fn variables(info: &[u8]) -> Vec<(&'static str, u64)> {
    let fields = FIELDS.iter().filter_map(|(name, at, bytes)| Some((*name, number(info, *at, *bytes)?)));
    let bits = BITS.iter().filter_map(|(name, at, bytes, shift, mask)| {
        Some((*name, number(info, *at, *bytes)? >> shift & mask))
    });
    CONSTANTS.iter().copied().chain(fields).chain(bits).collect()
}

/// The names of SO_MEMINFO's numbers, in their order.
const MEMORY: [&str; 9] = [
    "SK_MEMINFO_RMEM_ALLOC",
    "SK_MEMINFO_RCVBUF",
    "SK_MEMINFO_WMEM_ALLOC",
    "SK_MEMINFO_SNDBUF",
    "SK_MEMINFO_FWD_ALLOC",
    "SK_MEMINFO_WMEM_QUEUED",
    "SK_MEMINFO_OPTMEM",
    "SK_MEMINFO_BACKLOG",
    "SK_MEMINFO_DROPS",
];

/// What SO_MEMINFO tells, by name.
pub(super) fn memory(bytes: &[u8]) -> Vec<(&'static str, u64)> {
    let numbers = MEMORY.iter().enumerate();
    numbers.filter_map(|(index, name)| Some((*name, number(bytes, 4 * index, 4)?))).collect()
}

/// Is this a field, told or not?
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(field, ..)| *field == name) || BITS.iter().any(|(field, ..)| *field == name)
}

/// A number of this machine's own byte order.
fn number(info: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let bytes = info.get(at..at + bytes)?;
    let mut wide = [0; 8];
    if cfg!(target_endian = "big") {
        wide[8 - bytes.len()..].copy_from_slice(bytes);
    } else {
        wide[..bytes.len()].copy_from_slice(bytes);
    }
    Some(u64::from_ne_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_each_other_without_overlap() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].1 + pair[0].2 <= pair[1].1));
        assert!(FIELDS.iter().all(|(_, at, bytes)| at % bytes == 0));
        let variables = variables(&[0xff; 104]);
        assert!(
            variables.contains(&("tcpi_snd_cwnd", 0xffff_ffff))
                && variables.contains(&("tcpi_rcv_wscale", 15))
        );
        assert!(!variables.iter().any(|(name, _)| *name == "tcpi_delivered") && is_field("tcpi_delivered"));
    }
}
