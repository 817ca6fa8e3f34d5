//! What scripts set on Linux, and what that means here: one table.
//!
//! A row says what a sysctl means, what its value is when nobody sets it, and what becomes of another one: it is
//! applied, or ieum does it that way anyway, or it asks for something that ieum does not have (which is *named* should
//! the script then fail), or it has no counterpart (and the row says why that does no harm).
//!
//! Adding a feature to the stack means to change its row here: `Only` becomes `Sets`, with a field of [`Settings`] that
//! [`crate::machine`] hands on; and to take the feature out of [`crate::wants`].

use std::fmt::Write;
use std::time::Duration;

use ieum_socket::numbers::{IPPROTO_TCP, TCP_CONGESTION, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL};
use ieum_stack::{
    CongestionName, EcnMode, EcnOption, EcnRules, FastOpenKey, FastOpenKeys, FastOpenMode, MtuProbing,
    StackConfig, SynCookies, TcpRules, TcpSettings, TimeWaitReuse,
};

/// What a script has set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Offer and accept timestamps.
    pub tcp_timestamps: bool,
    /// Offer and accept selective acknowledgements.
    pub tcp_sack: bool,
    /// Offer and accept scaled windows.
    pub tcp_window_scaling: bool,
    /// Who begins with ECN.
    pub tcp_ecn: EcnRules,
    /// The link's MTU, where a command set it before the first event.
    pub mtu_bytes: Option<u32>,
    /// What holds for all of TCP.
    pub tcp_rules: TcpRules,
    /// What was learnt of peers is to be forgotten.
    pub forgets_paths: bool,
    /// What streams have whose options say nothing else.
    pub tcp_defaults: TcpSettings,
    /// Options that every new stream socket is given: level, name, value.
    pub socket_defaults: Vec<(i32, i32, Vec<u8>)>,
    /// What was asked for and is not there, in words.
    pub missing: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tcp_timestamps: true,
            tcp_sack: true,
            tcp_window_scaling: true,
            tcp_ecn: EcnRules::default(),
            mtu_bytes: None,
            tcp_rules: TcpRules { fast_open_keys: None, ..TcpRules::default() },
            forgets_paths: false,
            tcp_defaults: TcpSettings::default(),
            socket_defaults: Vec::new(),
            missing: Vec::new(),
        }
    }
}

/// One row: a sysctl without its `net.`.
struct Row {
    name: &'static str,
    meaning: &'static str,
    default: &'static str,
    becomes: Becomes,
}

/// What becomes of a value.
enum Becomes {
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

const FIXED_BUFFERS: &str = "buffers are 1 MiB where a socket does not choose";
const GROWN_BUFFERS: &str = "a stream's grows by tcp_wmem where it does not choose";
const FIXED_RETRIES: &str = "the number of attempts is fixed";

/// All that is known, by name.
const ROWS: &[Row] = &[
    row("core.default_qdisc", "queue of a link", "-", Ignored("a link has no queue")),
    row("core.optmem_max", "memory of options", "-", Ignored("options take no memory that is bounded")),
    row("core.rmem_default", "receive buffer", "1 MiB", Ignored(FIXED_BUFFERS)),
    row("core.rmem_max", "largest receive buffer", "-", Ignored(FIXED_BUFFERS)),
    row("core.somaxconn", "longest accept queue", "4096", Ignored("scripts open few connections")),
    row("core.wmem_default", "send buffer", "-", Ignored(GROWN_BUFFERS)),
    row("core.wmem_max", "largest send buffer", "-", Ignored(GROWN_BUFFERS)),
    row("ipv4.ip_no_pmtu_disc", "no path MTU discovery (RFC 1191)", "0", Sets(no_path_mtu)),
    row(
        "ipv4.tcp_abort_on_overflow",
        "RST when the accept queue is full",
        "0",
        Sets(|set, value| flag(&mut set.tcp_rules.abort_on_overflow, value)),
    ),
    row("ipv4.tcp_adv_win_scale", "part of a buffer that is window", "-", Ignored(FIXED_BUFFERS)),
    row("ipv4.tcp_allowed_congestion_control", "who may choose which", "-", Ignored("everybody may")),
    row("ipv4.tcp_app_win", "part of a window kept back", "-", Ignored(FIXED_BUFFERS)),
    row("ipv4.tcp_autocorking", "waits for the link's queue", "0", Ignored("a link has no queue")),
    row("ipv4.tcp_base_mss", "first size that is probed", "1024", Sets(base_mss)),
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
    row("ipv4.tcp_ecn_fallback", "SYN without ECN after a loss", "1", Sets(ecn_fallback)),
    row("ipv4.tcp_ecn_option", "AccECN's option: never, when needed, always", "2", Sets(ecn_option)),
    row("ipv4.tcp_ecn_option_beacon", "AccECN's options in a round trip", "3", Sets(ecn_beacons)),
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
    row("ipv4.tcp_max_reordering", "largest degree of reordering", "300", Sets(reordering_max)),
    row("ipv4.tcp_max_syn_backlog", "longest SYN queue", "-", Ignored("scripts open few connections")),
    row("ipv4.tcp_max_tw_buckets", "TIME-WAITs", "-", Ignored("scripts open few connections")),
    row("ipv4.tcp_min_rtt_wlen", "memory of the least RTT", "-", Ignored("no part of it is told")),
    row("ipv4.tcp_min_tso_segs", "least size of a super-segment", "2", Sets(packet_segments_min)),
    row("ipv4.tcp_moderate_rcvbuf", "receive buffer grows", "1", Sets(moderate)),
    row("ipv4.tcp_mtu_probing", "probing of the path's MTU (RFC 4821)", "0", Sets(mtu_probing)),
    row("ipv4.tcp_no_metrics_save", "memory of paths", "1", Ignored("nothing is remembered")),
    row("ipv4.tcp_notsent_lowat", "bytes that may wait unsent", "4294967295", Sets(unsent_max)),
    row("ipv4.tcp_orphan_retries", "attempts without a user", "8", Sets(orphan_retries)),
    row("ipv4.tcp_pacing_ca_ratio", "pace of who is paced, in percent", "120", Only(&["120"])),
    row("ipv4.tcp_pacing_ss_ratio", "the same in slow start", "200", Only(&["200"])),
    row("ipv4.tcp_recovery", "RACK (RFC 8985)", "1", Sets(recovery)),
    row("ipv4.tcp_reordering", "duplicate ACKs that mean a loss", "3", Sets(reordering)),
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
    row("ipv4.tcp_rmem", "receive buffer: least, first, largest", "2 MiB, 16 MiB", Sets(recv_buffer)),
    row(
        "ipv4.tcp_rto_max_ms",
        "largest time-out of a retransmission",
        "120000",
        Sets(|set, value| milliseconds(&mut set.tcp_defaults.rto_max, value)),
    ),
    row("ipv4.tcp_sack", "selective acknowledgements (RFC 2018)", "1", Sets(sack)),
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
        Sets(deferral_divisor),
    ),
    row("ipv4.tcp_tw_reuse", "early reuse of TIME-WAIT (RFC 6191)", "2", Sets(time_wait_reuse)),
    row("ipv4.tcp_window_scaling", "window scale (RFC 7323)", "1", Sets(window_scaling)),
    row("ipv4.tcp_wmem", "send buffer: least, first, largest", "16 KiB, 4 MiB", Sets(send_buffer)),
    row("ipv4.tcp_workaround_signed_windows", "windows above 32 KiB", "0", Only(&["0"])),
    row("ipv6.auto_flowlabels", "flow labels", "0", Only(&["0"])),
];

fn timestamps(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_timestamps = match value {
        "0" => false,
        "1" | "2" => true,
        _ => return None,
    };
    Some(())
}

fn sack(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_sack = match value {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(())
}

fn ecn(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.mode = match value {
        "0" => EcnMode::Off,
        "1" => EcnMode::Offer,
        "2" => EcnMode::Accept,
        "3" => EcnMode::OfferAccurate,
        "4" => EcnMode::AcceptAccurateOfferClassic,
        "5" => EcnMode::AcceptAccurate,
        _ => return None,
    };
    Some(())
}

fn ecn_option(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.option = match value {
        "0" => EcnOption::Never,
        "1" => EcnOption::WhenNeeded,
        "2" => EcnOption::Always,
        "3" => EcnOption::Persistently,
        _ => return None,
    };
    Some(())
}

fn ecn_beacons(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.beacons = value.parse().ok()?;
    Some(())
}

fn ecn_fallback(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.fallback = match value {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(())
}

/// 3 and 4 mean probes, and no more; anything else none.
fn tail_probes(settings: &mut Settings, value: &str) -> Option<()> {
    let level: u8 = value.parse().ok()?;
    settings.tcp_defaults.tuning.tail_probes = level >= 3;
    Some(())
}

fn doubts_timeouts(settings: &mut Settings, value: &str) -> Option<()> {
    let level: u8 = value.parse().ok()?;
    settings.tcp_defaults.tuning.doubts_timeouts = level != 0;
    Some(())
}

fn reordering(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.reordering = value.parse().ok()?;
    Some(())
}

fn reordering_max(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.reordering_max = value.parse().ok()?;
    Some(())
}

/// Bits: 1 means RACK, which is always there; 2 a fixed reordering window, 4 no counting of duplicates.
fn recovery(settings: &mut Settings, value: &str) -> Option<()> {
    let digits = value.trim_start_matches("0x");
    let bits = u32::from_str_radix(digits, if digits.len() < value.len() { 16 } else { 10 }).ok()?;
    settings.tcp_defaults.tuning.fixed_reordering_window = bits & 2 != 0;
    settings.tcp_defaults.tuning.only_time_tells = bits & 4 != 0;
    Some(())
}

fn restarts_after_idle(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.restarts_after_idle = value != "0";
    Some(())
}

fn packet_segments_min(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.packet_segments_min = value.parse().ok()?;
    Some(())
}

fn deferral_divisor(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.deferral_divisor = value.parse().ok()?;
    Some(())
}

/// Linux reads -1 and 4294967295 alike.
fn unsent_max(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.unsent_max_bytes = if value == "-1" { u32::MAX } else { value.parse().ok()? };
    Some(())
}

/// The middle one of three sizes is what sockets begin with, the last how far it grows.
fn send_buffer(settings: &mut Settings, value: &str) -> Option<()> {
    let mut sizes = value.split(' ').skip(1);
    let mut size = || sizes.next()?.parse::<u32>().ok();
    let (first, largest) = (size()?, size()?);
    settings.tcp_defaults.send_buffer_bytes = first;
    settings.tcp_defaults.send_buffer_bytes_max = largest;
    Some(())
}

/// Bits, in decimal or hexadecimal.
fn fast_open(settings: &mut Settings, value: &str) -> Option<()> {
    let bits = match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => value.parse(),
    };
    settings.tcp_rules.fast_open = FastOpenMode::from_bits(bits.ok()?);
    Some(())
}

/// One key or two, each of four numbers.
fn fast_open_keys(settings: &mut Settings, value: &str) -> Option<()> {
    let key = |text: &str| -> Option<FastOpenKey> {
        let words: Option<Vec<[u8; 4]>> =
            text.split('-').map(|word| u32::from_str_radix(word, 16).ok().map(u32::to_le_bytes)).collect();
        words?.concat().try_into().ok()
    };
    let (first, second) =
        value.split_once(',').map_or((value, None), |(first, second)| (first, Some(second)));
    let backup = match second {
        Some(text) => Some(key(text)?),
        None => None,
    };
    settings.tcp_rules.fast_open_keys = Some(FastOpenKeys { primary: key(first)?, backup });
    Some(())
}

/// What every new socket is told by TCP_CONGESTION.
fn congestion(settings: &mut Settings, value: &str) -> Option<()> {
    CongestionName::ALL.iter().find(|name| name.as_str() == value)?;
    settings.default_of_sockets(IPPROTO_TCP, TCP_CONGESTION, value.as_bytes().to_vec());
    Some(())
}

/// Three sizes in bytes of memory, half of which is window: the first buffer, and how far it grows; from the largest follows
/// the window scale.
fn recv_buffer(settings: &mut Settings, value: &str) -> Option<()> {
    let mut sizes = value.split(' ').skip(1);
    let mut size = || sizes.next()?.parse::<u32>().ok();
    let (first, largest) = (size()?, size()?);
    settings.tcp_defaults.recv_buffer_bytes = first / 2;
    settings.tcp_defaults.recv_buffer_bytes_max = largest / 2;
    settings.tcp_defaults.scaled_window_bytes = largest;
    Some(())
}

/// A buffer that does not grow is no larger at most than at first.
fn moderate(settings: &mut Settings, value: &str) -> Option<()> {
    match value {
        "0" => settings.tcp_defaults.recv_buffer_bytes_max = 0,
        "1" => {}
        _ => return None,
    }
    Some(())
}

fn mtu_probing(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.mtu_probing = match value {
        "0" => MtuProbing::Never,
        "1" => MtuProbing::AfterBlackHole,
        "2" => MtuProbing::Always,
        _ => return None,
    };
    Some(())
}

/// 1 means not to discover; 2 and 3 are about what is done with routers' errors beside.
fn no_path_mtu(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.discovers_path_mtu = match value {
        "0" => true,
        "1" => false,
        _ => return None,
    };
    Some(())
}

fn base_mss(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.base_mss = value.parse().ok()?;
    Some(())
}

fn window_scaling(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_window_scaling = match value {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(())
}

fn fin_timeout(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.fin_timeout = Some(Duration::from_secs(value.parse().ok()?));
    Some(())
}

/// 0 stands for 8, as on Linux.
fn orphan_retries(settings: &mut Settings, value: &str) -> Option<()> {
    let asked = value.parse().ok()?;
    settings.tcp_defaults.orphan_retries =
        if asked == 0 { TcpSettings::default().orphan_retries } else { asked };
    Some(())
}

fn syn_cookies(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_rules.syn_cookies = match value {
        "0" => SynCookies::Never,
        "1" => SynCookies::WhenFull,
        "2" => SynCookies::Always,
        _ => return None,
    };
    Some(())
}

fn time_wait_reuse(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_rules.time_wait_reuse = match value {
        "0" => TimeWaitReuse::Never,
        "1" => TimeWaitReuse::Always,
        "2" => TimeWaitReuse::Loopback,
        _ => return None,
    };
    Some(())
}

fn milliseconds(place: &mut Duration, value: &str) -> Option<()> {
    *place = Duration::from_millis(value.parse().ok()?);
    Some(())
}

fn flag(place: &mut bool, value: &str) -> Option<()> {
    *place = match value {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(())
}

fn number(place: &mut u32, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

fn socket(settings: &mut Settings, name: i32, value: &str) -> Option<()> {
    settings.default_of_sockets(IPPROTO_TCP, name, value.parse::<i32>().ok()?.to_ne_bytes().to_vec());
    Some(())
}

impl Settings {
    /// What a host must be made with, and cannot be told later.
    pub fn of_host(&self) -> impl PartialEq {
        self.mtu_bytes
    }

    /// What a stack is made with.
    pub fn of_stack(&self) -> StackConfig {
        // Scripts are told what they would be told by any host: the seed only has to be the same each time.
        let mut config = StackConfig::new([7; 32]);
        config.tcp_timestamps = self.tcp_timestamps;
        config.tcp_sack = self.tcp_sack;
        config.tcp_window_scaling = self.tcp_window_scaling;
        config.tcp_ecn = self.tcp_ecn.mode;
        config
    }

    /// The last value counts.
    fn default_of_sockets(&mut self, level: i32, name: i32, value: Vec<u8>) {
        self.socket_defaults.retain(|(of, other, _)| (*of, *other) != (level, name));
        self.socket_defaults.push((level, name, value));
    }

    /// Takes a sysctl by any of its names: `net.ipv4.tcp_sack`, `net/ipv4/tcp_sack`, `/proc/sys/net/ipv4/tcp_sack`.
    pub fn set(&mut self, name: &str, value: &str) {
        let dotted = name.trim_start_matches("/proc/sys/").replace('/', ".");
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = dotted.strip_prefix("net.").unwrap_or(&dotted);
        let row = ROWS.iter().find(|row| row.name == short);
        let missing = match row.map(|row| &row.becomes) {
            Some(Sets(apply)) => apply(self, &value).is_none(),
            Some(Only(values)) => !values.contains(&value.as_str()),
            Some(Ignored(_)) => false,
            None => true,
        };
        // The last value counts.
        self.missing.retain(|other| !other.starts_with(&format!("{dotted}=")));
        if missing {
            let meaning = row.map_or_else(String::new, |row| format!(": {}", row.meaning));
            self.missing.push(format!("{dotted}={value}{meaning}"));
        }
    }
}

/// The names of all sysctls that are known, as in `net.ipv4.tcp_sack`.
pub fn names() -> impl Iterator<Item = String> {
    ROWS.iter().map(|row| format!("net.{}", row.name))
}

/// The table, for people.
pub fn table() -> String {
    let mut text = String::new();
    let width = ROWS.iter().map(|row| row.name.len()).max().unwrap_or(0) + "net.".len();
    for row in ROWS {
        let becomes = match row.becomes {
            Sets(_) => "applied".to_owned(),
            Only(values) => format!("only {}", values.join(", ")),
            Ignored(why) => format!("ignored: {why}"),
        };
        let name = format!("net.{}", row.name);
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:width$}  {} (default {}); {becomes}", row.meaning, row.default);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_applied_named_or_ignored() {
        let mut settings = Settings::default();
        settings.set("net.ipv4.tcp_timestamps", "0");
        settings.set("/proc/sys/net/ipv4/tcp_keepalive_probes", "2");
        settings.set("net.ipv4.tcp_wmem", "4096  9000 9999");
        assert_eq!(settings.tcp_defaults.send_buffer_bytes, 9000);
        settings.set("net.ipv4.tcp_thin_linear_timeouts", "1");
        settings.set("net/ipv4/tcp_no_such_thing", "1");
        assert!(!settings.tcp_timestamps);
        assert_eq!(settings.socket_defaults, [(IPPROTO_TCP, TCP_KEEPCNT, 2i32.to_ne_bytes().to_vec())]);
        let thin = "net.ipv4.tcp_thin_linear_timeouts=1: thin streams without backoff";
        assert_eq!(settings.missing, [thin, "net.ipv4.tcp_no_such_thing=1"]);
        settings.set("net.ipv4.tcp_thin_linear_timeouts", "0");
        assert_eq!(settings.missing, ["net.ipv4.tcp_no_such_thing=1"]);
    }

    #[test]
    fn the_table_is_sorted_and_names_each_once() {
        assert!(ROWS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(table().lines().count(), ROWS.len());
    }
}
