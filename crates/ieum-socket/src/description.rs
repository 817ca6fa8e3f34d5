//! An open socket description: what descriptors refer to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_stack::{BindingId, ConnectionId, ListenerId, TcpSettings};

use crate::Errno;
use crate::call::cork::Corked;
use crate::endpoint::Endpoint;
use crate::groups::Groups;
use crate::make::{Domain, Kind, Make};
use crate::options::Options;
use crate::sent::Sent;

/// What `socket(2)` makes.
#[derive(Debug)]
pub(crate) struct Description {
    /// Its family and protocol, for ever.
    pub(crate) make: Make,
    pub(crate) options: Options,
    /// The pending error (Linux's `sk_err`): told by the next call that can fail, or by SO_ERROR, once.
    pub(crate) error: Option<Errno>,
    /// Directions the program has shut down.
    pub(crate) shut: Shut,
    pub(crate) phase: Phase,
    /// The port of a stream's last connection, which is free again: a name without a meaning that Linux leaves behind.
    pub(crate) port_left: u16,
    /// The address a datagram socket without a port was bound to (IP_BIND_ADDRESS_NO_PORT): that of the port it gets.
    pub(crate) bound_without_port: Option<SocketAddr>,
    /// The pieces of a datagram that is not whole yet, if there are any.
    pub(crate) corked: Option<Box<Corked>>,
    /// Its multicast groups, if it has to do with any.
    pub(crate) groups: Option<Box<Groups>>,
    /// What the program wants to hear of what it sends, if anything.
    pub(crate) sent: Option<Box<Sent>>,
    /// A readiness event waits in the host's queue.
    pub(crate) told: bool,
}

/// Directions that are over.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Shut {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// How far a socket has come.
#[derive(Debug)]
pub(crate) enum Phase {
    Stream(Stream),
    Datagram(Datagram),
}

/// The phases of a stream socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// Fresh, or disconnected.
    Unbound,
    /// `bind` reserved an address.
    Bound(Bound),
    /// `listen` was called.
    Listening(Listening),
    /// There is a connection, from its SYN to its end.
    Active(Active),
}

/// A reserved local address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) binding: BindingId,
    pub(crate) address: SocketAddr,
    /// The program called `bind`: the address is kept when the socket is disconnected.
    pub(crate) by_program: bool,
    pub(crate) hold: PortHold,
    /// `::` here is IPv6 alone.
    pub(crate) v6_only: bool,
}

/// How long a stream holds the port it is bound to. Linux gives up one that the program did not name (which would set its
/// SOCK_BINDPORT_LOCK) but goes on to show it; here what is shown is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PortHold {
    /// As long as it is bound.
    Kept,
    /// Until its connection is over or dissolved.
    UntilOver,
    /// Until another connection is: it was bound when the last one was over.
    UntilNextOver,
    /// No longer: another `bind` takes its place, this socket's or, if it is of that very port, anybody's.
    GivenUp,
}

/// A listening socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    pub(crate) listener: ListenerId,
    pub(crate) bound: Bound,
    /// As given, clamped; in connections.
    pub(crate) backlog: u32,
    /// Options changed since the listener was made: what it accepts is configured anew.
    pub(crate) reconfigured: bool,
}

/// A socket with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) connection: ConnectionId,
    /// What `bind` had reserved before.
    pub(crate) bound: Option<Bound>,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// Has `connect` said how it ended? Accepted sockets never asked. Until then the next `connect` tells.
    pub(crate) answered: bool,
    /// It was shut down after its attempt had failed and before `connect` told: `connect` makes no sense until the socket is
    /// disconnected (Linux's SS_DISCONNECTING).
    pub(crate) disconnecting: bool,
    /// The connection's failure has become the pending error.
    pub(crate) failure_seen: bool,
}

/// The phases of a datagram socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Datagram {
    /// Fresh, or disconnected.
    Unbound,
    /// Bound by name, or by sending or connecting.
    Open(Open),
}

/// A datagram socket with a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) endpoint: Endpoint,
    /// What was bound: told when the port is published and when it is not any more.
    pub(crate) bound: SocketAddr,
    /// The program named the port; it is kept when the socket is disconnected (Linux's SOCK_BINDPORT_LOCK).
    pub(crate) port_named: bool,
    /// `::` here is IPv6 alone.
    pub(crate) v6_only: bool,
    /// The last datagram found no room; cleared by the stack's word that there is some.
    pub(crate) full: bool,
}

impl Description {
    /// As `socket(2)` makes it.
    pub(crate) fn new(make: Make) -> Description {
        let phase = match make.kind() {
            Kind::Stream => Phase::Stream(Stream::Unbound),
            Kind::Datagram => Phase::Datagram(Datagram::Unbound),
        };
        let options = Options::of(make);
        Description {
            make,
            options,
            error: None,
            shut: Shut::default(),
            phase,
            port_left: 0,
            bound_without_port: None,
            corked: None,
            groups: None,
            sent: None,
            told: false,
        }
    }

    /// As `accept(2)` makes it: with the listener's family and options.
    pub(crate) fn accepted(make: Make, options: Options, active: Active) -> Description {
        Description { options, phase: Phase::Stream(Stream::Active(active)), ..Description::new(make) }
    }

    /// Is there something in its error queue?
    pub(crate) fn has_notices(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| !sent.errors.is_empty())
    }

    /// Which kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.make.kind()
    }

    /// What its options mean to a connection: over the family of the one it has, else over the socket's own.
    pub(crate) fn tcp_settings(&self, defaults: &TcpSettings) -> TcpSettings {
        let domain = self.active().map_or(self.make.domain, |active| Domain::of(active.remote.ip()));
        self.options.tcp_settings(domain, defaults)
    }

    /// The address of what is not bound.
    pub(crate) fn nowhere(&self) -> SocketAddr {
        let any: IpAddr = match self.make.domain {
            Domain::Ip4 => Ipv4Addr::UNSPECIFIED.into(),
            Domain::Ip6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(any, 0)
    }

    /// The address of a datagram socket that has no port, or of the one it gets when it needs one.
    pub(crate) fn without_port(&self) -> SocketAddr {
        self.bound_without_port.unwrap_or_else(|| self.nowhere())
    }

    /// An address of the stack as the program sees it: sockets of IPv6 name IPv4 as `::ffff:a.b.c.d`.
    pub(crate) fn shown(&self, address: SocketAddr) -> SocketAddr {
        match (self.make.domain, address) {
            (Domain::Ip6, SocketAddr::V4(v4)) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            (Domain::Ip4 | Domain::Ip6, address) => address,
        }
    }

    /// The connection, if there is one.
    pub(crate) fn active(&self) -> Option<&Active> {
        match &self.phase {
            Phase::Stream(Stream::Active(active)) => Some(active),
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Listening(_)) | Phase::Datagram(_) => {
                None
            }
        }
    }

    /// The connection, to note something about it.
    pub(crate) fn active_mut(&mut self) -> Option<&mut Active> {
        match &mut self.phase {
            Phase::Stream(Stream::Active(active)) => Some(active),
            Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Listening(_)) | Phase::Datagram(_) => {
                None
            }
        }
    }

    /// The endpoint of a bound datagram socket.
    pub(crate) fn open(&self) -> Option<&Open> {
        match &self.phase {
            Phase::Datagram(Datagram::Open(open)) => Some(open),
            Phase::Datagram(Datagram::Unbound) | Phase::Stream(_) => None,
        }
    }

    /// The endpoint, to note something about it.
    pub(crate) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.phase {
            Phase::Datagram(Datagram::Open(open)) => Some(open),
            Phase::Datagram(Datagram::Unbound) | Phase::Stream(_) => None,
        }
    }
}
