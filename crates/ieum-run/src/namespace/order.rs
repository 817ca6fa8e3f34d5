//! What is said to the helper, and what it answers.

use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// A kind of socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Make {
    /// UDP over IPv4, and so on.
    Udp4,
    Udp6,
    Lite4,
    Lite6,
    /// Echo requests alone, as ping(8) of today sends them.
    Ping4,
    Ping6,
    /// AF_UNIX, one end of what stands for a socket of NETLINK_ROUTE.
    Messages,
}

/// What the helper is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Once, first.
    SetUp(Plan),
    /// Some sockets, as many as a message carries.
    Make(Make),
}

/// What the helper tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The TUN that leads to the next interface comes with this.
    Tun,
    /// The packet socket that does comes with this.
    Veth,
    /// The kernel's list of such sockets comes with this.
    Table(Make),
    /// A file in which the kernel counts what it dropped comes with this.
    Losses,
    /// Everything is as planned.
    Ready,
    /// It is not, and this is why.
    Failed {
        /// For a person.
        sentence: String,
    },
    /// Such sockets come with this.
    Made(Make),
    /// Nobody but the receiver has those that came last.
    LetGo,
    /// The kernel makes none: its errno.
    Refused(i32),
}

impl Make {
    /// That of a socket(2) of these; `None`: the namespace has no part in it.
    pub(crate) fn of_call(domain: i32, kind: i32, protocol: i32) -> Option<Make> {
        if kind != libc::SOCK_DGRAM {
            return None;
        }
        Some(match (domain, protocol) {
            (libc::AF_INET, 0 | libc::IPPROTO_UDP) => Make::Udp4,
            (libc::AF_INET6, 0 | libc::IPPROTO_UDP) => Make::Udp6,
            (libc::AF_INET, libc::IPPROTO_UDPLITE) => Make::Lite4,
            (libc::AF_INET6, libc::IPPROTO_UDPLITE) => Make::Lite6,
            (libc::AF_INET, libc::IPPROTO_ICMP) => Make::Ping4,
            (libc::AF_INET6, libc::IPPROTO_ICMPV6) => Make::Ping6,
            _ => return None,
        })
    }

    /// What socket(2) is called with: family, kind, protocol.
    pub(super) fn call(self) -> (i32, i32, i32) {
        match self {
            Make::Udp4 => (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
            Make::Udp6 => (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP),
            Make::Lite4 => (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
            Make::Lite6 => (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
            Make::Ping4 => (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
            Make::Ping6 => (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_ICMPV6),
            Make::Messages => (libc::AF_UNIX, libc::SOCK_SEQPACKET, 0),
        }
    }

    /// The kernel's list of them, in /proc.
    pub(super) fn table(self) -> Option<&'static str> {
        match self {
            Make::Udp4 => Some("udp"),
            Make::Udp6 => Some("udp6"),
            Make::Lite4 => Some("udplite"),
            Make::Lite6 => Some("udplite6"),
            Make::Ping4 => Some("icmp"),
            Make::Ping6 => Some("icmp6"),
            Make::Messages => None,
        }
    }

    /// As `ss` calls them.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Make::Udp4 | Make::Udp6 => "udp",
            Make::Lite4 | Make::Lite6 => "udplite",
            Make::Ping4 | Make::Ping6 => "icmp",
            Make::Messages => "unix",
        }
    }

    /// Those that are listed.
    pub(super) const LISTED: [Make; 6] =
        [Make::Udp4, Make::Udp6, Make::Lite4, Make::Lite6, Make::Ping4, Make::Ping6];
}
