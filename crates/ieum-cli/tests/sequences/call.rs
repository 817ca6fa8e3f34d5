//! What may happen in a sequence: a call on one of six sockets, three on each of two hosts.

use std::fmt;

use proptest::prelude::*;

/// Sockets of a sequence; the first half belongs to the first host, the second to the other.
pub(crate) const SOCKETS: usize = 6;
/// Calls of a sequence, at most.
pub(crate) const CALLS_MAX: usize = 40;
/// Ports that a sequence has for itself.
pub(crate) const PORTS: u16 = 3;

/// Which of the two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    One,
    Other,
}

/// An address, as seen from the socket that uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum To {
    Any,
    Loopback,
    Own,
    Far,
    Any6,
    Loopback6,
    Own6,
    Far6,
    Mapped,
}

/// How recv is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recv {
    Plain,
    Peek,
    Trunc,
    WaitAll,
}

/// One call. `port` is one of the sequence's own, 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Socket { six: bool, stream: bool },
    Bind { to: To, port: u16 },
    Listen { backlog: i32 },
    Accept { into: usize },
    Connect { to: To, port: u16 },
    Disconnect,
    Send { len: usize },
    SendTo { to: To, port: u16, len: usize },
    Recv { len: usize, how: Recv },
    RecvFrom { len: usize, how: Recv },
    Shutdown { how: i32 },
    Close,
    Reset,
    Set { option: usize, value: i32 },
    Get { option: usize },
    Error,
    Name,
    Peer,
    Poll,
    Waiting,
}

/// A call on a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) socket: usize,
    pub(crate) verb: Verb,
}

/// Options that are set and read: level and number.
pub(crate) const OPTIONS: [(i32, i32); 7] = [
    (libc::SOL_SOCKET, libc::SO_REUSEADDR),
    (libc::SOL_SOCKET, libc::SO_REUSEPORT),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_ACCEPTCONN),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
    (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
];

/// Any sequence; half of them begin with something that chance would rarely come to.
pub(crate) fn sequences() -> impl Strategy<Value = Vec<Call>> {
    let begin = prop_oneof![
        4 => Just(Vec::new()),
        2 => Just(connected(false)),
        1 => Just(connected(true)),
        1 => Just(associated()),
    ];
    let rest = proptest::collection::vec(calls(), 1..=CALLS_MAX);
    (begin, rest).prop_map(|(begin, rest)| {
        let mut all = [begin, rest].concat();
        all.truncate(CALLS_MAX);
        all
    })
}

/// A connection between both hosts: sockets 0 and 4, with the listener 3.
fn connected(six: bool) -> Vec<Call> {
    let (any, far) = if six { (To::Any6, To::Far6) } else { (To::Any, To::Far) };
    let call = |socket, verb| Call { socket, verb };
    vec![
        call(0, Verb::Socket { six, stream: true }),
        call(3, Verb::Socket { six, stream: true }),
        call(3, Verb::Bind { to: any, port: 1 }),
        call(3, Verb::Listen { backlog: 2 }),
        call(0, Verb::Connect { to: far, port: 1 }),
        call(3, Verb::Accept { into: 4 }),
    ]
}

/// Two datagram sockets, 0 and 3, of which the first speaks to the other alone.
fn associated() -> Vec<Call> {
    let call = |socket, verb| Call { socket, verb };
    vec![
        call(0, Verb::Socket { six: false, stream: false }),
        call(3, Verb::Socket { six: false, stream: false }),
        call(3, Verb::Bind { to: To::Any, port: 1 }),
        call(0, Verb::Connect { to: To::Far, port: 1 }),
    ]
}

fn calls() -> impl Strategy<Value = Call> {
    (0..SOCKETS, verbs()).prop_map(|(socket, verb)| Call { socket, verb })
}

fn verbs() -> impl Strategy<Value = Verb> {
    let port = || 0..=PORTS;
    let len = || prop_oneof![Just(0usize), 1..=40usize, Just(500)];
    let how = || prop_oneof![4 => Just(Recv::Plain), 1 => Just(Recv::Peek), 1 => Just(Recv::Trunc), 1 => Just(Recv::WaitAll)];
    prop_oneof![
        4 => (prop::bool::weighted(0.25), prop::bool::weighted(0.7)).prop_map(|(six, stream)| Verb::Socket { six, stream }),
        4 => (addresses(), port()).prop_map(|(to, port)| Verb::Bind { to, port }),
        4 => (0..=3).prop_map(|backlog| Verb::Listen { backlog }),
        5 => (0..SOCKETS).prop_map(|into| Verb::Accept { into }),
        6 => (addresses(), port()).prop_map(|(to, port)| Verb::Connect { to, port }),
        1 => Just(Verb::Disconnect),
        4 => len().prop_map(|len| Verb::Send { len }),
        3 => (addresses(), port(), len()).prop_map(|(to, port, len)| Verb::SendTo { to, port, len }),
        4 => (len(), how()).prop_map(|(len, how)| Verb::Recv { len, how }),
        3 => (len(), how()).prop_map(|(len, how)| Verb::RecvFrom { len, how }),
        3 => (0..=2).prop_map(|how| Verb::Shutdown { how }),
        2 => Just(Verb::Close),
        1 => Just(Verb::Reset),
        2 => (0..OPTIONS.len(), 0..=1).prop_map(|(option, value)| Verb::Set { option, value }),
        1 => (0..OPTIONS.len()).prop_map(|option| Verb::Get { option }),
        2 => Just(Verb::Error),
        1 => Just(Verb::Name),
        1 => Just(Verb::Peer),
        3 => Just(Verb::Poll),
        1 => Just(Verb::Waiting),
    ]
}

fn addresses() -> impl Strategy<Value = To> {
    prop_oneof![
        3 => Just(To::Any),
        4 => Just(To::Loopback),
        3 => Just(To::Own),
        5 => Just(To::Far),
        1 => Just(To::Any6),
        1 => Just(To::Loopback6),
        1 => Just(To::Own6),
        1 => Just(To::Far6),
        1 => Just(To::Mapped),
    ]
}

impl Call {
    /// Whose socket it is.
    pub(crate) fn at(&self) -> At {
        if self.socket < SOCKETS / 2 { At::One } else { At::Other }
    }

    /// Whether somebody else may see it: then everybody has to have seen it before the next one.
    pub(crate) fn is_seen(&self) -> bool {
        !matches!(
            self.verb,
            Verb::Set { .. }
                | Verb::Get { .. }
                | Verb::Error
                | Verb::Name
                | Verb::Peer
                | Verb::Poll
                | Verb::Waiting
        )
    }

    /// The kind of call, as `docs/DIFFERENCES.md` names it.
    pub(crate) fn name(&self) -> &'static str {
        match self.verb {
            Verb::Socket { .. } => "socket",
            Verb::Bind { .. } => "bind",
            Verb::Listen { .. } => "listen",
            Verb::Accept { .. } => "accept",
            Verb::Connect { .. } => "connect",
            Verb::Disconnect => "disconnect",
            Verb::Send { .. } => "send",
            Verb::SendTo { .. } => "sendto",
            Verb::Recv { len: 0, .. } => "recv-nothing",
            Verb::Recv { .. } => "recv",
            Verb::RecvFrom { .. } => "recvfrom",
            Verb::Shutdown { .. } => "shutdown",
            Verb::Close => "close",
            Verb::Reset => "reset",
            Verb::Set { .. } => "setsockopt",
            Verb::Get { .. } => "getsockopt",
            Verb::Error => "SO_ERROR",
            Verb::Name => "getsockname",
            Verb::Peer => "getpeername",
            Verb::Poll => "poll",
            Verb::Waiting => "FIONREAD",
        }
    }
}

/// The text of an address for a socket on a host.
pub(crate) fn text(at: At, to: To) -> &'static str {
    match (to, at) {
        (To::Any, _) => "0.0.0.0",
        (To::Loopback, _) => "127.0.0.1",
        (To::Own, At::One) | (To::Far, At::Other) => "10.77.0.2",
        (To::Own, At::Other) | (To::Far, At::One) => "10.77.0.3",
        (To::Any6, _) => "::",
        (To::Loopback6, _) => "::1",
        (To::Own6, At::One) | (To::Far6, At::Other) => "fd77::2",
        (To::Own6, At::Other) | (To::Far6, At::One) => "fd77::3",
        (To::Mapped, _) => "::ffff:127.0.0.1",
    }
}

/// A call as the player reads it, with the ports that begin at `base`; `slot` is the socket's number on its host.
pub(crate) fn line(call: &Call, base: u16, fill: usize) -> String {
    let at = call.at();
    let slot = slot(call.socket);
    let own = |port: u16| if port == 0 { 0 } else { base + port };
    let fill = fill % 250 + 1;
    match call.verb {
        Verb::Socket { six, stream } => {
            format!("socket {slot} {} {}", if six { 6 } else { 4 }, u8::from(stream))
        }
        Verb::Bind { to, port } => format!("bind {slot} {} {}", text(at, to), own(port)),
        Verb::Listen { backlog } => format!("listen {slot} {backlog}"),
        Verb::Accept { into } => format!("accept {slot} {}", self::slot(into)),
        Verb::Connect { to, port } => format!("connect {slot} {} {}", text(at, to), own(port)),
        Verb::Disconnect => format!("disconnect {slot}"),
        Verb::Send { len } => format!("send {slot} {len} {fill}"),
        Verb::SendTo { to, port, len } => {
            format!("sendto {slot} {} {} {len} {fill}", text(at, to), own(port))
        }
        Verb::Recv { len, how } => format!("recv {slot} {len} {how}"),
        Verb::RecvFrom { len, how } => format!("recvfrom {slot} {len} {how}"),
        Verb::Shutdown { how } => format!("shutdown {slot} {how}"),
        Verb::Close => format!("close {slot}"),
        Verb::Reset => format!("reset {slot}"),
        Verb::Set { option, value } => {
            format!("set {slot} {} {} {value}", OPTIONS[option].0, OPTIONS[option].1)
        }
        Verb::Get { option } => format!("get {slot} {} {}", OPTIONS[option].0, OPTIONS[option].1),
        Verb::Error => format!("get {slot} {} {}", libc::SOL_SOCKET, libc::SO_ERROR),
        Verb::Name => format!("name {slot}"),
        Verb::Peer => format!("peer {slot}"),
        Verb::Poll => format!("poll {slot}"),
        Verb::Waiting => format!("waiting {slot}"),
    }
}

/// A socket's number on its host.
pub(crate) fn slot(socket: usize) -> usize {
    socket % (SOCKETS / 2)
}

impl fmt::Display for Recv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Recv::Plain => "plain",
            Recv::Peek => "peek",
            Recv::Trunc => "trunc",
            Recv::WaitAll => "waitall",
        })
    }
}
