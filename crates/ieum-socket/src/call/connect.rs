//! `connect(2)`.

use std::net::SocketAddr;

use ieum_wire::Instant;

use crate::call::destination::Purpose;
use crate::description::{Active, Bound, Open, Phase, Stream};
use crate::host::Host;
use crate::make::Domain;
use crate::{Errno, SocketId};

/// How far connecting has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connect {
    /// Established; or a datagram socket's remote address is set.
    Done,
    /// EINPROGRESS: wait for [`crate::Event::Readiness`]. A blocking call then asks `connect` again, which tells how
    /// it ended; a non-blocking program asks SO_ERROR ([`Host::take_error`]).
    InProgress,
}

/// What goes with the SYN.
#[derive(Clone, Copy)]
pub(crate) enum Dial<'a> {
    /// Nothing.
    Plain,
    /// As much of this as may.
    With(&'a [u8]),
    /// What is written first, if data may go with it at all.
    Deferred,
}

impl Host {
    /// Connects a stream, or sets a datagram socket's remote address; 0.0.0.0 and `::` mean this host. `None` is
    /// AF_UNSPEC: it dissolves the association of a datagram socket and resets the connection of a stream.
    ///
    /// While a stream is connecting, the next call says EALREADY; the first one after it has ended says how, and
    /// readies a socket that failed for another attempt.
    ///
    /// # Errors
    ///
    /// ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EACCES (broadcast, or a prohibiting route), EISCONN,
    /// EALREADY, EADDRNOTAVAIL when no port is free, ECONNABORTED when an attempt's failure was told before,
    /// EAFNOSUPPORT, EINVAL.
    pub fn connect(
        &mut self,
        now: Instant,
        id: SocketId,
        address: Option<SocketAddr>,
    ) -> Result<Connect, Errno> {
        self.now = now;
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let Some(address) = address else {
            self.disconnect(now, id);
            return Ok(Connect::Done);
        };
        match description.phase {
            Phase::Stream(Stream::Listening(_) | Stream::Active(_)) => match self.refuses_connect(id) {
                Some(errno) => Err(errno),
                None => self.tell_outcome(now, id),
            },
            Phase::Stream(Stream::Bound(bound)) => {
                let bound = self.held_or_another(id, bound)?;
                self.begin(now, id, Some(bound), address)
            }
            Phase::Stream(Stream::Unbound) => self.begin(now, id, None, address),
            Phase::Datagram(_) => self.associate(id, address),
        }
    }

    /// The first step of an attempt; with TCP_FASTOPEN_CONNECT the SYN may wait for data, and nobody need wait for it.
    fn begin(
        &mut self,
        now: Instant,
        id: SocketId,
        bound: Option<Bound>,
        address: SocketAddr,
    ) -> Result<Connect, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        // Who serves programs moves their bytes when there is a connection, and would wait for it for ever.
        let deferred = description.options.connects_with_data() && !self.hold_requests;
        self.dial(now, id, bound, address, if deferred { Dial::Deferred } else { Dial::Plain })?;
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let waits_for_data = self.view(description).is_some_and(|view| view.deferred);
        Ok(if waits_for_data { Connect::Done } else { Connect::InProgress })
    }

    /// The SYN; how many bytes go with it.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        id: SocketId,
        bound: Option<Bound>,
        address: SocketAddr,
        dial: Dial<'_>,
    ) -> Result<usize, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let remote = self.destination(description, address, Purpose::Dial)?;
        if remote.ip().is_multicast() || self.stack.is_broadcast(remote.ip()) {
            return Err(Errno::ENETUNREACH);
        }
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let settings = description.options.tcp_settings(Domain::of(remote.ip()), &self.tcp_defaults);
        let binding = bound.map(|bound| bound.binding);
        let (connection, count) = match dial {
            Dial::Plain => (self.stack.tcp_connect(now, binding, remote, settings)?, 0),
            Dial::With(data) => self.stack.tcp_connect_with_data(now, binding, remote, settings, data)?,
            Dial::Deferred => (self.stack.tcp_connect_deferred(now, binding, remote, settings)?.0, 0),
        };
        let local = self.stack.tcp_status(connection).map(|status| status.local);
        let local =
            local.or_else(|| bound.map(|bound| bound.address)).unwrap_or_else(|| description.nowhere());
        description.error = None;
        if let Some(bound) = bound.filter(|bound| bound.address.ip().is_unspecified()) {
            // Others may have the port on other addresses (Linux's inet_rcv_saddr).
            self.stack.binding_set_address(bound.binding, local.ip());
        }
        let active = Active {
            connection,
            bound,
            local,
            remote,
            answered: false,
            disconnecting: false,
            failure_seen: false,
        };
        description.phase = Phase::Stream(Stream::Active(active));
        self.connections.insert(connection, id);
        Ok(count)
    }

    /// The later steps: how far the attempt has come.
    pub(crate) fn tell_outcome(&mut self, now: Instant, id: SocketId) -> Result<Connect, Errno> {
        let view = self.settled_view(id).ok_or(Errno::EBADF)?;
        if view.connecting {
            return Err(Errno::EALREADY);
        }
        if view.closed {
            let error = self.take_error(id).unwrap_or(Errno::ECONNABORTED);
            self.disconnect(now, id);
            return Err(error);
        }
        if let Some(active) = self.descriptions.get_mut(id).and_then(|description| description.active_mut()) {
            active.answered = true;
        }
        Ok(Connect::Done)
    }

    fn associate(&mut self, id: SocketId, address: SocketAddr) -> Result<Connect, Errno> {
        let Open { endpoint, .. } = self.opened(id)?;
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let remote = self.destination(description, address, Purpose::Associate)?;
        if self.stack.is_broadcast(remote.ip()) && !description.options.broadcast() {
            return Err(self.refused_broadcast(description, remote.ip()));
        }
        self.endpoint_connect(endpoint, Some(remote))?;
        Ok(Connect::Done)
    }
}
