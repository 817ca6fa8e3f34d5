//! All that can be told of a connection: what Linux's `struct tcp_info` has a meaning for here. [`super::Status`] is what a
//! user needs all the time; this is what a person needs who asks why.

use std::time::Duration;

use ieum_wire::Instant;

use super::bounds::{INITIAL_WINDOW_SEGMENTS, RTO_INITIAL};
use super::connection::{Connection, Over, Phase};
use super::ecn::{Accurate, AccurateCounts};
use super::open::Open;
use super::send::congestion::Window;
use super::send::{Belief, Counts, HeldTimes};
use super::settings::TcpSettings;
use super::status::Status;
use super::{ConnectionId, Tcp};

/// Bytes of the headers of IP and TCP, without options.
const HEADER_BYTES_IP4: u32 = 40;
const HEADER_BYTES_IP6: u32 = 60;

/// What can be told of a connection beyond its [`Status`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Info {
    /// Room in the send buffer; 0 before the handshake ends, after `tcp_finish` and after a failure.
    pub sendable_bytes: usize,
    /// The congestion window, in segments.
    pub cwnd: u32,
    /// Slow start's upper end, in segments; 0x7fff_ffff while there is none.
    pub ssthresh: u32,
    /// What is believed of the path.
    pub belief: Belief,
    /// What is in flight.
    pub flight: Counts,
    /// The smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// The retransmission time-out.
    pub rto: Duration,
    /// The data of the SYN was taken: the peer's by us, or ours by the peer (RFC 7413; TCPI_OPT_SYN_DATA).
    pub syn_data: bool,
    /// The rate at which it sends, in bytes a second, aimed at or enforced (tcpi_pacing_rate); `u64::MAX` while unknown.
    pub pacing_rate: u64,
    /// The rate that is never exceeded (tcpi_max_pacing_rate).
    pub pacing_rate_max: Option<u64>,
    /// The rate at which the path was last seen to deliver, in bytes a second (tcpi_delivery_rate), 0 while unknown, and
    /// whether it was measured while less was sent than could have been (tcpi_delivery_rate_app_limited).
    pub delivery_rate: u64,
    /// See [`Info::delivery_rate`].
    pub delivery_rate_limited: bool,
    /// Time-outs since something was last acknowledged.
    pub retransmits: u32,
    /// Questions to a closed window or a silent peer since it last answered.
    pub probes: u32,
    /// How often the time-out is doubled now.
    pub backoff: u32,
    /// Both sides use timestamps (RFC 7323).
    pub timestamps: bool,
    /// Both sides use SACK (RFC 2018).
    pub sack: bool,
    /// Shifts of the peer's windows and of ours, when both are scaled (RFC 7323).
    pub scales: Option<(u8, u8)>,
    /// Both sides speak ECN (RFC 3168).
    pub ecn: bool,
    /// What accurate ECN has counted, where both sides speak it (RFC 9768).
    pub accurate_ecn: Option<AccurateCounts>,
    /// How long an acknowledgement waits for company; zero before anything came that had to be acknowledged.
    pub ack_delay: Duration,
    /// Payload of the largest segment received, in bytes.
    pub peer_mss_bytes: u32,
    /// Memory that data to be sent may take, in bytes.
    pub send_buffer_bytes: u32,
    /// Memory that data received may take, and as far as the window has opened, in bytes.
    pub recv_buffer_bytes: u32,
    /// Memory that data received takes, in bytes.
    pub recv_charged_bytes: u32,
    /// As far as the receive window has opened, in bytes.
    pub recv_opened_bytes: u32,
    /// The most that was read in a round trip, in bytes.
    pub recv_per_round_bytes: u32,
    /// The round trip as the receiver sees it; zero when it was not measured.
    pub recv_rtt: Duration,
    /// Payload of the largest segment that we said we take, in bytes.
    pub announced_mss_bytes: u32,
    /// Since data was last sent, or the handshake ended; [`Duration::MAX`] before.
    pub data_sent_ago: Duration,
    /// Since data was last received, or the handshake ended; [`Duration::MAX`] before.
    pub data_received_ago: Duration,
    /// Since the peer was last heard of; [`Duration::MAX`] before the handshake has ended.
    pub heard_ago: Duration,
    /// The largest packet that the path takes, in bytes.
    pub path_mtu_bytes: u32,
    /// How much round trips vary (RFC 6298: RTTVAR).
    pub rtt_variation: Duration,
    /// The shortest round trip of late.
    pub rtt_min: Option<Duration>,
    /// Segments that may overtake one before it is believed lost.
    pub reordering: u32,
    /// Bytes that were queued and never sent.
    pub unsent_bytes: u64,
    /// The peer's window and ours, in bytes.
    pub send_window_bytes: u32,
    /// What was last promised to the peer, in bytes from what has arrived.
    pub recv_window_bytes: u32,
    /// Bytes that have arrived in order, the end counted as one.
    pub bytes_received: u64,
    /// Bytes that the peer has acknowledged, SYN and end counted as one each.
    pub bytes_acked: u64,
    /// Bytes sent, repetitions included, and those of repetitions.
    pub bytes_sent: u64,
    /// Bytes of repetitions.
    pub bytes_again: u64,
    /// Segments sent, repetitions and acknowledgements included.
    pub segments_out: u32,
    /// Those of them that had data.
    pub data_segments_out: u32,
    /// Segments received.
    pub segments_in: u32,
    /// Those of them that had data.
    pub data_segments_in: u32,
    /// Those that came beyond a hole.
    pub out_of_order_in: u32,
    /// Repetitions, SYNs included.
    pub segments_again: u32,
    /// Segments of ours that have arrived, the SYN included.
    pub delivered: u32,
    /// Those whose acknowledgement echoed a mark.
    pub delivered_marked: u32,
    /// Segments that the peer reported to have come twice (RFC 2883).
    pub duplicates: u32,
    /// How often something was seen to have been overtaken.
    pub reorderings: u32,
    /// Time-outs, and how many of them were the first of a row.
    pub timeouts: u32,
    /// Rows of time-outs.
    pub timeout_rows: u32,
    /// How long these rows have lasted.
    pub timeout_time: Duration,
    /// What held the sender back.
    pub held: HeldTimes,
}

/// What could be told of a connection when it ended.
pub(super) struct Last {
    ended_at: Instant,
    pub(super) mss_bytes: u32,
    info: Info,
}

impl Last {
    /// The same told now: what was so long ago then is longer ago.
    fn told(&self, now: Instant) -> Info {
        let since = now.since(self.ended_at);
        Info {
            data_sent_ago: self.info.data_sent_ago.saturating_add(since),
            data_received_ago: self.info.data_received_ago.saturating_add(since),
            heard_ago: self.info.heard_ago.saturating_add(since),
            ..self.info
        }
    }
}

impl Tcp {
    /// How a connection stands, and all else that can be told.
    pub(crate) fn info(&self, now: Instant, id: ConnectionId) -> Option<(Status, Info)> {
        let connection = self.connections.get(id)?;
        Some((connection.status(), connection.info(now)))
    }
}

impl Connection {
    fn info(&self, now: Instant) -> Info {
        let headers = if self.tuple.local.is_ipv4() { HEADER_BYTES_IP4 } else { HEADER_BYTES_IP6 };
        match &self.phase {
            Phase::Open(open) => {
                let path_mtu_bytes = open.path_mss() + headers;
                Info { path_mtu_bytes, ..open.info(now, &self.settings) }
            }
            Phase::Handshake(handshake) => Info {
                retransmits: handshake.syn.retries,
                backoff: handshake.syn.retries,
                segments_out: handshake.syn.retries + u32::from(handshake.syn.sent_at.is_some()),
                segments_again: handshake.syn.retries,
                timeouts: handshake.syn.retries,
                reordering: super::bounds::DUPLICATES_MAX,
                // The SYN.
                flight: Counts { out: handshake.syn.sent_at.is_some().into(), ..Counts::default() },
                announced_mss_bytes: handshake.own.mss.bytes().into(),
                path_mtu_bytes: u32::from(handshake.own.path_mss.bytes()) + headers,
                ..self.info_without_path()
            },
            Phase::Closed(Over { recv, last }) => {
                let info = last.as_ref().map_or_else(|| self.info_without_path(), |last| last.told(now));
                let charged = recv.as_ref().map_or(0, |recv| recv.space.charged_bytes());
                Info { recv_charged_bytes: charged, ..info }
            }
        }
    }

    /// What is kept of a connection that ends now.
    pub(super) fn last(&self, now: Instant) -> Last {
        let info = self.info(now);
        // Nothing of it is on its way any more, and nothing will be sent again.
        let flight = Counts { out: 0, ..info.flight };
        let info = Info { flight, backoff: 0, sendable_bytes: 0, ..info };
        Last { ended_at: now, mss_bytes: self.open().map_or(0, |open| open.mss), info }
    }

    /// Of a connection that has not sent anything, or never will again.
    fn info_without_path(&self) -> Info {
        Info {
            cwnd: INITIAL_WINDOW_SEGMENTS,
            ssthresh: Window::NO_THRESHOLD,
            rto: RTO_INITIAL,
            pacing_rate: u64::MAX,
            pacing_rate_max: self.settings.pacing_rate_max,
            data_sent_ago: Duration::MAX,
            data_received_ago: Duration::MAX,
            heard_ago: Duration::MAX,
            ..Info::default()
        }
    }
}

impl Open {
    fn info(&self, now: Instant, settings: &TcpSettings) -> Info {
        let (send, totals, sums) = (&self.send, &self.totals, self.send.sums());
        let stamps = self.stamps.is_some();
        let (delivery_rate, delivery_rate_limited) = send.delivery_rate();
        Info {
            sendable_bytes: send.room(settings),
            cwnd: send.congestion().cwnd,
            ssthresh: send.congestion().ssthresh,
            belief: send.belief(),
            flight: send.flight().counts(),
            rtt: send.smoothed_rtt(),
            rto: send.rto(),
            syn_data: self.syn_data,
            pacing_rate: send.pacing_rate(settings),
            pacing_rate_max: settings.pacing_rate_max,
            delivery_rate,
            delivery_rate_limited,
            retransmits: send.retransmits(),
            probes: self.probes + send.window_probes(),
            backoff: send.doublings(),
            timestamps: stamps,
            sack: send.has_sack(),
            scales: self.scales,
            ecn: self.ecn.is_on(),
            accurate_ecn: self.ecn.accurate().map(Accurate::counts),
            ack_delay: if totals.data_segments_in == 0 { Duration::ZERO } else { self.recv.ack.delay() },
            peer_mss_bytes: self.recv.space.peer_mss(),
            send_buffer_bytes: send.buffer_bytes(settings),
            recv_charged_bytes: self.recv.space.charged_bytes(),
            recv_buffer_bytes: self.recv.space.buffer_bytes(),
            recv_opened_bytes: self.recv.space.opened_bytes(),
            recv_per_round_bytes: self.recv.space.read_in_round(),
            recv_rtt: self.recv.space.round_trip(),
            announced_mss_bytes: self.announced_mss(),
            data_sent_ago: now.since(totals.data_out_at),
            data_received_ago: now.since(totals.data_in_at),
            heard_ago: now.since(self.heard_at()),
            rtt_variation: send.rtt_variation(),
            rtt_min: send.rtt_min(),
            reordering: send.reordering(),
            unsent_bytes: send.unsent().into(),
            send_window_bytes: send.window(),
            recv_window_bytes: self.recv.window_left(),
            bytes_received: totals.bytes_in,
            bytes_acked: sums.acked,
            bytes_sent: totals.bytes_out,
            bytes_again: totals.bytes_again,
            segments_out: totals.segments_out,
            data_segments_out: totals.data_segments_out,
            segments_in: totals.segments_in,
            data_segments_in: totals.data_segments_in,
            out_of_order_in: totals.out_of_order_in,
            segments_again: totals.segments_again,
            delivered: sums.delivered,
            delivered_marked: self
                .ecn
                .accurate()
                .map_or(sums.delivered_marked, |accurate| accurate.counts().delivered_marked),
            duplicates: sums.duplicates,
            reorderings: sums.reorderings,
            timeouts: sums.timeouts,
            timeout_rows: sums.timeout_rows,
            timeout_time: sums.timeout_time(now),
            held: send.held_times(now),
            ..Info::default()
        }
    }
}
