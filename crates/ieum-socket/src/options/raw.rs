//! Options that raw sockets alone have (raw(7), ipv6(7); RFC 3542 §3.1 and §3.2).

use super::Options;
use super::numbers::*;
use crate::make::{Domain, Protocol};
use crate::{Errno, Make};

/// What a raw socket's options say.
#[derive(Clone, Debug)]
pub(crate) struct RawOptions {
    /// IP_HDRINCL, IPV6_HDRINCL: what is sent begins with its IP header.
    pub(crate) header_included: bool,
    /// ICMP_FILTER, ICMP6_FILTER, as the program wrote them: a bit for each type that it does not want. That of IPv4 has
    /// 32 of them.
    filter: [u8; FILTER_6_BYTES],
    /// IPV6_CHECKSUM: where one is kept.
    pub(crate) checksum_at: Option<usize>,
}

/// `struct icmp_filter` and `struct icmp6_filter`: their sizes.
const FILTER_BYTES: usize = 4;
const FILTER_6_BYTES: usize = 32;
/// The protocol numbers that options are about.
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const MOBILITY: u8 = 135;
const RAW: u8 = 255;

impl RawOptions {
    /// Those of a fresh socket: IPPROTO_RAW has its headers included, and messages of ICMPv6 and of mobility their checksum
    /// (RFC 3542 §3.1, RFC 6275 §6.1.1).
    pub(super) fn of(make: Make) -> Option<Box<RawOptions>> {
        let Protocol::Raw(protocol) = make.protocol else { return None };
        let checksum_at = match (make.domain, protocol) {
            (Domain::Ip6, ICMPV6) => Some(2),
            (Domain::Ip6, MOBILITY) => Some(4),
            (_, _) => None,
        };
        let filter = [0; FILTER_6_BYTES];
        Some(Box::new(RawOptions { header_included: protocol == RAW, filter, checksum_at }))
    }

    /// The ICMP types that it does not want: a bit for each.
    pub(crate) fn blocked(&self) -> [u32; 8] {
        let mut words = [0; 8];
        let (bytes, _) = self.filter.as_chunks::<4>();
        words.iter_mut().zip(bytes).for_each(|(word, bytes)| *word = u32::from_ne_bytes(*bytes));
        words
    }

    fn set_filter(&mut self, value: &[u8], room: usize) {
        let count = value.len().min(room);
        self.filter[..count].copy_from_slice(&value[..count]);
    }

    fn set_of_ip6(&mut self, protocol: u8, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let number = value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
        match name {
            IPV6_HDRINCL => self.header_included = number != 0,
            // RFC 3542 §3.1: that of ICMPv6 is not a program's to move; Linux lets it at its own level.
            IPV6_CHECKSUM if protocol == ICMPV6 && level == IPPROTO_IPV6 => return Err(Errno::EINVAL),
            IPV6_CHECKSUM if number > 0 && number % 2 == 1 => return Err(Errno::EINVAL),
            IPV6_CHECKSUM => self.checksum_at = usize::try_from(number).ok(),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn read_of_ip6(&self, name: i32) -> Result<Vec<u8>, Errno> {
        let number = match name {
            IPV6_HDRINCL => i32::from(self.header_included),
            IPV6_CHECKSUM => self.checksum_at.map_or(-1, |at| i32::try_from(at).unwrap_or(i32::MAX)),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}

/// Is it one of the two options of IPv6 that raw sockets have at both levels?
fn is_raw_of_ip6(level: i32, name: i32) -> bool {
    level == SOL_RAW || level == IPPROTO_IPV6 && matches!(name, IPV6_CHECKSUM | IPV6_HDRINCL)
}

impl Options {
    /// What a raw socket's options say; `None`: it is another socket.
    pub(crate) fn raw(&self) -> Option<&RawOptions> {
        self.raw.as_deref()
    }

    /// Sets an option of raw sockets; `None` when it is none of those.
    pub(super) fn set_raw(
        &mut self,
        make: Make,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), Errno>> {
        let (Protocol::Raw(protocol), Some(raw)) = (make.protocol, self.raw.as_mut()) else { return None };
        Some(match (make.domain, level, name) {
            (Domain::Ip4, IPPROTO_IP, IP_HDRINCL) => {
                let number = value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                let number = number.or_else(|| value.first().map(|byte| i32::from(*byte)));
                raw.header_included = number.unwrap_or(0) != 0;
                Ok(())
            }
            (Domain::Ip4, SOL_RAW, ICMP_FILTER) if protocol == ICMP => {
                raw.set_filter(value, FILTER_BYTES);
                Ok(())
            }
            (Domain::Ip4, SOL_RAW, ICMP_FILTER) => Err(Errno::EOPNOTSUPP),
            (Domain::Ip6, IPPROTO_ICMPV6, _) if protocol != ICMPV6 => Err(Errno::EOPNOTSUPP),
            (Domain::Ip6, IPPROTO_ICMPV6, ICMP6_FILTER) => {
                raw.set_filter(value, FILTER_6_BYTES);
                Ok(())
            }
            (Domain::Ip6, _, _) if is_raw_of_ip6(level, name) => raw.set_of_ip6(protocol, level, name, value),
            // They are IPv6 alone.
            (Domain::Ip6, IPPROTO_IP, _) => Err(Errno::ENOPROTOOPT),
            (_, _, _) => return None,
        })
    }

    /// An option of raw sockets as getsockopt(2) writes it; `None` when it is none of those.
    pub(super) fn read_raw(&self, make: Make, level: i32, name: i32) -> Option<Result<Vec<u8>, Errno>> {
        let (Protocol::Raw(protocol), Some(raw)) = (make.protocol, self.raw()) else { return None };
        Some(match (make.domain, level, name) {
            (Domain::Ip4, IPPROTO_IP, IP_HDRINCL) => {
                Ok(i32::from(raw.header_included).to_ne_bytes().to_vec())
            }
            (Domain::Ip4, SOL_RAW, ICMP_FILTER) if protocol == ICMP => {
                Ok(raw.filter[..FILTER_BYTES].to_vec())
            }
            (Domain::Ip4, SOL_RAW, ICMP_FILTER) => Err(Errno::EOPNOTSUPP),
            (Domain::Ip4, SOL_RAW, _) => Err(Errno::ENOPROTOOPT),
            (Domain::Ip6, IPPROTO_ICMPV6, _) if protocol != ICMPV6 => Err(Errno::EOPNOTSUPP),
            (Domain::Ip6, IPPROTO_ICMPV6, ICMP6_FILTER) => Ok(raw.filter.to_vec()),
            (Domain::Ip6, _, _) if is_raw_of_ip6(level, name) => raw.read_of_ip6(name),
            (Domain::Ip6, IPPROTO_IP, _) => Err(Errno::ENOPROTOOPT),
            (_, _, _) => return None,
        })
    }
}
