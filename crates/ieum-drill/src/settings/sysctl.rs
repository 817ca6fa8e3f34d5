//! The table: each sysctl that is known, and what becomes of its value.

use ieum_socket::numbers::{TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL};

use super::Settings;
use super::value::{
    congestion, doubts_timeouts, ecn, ecn_option, fast_open, fast_open_keys, fin_timeout, flag, milliseconds,
    moderate, mtu_probing, no_path_mtu, number, orphan_retries, recovery, recv_buffer, restarts_after_idle,
    send_buffer, socket, syn_cookies, tail_probes, time_wait_reuse, timestamps, unsent_max,
};

/// One row: a sysctl without its `net.`.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) default: &'static str,
    pub(super) becomes: Becomes,
}

/// What becomes of a value.
pub(super) enum Becomes {
    /// It is applied; `None`: no such value.
    Sets(fn(&mut Settings, &str) -> Option<()>),
    /// ieum does it as these values say, and has nothing for others.
    Only(&'static [&'static str]),
    /// It has no counterpart, for this reason.
    Ignored(&'static str),
}

use Becomes::{Ignored, Only, Sets};

const fn row(name: &'static str, meaning: &'static str, default: &'static str, becomes: Becomes) -> Row {
    Row { name, meaning, default, becomes }
}

const RECV_BUFFERS: &str = "a stream's grows by tcp_rmem where it does not choose";
const SEND_BUFFERS: &str = "a stream's grows by tcp_wmem where it does not choose";
const MEASURED_SHARE: &str = "what of a buffer is window is measured";
const FIXED_RETRIES: &str = "the number of attempts is fixed";

/// All that is known, by name.
pub(super) const ROWS: &[Row] = &[
    row("core.default_qdisc", "queue of a link", "-", Ignored("a link has no queue")),
    row("core.optmem_max", "memory of options", "-", Ignored("options take no memory that is bounded")),
    row("core.rmem_default", "receive buffer", "-", Ignored(RECV_BUFFERS)),
    row("core.rmem_max", "largest receive buffer", "-", Ignored(RECV_BUFFERS)),
    row("core.somaxconn", "longest accept queue", "4096", Ignored("scripts open few connections")),
    row("core.wmem_default", "send buffer", "-", Ignored(SEND_BUFFERS)),
    row("core.wmem_max", "largest send buffer", "-", Ignored(SEND_BUFFERS)),
    row("ipv4.ip_no_pmtu_disc", "no path MTU discovery (RFC 1191)", "0", Sets(no_path_mtu)),
    row(
        "ipv4.tcp_abort_on_overflow",
        "RST when the accept queue is full",
        "0",
        Sets(|set, value| flag(&mut set.tcp_rules.abort_on_overflow, value)),
    ),
    row("ipv4.tcp_adv_win_scale", "part of a buffer that is window", "-", Ignored(MEASURED_SHARE)),
    row("ipv4.tcp_allowed_congestion_control", "who may choose which", "-", Ignored("everybody may")),
    row("ipv4.tcp_app_win", "part of a window kept back", "-", Ignored(MEASURED_SHARE)),
    row("ipv4.tcp_autocorking", "waits for the link's queue", "0", Ignored("a link has no queue")),
    row(
        "ipv4.tcp_base_mss",
        "first size that is probed",
        "1024",
        Sets(|set, value| number(&mut set.tcp_defaults.base_mss, value)),
    ),
    row(
        "ipv4.tcp_challenge_ack_limit",
        "challenge ACKs a second",
        "-",
        Ignored("each connection has its own limit"),
    ),
    row(
        "ipv4.tcp_comp_sack_delay_ns",
        "SACKs that wait",
        "-",
        Ignored("every segment out of order is answered"),
    ),
    row("ipv4.tcp_comp_sack_nr", "SACKs that wait", "0", Ignored("every segment out of order is answered")),
    row(
        "ipv4.tcp_comp_sack_slack_ns",
        "SACKs that wait",
        "-",
        Ignored("every segment out of order is answered"),
    ),
    row("ipv4.tcp_congestion_control", "congestion control", "cubic", Sets(congestion)),
    row("ipv4.tcp_dsack", "duplicate SACK (RFC 2883)", "1", Only(&["1"])),
    row("ipv4.tcp_early_retrans", "tail loss probes (RFC 8985)", "3", Sets(tail_probes)),
    row("ipv4.tcp_ecn", "ECN (RFC 3168; AccECN, RFC 9768)", "2", Sets(ecn)),
    row(
        "ipv4.tcp_ecn_fallback",
        "SYN without ECN after a loss",
        "1",
        Sets(|set, value| flag(&mut set.tcp_ecn.fallback, value)),
    ),
    row("ipv4.tcp_ecn_option", "AccECN's option: never, when needed, always", "2", Sets(ecn_option)),
    row(
        "ipv4.tcp_ecn_option_beacon",
        "AccECN's options in a round trip",
        "3",
        Sets(|set, value| number(&mut set.tcp_ecn.beacons, value)),
    ),
    row("ipv4.tcp_fack", "forward acknowledgement", "0", Ignored("Linux itself has forgotten it")),
    row("ipv4.tcp_fastopen", "Fast Open (RFC 7413)", "1", Sets(fast_open)),
    row("ipv4.tcp_fastopen_blackhole_timeout_sec", "Fast Open after a loss", "0", Only(&["0"])),
    row("ipv4.tcp_fastopen_key", "Fast Open's keys", "-", Sets(fast_open_keys)),
    row("ipv4.tcp_fin_timeout", "FIN-WAIT-2, in seconds", "60", Sets(fin_timeout)),
    row("ipv4.tcp_frto", "F-RTO (RFC 5682)", "2", Sets(doubts_timeouts)),
    row(
        "ipv4.tcp_invalid_ratelimit",
        "ACKs to what is unacceptable, ms apart",
        "500",
        Sets(|set, value| milliseconds(&mut set.tcp_defaults.challenge_interval, value)),
    ),
    row(
        "ipv4.tcp_keepalive_intvl",
        "seconds between probes",
        "75",
        Sets(|set, value| socket(set, TCP_KEEPINTVL, value)),
    ),
    row("ipv4.tcp_keepalive_probes", "probes", "9", Sets(|set, value| socket(set, TCP_KEEPCNT, value))),
    row(
        "ipv4.tcp_keepalive_time",
        "seconds before a probe",
        "7200",
        Sets(|set, value| socket(set, TCP_KEEPIDLE, value)),
    ),
    row("ipv4.tcp_limit_output_bytes", "bytes in the link's queue", "-", Ignored("a link has no queue")),
    row(
        "ipv4.tcp_max_orphans",
        "connections without a user",
        "65536",
        Sets(|set, value| number(&mut set.tcp_rules.orphans_max, value)),
    ),
    row(
        "ipv4.tcp_max_reordering",
        "largest degree of reordering",
        "300",
        Sets(|set, value| number(&mut set.tcp_defaults.tuning.reordering_max, value)),
    ),
    row("ipv4.tcp_max_syn_backlog", "longest SYN queue", "-", Ignored("scripts open few connections")),
    row("ipv4.tcp_max_tw_buckets", "TIME-WAITs", "-", Ignored("scripts open few connections")),
    row("ipv4.tcp_min_rtt_wlen", "memory of the least RTT", "-", Ignored("no part of it is told")),
    row(
        "ipv4.tcp_min_tso_segs",
        "least size of a super-segment",
        "2",
        Sets(|set, value| number(&mut set.tcp_defaults.tuning.packet_segments_min, value)),
    ),
    row("ipv4.tcp_moderate_rcvbuf", "receive buffer grows", "1", Sets(moderate)),
    row("ipv4.tcp_mtu_probing", "probing of the path's MTU (RFC 4821)", "0", Sets(mtu_probing)),
    row("ipv4.tcp_no_metrics_save", "memory of paths", "1", Ignored("nothing is remembered")),
    row("ipv4.tcp_notsent_lowat", "bytes that may wait unsent", "4294967295", Sets(unsent_max)),
    row("ipv4.tcp_orphan_retries", "attempts without a user", "8", Sets(orphan_retries)),
    row("ipv4.tcp_pacing_ca_ratio", "pace of who is paced, in percent", "120", Only(&["120"])),
    row("ipv4.tcp_pacing_ss_ratio", "the same in slow start", "200", Only(&["200"])),
    row("ipv4.tcp_recovery", "RACK (RFC 8985)", "1", Sets(recovery)),
    row(
        "ipv4.tcp_reordering",
        "duplicate ACKs that mean a loss",
        "3",
        Sets(|set, value| number(&mut set.tcp_defaults.tuning.reordering, value)),
    ),
    row(
        "ipv4.tcp_retrans_collapse",
        "small segments joined again",
        "-",
        Ignored("segments are cut anew each time"),
    ),
    row("ipv4.tcp_retries1", "attempts before the route is asked", "-", Ignored(FIXED_RETRIES)),
    row(
        "ipv4.tcp_retries2",
        "attempts",
        "15",
        Sets(|set, value| number(&mut set.tcp_defaults.retries, value)),
    ),
    row(
        "ipv4.tcp_rfc1337",
        "RST in TIME-WAIT is ignored",
        "1",
        Sets(|set, value| flag(&mut set.tcp_rules.time_wait_outlives_resets, value)),
    ),
    row("ipv4.tcp_rmem", "receive buffer: least, first, largest", "128 KiB, 16 MiB", Sets(recv_buffer)),
    row(
        "ipv4.tcp_rto_max_ms",
        "largest time-out of a retransmission",
        "120000",
        Sets(|set, value| milliseconds(&mut set.tcp_defaults.rto_max, value)),
    ),
    row(
        "ipv4.tcp_sack",
        "selective acknowledgements (RFC 2018)",
        "1",
        Sets(|set, value| flag(&mut set.tcp_sack, value)),
    ),
    row(
        "ipv4.tcp_slow_start_after_idle",
        "smaller window after idleness (RFC 5681)",
        "1",
        Sets(restarts_after_idle),
    ),
    row(
        "ipv4.tcp_syn_linear_timeouts",
        "SYNs sent again without backoff",
        "4",
        Sets(|set, value| number(&mut set.tcp_defaults.syn_linear_timeouts, value)),
    ),
    row(
        "ipv4.tcp_syn_retries",
        "SYNs sent again",
        "6",
        Sets(|set, value| number(&mut set.tcp_defaults.syn_retries, value)),
    ),
    row(
        "ipv4.tcp_synack_retries",
        "SYN-ACKs sent again",
        "5",
        Sets(|set, value| number(&mut set.tcp_defaults.syn_ack_retries, value)),
    ),
    row("ipv4.tcp_syncookies", "SYN cookies when the queue is full", "1", Sets(syn_cookies)),
    row("ipv4.tcp_thin_linear_timeouts", "thin streams without backoff", "0", Only(&["0"])),
    row("ipv4.tcp_timestamps", "timestamps (RFC 7323)", "1", Sets(timestamps)),
    row(
        "ipv4.tcp_tso_rtt_log",
        "size of super-segments",
        "-",
        Ignored("super-segments are cut and joined as needed"),
    ),
    row(
        "ipv4.tcp_tso_win_divisor",
        "part of a window that does not wait to become larger",
        "3",
        Sets(|set, value| number(&mut set.tcp_defaults.tuning.deferral_divisor, value)),
    ),
    row("ipv4.tcp_tw_reuse", "early reuse of TIME-WAIT (RFC 6191)", "2", Sets(time_wait_reuse)),
    row(
        "ipv4.tcp_window_scaling",
        "window scale (RFC 7323)",
        "1",
        Sets(|set, value| flag(&mut set.tcp_window_scaling, value)),
    ),
    row("ipv4.tcp_wmem", "send buffer: least, first, largest", "16 KiB, 4 MiB", Sets(send_buffer)),
    row("ipv4.tcp_workaround_signed_windows", "windows above 32 KiB", "0", Only(&["0"])),
    row("ipv6.auto_flowlabels", "flow labels", "0", Only(&["0"])),
];
