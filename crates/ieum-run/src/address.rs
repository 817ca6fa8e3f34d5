//! Socket addresses as the program writes and reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_socket::Domain;
use ieum_socket::sockaddr::{ADDRESS_BYTES_MAX, decode_for};
use rustix::io::Errno;

pub(crate) use ieum_socket::sockaddr::Use;

use crate::memory::Memory;
use crate::sys::number as n;

/// sizeof struct sockaddr_in.
const ADDRESS_4_BYTES: usize = 16;

/// What an address argument says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    /// AF_UNSPEC.
    Unspecified,
    /// AF_INET or AF_INET6.
    Internet(SocketAddr),
}

/// Reads and decodes the address of `len` bytes at `pointer` for a socket of `domain`.
pub(crate) fn read(
    memory: &Memory<'_>,
    pointer: u64,
    len: i32,
    domain: i32,
    purpose: Use,
) -> Result<Address, Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::INVAL)?;
    if len > ADDRESS_BYTES_MAX {
        return Err(Errno::INVAL);
    }
    decode(&memory.read(pointer, len)?, domain, purpose)
}

fn decode(bytes: &[u8], domain: i32, purpose: Use) -> Result<Address, Errno> {
    let domain = if domain == n::AF_INET6 { Domain::Ip6 } else { Domain::Ip4 };
    match decode_for(bytes, domain, purpose) {
        Ok(Some(address)) => Ok(Address::Internet(address)),
        Ok(None) => Ok(Address::Unspecified),
        Err(errno) => Err(Errno::from_raw_os_error(errno.0)),
    }
}

/// Is an address of so many bytes one that the kernel takes at all, with a family to look at?
pub(crate) fn names_family(len: i32) -> bool {
    usize::try_from(len).is_ok_and(|len| (2..=ADDRESS_BYTES_MAX).contains(&len))
}

/// What the bytes of a sockaddr mean to each call that takes one, for a socket of `domain` (AF_INET or AF_INET6): the
/// address, `None` for AF_UNSPEC, or an errno. An entry for fuzzers: nothing else is public that reads what programs say.
pub fn decode_address(bytes: &[u8], domain: i32) -> [Result<Option<SocketAddr>, i32>; 4] {
    [Use::Bind, Use::Connect, Use::Associate, Use::Send].map(|purpose| match decode(bytes, domain, purpose) {
        Ok(Address::Unspecified) => Ok(None),
        Ok(Address::Internet(address)) => Ok(Some(address)),
        Err(errno) => Err(errno.raw_os_error()),
    })
}

/// An address as the kernel writes it, of IPv4 or IPv6.
pub(crate) fn of_kernel(bytes: &[u8]) -> Option<SocketAddr> {
    ieum_socket::sockaddr::decode(bytes).ok().flatten()
}

/// An address as the stack speaks of it.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `address` as a socket of `domain` shows it.
pub(crate) fn encode(address: SocketAddr, domain: i32) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    let family = |family: i32| u16::try_from(family).unwrap_or(0).to_ne_bytes();
    match (address, domain == n::AF_INET6) {
        (SocketAddr::V4(four), false) => {
            let mut bytes = vec![0; ADDRESS_4_BYTES];
            bytes[..2].copy_from_slice(&family(n::AF_INET));
            bytes[2..4].copy_from_slice(&port);
            bytes[4..8].copy_from_slice(&four.ip().octets());
            bytes
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => {
            let (ip, flow, scope) = match address {
                SocketAddr::V6(six) => (*six.ip(), six.flowinfo(), six.scope_id()),
                SocketAddr::V4(four) => (four.ip().to_ipv6_mapped(), 0, 0),
            };
            let mut bytes = vec![0; 28];
            bytes[..2].copy_from_slice(&family(n::AF_INET6));
            bytes[2..4].copy_from_slice(&port);
            bytes[4..8].copy_from_slice(&flow.to_be_bytes());
            bytes[8..24].copy_from_slice(&ip.octets());
            bytes[24..28].copy_from_slice(&scope.to_ne_bytes());
            bytes
        }
    }
}

/// Writes `bytes` where an address and its length are wanted: as much as there is room for, and the true length.
///
/// # Errors
///
/// EINVAL for a negative length, EFAULT for pointers that lead nowhere.
pub(crate) fn write(memory: &Memory<'_>, pointer: u64, len_pointer: u64, bytes: &[u8]) -> Result<(), Errno> {
    let room = usize::try_from(memory.read_int(len_pointer)?).map_err(|_| Errno::INVAL)?;
    let shown = bytes.get(..room).unwrap_or(bytes);
    memory.write(pointer, shown)?;
    memory.write_int(len_pointer, i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}

/// The wildcard of a domain, what an unbound socket's name is.
pub(crate) fn wildcard(domain: i32) -> SocketAddr {
    let ip = if domain == n::AF_INET6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> Vec<u8> {
        encode("127.0.0.1:80".parse().unwrap(), n::AF_INET)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for (text, domain) in [("10.77.0.2:8080", n::AF_INET), ("[2001:db8::1]:443", n::AF_INET6)] {
            let address = text.parse().unwrap();
            assert_eq!(
                decode(&encode(address, domain), domain, Use::Connect),
                Ok(Address::Internet(address))
            );
        }
    }

    #[test]
    fn an_address_cut_short_is_invalid() {
        for len in 0..16 {
            assert_eq!(decode(&loopback()[..len], n::AF_INET, Use::Connect), Err(Errno::INVAL));
        }
    }

    #[test]
    fn a_foreign_family_is_not_supported() {
        assert_eq!(
            decode(&encode("[::1]:80".parse().unwrap(), n::AF_INET6), n::AF_INET, Use::Bind),
            Err(Errno::AFNOSUPPORT)
        );
        let mut unix = loopback();
        unix[..2].copy_from_slice(&1u16.to_ne_bytes());
        assert_eq!(decode(&unix, n::AF_INET, Use::Connect), Err(Errno::AFNOSUPPORT));
    }

    #[test]
    fn no_family_dissolves_a_connection_and_binds_only_the_wildcard() {
        let mut unspecified = loopback();
        unspecified[..2].copy_from_slice(&[0, 0]);
        assert_eq!(decode(&unspecified, n::AF_INET, Use::Connect), Ok(Address::Unspecified));
        assert_eq!(decode(&unspecified, n::AF_INET, Use::Bind), Err(Errno::AFNOSUPPORT));
        unspecified[4..8].copy_from_slice(&[0; 4]);
        let wildcard = "0.0.0.0:80".parse().unwrap();
        assert_eq!(decode(&unspecified, n::AF_INET, Use::Bind), Ok(Address::Internet(wildcard)));
    }
}
