//! Linux's error numbers, the only place where they live, and which error of the stack has which.

use std::fmt;

use ieum_stack::{BindError, ConnectError, ListenError, PingSendError, RawSendError, UdpSendError};
use ieum_wire::Unreachable;

use crate::make::Domain;

/// A Linux errno.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

/// Declares the numbers and their names together, so that no name can go astray.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Errno = Errno($number);)*

            /// The symbol in `errno.h`; `None` for numbers that no call here returns.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

numbers! {
    /// Not permitted to an unprivileged program.
    EPERM = 1;
    /// No such congestion control or upper protocol.
    ENOENT = 2;
    /// What the protocol cannot do for a datagram: cut one of UDP-Lite.
    EIO = 5;
    /// No such descriptor.
    EBADF = 9;
    /// Would block: wait for readiness and ask again.
    EAGAIN = 11;
    /// Forbidden: a broadcast without SO_BROADCAST, a prohibiting route.
    EACCES = 13;
    /// A bad address: what C's NULL is where something should be.
    EFAULT = 14;
    /// It is there already.
    EEXIST = 17;
    /// No such network device.
    ENODEV = 19;
    /// The call or value makes no sense here.
    EINVAL = 22;
    /// The host has as many sockets as it can have.
    ENFILE = 23;
    /// The descriptor table is full.
    EMFILE = 24;
    /// The request is not for this kind of descriptor.
    ENOTTY = 25;
    /// Nobody can read what would be sent.
    EPIPE = 32;
    /// A time with too many microseconds.
    EDOM = 33;
    /// There is no such datum.
    ENODATA = 61;
    /// A membership asked of a stream; over IPv6, a protocol that the peer does not know.
    EPROTO = 71;
    /// A datagram needs a destination.
    EDESTADDRREQ = 89;
    /// Larger than a datagram can be.
    EMSGSIZE = 90;
    /// No such option, or not one that can be set.
    ENOPROTOOPT = 92;
    /// The kind of socket does not carry that protocol.
    EPROTONOSUPPORT = 93;
    /// The family has no such kind of socket.
    ESOCKTNOSUPPORT = 94;
    /// Not for this kind of socket.
    EOPNOTSUPP = 95;
    /// The address family is not served.
    EAFNOSUPPORT = 97;
    /// Somebody holds the port.
    EADDRINUSE = 98;
    /// The address is none of ours, or no port is free.
    EADDRNOTAVAIL = 99;
    /// No route.
    ENETUNREACH = 101;
    /// An attempt to connect ended, and its reason was told already.
    ECONNABORTED = 103;
    /// The peer's RST.
    ECONNRESET = 104;
    /// Too much is under way already.
    ENOBUFS = 105;
    /// Connected, or listening, already.
    EISCONN = 106;
    /// Not connected.
    ENOTCONN = 107;
    /// Nobody answered for too long.
    ETIMEDOUT = 110;
    /// Nobody listens there.
    ECONNREFUSED = 111;
    /// The host cannot be reached.
    EHOSTUNREACH = 113;
    /// Connecting already: wait for readiness and ask again.
    EALREADY = 114;
    /// Connecting has begun: wait for readiness and ask again.
    EINPROGRESS = 115;
    /// Whoever was to bring about what is waited for has broken an assertion.
    ENOTRECOVERABLE = 131;
}

impl Errno {
    /// What an ICMP error means to a socket (Linux's `icmp_err_convert`, and `icmpv6_err_convert` for IPv6).
    pub(crate) fn of_icmp(reason: Unreachable, domain: Domain) -> Errno {
        match reason {
            Unreachable::Prohibited if domain == Domain::Ip6 => Errno::EACCES,
            Unreachable::Protocol if domain == Domain::Ip6 => Errno::EPROTO,
            Unreachable::Network | Unreachable::Other(6 | 11) => Errno::ENETUNREACH,
            Unreachable::Protocol => Errno::ENOPROTOOPT,
            Unreachable::Port => Errno::ECONNREFUSED,
            Unreachable::FragmentationNeeded { .. } => Errno::EMSGSIZE,
            Unreachable::Host | Unreachable::Prohibited | Unreachable::Other(_) => Errno::EHOSTUNREACH,
        }
    }

    /// What a route that leads nowhere means to a call (Linux's route types unreachable and prohibit).
    pub(crate) fn of_route(reason: Unreachable) -> Errno {
        match reason {
            Unreachable::Prohibited => Errno::EACCES,
            Unreachable::Network
            | Unreachable::Host
            | Unreachable::Protocol
            | Unreachable::Port
            | Unreachable::FragmentationNeeded { .. }
            | Unreachable::Other(_) => Errno::of_icmp(reason, Domain::Ip4),
        }
    }
}

/// Does an ICMP error end what a connected datagram socket is doing? The others are passing trouble, which Linux
/// tells only to those who ask for it by IP_RECVERR (RFC 1122 §4.2.3.9 has the same split for TCP).
pub(crate) fn is_hard(reason: Unreachable) -> bool {
    match reason {
        Unreachable::Protocol | Unreachable::Port | Unreachable::Prohibited => true,
        Unreachable::Other(code) => !matches!(code, 11 | 12),
        Unreachable::Network | Unreachable::Host | Unreachable::FragmentationNeeded { .. } => false,
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Errno {
        match error {
            BindError::InUse | BindError::NoFreePort => Errno::EADDRINUSE,
            BindError::NotLocal => Errno::EADDRNOTAVAIL,
        }
    }
}

impl From<ListenError> for Errno {
    fn from(error: ListenError) -> Errno {
        match error {
            ListenError::InUse => Errno::EADDRINUSE,
        }
    }
}

impl From<ConnectError> for Errno {
    fn from(error: ConnectError) -> Errno {
        match error {
            ConnectError::Unreachable(reason) => Errno::of_route(reason),
            ConnectError::NoFreePort | ConnectError::InUse => Errno::EADDRNOTAVAIL,
            ConnectError::Family => Errno::EAFNOSUPPORT,
        }
    }
}

impl From<UdpSendError> for Errno {
    fn from(error: UdpSendError) -> Errno {
        match error {
            UdpSendError::Unreachable(reason) => Errno::of_route(reason),
            UdpSendError::TooLarge => Errno::EMSGSIZE,
            UdpSendError::TooMany => Errno::EINVAL,
            // Linux says EAGAIN as well when no port can be chosen for a datagram.
            UdpSendError::QueueFull | UdpSendError::NoFreePort => Errno::EAGAIN,
        }
    }
}

impl From<RawSendError> for Errno {
    fn from(error: RawSendError) -> Errno {
        match error {
            RawSendError::Malformed => Errno::EINVAL,
            RawSendError::TooLarge => Errno::EMSGSIZE,
            RawSendError::Family => Errno::EAFNOSUPPORT,
            RawSendError::Unreachable(reason) => Errno::of_route(reason),
            RawSendError::QueueFull | RawSendError::Gone => Errno::EAGAIN,
        }
    }
}

impl From<PingSendError> for Errno {
    fn from(error: PingSendError) -> Errno {
        match error {
            PingSendError::NotAnEchoRequest => Errno::EINVAL,
            PingSendError::TooLarge => Errno::EMSGSIZE,
            PingSendError::Family => Errno::EAFNOSUPPORT,
            PingSendError::Unreachable(reason) => Errno::of_route(reason),
            PingSendError::QueueFull | PingSendError::Gone => Errno::EAGAIN,
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_by_name() {
        assert_eq!(format!("{:?}", Errno::EAGAIN), "EAGAIN");
        assert_eq!(Errno(12345).to_string(), "Errno(12345)");
    }

    #[test]
    fn a_prohibiting_route_and_a_filter_on_the_way_differ() {
        assert_eq!(Errno::of_route(Unreachable::Prohibited), Errno::EACCES);
        assert_eq!(Errno::of_icmp(Unreachable::Prohibited, Domain::Ip4), Errno::EHOSTUNREACH);
        assert_eq!(Errno::of_icmp(Unreachable::Prohibited, Domain::Ip6), Errno::EACCES);
    }
}
