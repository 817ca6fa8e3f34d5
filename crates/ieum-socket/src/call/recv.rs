//! `recv(2)` and `recvfrom(2)`, and the door for bytes that are not copied.

use std::io::IoSlice;
use std::net::SocketAddr;

use ieum_stack::UrgentByte;
use ieum_wire::Instant;

use crate::description::{Datagram, Phase, Stream};
use crate::host::Host;
use crate::{Errno, SocketId};

/// What is known of a datagram that came, beside its bytes and its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// To which of the host's addresses it came, as the stack names them.
    pub destination: SocketAddr,
    /// How many hops it still had.
    pub ttl: u8,
    /// Type of service, traffic class.
    pub tos: u8,
    /// The number of the interface it came by.
    pub interface: u32,
    /// These are several datagrams of so many bytes each; the last one may be shorter (UDP_GRO).
    pub segment_bytes: Option<u16>,
}

impl Host {
    /// Reads bytes of a stream, or a datagram cut to the length of `into`. `peek` leaves them where they are.
    /// `Ok(0)` from a stream is the end of file.
    ///
    /// What came before a reset can still be read; then the error is told once, then it is the end of file.
    ///
    /// # Errors
    ///
    /// EAGAIN when there is nothing yet, ENOTCONN without a connection, or the pending error (ECONNRESET,
    /// ECONNREFUSED, ETIMEDOUT …).
    pub fn recv(&mut self, now: Instant, id: SocketId, into: &mut [u8], peek: bool) -> Result<usize, Errno> {
        self.now = now;
        match self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            Phase::Stream(_) => self.recv_stream(now, id, into, peek),
            Phase::Datagram(_) => {
                let (payload, _) = self.recv_from(now, id, peek)?;
                let count = payload.len().min(into.len());
                into[..count].copy_from_slice(&payload[..count]);
                Ok(count)
            }
        }
    }

    /// Takes a whole datagram and its source; cutting it is the caller's affair.
    ///
    /// # Errors
    ///
    /// EAGAIN, or the pending error (ECONNREFUSED). EOPNOTSUPP on a stream, whose bytes have no borders.
    pub fn recv_from(
        &mut self,
        now: Instant,
        id: SocketId,
        peek: bool,
    ) -> Result<(Vec<u8>, SocketAddr), Errno> {
        self.now = now;
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let endpoint = match description.phase {
            Phase::Stream(_) => return Err(Errno::EOPNOTSUPP),
            Phase::Datagram(Datagram::Unbound) => None,
            Phase::Datagram(Datagram::Open(open)) => Some(open.endpoint),
        };
        if let Some(error) = description.error.take() {
            return Err(error);
        }
        let datagram = match endpoint {
            None => None,
            Some(endpoint) if peek => self.endpoint_peek(endpoint).cloned(),
            Some(endpoint) => self.endpoint_recv(endpoint),
        };
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        match datagram {
            Some(datagram) => Ok((datagram.payload, description.shown(datagram.source))),
            None => Err(Errno::EAGAIN),
        }
    }

    /// What a reader who waits for a datagram gets instead after SHUT_RD: nothing, from nowhere. One who does not wait is
    /// told EAGAIN all the same, as on Linux.
    pub fn end_of_datagrams(&self, id: SocketId) -> Option<SocketAddr> {
        let description = self.descriptions.get(id)?;
        let is_datagram = matches!(description.phase, Phase::Datagram(_));
        (is_datagram && description.shut.read).then(|| description.nowhere())
    }

    /// The urgent byte of a stream, read by itself (MSG_OOB); with `peek` it stays. `None`: none will come.
    ///
    /// # Errors
    ///
    /// EINVAL when there is none, it was read already, or it is read inline (SO_OOBINLINE); EAGAIN when it was announced and
    /// has not come; ENOTCONN on a listening socket, EOPNOTSUPP on a datagram socket.
    pub fn recv_urgent(&mut self, id: SocketId, peek: bool) -> Result<Option<u8>, Errno> {
        let view = self.settled_view(id);
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        if let Phase::Datagram(_) = description.phase {
            return Err(Errno::EOPNOTSUPP);
        }
        if let Phase::Stream(Stream::Listening(_)) = description.phase {
            return Err(Errno::ENOTCONN);
        }
        let (Some(view), Some(active)) = (view, description.active()) else { return Err(Errno::EINVAL) };
        match self.stack.tcp_recv_urgent(active.connection, peek) {
            UrgentByte::Here(byte) => Ok(Some(byte)),
            UrgentByte::Nothing => Err(Errno::EINVAL),
            UrgentByte::Awaited if view.closed || view.shut.read => Ok(None),
            UrgentByte::Awaited => Err(Errno::EAGAIN),
        }
    }

    /// Does the next read begin at the urgent byte (SIOCATMARK)?
    pub fn is_at_mark(&self, id: SocketId) -> bool {
        let active = self.descriptions.get(id).and_then(|description| description.active());
        active.is_some_and(|active| self.stack.tcp_is_at_mark(active.connection))
    }

    /// How many of [`Host::recv_chunks`]' bytes come before the urgent one, if it is among them.
    pub fn urgent_ahead(&self, id: SocketId) -> Option<usize> {
        let active = self.descriptions.get(id).and_then(|description| description.active())?;
        self.stack.tcp_urgent_ahead(active.connection)
    }

    /// What is told of the datagram that [`Host::recv_from`] would give next.
    pub fn next_arrival(&self, id: SocketId) -> Option<Arrival> {
        let open = self.descriptions.get(id)?.open()?;
        let datagram = self.endpoint_peek(open.endpoint)?;
        Some(Arrival {
            destination: datagram.destination,
            ttl: datagram.ttl,
            tos: datagram.tos,
            // What a host says to an address of its own has come by the link that the address belongs to, as Linux has it.
            interface: self.stack.index_of(datagram.heard_over).unwrap_or(0),
            segment_bytes: datagram.segment_bytes,
        })
    }

    /// When that datagram came, by the host's clock.
    pub fn next_came_at(&self, id: SocketId) -> Option<Instant> {
        let open = self.descriptions.get(id)?.open()?;
        Some(self.endpoint_peek(open.endpoint)?.came_at)
    }

    /// What a message received now says is left to be read, where the program asked for it (TCP_INQ): at the end of the
    /// stream 1, so that it reads once more.
    pub fn unread(&self, id: SocketId) -> Option<usize> {
        let description =
            self.descriptions.get(id).filter(|description| description.options.tells_unread())?;
        let status = self.stack.tcp_status(description.active()?.connection)?;
        Some(status.readable_bytes.max(usize::from(status.peer_finished)))
    }

    /// A stream's readable bytes in order; then [`Host::consume`]. None when there are none: [`Host::recv`] says why.
    pub fn recv_chunks(&self, id: SocketId) -> Vec<IoSlice<'_>> {
        match self.descriptions.get(id).and_then(|description| description.active()) {
            Some(active) => self.stack.tcp_recv_chunks(active.connection),
            None => Vec::new(),
        }
    }

    /// Takes the first `count` bytes of what [`Host::recv_chunks`] showed.
    pub fn consume(&mut self, now: Instant, id: SocketId, count: usize) {
        self.now = now;
        if let Some(active) = self.descriptions.get(id).and_then(|description| description.active()) {
            self.stack.tcp_consume(now, active.connection, count);
        }
    }

    /// The same, for who hands them on into a queue in which `queued` bytes waited for the program
    /// ([`tcp_hand_on`](ieum_stack::Stack::tcp_hand_on)).
    pub fn hand_on(&mut self, now: Instant, id: SocketId, count: usize, queued: usize) {
        self.now = now;
        if let Some(active) = self.descriptions.get(id).and_then(|description| description.active()) {
            self.stack.tcp_hand_on(now, active.connection, count, queued);
        }
    }

    fn recv_stream(
        &mut self,
        now: Instant,
        id: SocketId,
        into: &mut [u8],
        peek: bool,
    ) -> Result<usize, Errno> {
        let view = self.settled_view(id);
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        if let Phase::Stream(Stream::Listening(_)) = description.phase {
            return Err(Errno::ENOTCONN);
        }
        if let (Some(view), Some(active)) = (view, description.active()) {
            if view.readable_bytes > 0 {
                return Ok(self.stack.tcp_recv(now, active.connection, into, peek));
            }
            if !peek && !into.is_empty() && self.stack.tcp_is_at_mark(active.connection) {
                // The urgent byte is passed over, though nothing follows it.
                self.stack.tcp_recv(now, active.connection, into, false);
            }
            if view.peer_finished {
                return Ok(0);
            }
        }
        if let Some(error) = description.error.take() {
            return Err(error);
        }
        match view {
            Some(view) if view.shut.read => Ok(0),
            Some(_) => Err(Errno::EAGAIN),
            None if description.shut.read => Ok(0),
            None => Err(Errno::ENOTCONN),
        }
    }
}
