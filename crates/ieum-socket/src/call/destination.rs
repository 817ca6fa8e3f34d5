//! Where a program means to go: the address it names, judged as Linux judges it, in the words of the stack.
//!
//! The stack names IPv4 by plain IPv4 addresses in both kinds of sockets; `::ffff:a.b.c.d` is known in this room alone
//! (RFC 4291 §2.5.5.2, ipv6(7)). Each verdict here was read off Linux 6.18 on loopback, errno by errno.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::Errno;
use crate::description::{Datagram, Description, Phase, Stream};
use crate::host::Host;
use crate::make::{Domain, Protocol};

/// For which call an address is meant: they differ in what they say to bad ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// `connect` of a stream.
    Dial,
    /// `connect` of a datagram socket.
    Associate,
    /// `sendto`.
    Send,
}

/// Where a socket stands itself.
#[derive(Clone, Copy, Default, Debug)]
struct Own {
    /// What it was bound to.
    bound: Option<IpAddr>,
    /// What it is reached at now: a single address while connected.
    local: Option<IpAddr>,
}

impl Host {
    /// The destination that is meant, in the stack's words: unspecified addresses are the host itself.
    pub(crate) fn destination(
        &self,
        description: &Description,
        address: SocketAddr,
        purpose: Purpose,
    ) -> Result<SocketAddr, Errno> {
        let own = self.own(description);
        let meant = match (description.make.domain, address) {
            (Domain::Ip4, SocketAddr::V4(v4)) => meant4(v4, own),
            (Domain::Ip4, SocketAddr::V6(_)) => return Err(Errno::EAFNOSUPPORT),
            (Domain::Ip6, SocketAddr::V4(v4)) => foreign_form(description, v4, own, purpose)?,
            (Domain::Ip6, SocketAddr::V6(v6)) => match v6.ip().to_ipv4_mapped() {
                Some(ip) => mapped(description, SocketAddrV4::new(ip, v6.port()), own, purpose)?,
                None => self.meant6(description, v6, own, purpose)?,
            },
        };
        if self.leaves_from_loopback(own, meant.ip()) { Err(Errno::EINVAL) } else { Ok(meant) }
    }

    /// A socket of 127/8 is not let out of its host by IPv4, where there is a way at all; to groups it speaks on the loopback
    /// link.
    fn leaves_from_loopback(&self, own: Own, to: IpAddr) -> bool {
        let IpAddr::V4(four) = to else { return false };
        let is_loopback = own.local.is_some_and(|local| local.is_ipv4() && local.is_loopback());
        let stays = self.stack.is_local(to) || four.is_multicast() || four.is_broadcast();
        is_loopback && !stays && self.stack.is_reachable(to)
    }

    /// A destination of IPv6.
    fn meant6(
        &self,
        description: &Description,
        v6: SocketAddrV6,
        own: Own,
        purpose: Purpose,
    ) -> Result<SocketAddr, Errno> {
        let (ip, port) = (*v6.ip(), v6.port());
        let pings = description.make.protocol == Protocol::Icmp;
        let speaks_ip4 = own.local.is_some_and(|local| local.is_ipv4());
        let is_raw = matches!(description.make.protocol, Protocol::Raw(_));
        if port == 0 && purpose == Purpose::Send && !pings && !is_raw {
            return Err(Errno::EINVAL);
        }
        if ip.is_unspecified() {
            let itself: IpAddr = match (speaks_ip4, purpose) {
                (_, Purpose::Send) if pings => return Err(Errno::ENETUNREACH),
                (true, _) => Ipv4Addr::LOCALHOST.into(),
                (false, _) => Ipv6Addr::LOCALHOST.into(),
            };
            return Ok(SocketAddr::new(itself, port));
        }
        if ip.is_multicast() && purpose == Purpose::Dial {
            return Err(Errno::ENETUNREACH);
        }
        let is_told = |description: &Description| {
            let chosen = description.groups.as_ref().is_some_and(|groups| groups.link6.is_some());
            chosen || self.stack.link_at(v6.scope_id()).is_some()
        };
        // Ping sockets take no route for an answer.
        let leads = !pings && self.stack.is_reachable(ip.into());
        let to_group = ip.is_multicast() && purpose == Purpose::Send && (leads || is_told(description));
        if needs_scope(ip) && !to_group {
            // No host of ours has link-local addresses, and a group without its link is no remote.
            return Err(match purpose {
                Purpose::Send if !pings => Errno::ENETUNREACH,
                Purpose::Dial | Purpose::Associate | Purpose::Send if v6.scope_id() == 0 => Errno::EINVAL,
                Purpose::Dial | Purpose::Associate | Purpose::Send => Errno::ENETUNREACH,
            });
        }
        // Linux looks for a route before it notices that the socket speaks IPv4.
        if speaks_ip4 {
            let leads = self.stack.is_reachable(ip.into());
            return Err(if leads { Errno::EAFNOSUPPORT } else { Errno::ENETUNREACH });
        }
        Ok(SocketAddr::new(ip.into(), port))
    }

    /// What a broadcast without SO_BROADCAST is told. Linux looks for the route first; one to everybody on a network of ours
    /// is there with the network, and one to everybody on the link of the address that the socket has.
    pub(crate) fn refused_broadcast(&self, description: &Description, to: IpAddr) -> Errno {
        let has_link = self.own(description).local.is_some_and(|own| self.stack.is_local(own));
        let leads = to != IpAddr::V4(Ipv4Addr::BROADCAST) || has_link || self.stack.is_reachable(to);
        if leads { Errno::EACCES } else { Errno::ENETUNREACH }
    }

    fn own(&self, description: &Description) -> Own {
        match &description.phase {
            Phase::Stream(Stream::Bound(bound)) => {
                Own { bound: Some(bound.address.ip()), local: Some(bound.address.ip()) }
            }
            Phase::Datagram(Datagram::Open(open)) => {
                let local = self.endpoint_address(open.endpoint).unwrap_or(open.bound);
                Own { bound: Some(open.bound.ip()), local: Some(local.ip()) }
            }
            Phase::Datagram(Datagram::Unbound) => {
                let bound = description.bound_without_port.map(|bound| bound.ip());
                Own { bound, local: bound }
            }
            Phase::Stream(Stream::Unbound | Stream::Listening(_) | Stream::Active(_)) => Own::default(),
        }
    }
}

/// A `sockaddr_in` given to a socket of AF_INET6. Streams find it too short; datagram sockets take it.
fn foreign_form(
    description: &Description,
    v4: SocketAddrV4,
    own: Own,
    purpose: Purpose,
) -> Result<SocketAddr, Errno> {
    let refusal = match purpose {
        Purpose::Dial => return Err(Errno::EINVAL),
        Purpose::Send if matches!(description.make.protocol, Protocol::Icmp | Protocol::Raw(_)) => {
            return Err(Errno::EINVAL);
        }
        Purpose::Associate => Errno::EAFNOSUPPORT,
        Purpose::Send => Errno::ENETUNREACH,
    };
    if speaks_ip4(description, own) { Ok(meant4(v4, own)) } else { Err(refusal) }
}

/// An IPv4 destination in IPv6's form.
fn mapped(
    description: &Description,
    v4: SocketAddrV4,
    own: Own,
    purpose: Purpose,
) -> Result<SocketAddr, Errno> {
    if purpose == Purpose::Send && description.make.protocol == Protocol::Icmp {
        return Err(Errno::EINVAL);
    }
    if speaks_ip4(description, own) { Ok(meant4(v4, own)) } else { Err(Errno::ENETUNREACH) }
}

/// May a socket of AF_INET6 speak IPv4 from where it is bound?
fn speaks_ip4(description: &Description, own: Own) -> bool {
    let single6 = own.bound.is_some_and(|bound| bound.is_ipv6() && !bound.is_unspecified());
    let is_raw = matches!(description.make.protocol, Protocol::Raw(_));
    !description.options.v6_only() && !single6 && !is_raw
}

/// 0.0.0.0 is the host itself, by the address that the socket has.
fn meant4(v4: SocketAddrV4, own: Own) -> SocketAddr {
    if !v4.ip().is_unspecified() {
        return v4.into();
    }
    let local = own.local.filter(|local| local.is_ipv4() && !local.is_unspecified());
    SocketAddr::new(local.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), v4.port())
}

/// Does the address mean something only together with a link: link-local, or a group of a link or an interface
/// (RFC 4007 §6)?
pub(crate) fn needs_scope(ip: Ipv6Addr) -> bool {
    let group_of_link = ip.is_multicast() && matches!(ip.octets()[1] & 0xf, 1 | 2);
    ip.is_unicast_link_local() || group_of_link
}
