//! A TCP socket that neither listens nor is connected.

use std::io;
use std::net::SocketAddr;

use ieum::Host;
use ieum::net::Socket;
use ieum::sockets::Errno;
use ieum::sockets::numbers::{
    IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_TCLASS, SO_ERROR, SO_KEEPALIVE, SO_RCVBUF,
    SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SOL_SOCKET, TCP_NODELAY,
};

use crate::option::{linger_option, number, number_options};
use crate::ready::budgeted;
use crate::{TcpListener, TcpStream};

/// socket(2)'s AF_INET, AF_INET6 and SOCK_STREAM | SOCK_NONBLOCK.
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;
const STREAM: i32 = 1 | 0x800;

/// As [`tokio::net::TcpSocket`]: options and an address are chosen before it connects or listens.
#[derive(Debug)]
pub struct TcpSocket(Socket);

impl TcpSocket {
    /// For IPv4, on the process's own host.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new_v4_on(&Host::of_process()?)
    }

    /// For IPv6, on the process's own host.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new_v6_on(&Host::of_process()?)
    }

    /// For IPv4, on any host.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v4_on(host: &Host) -> io::Result<TcpSocket> {
        host.socket(AF_INET, STREAM, 0).map(of_tasks)
    }

    /// For IPv6, on any host.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v6_on(host: &Host) -> io::Result<TcpSocket> {
        host.socket(AF_INET6, STREAM, 0).map(of_tasks)
    }

    /// Takes a socket over, of whatever state.
    pub fn from_std_stream(stream: ieum::net::TcpStream) -> TcpSocket {
        let socket = Socket::from(stream);
        socket.set_nonblocking(true);
        of_tasks(socket)
    }

    number_options! {
        /// Silence is broken by probes (SO_KEEPALIVE).
        keepalive, set_keepalive: bool = SOL_SOCKET, SO_KEEPALIVE;
        /// An address may be bound that connections of before still have (SO_REUSEADDR).
        reuseaddr, set_reuseaddr: bool = SOL_SOCKET, SO_REUSEADDR;
        /// Several may listen on one address and port, and share what comes (SO_REUSEPORT).
        reuseport, set_reuseport: bool = SOL_SOCKET, SO_REUSEPORT;
        /// Small segments are sent at once (TCP_NODELAY).
        nodelay, set_nodelay: bool = IPPROTO_TCP, TCP_NODELAY;
    }

    number_options! {
        /// Bytes of the send buffer (SO_SNDBUF): twice what was set, as on Linux.
        send_buffer_size, set_send_buffer_size: u32 = SOL_SOCKET, SO_SNDBUF;
        /// Bytes of the receive buffer (SO_RCVBUF): twice what was set, as on Linux.
        recv_buffer_size, set_recv_buffer_size: u32 = SOL_SOCKET, SO_RCVBUF;
        /// The type of service (IP_TOS).
        tos_v4, set_tos_v4: u32 = IPPROTO_IP, IP_TOS;
        /// The traffic class (IPV6_TCLASS).
        tclass_v6, set_tclass_v6: u32 = IPPROTO_IPV6, IPV6_TCLASS;
    }

    linger_option!();

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Takes the pending error (SO_ERROR).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let errno = number(&self.0, SOL_SOCKET, SO_ERROR)?;
        Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
    }

    /// Binds it.
    ///
    /// # Errors
    ///
    /// Those of bind(2).
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.0.bind(address)
    }

    /// Connects it. Dropped before its end, the attempt is given up.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        match self.0.connect(Some(address)) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS.0) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let stream = ieum::net::TcpStream::from(self.0);
        std::future::poll_fn(|cx| budgeted(cx, |cx| stream.poll_connected(cx))).await?;
        TcpStream::from_std(stream)
    }

    /// Lets it listen.
    ///
    /// # Errors
    ///
    /// Those of listen(2).
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.0.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        TcpListener::from_std(self.0.into())
    }

    fn socket(&self) -> Socket {
        self.0.clone()
    }
}

/// Who drops it must not hold up other tasks (SO_LINGER).
fn of_tasks(socket: Socket) -> TcpSocket {
    socket.set_close_waits(false);
    TcpSocket(socket)
}
