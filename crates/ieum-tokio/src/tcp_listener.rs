//! A listening socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ieum::Host;
use tokio::net::ToSocketAddrs;

use crate::TcpStream;
use crate::ready::{budgeted, each, passed_on};

/// As [`tokio::net::TcpListener`].
#[derive(Debug)]
pub struct TcpListener(ieum::net::TcpListener);

impl TcpListener {
    /// Listens on the process's own host.
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2); of several addresses the last one's.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let host = Host::of_process()?;
        each(address, async |address| TcpListener::from_std(host.listen(address)?)).await
    }

    /// Takes over a listener of any host.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn from_std(listener: ieum::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener(listener))
    }

    /// Gives the listener back; it does not block.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn into_std(self) -> io::Result<ieum::net::TcpListener> {
        Ok(self.0)
    }

    /// The next connection, and who it is. Dropped before its end it has taken none.
    ///
    /// # Errors
    ///
    /// Those of accept(2).
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        tokio::task::coop::consume_budget().await;
        let (stream, peer) = self.0.accept_async().await?;
        Ok((TcpStream::from_std(stream)?, peer))
    }

    /// The same; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = std::task::ready!(budgeted(cx, |cx| self.0.poll_accept(cx)))?;
        Poll::Ready(TcpStream::from_std(stream).map(|stream| (stream, peer)))
    }

    passed_on! {
        /// Where it listens.
        local_addr() -> SocketAddr;
        /// The time to live of what it sends (IP_TTL).
        ttl() -> u32;
        /// See [`TcpListener::ttl`].
        set_ttl(ttl: u32) -> ();
    }
}

impl TryFrom<ieum::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// As [`TcpListener::from_std`].
    fn try_from(listener: ieum::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}
