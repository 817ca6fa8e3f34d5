//! What a user may choose for a connection.

use std::time::Duration;

use super::bounds;
use crate::link::LinkId;
use crate::port::PortRange;
use ieum_wire::ip4::TTL_DEFAULT;

/// Per-connection settings. A listener's are inherited by the connections it accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSettings {
    /// Small segments are sent at once (TCP_NODELAY), without Nagle's algorithm (RFC 9293 §3.7.4).
    pub no_delay: bool,
    /// Small segments are held back altogether until there is a full one or this is unset (TCP_CORK).
    pub cork: bool,
    /// Bytes that may wait for being sent or acknowledged.
    pub send_buffer_bytes: u32,
    /// As far as it grows by itself, with the congestion window; not at all when it is no more than the buffer.
    pub send_buffer_bytes_max: u32,
    /// Bytes that may wait for being read. Fixed from the handshake on where the window scale depends on it.
    pub recv_buffer_bytes: u32,
    /// As far as it grows by itself, with what is read in a round trip; not at all when it is no more than the buffer.
    pub recv_buffer_bytes_max: u32,
    /// As much of it as a peer is promised before it has sent anything; what comes opens the window further.
    pub first_window_bytes: u32,
    /// The largest window that the peer is told (TCP_WINDOW_CLAMP).
    pub window_clamp_bytes: Option<u32>,
    /// Bytes that the user waits for before it reads (SO_RCVLOWAT): fewer are acknowledged at once, so that the others
    /// come.
    pub recv_low_water_bytes: u32,
    /// Acknowledge at once, or rather with answers (TCP_QUICKACK); `None`: as the connection's own course suggests.
    pub quick_ack: Option<bool>,
    /// The largest receive window that the window scale is to express, in bytes; never less than the buffer is taken
    /// (Linux: the largest of tcp_rmem, or the buffer alone where a program chose it).
    pub scaled_window_bytes: u32,
    /// Ask an idle peer whether it lives.
    pub keepalive: Option<Keepalive>,
    /// Give up when data stays unacknowledged for so long (RFC 5482; TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
    /// Upper bound of the MSS announced and used, in bytes (TCP_MAXSEG).
    pub mss_max: Option<u16>,
    /// Whether the size of segments is searched for.
    pub mtu_probing: MtuProbing,
    /// Routers shall not cut packets, and are heeded when they say that one was too large (RFC 1191 §3; IP_MTU_DISCOVER, Linux:
    /// ip_no_pmtu_disc). Without, they cut, as far as IPv4 is spoken; nobody who forges their errors can make
    /// segments small.
    pub discovers_path_mtu: bool,
    /// Where such a search begins, in bytes of payload with options (Linux: tcp_base_mss).
    pub base_mss: u16,
    /// The IPv4 type of service.
    pub tos: u8,
    /// The time to live, in hops.
    pub ttl: u8,
    /// No more is taken from a user while so many bytes wait to be sent for the first time (TCP_NOTSENT_LOWAT).
    pub unsent_max_bytes: u32,
    /// What a host may choose for all of its connections.
    pub tuning: Tuning,
    /// The algorithm of congestion control.
    pub congestion: CongestionName,
    /// Urgent data is read in its place in the stream (SO_OOBINLINE).
    pub urgent_inline: bool,
    /// SYNs sent again before an active open is given up (TCP_SYNCNT; Linux: tcp_syn_retries).
    pub syn_retries: u32,
    /// SYN-ACKs sent again before a passive open is forgotten (TCP_SYNCNT of the listener; Linux: tcp_synack_retries).
    pub syn_ack_retries: u32,
    /// Retransmissions before a connection is given up (Linux: tcp_retries2), and before one that nobody holds is (Linux:
    /// tcp_orphan_retries).
    pub retries: u32,
    /// See `retries`.
    pub orphan_retries: u32,
    /// SYNs sent again a second apart before they become rarer, beside those of `syn_retries` (Linux:
    /// tcp_syn_linear_timeouts).
    pub syn_linear_timeouts: u32,
    /// The largest time-out of a retransmission (TCP_RTO_MAX_MS; Linux: tcp_rto_max_ms).
    pub rto_max: Duration,
    /// How long FIN-WAIT-2 lasts when nobody holds the connection (TCP_LINGER2; Linux: tcp_fin_timeout); `None`: not at
    /// all, the peer is reset.
    pub fin_timeout: Option<Duration>,
    /// Of a listener: a connection waits for data before it is given out, for as long as so many SYN-ACKs take
    /// (TCP_DEFER_ACCEPT). Of a client: its first acknowledgement waits for data to go with it.
    pub defer_accept: u32,
    /// The least time between two answers to unacceptable segments (RFC 5961 §7; Linux: tcp_invalid_ratelimit).
    pub challenge_interval: Duration,
    /// Of a listener: connections that may have come by Fast Open and not ended their handshake (TCP_FASTOPEN); 0: none.
    pub fast_open_queue: u32,
    /// Data goes on a SYN, and is taken from one, without a cookie (TCP_FASTOPEN_NO_COOKIE).
    pub fast_open_no_cookie: bool,
    /// What the port of a connection is chosen from that has no bound one.
    pub ports: PortRange,
    /// Others may bind that port who allow sharing too (SO_REUSEADDR, SO_REUSEPORT).
    pub shares_port: bool,
    /// Never faster than so many bytes a second, and spread over time (SO_MAX_PACING_RATE).
    pub pacing_rate_max: Option<u64>,
    /// Segments leave by this link alone, and are heard from it alone (SO_BINDTODEVICE).
    pub link: Option<LinkId>,
}

impl Default for TcpSettings {
    fn default() -> TcpSettings {
        TcpSettings {
            no_delay: false,
            cork: false,
            send_buffer_bytes: bounds::SEND_BUFFER_BYTES_DEFAULT,
            send_buffer_bytes_max: bounds::SEND_BUFFER_BYTES_MAX_DEFAULT,
            recv_buffer_bytes: bounds::RECV_BUFFER_BYTES_DEFAULT,
            recv_buffer_bytes_max: bounds::RECV_BUFFER_BYTES_MAX_DEFAULT,
            first_window_bytes: bounds::FIRST_WINDOW_BYTES_DEFAULT,
            window_clamp_bytes: None,
            recv_low_water_bytes: 1,
            quick_ack: None,
            scaled_window_bytes: bounds::SCALED_WINDOW_BYTES_DEFAULT,
            keepalive: None,
            user_timeout: None,
            mss_max: None,
            mtu_probing: MtuProbing::default(),
            discovers_path_mtu: true,
            base_mss: bounds::MTU_PROBE_BASE_MSS,
            tos: 0,
            ttl: TTL_DEFAULT,
            unsent_max_bytes: u32::MAX,
            tuning: Tuning::default(),
            congestion: CongestionName::default(),
            urgent_inline: false,
            syn_retries: bounds::SYN_RETRIES_MAX,
            syn_ack_retries: bounds::SYN_ACK_RETRIES_MAX,
            retries: bounds::RETRIES_MAX,
            orphan_retries: bounds::ORPHAN_RETRIES_MAX,
            syn_linear_timeouts: bounds::SYN_LINEAR_TIMEOUTS,
            rto_max: bounds::RTO_MAX,
            fin_timeout: Some(bounds::FIN_WAIT_2),
            defer_accept: 0,
            challenge_interval: bounds::CHALLENGE_INTERVAL,
            fast_open_queue: 0,
            fast_open_no_cookie: false,
            shares_port: false,
            ports: PortRange::default(),
            pacing_rate_max: None,
            link: None,
        }
    }
}

/// How a host's connections send: what Linux keeps in sysctls. Connections keep what they had when they opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// The window shrinks while nothing is sent (RFC 5681 §4.1; tcp_slow_start_after_idle).
    pub restarts_after_idle: bool,
    /// The tail of what was sent is probed (RFC 8985 §7; tcp_early_retrans).
    pub tail_probes: bool,
    /// Time-outs that came too early are found out (RFC 5682; tcp_frto).
    pub doubts_timeouts: bool,
    /// Segments that may overtake one before it is believed lost, to begin with and at most (RFC 5681 §3.2;
    /// tcp_reordering, tcp_max_reordering).
    pub reordering: u32,
    /// The same at most.
    pub reordering_max: u32,
    /// So many overtaking segments alone prove no loss (RFC 8985 §6.2; tcp_recovery 4).
    pub only_time_tells: bool,
    /// The reordering window stays a quarter of a round trip (tcp_recovery 2).
    pub fixed_reordering_window: bool,
    /// Less than this part of the window waits a moment for the next acknowledgement; 0: never (tcp_tso_win_divisor).
    pub deferral_divisor: u32,
    /// The fewest segments that a super-segment is bounded to by the path's rate (tcp_min_tso_segs).
    pub packet_segments_min: u32,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            restarts_after_idle: true,
            tail_probes: true,
            doubts_timeouts: true,
            reordering: bounds::DUPLICATES_MAX,
            reordering_max: bounds::REORDERING_MAX,
            only_time_tells: false,
            fixed_reordering_window: false,
            deferral_divisor: 3,
            packet_segments_min: 2,
        }
    }
}

/// Whether the size of segments is searched for (RFC 4821; Linux: tcp_mtu_probing).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MtuProbing {
    /// Routers are trusted to say what is too large (0).
    #[default]
    Never,
    /// Once large segments seem to vanish (1).
    AfterBlackHole,
    /// From the start (2).
    Always,
}

/// An algorithm of congestion control (TCP_CONGESTION).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CongestionName {
    /// RFC 5681.
    Reno,
    /// RFC 9438.
    #[default]
    Cubic,
    /// draft-ietf-ccwg-bbr, BBR version 3.
    Bbr,
}

impl CongestionName {
    /// All of them.
    pub const ALL: [CongestionName; 3] = [CongestionName::Reno, CongestionName::Cubic, CongestionName::Bbr];

    /// As TCP_CONGESTION writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            CongestionName::Reno => "reno",
            CongestionName::Cubic => "cubic",
            CongestionName::Bbr => "bbr",
        }
    }
}

/// When and how often an idle peer is asked (RFC 9293 §3.8.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer before the connection is given up.
    pub probes: u32,
}
