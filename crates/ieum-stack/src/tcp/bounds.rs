//! Every bound and time of TCP: its unit and the reason for its value.

use std::time::Duration;

/// Send buffer of a connection, in bytes, where the user chooses none, before it grows with the congestion window (Linux:
/// tcp_wmem): two windows fit in once the handshake is over.
pub(crate) const SEND_BUFFER_BYTES_DEFAULT: u32 = 16 * 1024;

/// As far as it grows by itself, in bytes with what packets cost (Linux: tcp_wmem): 1 Gbit/s and 16 ms twice.
pub(crate) const SEND_BUFFER_BYTES_MAX_DEFAULT: u32 = 4 * 1024 * 1024;

/// Receive buffer, in bytes of window, where the user chooses none, before it grows with what is read (Linux: half of
/// tcp_rmem).
pub(crate) const RECV_BUFFER_BYTES_DEFAULT: u32 = 64 * 1024;

/// The window that a SYN promises and a new connection has, in bytes, where the user chooses no buffer: Linux's first
/// one (half of tcp_rmem), so that a peer sees the segments and windows that it would see there. Each segment that
/// comes opens it by twice its bytes, faster than slow start fills it.
pub(crate) const FIRST_WINDOW_BYTES_DEFAULT: u32 = 64 * 1024;

/// The window that the scale offered in a SYN can express, in bytes: the largest receive buffer of Linux 6.18 (tcp_rmem), so
/// that a buffer may still grow after the handshake and a SYN looks like any other.
pub(crate) const SCALED_WINDOW_BYTES_DEFAULT: u32 = 32 * 1024 * 1024;

/// The largest buffer a user may choose, in bytes: the largest window is 2³⁰ (RFC 7323 §2.3).
pub(crate) const BUFFER_BYTES_MAX: u32 = 1 << 29;

/// As far as a receive buffer grows by itself, in bytes of window: what the scale that a SYN offers can express. Enough for
/// 1 Gbit/s and 65 ms.
pub(crate) const RECV_BUFFER_BYTES_MAX_DEFAULT: u32 = 8 * 1024 * 1024;

/// The least that the largest window may be bounded to, in bytes (Linux: half of the smallest receive buffer).
pub(super) const WINDOW_CLAMP_BYTES_MIN: u32 = 1152;

/// The smallest send buffer, in bytes, what packets cost included: two of Linux's smallest (SOCK_MIN_SNDBUF), so that a few
/// segments are always on their way and a loss is seen before the timer fires.
pub(crate) const SEND_BUFFER_BYTES_MIN: u32 = 4608;

/// Separate ranges of data received out of order that a connection remembers. With 3 % loss on a window of 16 MiB about
/// 350 holes exist at a time. Beyond it the rightmost gives way to what lies left of it, and is sent again by the peer.
pub(super) const OUT_OF_ORDER_RANGES_MAX: usize = 512;

/// The smallest receive buffer, in bytes of window (Linux: SOCK_MIN_RCVBUF, which counts memory, is twice that).
pub(crate) const RECV_BUFFER_BYTES_MIN: u32 = 1152;

/// Passive opens waiting for an answer, per listener that accepts for any address: each may stand for a connect of
/// the machine's kernel under way.
pub(super) const ANY_BACKLOG: u32 = 4096;

/// How long after the last SYN cookie an acknowledgement may be an answer to one: as long as cookies are good (Linux: 2
/// minutes).
pub(super) const SYN_COOKIE_LIFETIME: Duration = Duration::from_secs(120);

/// Half-open connections that a listener which holds SYNs for a verdict has room for at least: verdicts take time.
pub(super) const SYN_QUEUE_MIN: u32 = 8;

/// RSTs and ACKs owed to segments that belong to no connection. Beyond it the peer's retransmission asks again. RSTs of
/// connections that are aborted are not bound by it: there are no more of them than there were connections, and nobody
/// would ask again.
pub(super) const REPLIES_MAX: usize = 256;

/// Servers of which clients remember a cookie of Fast Open; the one met first gives way. About 100 bytes each (Linux: as
/// many as its table of metrics has room for).
pub(super) const REMEMBERED_PATHS_MAX: usize = 1024;

/// How long a Fast Open that its peer reset counts against its listener's bound: whoever forges SYNs from addresses that
/// answer by a RST shall gain nothing (RFC 7413 §5.1; Linux: 60 s).
pub(super) const FAST_OPEN_RESET_COUNTS: Duration = Duration::from_secs(60);

/// Connections that nobody holds and that are not over, where nobody says otherwise: each may hold a send buffer (Linux:
/// tcp_max_orphans, 65,536 on 16 GiB).
pub(super) const ORPHANS_MAX: u32 = 65_536;

/// How old a TIME-WAIT must be before a new connection of ours takes its place: its peer's clock of timestamps has gone on
/// by then, whatever its tick (RFC 6191 §2; Linux: 1 s).
pub(super) const TIME_WAIT_REUSE_AFTER: Duration = Duration::from_secs(1);

/// How far beyond the old connection's end a new one of the same tuple begins (RFC 6191 §2; Linux: 65,535 and 2).
pub(super) const TIME_WAIT_ISN_STEP: u32 = 65_537;

/// TIME-WAITs kept in all; the oldest ends early beyond (Linux: tcp_max_tw_buckets, 2¹⁷ on this much memory).
pub(super) const TIME_WAITS_MAX: usize = 65_536;

/// How long TIME-WAIT lasts. RFC 9293 §3.6.1 wants 2 MSL = 4 minutes; like Linux we take 60 s, so that the
/// ephemeral ports for one destination are not used up by 118 connections a second.
pub(super) const TIME_WAIT: Duration = Duration::from_secs(60);

/// How long a closed connection waits in FIN-WAIT-2 for the peer's end (Linux: tcp_fin_timeout).
pub(super) const FIN_WAIT_2: Duration = Duration::from_secs(60);

/// RTO before any measurement (RFC 6298 §2.1).
pub(super) const RTO_INITIAL: Duration = Duration::from_secs(1);

/// The least by which the RTO exceeds the smoothed RTT. RFC 6298 §2.4 wants a whole second as the least RTO; with
/// Linux's 200 ms a delayed acknowledgement still does not look like a loss and one lost segment costs a fifth.
pub(super) const RTO_FLOOR: Duration = Duration::from_millis(200);

/// The largest RTO (RFC 6298 §2.5 allows any from 60 s; Linux: 120 s).
pub(super) const RTO_MAX: Duration = Duration::from_secs(120);

/// SYNs sent again before a connect gives up: with those that do not back off about 131 s in all (Linux: tcp_syn_retries 6;
/// RFC 9293 MUST-23 asks for at least 3 minutes only where the user can set nothing else).
pub(super) const SYN_RETRIES_MAX: u32 = 6;

/// SYNs sent again a second apart, beside those, before their distance doubles: one that is lost costs no more than a second
/// (Linux: tcp_syn_linear_timeouts 4). RFC 6298 §5.5 wants each to double it; a SYN is a segment without data, and
/// loads no path that could carry what follows it.
pub(super) const SYN_LINEAR_TIMEOUTS: u32 = 4;

/// SYN-ACKs sent again before a half-open connection is forgotten (Linux: tcp_synack_retries 5).
pub(super) const SYN_ACK_RETRIES_MAX: u32 = 5;

/// Retransmissions before a connection is given up: about 15 minutes (Linux: tcp_retries2; RFC 9293 §3.8.3 R2).
pub(super) const RETRIES_MAX: u32 = 15;

/// The same for a connection whose user has gone (Linux: tcp_orphan_retries 8).
pub(super) const ORPHAN_RETRIES_MAX: u32 = 8;

/// How long an acknowledgement waits for company at first, and at least. RFC 9293 §3.8.6.3 (MUST-40) allows up to 0.5
/// s; 40 ms let a request and its answer share a segment without holding up a slow writer (Linux: 40 ms).
pub(super) const DELAYED_ACK: Duration = Duration::from_millis(40);

/// The same at most on a connection on which we answer soon (Linux: TCP_DELACK_MAX), and on others before the round trip is
/// known, which bounds both.
pub(super) const ACK_DELAY_INTERACTIVE_MAX: Duration = Duration::from_millis(200);
pub(super) const ACK_DELAY_MAX: Duration = Duration::from_millis(500);

/// Acknowledgements sent at once at the beginning of a connection, while the peer's congestion window is small and
/// each one lets it grow (Linux: TCP_MAX_QUICKACKS).
pub(super) const QUICK_ACKS: u32 = 16;

/// The same at least.
pub(super) const QUICK_ACKS_MIN: u32 = 2;

/// What the peer's segments are taken to hold before any has come, in bytes (RFC 9293 §3.7.1).
pub(super) const PEER_MSS_BYTES_INITIAL: u32 = 536;

/// Segments that must have overtaken one before its loss is believed, unless the path was seen to reorder (RFC 5681
/// §3.2, RFC 8985 §6.2: DupThresh).
pub(super) const DUPLICATES_MAX: u32 = 3;

/// The same at most, however the path reorders (Linux: tcp_max_reordering).
pub(super) const REORDERING_MAX: u32 = 300;

/// Quarters of the shortest round trip that the reordering window may grow to; the smoothed round trip bounds it anyway
/// (RFC 8985 §6.2 step 4; Linux: 255).
pub(super) const REORDERING_STEPS_MAX: u32 = 255;

/// Recoveries for which a grown reordering window is kept (RFC 8985 §6.2 step 4).
pub(super) const REORDERING_PERSISTS: u32 = 16;

/// What the alarm for overdue segments comes later than they are, so that one alarm finds them all (Linux: 2 ms).
pub(super) const REORDERING_SLACK: Duration = Duration::from_millis(2);

/// How long a peer may take to acknowledge in order what it has named in blocks, before that is taken for thrown away
/// (Linux: 10 ms, or half a round trip).
pub(super) const RENEGING_WAIT: Duration = Duration::from_millis(10);

/// For how long a packet may wait to become a larger one (Linux: 1 ms).
pub(super) const DEFERRED_MAX: Duration = Duration::from_millis(1);

/// For how long a shortest round trip counts: paths change (RFC 8985 §6.2 step 1 leaves it open; Linux: 300 s).
pub(super) const MIN_RTT_WINDOW: Duration = Duration::from_secs(300);

/// Tail probe time-out without a measured round trip (RFC 8985 §7.2).
pub(super) const PROBE_TIMEOUT_INITIAL: Duration = Duration::from_secs(1);

/// What a tail probe waits for a delayed acknowledgement beyond two round trips, with one segment in flight (RFC 8985
/// §7.2: TLP.max_ack_delay; Linux: the least RTO), and with more (Linux: 2 ms).
pub(super) const PROBE_SLACK_ALONE: Duration = Duration::from_millis(200);
pub(super) const PROBE_SLACK: Duration = Duration::from_millis(2);

/// Segments of the initial congestion window (RFC 6928).
pub(super) const INITIAL_WINDOW_SEGMENTS: u32 = 10;

/// Segments at the beginning of a connection that are not paced (Linux, and its queueing discipline `fq`: 10).
pub(super) const UNPACED_SEGMENTS: u32 = INITIAL_WINDOW_SEGMENTS;

/// The least MTU that a router of IPv4 is believed to have, in bytes: forged errors shall not make us send headers
/// almost alone. Linux's net.ipv4.route.min_pmtu.
pub(crate) const PATH_MTU_MIN_IP4_BYTES: u32 = 552;

/// The least MTU of IPv6's links, in bytes (RFC 8200 §5); a router that says less is not believed (RFC 8201 §4).
pub(crate) const PATH_MTU_MIN_IP6_BYTES: u32 = 1280;

/// Where a search for the path's size begins, in bytes of payload (RFC 4821 §7.2: BASE_PLPMTU; Linux: tcp_base_mss), and what it
/// never goes below (Linux: tcp_mtu_probe_floor).
pub(crate) const MTU_PROBE_BASE_MSS: u16 = 1024;
pub(super) const MTU_PROBE_MSS_FLOOR: u32 = 48;

/// However small the peer's windows are, a segment has room for so many bytes of options and payload: what is left of
/// the smallest packet that every link carries whole (RFC 791: 68 bytes) by a header without options.
pub(super) const SEGMENT_BYTES_MIN: u32 = 48;

/// Bytes between the ends of a search below which it rests, and for how long (Linux: tcp_probe_threshold, tcp_probe_interval).
pub(super) const MTU_PROBE_NARROW_BYTES: u32 = 8;
pub(super) const MTU_PROBE_INTERVAL: Duration = Duration::from_secs(600);

/// The congestion window with which a probe's loss costs little, in segments (Linux).
pub(super) const MTU_PROBE_CWND_MIN: u32 = 11;

/// Time-outs in a row after which large segments are suspected to vanish (Linux: tcp_retries1).
pub(super) const BLACK_HOLE_RETRIES: u32 = 3;

/// The least time between two ACKs in answer to unacceptable segments of one connection, so that two confused ends
/// cannot keep each other busy (RFC 5961 §7; Linux: tcp_invalid_ratelimit).
pub(super) const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);

/// How long a passive open may wait for its verdict, and is remembered when that was silence, so that the peer's
/// repeated SYNs make no new request: longer than any kernel's connect lasts (about 130 s on Linux).
pub(super) const REQUEST_WAIT: Duration = Duration::from_secs(180);

/// For how long an old timestamp proves a segment old: half of what a clock of 1 ms takes to come around, with room
/// for a faster one (RFC 7323 §5.5).
pub(super) const STAMP_LIFETIME: Duration = Duration::from_secs(24 * 24 * 3600);
