//! Datagrams to any address and port, and answers from there.

use std::io;
use std::net::SocketAddr;

use ieum_socket::Errno;
use ieum_wire::Unreachable;

use crate::host::Host;
use crate::room::Wish;
use crate::socket::{block, error, invalid, wait_for};

/// Gives out what is sent to any address: see [`Host::datagrams_any`]. Two of one host share what comes.
#[derive(Debug)]
pub struct AnyDatagrams {
    host: Host,
}

/// A datagram to any address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnyDatagram {
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Whose it is.
    pub source: SocketAddr,
    /// Where it is to go.
    pub destination: SocketAddr,
}

impl AnyDatagrams {
    pub(crate) fn on(host: &Host) -> io::Result<AnyDatagrams> {
        match host.look(|_, room| room.check_present().map(|()| room.takes_any)).map_err(error)? {
            true => Ok(AnyDatagrams { host: host.clone() }),
            false => Err(invalid("the host takes only its own addresses: make it with `any_destination()`")),
        }
    }

    /// The next one, when there is one.
    ///
    /// # Errors
    ///
    /// EBADF when the host is [removed](Host::remove).
    pub fn recv(&self) -> io::Result<AnyDatagram> {
        block(&self.host, Wish::Datagram, |_, room| room.host.recv_any().map(Ok).ok_or(None))
            .map(AnyDatagram::of)
    }

    /// The same for a task. Dropped before its end it takes nothing.
    ///
    /// # Errors
    ///
    /// EBADF when the host is [removed](Host::remove).
    pub async fn recv_async(&self) -> io::Result<AnyDatagram> {
        let next =
            wait_for(&self.host, Wish::Datagram, |_, room| room.host.recv_any().ok_or(Errno::EAGAIN)).await?;
        Ok(AnyDatagram::of(next))
    }

    /// Sends a datagram in the name of `from`, whoever that is: the answer to one that came for it.
    ///
    /// # Errors
    ///
    /// As sendto(2): EMSGSIZE, ENETUNREACH, EAGAIN when too much waits; EINVAL for addresses of two families, EBADF
    /// when the host is removed.
    pub fn send(&self, payload: &[u8], from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        let sent = self.host.with(|now, room| {
            room.check_present()?;
            room.host.send_any(now, payload, from, to)
        });
        sent.map_err(error)
    }

    /// Answers a datagram by an ICMP error: a connected socket that sent it hears of it.
    pub fn refuse(&self, datagram: &AnyDatagram, reason: Unreachable) {
        self.host.with(|_, room| room.host.refuse_any(datagram.source, datagram.destination, reason));
    }
}

impl AnyDatagram {
    fn of((payload, source, destination): (Vec<u8>, SocketAddr, SocketAddr)) -> AnyDatagram {
        AnyDatagram { payload, source, destination }
    }
}
