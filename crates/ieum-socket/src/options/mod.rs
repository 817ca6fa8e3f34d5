//! Socket options: what is stored, how it is read back, and what it means to the stack.
//!
//! `table` has one row for each option that is a number: its level and number, which kinds of sockets have it, its
//! default and what may be written. Options with a form of their own are in `special`; those that are asked of the
//! socket rather than stored are in `read`, those of raw sockets in `raw`. What they mean to the stack is in
//! `connection` and `datagram`. `numbers` has the names.
//!
//! Values that differ from the default are kept in a short sorted list, so that a socket without options costs
//! nothing. All values are what Linux 6.18 was seen to accept and to read back.

mod connection;
mod datagram;
mod info;
pub mod numbers;
mod raw;
mod read;
mod special;
mod statistics;
mod table;

use ieum_stack::{CongestionName, FastOpenKeys, LinkId, PortRange, TcpSettings};

use crate::make::Protocol;
use crate::{Errno, Make};
use numbers::*;
pub(crate) use special::stamping_of;
use special::{Linger, Times};
pub(crate) use statistics::statistics;
use table::{ROWS, Row, Rule};

/// An option that is a number and that ieum knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketOption {
    /// Where its row stands in the table.
    index: u8,
}

impl SocketOption {
    /// The option of a socket like this with this level and number, if there is one.
    pub fn from_linux(make: Make, level: i32, name: i32) -> Option<SocketOption> {
        let at = ROWS.iter().position(|row| row.level == level && row.name == name && row.serves(make))?;
        Some(SocketOption { index: u8::try_from(at).ok()? })
    }

    /// What it is on a fresh socket.
    pub fn default_value(self) -> i32 {
        self.row().default
    }

    fn row(self) -> &'static Row {
        &ROWS[usize::from(self.index)]
    }

    /// The same for options that are named here: found while compiling, and an error there when it has no row.
    const fn known(level: i32, name: i32) -> SocketOption {
        let mut index: u8 = 0;
        loop {
            let row = &ROWS[index as usize];
            if row.level == level && row.name == name {
                return SocketOption { index };
            }
            index += 1;
        }
    }
}

/// The options whose value means something to a host or its stack.
mod known {
    use super::SocketOption;
    use super::numbers::*;

    const fn of_socket(name: i32) -> SocketOption {
        SocketOption::known(SOL_SOCKET, name)
    }

    const fn of_tcp(name: i32) -> SocketOption {
        SocketOption::known(IPPROTO_TCP, name)
    }

    /// SO_TIMESTAMP and SO_TIMESTAMPNS, each in both forms of times, which are one on machines of 64 bits.
    pub(super) const STAMPS: [SocketOption; 4] =
        [of_socket(SO_TIMESTAMP), of_socket(SO_TIMESTAMPNS), COARSE_NEW, FINE_NEW];
    pub(super) const COARSE_NEW: SocketOption = of_socket(SO_TIMESTAMP_NEW);
    pub(super) const FINE_NEW: SocketOption = of_socket(SO_TIMESTAMPNS_NEW);
    pub(super) const REUSE_ADDRESS: SocketOption = of_socket(SO_REUSEADDR);
    pub(super) const REUSE_PORT: SocketOption = of_socket(SO_REUSEPORT);
    pub(super) const PRIORITY: SocketOption = of_socket(SO_PRIORITY);
    pub(super) const BROADCAST: SocketOption = of_socket(SO_BROADCAST);
    pub(super) const KEEPALIVE: SocketOption = of_socket(SO_KEEPALIVE);
    pub(super) const SEND_BUFFER: SocketOption = of_socket(SO_SNDBUF);
    pub(super) const RECV_BUFFER: SocketOption = of_socket(SO_RCVBUF);
    pub(super) const ZEROCOPY: SocketOption = of_socket(SO_ZEROCOPY);
    pub(super) const LOW_WATER: SocketOption = of_socket(SO_RCVLOWAT);
    pub(super) const NO_DELAY: SocketOption = of_tcp(TCP_NODELAY);
    pub(super) const UNSENT_MAX: SocketOption = of_tcp(TCP_NOTSENT_LOWAT);
    pub(super) const CORK: SocketOption = of_tcp(TCP_CORK);
    pub(super) const MSS: SocketOption = of_tcp(TCP_MAXSEG);
    pub(super) const WINDOW_CLAMP: SocketOption = of_tcp(TCP_WINDOW_CLAMP);
    pub(super) const TELLS_UNREAD: SocketOption = of_tcp(TCP_INQ);
    pub(super) const QUICK_ACK: SocketOption = of_tcp(TCP_QUICKACK);
    pub(super) const KEEPALIVE_IDLE: SocketOption = of_tcp(TCP_KEEPIDLE);
    pub(super) const KEEPALIVE_INTERVAL: SocketOption = of_tcp(TCP_KEEPINTVL);
    pub(super) const KEEPALIVE_PROBES: SocketOption = of_tcp(TCP_KEEPCNT);
    pub(super) const URGENT_INLINE: SocketOption = of_socket(SO_OOBINLINE);
    pub(super) const LINGER2: SocketOption = of_tcp(TCP_LINGER2);
    pub(super) const DEFER_ACCEPT: SocketOption = of_tcp(TCP_DEFER_ACCEPT);
    pub(super) const RTO_MAX: SocketOption = of_tcp(TCP_RTO_MAX_MS);
    pub(super) const SYN_COUNT: SocketOption = of_tcp(TCP_SYNCNT);
    pub(super) const FAST_OPEN: SocketOption = of_tcp(TCP_FASTOPEN);
    pub(super) const FAST_OPEN_CONNECT: SocketOption = of_tcp(TCP_FASTOPEN_CONNECT);
    pub(super) const FAST_OPEN_NO_COOKIE: SocketOption = of_tcp(TCP_FASTOPEN_NO_COOKIE);
    pub(super) const USER_TIMEOUT: SocketOption = of_tcp(TCP_USER_TIMEOUT);
    pub(super) const RECV_ERRORS: SocketOption = SocketOption::known(IPPROTO_IP, IP_RECVERR);
    pub(super) const TOS: SocketOption = SocketOption::known(IPPROTO_IP, IP_TOS);
    pub(super) const TTL: SocketOption = SocketOption::known(IPPROTO_IP, IP_TTL);
    pub(super) const MTU_DISCOVER: SocketOption = SocketOption::known(IPPROTO_IP, IP_MTU_DISCOVER);
    pub(super) const MTU_DISCOVER6: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_MTU_DISCOVER);
    pub(super) const DONT_FRAGMENT6: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_DONTFRAG);
    pub(super) const RECV_ERRORS6: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_RECVERR);
    pub(super) const TRAFFIC_CLASS: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_TCLASS);
    pub(super) const HOPS: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_UNICAST_HOPS);
    pub(super) const MULTICAST_TTL: SocketOption = SocketOption::known(IPPROTO_IP, IP_MULTICAST_TTL);
    pub(super) const MULTICAST_HOPS: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_MULTICAST_HOPS);
    pub(super) const MULTICAST_LOOP: SocketOption = SocketOption::known(IPPROTO_IP, IP_MULTICAST_LOOP);
    pub(super) const MULTICAST_LOOP6: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_MULTICAST_LOOP);
    pub(super) const MULTICAST_ALL: SocketOption = SocketOption::known(IPPROTO_IP, IP_MULTICAST_ALL);
    pub(super) const MULTICAST_ALL6: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_MULTICAST_ALL);
    pub(super) const PORT_RANGE: SocketOption = SocketOption::known(IPPROTO_IP, IP_LOCAL_PORT_RANGE);
    pub(super) const ADDRESS_ALONE: SocketOption = SocketOption::known(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    pub(super) const UDP_CORKS: SocketOption = SocketOption::known(IPPROTO_UDP, UDP_CORK);
    pub(super) const SEGMENT: SocketOption = SocketOption::known(IPPROTO_UDP, UDP_SEGMENT);
    pub(super) const JOINS: SocketOption = SocketOption::known(IPPROTO_UDP, UDP_GRO);
    pub(super) const NO_CHECKSUM: SocketOption = of_socket(SO_NO_CHECK);
    pub(super) const COVERAGE_SENT: SocketOption = SocketOption::known(IPPROTO_UDP, UDPLITE_SEND_CSCOV);
    pub(super) const COVERAGE_RECEIVED: SocketOption = SocketOption::known(IPPROTO_UDP, UDPLITE_RECV_CSCOV);
    pub(super) const V6_ONLY: SocketOption = SocketOption::known(IPPROTO_IPV6, IPV6_V6ONLY);
}

/// The options of one socket.
#[derive(Clone, Default, Debug)]
pub(crate) struct Options {
    /// Numbers that were set, by the index of their row.
    set: Vec<(u8, i32)>,
    linger: Linger,
    times: Times,
    /// TCP_CONGESTION; `None`: the host's.
    congestion: Option<CongestionName>,
    fast_open_keys: Option<FastOpenKeys>,
    /// Bytes a second that are never exceeded (SO_MAX_PACING_RATE).
    pacing_rate_max: Option<u64>,
    /// SO_TIMESTAMPING: SOF_TIMESTAMPING_….
    stamping: u32,
    /// The number of the interface by which datagrams of IPv6 go that name none (IPV6_PKTINFO as a sticky option, RFC 3542 §6.7);
    /// 0: none.
    pub(super) sticky_interface: u32,
    /// The only link it speaks and hears over (SO_BINDTODEVICE).
    pub(crate) link: Option<LinkId>,
    /// Those of a raw socket.
    raw: Option<Box<raw::RawOptions>>,
}

impl Options {
    /// The options of a fresh socket. Those of ping sockets share their identifiers, and never speak both families.
    pub(crate) fn of(make: Make) -> Options {
        let mut options = Options { raw: raw::RawOptions::of(make), ..Options::default() };
        if make.protocol == Protocol::Icmp {
            options.store(known::REUSE_ADDRESS, 1);
            options.store(known::V6_ONLY, 1);
        }
        options
    }

    /// Sets an option from the bytes given to setsockopt(2).
    pub(crate) fn set(&mut self, make: Make, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        if let Some(result) = self.set_raw(make, level, name, value) {
            return result;
        }
        if let Some(result) = self.set_special(make, level, name, value) {
            return result;
        }
        let option = SocketOption::from_linux(make, level, name);
        // These levels look at the length first, whatever the option.
        let is_int_first = match level {
            SOL_SOCKET => true,
            IPPROTO_TCP => make.protocol == Protocol::Tcp,
            IPPROTO_UDP => make.is_udp(),
            _ => false,
        };
        if is_int_first && value.len() < 4 {
            return Err(Errno::EINVAL);
        }
        let is_coverage = matches!((level, name), (IPPROTO_UDP, UDPLITE_SEND_CSCOV | UDPLITE_RECV_CSCOV));
        if is_coverage && make.protocol != Protocol::UdpLite {
            return Err(Errno::ENOPROTOOPT);
        }
        let option = option.ok_or(Errno::ENOPROTOOPT)?;
        let number = option.row().parse(value)?;
        let stored = option.row().judge(make.kind(), number)?;
        if option == known::TOS && self.value(option) != stored {
            self.store(known::PRIORITY, priority_of(stored));
        }
        self.store(option, stored);
        if level == SOL_SOCKET {
            self.choose_stamp(option, stored != 0);
        }
        Ok(())
    }

    /// What a connection has of its listener's: all but those that are about listening.
    pub(crate) fn inherited(&self) -> Options {
        let mut options = self.clone();
        let listening = [known::DEFER_ACCEPT, known::FAST_OPEN].map(|option| option.index);
        options.set.retain(|(index, _)| !listening.contains(index));
        options
    }

    /// SO_REUSEADDR.
    pub(crate) fn reuse_address(&self) -> bool {
        self.flag(known::REUSE_ADDRESS)
    }

    /// SO_REUSEPORT.
    pub(crate) fn reuse_port(&self) -> bool {
        self.flag(known::REUSE_PORT)
    }

    /// IPV6_V6ONLY; never of a socket of IPv4.
    pub(crate) fn v6_only(&self) -> bool {
        self.flag(known::V6_ONLY)
    }

    /// The socket was bound to an address of IPv6, and speaks nothing else (inet6_bind in Linux).
    pub(crate) fn bound_to_v6(&mut self) {
        self.store(known::V6_ONLY, 1);
    }

    /// SO_LINGER with 0 seconds: closing resets.
    pub(crate) fn resets_on_close(&self) -> bool {
        self.linger.on && self.linger.seconds == 0
    }

    /// SO_RCVLOWAT: how many bytes make a stream readable; never more than its buffer is sure to hold.
    pub(crate) fn low_water_bytes(&self) -> usize {
        let buffer = self.buffer_bytes(known::RECV_BUFFER);
        let reachable = buffer.unwrap_or_else(|| TcpSettings::default().recv_buffer_bytes) / 2;
        let asked = self.value(known::LOW_WATER).unsigned_abs();
        usize::try_from(asked.min(reachable).max(1)).unwrap_or(usize::MAX)
    }

    /// IP_LOCAL_PORT_RANGE: the first port in the lower half, the last in the upper.
    pub(crate) fn ports(&self) -> PortRange {
        let [a, b, c, d] = self.value(known::PORT_RANGE).to_le_bytes();
        PortRange { first: u16::from_le_bytes([a, b]), last: u16::from_le_bytes([c, d]) }
    }

    /// IP_BIND_ADDRESS_NO_PORT: `bind` without a port reserves none.
    pub(crate) fn binds_address_alone(&self) -> bool {
        self.flag(known::ADDRESS_ALONE)
    }

    /// UDP_CORK: what is sent is a piece of one datagram, until this is taken away.
    pub(crate) fn corks_datagrams(&self) -> bool {
        self.flag(known::UDP_CORKS)
    }

    /// TCP_INQ: each message received says how much is left.
    pub(crate) fn tells_unread(&self) -> bool {
        self.flag(known::TELLS_UNREAD)
    }

    /// SO_ZEROCOPY: MSG_ZEROCOPY means something.
    pub(crate) fn sends_without_copy(&self) -> bool {
        self.flag(known::ZEROCOPY)
    }

    /// IPV6_PKTINFO, of all messages that name no interface.
    pub(crate) fn sticky_interface(&self) -> u32 {
        self.sticky_interface
    }

    /// SO_TIMESTAMPING.
    pub(crate) fn stamping(&self) -> u32 {
        self.stamping
    }

    /// TCP_FASTOPEN_CONNECT: the SYN waits for data.
    pub(crate) fn connects_with_data(&self) -> bool {
        self.flag(known::FAST_OPEN_CONNECT)
    }

    /// TCP_FASTOPEN_KEY.
    pub(crate) fn fast_open_keys(&self) -> Option<FastOpenKeys> {
        self.fast_open_keys
    }

    /// TCP_MAXSEG as the program asked for it; 0 when it did not.
    pub(crate) fn mss_asked_bytes(&self) -> i32 {
        self.value(known::MSS)
    }

    /// SO_OOBINLINE.
    pub(crate) fn takes_urgent_in_line(&self) -> bool {
        self.flag(known::URGENT_INLINE)
    }

    /// SO_RCVBUF as it is read back, if it was set.
    pub(crate) fn recv_buffer_bytes(&self) -> Option<usize> {
        self.find(known::RECV_BUFFER).ok().and_then(|at| usize::try_from(self.set[at].1).ok())
    }

    /// SO_RCVBUF as it was asked for, if it was.
    pub(crate) fn recv_buffer_wish(&self) -> Option<usize> {
        self.buffer_bytes(known::RECV_BUFFER).and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// SO_SNDBUF as it was asked for, if it was, and no more than may wait unsent (TCP_NOTSENT_LOWAT).
    pub(crate) fn send_ahead_wish(&self) -> Option<usize> {
        // 0 is the host's own, and what is below it as an int is no bound at all (Linux's default is the largest).
        let unsent = u32::try_from(self.value(known::UNSENT_MAX)).ok().filter(|bytes| *bytes > 0);
        let wishes = [self.buffer_bytes(known::SEND_BUFFER), unsent];
        wishes.into_iter().flatten().min().and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// Half of what is read back: the other half is Linux's allowance for its own overhead, which is not counted
    /// here. `None` when nothing was set.
    fn buffer_bytes(&self, option: SocketOption) -> Option<u32> {
        let at = self.find(option).ok()?;
        Some(self.set[at].1.unsigned_abs() / 2)
    }

    fn byte(&self, option: SocketOption) -> u8 {
        u8::try_from(self.value(option)).unwrap_or(u8::MAX)
    }

    fn flag(&self, option: SocketOption) -> bool {
        self.value(option) != 0
    }

    /// The number that was set, or the default.
    fn value(&self, option: SocketOption) -> i32 {
        self.find(option).map_or_else(|_| option.default_value(), |at| self.set[at].1)
    }

    /// The number that was set.
    fn set_value(&self, option: SocketOption) -> Option<u32> {
        Some(self.set[self.find(option).ok()?].1.unsigned_abs())
    }

    /// The same with its sign.
    fn set_number(&self, option: SocketOption) -> Option<i32> {
        Some(self.set[self.find(option).ok()?].1)
    }

    fn is_set(&self, option: SocketOption) -> bool {
        self.find(option).is_ok()
    }

    fn find(&self, option: SocketOption) -> Result<usize, usize> {
        self.set.binary_search_by_key(&option.index, |(index, _)| *index)
    }

    fn store(&mut self, option: SocketOption, value: i32) {
        match self.find(option) {
            Ok(at) => self.set[at].1 = value,
            Err(at) => self.set.insert(at, (option.index, value)),
        }
    }
}

impl Row {
    /// The number in the bytes of setsockopt(2). The options of IP take a single byte too, and many of them none.
    fn parse(&self, value: &[u8]) -> Result<i32, Errno> {
        if let Some(bytes) = value.first_chunk::<4>() {
            return Ok(i32::from_ne_bytes(*bytes));
        }
        match (self.level, value.first()) {
            (IPPROTO_IP, Some(byte)) => Ok(i32::from(*byte)),
            (IPPROTO_IP, None) if !self.wants_bytes() => Ok(0),
            (IPPROTO_IPV6, _) if self.takes_short() => Ok(0),
            (_, _) => Err(Errno::EINVAL),
        }
    }

    /// What is stored for `number`, if it may be written.
    fn judge(&self, kind: crate::Kind, number: i32) -> Result<i32, Errno> {
        match self.rule {
            Rule::Flag => Ok(i32::from(number != 0)),
            Rule::Any => Ok(number),
            Rule::Within(low, high) if (low..=high).contains(&number) => Ok(number),
            Rule::Within(..) => Err(Errno::EINVAL),
            Rule::Judged(judge) => judge(kind, number),
            Rule::Refused(errno) => Err(errno),
        }
    }
}

/// What getsockopt(2) shows of a value where there is room for so many bytes: of a number of IP one byte, where there
/// is none for an int and the number fits.
///
/// # Errors
///
/// EINVAL where an interface's name (SO_BINDTODEVICE) has less room than every name fits into, 16 bytes.
pub fn shown_option(level: i32, name: i32, value: &[u8], room: usize) -> Result<&[u8], Errno> {
    if (level, name) == (SOL_SOCKET, SO_BINDTODEVICE) && !value.is_empty() && room < INTERFACE_NAME_BYTES {
        return Err(Errno::EINVAL);
    }
    if (level, name) == (SOL_SOCKET, SO_COOKIE) && room < value.len() {
        return Err(Errno::EINVAL);
    }
    let number = <[u8; 4]>::try_from(value).map(i32::from_ne_bytes);
    let is_short = level == IPPROTO_IP
        && name != IP_MULTICAST_IF
        && (1..4).contains(&room)
        && number.is_ok_and(|number| (0..=255).contains(&number));
    Ok(value.get(..if is_short { 1 } else { room }).unwrap_or(value))
}

/// An interface's name with its zero, in bytes (IFNAMSIZ).
pub(crate) const INTERFACE_NAME_BYTES: usize = 16;

/// The priority that a type of service stands for (tc-prio(8): bulk, interactive, both), which IP_TOS sets along.
fn priority_of(tos: i32) -> i32 {
    const THROUGHPUT: i32 = 0x08;
    const LOW_DELAY: i32 = 0x10;
    match (tos & LOW_DELAY != 0, tos & THROUGHPUT != 0) {
        (false, false) => 0,
        (false, true) => 2,
        (true, false) => 6,
        (true, true) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::Domain;

    const TCP: Make = Make { domain: Domain::Ip4, protocol: Protocol::Tcp };
    const UDP: Make = Make { domain: Domain::Ip4, protocol: Protocol::Udp };
    const TCP6: Make = Make { domain: Domain::Ip6, protocol: Protocol::Tcp };
    const UDP6: Make = Make { domain: Domain::Ip6, protocol: Protocol::Udp };

    fn set(make: Make, level: i32, name: i32, value: i32) -> Result<i32, Errno> {
        let mut options = Options::default();
        options.set(make, level, name, &value.to_ne_bytes())?;
        let option = SocketOption::from_linux(make, level, name).expect("what was set is known");
        Ok(options.value(option))
    }

    #[test]
    fn numbers_are_read_back_as_linux_reads_them_back() {
        let stream = |level, name, value| set(TCP, level, name, value);
        assert_eq!(stream(SOL_SOCKET, SO_REUSEADDR, 70_000), Ok(1));
        assert_eq!(stream(SOL_SOCKET, SO_SNDBUF, 0), Ok(4608));
        assert_eq!(stream(SOL_SOCKET, SO_SNDBUF, 70_000), Ok(140_000));
        assert_eq!(stream(SOL_SOCKET, SO_RCVBUF, 1000), Ok(2304));
        assert_eq!(stream(SOL_SOCKET, SO_RCVBUF, -1), Ok(8_388_608));
        assert_eq!(stream(SOL_SOCKET, SO_RCVLOWAT, 0), Ok(1));
        assert_eq!(stream(SOL_SOCKET, SO_TYPE, 1), Err(Errno::ENOPROTOOPT));
        assert_eq!(stream(SOL_SOCKET, 99, 1), Err(Errno::ENOPROTOOPT));
        assert_eq!(stream(IPPROTO_TCP, TCP_MAXSEG, 87), Err(Errno::EINVAL));
        assert_eq!(stream(IPPROTO_TCP, TCP_MAXSEG, 100), Ok(100));
        assert_eq!(stream(IPPROTO_TCP, TCP_KEEPIDLE, 0), Err(Errno::EINVAL));
        assert_eq!(stream(IPPROTO_TCP, TCP_KEEPCNT, 127), Ok(127));
        assert_eq!(stream(IPPROTO_TCP, TCP_LINGER2, 70_000), Ok(120));
        assert_eq!(stream(IPPROTO_TCP, TCP_DEFER_ACCEPT, 2), Ok(3));
        assert_eq!(stream(IPPROTO_TCP, TCP_DEFER_ACCEPT, 70_000), Ok(29_887));
        assert_eq!(stream(IPPROTO_IP, IP_TTL, -1), Ok(64));
        assert_eq!(stream(IPPROTO_IP, IP_TTL, 256), Err(Errno::EINVAL));
        assert_eq!(stream(IPPROTO_IP, IP_TOS, 255), Ok(252));
        assert_eq!(set(UDP, IPPROTO_IP, IP_TOS, 255), Ok(255));
        assert_eq!(set(UDP, IPPROTO_TCP, TCP_NODELAY, 1), Err(Errno::ENOPROTOOPT));
        assert_eq!(set(UDP, 99, 1, 1), Err(Errno::ENOPROTOOPT));
    }

    #[test]
    fn options_of_ip6_are_those_of_its_sockets() {
        let stream = |name, value| set(TCP6, IPPROTO_IPV6, name, value);
        let datagram = |name, value| set(UDP6, IPPROTO_IPV6, name, value);
        assert_eq!(stream(IPV6_V6ONLY, -2), Ok(1));
        assert_eq!((stream(IPV6_TCLASS, 255), datagram(IPV6_TCLASS, 255)), (Ok(252), Ok(255)));
        assert_eq!((stream(IPV6_TCLASS, -1), stream(IPV6_TCLASS, 256)), (Ok(0), Err(Errno::EINVAL)));
        assert_eq!((stream(IPV6_UNICAST_HOPS, -1), stream(IPV6_UNICAST_HOPS, 0)), (Ok(64), Ok(0)));
        assert_eq!(stream(IPV6_MULTICAST_HOPS, 1), Err(Errno::ENOPROTOOPT));
        assert_eq!(datagram(IPV6_MULTICAST_HOPS, -1), Ok(1));
        assert_eq!((stream(IPV6_MTU, 1279), stream(IPV6_MTU, 1280)), (Err(Errno::EINVAL), Ok(1280)));
        assert_eq!(stream(IPV6_MTU_DISCOVER, 6), Err(Errno::EINVAL));
        let preferences = [0, 1, 2, 3, 9, 255, 256, 70_000].map(|value| stream(IPV6_ADDR_PREFERENCES, value));
        let (neither, bad) = (Ok(1280), Err(Errno::EINVAL));
        assert_eq!(preferences, [neither, Ok(1025), Ok(1026), bad, Ok(1025), bad, neither, neither]);
        assert_eq!(set(TCP, IPPROTO_IPV6, IPV6_V6ONLY, 1), Err(Errno::ENOPROTOOPT));
        let mut options = Options::default();
        assert_eq!(options.set(TCP6, IPPROTO_IPV6, IPV6_V6ONLY, &[1]), Err(Errno::EINVAL));
        assert_eq!(options.set(TCP6, IPPROTO_IPV6, IPV6_DONTFRAG, &[1]), Ok(()));
        assert_eq!(options.set(TCP6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &7_i32.to_ne_bytes()), Ok(()));
        let ttl = |domain| options.tcp_settings(domain, &TcpSettings::default()).ttl;
        assert_eq!((ttl(Domain::Ip4), ttl(Domain::Ip6)), (64, 7));
    }

    #[test]
    fn short_values_are_refused_save_by_the_options_of_ip() {
        let mut options = Options::default();
        assert_eq!(options.set(TCP, SOL_SOCKET, SO_REUSEADDR, &[1]), Err(Errno::EINVAL));
        assert_eq!(options.set(TCP, SOL_SOCKET, 99, &[1]), Err(Errno::EINVAL));
        assert_eq!(options.set(TCP, IPPROTO_TCP, TCP_NODELAY, &[]), Err(Errno::EINVAL));
        assert_eq!(options.set(TCP, IPPROTO_IP, IP_TOS, &[]), Ok(()));
        assert_eq!(options.set(TCP, IPPROTO_IP, IP_TTL, &[]), Err(Errno::EINVAL));
        assert_eq!(options.set(TCP, IPPROTO_IP, IP_TTL, &[7]), Ok(()));
        assert_eq!(options.tcp_settings(Domain::Ip4, &TcpSettings::default()).ttl, 7);
    }

    #[test]
    fn no_two_rows_answer_to_one_number() {
        for (at, row) in ROWS.iter().enumerate() {
            for make in [TCP, UDP, TCP6, UDP6].into_iter().filter(|make| row.serves(*make)) {
                let found = SocketOption::from_linux(make, row.level, row.name).unwrap();
                assert_eq!(usize::from(found.index), at, "level {} option {}", row.level, row.name);
            }
        }
    }
}
