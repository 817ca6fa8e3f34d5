//! `send(2)` and `sendto(2)`, and the door for bytes that are not copied.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use ieum_stack::{LinkId, SendFields, WriteEnd};
use ieum_wire::{Instant, ip4, ip6, udp};

use crate::bounds::MESSAGE_BYTES_MAX;
use crate::call::connect::Dial;
use crate::call::destination::Purpose;
use crate::description::{Description, Phase, Stream};
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::make::{Domain, Protocol};
use crate::{Errno, SocketId};

/// What a message itself says of how it is sent, where its socket's options say otherwise: the control messages IP_PKTINFO,
/// IP_TTL and IP_TOS of ip(7), IPV6_PKTINFO, IPV6_HOPLIMIT and IPV6_TCLASS of ipv6(7), UDP_SEGMENT of udp(7).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ancillary {
    /// From which address of the host.
    pub source: Option<IpAddr>,
    /// How many hops it may take.
    pub ttl: Option<u8>,
    /// Type of service, traffic class.
    pub tos: Option<u8>,
    /// It is cut into datagrams of so many bytes; 0: it is one.
    pub segment_bytes: Option<u16>,
    /// The number of the interface it leaves by; 0: the one that the route says.
    pub interface: u32,
    /// It is not whole: what is sent next belongs to it (MSG_MORE; of UDP alone).
    pub more: bool,
}

impl Host {
    /// Sends bytes, or a datagram to the connected remote. Tells how many bytes were taken: of a stream perhaps not
    /// all, of a datagram always all.
    ///
    /// # Errors
    ///
    /// As [`Host::send_to`].
    pub fn send(&mut self, now: Instant, id: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        self.send_to(now, id, bytes, None)
    }

    /// Sends a datagram to `address`, or to the connected remote. On a stream the address is not looked at.
    ///
    /// # Errors
    ///
    /// Streams: EAGAIN when there is no room or no connection yet; EPIPE when nothing can be sent any more, after the
    /// pending error (ECONNRESET, ETIMEDOUT …) was told once. Datagrams: EDESTADDRREQ, EMSGSIZE, EACCES for a
    /// broadcast without SO_BROADCAST, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED from an earlier datagram, EAGAIN,
    /// EPIPE after SHUT_WR, EINVAL for port 0 or what is no echo request, EAFNOSUPPORT.
    pub fn send_to(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
    ) -> Result<usize, Errno> {
        self.send_ending(now, id, bytes, address, WriteEnd::Push)
    }

    /// The same; of a stream with how the write ends: MSG_MORE or MSG_EOR.
    ///
    /// # Errors
    ///
    /// As [`Host::send_to`].
    pub fn send_ending(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
        end: WriteEnd,
    ) -> Result<usize, Errno> {
        self.now = now;
        match self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            Phase::Stream(_) => self.send_stream(now, id, bytes, end),
            Phase::Datagram(_) => self.send_piece(now, id, bytes, address, Ancillary::default()),
        }
    }

    /// Sends a datagram that says more of itself than its socket's options do.
    ///
    /// # Errors
    ///
    /// As [`Host::send_to`]; EINVAL for a source of the other family; for one that is none of the host's addresses EINVAL
    /// over IPv6 and ENETUNREACH over IPv4. EOPNOTSUPP on a stream.
    pub fn send_message(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
        ancillary: Ancillary,
    ) -> Result<usize, Errno> {
        self.now = now;
        match self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            Phase::Stream(_) => Err(Errno::EOPNOTSUPP),
            Phase::Datagram(_) => self.send_piece(now, id, bytes, address, ancillary),
        }
    }

    /// Free chunks of a stream's send buffer to fill from the front, at most `bytes_max`; then [`Host::commit`]. None
    /// when nothing can be sent now: [`Host::send`] says why.
    pub fn send_space(&mut self, id: SocketId, bytes_max: usize) -> Vec<IoSliceMut<'_>> {
        match self.settled_view(id) {
            Some(view) if view.open && !view.shut.write && view.error.is_none() => {}
            Some(_) | None => return Vec::new(),
        }
        let connection =
            self.descriptions.get(id).and_then(|description| Some(description.active()?.connection));
        match connection {
            Some(connection) => self.stack.tcp_send_space(connection, bytes_max),
            None => Vec::new(),
        }
    }

    /// Sends the first `count` bytes of what [`Host::send_space`] gave.
    pub fn commit(&mut self, now: Instant, id: SocketId, count: usize) {
        self.now = now;
        if let Some(active) = self.descriptions.get(id).and_then(|description| description.active()) {
            self.stack.tcp_commit(now, active.connection, count);
        }
    }

    fn send_stream(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        end: WriteEnd,
    ) -> Result<usize, Errno> {
        let view = self.settled_view(id);
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        if let Some(error) = description.error.take() {
            return Err(error);
        }
        let (Some(view), Phase::Stream(Stream::Active(active))) = (view, &description.phase) else {
            return Err(Errno::EPIPE);
        };
        if view.deferred {
            return with_syn(self.stack.tcp_send(now, active.connection, bytes));
        }
        if view.connecting {
            return Err(Errno::EAGAIN);
        }
        if !view.open || view.shut.write {
            return Err(Errno::EPIPE);
        }
        match self.stack.tcp_send_ending(now, active.connection, bytes, end) {
            0 if !bytes.is_empty() => Err(Errno::EAGAIN),
            count => Ok(count),
        }
    }

    /// Sends bytes and connects with them (MSG_FASTOPEN, RFC 7413): how many went with the SYN. On a stream that is
    /// connected they are sent as any others.
    ///
    /// # Errors
    ///
    /// EINPROGRESS when the SYN went out without data, EOPNOTSUPP where Fast Open is switched off or `address` is `None`
    /// (AF_UNSPEC), EALREADY while connecting, EISCONN after `connect` has told so, and what [`Host::connect`] and
    /// [`Host::send`] say.
    pub fn send_fast_open(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
    ) -> Result<usize, Errno> {
        self.now = now;
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let address = address.filter(|_| self.stack.tcp_rules().fast_open.client);
        let address = address.ok_or(Errno::EOPNOTSUPP)?;
        let bound = match description.phase {
            Phase::Stream(Stream::Unbound) => None,
            Phase::Stream(Stream::Bound(bound)) => Some(bound),
            Phase::Stream(Stream::Active(active)) if active.answered => return Err(Errno::EISCONN),
            Phase::Stream(Stream::Active(_)) => {
                if !self.view(description).is_some_and(|view| view.deferred) {
                    self.tell_outcome(now, id)?;
                }
                return self.send_stream(now, id, bytes, WriteEnd::Push);
            }
            Phase::Stream(Stream::Listening(_)) => return Err(Errno::EISCONN),
            Phase::Datagram(_) => return Err(Errno::EOPNOTSUPP),
        };
        let count = self.dial(now, id, bound, address, Dial::With(bytes))?;
        with_syn(count)
    }

    /// Sends bytes of which the last one is urgent (MSG_OOB).
    ///
    /// # Errors
    ///
    /// As [`Host::send`]; EOPNOTSUPP on a datagram socket.
    pub fn send_urgent(&mut self, now: Instant, id: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        self.now = now;
        if let Phase::Datagram(_) = self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            return Err(Errno::EOPNOTSUPP);
        }
        // What makes a stream unable to send is told as by any other call.
        self.send_stream(now, id, &[], WriteEnd::Push)?;
        let active = self.descriptions.get(id).and_then(|description| description.active().copied());
        let count = active.map_or(0, |active| self.stack.tcp_send_urgent(now, active.connection, bytes));
        if count == 0 && !bytes.is_empty() { Err(Errno::EAGAIN) } else { Ok(count) }
    }

    /// Must a datagram that is sent with MSG_OOB be refused? Only UDP of IPv6 lets it pass, and not to IPv4.
    ///
    /// # Errors
    ///
    /// EOPNOTSUPP when it must; EDESTADDRREQ where that is said first, because there is neither `to` nor a remote.
    pub fn refuse_urgent_datagram(&self, id: SocketId, to: Option<SocketAddr>) -> Result<(), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        if description.make.refuses_urgency() {
            return Err(Errno::EOPNOTSUPP);
        }
        let remote = to.or_else(|| self.endpoint_remote(description.open()?.endpoint));
        let speaks_ip4 = remote.ok_or(Errno::EDESTADDRREQ)?.ip().to_canonical().is_ipv4();
        if speaks_ip4 { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
    }

    /// Somebody waits to write until the stream is connected: the acknowledgement that ends the handshake may wait for
    /// the data.
    pub fn writer_waits(&mut self, id: SocketId) {
        if let Some(active) = self.descriptions.get(id).and_then(|description| description.active()) {
            self.stack.tcp_writer_waits(active.connection);
        }
    }

    pub(super) fn send_datagram(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
        ancillary: Ancillary,
    ) -> Result<usize, Errno> {
        let (endpoint, to, fields) = self.prepare_datagram(now, id, bytes, address, ancillary)?;
        if !self.endpoint_send(now, endpoint, to, bytes, fields)? {
            if let Some(open) = self.descriptions.get_mut(id).and_then(|description| description.open_mut()) {
                open.full = true;
            }
            return Err(Errno::EAGAIN);
        }
        Ok(bytes.len())
    }

    /// Whether the datagram may be sent at all, and how; after the pending error.
    pub(super) fn prepare_datagram(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
        ancillary: Ancillary,
    ) -> Result<(Endpoint, SocketAddr, SendFields), Errno> {
        // Linux binds first and looks at the message afterwards.
        let open = self.opened(id)?;
        if bytes.len() > MESSAGE_BYTES_MAX && !self.looks_at_length_last(id, open.endpoint, address) {
            return Err(Errno::EMSGSIZE);
        }
        let to = match address {
            Some(address) => {
                let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
                self.destination(description, address, Purpose::Send)?
            }
            None => self.endpoint_remote(open.endpoint).ok_or(Errno::EDESTADDRREQ)?,
        };
        let by = match self.interface_meant(ancillary.interface, to.ip())? {
            None if to.is_ipv6() => self.sticky_interface(id, to.ip())?,
            by => by,
        };
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        check_raw(description, address, bytes)?;
        // The port of an echo request's destination means nothing. A connected remote is asked for its port only where a socket
        // of IPv6 passes the datagram on to IPv4.
        let is_asked = address.is_some() || (description.make.domain == Domain::Ip6 && to.is_ipv4());
        if to.port() == 0 && is_asked && matches!(open.endpoint, Endpoint::Udp(_)) {
            return Err(Errno::EINVAL);
        }
        // Towards IPv4 a foreign source is no route.
        let is_wrong = |source: IpAddr| {
            source.is_ipv4() != to.is_ipv4() || (to.is_ipv6() && !self.stack.is_local(source))
        };
        if ancillary.source.is_some_and(is_wrong) {
            return Err(Errno::EINVAL);
        }
        let everybody = self.stack.is_broadcast(to.ip());
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        if everybody && !description.options.broadcast() {
            return Err(self.refused_broadcast(description, to.ip()));
        }
        let segment_bytes = ancillary.segment_bytes.unwrap_or_else(|| description.options.segment_bytes());
        let segment_bytes =
            NonZeroU16::new(segment_bytes).filter(|_| matches!(open.endpoint, Endpoint::Udp(_)));
        if segment_bytes.is_some() && to.is_ipv4() && description.options.forgoes_checksums() {
            return Err(Errno::EINVAL);
        }
        if segment_bytes.is_some() && description.make.protocol == Protocol::UdpLite {
            return Err(Errno::EIO);
        }
        let never_cut = description.options.forbids_fragments(Domain::of(to.ip())) && segment_bytes.is_none();
        let fields = description.options.send_fields(to.ip());
        let link = by.or_else(|| self.link_to_group(id, to.ip(), address));
        let first = link.or(description.options.link);
        let whole_bytes = headers_bytes(description, to.ip()) + bytes.len();
        let is_no_packet = segment_bytes.is_none() && whole_bytes > packet_bytes_max(to.ip());
        // Where no way leads, that is said first.
        if (never_cut || is_no_packet)
            && let Some(mtu_bytes) = self.mtu_towards(now, to.ip(), first, fields.heeds_path_mtu)
            && (is_no_packet || u32::try_from(whole_bytes).is_ok_and(|whole| whole > mtu_bytes))
        {
            self.tell_too_large(id, to, mtu_bytes);
            return Err(Errno::EMSGSIZE);
        }
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        if let Some(error) = description.error.take() {
            return Err(error);
        }
        if description.shut.write {
            return Err(Errno::EPIPE);
        }
        let fields = SendFields {
            source: ancillary.source,
            link,
            ttl: ancillary.ttl.unwrap_or(fields.ttl),
            tos: ancillary.tos.unwrap_or(fields.tos),
            segment_bytes,
            ..fields
        };
        Ok((open.endpoint, to, fields))
    }

    /// Towards IPv6 Linux knows no length that is none: what is longer than any packet is found so on its way, and the
    /// error queue tells of it. (tracepath(8) begins with 128,000 bytes.)
    fn looks_at_length_last(&self, id: SocketId, endpoint: Endpoint, address: Option<SocketAddr>) -> bool {
        let to = address.or_else(|| self.endpoint_remote(endpoint));
        let protocol = self.make(id).map(|make| make.protocol);
        protocol != Some(Protocol::Icmp) && to.is_some_and(|to| to.ip().to_canonical().is_ipv6())
    }

    /// The link by which a message goes there that names none, where the socket has one for those (IPV6_PKTINFO).
    fn sticky_interface(&self, id: SocketId, to: IpAddr) -> Result<Option<LinkId>, Errno> {
        // Who keeps to one link goes by that (SO_BINDTODEVICE).
        let keeps = self.kept_link(id).is_some();
        let description = self.descriptions.get(id).filter(|_| !keeps);
        let index = description.map_or(0, |description| description.options.sticky_interface());
        // Of a message's own interface it is asked first whether it is there.
        self.interface_meant(index, to).map_err(|_| Errno::ENETUNREACH)
    }

    /// The link of that number, by which a message is to go there.
    fn interface_meant(&self, index: u32, to: IpAddr) -> Result<Option<LinkId>, Errno> {
        if index == 0 {
            return Ok(None);
        }
        let link = self.stack.link_at(index).ok_or(Errno::ENODEV)?;
        // Of IPv6 an own address is reached by its link alone.
        let home = self.stack.link_of(to).filter(|_| to.is_ipv6());
        if home.is_some_and(|home| home != link) { Err(Errno::ENETUNREACH) } else { Ok(Some(link)) }
    }

    /// The link by which it leaves to a group, where the address or the socket names one.
    fn link_to_group(&self, id: SocketId, to: IpAddr, address: Option<SocketAddr>) -> Option<LinkId> {
        let named = match address {
            Some(SocketAddr::V6(v6)) => self.stack.link_at(v6.scope_id()),
            Some(SocketAddr::V4(_)) | None => None,
        };
        if to.is_multicast() { named.or_else(|| self.chosen_link(id, to)) } else { None }
    }

    /// The largest packet that goes there uncut, as far as is known, in bytes; `None`: no way leads there.
    fn mtu_towards(
        &self,
        now: Instant,
        to: IpAddr,
        link: Option<LinkId>,
        heeds_routers: bool,
    ) -> Option<u32> {
        let first = self.stack.link_mtu_bytes(link.filter(|_| !self.stack.is_local(to)), to);
        let known = self.stack.path_mtu_bytes(now, to).filter(|_| heeds_routers);
        first.into_iter().chain(known).min()
    }
}

/// Bytes that stand before a program's in a packet: an echo request and what is raw begin behind the header of IP, or
/// are all of it.
fn headers_bytes(description: &Description, to: IpAddr) -> usize {
    let of_ip = if to.is_ipv4() { ip4::HEADER_BYTES } else { ip6::HEADER_BYTES };
    match description.make.protocol {
        Protocol::Udp | Protocol::UdpLite => of_ip + udp::HEADER_BYTES,
        Protocol::Raw(_) if description.options.raw().is_some_and(|raw| raw.header_included) => 0,
        Protocol::Raw(_) | Protocol::Icmp | Protocol::Tcp => of_ip,
    }
}

/// The largest packet there is: what a header can tell.
fn packet_bytes_max(to: IpAddr) -> usize {
    let told = usize::from(u16::MAX);
    if to.is_ipv4() { told } else { told + ip6::HEADER_BYTES }
}

/// What Linux asks of a raw socket's message: over IPv6 the port is the protocol, if it is anything (ipv6(7)); of ICMP the
/// first two bytes are looked at.
fn check_raw(description: &Description, address: Option<SocketAddr>, bytes: &[u8]) -> Result<(), Errno> {
    let Protocol::Raw(protocol) = description.make.protocol else { return Ok(()) };
    if let Some(SocketAddr::V6(v6)) = address {
        let is_own = [0, u16::from(protocol)].contains(&v6.port());
        if v6.port() > 255 || !is_own && protocol != 255 {
            return Err(Errno::EINVAL);
        }
    }
    let is_icmp = protocol == if description.make.domain == Domain::Ip4 { 1 } else { 58 };
    let is_whole = description.options.raw().is_some_and(|raw| raw.header_included);
    if is_icmp && !is_whole && bytes.len() < 2 { Err(Errno::EFAULT) } else { Ok(()) }
}

/// What a call answers that connects with data of which `count` bytes went with the SYN.
fn with_syn(count: usize) -> Result<usize, Errno> {
    if count > 0 { Ok(count) } else { Err(Errno::EINPROGRESS) }
}
