//! Which of our addresses a packet leaves with, when nobody has said (RFC 6724 §5; RFC 1122 §3.3.4.3).
//!
//! Rules 3, 4 and 7 (deprecated, home and temporary addresses) have no meaning here: we have none. Rule 8 counts common
//! bits up to the source's own prefix, as the RFC says, in both families.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use super::{Address, Ip};
use crate::link::LinkId;

impl Ip {
    /// The own address for packets to `destination` that leave by `link`; `None`: we have none of that family.
    pub(crate) fn source_for(&self, link: LinkId, destination: IpAddr) -> Option<IpAddr> {
        let family = |own: &&Address| own.cidr.address().is_ipv4() == destination.is_ipv4();
        // The first of equals: the order in which addresses were added is the user's.
        let best =
            self.addresses.iter().filter(family).min_by_key(|own| Reverse(rank(own, link, destination)))?;
        Some(best.cidr.address())
    }
}

/// How well an address suits: the rules in their order, each better the larger.
fn rank(own: &Address, link: LinkId, destination: IpAddr) -> (bool, i16, bool, bool, u32) {
    let address = own.cidr.address();
    let (source_scope, wanted) = (scope(address), scope(destination));
    // Rule 2: the smallest scope that still reaches; of those that do not reach, the largest.
    let scope_rank =
        if source_scope >= wanted { 0x100 - i16::from(source_scope) } else { i16::from(source_scope) };
    let common = common_bits(address, destination).min(own.cidr.prefix_bits().into());
    (
        address == destination,               // rule 1
        scope_rank,                           // rule 2
        own.link == link,                     // rule 5
        label(address) == label(destination), // rule 6
        common,                               // rule 8
    )
}

/// Scopes as RFC 4007 §6 numbers them; those of IPv4 are RFC 6724 §3.2's.
fn scope(address: IpAddr) -> u8 {
    const LINK: u8 = 2;
    const GLOBAL: u8 = 14;
    match address {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_loopback() => LINK,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(v6) if v6.is_multicast() => v6.octets()[1] & 0xf,
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback() => LINK,
        IpAddr::V6(_) => GLOBAL,
    }
}

/// The policy table's labels (RFC 6724 §2.1).
fn label(address: IpAddr) -> u8 {
    let IpAddr::V6(v6) = address else { return 4 };
    let [first, second, ..] = v6.segments();
    match (first, second) {
        _ if v6 == Ipv6Addr::LOCALHOST => 0,
        (0x2002, _) => 2,
        (0x2001, 0) => 5,
        (0xfc00..=0xfdff, _) => 13,
        (0xfec0..=0xfeff, _) => 11,
        (0x3ffe, _) => 12,
        _ if v6.to_ipv4_mapped().is_some() => 4,
        _ => 1,
    }
}

fn common_bits(one: IpAddr, other: IpAddr) -> u32 {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u32::from(one) ^ u32::from(other)).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (u128::from(one) ^ u128::from(other)).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::link::LinkConfig;

    #[test]
    fn the_rules_of_rfc_6724_choose() {
        let mut ip = Ip::new(false, &mut Chance::new([1; 32]));
        let (one, two) = (ip.add_link(LinkConfig::in_process()), ip.add_link(LinkConfig::in_process()));
        for (link, address) in [
            (one, "10.77.0.2/24"),
            (one, "fe80::2/64"),
            (one, "fd77::2/64"),
            (one, "2001:db8:1::2/64"),
            (two, "2001:db8:2::2/64"),
            (two, "10.78.0.2/16"),
        ] {
            ip.add_address(link, address.parse().unwrap());
        }
        let cases = [
            (one, "2001:db8:2::2", "2001:db8:2::2", "rule 1: the same address"),
            (one, "fe80::9", "fe80::2", "rule 2: the smallest scope that reaches"),
            (one, "2001:db8:9::1", "2001:db8:1::2", "rules 5 and 6: the link's, of the same label"),
            (two, "2001:db8:1::9", "2001:db8:2::2", "rule 5 before rule 8"),
            (one, "fd99::1", "fd77::2", "rule 6: a local address talks to local ones"),
            (one, "10.78.0.9", "10.77.0.2", "rule 5 in IPv4"),
            (two, "192.0.2.1", "10.78.0.2", "the link's own address in IPv4"),
        ];
        for (link, destination, source, rule) in cases {
            let chosen = ip.source_for(link, destination.parse().unwrap());
            assert_eq!(chosen, Some(source.parse().unwrap()), "{rule}");
        }
    }
}
