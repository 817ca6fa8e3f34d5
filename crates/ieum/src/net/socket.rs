//! A socket by all of Linux's calls: any option, flag and order of them.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use ieum_socket::{Domain, Errno, How, INTERFACE_REQUEST_BYTES, Readiness, Reading, Received, Wait, Writing};

use super::{RawSocket, TcpListener, TcpStream, UdpSocket};
use crate::host::Host;
use crate::room::Way;

/// SOCK_NONBLOCK and SOCK_CLOEXEC (socket(2)); the second means nothing where no descriptor survives exec.
const SOCK_NONBLOCK: i32 = 0x800;
const SOCK_CLOEXEC: i32 = 0x8_0000;

/// A socket as socket(2) makes it, before anybody has said what it is to be.
///
/// The types of [`crate::net`] have the calls of their namesakes in std, where a socket is bound, connected or
/// listening from the beginning. This one has the calls of Linux, each with its numbers ([`crate::sockets::numbers`])
/// and its errors: options of any level, flags, connecting from a chosen port. It becomes one of the others by
/// `into()`, and they it. A clone is another handle of the same socket.
#[derive(Clone)]
pub struct Socket(pub(crate) Arc<crate::socket::Socket>);

impl Socket {
    /// socket(2) on a host; SOCK_NONBLOCK may be among the bits of `kind`.
    ///
    /// # Errors
    ///
    /// Those of socket(2): EAFNOSUPPORT, EINVAL, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM, and ENFILE when the host is full.
    pub fn new(host: &Host, domain: i32, kind: i32, protocol: i32) -> io::Result<Socket> {
        let socket =
            crate::socket::Socket::made(host, domain, kind & !(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol)?;
        socket.set_nonblocking(kind & SOCK_NONBLOCK != 0);
        Ok(Socket(Arc::new(socket)))
    }

    /// bind(2).
    ///
    /// # Errors
    ///
    /// Those of bind(2).
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.0.bind(address)
    }

    /// listen(2).
    ///
    /// # Errors
    ///
    /// Those of listen(2).
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        self.0.call(|_, host, id| host.listen(id, backlog))
    }

    /// accept(2).
    ///
    /// # Errors
    ///
    /// Those of accept(2); EAGAIN when it is not to block, or has waited for SO_RCVTIMEO.
    pub fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let accepted = self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            host.accept_waiting(now, id, blocks, wait)
        });
        accepted.map(|(id, peer)| (Socket(Arc::new(self.0.accepted(id))), peer))
    }

    /// connect(2); `None` is AF_UNSPEC, which dissolves the association.
    ///
    /// # Errors
    ///
    /// Those of connect(2): EINPROGRESS when it is not to block.
    pub fn connect(&self, address: Option<SocketAddr>) -> io::Result<()> {
        self.0.block(Way::Write, Wait::default(), |now, host, id, blocks, wait| {
            host.connect_waiting(now, id, address, blocks, wait)
        })
    }

    /// sendto(2); without an address send(2).
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub fn send(&self, bytes: &[u8], flags: i32, to: Option<SocketAddr>) -> io::Result<usize> {
        self.send_with(bytes, flags, to, &[])
    }

    /// sendmsg(2): with control messages that go along, as C has them. Of a datagram they say source, interface, hops,
    /// type of service and into what it is cut ([`crate::sockets::Ancillary`]).
    ///
    /// # Errors
    ///
    /// Those of send(2); EINVAL for a message that is none, or says what it cannot.
    pub fn send_with(
        &self,
        bytes: &[u8],
        flags: i32,
        to: Option<SocketAddr>,
        control: &[u8],
    ) -> io::Result<usize> {
        self.0.block(Way::Write, Wait::default(), |now, host, id, blocks, wait| {
            host.send_waiting(now, id, &Writing { bytes, flags, to, control, blocks }, wait)
        })
    }

    /// What the bytes of a `struct sockaddr` mean to bind(2) on this socket.
    ///
    /// # Errors
    ///
    /// EINVAL, EAFNOSUPPORT.
    pub fn address_to_bind(&self, bytes: &[u8]) -> io::Result<SocketAddr> {
        self.0.look(|host, id| host.address_to_bind(id, bytes))
    }

    /// The same of connect(2); `None` for AF_UNSPEC.
    ///
    /// # Errors
    ///
    /// EINVAL, EAFNOSUPPORT; a datagram socket has a port from then on.
    pub fn address_to_connect(&self, bytes: &[u8]) -> io::Result<Option<SocketAddr>> {
        self.0.call(|_, host, id| host.address_to_connect(id, bytes))
    }

    /// The same of a destination of sendto(2), which only datagram sockets look at, and streams with MSG_FASTOPEN.
    ///
    /// # Errors
    ///
    /// EINVAL, EAFNOSUPPORT; the socket has a port from then on.
    pub fn destination_named(&self, bytes: &[u8], flags: i32) -> io::Result<Option<SocketAddr>> {
        self.0.call(|_, host, id| host.destination_named(id, bytes, flags))
    }

    /// recvmsg(2) for at most so many bytes: what the call returns, and all it tells besides. A datagram's whole length
    /// is returned, and a stream's bytes are dropped, with MSG_TRUNC.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    pub fn recv(&self, bytes: usize, flags: i32) -> io::Result<(usize, Received)> {
        self.recv_or_drop(bytes, flags, true)
    }

    /// The same for callers who may have no buffer: `into` says whether they have one.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`]; EFAULT when there are bytes and nowhere to put them.
    pub fn recv_or_drop(&self, bytes: usize, flags: i32, into: bool) -> io::Result<(usize, Received)> {
        let mut received = Received::default();
        let answer = self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            host.recv_waiting(now, id, &Reading { bytes, flags, into, blocks }, wait, &mut received)
        })?;
        Ok((answer, received))
    }

    /// read(2), or, with `peek`, recv(2) with MSG_PEEK: into one buffer, and where a datagram came from.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    pub fn read(&self, into: &mut [u8], peek: bool) -> io::Result<(usize, Option<SocketAddr>)> {
        self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            host.read_waiting(now, id, into, peek, blocks, wait)
        })
    }

    /// shutdown(2).
    ///
    /// # Errors
    ///
    /// ENOTCONN.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// getsockname(2).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// getpeername(2).
    ///
    /// # Errors
    ///
    /// ENOTCONN.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// getsockopt(2): the value's bytes, as C has them.
    ///
    /// # Errors
    ///
    /// ENOPROTOOPT, EOPNOTSUPP, and others that single options have.
    pub fn option(&self, level: i32, name: i32) -> io::Result<Vec<u8>> {
        self.0.look(|host, id| host.option(id, level, name))
    }

    /// The same of an option that is asked with something given: of which group, say.
    ///
    /// # Errors
    ///
    /// As [`Socket::option`].
    pub fn option_given(&self, level: i32, name: i32, given: &[u8]) -> io::Result<Vec<u8>> {
        self.0.look(|host, id| host.option_given(id, level, name, given))
    }

    /// setsockopt(2).
    ///
    /// # Errors
    ///
    /// ENOPROTOOPT, EINVAL, and others that single options have.
    pub fn set_option(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        self.0.call(|now, host, id| host.set_option(now, id, level, name, value))
    }

    /// ioctl(2) of those requests that answer with a number: FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK.
    ///
    /// # Errors
    ///
    /// EINVAL of a listener, ENOTTY for other requests.
    pub fn ioctl(&self, request: u64) -> io::Result<i32> {
        self.0.look(|host, id| host.ioctl(id, request))
    }

    /// ioctl(2) about an interface of the socket's host (netdevice(7): SIOCGIFADDR, SIOCGIFINDEX, SIOCGIFNAME and so
    /// on), save SIOCGIFCONF: `asked` is a `struct ifreq`, into which the answer goes.
    ///
    /// # Errors
    ///
    /// ENODEV, EADDRNOTAVAIL, EPERM, and ENOTTY for what is no such request.
    pub fn ask_interface(&self, request: u32, asked: &mut [u8; INTERFACE_REQUEST_BYTES]) -> io::Result<()> {
        self.0.look(|host, id| {
            let make = host.make(id).ok_or(Errno::EBADF)?;
            host.ask_interface(request, make.domain == Domain::Ip4, asked)
        })
    }

    /// SIOCGIFCONF: the addresses of IPv4 that the socket's host has, each a `struct ifreq`; all of them, or as many as
    /// there is room for, in bytes.
    ///
    /// # Errors
    ///
    /// EBADF when the host was taken out of its network.
    pub fn interface_list(&self, room_bytes: Option<i32>) -> io::Result<Vec<u8>> {
        self.0.look(|host, _| Ok(host.interface_list(room_bytes)))
    }

    /// What poll(2) would show now.
    pub fn readiness(&self) -> Readiness {
        self.0.readiness()
    }

    /// Makes a call when there is any of these events of poll(2), or POLLERR or POLLHUP, and, should it say WouldBlock,
    /// again each time that something has changed. For a task, of which any number may wait; dropped before its end it
    /// makes no call any more.
    ///
    /// # Errors
    ///
    /// The call's own; EBADF when the host is removed.
    pub async fn when_ready<T>(&self, events: u32, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.0.when(Way::Events(events), call).await
    }

    /// O_NONBLOCK: calls say EAGAIN instead of waiting. For all handles of the socket.
    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.0.set_nonblocking(nonblocking);
    }

    /// Whether dropping the last handle blocks until the peer has all that was sent, where SO_LINGER has a time, and
    /// that long at most (socket(7)). It does, as close(2) does, unless this says otherwise: a task, for one, is not to
    /// be held up. Then what was sent is delivered as without SO_LINGER.
    pub fn set_close_waits(&self, waits: bool) {
        self.0.set_close_waits(waits);
    }

    /// See [`Socket::set_nonblocking`].
    pub fn is_nonblocking(&self) -> bool {
        self.0.is_nonblocking()
    }

    /// The host whose socket it is.
    pub fn host(&self) -> &Host {
        &self.0.host
    }
}

impl Host {
    /// A socket of this host, by socket(2)'s numbers: see [`Socket`].
    ///
    /// # Errors
    ///
    /// As [`Socket::new`].
    pub fn socket(&self, domain: i32, kind: i32, protocol: i32) -> io::Result<Socket> {
        Socket::new(self, domain, kind, protocol)
    }
}

/// Declares that a socket may be taken for one of another type, and the other way round; that it is one is for its user
/// to know, as with descriptors.
macro_rules! becomes {
    ($($other:ident)*) => {
        $(impl From<Socket> for $other {
            fn from(socket: Socket) -> $other {
                $other(socket.0)
            }
        }

        impl From<&$other> for Socket {
            /// Another handle of the same socket.
            fn from(other: &$other) -> Socket {
                Socket(Arc::clone(&other.0))
            }
        }

        impl From<$other> for Socket {
            fn from(other: $other) -> Socket {
                Socket(other.0)
            }
        })*
    };
}

becomes!(TcpListener TcpStream UdpSocket RawSocket);

impl crate::socket::Socket {
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => How::Read,
            Shutdown::Write => How::Write,
            Shutdown::Both => How::Both,
        };
        self.call(|now, host, id| host.shutdown(now, id, how))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("addr", &self.local_addr().ok()).finish_non_exhaustive()
    }
}
