//! What a user may choose for a connection.

use std::time::Duration;

use super::bounds;
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
    /// Bytes that may wait for being read. Fixed from the handshake on where the window scale depends on it.
    pub recv_buffer_bytes: u32,
    /// The largest receive window that the window scale is to express, in bytes; never less than the buffer is taken
    /// (Linux: the largest of tcp_rmem, or the buffer alone where a program chose it).
    pub scaled_window_bytes: u32,
    /// Ask an idle peer whether it lives.
    pub keepalive: Option<Keepalive>,
    /// Give up when data stays unacknowledged for so long (RFC 5482; TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
    /// Upper bound of the MSS announced and used, in bytes (TCP_MAXSEG).
    pub mss_max: Option<u16>,
    /// The IPv4 type of service.
    pub tos: u8,
    /// The time to live, in hops.
    pub ttl: u8,
    /// The algorithm of congestion control.
    pub congestion: CongestionName,
}

impl Default for TcpSettings {
    fn default() -> TcpSettings {
        TcpSettings {
            no_delay: false,
            cork: false,
            send_buffer_bytes: bounds::SEND_BUFFER_BYTES_DEFAULT,
            recv_buffer_bytes: bounds::RECV_BUFFER_BYTES_DEFAULT,
            scaled_window_bytes: bounds::SCALED_WINDOW_BYTES_DEFAULT,
            keepalive: None,
            user_timeout: None,
            mss_max: None,
            tos: 0,
            ttl: TTL_DEFAULT,
            congestion: CongestionName::default(),
        }
    }
}

/// An algorithm of congestion control (TCP_CONGESTION).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CongestionName {
    /// RFC 5681.
    Reno,
    /// RFC 9438.
    #[default]
    Cubic,
}

impl CongestionName {
    /// All of them.
    pub const ALL: [CongestionName; 2] = [CongestionName::Reno, CongestionName::Cubic];

    /// As TCP_CONGESTION writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            CongestionName::Reno => "reno",
            CongestionName::Cubic => "cubic",
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
