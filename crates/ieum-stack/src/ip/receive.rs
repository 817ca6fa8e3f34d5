//! The way up: is this a packet, may it come from there, and is it for us?

use std::net::{IpAddr, SocketAddr};

use ieum_wire::ip::{self, Fragment, Header, ParseError, Parsed};
use ieum_wire::{Instant, Packet, Protocol, group, ip4, ip6, segmentation};

use super::{Ip, is_loopback, stays_inside};
use crate::drops::Drop;
use crate::link::LinkId;

/// Whom a packet means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// One of our own addresses.
    Own,
    /// Everybody on a network of ours.
    Everybody,
    /// An address we stand for (`accept_any_destination`).
    Other,
}

/// A packet that has been judged fit to be read on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    /// Its header and where its payload lies.
    pub(crate) parsed: Parsed,
    /// Whom it means.
    pub(crate) for_whom: For,
    /// It came as fragments, or behind the header of one.
    pub(crate) fragmented: bool,
}

/// What a transport sees of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// Over which link it came; what came around to ourselves, over which it left.
    pub(crate) link: LinkId,
    /// To which link somebody who keeps to one must keep to hear it: for what a host says to itself, that of the address, or the
    /// loopback link, where its sender named that.
    pub(crate) heard_over: LinkId,
    /// When it came; of fragments, when the last of them did.
    pub(crate) came_at: Instant,
    /// Who sent it.
    pub(crate) source: IpAddr,
    /// The address it was sent to: the one to answer from.
    pub(crate) destination: IpAddr,
    /// The hops it had left.
    pub(crate) ttl: u8,
    /// It came as fragments, or behind the header of one.
    pub(crate) fragmented: bool,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// The transport's header and what follows.
    pub(crate) payload: &'a [u8],
    /// How many frames of a wire it stands for.
    pub(crate) frames: usize,
    /// It is several datagrams of so many bytes each, the last one perhaps shorter, behind one header.
    pub(crate) segment_bytes: Option<u16>,
}

impl Ip {
    /// Judges a packet from `link`; the error is why it is dropped.
    pub(crate) fn receive(&self, link: LinkId, packet: &Packet) -> Result<Incoming, Drop> {
        if !self.links.contains_key(link) {
            return Err(Drop::LinkUnknown);
        }
        let parsed = parse(packet)?;
        let header = &parsed.header;
        let payload = packet.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default();
        if !self.may_come_from(link, header, payload) {
            return Err(Drop::MartianSource);
        }
        let for_whom = self.for_whom(link, header.destination)?;
        Ok(Incoming { parsed, for_whom, fragmented: header.fragment.is_some() })
    }

    /// Can a packet with this header honestly arrive over `link`?
    fn may_come_from(&self, link: LinkId, header: &Header, payload: &[u8]) -> bool {
        let source = header.source;
        if source.is_unspecified() {
            // RFC 4861 §4.3: who asks whether an address is free has none yet; nor has a switch that asks for groups
            // (RFC 4541 §2.1.1).
            let asks = matches!(header.protocol, Protocol::Icmp6 | Protocol::Other(group::IGMP));
            return asks && header.destination.is_multicast();
        }
        if self.is_for_many(source) || is_mapped(source) {
            return false;
        }
        if link == self.loopback || !self.is_local(source) {
            return true;
        }
        // The answer of a loopback endpoint that we reach over this link on purpose, or the error that it has none.
        if matches!(header.protocol, Protocol::Icmp4 | Protocol::Icmp6) {
            return self.is_excepted(source, link);
        }
        // Only the first fragment tells a port.
        let port = segmentation::ports(payload).map(|(source_port, _)| source_port);
        header.fragment.is_none_or(Fragment::is_whole)
            && port.is_some_and(|port| self.loopback_exception(SocketAddr::new(source, port)) == Some(link))
    }

    fn for_whom(&self, link: LinkId, destination: IpAddr) -> Result<For, Drop> {
        if is_loopback(destination) {
            return match link == self.loopback {
                true if self.is_broadcast(destination) => Ok(For::Everybody),
                true => Ok(For::Own),
                false if self.accept_any_destination => Ok(For::Other),
                false => Err(Drop::MartianDestination),
            };
        }
        if is_mapped(destination) || (link != self.loopback && stays_inside(destination)) {
            return Err(Drop::MartianDestination);
        }
        if self.is_local(destination) {
            return Ok(For::Own);
        }
        if self.is_broadcast(destination) || self.is_own_group(link, destination) {
            return Ok(For::Everybody);
        }
        // Nobody stands for a group: who accepts any destination accepts any single one.
        if self.accept_any_destination && !destination.is_multicast() && !destination.is_unspecified() {
            return Ok(For::Other);
        }
        Err(Drop::NotForUs)
    }
}

/// An IPv4 address in IPv6's clothes never stands in a packet (RFC 4942 §2.2): it would pass by rules made for IPv4.
fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// A packet's header, or why it has none.
pub(crate) fn parse(packet: &Packet) -> Result<Parsed, Drop> {
    ip::parse(packet.bytes()).map_err(reason)
}

fn reason(error: ParseError) -> Drop {
    match error {
        ParseError::Version => Drop::IpVersion,
        ParseError::Ip4(error) => match error {
            ip4::ParseError::Truncated => Drop::Ip4Truncated,
            ip4::ParseError::Version => Drop::IpVersion,
            ip4::ParseError::HeaderLength => Drop::Ip4HeaderLength,
            ip4::ParseError::Checksum => Drop::Ip4Checksum,
        },
        ParseError::Ip6(error) => match error {
            ip6::ParseError::Truncated => Drop::Ip6Truncated,
            ip6::ParseError::Version => Drop::IpVersion,
            ip6::ParseError::ExtensionHeader => Drop::Ip6ExtensionHeader,
            ip6::ParseError::Option => Drop::Ip6Option,
            ip6::ParseError::Routing => Drop::Ip6Routing,
        },
    }
}
