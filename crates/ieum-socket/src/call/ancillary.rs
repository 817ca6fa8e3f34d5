//! Control messages that a program sends along with a datagram, about its IP header (ip(7), ipv6(7)): from which address
//! (IP_PKTINFO, IPV6_PKTINFO), how many hops (IP_TTL, IPV6_HOPLIMIT), which type of service (IP_TOS, IPV6_TCLASS); and into
//! datagrams of which size it is cut (UDP_SEGMENT).
//!
//! As on Linux, messages of other levels mean nothing, and unknown ones of these are refused.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::call::send::Ancillary;
use crate::control::HEADER_BYTES;
use crate::description::Phase;
use crate::host::Host;
use crate::make::{Domain, Protocol};
use crate::options::numbers as n;
use crate::{Errno, SocketId};

/// SCM_RIGHTS and SCM_CREDENTIALS, which mean nothing but to AF_UNIX (unix(7)).
const OF_LOCAL_SOCKETS: [i32; 2] = [1, 2];

impl Host {
    /// What control messages, as C has them, say of a datagram of that socket to `to`, or to its connected remote.
    ///
    /// # Errors
    ///
    /// EINVAL for a message that does not fit into the bytes, has another size than its kind, or a value out of its range.
    pub fn ancillary(
        &self,
        id: SocketId,
        to: Option<SocketAddr>,
        messages: &[u8],
    ) -> Result<Ancillary, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        if let Phase::Stream(_) = description.phase {
            return of_a_stream(messages).map(|()| Ancillary::default());
        }
        let make = description.make;
        let remote = to.or_else(|| self.remote_address(id).ok());
        let is_mapped = remote.is_some_and(|remote| remote.ip().to_canonical().is_ipv4());
        let is_udp = matches!(make.protocol, Protocol::Udp | Protocol::UdpLite);
        parse(messages, make.domain == Domain::Ip6 && !is_mapped, is_udp)
    }
}

/// The messages in bytes: level, kind and data of each.
fn each(bytes: &[u8]) -> impl Iterator<Item = Result<(i32, i32, &[u8]), Errno>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.len() < HEADER_BYTES {
            return None;
        }
        let length = usize::from_ne_bytes(array(rest, 0)?);
        let (level, kind) = (i32::from_ne_bytes(array(rest, 8)?), i32::from_ne_bytes(array(rest, 12)?));
        let data = rest.get(HEADER_BYTES..length);
        // Behind one that does not fit is nothing that could be read.
        let whole = data.map_or(usize::MAX, |_| length.next_multiple_of(size_of::<usize>()));
        rest = rest.get(whole..).unwrap_or_default();
        Some(data.map(|data| (level, kind, data)).ok_or(Errno::EINVAL))
    })
}

/// A stream's bytes have no header of their own: messages about one mean nothing, unknown ones of SOL_SOCKET are refused.
fn of_a_stream(bytes: &[u8]) -> Result<(), Errno> {
    each(bytes).try_for_each(|message| match message? {
        (n::SOL_SOCKET, n::SO_TIMESTAMPING, data) => exact::<4>(data).map(|_| ()),
        (n::SOL_SOCKET, kind, _) if !OF_LOCAL_SOCKETS.contains(&kind) => Err(Errno::EINVAL),
        (_, _, _) => Ok(()),
    })
}

/// What the control messages in `bytes` say of a datagram to IPv4, or to IPv6 (`to_ip6`), of UDP (`is_udp`) or of another
/// protocol, to which those of UDP mean nothing.
///
/// # Errors
///
/// EINVAL for a message that does not fit into the bytes, has another size than its kind, or a value out of its range.
fn parse(bytes: &[u8], to_ip6: bool, is_udp: bool) -> Result<Ancillary, Errno> {
    let mut found = Ancillary::default();
    for message in each(bytes) {
        let (level, kind, data) = message?;
        match (level, to_ip6) {
            // A u16, and of UDP no other.
            (n::IPPROTO_UDP, _) if is_udp && kind == n::UDP_SEGMENT => {
                found.segment_bytes = Some(u16::from_ne_bytes(*exact::<2>(data)?));
            }
            (n::IPPROTO_UDP, _) if is_udp => return Err(Errno::EINVAL),
            (n::IPPROTO_IP, false) => hear4(&mut found, kind, data)?,
            (n::IPPROTO_IPV6, true) => hear6(&mut found, kind, data)?,
            // A socket of IPv6 names its IPv4 address in IPv6's way.
            (n::IPPROTO_IPV6, false) if kind == n::IPV6_PKTINFO => {
                let source: [u8; 16] = exact::<20>(data)?.first_chunk().copied().ok_or(Errno::EINVAL)?;
                found.interface = u32::from_ne_bytes(array(data, 16).ok_or(Errno::EINVAL)?);
                let mapped = Ipv6Addr::from(source).to_ipv4_mapped();
                found.source =
                    Some(mapped.ok_or(Errno::EINVAL)?.into()).filter(|ip: &IpAddr| !ip.is_unspecified());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// One of IPPROTO_IP.
fn hear4(found: &mut Ancillary, kind: i32, data: &[u8]) -> Result<(), Errno> {
    match kind {
        // struct in_pktinfo: interface, source, and an address that only receivers are told.
        n::IP_PKTINFO => {
            let source: [u8; 4] = array(exact::<12>(data)?, 4).ok_or(Errno::EINVAL)?;
            found.interface = u32::from_ne_bytes(array(data, 0).ok_or(Errno::EINVAL)?);
            found.source = Some(IpAddr::from(source)).filter(|source| !source.is_unspecified());
        }
        n::IP_TTL => found.ttl = Some(byte(int(data)?, 1)?),
        n::IP_TOS => {
            let value = if let [one] = data { i32::from(*one) } else { int(data)? };
            found.tos = Some(byte(value, 0)?);
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// One of IPPROTO_IPV6.
fn hear6(found: &mut Ancillary, kind: i32, data: &[u8]) -> Result<(), Errno> {
    match kind {
        // struct in6_pktinfo: source, interface.
        n::IPV6_PKTINFO => {
            let source: [u8; 16] = array(exact::<20>(data)?, 0).ok_or(Errno::EINVAL)?;
            found.interface = u32::from_ne_bytes(array(data, 16).ok_or(Errno::EINVAL)?);
            found.source = Some(IpAddr::from(source)).filter(|source| !source.is_unspecified());
        }
        // -1 stands for what the socket's options say.
        n::IPV6_HOPLIMIT => {
            found.ttl = Some(int(data)?).filter(|hops| *hops != -1).map(|hops| byte(hops, 0)).transpose()?
        }
        // Here it does not: Linux takes it for all ones.
        n::IPV6_TCLASS => {
            let class = int(data)?;
            found.tos = Some(if class == -1 { u8::MAX } else { byte(class, 0)? });
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// An int, no more and no less.
fn int(data: &[u8]) -> Result<i32, Errno> {
    exact::<4>(data).copied().map(i32::from_ne_bytes)
}

fn byte(value: i32, least: u8) -> Result<u8, Errno> {
    u8::try_from(value).ok().filter(|value| *value >= least).ok_or(Errno::EINVAL)
}

fn exact<const N: usize>(data: &[u8]) -> Result<&[u8; N], Errno> {
    data.try_into().map_err(|_| Errno::EINVAL)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        Control::new(level, kind, data.to_vec()).to_bytes()
    }

    #[test]
    fn messages_of_ip_say_source_hops_and_service() {
        let info = [0_u32.to_ne_bytes(), [10, 0, 0, 1], [9; 4]].concat();
        let all = [
            message(n::IPPROTO_IP, n::IP_PKTINFO, &info),
            message(n::IPPROTO_IP, n::IP_TOS, &[0xb8]),
            message(n::SOL_SOCKET, 1, &[1]),
            message(n::IPPROTO_IP, n::IP_TTL, &7_i32.to_ne_bytes()),
        ];
        let source = Some(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(
            parse(&all.concat(), false, true),
            Ok(Ancillary { source, ttl: Some(7), tos: Some(0xb8), ..Ancillary::default() })
        );
        assert_eq!(parse(&[], false, true), Ok(Ancillary::default()));
    }

    #[test]
    fn messages_of_ip6_may_leave_the_hops_to_the_socket() {
        let address: Ipv6Addr = "fd00::1".parse().unwrap();
        let info = [&address.octets()[..], &0_u32.to_ne_bytes()].concat();
        let all = [
            message(n::IPPROTO_IPV6, n::IPV6_PKTINFO, &info),
            message(n::IPPROTO_IPV6, n::IPV6_TCLASS, &(-1_i32).to_ne_bytes()),
            message(n::IPPROTO_IPV6, n::IPV6_HOPLIMIT, &0_i32.to_ne_bytes()),
            message(n::IPPROTO_IPV6, n::IPV6_HOPLIMIT, &(-1_i32).to_ne_bytes()),
        ];
        let source = Some(IpAddr::from(address));
        assert_eq!(
            parse(&all.concat(), true, true),
            Ok(Ancillary { source, tos: Some(255), ..Ancillary::default() })
        );
        // Towards IPv4 only the address counts, and must be one of IPv4.
        assert_eq!(parse(&all.concat(), false, true), Err(Errno::EINVAL));
    }

    #[test]
    fn a_size_is_of_udp_alone() {
        let size = message(n::IPPROTO_UDP, n::UDP_SEGMENT, &1200_u16.to_ne_bytes());
        for to_ip6 in [false, true] {
            let said = parse(&size, to_ip6, true).map(|found| found.segment_bytes);
            assert_eq!((said, parse(&size, to_ip6, false)), (Ok(Some(1200)), Ok(Ancillary::default())));
        }
        let long = message(n::IPPROTO_UDP, n::UDP_SEGMENT, &1200_i32.to_ne_bytes());
        let unknown = message(n::IPPROTO_UDP, n::UDP_GRO, &1200_u16.to_ne_bytes());
        for bytes in [long, unknown] {
            assert_eq!(
                (parse(&bytes, false, true), parse(&bytes, true, true)),
                (Err(Errno::EINVAL), Err(Errno::EINVAL))
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let ttl = |value: i32| message(n::IPPROTO_IP, n::IP_TTL, &value.to_ne_bytes());
        for bytes in
            [ttl(0), ttl(256), message(n::IPPROTO_IP, n::IP_TTL, &[1]), message(n::IPPROTO_IP, 99, &[])]
        {
            assert_eq!(parse(&bytes, false, true), Err(Errno::EINVAL));
        }
        for length in [0_usize, 15, 25, usize::MAX] {
            let mut bytes = ttl(5);
            bytes[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(parse(&bytes, false, true), Err(Errno::EINVAL), "{length}");
        }
    }
}
