//! Which addresses the hosts of a net have: each has a number, and from it one address of each family.
//!
//! Host 12 of the usual net is 10.77.0.12 and fd77::12: the same digits, for people's sake.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_wire::Cidr;

use crate::bounds::NUMBER_MAX;

/// The networks of a net, and the addresses in them that are each host's exit and nobody's in the net.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    network4: Ipv4Addr,
    prefix4_bits: u8,
    network6: Ipv6Addr,
    prefix6_bits: u8,
    gateways: [IpAddr; 2],
}

/// Networks are not fit for a net.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// One of each family is needed.
    #[error("a net has one IPv4 and one IPv6 network")]
    Family,
    /// There is no room for two hosts and an exit.
    #[error("{0} is too small for a net: an IPv4 prefix has 29 bits at most, an IPv6 prefix 112")]
    Small(Cidr),
}

impl Plan {
    /// The networks that `address4` and `address6` lie in; the exits are `gateways`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] says what is wrong.
    pub fn new(address4: Cidr, address6: Cidr, gateways: [IpAddr; 2]) -> Result<Plan, PlanError> {
        let (IpAddr::V4(v4), IpAddr::V6(v6)) = (address4.address(), address6.address()) else {
            return Err(PlanError::Family);
        };
        let (prefix4_bits, prefix6_bits) = (address4.prefix_bits(), address6.prefix_bits());
        if prefix4_bits > 29 {
            return Err(PlanError::Small(address4));
        }
        if prefix6_bits > 112 {
            return Err(PlanError::Small(address6));
        }
        let mask4 = u32::MAX.checked_shl(32 - u32::from(prefix4_bits)).unwrap_or(0);
        let mask6 = u128::MAX.checked_shl(128 - u32::from(prefix6_bits)).unwrap_or(0);
        let network4 = Ipv4Addr::from(u32::from(v4) & mask4);
        let network6 = Ipv6Addr::from(u128::from(v6) & mask6);
        Ok(Plan { network4, prefix4_bits, network6, prefix6_bits, gateways })
    }

    /// The numbers that hosts can have, in the order in which they get them.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u8> {
        // Neither the network's own address nor its broadcast address is a host's.
        let hosts = u32::MAX.checked_shr(self.prefix4_bits.into()).unwrap_or(0) - 1;
        let last = u8::try_from(hosts).unwrap_or(NUMBER_MAX).min(NUMBER_MAX);
        let is_free =
            |number: &u8| !self.addresses(*number).iter().any(|own| self.gateways.contains(&own.address()));
        (1..=last).filter(move |number| is_free(number))
    }

    /// The addresses of a host, with the prefixes of their networks.
    pub(crate) fn addresses(&self, number: u8) -> [Cidr; 2] {
        let v4 = Ipv4Addr::from(u32::from(self.network4) | u32::from(number));
        // The number's decimal digits, read as hexadecimal ones.
        let digits = u32::from(number / 100) << 8 | u32::from(number / 10 % 10) << 4 | u32::from(number % 10);
        let v6 = Ipv6Addr::from(u128::from(self.network6) | u128::from(digits));
        let cidr = |address, bits| Cidr::new(address, bits).expect("a network's prefix fits its addresses");
        [cidr(v4.into(), self.prefix4_bits), cidr(v6.into(), self.prefix6_bits)]
    }

    /// The number of the host that has, or would have, this address.
    pub(crate) fn number_of(&self, address: IpAddr) -> Option<u8> {
        self.numbers().find(|number| self.addresses(*number).iter().any(|own| own.address() == address))
    }

    /// The exits' addresses, one of each family.
    pub(crate) fn gateways(&self) -> [IpAddr; 2] {
        self.gateways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(v4: &str, v6: &str) -> Result<Plan, PlanError> {
        let gateways = ["10.77.0.1".parse().unwrap(), "fd77::1".parse().unwrap()];
        Plan::new(v4.parse().unwrap(), v6.parse().unwrap(), gateways)
    }

    #[test]
    fn the_first_host_is_2_and_the_last_254() {
        let plan = plan("10.77.0.2/24", "fd77::2/64").unwrap();
        let numbers: Vec<u8> = plan.numbers().collect();
        assert_eq!((numbers[0], numbers.len(), numbers.last()), (2, 253, Some(&254)));
        for (number, v4, v6) in [
            (2, "10.77.0.2/24", "fd77::2/64"),
            (12, "10.77.0.12/24", "fd77::12/64"),
            (254, "10.77.0.254/24", "fd77::254/64"),
        ] {
            assert_eq!(plan.addresses(number), [v4.parse().unwrap(), v6.parse().unwrap()]);
            for address in plan.addresses(number) {
                assert_eq!(plan.number_of(address.address()), Some(number));
            }
        }
        for other in ["10.77.0.1", "10.77.0.0", "10.77.0.255", "10.77.1.2", "fd77::1", "fd77::a", "::1"] {
            assert_eq!(plan.number_of(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_network_has_as_many_hosts_as_it_has_room_for() {
        assert_eq!(
            plan("10.77.0.2/29", "fd77::2/64").unwrap().numbers().collect::<Vec<_>>(),
            [2, 3, 4, 5, 6]
        );
        assert_eq!(plan("10.77.9.2/16", "fd77::2/64").unwrap().numbers().count(), 253);
        assert!(matches!(plan("10.77.0.2/30", "fd77::2/64"), Err(PlanError::Small(_))));
        assert!(matches!(plan("10.77.0.2/24", "fd77::2/120"), Err(PlanError::Small(_))));
        assert_eq!(plan("fd77::2/64", "10.77.0.2/24"), Err(PlanError::Family));
    }
}
