//! A connection.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use ieum::Host;
use ieum::net::Socket;
use ieum::sockets::numbers::{IPPROTO_TCP, POLLIN, TCP_QUICKACK};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::ToSocketAddrs;

use crate::option::{linger_option, number_options};
use crate::ready::{budgeted, each, into_buf, passed_on, readiness, when};
use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, own_halves};

/// As [`tokio::net::TcpStream`].
#[derive(Debug)]
pub struct TcpStream(ieum::net::TcpStream);

impl TcpStream {
    /// Connects from the process's own host. Names are asked of the machine.
    ///
    /// # Errors
    ///
    /// Those of connect(2); of several addresses the last one's.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        TcpStream::connect_from(&Host::of_process()?, address).await
    }

    /// Connects from any host. Dropped before its end, the attempt is given up.
    ///
    /// # Errors
    ///
    /// Those of connect(2); of several addresses the last one's.
    pub async fn connect_from(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each(address, async |address| {
            let stream = ieum::net::TcpStream::begin(host, address)?;
            std::future::poll_fn(|cx| budgeted(cx, |cx| stream.poll_connected(cx))).await?;
            TcpStream::from_std(stream)
        })
        .await
    }

    /// Takes over a connection of any host.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn from_std(stream: ieum::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        // Who drops it must not hold up other tasks (SO_LINGER).
        Socket::from(&stream).set_close_waits(false);
        Ok(TcpStream(stream))
    }

    /// Gives the connection back; it does not block.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn into_std(self) -> io::Result<ieum::net::TcpStream> {
        self.socket().set_close_waits(true);
        Ok(self.0)
    }

    passed_on! {
        /// The address and port of this end.
        local_addr() -> SocketAddr;
        /// The peer's address.
        peer_addr() -> SocketAddr;
        /// Takes the pending error (SO_ERROR).
        take_error() -> Option<io::Error>;
        /// Small segments are sent at once (TCP_NODELAY).
        nodelay() -> bool;
        /// See [`TcpStream::nodelay`].
        set_nodelay(nodelay: bool) -> ();
        /// The time to live of what it sends (IP_TTL).
        ttl() -> u32;
        /// See [`TcpStream::ttl`].
        set_ttl(ttl: u32) -> ();
    }

    /// Reads without taking.
    ///
    /// # Errors
    ///
    /// As reading.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        when(&self.0, POLLIN, || self.0.peek(into)).await
    }

    /// The same; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As reading.
    pub fn poll_peek(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let room = into.initialize_unfilled();
        let count = std::task::ready!(budgeted(cx, |cx| self.0.poll_peek(cx, room)))?;
        into.advance(count);
        Poll::Ready(Ok(count))
    }

    readiness!();

    /// As [`TcpStream::readable`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    /// As [`TcpStream::writable`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// WouldBlock when nothing is.
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(into)
    }

    /// The same into one buffer after the other.
    ///
    /// # Errors
    ///
    /// WouldBlock when nothing is there.
    pub fn try_read_vectored(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&self.0).read_vectored(into)
    }

    /// The same into what a buffer has free.
    ///
    /// # Errors
    ///
    /// WouldBlock when nothing is there.
    pub fn try_read_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        into_buf(into, |room| Ok((self.try_read(room)?, ()))).map(|(count, ())| count)
    }

    number_options! {
        /// Acknowledgements are not delayed (TCP_QUICKACK).
        quickack, set_quickack: bool = IPPROTO_TCP, TCP_QUICKACK;
    }

    linger_option!();

    fn socket(&self) -> Socket {
        Socket::from(&self.0)
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    ///
    /// WouldBlock when there is none.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    /// The same from one buffer after the other.
    ///
    /// # Errors
    ///
    /// WouldBlock when there is no room.
    pub fn try_write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(bytes)
    }

    /// Two halves that borrow it, to read and to write at once.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Two halves for two tasks. The end of the writing one is a FIN.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        own_halves(self)
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    pub(crate) fn read_for(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = into.initialize_unfilled();
        let count = std::task::ready!(budgeted(cx, |cx| self.0.poll_read(cx, room)))?;
        into.advance(count);
        Poll::Ready(Ok(()))
    }

    pub(crate) fn write_for(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        budgeted(cx, |cx| self.0.poll_write(cx, bytes))
    }

    pub(crate) fn write_vectored_for(
        &self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        budgeted(cx, |cx| self.0.poll_write_vectored(cx, bytes))
    }

    /// The FIN: what was written before goes first. A connection that is over has had its end.
    pub(crate) fn shutdown_for(&self) -> Poll<io::Result<()>> {
        match self.shutdown_write() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            ended => Poll::Ready(ended),
        }
    }
}

impl TryFrom<ieum::net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// As [`TcpStream::from_std`].
    fn try_from(stream: ieum::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl AsRef<TcpStream> for TcpStream {
    fn as_ref(&self) -> &TcpStream {
        self
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.read_for(cx, into)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_for(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_vectored_for(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdown_for()
    }
}
