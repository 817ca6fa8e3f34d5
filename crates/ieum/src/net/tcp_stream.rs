//! A connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ieum_socket::numbers::{IP_TTL, IPPROTO_IP, IPPROTO_TCP, TCP_NODELAY};
use ieum_socket::{Errno, Kind, Wait, Writing};

use ieum_stack::WriteEnd;

use super::waits::waits;
use crate::host::Host;
use crate::room::Way;
use crate::socket::Socket;

/// As [`std::net::TcpStream`].
pub struct TcpStream(pub(super) Arc<Socket>);

impl From<Socket> for TcpStream {
    fn from(socket: Socket) -> TcpStream {
        TcpStream(Arc::new(socket))
    }
}

impl TcpStream {
    /// Connects from the process's own host. Names are asked of the machine.
    ///
    /// # Errors
    ///
    /// Those of connect(2); of several addresses the last one's.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        Host::of_process()?.connect(address)
    }

    /// Connects within a time.
    ///
    /// # Errors
    ///
    /// TimedOut, InvalidInput for no time at all, and those of connect(2).
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        Host::of_process()?.connect_timeout(address, timeout)
    }

    pub(crate) fn on(host: &Host, address: SocketAddr, longest: Option<Duration>) -> io::Result<TcpStream> {
        let stream = TcpStream::from(Socket::new(host, address, Kind::Stream)?);
        let wait = longest.map(|longest| Wait::no_longer_than(host.look(|now, _| now + longest)));
        let connected =
            stream.0.block(Way::Write, wait.unwrap_or_default(), |now, host, id, blocks, wait| {
                host.connect_waiting(now, id, Some(address), blocks, wait)
            });
        match connected {
            // How a connect tells that it has waited long enough.
            Err(error) if longest.is_some() && is_unanswered(&error) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out"))
            }
            connected => connected.map(|()| stream),
        }
    }

    /// Begins to connect from `host`; [`TcpStream::poll_connected`] tells how it ends.
    ///
    /// # Errors
    ///
    /// Those of connect(2) that are known at once.
    pub fn begin(host: &Host, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::from(Socket::new(host, address, Kind::Stream)?);
        stream.0.call(|now, host, id| host.connect(now, id, Some(address)))?;
        Ok(stream)
    }

    /// Is it connected? For a task, after [`TcpStream::begin`].
    ///
    /// # Errors
    ///
    /// Why there is no connection, as connect(2) says it.
    pub fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(cx, Way::Write, |_, host, id| match (host.take_error(id), host.readiness(id).writable) {
            (Some(errno), _) => Err(errno),
            (None, true) => Ok(()),
            (None, false) => Err(Errno::EAGAIN),
        })
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// NotConnected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// The address and port of this end.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Ends one direction or both (shutdown(2)).
    ///
    /// # Errors
    ///
    /// NotConnected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// Another handle of the same connection.
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream(Arc::clone(&self.0)))
    }

    /// How long reading may block; `None`: for ever.
    ///
    /// # Errors
    ///
    /// InvalidInput for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(Way::Read, timeout)
    }

    /// How long writing may block; `None`: for ever.
    ///
    /// # Errors
    ///
    /// InvalidInput for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(Way::Write, timeout)
    }

    /// See [`TcpStream::set_read_timeout`].
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.timeout(Way::Read)
    }

    /// See [`TcpStream::set_write_timeout`].
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.timeout(Way::Write)
    }

    /// Reads without taking (MSG_PEEK).
    ///
    /// # Errors
    ///
    /// As reading.
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.read(into, true)
    }

    /// Small segments are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_option(IPPROTO_TCP, TCP_NODELAY, nodelay.into())
    }

    /// See [`TcpStream::set_nodelay`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.option(IPPROTO_TCP, TCP_NODELAY).map(|value| value != 0)
    }

    /// The time to live of what it sends (IP_TTL).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_option(IPPROTO_IP, IP_TTL, number(ttl)?)
    }

    /// See [`TcpStream::set_ttl`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.option(IPPROTO_IP, IP_TTL).map(i32::unsigned_abs)
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

    waits!();

    /// Reads, for a task.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    pub fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Way::Read, |now, host, id| host.recv(now, id, into, false))
    }

    /// The same without taking.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    pub fn poll_peek(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Way::Read, |now, host, id| host.recv(now, id, into, true))
    }

    /// Writes what there is room for, for a task.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Way::Write, |now, host, id| host.send(now, id, bytes))
    }

    /// Writes what there is room for, one buffer after the other, for a task.
    ///
    /// # Errors
    ///
    /// Those of send(2), before the first byte is taken.
    pub fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Way::Write, |now, host, id| {
            let mut sent = 0;
            let last = bytes.iter().rposition(|buffer| !buffer.is_empty());
            for (place, buffer) in bytes.iter().enumerate().filter(|(_, buffer)| !buffer.is_empty()) {
                // One write ends once.
                let end = if Some(place) == last { WriteEnd::Push } else { WriteEnd::More };
                match host.send_ending(now, id, buffer, None, end) {
                    Ok(count) if count == buffer.len() => sent += count,
                    Ok(count) => return Ok(sent + count),
                    Err(errno) if sent == 0 => return Err(errno),
                    Err(_) => return Ok(sent),
                }
            }
            Ok(sent)
        })
    }

    fn read(&self, into: &mut [u8], peek: bool) -> io::Result<usize> {
        self.0
            .block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
                host.read_waiting(now, id, into, peek, blocks, wait)
            })
            .map(|(count, _)| count)
    }

    /// As readv(2): one buffer after the other, with what is there.
    fn read_into(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut into: Vec<_> = into.iter_mut().filter(|buffer| !buffer.is_empty()).collect();
        let Some((first, others)) = into.split_first_mut() else { return Ok(0) };
        self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            let answer = host.read_waiting(now, id, first, false, blocks, wait);
            let Some(Ok((mut read, _))) = answer else {
                return answer.map(|answer| answer.map(|(read, _)| read));
            };
            let mut room = first.len();
            for buffer in others.iter_mut() {
                if read < room {
                    break;
                }
                room += buffer.len();
                // Asked only while there are bytes: an error or the end is for the next call.
                if !host.recv_chunks(id).is_empty() {
                    read += host.recv(now, id, buffer, false).unwrap_or(0);
                }
            }
            Some(Ok(read))
        })
    }

    /// As writev(2): what lies in several buffers is one write.
    fn send_from(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut filled = bytes.iter().filter(|buffer| !buffer.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => Ok(0),
            (Some(only), None) => self.send(only),
            (Some(_), Some(_)) => {
                self.send(&bytes.iter().flat_map(|buffer| buffer.iter().copied()).collect::<Vec<u8>>())
            }
        }
    }

    /// Writes everything, as a blocking send(2) does; less when an error or the timeout comes after some.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.block(Way::Write, Wait::default(), |now, host, id, blocks, wait| {
            host.send_waiting(now, id, &Writing { bytes, flags: 0, to: None, control: &[], blocks }, wait)
        })
    }
}

fn is_unanswered(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| [Errno::EALREADY, Errno::EINPROGRESS].contains(&Errno(number)))
}

/// As an option's value.
pub(super) fn number(value: u32) -> io::Result<i32> {
    i32::try_from(value).map_err(|_| crate::socket::error(Errno::EINVAL))
}

impl Read for &TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        TcpStream::read(self, into, false)
    }

    fn read_vectored(&mut self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_into(into)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_from(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        TcpStream::read(self, into, false)
    }

    fn read_vectored(&mut self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_into(into)
    }
}

impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_from(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("addr", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish_non_exhaustive()
    }
}
