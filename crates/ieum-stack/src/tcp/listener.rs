//! A listener: its SYN queue is counted, its accept queue is kept.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use ieum_wire::Instant;

use super::ConnectionId;
use super::bounds::{ANY_BACKLOG, FAST_OPEN_RESET_COUNTS, SYN_COOKIE_LIFETIME, SYN_QUEUE_MIN};
use super::fast_open::FastOpenKeys;
use super::settings::TcpSettings;
use crate::port::{BindingId, Hold};

/// What a listener listens for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// One port of one address, or of all when the address is unspecified.
    Bound {
        binding: BindingId,
        local: SocketAddr,
        /// `::` stands for IPv4 too.
        both_families: bool,
    },
    /// Every address and port that nobody else listens on.
    Any,
}

impl Place {
    /// Under which addresses and port it stands among the listeners.
    pub(super) fn addresses(self) -> impl Iterator<Item = SocketAddr> {
        let (first, second) = match self {
            Place::Any => (None, None),
            Place::Bound { local, both_families, .. } => {
                let any4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), local.port());
                (Some(local), both_families.then_some(any4))
            }
        };
        first.into_iter().chain(second)
    }
}

/// A listening endpoint.
pub(super) struct Listener {
    pub(super) place: Place,
    pub(super) settings: TcpSettings,
    /// Each SYN waits for a verdict.
    pub(super) held: bool,
    /// What its connections say of their ports.
    pub(super) hold: Hold,
    backlog: u32,
    /// Half-open connections; they stand in their own table.
    pub(super) half_open: u32,
    /// Established connections that nobody has accepted yet.
    pub(super) accept_queue: VecDeque<ConnectionId>,
    /// Connections that were accepted but still wait in a queue of the user's own.
    waiting_elsewhere: u32,
    /// Connections by Fast Open whose handshake is not over.
    pub(super) fast_open_pending: u32,
    /// Until when such connections still count that were reset.
    fast_open_resets: VecDeque<Instant>,
    /// When a SYN was last answered by a cookie.
    cookie_sent_at: Option<Instant>,
    /// Its own keys of cookies (TCP_FASTOPEN_KEY).
    pub(super) fast_open_keys: Option<FastOpenKeys>,
}

impl Listener {
    pub(super) fn new(place: Place, backlog: u32, held: bool, settings: TcpSettings, hold: Hold) -> Listener {
        Listener {
            place,
            settings,
            held,
            hold,
            backlog,
            half_open: 0,
            accept_queue: VecDeque::new(),
            waiting_elsewhere: 0,
            fast_open_pending: 0,
            fast_open_resets: VecDeque::new(),
            cookie_sent_at: None,
            fast_open_keys: None,
        }
    }

    pub(super) fn any(settings: TcpSettings) -> Listener {
        Listener::new(Place::Any, ANY_BACKLOG, true, settings, Hold { reuse: true, ..Hold::default() })
    }

    pub(super) fn set_backlog(&mut self, backlog: u32) {
        self.backlog = backlog;
    }

    /// Is there no room for another connection by Fast Open? (RFC 7413 §4.2.2)
    pub(super) fn fast_open_is_full(&mut self, now: Instant) -> bool {
        while self.fast_open_resets.front().is_some_and(|until| *until <= now) {
            self.fast_open_resets.pop_front();
        }
        let resets = u32::try_from(self.fast_open_resets.len()).unwrap_or(u32::MAX);
        self.fast_open_pending.saturating_add(resets) >= self.settings.fast_open_queue
    }

    /// The handshake of a connection by Fast Open is over; `reset`: by a RST.
    pub(super) fn fast_open_ended(&mut self, now: Instant, reset: bool) {
        self.fast_open_pending = self.fast_open_pending.saturating_sub(1);
        if reset {
            self.fast_open_resets.push_back(now + FAST_OPEN_RESET_COUNTS);
        }
    }

    /// The longest accept queue, as it was asked for.
    pub(super) fn backlog(&self) -> u32 {
        self.backlog
    }

    pub(super) fn set_waiting_elsewhere(&mut self, count: u32) {
        self.waiting_elsewhere = count;
    }

    /// Established connections that wait, wherever they do.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.accept_queue.len()).unwrap_or(u32::MAX).saturating_add(self.waiting_elsewhere)
    }

    /// Is there no room for another half-open connection? Those that wait for a verdict have no cookie to fall back on.
    pub(super) fn syn_queue_is_full(&self) -> bool {
        let room = if self.held { self.backlog.max(SYN_QUEUE_MIN) } else { self.backlog.saturating_add(1) };
        self.half_open >= room
    }

    /// A SYN was answered by a cookie.
    pub(super) fn cookie_sent(&mut self, now: Instant) {
        self.cookie_sent_at = Some(now);
    }

    /// May the answer to a cookie come? Not long after the last one.
    pub(super) fn expects_cookies(&self, now: Instant) -> bool {
        self.cookie_sent_at.is_some_and(|at| now.since(at) < SYN_COOKIE_LIFETIME)
    }

    /// Is there no room for another established one? Like Linux, a backlog of n holds n + 1: listen(2) with 0 still
    /// lets one connection through.
    pub(super) fn accept_queue_is_full(&self) -> bool {
        self.waiting() > self.backlog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_wait_elsewhere_count_against_the_backlog() {
        let mut listener = Listener::new(Place::Any, 1, false, TcpSettings::default(), Hold::default());
        listener.set_waiting_elsewhere(1);
        assert!(!listener.accept_queue_is_full());
        listener.set_waiting_elsewhere(2);
        assert!(listener.accept_queue_is_full());
    }
}
