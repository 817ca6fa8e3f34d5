//! Socket addresses as C writes them: `struct sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::Errno;

const AF_UNSPEC: u16 = 0;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// sizeof struct sockaddr_in.
const ADDRESS4_BYTES: usize = 16;
/// The shortest sockaddr_in6 that the kernel takes, without the scope (RFC 2133).
const ADDRESS6_BYTES_MIN: usize = 24;

/// The address in the bytes of a `struct sockaddr`; `None` for AF_UNSPEC.
///
/// # Errors
///
/// EINVAL where there are too few bytes, EAFNOSUPPORT for any other family.
pub fn decode(bytes: &[u8]) -> Result<Option<SocketAddr>, Errno> {
    let (family, rest) = bytes.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
    match u16::from_ne_bytes(*family) {
        AF_UNSPEC => Ok(None),
        AF_INET if bytes.len() >= ADDRESS4_BYTES => {
            let (port, rest) = rest.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
            let ip = rest.first_chunk::<4>().ok_or(Errno::EINVAL)?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), u16::from_be_bytes(*port))))
        }
        AF_INET6 if bytes.len() >= ADDRESS6_BYTES_MIN => {
            let (port, rest) = rest.split_first_chunk::<2>().ok_or(Errno::EINVAL)?;
            let (flow, rest) = rest.split_first_chunk::<4>().ok_or(Errno::EINVAL)?;
            let (ip, rest) = rest.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
            let scope = rest.first_chunk::<4>().map_or(0, |scope| u32::from_ne_bytes(*scope));
            let flow = u32::from_be_bytes(*flow);
            Ok(Some(SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), flow, scope).into()))
        }
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
