//! A raw socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ieum_socket::numbers::{IP_HDRINCL, IPPROTO_IP, IPPROTO_IPV6, IPV6_CHECKSUM, IPV6_HDRINCL};
use ieum_socket::{Domain, Wait, Writing};

use super::udp_socket::take;
use super::waits::waits;
use crate::host::Host;
use crate::room::Way;
use crate::socket::{Socket, invalid};

/// A socket of IP itself (raw(7)): it hears every packet of one protocol that comes to its host, and sends such packets. `std`
/// has nothing like it; hosts have them that [were made so](crate::HostBuilder::raw_sockets).
///
/// Over IPv4 what is received begins with the IP header, over IPv6 with what stands behind the headers (RFC 3542 §3).
pub struct RawSocket(pub(super) Arc<Socket>);

impl RawSocket {
    pub(crate) fn on(host: &Host, domain: Domain, protocol: u8) -> io::Result<RawSocket> {
        Ok(RawSocket(Arc::new(Socket::raw(host, domain, protocol)?)))
    }

    /// It hears what comes to that address alone from now on, and sends from it.
    ///
    /// # Errors
    ///
    /// Those of bind(2).
    pub fn bind(&self, address: IpAddr) -> io::Result<()> {
        self.0.bind(SocketAddr::new(address, 0))
    }

    /// Sends to and hears only that peer from now on.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub fn connect(&self, peer: IpAddr) -> io::Result<()> {
        self.0.call(|now, host, id| host.connect(now, id, Some(SocketAddr::new(peer, 0))).map(drop))
    }

    /// Sends what stands behind an IP header, or a packet with [its header](RawSocket::set_header_included).
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub fn send_to(&self, bytes: &[u8], to: IpAddr) -> io::Result<usize> {
        self.send_packet(bytes, Some(SocketAddr::new(to, 0)))
    }

    /// The same to the connected peer.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_packet(bytes, None)
    }

    /// The next packet, and who sent it. What does not fit is cut off.
    ///
    /// # Errors
    ///
    /// WouldBlock after the timeout, and what an ICMP error has told of a packet to the connected peer.
    pub fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        let (count, source) = self.0.block(Way::Read, Wait::default(), |now, host, id, blocks, wait| {
            host.read_waiting(now, id, into, false, blocks, wait)
        })?;
        source.map(|source| (count, source.ip())).ok_or_else(|| invalid("a packet has a source"))
    }

    waits!();

    /// Takes a packet, for a task.
    ///
    /// # Errors
    ///
    /// What an ICMP error has told of a packet to the connected peer.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, IpAddr)>> {
        let taken = self.0.poll(cx, Way::Read, |now, host, id| take(now, host, id, into, false));
        taken.map_ok(|(count, source)| (count, source.ip()))
    }

    /// The same without taking it.
    ///
    /// # Errors
    ///
    /// As [`RawSocket::poll_recv_from`].
    pub fn poll_peek_from(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, IpAddr)>> {
        let taken = self.0.poll(cx, Way::Read, |now, host, id| take(now, host, id, into, true));
        taken.map_ok(|(count, source)| (count, source.ip()))
    }

    /// Sends as [`RawSocket::send_to`], for a task; without an address to the connected peer.
    ///
    /// # Errors
    ///
    /// Those of sendto(2).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: Option<IpAddr>,
    ) -> Poll<io::Result<usize>> {
        let to = to.map(|to| SocketAddr::new(to, 0));
        self.0.poll(cx, Way::Write, |now, host, id| host.send_to(now, id, bytes, to))
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    ///
    /// None: it is fallible for the sake of its siblings.
    pub fn try_clone(&self) -> io::Result<RawSocket> {
        Ok(RawSocket(Arc::clone(&self.0)))
    }

    /// Does what is sent begin with its IP header (IP_HDRINCL, IPV6_HDRINCL)? Of that of IPv4 the length and the checksum are
    /// written anew, and source and identification where they are 0.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_header_included(&self, included: bool) -> io::Result<()> {
        let (level, name) = match self.0.domain()? {
            Domain::Ip4 => (IPPROTO_IP, IP_HDRINCL),
            Domain::Ip6 => (IPPROTO_IPV6, IPV6_HDRINCL),
        };
        self.0.set_option(level, name, included.into())
    }

    /// Over IPv6: where in a packet a checksum is written, and verified in what comes (IPV6_CHECKSUM); `None`: nowhere.
    /// Messages of ICMPv6 have theirs without being asked.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2): EINVAL for an odd place.
    pub fn set_checksum(&self, at: Option<u16>) -> io::Result<()> {
        self.0.set_option(IPPROTO_IPV6, IPV6_CHECKSUM, at.map_or(-1, i32::from))
    }

    /// The address it is bound to, or sends from while it is connected.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn local_addr(&self) -> io::Result<IpAddr> {
        self.0.local_addr().map(|address| address.ip())
    }

    /// How long [`RawSocket::recv_from`] waits; `None`: for ever.
    ///
    /// # Errors
    ///
    /// InvalidInput for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(Way::Read, timeout)
    }

    /// Calls say WouldBlock instead of blocking.
    ///
    /// # Errors
    ///
    /// None: it is fallible for the sake of its siblings.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking);
        Ok(())
    }

    fn send_packet(&self, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        self.0.block(Way::Write, Wait::default(), |now, host, id, blocks, wait| {
            host.send_waiting(now, id, &Writing { bytes, flags: 0, to, control: &[], blocks }, wait)
        })
    }
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSocket").field("addr", &self.local_addr().ok()).finish()
    }
}
