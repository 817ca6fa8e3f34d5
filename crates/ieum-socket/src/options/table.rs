//! One row for each option that is a number.

use super::numbers::*;
use crate::bounds::{BACKLOG_MAX, BUFFER_BYTES_MAX, RECV_BUFFER_BYTES_MIN, SEND_BUFFER_BYTES_MIN};
use crate::make::{Domain, Protocol};
use crate::{Errno, Kind, Make};

/// What ieum knows about an option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) level: i32,
    pub(super) name: i32,
    /// Who has it.
    whose: Whose,
    /// What is read from a fresh socket.
    pub(super) default: i32,
    pub(super) rule: Rule,
}

/// Which sockets have an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    All,
    Streams,
    Udp,
    /// Of AF_INET6.
    Ip6,
}

/// What may be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Anything; what is not 0 is read back as 1.
    Flag,
    /// Anything, read back as it was written.
    Any,
    /// From the first to the second number; EINVAL outside.
    Within(i32, i32),
    /// What a function makes of it.
    Judged(fn(Kind, i32) -> Result<i32, Errno>),
    /// Nothing: it cannot be set, or not by an unprivileged program.
    Refused(Errno),
}

impl Row {
    /// Do sockets of this make have the option?
    pub(super) fn serves(&self, make: Make) -> bool {
        match self.whose {
            Whose::All => true,
            Whose::Streams => make.protocol == Protocol::Tcp,
            Whose::Udp => make.is_udp(),
            Whose::Ip6 => make.domain == Domain::Ip6,
        }
    }

    /// An option of IPv6 that takes a value of any length, a short one for 0.
    pub(super) fn takes_short(&self) -> bool {
        matches!(self.name, IPV6_DONTFRAG | IPV6_AUTOFLOWLABEL | IPV6_RECVFRAGSIZE)
    }

    /// An option of IP that does not take an empty value for 0.
    pub(super) fn wants_bytes(&self) -> bool {
        matches!(
            self.name,
            IP_TTL
                | IP_FREEBIND
                | IP_TRANSPARENT
                | IP_MINTTL
                | IP_MULTICAST_TTL
                | IP_MULTICAST_LOOP
                | IP_MULTICAST_ALL
                | IP_LOCAL_PORT_RANGE
        )
    }
}

/// An option of any socket.
const fn socket(name: i32, default: i32, rule: Rule) -> Row {
    Row { level: SOL_SOCKET, name, whose: Whose::All, default, rule }
}

/// An option of TCP.
const fn tcp(name: i32, default: i32, rule: Rule) -> Row {
    Row { level: IPPROTO_TCP, name, whose: Whose::Streams, default, rule }
}

/// An option of IP.
const fn ip(name: i32, default: i32, rule: Rule) -> Row {
    Row { level: IPPROTO_IP, name, whose: Whose::All, default, rule }
}

/// An option of UDP.
const fn udp(name: i32, rule: Rule) -> Row {
    Row { level: IPPROTO_UDP, name, whose: Whose::Udp, default: 0, rule }
}

/// An option of IPv6.
const fn ip6(name: i32, default: i32, rule: Rule) -> Row {
    Row { level: IPPROTO_IPV6, name, whose: Whose::Ip6, default, rule }
}

use Rule::{Any, Flag, Judged, Refused, Within};

const READ_ONLY: Rule = Refused(Errno::ENOPROTOOPT);

/// Every option that is a number. Those whose value is asked of the socket have a row only for what cannot be set.
pub(super) const ROWS: &[Row] = &[
    socket(SO_DEBUG, 0, Judged(|_, value| if value == 0 { Ok(0) } else { Err(Errno::EACCES) })),
    socket(SO_REUSEADDR, 0, Flag),
    socket(SO_TYPE, 0, READ_ONLY),
    socket(SO_ERROR, 0, READ_ONLY),
    socket(SO_DONTROUTE, 0, Flag),
    socket(SO_BROADCAST, 0, Flag),
    socket(SO_SNDBUF, 0, Judged(|_, value| Ok(doubled(value, SEND_BUFFER_BYTES_MIN)))),
    socket(SO_RCVBUF, 0, Judged(|_, value| Ok(doubled(value, RECV_BUFFER_BYTES_MIN)))),
    socket(SO_KEEPALIVE, 0, Flag),
    socket(SO_OOBINLINE, 0, Flag),
    socket(SO_NO_CHECK, 0, Flag),
    // Priorities and marks steer queues and routes of a kernel; the host has neither, so any value is harmless.
    socket(SO_PRIORITY, 0, Any),
    socket(SO_BSDCOMPAT, 0, Judged(|_, _| Ok(0))),
    socket(SO_REUSEPORT, 0, Flag),
    socket(SO_PASSCRED, 0, Refused(Errno::EOPNOTSUPP)),
    socket(SO_PASSSEC, 0, Refused(Errno::EOPNOTSUPP)),
    socket(SO_RCVLOWAT, 1, Judged(low_water)),
    socket(SO_SNDLOWAT, 1, READ_ONLY),
    socket(SO_TIMESTAMP, 0, Flag),
    socket(SO_ACCEPTCONN, 0, READ_ONLY),
    socket(SO_SNDBUFFORCE, 0, Refused(Errno::EPERM)),
    socket(SO_RCVBUFFORCE, 0, Refused(Errno::EPERM)),
    socket(SO_TIMESTAMPNS, 0, Flag),
    socket(SO_MARK, 0, Any),
    socket(SO_PROTOCOL, 0, READ_ONLY),
    socket(SO_DOMAIN, 0, READ_ONLY),
    socket(SO_RXQ_OVFL, 0, Flag),
    socket(SO_PEEK_OFF, -1, Any),
    socket(SO_LOCK_FILTER, 0, Flag),
    // There is none that could be taken off.
    socket(SO_DETACH_FILTER, 0, Refused(Errno::ENOENT)),
    socket(SO_SELECT_ERR_QUEUE, 0, Flag),
    socket(SO_BUSY_POLL, 0, Within(0, i32::MAX)),
    socket(SO_BPF_EXTENSIONS, 64, READ_ONLY),
    socket(SO_INCOMING_CPU, -1, Any),
    socket(SO_MEMINFO, 0, READ_ONLY),
    socket(SO_INCOMING_NAPI_ID, 0, READ_ONLY),
    socket(SO_ZEROCOPY, 0, Within(0, 1)),
    socket(SO_TIMESTAMP_NEW, 0, Flag),
    socket(SO_TIMESTAMPNS_NEW, 0, Flag),
    socket(SO_PREFER_BUSY_POLL, 0, Flag),
    socket(SO_BUF_LOCK, 0, Within(0, 3)),
    Row { level: SOL_SOCKET, name: SO_TXREHASH, whose: Whose::Streams, default: 1, rule: Within(-1, 1) },
    socket(SO_RCVMARK, 0, Flag),
    tcp(TCP_NODELAY, 0, Flag),
    tcp(TCP_MAXSEG, 0, Judged(|_, value| within(value, value == 0 || (88..=32_767).contains(&value)))),
    tcp(TCP_CORK, 0, Flag),
    tcp(TCP_KEEPIDLE, 7200, Within(1, 32_767)),
    tcp(TCP_KEEPINTVL, 75, Within(1, 32_767)),
    tcp(TCP_KEEPCNT, 9, Within(1, 127)),
    tcp(TCP_SYNCNT, 6, Within(1, 127)),
    tcp(TCP_LINGER2, FIN_TIMEOUT, Judged(|_, value| Ok(linger2(value)))),
    tcp(TCP_DEFER_ACCEPT, 0, Judged(|_, value| Ok(whole_retransmissions(value)))),
    tcp(TCP_WINDOW_CLAMP, 0, Judged(|_, value| Ok(window_clamp(value)))),
    tcp(TCP_INFO, 0, READ_ONLY),
    tcp(TCP_CC_INFO, 0, READ_ONLY),
    tcp(TCP_QUICKACK, 1, Flag),
    tcp(TCP_THIN_LINEAR_TIMEOUTS, 0, Within(0, 1)),
    tcp(TCP_THIN_DUPACK, 0, Judged(|_, value| within(0, (0..=1).contains(&value)))),
    tcp(TCP_USER_TIMEOUT, 0, Within(0, i32::MAX)),
    tcp(TCP_REPAIR, 0, Refused(Errno::EPERM)),
    tcp(TCP_FASTOPEN, 0, Judged(|_, value| within(value.min(BACKLOG_MAX), value >= 0))),
    tcp(TCP_NOTSENT_LOWAT, 0, Any),
    tcp(TCP_SAVE_SYN, 0, Within(0, 2)),
    tcp(TCP_FASTOPEN_CONNECT, 0, Within(0, 1)),
    // Who reads messages for a program asks [`crate::Host::unread`] for what it then adds to them.
    tcp(TCP_INQ, 0, Within(0, 1)),
    tcp(TCP_FASTOPEN_NO_COOKIE, 0, Within(0, 1)),
    tcp(TCP_RTO_MAX_MS, 0, Within(1000, 120_000)),
    // The two lowest bits are ECN's, which is TCP's own affair.
    ip(IP_TOS, 0, Judged(|kind, value| Ok(value & if kind == Kind::Stream { 0xfc } else { 0xff }))),
    ip(IP_TTL, 64, Judged(|_, value| hops(value, 64, 1))),
    ip(IP_HDRINCL, 0, READ_ONLY),
    ip(IP_RECVOPTS, 0, Flag),
    ip(IP_RETOPTS, 0, Flag),
    ip(IP_PKTINFO, 0, Flag),
    ip(IP_MTU_DISCOVER, 1, Within(0, 5)),
    ip(IP_RECVERR, 0, Flag),
    ip(IP_RECVTTL, 0, Flag),
    ip(IP_RECVTOS, 0, Flag),
    ip(IP_MTU, 0, READ_ONLY),
    ip(IP_FREEBIND, 0, Flag),
    ip(IP_TRANSPARENT, 0, Judged(|_, value| if value == 0 { Ok(0) } else { Err(Errno::EPERM) })),
    ip(IP_RECVORIGDSTADDR, 0, Flag),
    ip(IP_MINTTL, 0, Within(0, 255)),
    ip(IP_NODEFRAG, 0, READ_ONLY),
    ip(IP_CHECKSUM, 0, Flag),
    ip(IP_BIND_ADDRESS_NO_PORT, 0, Flag),
    ip(IP_RECVFRAGSIZE, 0, Judged(|kind, value| within(i32::from(value != 0), kind == Kind::Datagram))),
    ip(IP_MULTICAST_TTL, 1, Judged(multicast_hops)),
    ip(IP_MULTICAST_LOOP, 1, Flag),
    ip(IP_MULTICAST_ALL, 1, Within(0, 1)),
    ip(IP_LOCAL_PORT_RANGE, 0, Judged(|_, value| port_range(value))),
    ip6(IPV6_2292PKTINFO, 0, Flag),
    ip6(IPV6_2292HOPLIMIT, 0, Flag),
    ip6(IPV6_FLOWINFO, 0, Flag),
    ip6(IPV6_UNICAST_HOPS, 64, Judged(|_, value| hops(value, 64, 0))),
    ip6(IPV6_MULTICAST_IF, 0, Judged(multicast_link)),
    ip6(IPV6_MULTICAST_HOPS, 1, Judged(multicast_hops6)),
    ip6(IPV6_MULTICAST_LOOP, 1, Within(0, 1)),
    ip6(IPV6_MTU_DISCOVER, 1, Within(0, 5)),
    // What is written bounds datagrams that the program sends; every link here takes more.
    ip6(IPV6_MTU, 0, Judged(|_, value| within(value, value == 0 || value >= MTU_BYTES_MIN))),
    ip6(IPV6_RECVERR, 0, Flag),
    ip6(IPV6_V6ONLY, 0, Flag),
    ip6(IPV6_MULTICAST_ALL, 1, Flag),
    ip6(IPV6_ROUTER_ALERT_ISOLATE, 0, Flag),
    ip6(IPV6_RECVERR_RFC4884, 0, Within(0, 1)),
    ip6(IPV6_FLOWINFO_SEND, 0, Flag),
    ip6(IPV6_RECVPKTINFO, 0, Flag),
    ip6(IPV6_RECVHOPLIMIT, 0, Flag),
    ip6(IPV6_RECVHOPOPTS, 0, Flag),
    ip6(IPV6_RECVRTHDR, 0, Flag),
    ip6(IPV6_RECVDSTOPTS, 0, Flag),
    ip6(IPV6_RECVPATHMTU, 0, Flag),
    ip6(IPV6_DONTFRAG, 0, Flag),
    ip6(IPV6_RECVTCLASS, 0, Flag),
    ip6(IPV6_TCLASS, 0, Judged(traffic_class)),
    ip6(IPV6_AUTOFLOWLABEL, 1, Flag),
    ip6(IPV6_ADDR_PREFERENCES, 0x500, Judged(|_, value| address_preferences(value))),
    ip6(IPV6_MINHOPCOUNT, 0, Within(0, 255)),
    ip6(IPV6_ORIGDSTADDR, 0, Flag),
    ip6(IPV6_TRANSPARENT, 0, Judged(|_, value| if value == 0 { Ok(0) } else { Err(Errno::EPERM) })),
    ip6(IPV6_UNICAST_IF, 0, Judged(|_, value| if value == 0 { Ok(0) } else { Err(Errno::EADDRNOTAVAIL) })),
    ip6(IPV6_RECVFRAGSIZE, 0, Flag),
    ip6(IPV6_FREEBIND, 0, Flag),
    udp(UDP_CORK, Flag),
    udp(UDP_ENCAP, Judged(|_, value| if value == 0 { Ok(0) } else { Err(Errno::ENOPROTOOPT) })),
    udp(UDPLITE_SEND_CSCOV, Judged(|_, value| Ok(coverage(value)))),
    udp(UDPLITE_RECV_CSCOV, Judged(|_, value| Ok(coverage(value)))),
    udp(UDP_SEGMENT, Within(0, 65_535)),
    udp(UDP_GRO, Flag),
];

/// udplite(7): never less than the header; 0 means all.
fn coverage(value: i32) -> i32 {
    match value {
        0 => 0,
        value => value.clamp(8, i32::from(u16::MAX)),
    }
}

fn within(stored: i32, allowed: bool) -> Result<i32, Errno> {
    if allowed { Ok(stored) } else { Err(Errno::EINVAL) }
}

/// A buffer's size as it is read back: twice what was asked for (socket(7)). A negative wish is a very large one.
fn doubled(value: i32, least: i32) -> i32 {
    let asked = if value < 0 { BUFFER_BYTES_MAX } else { value.min(BUFFER_BYTES_MAX) };
    (asked * 2).max(least)
}

/// SO_RCVLOWAT: 0 means 1, a negative one the largest; a stream cannot ask for more than half a buffer.
fn low_water(kind: Kind, value: i32) -> Result<i32, Errno> {
    let asked = if value < 0 { i32::MAX } else { value.max(1) };
    Ok(if kind == Kind::Stream { asked.min(16_777_216) } else { asked })
}

/// Linux's net.ipv4.tcp_fin_timeout, in seconds.
const FIN_TIMEOUT: i32 = 60;

/// TCP_LINGER2 in seconds: 0 is the host's own, a negative one none at all.
fn linger2(value: i32) -> i32 {
    if value == 0 { FIN_TIMEOUT } else { value.clamp(-1, 120) }
}

/// TCP_WINDOW_CLAMP: none, or at least half the smallest buffer.
fn window_clamp(value: i32) -> i32 {
    if value == 0 { 0 } else { value.max(RECV_BUFFER_BYTES_MIN / 2) }
}

/// TCP_DEFER_ACCEPT is kept as a number of SYN-ACKs and read back as the seconds they take: 1, 3, 7, 15 … with a
/// distance of 120 s at most, 255 of them at most.
fn whole_retransmissions(seconds: i32) -> i32 {
    if seconds <= 0 {
        return 0;
    }
    let (mut period, mut distance) = (1, 1);
    for _ in 1..255 {
        if period >= seconds {
            break;
        }
        distance = (distance * 2).min(120);
        period += distance;
    }
    period
}

fn hops(value: i32, default: i32, least: i32) -> Result<i32, Errno> {
    match value {
        -1 => Ok(default),
        _ => within(value, (least..=255).contains(&value)),
    }
}

fn multicast_hops(kind: Kind, value: i32) -> Result<i32, Errno> {
    match kind {
        Kind::Stream => Err(Errno::EINVAL),
        Kind::Datagram => hops(value, 1, 0),
    }
}

/// The smallest MTU a link of IPv6 may have, in bytes (RFC 8200 §5).
const MTU_BYTES_MIN: i32 = 1280;

/// IP_LOCAL_PORT_RANGE: two ports in one number, neither of them or both in their order; 0 is no bound.
fn port_range(value: i32) -> Result<i32, Errno> {
    let [a, b, c, d] = value.to_le_bytes();
    let (first, last) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    within(value, first == 0 || last == 0 || first <= last)
}

/// IPV6_MULTICAST_IF: for datagram sockets the host answers, which knows its links (`call/group`).
fn multicast_link(_: Kind, _: i32) -> Result<i32, Errno> {
    Err(Errno::ENOPROTOOPT)
}

fn multicast_hops6(kind: Kind, value: i32) -> Result<i32, Errno> {
    match kind {
        Kind::Stream => Err(Errno::ENOPROTOOPT),
        Kind::Datagram => hops(value, 1, 0),
    }
}

/// IPV6_TCLASS: of streams the two lowest bits are TCP's own (ECN).
fn traffic_class(kind: Kind, value: i32) -> Result<i32, Errno> {
    let own = if kind == Kind::Stream { 0xfc } else { 0xff };
    hops(value, 0, 0).map(|class| class & own)
}

/// IPV6_ADDR_PREFERENCES (RFC 5014): three questions with two answers each, of which one at most may be given. No
/// address of a host is temporary, a home address or cryptographic, so that all answers choose the same.
fn address_preferences(value: i32) -> Result<i32, Errno> {
    const TEMPORARY: i32 = 0x1;
    const PUBLIC: i32 = 0x2;
    const EITHER: i32 = 0x100;
    const CARE_OF: i32 = 0x4;
    const HOME: i32 = 0x400;
    const CRYPTOGRAPHIC: i32 = 0x8;
    const NOT_CRYPTOGRAPHIC: i32 = 0x800;
    let questions = [TEMPORARY | PUBLIC | EITHER, CARE_OF | HOME, CRYPTOGRAPHIC | NOT_CRYPTOGRAPHIC];
    if questions.iter().any(|answers| (value & answers).count_ones() > 1) {
        return Err(Errno::EINVAL);
    }
    let lifetime = match value & (TEMPORARY | PUBLIC) {
        0 => EITHER,
        one => one,
    };
    let home = if value & CARE_OF == 0 { HOME } else { CARE_OF };
    Ok(lifetime | home)
}
