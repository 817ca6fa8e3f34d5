//! The way up: is this a packet, may it come from there, and is it for us?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ieum_wire::ip4::{Header, ParseError, Parsed};
use ieum_wire::{Packet, Protocol, segmentation};

use super::{Ip, is_loopback};
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
}

/// What a transport sees of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// Who sent it.
    pub(crate) source: IpAddr,
    /// The address it was sent to: the one to answer from.
    pub(crate) destination: IpAddr,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// The transport's header and what follows.
    pub(crate) payload: &'a [u8],
    /// How many frames of a wire it stands for.
    pub(crate) frames: usize,
}

impl Ip {
    /// Judges a packet from `link`; the error is why it is dropped.
    pub(crate) fn receive(&self, link: LinkId, packet: &Packet) -> Result<Incoming, Drop> {
        if !self.links.contains_key(link) {
            return Err(Drop::LinkUnknown);
        }
        let parsed = Header::parse(packet.bytes()).map_err(reason)?;
        let header = &parsed.header;
        // A super-datagram of our own process is whole, whatever its size: it would become fragments on a wire only.
        if header.is_fragment() {
            return Err(Drop::Ip4Fragment);
        }
        let payload = packet.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default();
        if !self.may_come_from(link, header, payload) {
            return Err(Drop::MartianSource);
        }
        let for_whom = self.for_whom(link, header.destination)?;
        Ok(Incoming { parsed, for_whom })
    }

    /// Can a packet with this header honestly arrive over `link`?
    fn may_come_from(&self, link: LinkId, header: &Header, payload: &[u8]) -> bool {
        let source = header.source;
        let address = IpAddr::V4(source);
        if source.is_unspecified() || source.is_multicast() || self.is_broadcast(address) {
            return false;
        }
        if link == self.loopback || !self.is_local(address) {
            return true;
        }
        // The answer of an endpoint in 127/8 that we reach over this link on purpose, or the error that it has none.
        if header.protocol == Protocol::Icmp4 {
            return self.is_excepted(address, link);
        }
        let port = segmentation::ports(payload).map(|(source_port, _)| source_port);
        port.is_some_and(|port| self.loopback_exception(SocketAddr::new(address, port)) == Some(link))
    }

    fn for_whom(&self, link: LinkId, destination: Ipv4Addr) -> Result<For, Drop> {
        let address = IpAddr::V4(destination);
        if is_loopback(address) {
            return match link == self.loopback {
                true => Ok(For::Own),
                false if self.accept_any_destination => Ok(For::Other),
                false => Err(Drop::MartianDestination),
            };
        }
        if self.is_local(address) {
            return Ok(For::Own);
        }
        if self.is_broadcast(address) {
            return Ok(For::Everybody);
        }
        // Nobody stands for a group: who accepts any destination accepts any single one.
        if self.accept_any_destination && !destination.is_multicast() && !destination.is_unspecified() {
            return Ok(For::Other);
        }
        Err(Drop::NotForUs)
    }
}

fn reason(error: ParseError) -> Drop {
    match error {
        ParseError::Truncated => Drop::Ip4Truncated,
        ParseError::Version => Drop::Ip4Version,
        ParseError::HeaderLength => Drop::Ip4HeaderLength,
        ParseError::Checksum => Drop::Ip4Checksum,
    }
}
