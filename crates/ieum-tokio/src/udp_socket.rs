//! A datagram socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use bytes::BufMut;
use ieum::Host;
use ieum::net::Socket;
use ieum::sockets::numbers::{IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, POLLIN, POLLOUT};
use tokio::io::ReadBuf;
use tokio::net::{ToSocketAddrs, lookup_host};

use crate::option::number_options;
use crate::ready::{budgeted, each, into_buf, passed_on, readiness, when};

/// As [`tokio::net::UdpSocket`].
#[derive(Debug)]
pub struct UdpSocket(ieum::net::UdpSocket);

impl UdpSocket {
    /// Binds on the process's own host.
    ///
    /// # Errors
    ///
    /// Those of bind(2); of several addresses the last one's.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let host = Host::of_process()?;
        each(address, async |address| UdpSocket::from_std(host.udp(address)?)).await
    }

    /// Takes over a socket of any host.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn from_std(socket: ieum::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(UdpSocket(socket))
    }

    /// Gives the socket back; it does not block.
    ///
    /// # Errors
    ///
    /// None: it is fallible for tokio's sake.
    pub fn into_std(self) -> io::Result<ieum::net::UdpSocket> {
        Ok(self.0)
    }

    /// Sends to and hears only that peer from now on.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(address, async |address| self.0.connect(address)).await
    }

    readiness!();

    /// As [`UdpSocket::readable`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::readable`].
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    /// As [`UdpSocket::writable`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::writable`].
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        when(&self.0, POLLOUT, || self.0.send(bytes)).await
    }

    /// Sends a datagram to the first of what `address` means.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub async fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let no_address = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let to = lookup_host(address).await?.next().ok_or_else(no_address)?;
        when(&self.0, POLLOUT, || self.0.send_to(bytes, to)).await
    }

    /// The next datagram of the connected peer. What does not fit is cut off.
    ///
    /// # Errors
    ///
    /// What an ICMP error has told of an earlier datagram.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        when(&self.0, POLLIN, || self.0.recv(into)).await
    }

    /// The next datagram, and who sent it. What does not fit is cut off.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        when(&self.0, POLLIN, || self.0.recv_from(into)).await
    }

    /// As [`UdpSocket::recv`] without taking it.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        when(&self.0, POLLIN, || self.0.peek(into)).await
    }

    /// As [`UdpSocket::recv_from`] without taking it.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn peek_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        when(&self.0, POLLIN, || self.0.peek_from(into)).await
    }

    /// As [`UdpSocket::recv_from`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let room = into.initialize_unfilled();
        let (count, source) = std::task::ready!(budgeted(cx, |cx| self.0.poll_recv_from(cx, room)))?;
        into.advance(count);
        Poll::Ready(Ok(source))
    }

    /// As [`UdpSocket::recv`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn poll_recv(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, into).map_ok(drop)
    }

    /// As [`UdpSocket::send_to`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::send_to`].
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        budgeted(cx, |cx| self.0.poll_send_to(cx, bytes, Some(to)))
    }

    /// As [`UdpSocket::send`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::send`].
    pub fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        budgeted(cx, |cx| self.0.poll_send_to(cx, bytes, None))
    }

    /// Sends at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    /// Sends at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(bytes, to)
    }

    /// Takes the datagram that is there, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv(into)
    }

    /// Takes the datagram that is there, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(into)
    }

    /// As [`UdpSocket::recv`] into what a buffer has free.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn recv_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        when(&self.0, POLLIN, || self.try_recv_buf(into)).await
    }

    /// As [`UdpSocket::recv_from`] into what a buffer has free.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn recv_buf_from<B: BufMut>(&self, into: &mut B) -> io::Result<(usize, SocketAddr)> {
        when(&self.0, POLLIN, || self.try_recv_buf_from(into)).await
    }

    /// As [`UdpSocket::recv_buf`] at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_recv_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        self.try_recv_buf_from(into).map(|(count, _)| count)
    }

    /// As [`UdpSocket::recv_buf_from`] at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, into: &mut B) -> io::Result<(usize, SocketAddr)> {
        into_buf(into, |room| self.0.recv_from(room))
    }

    /// As [`UdpSocket::peek`] at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.peek(into)
    }

    /// As [`UdpSocket::peek_from`] at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_peek_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.peek_from(into)
    }

    /// As [`UdpSocket::peek_from`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let room = into.initialize_unfilled();
        let (count, source) = std::task::ready!(budgeted(cx, |cx| self.0.poll_peek_from(cx, room)))?;
        into.advance(count);
        Poll::Ready(Ok(source))
    }

    /// As [`UdpSocket::peek`]; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn poll_peek(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_peek_from(cx, into).map_ok(drop)
    }

    /// Who sent the next datagram, which stays.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.peek_from(&mut []).await.map(|(_, source)| source)
    }

    /// The same; the last task that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_peek_from(cx, &mut ReadBuf::new(&mut []))
    }

    /// The same at once, or says WouldBlock.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv`].
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_peek_from(&mut []).map(|(_, source)| source)
    }

    number_options! {
        /// The type of service (IP_TOS).
        tos_v4, set_tos_v4: u32 = IPPROTO_IP, IP_TOS;
        /// The traffic class (IPV6_TCLASS).
        tclass_v6, set_tclass_v6: u32 = IPPROTO_IPV6, IPV6_TCLASS;
    }

    fn socket(&self) -> Socket {
        Socket::from(&self.0)
    }

    /// Joins a group (IP_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.0.join_multicast_v4(&group, &interface)
    }

    /// Leaves a group (IP_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.0.leave_multicast_v4(&group, &interface)
    }

    passed_on! {
        /// Its own address and port.
        local_addr() -> SocketAddr;
        /// The connected peer's address.
        peer_addr() -> SocketAddr;
        /// Takes the pending error (SO_ERROR).
        take_error() -> Option<io::Error>;
        /// May it send to everybody (SO_BROADCAST)?
        broadcast() -> bool;
        /// See [`UdpSocket::broadcast`].
        set_broadcast(broadcast: bool) -> ();
        /// Does the host hear what it sends to a group itself (IP_MULTICAST_LOOP)?
        multicast_loop_v4() -> bool;
        /// See [`UdpSocket::multicast_loop_v4`].
        set_multicast_loop_v4(heard: bool) -> ();
        /// The time to live of what it sends to groups (IP_MULTICAST_TTL).
        multicast_ttl_v4() -> u32;
        /// See [`UdpSocket::multicast_ttl_v4`].
        set_multicast_ttl_v4(ttl: u32) -> ();
        /// As [`UdpSocket::multicast_loop_v4`], for IPv6.
        multicast_loop_v6() -> bool;
        /// See [`UdpSocket::multicast_loop_v6`].
        set_multicast_loop_v6(heard: bool) -> ();
        /// Joins a group on the interface of that number (IPV6_JOIN_GROUP).
        join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
        /// Leaves a group (IPV6_LEAVE_GROUP).
        leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
        /// The time to live of what it sends (IP_TTL).
        ttl() -> u32;
        /// See [`UdpSocket::ttl`].
        set_ttl(ttl: u32) -> ();
    }
}

impl TryFrom<ieum::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    /// As [`UdpSocket::from_std`].
    fn try_from(socket: ieum::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }
}
