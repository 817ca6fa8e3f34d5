//! Socket addresses as C writes them: `struct sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::description::Description;
use crate::host::Host;
use crate::make::{Domain, Kind, Make, Protocol};
use crate::numbers::{MSG_FASTOPEN, MSG_OOB};
use crate::{Errno, SocketId};

const AF_UNSPEC: u16 = 0;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// sizeof struct sockaddr_in.
const ADDRESS4_BYTES: usize = 16;
/// The shortest sockaddr_in6 that the kernel takes, without the scope (RFC 2133).
const ADDRESS6_BYTES_MIN: usize = 24;

/// The longest address that the kernel takes (sizeof struct sockaddr_storage).
pub const ADDRESS_BYTES_MAX: usize = 128;

/// Which call an address is for: they differ in what they make of a wrong family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// bind(2).
    Bind,
    /// connect(2) of a stream.
    Connect,
    /// connect(2) of a datagram socket.
    Associate,
    /// sendto(2), sendmsg(2).
    Send,
}

/// What the bytes of a `struct sockaddr` mean to a call on a socket of `domain`; `None` for AF_UNSPEC.
///
/// # Errors
///
/// EINVAL where there are too few bytes or too many, EAFNOSUPPORT for a family that the call does not take.
pub fn decode_for(bytes: &[u8], domain: Domain, purpose: Use) -> Result<Option<SocketAddr>, Errno> {
    let (family, _) = bytes.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
    let family = u16::from_ne_bytes(*family);
    if bytes.len() > ADDRESS_BYTES_MAX {
        return Err(Errno::EINVAL);
    }
    // These look at the family first.
    let looks_first = match purpose {
        Use::Connect | Use::Associate => true,
        Use::Send => domain == Domain::Ip6,
        Use::Bind => false,
    };
    if looks_first && family == AF_UNSPEC {
        return Ok(None);
    }
    // A datagram socket of AF_INET6 takes IPv4 destinations in their own form too.
    let as_4 = domain == Domain::Ip4 || family == AF_INET && matches!(purpose, Use::Associate | Use::Send);
    let (own, needed) = if as_4 { (AF_INET, ADDRESS4_BYTES) } else { (AF_INET6, ADDRESS6_BYTES_MIN) };
    if bytes.len() < needed {
        return Err(Errno::EINVAL);
    }
    // For the sake of old programs Linux takes AF_UNSPEC for AF_INET in sendto, and in bind for the wildcard.
    let taken_for_4 = family == AF_UNSPEC
        && domain == Domain::Ip4
        && (purpose == Use::Send || bytes.get(4..8) == Some(&[0; 4]));
    if family != own && !taken_for_4 {
        let unknown_destination = purpose == Use::Send && domain == Domain::Ip6;
        return Err(if unknown_destination { Errno::EINVAL } else { Errno::EAFNOSUPPORT });
    }
    let rest = bytes.get(2..).unwrap_or_default();
    Ok(Some(if as_4 { decode4(rest)? } else { decode6(rest)? }))
}

impl Host {
    /// What the bytes of an address mean to `bind` on that socket.
    ///
    /// # Errors
    ///
    /// As [`decode_for`].
    pub fn address_to_bind(&self, id: SocketId, bytes: &[u8]) -> Result<SocketAddr, Errno> {
        let make = self.make(id).ok_or(Errno::EBADF)?;
        if is_foreign_to_raw(make, bytes) {
            return Err(Errno::EINVAL);
        }
        decode_for(bytes, make.domain, Use::Bind)?.ok_or(Errno::EAFNOSUPPORT)
    }

    /// The same of `connect`; `None` for AF_UNSPEC.
    ///
    /// # Errors
    ///
    /// As [`decode_for`]; a datagram socket has a port from then on all the same.
    pub fn address_to_connect(&mut self, id: SocketId, bytes: &[u8]) -> Result<Option<SocketAddr>, Errno> {
        let make = self.make(id).ok_or(Errno::EBADF)?;
        let names_family = (2..=ADDRESS_BYTES_MAX).contains(&bytes.len());
        let is_stream = make.kind() == Kind::Stream;
        let address = decode_for(bytes, make.domain, if is_stream { Use::Connect } else { Use::Associate });
        match address {
            Ok(_) if is_foreign_to_raw(make, bytes) => Err(Errno::EAFNOSUPPORT),
            // Linux looks at the address of a stream only when there is nothing else to say.
            Err(_) if is_stream && names_family && !self.is_unconnected(id) => {
                Ok(self.descriptions.get(id).map(Description::nowhere))
            }
            Err(errno) => {
                if !is_stream && names_family {
                    self.bind_as_needed(id)?;
                }
                Err(errno)
            }
            Ok(address) => Ok(address),
        }
    }

    /// The same of a message's destination, at which a stream looks only to connect with what is sent (MSG_FASTOPEN).
    ///
    /// # Errors
    ///
    /// As [`decode_for`]; the socket has a port from then on all the same, as on Linux. EOPNOTSUPP with MSG_OOB from who
    /// refuses it ([`Make::refuses_urgency`]), EINVAL for an address of IPv4 on a raw socket of IPv6.
    pub fn destination_named(
        &mut self,
        id: SocketId,
        bytes: &[u8],
        flags: i32,
    ) -> Result<Option<SocketAddr>, Errno> {
        let make = self.make(id).ok_or(Errno::EBADF)?;
        if make.kind() == Kind::Stream {
            let connects = flags & MSG_FASTOPEN != 0;
            return if connects { decode_for(bytes, make.domain, Use::Connect) } else { Ok(None) };
        }
        if flags & MSG_OOB != 0 && make.refuses_urgency() {
            return Err(Errno::EOPNOTSUPP);
        }
        if is_foreign_to_raw(make, bytes) {
            return Err(Errno::EINVAL);
        }
        let destination = decode_for(bytes, make.domain, Use::Send);
        if destination.is_err() {
            self.bind_as_needed(id)?;
        }
        destination
    }
}

/// Raw sockets of IPv6 know of no other family.
fn is_foreign_to_raw(make: Make, bytes: &[u8]) -> bool {
    let is_raw6 = make.domain == Domain::Ip6 && matches!(make.protocol, Protocol::Raw(_));
    is_raw6 && bytes.starts_with(&AF_INET.to_ne_bytes())
}

/// What follows the family in a `sockaddr_in`.
fn decode4(rest: &[u8]) -> Result<SocketAddr, Errno> {
    let (port, rest) = rest.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
    let ip = rest.first_chunk::<4>().ok_or(Errno::EINVAL)?;
    Ok(SocketAddr::new(Ipv4Addr::from(*ip).into(), u16::from_be_bytes(*port)))
}

/// The same of a `sockaddr_in6`.
fn decode6(rest: &[u8]) -> Result<SocketAddr, Errno> {
    let (port, rest) = rest.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
    let (flow, rest) = rest.split_first_chunk::<4>().ok_or(Errno::EINVAL)?;
    let (ip, rest) = rest.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
    let scope = rest.first_chunk::<4>().map_or(0, |scope| u32::from_ne_bytes(*scope));
    let flow = u32::from_be_bytes(*flow);
    Ok(SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), flow, scope).into())
}

/// The address in the bytes of a `struct sockaddr`, whatever socket it is for; `None` for AF_UNSPEC.
///
/// # Errors
///
/// EINVAL where there are too few bytes, EAFNOSUPPORT for any other family.
pub fn decode(bytes: &[u8]) -> Result<Option<SocketAddr>, Errno> {
    let (family, rest) = bytes.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
    match u16::from_ne_bytes(*family) {
        AF_UNSPEC => Ok(None),
        AF_INET if bytes.len() >= ADDRESS4_BYTES => decode4(rest).map(Some),
        AF_INET6 if bytes.len() >= ADDRESS6_BYTES_MIN => decode6(rest).map(Some),
        AF_INET | AF_INET6 => Err(Errno::EINVAL),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The bytes of an address: a `struct sockaddr_in` or `sockaddr_in6`.
pub fn encode(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match (address, address.ip()) {
        (SocketAddr::V6(six), IpAddr::V6(ip)) => {
            let head = [AF_INET6.to_ne_bytes(), port].concat();
            let scope = six.scope_id().to_ne_bytes();
            [&head[..], &six.flowinfo().to_be_bytes(), &ip.octets(), &scope].concat()
        }
        (_, ip) => {
            let octets = match ip {
                IpAddr::V4(ip) => ip.octets(),
                IpAddr::V6(_) => [0; 4],
            };
            [&AF_INET.to_ne_bytes()[..], &port, &octets, &[0; 8]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_come_back_as_they_were() {
        for text in ["192.0.2.1:8080", "[2001:db8::1]:8080", "[::ffff:192.0.2.1]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(&encode(address)), Ok(Some(address)));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert_eq!(decode(&[0, 0]), Ok(None));
        assert_eq!(decode(&[2]), Err(Errno::EINVAL));
        assert_eq!(decode(&2u16.to_ne_bytes()), Err(Errno::EINVAL));
        assert_eq!(decode(&[1, 0, 0, 0]), Err(Errno::EAFNOSUPPORT));
    }
}
