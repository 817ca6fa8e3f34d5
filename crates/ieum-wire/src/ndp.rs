//! Neighbour solicitations and advertisements (RFC 4861 §4.3, §4.4): what follows the checksum of such an ICMPv6 message.

use std::net::Ipv6Addr;

use crate::bytes::array_at;
use crate::ethernet::MacAddress;

/// The hop limit of every message of neighbour discovery: one that has passed a router has less (RFC 4861 §7.1).
pub const HOP_LIMIT: u8 = 255;

/// The ICMPv6 type of a solicitation.
pub const SOLICITATION: u8 = 135;
/// The ICMPv6 type of an advertisement.
pub const ADVERTISEMENT: u8 = 136;

/// Options that carry a link-layer address, by their type.
const SOURCE_ADDRESS: u8 = 1;
const TARGET_ADDRESS: u8 = 2;

/// "Who has `target`?"
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Solicitation {
    /// The address in question.
    pub target: Ipv6Addr,
    /// Who asks; absent when the asker has no address yet.
    pub source_mac: Option<MacAddress>,
}

/// "I have `target`."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advertisement {
    /// The address in question.
    pub target: Ipv6Addr,
    /// Who has it; may be absent in the answer to a question that was sent to that very address.
    pub target_mac: Option<MacAddress>,
    /// It answers a question.
    pub solicited: bool,
    /// It counts more than what is known.
    pub overrides: bool,
}

impl Solicitation {
    /// Reads a body; `None`: it is malformed.
    pub fn parse(body: &[u8]) -> Option<Solicitation> {
        let (target, source_mac) = target_and_option(body, SOURCE_ADDRESS)?;
        Some(Solicitation { target, source_mac })
    }

    /// The body's bytes.
    pub fn emit(&self) -> Vec<u8> {
        emit([0; 4], self.target, self.source_mac.map(|mac| (SOURCE_ADDRESS, mac)))
    }
}

impl Advertisement {
    /// Reads a body; `None`: it is malformed.
    pub fn parse(body: &[u8]) -> Option<Advertisement> {
        let (target, target_mac) = target_and_option(body, TARGET_ADDRESS)?;
        let flags = *body.first()?;
        Some(Advertisement { target, target_mac, solicited: flags & 0x40 != 0, overrides: flags & 0x20 != 0 })
    }

    /// The body's bytes. We are no router.
    pub fn emit(&self) -> Vec<u8> {
        let flags = u8::from(self.solicited) << 6 | u8::from(self.overrides) << 5;
        emit([flags, 0, 0, 0], self.target, self.target_mac.map(|mac| (TARGET_ADDRESS, mac)))
    }
}

fn target_and_option(body: &[u8], wanted: u8) -> Option<(Ipv6Addr, Option<MacAddress>)> {
    let target = Ipv6Addr::from(array_at::<16>(body, 4)?);
    // RFC 4861 §7.1: a target is no group.
    if target.is_multicast() {
        return None;
    }
    let (mut options, mut mac) = (body.get(20..)?, None);
    while !options.is_empty() {
        // Lengths are in units of 8 bytes; 0 makes the whole message void (RFC 4861 §4.6).
        let [kind, words] = array_at(options, 0)?;
        let length = usize::from(words) * 8;
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        if kind == wanted {
            mac = array_at(option, 2).map(MacAddress);
        }
        options = rest;
    }
    Some((target, mac))
}

fn emit(head: [u8; 4], target: Ipv6Addr, option: Option<(u8, MacAddress)>) -> Vec<u8> {
    let mut out = head.to_vec();
    out.extend(target.octets());
    if let Some((kind, mac)) = option {
        out.extend([kind, 1]);
        out.extend(mac.0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    #[test]
    fn what_is_emitted_is_parsed() {
        let target = "fd77::1".parse().unwrap();
        for source_mac in [None, Some(MAC)] {
            let solicitation = Solicitation { target, source_mac };
            assert_eq!(Solicitation::parse(&solicitation.emit()), Some(solicitation));
        }
        let advertisement =
            Advertisement { target, target_mac: Some(MAC), solicited: true, overrides: false };
        assert_eq!(Advertisement::parse(&advertisement.emit()), Some(advertisement));
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        let whole = Solicitation { target: "fd77::1".parse().unwrap(), source_mac: Some(MAC) }.emit();
        for length in (0..20).chain(21..whole.len()) {
            assert_eq!(Solicitation::parse(&whole[..length]), None, "{length} bytes");
        }
        let mut other = whole.clone();
        other[21] = 0;
        assert_eq!(Solicitation::parse(&other), None);
        other = whole;
        other[4] = 0xff;
        assert_eq!(Solicitation::parse(&other), None);
    }
}
