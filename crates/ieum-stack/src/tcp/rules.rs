//! What holds for all connections of a stack, and may change while it runs.

use super::bounds::ORPHANS_MAX;
use super::fast_open::{FastOpenKeys, FastOpenMode};

/// The rules of a stack's TCP beside what its SYNs offer (Linux: sysctls).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpRules {
    /// Who may send data on a SYN, and who takes it (RFC 7413; Linux: `tcp_fastopen`).
    pub fast_open: FastOpenMode,
    /// The keys of its cookies (Linux: `tcp_fastopen_key`); `None`: from the stack's seed.
    pub fast_open_keys: Option<FastOpenKeys>,
    /// Whether listeners answer SYNs that they have no room for (RFC 4987 §3.6; Linux: `tcp_syncookies`).
    pub syn_cookies: SynCookies,
    /// A connection for which the accept queue has no room is reset, not left to try again (Linux:
    /// `tcp_abort_on_overflow`).
    pub abort_on_overflow: bool,
    /// A RST does not end TIME-WAIT (RFC 1337; Linux: `tcp_rfc1337`, which is off there: no peer gains by being able to
    /// end it, and old segments lose nothing).
    pub time_wait_outlives_resets: bool,
    /// Whose TIME-WAIT gives way to a new connection of ours (RFC 6191; Linux: `tcp_tw_reuse`).
    pub time_wait_reuse: TimeWaitReuse,
    /// Connections that nobody holds and that are not over, at most; one more is reset (Linux: `tcp_max_orphans`).
    pub orphans_max: u32,
    /// What ends without a word on Linux is ended by a RST: a SYN that nobody waits for any more, a half that its peer did
    /// not close in time. Whoever keeps a socket of the machine for that peer can give it back then.
    pub resets_silent_ends: bool,
}

/// When a SYN is answered without being remembered.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SynCookies {
    /// Never: what finds no room is dropped.
    Never,
    /// When the SYN queue is full.
    #[default]
    WhenFull,
    /// Always, to try it.
    Always,
}

/// Whose TIME-WAIT gives way to a new connection of ours.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TimeWaitReuse {
    /// Nobody's.
    Never,
    /// Everybody's who speaks timestamps, after a second.
    Always,
    /// The same within this host.
    #[default]
    Loopback,
}

impl Default for TcpRules {
    fn default() -> TcpRules {
        TcpRules {
            fast_open: FastOpenMode::default(),
            fast_open_keys: None,
            syn_cookies: SynCookies::default(),
            abort_on_overflow: false,
            time_wait_outlives_resets: true,
            time_wait_reuse: TimeWaitReuse::default(),
            orphans_max: ORPHANS_MAX,
            resets_silent_ends: false,
        }
    }
}
