//! What the options of a stream mean to its connection.

use std::time::Duration;

use ieum_stack::{Keepalive, TcpSettings};

use super::{Options, known};
use crate::make::Domain;

impl Options {
    /// What the options of a stream mean to a connection over that family; `defaults` is for what was not set.
    pub(crate) fn tcp_settings(&self, domain: Domain, defaults: &TcpSettings) -> TcpSettings {
        let (tos, ttl) = match domain {
            Domain::Ip4 => (known::TOS, known::TTL),
            Domain::Ip6 => (known::TRAFFIC_CLASS, known::HOPS),
        };
        let recv_buffer = self.buffer_bytes(known::RECV_BUFFER);
        let positive = |option| self.value(option).unsigned_abs();
        let seconds = |option| Duration::from_secs(u64::from(positive(option)));
        let flag = |option, default| if self.is_set(option) { self.flag(option) } else { default };
        let byte = |option, default| if self.is_set(option) { self.byte(option) } else { default };
        TcpSettings {
            link: self.link,
            shares_port: self.reuse_address() || self.reuse_port(),
            no_delay: flag(known::NO_DELAY, defaults.no_delay),
            cork: flag(known::CORK, defaults.cork),
            // As it is read back: what lies in it is counted with its overhead, as in Linux.
            send_buffer_bytes: match self.is_set(known::SEND_BUFFER) {
                true => positive(known::SEND_BUFFER),
                false => defaults.send_buffer_bytes,
            },
            // Who chose one does not want another.
            send_buffer_bytes_max: match self.is_set(known::SEND_BUFFER) {
                true => 0,
                false => defaults.send_buffer_bytes_max,
            },
            unsent_max_bytes: match self.value(known::UNSENT_MAX).cast_unsigned() {
                0 => defaults.unsent_max_bytes,
                bytes => bytes,
            },
            tuning: defaults.tuning,
            recv_buffer_bytes: recv_buffer.unwrap_or(defaults.recv_buffer_bytes),
            // Nor does it grow by itself then.
            recv_buffer_bytes_max: recv_buffer.unwrap_or(defaults.recv_buffer_bytes_max),
            // All of it is promised at once.
            first_window_bytes: if recv_buffer.is_some() { u32::MAX } else { defaults.first_window_bytes },
            window_clamp_bytes: Some(positive(known::WINDOW_CLAMP))
                .filter(|bytes| *bytes > 0)
                .or(defaults.window_clamp_bytes),
            recv_low_water_bytes: match self.set_value(known::LOW_WATER) {
                Some(bytes) => bytes.max(1),
                None => defaults.recv_low_water_bytes,
            },
            quick_ack: match self.is_set(known::QUICK_ACK) {
                true => Some(self.flag(known::QUICK_ACK)),
                false => defaults.quick_ack,
            },
            // Who chose a buffer has chosen the largest window, too.
            scaled_window_bytes: recv_buffer.unwrap_or(defaults.scaled_window_bytes),
            keepalive: match self.is_set(known::KEEPALIVE) {
                true => self.flag(known::KEEPALIVE).then(|| Keepalive {
                    idle: seconds(known::KEEPALIVE_IDLE),
                    interval: seconds(known::KEEPALIVE_INTERVAL),
                    probes: positive(known::KEEPALIVE_PROBES),
                }),
                false => defaults.keepalive,
            },
            user_timeout: match self.set_value(known::USER_TIMEOUT) {
                None => defaults.user_timeout,
                Some(0) => None,
                Some(ms) => Some(Duration::from_millis(u64::from(ms))),
            },
            // Only "never" is another thing; of IPv6's packets routers cut none anyway (RFC 8200 §5).
            discovers_path_mtu: match (domain, self.set_value(known::MTU_DISCOVER)) {
                (Domain::Ip4, Some(how)) => how != 0,
                (Domain::Ip4, None) => defaults.discovers_path_mtu,
                (Domain::Ip6, _) => true,
            },
            mss_max: match u16::try_from(self.value(known::MSS)) {
                Ok(mss) if mss > 0 => Some(mss),
                Ok(_) | Err(_) => defaults.mss_max,
            },
            tos: byte(tos, defaults.tos),
            ttl: byte(ttl, defaults.ttl),
            congestion: self.congestion.unwrap_or(defaults.congestion),
            urgent_inline: self.flag(known::URGENT_INLINE) || defaults.urgent_inline,
            syn_retries: self.set_value(known::SYN_COUNT).unwrap_or(defaults.syn_retries),
            syn_ack_retries: self.set_value(known::SYN_COUNT).unwrap_or(defaults.syn_ack_retries),
            retries: defaults.retries,
            orphan_retries: defaults.orphan_retries,
            syn_linear_timeouts: defaults.syn_linear_timeouts,
            rto_max: match positive(known::RTO_MAX) {
                0 => defaults.rto_max,
                ms => Duration::from_millis(u64::from(ms)),
            },
            fin_timeout: match self.set_number(known::LINGER2) {
                None | Some(0) => defaults.fin_timeout,
                Some(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
            },
            defer_accept: match self.set_value(known::DEFER_ACCEPT) {
                Some(seconds) => retransmissions_within(seconds),
                None => defaults.defer_accept,
            },
            challenge_interval: defaults.challenge_interval,
            fast_open_queue: self.set_value(known::FAST_OPEN).unwrap_or(defaults.fast_open_queue),
            fast_open_no_cookie: flag(known::FAST_OPEN_NO_COOKIE, defaults.fast_open_no_cookie),
            pacing_rate_max: self.pacing_rate_max.or(defaults.pacing_rate_max),
            ports: if self.is_set(known::PORT_RANGE) { self.ports() } else { defaults.ports },
            ..*defaults
        }
    }
}

/// How many SYN-ACKs are sent again within so many seconds: after 1, 3, 7 … of them (TCP_DEFER_ACCEPT).
fn retransmissions_within(seconds: u32) -> u32 {
    let (mut count, mut period, mut distance) = (0, 0, 1);
    while period < seconds {
        period += distance;
        distance = (distance * 2).min(120);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Make;
    use crate::make::Protocol;
    use crate::numbers::*;

    const TCP: Make = Make { domain: Domain::Ip4, protocol: Protocol::Tcp };

    #[test]
    fn settings_say_what_the_options_mean() {
        let mut options = Options::default();
        assert_eq!(options.tcp_settings(Domain::Ip4, &TcpSettings::default()), TcpSettings::default());
        let values = [
            (SOL_SOCKET, SO_KEEPALIVE, 1),
            (SOL_SOCKET, SO_SNDBUF, 65_536),
            (IPPROTO_TCP, TCP_NODELAY, 1),
            (IPPROTO_TCP, TCP_KEEPIDLE, 30),
            (IPPROTO_TCP, TCP_USER_TIMEOUT, 1500),
        ];
        for (level, name, value) in values {
            assert_eq!(options.set(TCP, level, name, &i32::to_ne_bytes(value)), Ok(()));
        }
        let settings = options.tcp_settings(Domain::Ip4, &TcpSettings::default());
        assert!(settings.no_delay);
        assert_eq!(settings.send_buffer_bytes, 131_072);
        assert_eq!(settings.user_timeout, Some(Duration::from_millis(1500)));
        let keepalive =
            Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(75), probes: 9 };
        assert_eq!(settings.keepalive, Some(keepalive));
    }

    #[test]
    fn what_a_host_has_chosen_stands_where_no_option_says_otherwise() {
        let chosen = TcpSettings {
            no_delay: true,
            cork: true,
            recv_low_water_bytes: 9,
            quick_ack: Some(false),
            keepalive: Some(Keepalive {
                idle: Duration::from_secs(9),
                interval: Duration::from_secs(8),
                probes: 7,
            }),
            user_timeout: Some(Duration::from_secs(6)),
            mss_max: Some(500),
            tos: 0x28,
            ttl: 9,
            defer_accept: 2,
            fast_open_queue: 5,
            fast_open_no_cookie: true,
            ..TcpSettings::default()
        };
        assert_eq!(Options::default().tcp_settings(Domain::Ip4, &chosen), chosen);
        let mut options = Options::default();
        assert_eq!(options.set(TCP, IPPROTO_TCP, TCP_NODELAY, &0_i32.to_ne_bytes()), Ok(()));
        assert_eq!(options.set(TCP, IPPROTO_TCP, TCP_USER_TIMEOUT, &0_i32.to_ne_bytes()), Ok(()));
        let settings = options.tcp_settings(Domain::Ip4, &chosen);
        assert_eq!((settings.no_delay, settings.user_timeout, settings.cork), (false, None, true));
    }
}
