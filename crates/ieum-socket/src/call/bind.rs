//! `bind(2)`, and the binding that other calls do on the way.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use ieum_stack::{BindRequest, BindingId, Stack};

use crate::call::destination::needs_scope;
use crate::description::{Active, Bound, Datagram, Description, Open, Phase, PortHold, Stream};
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::make::{Domain, Make, Protocol};
use crate::{Errno, Kind, SocketId};

impl Host {
    /// Gives the socket a local address and port; port 0 means a free one. All ports are free for everyone here, the
    /// low ones too. On a ping socket the port is the identifier of its echo requests.
    ///
    /// # Errors
    ///
    /// EADDRNOTAVAIL when the address is none of the host's, EINVAL when the socket has one already, EADDRINUSE,
    /// EAFNOSUPPORT for an address of IPv6 on a socket of IPv4; EINVAL for one of IPv4 on a socket of IPv6, as a mapped
    /// one with IPV6_V6ONLY, and for a link-local one without its link; ENODEV for a link that is not there.
    pub fn bind(&mut self, id: SocketId, address: SocketAddr) -> Result<(), Errno> {
        match self.bind_where_it_can_be(id, address) {
            Err(Errno::EADDRINUSE) if address.port() != 0 && self.take_given_up(address.port()) => {
                self.bind_where_it_can_be(id, address)?;
            }
            bound => bound?,
        }
        let is_single6 = |ip: std::net::Ipv6Addr| !ip.is_unspecified() && ip.to_ipv4_mapped().is_none();
        if matches!(address, SocketAddr::V6(v6) if is_single6(*v6.ip()))
            && let Some(description) = self.descriptions.get_mut(id)
        {
            description.options.bound_to_v6();
        }
        Ok(())
    }

    fn bind_where_it_can_be(&mut self, id: SocketId, address: SocketAddr) -> Result<(), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let address = plain(&self.stack, description, address)?;
        if let Some(Open { endpoint: Endpoint::Raw(raw), .. }) = description.open() {
            return self.bind_raw(id, *raw, address.ip());
        }
        match description.phase {
            Phase::Stream(Stream::Unbound) => {
                let bound = self.bind_by_program(id, address)?;
                self.set_stream(id, Stream::Bound(bound));
                Ok(())
            }
            Phase::Stream(Stream::Bound(before)) if before.hold == PortHold::GivenUp => {
                let (bound, outcome) = self.bind_anew(id, Some(before), address);
                self.set_stream(id, bound.map_or(Stream::Unbound, Stream::Bound));
                outcome
            }
            Phase::Datagram(Datagram::Unbound)
                if address.port() == 0
                    && description.make.is_udp()
                    && description.options.binds_address_alone() =>
            {
                self.bind_without_port(id, address)
            }
            Phase::Datagram(Datagram::Unbound) => self.open_datagram(id, address).map(|_| ()),
            // A connection that is over has let go of the port it chose itself.
            Phase::Stream(Stream::Active(active)) if self.is_without_port(id, &active) => {
                let (bound, outcome) = self.bind_anew(id, active.bound, address);
                self.show_bound_when_over(id, bound, outcome);
                outcome
            }
            // By IPv4 Linux looks at the address before it looks at the socket, by IPv6 afterwards.
            Phase::Stream(_) | Phase::Datagram(_)
                if description.make.domain == Domain::Ip4
                    && !self.could_be_bound(description.make, address.ip()) =>
            {
                Err(Errno::EADDRNOTAVAIL)
            }
            Phase::Stream(Stream::Bound(_) | Stream::Listening(_) | Stream::Active(_))
            | Phase::Datagram(Datagram::Open(_)) => Err(Errno::EINVAL),
        }
    }

    /// What others have of a port that they have let go of, and hold only to show it, is theirs no more. True if there
    /// was something.
    fn take_given_up(&mut self, port: u16) -> bool {
        let held = self.descriptions.iter().filter_map(|(_, description)| match &description.phase {
            Phase::Stream(Stream::Bound(bound)) => Some(bound).filter(|it| it.hold == PortHold::GivenUp),
            Phase::Stream(Stream::Active(active)) => {
                let is_over = || self.view(description).is_some_and(|view| view.closed);
                active.bound.as_ref().filter(|it| it.hold == PortHold::UntilOver && is_over())
            }
            Phase::Stream(Stream::Unbound | Stream::Listening(_)) | Phase::Datagram(_) => None,
        });
        let at_port = |id: &BindingId| self.stack.binding_address(*id).is_some_and(|at| at.port() == port);
        let bindings: Vec<BindingId> = held.map(|bound| bound.binding).filter(at_port).collect();
        bindings.iter().for_each(|id| self.stack.tcp_unbind(*id));
        !bindings.is_empty()
    }

    /// The port that a stream is bound to; another one where it has let go of that and somebody took it.
    pub(crate) fn held_or_another(&mut self, id: SocketId, bound: Bound) -> Result<Bound, Errno> {
        if self.stack.binding_address(bound.binding).is_some() {
            return Ok(bound);
        }
        let again = self.bind_stream(id, SocketAddr::new(bound.address.ip(), 0))?;
        let again = Bound { by_program: bound.by_program, ..again };
        self.set_stream(id, Stream::Bound(again));
        Ok(again)
    }

    /// Reserves an address, as the stack names it, for a stream; its phase stays as it is.
    pub(crate) fn bind_stream(&mut self, id: SocketId, address: SocketAddr) -> Result<Bound, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let binding = self.stack.tcp_bind(request(description, address))?;
        let address = self.stack.binding_address(binding).unwrap_or(address);
        let v6_only = self.descriptions.get(id).is_some_and(|description| description.options.v6_only());
        Ok(Bound { binding, address, by_program: false, hold: PortHold::UntilOver, v6_only })
    }

    /// Binds in the place of what was given up, which is not in its way. Where that fails the old one stays; a port
    /// that is taken leaves of the address that is shown only the port, as on Linux.
    fn bind_anew(
        &mut self,
        id: SocketId,
        before: Option<Bound>,
        address: SocketAddr,
    ) -> (Option<Bound>, Result<(), Errno>) {
        let reserved = before.and_then(|before| self.stack.binding_address(before.binding));
        if let Some(before) = before {
            self.stack.tcp_unbind(before.binding);
        }
        let errno = match self.bind_by_program(id, address) {
            Ok(bound) => return (Some(bound), Ok(())),
            Err(errno) => errno,
        };
        let held = before.zip(reserved).and_then(|(before, reserved)| {
            let held = match reserved.port() {
                0 => self.bind_address_alone(id, reserved),
                _ => self.bind_stream(id, reserved),
            };
            let Bound { binding, .. } = held.ok()?;
            let mut held = Bound { binding, ..before };
            if errno == Errno::EADDRINUSE {
                held.address.set_ip(self.descriptions.get(id)?.nowhere().ip());
            }
            Some(held)
        });
        (held, Err(errno))
    }

    /// What a socket shows whose connection is over and which was bound again, or not.
    fn show_bound_when_over(&mut self, id: SocketId, bound: Option<Bound>, outcome: Result<(), Errno>) {
        let Some(description) = self.descriptions.get_mut(id) else { return };
        let nowhere = description.nowhere().ip();
        let Some(active) = description.active_mut() else { return };
        active.bound = bound;
        match (&mut active.bound, outcome) {
            (Some(bound), Ok(())) => {
                active.local = bound.address;
                if bound.hold == PortHold::UntilOver {
                    bound.hold = PortHold::UntilNextOver;
                }
            }
            (_, Err(Errno::EADDRINUSE)) => active.local.set_ip(nowhere),
            _ => {}
        }
    }

    fn bind_by_program(&mut self, id: SocketId, address: SocketAddr) -> Result<Bound, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let hold = match address.port() {
            0 if description.options.binds_address_alone() => return self.bind_address_alone(id, address),
            0 => PortHold::UntilOver,
            _ => PortHold::Kept,
        };
        Ok(Bound { by_program: true, hold, ..self.bind_stream(id, address)? })
    }

    /// IP_BIND_ADDRESS_NO_PORT: the port is chosen when the stream connects, so that many may have the same one to different
    /// remotes, or when it listens. Another `bind` may name one before.
    fn bind_address_alone(&mut self, id: SocketId, address: SocketAddr) -> Result<Bound, Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        description.port_left = 0;
        let request = BindRequest { address_alone: true, ..request(description, address) };
        let binding = self.stack.tcp_bind(request)?;
        Ok(Bound { binding, address, by_program: true, hold: PortHold::GivenUp, v6_only: request.v6_only })
    }

    /// The same of a datagram socket, which gets its port when it sends or connects.
    fn bind_without_port(&mut self, id: SocketId, address: SocketAddr) -> Result<(), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let (make, ip) = (description.make, address.ip());
        if !self.could_be_bound(make, ip) && !self.stack.is_broadcast(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if let Some(description) = self.descriptions.get_mut(id) {
            description.bound_without_port = Some(address);
        }
        Ok(())
    }

    /// A stream bound to an address alone gets a port that it can listen on.
    pub(crate) fn bind_to_listen(&mut self, id: SocketId, bound: Bound) -> Result<Bound, Errno> {
        if bound.address.port() != 0 {
            return Ok(bound);
        }
        let with_port = self.bind_stream(id, bound.address)?;
        self.stack.tcp_unbind(bound.binding);
        let with_port = Bound { by_program: true, ..with_port };
        self.set_stream(id, Stream::Bound(with_port));
        Ok(with_port)
    }

    /// The endpoint of a datagram socket; one that has none gets any port, as sending and connecting do.
    pub(crate) fn opened(&mut self, id: SocketId) -> Result<Open, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        match description.open() {
            Some(open) => Ok(*open),
            // Linux says EAGAIN when no port is left for a socket that did not ask for one.
            None => {
                let address = description.without_port();
                self.open_datagram(id, address).map_err(|_| Errno::EAGAIN)
            }
        }
    }

    /// Gives a datagram socket any port that has none, as sending and connecting do before they look at the address.
    ///
    /// # Errors
    ///
    /// EAGAIN when no port is left.
    pub fn bind_as_needed(&mut self, id: SocketId) -> Result<(), Errno> {
        self.opened(id).map(|_| ())
    }

    /// Is it a datagram socket that has no port? After a send that said EAGAIN none was free, and a blocking one does
    /// not wait for that.
    pub fn has_no_port(&self, id: SocketId) -> bool {
        self.descriptions.get(id).is_some_and(|description| {
            matches!(description.phase, Phase::Datagram(_)) && description.open().is_none()
        })
    }

    fn open_datagram(&mut self, id: SocketId, address: SocketAddr) -> Result<Open, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let (make, request) = (description.make, request(description, address));
        let endpoint = match make.protocol {
            Protocol::Icmp => self.bind_ping(id, request)?,
            // A raw socket is open from the start.
            Protocol::Udp | Protocol::UdpLite | Protocol::Tcp | Protocol::Raw(_) => {
                self.bind_udp(id, make, request)?
            }
        };
        let bound = self.endpoint_address(endpoint).unwrap_or(address);
        let v6_only = request.v6_only;
        let open = Open { endpoint, bound, port_named: address.port() != 0, v6_only, full: false };
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        description.phase = Phase::Datagram(Datagram::Open(open));
        if make.is_udp() {
            self.tell_groups(id);
            self.tell_error_wishes(id);
            self.tell_joining(id);
            self.tell_recv_buffer(id);
            self.tell_coverage(id);
        }
        self.tell_link(id);
        if make.protocol == Protocol::Udp {
            self.tell_serving(Kind::Datagram, bound, v6_only, true);
        }
        Ok(open)
    }

    /// Moves a stream into another phase.
    pub(crate) fn set_stream(&mut self, id: SocketId, stream: Stream) {
        if let Some(description) = self.descriptions.get_mut(id) {
            description.phase = Phase::Stream(stream);
        }
    }

    /// Is its connection over, and its port not one that the program named?
    fn is_without_port(&self, id: SocketId, active: &Active) -> bool {
        let is_over = self.descriptions.get(id).and_then(|description| self.view(description));
        is_over.is_some_and(|view| view.closed)
            && active.bound.is_none_or(|bound| bound.hold == PortHold::UntilOver || bound.address.port() == 0)
    }

    fn could_be_bound(&self, make: Make, address: IpAddr) -> bool {
        let group = address.is_multicast() && make.protocol != Protocol::Icmp;
        address.is_unspecified() || group || self.stack.is_local(address)
    }
}

/// The wish as the stack wants it.
fn request(description: &Description, address: SocketAddr) -> BindRequest {
    BindRequest {
        address: address.ip(),
        port: address.port(),
        reuse_address: description.options.reuse_address(),
        reuse_port: description.options.reuse_port(),
        v6_only: description.options.v6_only(),
        ports: description.options.ports(),
        link: description.options.link,
        address_alone: false,
    }
}

/// The address in the stack's words, if a socket of that make can have one like it.
fn plain(stack: &Stack, description: &Description, address: SocketAddr) -> Result<SocketAddr, Errno> {
    match (description.make.domain, address) {
        (Domain::Ip4, SocketAddr::V4(_)) => Ok(address),
        (Domain::Ip4, SocketAddr::V6(_)) => Err(Errno::EAFNOSUPPORT),
        // A sockaddr_in is too short.
        (Domain::Ip6, SocketAddr::V4(_)) => Err(Errno::EINVAL),
        (Domain::Ip6, SocketAddr::V6(v6)) => plain6(stack, description, v6),
    }
}

fn plain6(stack: &Stack, description: &Description, address: SocketAddrV6) -> Result<SocketAddr, Errno> {
    let (ip, make) = (*address.ip(), description.make);
    if let Some(mapped) = ip.to_ipv4_mapped() {
        if matches!(make.protocol, Protocol::Raw(_)) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let speaks_ip4 = !description.options.v6_only() && make.protocol != Protocol::Icmp;
        return if speaks_ip4 { Ok((mapped, address.port()).into()) } else { Err(Errno::EINVAL) };
    }
    let hears_groups = make.is_udp() || matches!(make.protocol, Protocol::Raw(_));
    if ip.is_multicast() && !hears_groups || needs_scope(ip) && address.scope_id() == 0 {
        return Err(Errno::EINVAL);
    }
    if needs_scope(ip) {
        // A group of a link may be bound to; addresses of a link no host has.
        let is_link = stack.link_at(address.scope_id()).is_some();
        if !is_link || !ip.is_multicast() {
            return Err(if is_link { Errno::EADDRNOTAVAIL } else { Errno::ENODEV });
        }
    }
    Ok((ip, address.port()).into())
}
