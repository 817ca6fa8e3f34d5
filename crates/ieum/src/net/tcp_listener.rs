//! A listening socket.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};

use ieum_socket::numbers::{IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOL_SOCKET};
use ieum_socket::{Kind, Wait};

use crate::bounds::BACKLOG;
use crate::host::Host;
use crate::net::TcpStream;
use crate::room::Way;
use crate::socket::Socket;

/// As [`std::net::TcpListener`].
pub struct TcpListener(pub(super) Arc<Socket>);

impl TcpListener {
    /// Listens on the process's own host: socket(2), SO_REUSEADDR, bind(2) and listen(2). Of several addresses it is the first
    /// one that can be had.
    ///
    /// Port 0 is one that is free, of the host's [ephemeral ones](crate::HostBuilder::ephemeral_ports);
    /// [`TcpListener::local_addr`] tells it. No port needs a privilege, and one that connections of before still have
    /// (TIME-WAIT) may be had again.
    ///
    /// The backlog is std's, 128, with which 129 connections wait to be accepted, as on Linux. A client that comes then is not
    /// answered, and tries again until there is room or it gives up. For another backlog there is [`Socket::listen`](super::Socket::listen).
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2), of several addresses the last one's: AddrInUse where somebody listens or every ephemeral
    /// port is taken, AddrNotAvailable for an address that is none of the host's. InvalidInput when there is no address, ENFILE
    /// when the host has all the sockets [that it may have](crate::HostBuilder::sockets_max), and what
    /// [`Host::of_process`] says when it is the first to ask for the host.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use ieum::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let at = listener.local_addr()?;
    /// assert!((32768..=60999).contains(&at.port()));
    /// assert_eq!(TcpListener::bind(at).unwrap_err().kind(), ErrorKind::AddrInUse);
    /// assert_eq!(TcpListener::bind("192.0.2.1:80").unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        Host::of_process()?.listen(address)
    }

    pub(crate) fn on(host: &Host, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(host, address, Kind::Stream)?;
        socket.set_option(SOL_SOCKET, SO_REUSEADDR, 1)?;
        socket.bind(address)?;
        socket.call(|_, host, id| host.listen(id, BACKLOG))?;
        Ok(TcpListener(Arc::new(socket)))
    }

    /// The next connection, and who it is.
    ///
    /// # Errors
    ///
    /// WouldBlock when it is not to block; else those of accept(2).
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |now, host: &mut ieum_socket::Host, id, blocks, wait: &mut Wait| {
            host.accept_waiting(now, id, blocks, wait)
        };
        let (id, peer) = self.0.block(Way::Read, Wait::default(), accept)?;
        Ok((TcpStream::from(self.0.accepted(id)), peer))
    }

    /// The same for a task.
    ///
    /// # Errors
    ///
    /// Those of accept(2).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.0.poll(cx, Way::Read, |_, host, id| host.accept(id));
        accepted.map_ok(|(id, peer)| (TcpStream::from(self.0.accepted(id)), peer))
    }

    /// The same for any number of tasks at once; dropped before its end it takes nothing.
    ///
    /// # Errors
    ///
    /// Those of accept(2).
    pub async fn accept_async(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (id, peer) = self.0.answered(Way::Read, |_, host, id| host.accept(id)).await?;
        Ok((TcpStream::from(self.0.accepted(id)), peer))
    }

    /// Connections for ever, one after the other.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener(Arc::clone(&self.0)))
    }

    /// The time to live of what it sends (IP_TTL).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_option(IPPROTO_IP, IP_TTL, super::tcp_stream::number(ttl)?)
    }

    /// See [`TcpListener::set_ttl`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.option(IPPROTO_IP, IP_TTL).map(i32::unsigned_abs)
    }

    /// IPv6 alone, and no IPv4 (IPV6_V6ONLY). Of a socket that is bound it cannot be changed any more, as std's deprecation says.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): EINVAL once it is bound.
    pub fn set_only_v6(&self, only: bool) -> io::Result<()> {
        self.0.set_option(IPPROTO_IPV6, IPV6_V6ONLY, only.into())
    }

    /// See [`TcpListener::set_only_v6`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn only_v6(&self) -> io::Result<bool> {
        self.0.option(IPPROTO_IPV6, IPV6_V6ONLY).map(|value| value != 0)
    }

    /// Takes the pending error (SO_ERROR).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Calls say WouldBlock instead of blocking.
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking);
        Ok(())
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("addr", &self.local_addr().ok()).finish_non_exhaustive()
    }
}

/// What [`TcpListener::incoming`] gives.
#[derive(Debug)]
pub struct Incoming<'a>(&'a TcpListener);

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.0.accept().map(|(stream, _)| stream))
    }
}

// It has no end.
impl FusedIterator for Incoming<'_> {}
