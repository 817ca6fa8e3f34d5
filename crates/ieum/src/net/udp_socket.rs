//! A datagram socket.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ieum_socket::numbers::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_TTL, IPPROTO_IP,
    IPPROTO_IPV6, IPPROTO_UDP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MULTICAST_LOOP, SO_BROADCAST,
    SOL_SOCKET, UDP_GRO, UDP_SEGMENT,
};
use ieum_socket::{Errno, Kind, SocketId, Wait, Writing};
use ieum_wire::Instant;

use super::tcp_stream::number;
use super::waits::waits;
use crate::host::{Host, each};
use crate::room::Way;
use crate::socket::{Socket, invalid};

/// As [`std::net::UdpSocket`].
pub struct UdpSocket(pub(super) Arc<Socket>);

impl UdpSocket {
    /// Binds on the process's own host.
    ///
    /// # Errors
    ///
    /// Those of bind(2); of several addresses the last one's.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        Host::of_process()?.udp(address)
    }

    pub(crate) fn on(host: &Host, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(host, address, Kind::Datagram)?;
        socket.bind(address)?;
        Ok(UdpSocket(Arc::new(socket)))
    }

    /// The next datagram, and who sent it. What does not fit is cut off.
    ///
    /// # Errors
    ///
    /// WouldBlock after the timeout, and what an ICMP error has told of an earlier datagram.
    pub fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.take(into, false)
    }

    /// The same without taking it (MSG_PEEK).
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    pub fn peek_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.take(into, true)
    }

    /// Sends a datagram to the first of what `address` means.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let Some(address) = address.to_socket_addrs()?.next() else {
            return Err(invalid("no addresses to send data to"));
        };
        self.send_datagram(bytes, Some(address))
    }

    /// Sends to and hears only that peer from now on.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(address, |address| self.0.call(|now, host, id| host.connect(now, id, Some(address)).map(drop)))
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_datagram(bytes, None)
    }

    /// The next datagram of the connected peer.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.recv_from(into).map(|(count, _)| count)
    }

    /// The same without taking it.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.peek_from(into).map(|(count, _)| count)
    }

    waits!();

    /// Takes a datagram, for a task.
    ///
    /// # Errors
    ///
    /// What an ICMP error has told of an earlier datagram.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll(cx, Way::Read, |now, host, id| take(now, host, id, into, false))
    }

    /// The same without taking it.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::poll_recv_from`].
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll(cx, Way::Read, |now, host, id| take(now, host, id, into, true))
    }

    /// Sends a datagram, for a task; without an address to the connected peer.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        address: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Way::Write, |now, host, id| host.send_to(now, id, bytes, address))
    }

    /// The connected peer's address.
    ///
    /// # Errors
    ///
    /// NotConnected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Its own address and port.
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
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket(Arc::clone(&self.0)))
    }

    /// How long receiving may block; `None`: for ever.
    ///
    /// # Errors
    ///
    /// InvalidInput for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(Way::Read, timeout)
    }

    /// How long sending may block; `None`: for ever.
    ///
    /// # Errors
    ///
    /// InvalidInput for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(Way::Write, timeout)
    }

    /// See [`UdpSocket::set_read_timeout`].
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.timeout(Way::Read)
    }

    /// See [`UdpSocket::set_write_timeout`].
    ///
    /// # Errors
    ///
    /// None: it is fallible for std's sake.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.timeout(Way::Write)
    }

    /// May send to everybody (SO_BROADCAST).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.0.set_option(SOL_SOCKET, SO_BROADCAST, broadcast.into())
    }

    /// See [`UdpSocket::set_broadcast`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.option(SOL_SOCKET, SO_BROADCAST).map(|value| value != 0)
    }

    /// What is sent from now on is cut into datagrams of so many bytes, the last one perhaps shorter: many in one call, at most
    /// 128 (UDP_SEGMENT; 0: each call is one). `std` has nothing like it.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2). A size that the path does not take whole is told by the call that sends.
    pub fn set_segment_size(&self, bytes: u16) -> io::Result<()> {
        self.0.set_option(IPPROTO_UDP, UDP_SEGMENT, bytes.into())
    }

    /// See [`UdpSocket::set_segment_size`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn segment_size(&self) -> io::Result<u16> {
        self.0.option(IPPROTO_UDP, UDP_SEGMENT).map(|bytes| u16::try_from(bytes).unwrap_or_default())
    }

    /// May datagrams of one size and one sender be received together (UDP_GRO)? [`UdpSocket::recv_joined`] says which came so.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_joined(&self, joined: bool) -> io::Result<()> {
        self.0.set_option(IPPROTO_UDP, UDP_GRO, joined.into())
    }

    /// The next datagram or datagrams, who sent them, and of which size they are, the last one perhaps shorter; `None`: it is
    /// one. `into` should have room for 65,507 bytes.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    pub fn recv_joined(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<u16>)> {
        let (count, source, size) =
            self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
                let size = host.next_arrival(id).and_then(|arrival| arrival.segment_bytes);
                let read = host.read_waiting(now, id, into, false, blocks, wait)?;
                Some(read.map(|(count, source)| (count, source, size)))
            })?;
        source.map(|source| (count, source, size)).ok_or_else(|| invalid("a datagram has a source"))
    }

    /// Does the host hear what it sends to a group itself (IP_MULTICAST_LOOP)?
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_loop_v4(&self, heard: bool) -> io::Result<()> {
        self.0.set_option(IPPROTO_IP, IP_MULTICAST_LOOP, heard.into())
    }

    /// See [`UdpSocket::set_multicast_loop_v4`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.0.option(IPPROTO_IP, IP_MULTICAST_LOOP).map(|value| value != 0)
    }

    /// The time to live of what it sends to groups (IP_MULTICAST_TTL).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.0.set_option(IPPROTO_IP, IP_MULTICAST_TTL, number(ttl)?)
    }

    /// See [`UdpSocket::set_multicast_ttl_v4`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.0.option(IPPROTO_IP, IP_MULTICAST_TTL).map(i32::unsigned_abs)
    }

    /// As [`UdpSocket::set_multicast_loop_v4`], for IPv6.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_loop_v6(&self, heard: bool) -> io::Result<()> {
        self.0.set_option(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, heard.into())
    }

    /// See [`UdpSocket::set_multicast_loop_v6`].
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.0.option(IPPROTO_IPV6, IPV6_MULTICAST_LOOP).map(|value| value != 0)
    }

    /// Joins a group (IP_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): EADDRINUSE where it is in the group already, ENODEV where there is no such interface or no
    /// route, EINVAL for what is no group.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.membership_v4(IP_ADD_MEMBERSHIP, *group, *interface)
    }

    /// Leaves a group (IP_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.membership_v4(IP_DROP_MEMBERSHIP, *group, *interface)
    }

    /// Joins a group on the interface of that number (IPV6_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): EADDRINUSE where it is in the group already, ENODEV where there is no such interface or no
    /// route, EINVAL for what is no group.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.membership_v6(IPV6_ADD_MEMBERSHIP, *group, interface)
    }

    /// Leaves a group (IPV6_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.membership_v6(IPV6_DROP_MEMBERSHIP, *group, interface)
    }

    /// A datagram, cut where `into` ends. Without a source (after a shutdown by other means) it is nobody's.
    fn take(&self, into: &mut [u8], peek: bool) -> io::Result<(usize, SocketAddr)> {
        let (count, source) = self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            host.read_waiting(now, id, into, peek, blocks, wait)
        })?;
        source.map(|source| (count, source)).ok_or_else(|| invalid("a datagram has a source"))
    }

    fn send_datagram(&self, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        self.0.block(Way::Write, Wait::default(), |now, host, id, blocks, wait| {
            host.send_waiting(now, id, &Writing { bytes, flags: 0, to, control: &[], blocks }, wait)
        })
    }

    fn membership_v4(&self, name: i32, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let request = [group.octets(), interface.octets()].concat();
        self.0.call(|now, host, id| host.set_option(now, id, IPPROTO_IP, name, &request))
    }

    fn membership_v6(&self, name: i32, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        let request = [&group.octets()[..], &interface.to_ne_bytes()].concat();
        self.0.call(|now, host, id| host.set_option(now, id, IPPROTO_IPV6, name, &request))
    }

    /// The time to live of what it sends (IP_TTL).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_option(IPPROTO_IP, IP_TTL, number(ttl)?)
    }

    /// See [`UdpSocket::set_ttl`].
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
}

/// A datagram into `into`, cut where that ends.
pub(super) fn take(
    now: Instant,
    host: &mut ieum_socket::Host,
    id: SocketId,
    into: &mut [u8],
    peek: bool,
) -> Result<(usize, SocketAddr), Errno> {
    let (payload, source) = host.recv_from(now, id, peek)?;
    let count = payload.len().min(into.len());
    into[..count].copy_from_slice(&payload[..count]);
    Ok((count, source))
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("addr", &self.local_addr().ok()).finish_non_exhaustive()
    }
}
