//! An address with the length of its network prefix.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and its prefix length, as in `10.77.0.2/24`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cidr {
    address: IpAddr,
    prefix_bits: u8,
}

impl Cidr {
    /// An address with a prefix; `None` when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix_bits: u8) -> Option<Cidr> {
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        (prefix_bits <= bits_max).then_some(Cidr { address, prefix_bits })
    }

    /// One address alone.
    pub fn host(address: IpAddr) -> Cidr {
        Cidr { address, prefix_bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// All IPv4 addresses, `0.0.0.0/0`.
    pub const ALL_IP4: Cidr = Cidr { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix_bits: 0 };

    /// All IPv6 addresses, `::/0`.
    pub const ALL_IP6: Cidr = Cidr { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix_bits: 0 };

    /// The address, host bits included.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits name the network.
    pub const fn prefix_bits(self) -> u8 {
        self.prefix_bits
    }

    /// The first address of the network: all host bits zero.
    pub fn first(self) -> IpAddr {
        let prefix_bits = u32::from(self.prefix_bits);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix_bits).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        }
    }

    /// The netmask: all bits of the network set. IPv4 only.
    pub fn mask(self) -> Option<Ipv4Addr> {
        let shift = 32u32.checked_sub(u32::from(self.prefix_bits)).filter(|_| self.address.is_ipv4())?;
        Some(Ipv4Addr::from(u32::MAX.checked_shl(shift).unwrap_or(0)))
    }

    /// Does `address` lie in this network? Families never mix.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                (u32::from(own) ^ u32::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix_bits);
                (u128::from(own) ^ u128::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The network's broadcast address: all host bits set. IPv4 only, and not for prefixes of 31 and 32 bits (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address else { return None };
        (self.prefix_bits < 31).then(|| {
            Ipv4Addr::from(u32::from(address) | u32::MAX.checked_shr(self.prefix_bits.into()).unwrap_or(0))
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

/// Why a text is not an address with a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CidrParseError {
    /// The part before the slash is no IP address.
    Address(AddrParseError),
    /// The part after the slash is no number, or longer than the address.
    Prefix,
}

impl fmt::Display for CidrParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CidrParseError::Address(error) => write!(f, "{error}"),
            CidrParseError::Prefix => {
                write!(f, "the prefix after the slash is not a number from 0 to 32 (IPv6: 128)")
            }
        }
    }
}

impl std::error::Error for CidrParseError {}

impl FromStr for Cidr {
    type Err = CidrParseError;

    /// `ADDRESS/PREFIX`; without a prefix the whole address is the network.
    fn from_str(text: &str) -> Result<Cidr, CidrParseError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(CidrParseError::Address)?;
        match prefix {
            None => Ok(Cidr::host(address)),
            Some(prefix) => {
                let bits = prefix.parse().map_err(|_| CidrParseError::Prefix)?;
                Cidr::new(address, bits).ok_or(CidrParseError::Prefix)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_own_addresses_only() {
        let net: Cidr = "10.77.0.2/24".parse().unwrap();
        assert!(net.contains("10.77.0.255".parse().unwrap()));
        assert!(!net.contains("10.77.1.0".parse().unwrap()));
        assert!(Cidr::ALL_IP4.contains("8.8.8.8".parse().unwrap()));
        assert!(!Cidr::ALL_IP4.contains("::1".parse().unwrap()));
        assert_eq!(net.broadcast(), Some("10.77.0.255".parse().unwrap()));
        assert_eq!("10.0.0.1/32".parse::<Cidr>().unwrap().broadcast(), None);
    }

    #[test]
    fn a_prefix_longer_than_its_address_is_refused() {
        assert_eq!("10.0.0.1/33".parse::<Cidr>(), Err(CidrParseError::Prefix));
        assert!(matches!("ten/8".parse::<Cidr>(), Err(CidrParseError::Address(_))));
    }
}
