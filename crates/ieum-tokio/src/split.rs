//! The two directions of a connection, for two owners.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use crate::TcpStream;

/// Reads, for [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(pub(crate) &'a TcpStream);

/// Writes, for [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(pub(crate) &'a TcpStream);

/// Reads, for [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// Writes, for [`TcpStream::into_split`]. Dropped, it ends its direction.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shuts_down: bool,
}

/// The halves are of two connections: both are given back.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl std::error::Error for ReuniteError {}

pub(crate) fn own_halves(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf { stream, shuts_down: true })
}

impl OwnedReadHalf {
    /// One connection again.
    ///
    /// # Errors
    ///
    /// When the halves are of two.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        Ok(Arc::into_inner(self.0).expect("a connection has two halves, and this was the other one"))
    }
}

impl OwnedWriteHalf {
    /// One connection again.
    ///
    /// # Errors
    ///
    /// When the halves are of two.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }

    /// Goes without ending its direction.
    pub fn forget(mut self) {
        self.shuts_down = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shuts_down {
            // Of a connection that is over there is nothing to end.
            let _ = self.stream.shutdown_write();
        }
    }
}

macro_rules! reads {
    ($half:ty, $stream:ident => $place:expr) => {
        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let $stream = &*self;
                $place.read_for(cx, into)
            }
        }

        impl $half {
            /// Reads without taking.
            ///
            /// # Errors
            ///
            /// As reading.
            pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
                let $stream = self;
                $place.peek(into).await
            }

            /// The same; the last task that asked is woken.
            ///
            /// # Errors
            ///
            /// As reading.
            pub fn poll_peek(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
                let $stream = self;
                $place.poll_peek(cx, into)
            }

            /// Reads what is there into one buffer after the other.
            ///
            /// # Errors
            ///
            /// WouldBlock when nothing is.
            pub fn try_read_vectored(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let $stream = self;
                $place.try_read_vectored(into)
            }

            /// Reads what is there into what a buffer has free.
            ///
            /// # Errors
            ///
            /// WouldBlock when nothing is.
            pub fn try_read_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
                let $stream = self;
                $place.try_read_buf(into)
            }

            /// Waits until there is something to read.
            ///
            /// # Errors
            ///
            /// None that is known.
            pub async fn readable(&self) -> io::Result<()> {
                let $stream = self;
                $place.readable().await
            }

            /// Reads what is there.
            ///
            /// # Errors
            ///
            /// WouldBlock when nothing is.
            pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
                let $stream = self;
                $place.try_read(into)
            }
        }
    };
}

macro_rules! writes {
    ($half:ty, $stream:ident => $place:expr) => {
        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $stream = &*self;
                $place.write_for(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $stream = &*self;
                $place.write_vectored_for(cx, bytes)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $stream = &*self;
                $place.shutdown_for()
            }
        }

        impl $half {
            /// Writes from one buffer after the other what there is room for.
            ///
            /// # Errors
            ///
            /// WouldBlock when there is none.
            pub fn try_write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                let $stream = self;
                $place.try_write_vectored(bytes)
            }

            /// Waits until there is room to write.
            ///
            /// # Errors
            ///
            /// None that is known.
            pub async fn writable(&self) -> io::Result<()> {
                let $stream = self;
                $place.writable().await
            }

            /// Writes what there is room for.
            ///
            /// # Errors
            ///
            /// WouldBlock when there is none.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                let $stream = self;
                $place.try_write(bytes)
            }
        }
    };
}

/// What every half can be asked.
macro_rules! names {
    ($half:ty, $stream:ident => $place:expr) => {
        impl $half {
            /// Waits for any of `interest`, and tells what of it there is.
            ///
            /// # Errors
            ///
            /// None that is known.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                let $stream = self;
                $place.ready(interest).await
            }

            /// The peer's address.
            ///
            /// # Errors
            ///
            /// NotConnected.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                let $stream = self;
                $place.peer_addr()
            }

            /// The address and port of this end.
            ///
            /// # Errors
            ///
            /// None that is known.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                let $stream = self;
                $place.local_addr()
            }
        }

        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                let $stream = self;
                &$place
            }
        }
    };
}

reads!(ReadHalf<'_>, half => half.0);
reads!(OwnedReadHalf, half => half.0);
writes!(WriteHalf<'_>, half => half.0);
writes!(OwnedWriteHalf, half => half.stream);
names!(ReadHalf<'_>, half => half.0);
names!(OwnedReadHalf, half => half.0);
names!(WriteHalf<'_>, half => half.0);
names!(OwnedWriteHalf, half => half.stream);
