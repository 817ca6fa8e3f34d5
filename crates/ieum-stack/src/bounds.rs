//! Every bound of the stack, in one place: name, unit and reason.
//!
//! What falls over a bound is counted by its reason ([`crate::Stack::drops`]) or refused with an error of its own.

use std::time::Duration;

/// Receive queue of a UDP or ping endpoint, in bytes of what the buffers of its datagrams take on Linux, unless
/// SO_RCVBUF says so. Linux's net.core.rmem_default, so that a burst that fits there fits here.
pub(crate) const UDP_RECEIVE_QUEUE_BYTES_MAX: usize = 212_992;

/// A received datagram's buffer on Linux, in bytes: its header (struct sk_buff); what stands before the payload (room
/// for the link's header, IPv4's and UDP's) and behind it (struct skb_shared_info); the one for small datagrams,
/// headroom and tail with it (SKB_SMALL_HEAD_SIZE); and the largest that is allocated as one (16 KiB).
pub(crate) const BUFFER_HEADER_BYTES: usize = 256;
pub(crate) const BUFFER_HEADROOM_BYTES: usize = 59;
pub(crate) const BUFFER_TAIL_BYTES: usize = 320;
pub(crate) const BUFFER_SMALL_BYTES: usize = 576;
pub(crate) const BUFFER_WHOLE_BYTES_MAX: usize = 16_384;

/// Datagrams of one UDP or ping endpoint that were sent and not yet asked for by `poll_frame`, in bytes likewise.
/// Linux's net.core.wmem_default.
pub(crate) const UDP_SEND_QUEUE_BYTES_MAX: usize = 212_992;

/// The same for all datagrams sent without an endpoint (`udp_send_from`): they stand for many peers at once, so
/// they have room for the bursts of eight endpoints.
pub(crate) const UDP_SEND_FROM_QUEUE_BYTES_MAX: usize = 8 * UDP_SEND_QUEUE_BYTES_MAX;

/// Datagrams for nobody in particular (`poll_any_datagram`), in bytes likewise: they too stand for many endpoints.
pub(crate) const UDP_ANY_QUEUE_BYTES_MAX: usize = 8 * UDP_RECEIVE_QUEUE_BYTES_MAX;

/// What a queued datagram is charged beside its payload, in bytes: its entry and its allocation, so that empty
/// datagrams cannot fill the memory.
pub(crate) const DATAGRAM_OVERHEAD_BYTES: usize = 128;

/// The largest UDP payload over IPv4, in bytes: 65,535 less both headers (RFC 768, RFC 791).
pub(crate) const UDP_PAYLOAD_BYTES_MAX_IP4: usize = 65_507;

/// Datagrams of one call (UDP_SEGMENT), in datagrams: Linux's UDP_MAX_SEGMENTS.
pub(crate) const UDP_SEGMENTS_MAX: usize = 128;

/// Datagrams of one call stay one packet below so many bytes, header included: Linux gives its devices frames of Ethernet below
/// 64 KiB (GSO_LEGACY_MAX_SIZE), and its receivers are told of what came as one.
pub(crate) const UDP_WHOLE_BYTES_END: usize = 65_536 - 14;

/// Datagrams that are joined in a receive queue (UDP_GRO), in datagrams: Linux's UDP_GRO_CNT_MAX.
pub(crate) const UDP_JOINED_DATAGRAMS_MAX: usize = 64;

/// The same over IPv6, whose length field does not count its own header (RFC 8200 §3). No jumbograms (RFC 2675).
pub(crate) const UDP_PAYLOAD_BYTES_MAX_IP6: usize = 65_527;

/// The largest ICMP message a ping endpoint may send over IPv4, in bytes: 65,535 less the IP header (RFC 791).
pub(crate) const PING_MESSAGE_BYTES_MAX_IP4: usize = 65_515;

/// The same over IPv6, whose length field does not count its own header (RFC 8200 §3).
pub(crate) const PING_MESSAGE_BYTES_MAX_IP6: usize = 65_535;

/// All datagrams being put together from fragments, in bytes with overhead. Linux's net.ipv4.ipfrag_high_thresh.
pub(crate) const REASSEMBLY_BYTES_MAX: usize = 4 << 20;

/// What keeping a datagram, or a separate piece of one, is charged beside its bytes, in bytes.
pub(crate) const FRAGMENT_OVERHEAD_BYTES: usize = 64;

/// Separate pieces of one datagram, in pieces: 65,535 bytes in fragments of the smallest link (RFC 791: 68 bytes, 48 of
/// payload), every second one missing.
pub(crate) const REASSEMBLY_PIECES_MAX: usize = 683;

/// How long the missing fragments of a datagram are waited for. RFC 8200 §4.5 says 60 s, RFC 1122 §3.3.2 60 to 120.
pub(crate) const REASSEMBLY_TIME: Duration = Duration::from_secs(60);

/// ICMP messages owed, in messages: they are answers, and whoever sees none asks again.
pub(crate) const ICMP_QUEUE_MESSAGES_MAX: usize = 64;

/// ICMP messages owed, in bytes: three of the largest echoes, as Linux's socket for ICMP has room for.
pub(crate) const ICMP_QUEUE_BYTES_MAX: usize = 212_992;

/// ICMP errors sent to others in a second (RFC 1812 §4.3.2.8: they must be limited). Linux's net.ipv4.icmp_msgs_per_sec.
pub(crate) const ICMP_ERRORS_PER_SECOND_MAX: u32 = 1000;

/// ICMP errors sent to others at once after a pause. Linux's net.ipv4.icmp_msgs_burst.
pub(crate) const ICMP_ERRORS_BURST_MAX: u32 = 50;

/// What an ICMP error quotes of the refused packet, in bytes: with its own headers 576, which every host takes
/// (RFC 1812 §4.3.2.3, RFC 1122 §3.2.2).
pub(crate) const ICMP_QUOTE_BYTES_MAX: usize = 548;

/// What an ICMPv6 error quotes, in bytes: with its own headers 1280, the MTU every link has (RFC 4443 §2.4 (c)).
pub(crate) const ICMP6_QUOTE_BYTES_MAX: usize = 1232;

/// MTU of the link between a host's own sockets, in bytes: the largest packet of IPv4.
pub(crate) const LOOPBACK_MTU_BYTES: u32 = 65_535;

/// Neighbours known or asked for, in entries: as many hosts as a network of ours has, and strangers that pass by.
/// Linux's gc_thresh3.
pub(crate) const NEIGHBORS_MAX: usize = 1024;

/// Packets that wait for one neighbour, in packets. A flight of super-segments; who sends more is not heard anyway.
pub(crate) const PARKED_PACKETS_MAX: usize = 101;

/// The same in bytes: Linux's net.ipv4.neigh.default.unres_qlen_bytes.
pub(crate) const PARKED_BYTES_MAX: usize = 212_992;

/// Packets that wait for all neighbours together, in packets: each keeps its whole buffer of 64 KiB, however small it
/// is, so this is 64 MiB. Linux has no such bound; its 1024 neighbours may park 200 MB.
pub(crate) const PARKED_PACKETS_ALL_MAX: usize = 1024;

/// How often a neighbour is asked before it is given up (RFC 4861 §10: MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT).
pub(crate) const NEIGHBOR_QUESTIONS_MAX: u32 = 3;

/// Time between two questions (RFC 4861 §10: RETRANS_TIMER).
pub(crate) const NEIGHBOR_RETRANSMIT: Duration = Duration::from_secs(1);

/// How long an answer is good for (RFC 4861 §10: REACHABLE_TIME). The RFC wants it varied by chance so that routers'
/// many hosts do not ask in step; we have few neighbours.
pub(crate) const NEIGHBOR_REACHABLE: Duration = Duration::from_secs(30);

/// How long a stale neighbour may be used before it is asked (RFC 4861 §10: DELAY_FIRST_PROBE_TIME).
pub(crate) const NEIGHBOR_DELAY: Duration = Duration::from_secs(5);

/// Errors of one endpoint that wait to be taken, in errors: whoever asks for them takes them at once.
pub(crate) const UDP_ERRORS_MAX: usize = 64;

/// Reports of groups that are still to come, in reports: as many as memberships that change within a second.
pub(crate) const GROUP_REPORTS_MAX: usize = 1024;

/// Records of one report, in bytes: with its headers they fit into the smallest MTU of IPv6.
pub(crate) const GROUP_REPORT_BYTES_MAX: usize = 1200;

/// Datagrams to groups of our own that wait to come around, in packets; who sends more at once loses what is beyond.
pub(crate) const LOOPED_PACKETS_MAX: usize = 1024;

/// Packets on their way to or from a stack that has the datagrams of this host, in packets: each keeps its whole buffer of
/// 64 KiB, and all leave in the turn they came in.
pub(crate) const DELEGATED_PACKETS_MAX: usize = 1024;

/// Answers to neighbours that wait to be fetched, in frames: whoever gets none asks again.
pub(crate) const NEIGHBOR_ANSWERS_MAX: usize = 256;
