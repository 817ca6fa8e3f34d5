//! `getsockopt(2)` and `setsockopt(2)`, and SO_ERROR by its own doors.

use ieum_stack::TcpSettings;
use ieum_wire::Instant;

use crate::description::{Datagram, Phase, PortHold, Stream};
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::make::{Domain, Protocol};
use crate::numbers::{
    IP_MULTICAST_ALL, IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPV6_MULTICAST_ALL,
    IPV6_PKTINFO, IPV6_RECVERR, IPV6_V6ONLY, SO_RCVBUF, SO_REUSEADDR, SO_REUSEPORT, SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW, SO_ZEROCOPY, SOL_SOCKET, TCP_CORK, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT,
    TCP_FASTOPEN_KEY, TCP_FASTOPEN_NO_COOKIE, TCP_NODELAY, TCP_QUICKACK, TCP_WINDOW_CLAMP, UDP_CORK, UDP_GRO,
    UDPLITE_RECV_CSCOV, UDPLITE_SEND_CSCOV,
};
use crate::options::stamping_of;
use crate::{Errno, SocketId};

impl Host {
    /// Takes the pending error, as SO_ERROR does: it is told once.
    pub fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        self.settled_view(id);
        self.descriptions.get_mut(id)?.error.take()
    }

    /// The pending error, left in place.
    pub fn error(&self, id: SocketId) -> Option<Errno> {
        let description = self.descriptions.get(id)?;
        self.view(description).map_or(description.error, |view| view.error)
    }

    /// An option's value, the bytes as getsockopt(2) would write them; cutting them to the program's length is the
    /// caller's affair.
    ///
    /// # Errors
    ///
    /// ENOPROTOOPT for what is unknown, EOPNOTSUPP for a level the socket does not have, and what an option itself
    /// says: ENOTCONN, ENODATA.
    pub fn option(&mut self, id: SocketId, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        self.read_option(id, level, name)
    }

    /// How large the program wants the receive buffer, in bytes as it named them, if it did (SO_RCVBUF).
    pub fn recv_buffer_wish(&self, id: SocketId) -> Option<usize> {
        self.descriptions.get(id)?.options.recv_buffer_wish()
    }

    /// How many bytes a reader of the stream waits for (SO_RCVLOWAT), no more than its buffer is sure to hold.
    pub fn low_water_bytes(&self, id: SocketId) -> usize {
        self.descriptions.get(id).map_or(1, |description| description.options.low_water_bytes())
    }

    /// How much the program lets wait ahead of the network, in bytes as it named them, if it did (SO_SNDBUF,
    /// TCP_NOTSENT_LOWAT).
    pub fn send_ahead_wish(&self, id: SocketId) -> Option<usize> {
        self.descriptions.get(id)?.options.send_ahead_wish()
    }

    /// Whether the program wants urgent bytes at their place among the others (SO_OOBINLINE).
    pub fn takes_urgent_in_line(&self, id: SocketId) -> bool {
        self.descriptions.get(id).is_some_and(|description| description.options.takes_urgent_in_line())
    }

    /// The same of an option that is asked with something given in the program's buffer: the senders of a group (IP_MSFILTER,
    /// MCAST_MSFILTER), of which the beginning of their structure says which group's and how many there is room for. All others
    /// do not look at it.
    ///
    /// # Errors
    ///
    /// As [`Host::option`]; EADDRNOTAVAIL for a group that was not joined.
    pub fn option_given(
        &mut self,
        id: SocketId,
        level: i32,
        name: i32,
        given: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        match self.read_group_option(id, level, name, given) {
            Some(read) => read,
            None => self.read_option(id, level, name),
        }
    }

    /// Sets an option from the bytes given to setsockopt(2).
    ///
    /// # Errors
    ///
    /// EINVAL for a bad length or value, ENOPROTOOPT for what is unknown or cannot be set, EPERM for what is not
    /// given to unprivileged programs, and what an option itself says: EDOM, ENODEV, ENOENT …
    pub fn set_option(
        &mut self,
        now: Instant,
        id: SocketId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        self.now = now;
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let make = description.make;
        let level = make.level(level);
        let before = description.tcp_settings(&self.tcp_defaults);
        if (make.domain, level, name) == (Domain::Ip6, IPPROTO_IPV6, IPV6_V6ONLY) && self.has_port(id) {
            // ipv6(7): only before it is bound, by name or by use.
            return Err(Errno::EINVAL);
        }
        if (make.domain, level, name) == (Domain::Ip6, IPPROTO_IPV6, IPV6_PKTINFO) {
            self.check_sticky_interface(id, value)?;
        }
        if level == IPPROTO_TCP {
            self.check_fast_open(id, name, value)?;
            self.check_window_clamp(id, name, value)?;
        }
        if level == SOL_SOCKET {
            self.check_error_queue(id, name, value)?;
        }
        if let Some(done) = self.set_device_option(id, level, name, value) {
            return done;
        }
        if let Some(done) = self.set_group_option(now, id, level, name, value) {
            return done;
        }
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        description.options.set(make, level, name, value)?;
        if description.options.raw().is_some() {
            self.tell_raw_options(id);
        }
        if matches!((level, name), (IPPROTO_IP, IP_MULTICAST_ALL) | (IPPROTO_IPV6, IPV6_MULTICAST_ALL)) {
            self.tell_groups(id);
            return Ok(());
        }
        if (level, name) == (IPPROTO_UDP, UDP_CORK) {
            self.cork_changed(now, id);
            return Ok(());
        }
        if (level, name) == (IPPROTO_UDP, UDP_GRO) {
            self.tell_joining(id);
            return Ok(());
        }
        if (level, name) == (SOL_SOCKET, SO_RCVBUF) {
            self.tell_recv_buffer(id);
        }
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        if matches!((level, name), (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR)) {
            self.tell_error_wishes(id);
            return Ok(());
        }
        if level == IPPROTO_UDP && matches!(name, UDPLITE_SEND_CSCOV | UDPLITE_RECV_CSCOV) {
            self.tell_coverage(id);
            return Ok(());
        }
        let bound = match &description.phase {
            Phase::Stream(Stream::Bound(bound)) => Some(bound),
            Phase::Stream(Stream::Listening(listening)) => Some(&listening.bound),
            Phase::Stream(Stream::Active(active)) => active.bound.as_ref(),
            Phase::Stream(Stream::Unbound) | Phase::Datagram(_) => None,
        };
        if let Some(bound) = bound
            && level == SOL_SOCKET
            && matches!(name, SO_REUSEADDR | SO_REUSEPORT)
        {
            // Who shares a port may say so after it was bound.
            let options = &description.options;
            self.stack.binding_set_reuse(bound.binding, options.reuse_address(), options.reuse_port());
        }
        let after = description.tcp_settings(&self.tcp_defaults);
        let flushed = match (&description.phase, level, name) {
            // tcp(7): both let go what waits, whether they change anything or not.
            (Phase::Stream(Stream::Active(active)), IPPROTO_TCP, TCP_NODELAY | TCP_CORK)
                if after.no_delay && (name == TCP_NODELAY || !after.cork) =>
            {
                Some(active.connection)
            }
            (_, _, _) => None,
        };
        let quick = match (&description.phase, level, name) {
            // tcp(7): its effect ends by itself, so that who wants it says it again and again.
            (Phase::Stream(Stream::Active(active)), IPPROTO_TCP, TCP_QUICKACK) => {
                after.quick_ack.map(|quick| (active.connection, quick))
            }
            (_, _, _) => None,
        };
        let keys = description.options.fast_open_keys().filter(|_| name == TCP_FASTOPEN_KEY);
        if let (Some(keys), Phase::Stream(Stream::Listening(listening))) = (keys, &description.phase) {
            self.stack.tcp_set_fast_open_keys(listening.listener, keys);
        }
        self.reconfigure(id, &before);
        if let Some(connection) = flushed {
            self.stack.tcp_flush(now, connection);
        }
        if let Some((connection, quick)) = quick {
            self.stack.tcp_set_quick_ack(now, connection, quick);
        }
        Ok(())
    }

    /// A stream's connection or listener is told what its options mean, if that is not what they meant before.
    pub(crate) fn reconfigure(&mut self, id: SocketId, before: &TcpSettings) {
        let Some(description) = self.descriptions.get_mut(id) else { return };
        let after = description.tcp_settings(&self.tcp_defaults);
        if *before == after {
            return;
        }
        match &mut description.phase {
            Phase::Stream(Stream::Active(active)) => {
                self.stack.tcp_configure(self.now, active.connection, after);
            }
            Phase::Stream(Stream::Listening(listening)) => {
                listening.reconfigured = true;
                self.stack.tcp_configure_listener(listening.listener, after);
            }
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(_) => {}
        }
    }

    /// Options of Fast Open belong to streams without a connection, and the client's to hosts that have it switched on.
    /// What is no value of theirs is said first.
    fn check_fast_open(&self, id: SocketId, name: i32, value: &[u8]) -> Result<(), Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let number = value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        let (closed, listens) = match &description.phase {
            Phase::Stream(Stream::Listening(_)) => (false, true),
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) => (true, false),
            Phase::Stream(Stream::Active(_)) => {
                (self.view(description).is_some_and(|view| view.closed), false)
            }
            Phase::Datagram(_) => return Ok(()),
        };
        match name {
            TCP_FASTOPEN_CONNECT if !number.is_some_and(|number| (0..=1).contains(&number)) => Ok(()),
            TCP_FASTOPEN_CONNECT if !self.stack.tcp_rules().fast_open.client => Err(Errno::EOPNOTSUPP),
            TCP_FASTOPEN_CONNECT if !closed => Err(Errno::EINVAL),
            TCP_FASTOPEN | TCP_FASTOPEN_NO_COOKIE if !closed && !listens => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// A window is unbounded again only where there is none (Linux: in the state CLOSE).
    fn check_window_clamp(&self, id: SocketId, name: i32, value: &[u8]) -> Result<(), Errno> {
        let unbounds = name == TCP_WINDOW_CLAMP && value.first_chunk() == Some(&[0; 4]);
        let description = self.descriptions.get(id).filter(|_| unbounds);
        let has_window = description.is_some_and(|description| match &description.phase {
            Phase::Stream(Stream::Listening(_)) => true,
            Phase::Stream(Stream::Active(_)) => self.view(description).is_some_and(|view| !view.closed),
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(_) => false,
        });
        if has_window { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// What is told by the error queue is for those who can read it: whoever serves programs moves their bytes alone, and says
    /// so, as kernels do that do not know the options.
    fn check_error_queue(&mut self, id: SocketId, name: i32, value: &[u8]) -> Result<(), Errno> {
        let protocol = self.make(id).ok_or(Errno::EBADF)?.protocol;
        let asks = value.first_chunk().is_some_and(|bytes| i32::from_ne_bytes(*bytes) != 0);
        match name {
            SO_ZEROCOPY if asks && (self.hold_requests || protocol == Protocol::Icmp) => {
                Err(Errno::EOPNOTSUPP)
            }
            SO_TIMESTAMPING | SO_TIMESTAMPING_NEW if self.hold_requests => Err(Errno::ENOPROTOOPT),
            SO_TIMESTAMPING | SO_TIMESTAMPING_NEW => self.check_stamping(id, stamping_of(value)?),
            _ => Ok(()),
        }
    }

    /// Are datagrams of one size and flow received together (UDP_GRO)?
    pub fn joins_datagrams(&self, id: SocketId) -> bool {
        self.descriptions.get(id).is_some_and(|description| description.options.joins_datagrams())
    }

    /// The socket's endpoint is told so.
    pub(crate) fn tell_joining(&mut self, id: SocketId) {
        let open = self.descriptions.get(id).and_then(|description| description.open());
        if let Some(Endpoint::Udp(endpoint)) = open.map(|open| open.endpoint) {
            self.stack.udp_set_gro(endpoint, self.joins_datagrams(id));
        }
    }

    /// How much may wait to be read, if the program has said so.
    pub(crate) fn tell_recv_buffer(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        let bytes = description.options.recv_buffer_bytes();
        if let (Some(Endpoint::Udp(endpoint)), Some(bytes)) =
            (description.open().map(|open| open.endpoint), bytes)
        {
            self.stack.udp_set_recv_buffer(endpoint, bytes);
        }
    }

    /// Does the socket hold a port? A connection that failed has given its own back.
    fn has_port(&self, id: SocketId) -> bool {
        let Some(description) = self.descriptions.get(id) else { return false };
        match &description.phase {
            Phase::Stream(Stream::Unbound) | Phase::Datagram(Datagram::Unbound) => false,
            Phase::Stream(Stream::Bound(bound)) => bound.hold != PortHold::GivenUp,
            Phase::Stream(Stream::Listening(_)) | Phase::Datagram(Datagram::Open(_)) => true,
            Phase::Stream(Stream::Active(active)) => {
                let is_over = self.view(description).is_some_and(|view| view.closed);
                !is_over || active.bound.is_some_and(|bound| bound.hold == PortHold::Kept)
            }
        }
    }
}
