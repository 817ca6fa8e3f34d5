//! The way up: from a datagram's bytes to the queue of its endpoint.

use std::net::SocketAddr;

use ieum_wire::Unreachable;
use ieum_wire::checksum::pseudo_header;
use ieum_wire::udp::{Header, ParseError};
use ieum_wire::{ChecksumState, Protocol, udp_lite};

use super::{DatagramError, Envelope, Udp, UdpId};
use crate::drops::Drop;
use crate::event::{Event, Events};
use crate::icmp::{Quoted, Word};
use crate::ip::{For, Groups, Received};
use crate::link::LinkId;

impl Udp {
    /// Delivers a datagram of UDP or UDP-Lite, or says why not. Nobody at home ([`Drop::UdpPortUnknown`]) deserves an ICMP error.
    pub(crate) fn receive(
        &mut self,
        protocol: Protocol,
        received: &Received<'_>,
        checksum: ChecksumState,
        for_whom: For,
        groups: &Groups,
        events: &mut Events,
    ) -> Result<(), Drop> {
        let is_lite = protocol == udp_lite::PROTOCOL;
        let (header, payload, covered) = match is_lite {
            true => parse_lite(received)?,
            false => parse(received, checksum).map(|(header, payload)| (header, payload, Covered::All))?,
        };
        let source = SocketAddr::new(received.source, header.source_port);
        let destination = SocketAddr::new(received.destination, header.destination_port);
        let Received { link, heard_over, came_at, ttl, tos, segment_bytes, .. } = *received;
        let envelope = Envelope { source, destination, link, heard_over, came_at, ttl, tos, segment_bytes };
        if for_whom == For::Everybody {
            let all = self.demux.find_all(protocol, destination, source);
            let hears = |id: &UdpId| self.hears(*id, received.heard_over);
            let all: Vec<UdpId> = all.filter(|id| hears(id) && !self.misses_coverage(*id, covered)).collect();
            return self.deliver_to_all(&all, envelope, payload, groups, events);
        }
        match self.demux.find(&self.endpoints, protocol, destination, source, received.heard_over) {
            Some(id) if self.misses_coverage(id, covered) => Err(Drop::UdpChecksum),
            Some(id) => {
                let endpoint = self.endpoints.get_mut(id).ok_or(Drop::UdpPortUnknown)?;
                if !endpoint.receive(envelope, payload) {
                    return Err(Drop::UdpQueueFull);
                }
                events.push(Event::Udp(id));
                Ok(())
            }
            // An exit carries UDP alone.
            None if is_lite => Err(Drop::UdpPortUnknown),
            None => self.deliver_to_nobody(envelope, payload, events),
        }
    }

    /// Does the endpoint keep to that link, or to none?
    fn hears(&self, id: UdpId, link: LinkId) -> bool {
        let kept = self.endpoints.get(id).and_then(|endpoint| endpoint.link);
        kept.is_none_or(|kept| kept == link)
    }

    /// Does the endpoint want more of a datagram under the checksum?
    fn misses_coverage(&self, id: UdpId, covered: Covered) -> bool {
        let wanted = self.endpoints.get(id).and_then(|endpoint| endpoint.coverage.received_bytes);
        match (wanted, covered) {
            (None, _) | (Some(_), Covered::All) => false,
            (Some(0), Covered::Part(_)) => true,
            (Some(wanted), Covered::Part(bytes)) => bytes < usize::from(wanted),
        }
    }

    /// Everyone bound to the port gets a copy (RFC 1122 §4.1.3.5 leaves it to us; so does Linux); of what was sent to a
    /// group, everyone who hears that sender in it.
    fn deliver_to_all(
        &mut self,
        all: &[UdpId],
        envelope: Envelope,
        payload: &[u8],
        groups: &Groups,
        events: &mut Events,
    ) -> Result<(), Drop> {
        let mut outcome = Err(Drop::UdpPortUnknown);
        let (group, source) = (envelope.destination.ip(), envelope.source);
        for &id in all {
            let Some(endpoint) = self.endpoints.get_mut(id) else { continue };
            if group.is_multicast() {
                let all = endpoint.hears_all_groups(group);
                if !groups.allow(&endpoint.memberships, envelope.link, group, source.ip(), all) {
                    continue;
                }
            }
            if endpoint.receive(envelope, payload) {
                events.push(Event::Udp(id));
                outcome = Ok(());
            } else if outcome.is_err() {
                outcome = Err(Drop::UdpQueueFull);
            }
        }
        outcome
    }

    /// Where we stand for any destination, the owner of the stack asks for what nobody is bound for.
    fn deliver_to_nobody(
        &mut self,
        envelope: Envelope,
        payload: &[u8],
        events: &mut Events,
    ) -> Result<(), Drop> {
        let any = self.any.as_mut().ok_or(Drop::UdpPortUnknown)?;
        if !any.push_apart(envelope, payload) {
            return Err(Drop::UdpAnyQueueFull);
        }
        events.push(Event::AnyDatagram);
        Ok(())
    }

    /// An ICMP error about a datagram of ours. An endpoint connected to exactly that peer is told; so is, of all that was
    /// sent from its address and port, one that keeps errors. `true`: it was a connected one, and the word is believed.
    pub(crate) fn on_unreachable(&mut self, word: &Word, quoted: &Quoted<'_>, events: &mut Events) -> bool {
        let connected = self.demux.find_connected(quoted.protocol, quoted.ours, quoted.theirs);
        let Some(id) = connected.or_else(|| self.demux.find_bound(quoted.protocol, quoted.ours)) else {
            return false;
        };
        let Some(endpoint) = self.endpoints.get_mut(id) else { return false };
        if connected.is_none() && !endpoint.errors.is_kept() {
            return false;
        }
        let reason = word.reason;
        let was_kept = endpoint.errors.keep(|| DatagramError {
            reason,
            kind: word.kind,
            code: word.code,
            by: word.by,
            destination: quoted.theirs,
            payload: quoted.payload.to_vec(),
        });
        // What is too large is no failure: the next one is cut to the size that the router told (RFC 8201 §5).
        let fails = !matches!(reason, Unreachable::FragmentationNeeded { .. });
        if fails {
            endpoint.error = Some(reason);
        }
        if fails || was_kept {
            events.push(Event::Udp(id));
        }
        connected.is_some()
    }
}

/// Header and payload of an intact datagram. What stands behind its own length is not looked at (RFC 9868 §7 counts
/// on that).
fn parse<'a>(received: &Received<'a>, checksum: ChecksumState) -> Result<(Header, &'a [u8]), Drop> {
    let parsed = Header::parse(received.payload).map_err(|error| match error {
        ParseError::Truncated => Drop::UdpTruncated,
        ParseError::Length => Drop::UdpLength,
    })?;
    let datagram = received.payload.get(..parsed.length_bytes).ok_or(Drop::UdpTruncated)?;
    // RFC 8200 §8.1: over IPv6 a sender must compute one, for no header below would show an address that was changed.
    if checksum != ChecksumState::Deferred && !parsed.has_checksum && received.source.is_ipv6() {
        return Err(Drop::UdpChecksum);
    }
    if checksum == ChecksumState::Present && parsed.has_checksum {
        let sum = pseudo_header(received.source, received.destination, Protocol::Udp, datagram.len());
        if !sum.plus(datagram).is_valid() {
            return Err(Drop::UdpChecksum);
        }
    }
    let payload = datagram.get(ieum_wire::udp::HEADER_BYTES..).ok_or(Drop::UdpTruncated)?;
    Ok((parsed.header, payload))
}

/// How much of a datagram its checksum covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Covered {
    All,
    /// So many bytes, the header's included.
    Part(usize),
}

/// The same of a datagram of UDP-Lite, which ends where its packet does.
fn parse_lite<'a>(received: &Received<'a>) -> Result<(Header, &'a [u8], Covered), Drop> {
    let datagram = received.payload;
    let parsed = udp_lite::parse(datagram, received.source, received.destination);
    let parsed = parsed.map_err(|error| match error {
        udp_lite::ParseError::Truncated => Drop::UdpTruncated,
        udp_lite::ParseError::Coverage => Drop::UdpLength,
        udp_lite::ParseError::Checksum => Drop::UdpChecksum,
    })?;
    let payload = datagram.get(ieum_wire::udp::HEADER_BYTES..).ok_or(Drop::UdpTruncated)?;
    let whole = parsed.covered_bytes == datagram.len();
    let covered = if whole { Covered::All } else { Covered::Part(parsed.covered_bytes) };
    Ok((parsed.header, payload, covered))
}
