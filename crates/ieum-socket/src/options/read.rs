//! What getsockopt(2) tells.

use std::net::SocketAddr;

use ieum_stack::{Info, State};
use slotmap::Key;

use super::numbers::*;
use super::special::key_bytes;
use super::{SocketOption, info};
use crate::description::{Description, Phase, Stream};
use crate::host::Host;
use crate::make::{Domain, Protocol};
use crate::{Errno, Kind, SocketId};

impl Host {
    /// An option's value as getsockopt(2) writes it.
    pub(crate) fn read_option(&mut self, id: SocketId, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let make = description.make;
        if let Some(read) = description.options.read_raw(make, level, name) {
            return read;
        }
        let level = make.level(level);
        match (level, make.kind()) {
            (SOL_SOCKET, _) => self.read_of_socket(id, name),
            (IPPROTO_TCP, Kind::Stream) => self.read_of_tcp(description, name),
            (IPPROTO_IP, _) => self.read_of_ip(id, description, name),
            (IPPROTO_UDP, Kind::Datagram) if make.is_udp() => stored(description, level, name),
            (IPPROTO_IPV6, _) if make.domain == Domain::Ip6 => self.read_of_ip6(id, description, name),
            // The two families differ about levels that a socket does not have.
            (_, _) if make.domain == Domain::Ip6 => Err(Errno::ENOPROTOOPT),
            (_, _) => Err(Errno::EOPNOTSUPP),
        }
    }

    fn read_of_socket(&mut self, id: SocketId, name: i32) -> Result<Vec<u8>, Errno> {
        if name == SO_ERROR {
            return Ok(number(self.take_error(id).map_or(0, |errno| errno.0)));
        }
        if name == SO_MEMINFO {
            return self.memory_bytes(id);
        }
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let of_kind = |stream, datagram| match description.kind() {
            Kind::Stream => number(stream),
            Kind::Datagram => number(datagram),
        };
        Ok(match name {
            SO_TYPE => number(description.make.type_number()),
            SO_DOMAIN => number(description.make.domain.number()),
            SO_PROTOCOL => number(description.make.protocol_number()),
            SO_ACCEPTCONN => number(i32::from(self.is_listening(id))),
            // Buffers that nobody chose grow with the connection's need.
            SO_SNDBUF if !is_set(description, SOL_SOCKET, name) => {
                let at_first = self.tcp_defaults.send_buffer_bytes;
                let stream = self.grown(description, |info| info.send_buffer_bytes).unwrap_or(at_first);
                of_kind(i32::try_from(stream).unwrap_or(i32::MAX), DATAGRAM_BUFFER_BYTES)
            }
            SO_RCVBUF if !is_set(description, SOL_SOCKET, name) => {
                // Counted as Linux does, with what packets cost.
                let at_first = self.tcp_defaults.recv_buffer_bytes.saturating_mul(2);
                let stream = self.grown(description, |info| info.recv_buffer_bytes).unwrap_or(at_first);
                of_kind(i32::try_from(stream).unwrap_or(i32::MAX), DATAGRAM_BUFFER_BYTES)
            }
            SO_LINGER => description.options.linger_bytes(),
            SO_RCVTIMEO | SO_RCVTIMEO_NEW => description.options.recv_time_bytes(),
            SO_SNDTIMEO | SO_SNDTIMEO_NEW => description.options.send_time_bytes(),
            SO_TIMESTAMPING | SO_TIMESTAMPING_NEW if !self.hold_requests => {
                [description.options.stamping(), 0].map(u32::to_ne_bytes).concat()
            }
            SO_BINDTODEVICE => match self.kept_link(id).and_then(|link| self.name_of_link(link)) {
                None => Vec::new(),
                Some(name) => [name.as_bytes(), &[0]].concat(),
            },
            SO_BINDTOIFINDEX => {
                let index = self.kept_link(id).and_then(|link| self.stack.index_of(link)).unwrap_or(0);
                number(index.cast_signed())
            }
            SO_MAX_PACING_RATE => description.options.pacing_rate_max_bytes(),
            // Nobody in particular: pid 0, user and group -1, as for every socket that is not of AF_UNIX.
            SO_PEERCRED => [0, -1, -1].map(i32::to_ne_bytes).concat(),
            SO_PEERNAME => address_bytes(self.remote_address(id)?),
            SO_PEERGROUPS => return Err(Errno::ENODATA),
            SO_COOKIE => id.data().as_ffi().to_ne_bytes().to_vec(),
            SO_PASSCRED | SO_PASSSEC => return Err(Errno::EOPNOTSUPP),
            SO_SNDBUFFORCE | SO_RCVBUFFORCE | SO_DETACH_FILTER => return Err(Errno::ENOPROTOOPT),
            _ => stored(description, SOL_SOCKET, name)?,
        })
    }

    /// The size to which a connection's buffer has grown; `None` where there is no connection.
    fn grown(&self, description: &Description, size: fn(&Info) -> u32) -> Option<u32> {
        let (_, info) = self.stack.tcp_info(self.now, description.active()?.connection)?;
        Some(size(&info)).filter(|bytes| *bytes > 0)
    }

    /// SO_MEMINFO, nine numbers as in `linux/sock_diag.h`. What waits to be read counts with its overhead, like its buffer;
    /// what waits to be sent counts its bytes. Of reserves, options, a backlog and drops there are none.
    fn memory_bytes(&mut self, id: SocketId) -> Result<Vec<u8>, Errno> {
        let buffer = |bytes: Vec<u8>| bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        let recv_buffer = buffer(self.read_of_socket(id, SO_RCVBUF)?);
        let send_buffer = buffer(self.read_of_socket(id, SO_SNDBUF)?);
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let connection = description.active().map(|active| active.connection);
        let known = connection.and_then(|connection| self.stack.tcp_info(self.now, connection));
        let (received, sent) = known.map_or((0, 0), |(status, info)| {
            (info.recv_charged_bytes, u32::try_from(status.unacknowledged_bytes).unwrap_or(u32::MAX))
        });
        Ok([received, recv_buffer, sent, send_buffer, 0, sent, 0, 0, 0].map(u32::to_ne_bytes).concat())
    }

    fn read_of_tcp(&self, description: &Description, name: i32) -> Result<Vec<u8>, Errno> {
        let status = description.active().and_then(|active| self.stack.tcp_status(active.connection));
        let is_over = status.is_some_and(|status| status.state == State::Closed);
        let mss = status.map(|status| status.mss_bytes).filter(|mss| *mss > 0);
        Ok(match name {
            TCP_MAXSEG => match (mss, description.options.mss_asked_bytes()) {
                (Some(_), wished @ 1..) if is_over => number(wished),
                (Some(mss), _) => number(i32::try_from(mss).unwrap_or(i32::MAX)),
                (None, 0) => number(MSS_DEFAULT_BYTES),
                (None, wished) => number(wished),
            },
            TCP_INFO => match &description.phase {
                Phase::Stream(Stream::Listening(listening)) => {
                    info::of_listener(self.stack.tcp_waiting(listening.listener), listening.backlog)
                }
                Phase::Stream(Stream::Unbound | Stream::Bound(_) | Stream::Active(_))
                | Phase::Datagram(_) => {
                    let connection = description.active().map(|active| active.connection);
                    let known = connection.and_then(|connection| self.stack.tcp_info(self.now, connection));
                    info::of_connection(known.as_ref())
                }
            },
            TCP_CONGESTION => description.options.congestion_bytes(self.tcp_defaults.congestion),
            TCP_FASTOPEN_KEY => match description.options.fast_open_key_bytes() {
                Some(bytes) => bytes,
                None => self.stack.tcp_rules().fast_open_keys.map_or_else(Vec::new, key_bytes),
            },
            TCP_RTO_MAX_MS if !is_set(description, IPPROTO_TCP, name) => {
                number(i32::try_from(self.tcp_defaults.rto_max.as_millis()).unwrap_or(i32::MAX))
            }
            // Reno and CUBIC keep nothing that it tells.
            TCP_ULP | TCP_CC_INFO => Vec::new(),
            TCP_REPAIR => number(0),
            _ => stored(description, IPPROTO_TCP, name)?,
        })
    }

    fn read_of_ip(&self, id: SocketId, description: &Description, name: i32) -> Result<Vec<u8>, Errno> {
        match name {
            IP_MTU => {
                let remote = self.remote_address(id)?;
                Ok(number(self.path_mtu_bytes(remote)))
            }
            IP_OPTIONS => Ok(Vec::new()),
            // Nothing on a host redirects connections.
            SO_ORIGINAL_DST if description.kind() == Kind::Stream => Err(Errno::ENOENT),
            IP_MULTICAST_IF => {
                let chosen = description.groups.as_ref().and_then(|groups| groups.link4);
                Ok(chosen.map_or([0; 4], |(_, address)| address.octets()).to_vec())
            }
            // Sockets of IPv6 begin without it.
            IP_MULTICAST_ALL if !is_set(description, IPPROTO_IP, name) => {
                Ok(number(i32::from(description.make.domain == Domain::Ip4)))
            }
            _ => stored(description, IPPROTO_IP, name),
        }
    }

    fn read_of_ip6(&self, id: SocketId, description: &Description, name: i32) -> Result<Vec<u8>, Errno> {
        match name {
            IPV6_MTU => Ok(number(self.path_mtu_bytes(self.remote_address(id)?))),
            IPV6_MULTICAST_IF if description.make.kind() == Kind::Datagram => {
                let chosen = description.groups.as_ref().and_then(|groups| groups.link6);
                let index = chosen.and_then(|link| self.stack.index_of(link)).unwrap_or(0);
                Ok(index.to_ne_bytes().to_vec())
            }
            // A sockaddr_in6 of nobody in particular, and the MTU.
            IPV6_PATHMTU => {
                let remote = self.remote_address(id)?;
                Ok([vec![0; 28], number(self.path_mtu_bytes(remote))].concat())
            }
            IPV6_HOPOPTS | IPV6_RTHDRDSTOPTS | IPV6_RTHDR | IPV6_DSTOPTS => Ok(Vec::new()),
            SO_ORIGINAL_DST if description.kind() == Kind::Stream => Err(Errno::ENOENT),
            IPV6_FLOWLABEL_MGR => Err(Errno::EINVAL),
            IPV6_ADDRFORM if description.make.protocol == Protocol::Icmp => Err(Errno::ENOPROTOOPT),
            IPV6_ADDRFORM => self.remote_address(id).map(|_| number(Domain::Ip6.number())),
            _ => stored(description, IPPROTO_IPV6, name),
        }
    }

    /// The MTU on the way to a peer.
    fn path_mtu_bytes(&self, remote: SocketAddr) -> i32 {
        let remote = remote.ip().to_canonical();
        match (self.stack.is_local(remote), remote.is_ipv4()) {
            (false, _) => {
                let mtu_bytes = self.stack.path_mtu_bytes(self.now, remote);
                mtu_bytes.and_then(|bytes| i32::try_from(bytes).ok()).unwrap_or(MTU_UNKNOWN_BYTES)
            }
            (true, true) => 65_535,
            // IPv6 does not count its own header in a packet's length.
            (true, false) => 65_536,
        }
    }
}

/// The MTU that is told where no way leads any more, in bytes.
const MTU_UNKNOWN_BYTES: i32 = 1500;

fn stored(description: &Description, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
    let option = SocketOption::from_linux(description.make, level, name).ok_or(Errno::ENOPROTOOPT)?;
    Ok(number(description.options.value(option)))
}

fn is_set(description: &Description, level: i32, name: i32) -> bool {
    SocketOption::from_linux(description.make, level, name)
        .is_some_and(|option| description.options.is_set(option))
}

fn number(value: i32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

/// A `sockaddr_in` or `sockaddr_in6`.
fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let family = |domain: Domain| u16::try_from(domain.number()).unwrap_or_default().to_ne_bytes();
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => [&family(Domain::Ip4)[..], &port, &v4.ip().octets(), &[0; 8]].concat(),
        // The flow label and the scope are 0.
        SocketAddr::V6(v6) => [&family(Domain::Ip6)[..], &port, &[0; 4], &v6.ip().octets(), &[0; 4]].concat(),
    }
}

/// `net.core.wmem_default` and `rmem_default`, in bytes.
const DATAGRAM_BUFFER_BYTES: i32 = 212_992;
/// The MSS before anything is known of the peer, in bytes (RFC 9293 §3.7.1).
const MSS_DEFAULT_BYTES: i32 = 536;
